"""The fixtures that give tests a real server, and what happens if there is none to give."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.servers.audit_oracle import AuditOracle
from tests.servers.azurite import Azurite
from tests.servers.kube_apiserver import KubeApiServer
from tests.servers.minio import Minio
from tests.servers.moto import Moto
from tests.servers.search_server import SearchServer
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


class StartSearchServer(Protocol):
    """The type of the fixture `search_server`."""

    def __call__(
        self,
        product: str = "elasticsearch",
        *,
        nodes: int = 1,
        security: bool = False,
        tls: bool = False,
        heap: str = "512m",
        full_speed: bool = False,
        settings: Mapping[str, object] | None = None,
    ) -> SearchServer:
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
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minio]:
    """Another real S3 server, for the long run; each test takes a new bucket of it."""
    with Minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """The emulator of Azure Blob Storage; each test takes a new container of it."""
    with Azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """A fake of AWS; each test empties it before it sets up its own."""
    with Moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchServer]:
    """An Elasticsearch of one node without security; each test uses index names of its own."""
    with SearchServer(tmp_path_factory.mktemp("elasticsearch")) as server:
        yield server


@pytest.fixture(scope="session")
def secured_elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchServer]:
    """An Elasticsearch with TLS and users; each test makes users and keys of its own."""
    folder = tmp_path_factory.mktemp("secured-elasticsearch")
    with SearchServer(folder, security=True, tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchServer]:
    """An OpenSearch of one node; each test uses index names of its own."""
    with SearchServer(tmp_path_factory.mktemp("opensearch"), product="opensearch") as server:
        yield server


@pytest.fixture
def search_server(tmp_path: Path) -> Iterator[StartSearchServer]:
    """Starts a search server for this test, to stop or kill; may be called several times."""
    with ExitStack() as running:

        def start(
            product: str = "elasticsearch",
            *,
            nodes: int = 1,
            security: bool = False,
            tls: bool = False,
            heap: str = "512m",
            full_speed: bool = False,
            settings: Mapping[str, object] | None = None,
        ) -> SearchServer:
            number = len(list(tmp_path.glob("search-server-*"))) + 1
            server = SearchServer(
                tmp_path / f"search-server-{number}",
                product=product,
                nodes=nodes,
                security=security,
                tls=tls,
                heap=heap,
                full_speed=full_speed,
                settings=settings,
            )
            return running.enter_context(server)

        yield start
