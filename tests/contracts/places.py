"""The places that the contract of stores is tested in: each kind of store, empty and its own."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.memory import MemoryStore
from tests.servers.azurite import ACCOUNT, Azurite
from tests.servers.fault_proxy import FaultProxy
from tests.servers.minio import Minio
from tests.servers.versitygw import VersityGateway

__all__ = ["KINDS", "LOCKING", "OUTSIDE", "REMOTE", "Place", "open_place"]

S3Server = VersityGateway | Minio

SECOND_S3 = pytest.param("minio", marks=pytest.mark.long)
REMOTE = ["s3", "azure", SECOND_S3]
OUTSIDE = ["folder", *REMOTE]
KINDS = ["memory", *OUTSIDE]
LOCKING = ["memory", "s3", SECOND_S3]
"""Azurite has no locks; nothing here says what a real account does."""

FAST = StoreOptions(tries=3, connect_seconds=2, read_seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One empty place; `open` gives a store on it, a new one each time where that can be.

    `open_nowhere` gives one on a place that does not exist, where there can be such a store.
    """

    kind: str
    open: Callable[[], Store]
    open_nowhere: Callable[[], Store] | None = None
    faults: FaultProxy | None = None


def open_place(
    kind: str, request: pytest.FixtureRequest, *, locks: bool = False, faults: bool = False
) -> Iterator[Place]:
    """A place of this kind, behind a proxy that can spoil what is said to it if so asked."""
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    with ExitStack() as running:
        match kind:
            case "memory":
                store: Store = MemoryStore(locks=locks)
                yield Place(kind=kind, open=lambda: store)
            case "folder":
                yield _folder(request.getfixturevalue("tmp_path"), running)
            case "s3" | "minio":
                s3: S3Server = request.getfixturevalue(f"{kind}_server")
                yield _s3(kind, s3, monkeypatch, running, locks, faults)
            case "azure":
                server: Azurite = request.getfixturevalue("azurite_server")
                yield _azure(server, monkeypatch, running, faults)
            case _:
                raise ValueError(kind)


def _opener(url: str, options: StoreOptions, running: ExitStack) -> Callable[[], Store]:
    return lambda: running.enter_context(open_store(url, options))


def _folder(folder: Path, running: ExitStack) -> Place:
    return Place(
        kind="folder",
        open=lambda: open_store(str(folder / "archive")),
        open_nowhere=_opener(str(folder / "mistyped"), FAST, running),
    )


def _s3(
    kind: str,
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    running: ExitStack,
    locks: bool,
    faults: bool,
) -> Place:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    proxy = running.enter_context(FaultProxy(server.port)) if faults else None
    options = dataclasses.replace(FAST, endpoint_url=proxy.url if proxy else server.url)
    url = f"s3://{server.new_bucket(object_lock=locks)}/some/archive"
    return Place(
        kind=kind,
        open=_opener(url, options, running),
        open_nowhere=_opener("s3://mistyped-bucket/archive", options, running),
        faults=proxy,
    )


def _azure(
    server: Azurite, monkeypatch: pytest.MonkeyPatch, running: ExitStack, faults: bool
) -> Place:
    monkeypatch.setenv("AZURE_STORAGE_KEY", server.key)
    proxy = running.enter_context(FaultProxy(server.port)) if faults else None
    endpoint = server.url_at(proxy.port if proxy else server.port)
    options = dataclasses.replace(FAST, endpoint_url=endpoint)
    url = f"azblob://{ACCOUNT}/{server.new_container()}/some/archive"
    return Place(
        kind="azure",
        open=_opener(url, options, running),
        open_nowhere=_opener(f"azblob://{ACCOUNT}/mistyped/archive", options, running),
        faults=proxy,
    )
