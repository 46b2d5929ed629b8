"""Where the runs of these tests archive to: a folder, S3 and Azure."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kcompliance.stores import Store, StoreOptions, open_store
from tests.faults.killing_proxy import KillingProxy
from tests.servers.azurite import ACCOUNT, Azurite
from tests.servers.versitygw import VersityGateway

__all__ = ["KINDS", "RunPlace", "run_place"]

KINDS = ["folder", "s3", "azure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """An empty place for one archive, reached through a proxy where there is a server."""

    kind: str
    url: str
    endpoint: str | None = None
    """Of the proxy."""
    server: str | None = None
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    proxy: KillingProxy | None = None

    @property
    def arguments(self) -> list[str]:
        """How the command line names it."""
        return [self.url, *(["--store-endpoint", self.endpoint] if self.endpoint else [])]

    def open(self) -> Store:
        """A store on it, not through the proxy; the environment has to hold the credentials."""
        return open_store(self.url, StoreOptions(endpoint_url=self.server))

    def open_through_proxy(self, *, tries: int = 2, seconds: int = 1) -> Store:
        """A store that meets the faults of the proxy, and is not patient."""
        options = StoreOptions(
            endpoint_url=self.endpoint, tries=tries, connect_seconds=2, read_seconds=seconds
        )
        return open_store(self.url, options)


def run_place(
    kind: str, request: pytest.FixtureRequest, *, object_lock: bool = False
) -> Iterator[RunPlace]:
    """A place of this kind, whose credentials are in the environment meanwhile."""
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    with ExitStack() as running:
        match kind:
            case "folder":
                folder: Path = request.getfixturevalue("tmp_path")
                yield RunPlace(kind=kind, url=str(folder / "archive"))
                return
            case "s3":
                s3: VersityGateway = request.getfixturevalue("s3_server")
                proxy = running.enter_context(KillingProxy(s3.port))
                place = RunPlace(
                    kind=kind,
                    url=f"s3://{s3.new_bucket(object_lock=object_lock)}/some/archive",
                    endpoint=proxy.url,
                    server=s3.url,
                    environment=s3.environment(),
                    proxy=proxy,
                )
            case "azure":
                azure: Azurite = request.getfixturevalue("azurite_server")
                proxy = running.enter_context(KillingProxy(azure.port))
                place = RunPlace(
                    kind=kind,
                    url=f"azblob://{ACCOUNT}/{azure.new_container()}/some/archive",
                    endpoint=azure.url_at(proxy.port),
                    server=azure.url,
                    environment={"AZURE_STORAGE_KEY": azure.key},
                    proxy=proxy,
                )
            case _:
                raise ValueError(kind)
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place
