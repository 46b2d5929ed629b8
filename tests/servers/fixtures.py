"""The fixtures that give tests a real server, and what happens if there is none to give."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.servers.audit_oracle import AuditOracle
from tests.servers.azurite import Azurite
from tests.servers.kube_apiserver import KubeApiServer
from tests.servers.versitygw import VersityGateway
from tests.servers.webhook_receiver import WebhookReceiver


class StartKubeApiServer(Protocol):
    """The type of the fixture `kube_apiserver`."""

    def __call__(
        self,
        *,
        version: str = "1.36",
        audit_policy: str | bytes | None = None,
        audit_log: bool = True,
        audit_webhook: str | None = None,
        extra_args: Sequence[str] = (),
    ) -> KubeApiServer:
        """A server that is ready, and is stopped after the test."""


@pytest.fixture(scope="session")
def audit_oracle() -> Iterator[AuditOracle]:
    """The policy loader and evaluator of kube-apiserver 1.36."""
    with AuditOracle("1.36") as oracle:
        yield oracle


@pytest.fixture(scope="session")
def audit_oracle_133() -> Iterator[AuditOracle]:
    """The policy loader and evaluator of kube-apiserver 1.33."""
    with AuditOracle("1.33") as oracle:
        yield oracle


@pytest.fixture
def kube_apiserver(tmp_path: Path) -> Iterator[StartKubeApiServer]:
    """Starts a kube-apiserver for this test; may be called several times."""
    with ExitStack() as running:

        def start(
            *,
            version: str = "1.36",
            audit_policy: str | bytes | None = None,
            audit_log: bool = True,
            audit_webhook: str | None = None,
            extra_args: Sequence[str] = (),
        ) -> KubeApiServer:
            number = len(list(tmp_path.glob("kube-apiserver-*"))) + 1
            server = KubeApiServer(
                tmp_path / f"kube-apiserver-{number}",
                version=version,
                audit_policy=audit_policy,
                audit_log=audit_log,
                audit_webhook=audit_webhook,
                extra_args=extra_args,
            )
            return running.enter_context(server)

        yield start


@pytest.fixture
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """A receiver for the audit webhook of a kube-apiserver."""
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersityGateway]:
    """A real S3 server; each test takes a new bucket of it."""
    with VersityGateway(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """The emulator of Azure Blob Storage; each test takes a new container of it."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server
