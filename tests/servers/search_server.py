"""A real Elasticsearch or OpenSearch on loopback.

    with SearchServer(tmp_path, product="elasticsearch") as server:
        server.request("PUT", "/things/_doc/1", {"a": 1})

The nodes are made of the modules that are published as jars: index, search, scroll and points in
time, bulk, snapshots, templates; with `security=True` also TLS, users, roles and API keys. Not to
be had for Elasticsearch are the modules for data streams and lifecycle policies: what answers at
`_data_stream` and `_ilm` is a stand-in over the server's own parsers and cluster state, and
nothing carries a policy out. Do not set `index.codec: best_compression`: it needs a native
library that is not there.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import urllib3

from tests.servers.pki import Pki, make_pki
from tests.servers.process import ServerExited, free_port
from tests.servers.search_node import PRODUCTS, Credentials, SearchNode

__all__ = ["JSON_LINES", "Credentials", "SearchServer"]

_TRIES_FOR_PORTS: Final = 5
_SECONDS_TO_ANSWER: Final = 60
_LOST_PORT: Final = "Failed to bind"
JSON_LINES: Final = "application/x-ndjson"


class SearchServer:
    """A cluster of `nodes` whose every file is under `folder`; a context manager.

    `product` is "elasticsearch" or "opensearch". `security` gives Elasticsearch users, `tls`
    makes it speak TLS, too; `admin` may do everything then. It starts in half the time and works
    at half the speed unless `full_speed`. `settings` are node settings that win over all others.
    The first node alone is ever master: the others can be killed.

    Starting raises `Unavailable` if the product is not built on this machine, and `ServerExited`
    if it refuses its settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        product: str = "elasticsearch",
        nodes: int = 1,
        security: bool = False,
        tls: bool = False,
        heap: str = "512m",
        full_speed: bool = False,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.product = product
        self.admin = (
            Credentials(user="admin", password=secrets.token_urlsafe(24)) if security else None
        )
        self._product = PRODUCTS[product]
        if security and not self._product.secures:
            raise ValueError(f"{product} has no security here")
        if tls and not security:
            raise ValueError("TLS is a part of security")
        self._tls = tls
        self._heap = heap
        self._full_speed = full_speed
        self._settings = dict(settings or {})
        self._pki: Pki | None = None
        self._count = nodes
        self._ports: list[int] = []
        self._nodes: list[SearchNode] = []
        self._http: urllib3.PoolManager | None = None

    @property
    def url(self) -> str:
        """The address of the first node."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """The address of each node."""
        return [f"{'https' if self._tls else 'http'}://127.0.0.1:{port}" for port in self._ports]

    @property
    def port(self) -> int:
        """The port of the first node."""
        return self._ports[0]

    @property
    def ca_cert(self) -> Path | None:
        """The certificate to trust, with TLS."""
        return self._pki.ca_certificate if self._tls and self._pki else None

    @property
    def pids(self) -> list[int]:
        """The process id of each node."""
        return [node.pid for node in self._nodes]

    def start(self) -> Self:
        """Start all nodes and wait until the cluster is yellow."""
        self._product.program.find()
        if self.admin is not None:
            self._pki = make_pki(self.folder / "pki")
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            self._lay_out()
            try:
                self._start_nodes()
            except ServerExited as error:
                if not (_LOST_PORT in error.log and tries_left):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop all nodes that run."""
        for node in self._nodes:
            node.stop()
        if self._http is not None:
            self._http.clear()
            self._http = None

    def restart(self) -> None:
        """Start all nodes again, also killed ones, with the same data and the same addresses."""
        self.stop()
        self._start_nodes()

    def kill(self, node: int | None = None) -> None:
        """End one node, the first being 0, or all by SIGKILL."""
        for each in self._nodes if node is None else [self._nodes[node]]:
            each.kill()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        authorization: str | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """The status and the JSON of the answer, asked as `admin` unless said otherwise.

        A body that is not bytes is sent as JSON.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        if authorization is None and self.admin is not None:
            authorization = self.admin.header
        if authorization:
            headers["Authorization"] = authorization
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = self._client().request(method, self.url + path, body=content, headers=headers)
        return answer.status, json.loads(answer.data) if answer.data else None

    def must(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of the answer to a request of `admin` that has to be granted."""
        status, answer = self.request(method, path, body)
        assert status < HTTPStatus.BAD_REQUEST, (method, path, status, answer)
        return answer

    def new_user(self, *, indices: Mapping[str, Sequence[str]]) -> Credentials:
        """A user with these privileges on these indices and no other right."""
        user = Credentials(user=f"user-{secrets.token_hex(4)}", password=secrets.token_urlsafe(24))
        self.must("PUT", f"/_security/role/{user.user}", _role(indices))
        self.must(
            "PUT",
            f"/_security/user/{user.user}",
            {"password": user.password, "roles": [user.user]},
        )
        return user

    def new_api_key(
        self, *, indices: Mapping[str, Sequence[str]], cluster: Sequence[str] = ()
    ) -> str:
        """An API key as clients take it, with these privileges and no other right."""
        body = {
            "name": f"key-{secrets.token_hex(4)}",
            "role_descriptors": {"only": _role(indices, cluster)},
        }
        encoded: str = self.must("POST", "/_security/api_key", body)["encoded"]
        return encoded

    def wait_for(self, status: str) -> None:
        """Come back when the cluster's health is this, such as `green`."""
        self.must("GET", f"/_cluster/health?wait_for_status={status}&timeout=60s")

    def _lay_out(self) -> None:
        self._ports = [free_port() for _ in range(self._count)]
        transports = [free_port() for _ in range(self._count)]
        self._nodes = [
            SearchNode(
                self.folder / f"node-{number}",
                self._product,
                settings=self._settings_of(number, transports),
                superuser=self.admin,
                heap=self._heap,
                full_speed=self._full_speed,
            )
            for number in range(1, self._count + 1)
        ]

    def _settings_of(self, number: int, transports: Sequence[int]) -> dict[str, object]:
        return {
            "cluster.name": "tests",
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "network.host": "127.0.0.1",
            "node.name": f"node-{number}",
            "http.port": self._ports[number - 1],
            "transport.port": transports[number - 1],
            "path.repo": [str(self.folder / "snapshots")],
            **self._discovery(number, transports),
            **self._security(number),
            **self._settings,
        }

    def _discovery(self, number: int, transports: Sequence[int]) -> dict[str, object]:
        if self._count == 1:
            return {"discovery.type": "single-node"}
        settings: dict[str, object] = {
            "discovery.seed_hosts": [f"127.0.0.1:{port}" for port in transports]
        }
        if number == 1:
            return settings | {"cluster.initial_master_nodes": ["node-1"]}
        return settings | {"node.roles": ["data", "ingest"]}

    def _security(self, number: int) -> dict[str, object]:
        if not self._product.secures:
            return {}
        if self.admin is None or self._pki is None:
            return {"xpack.security.enabled": False}
        settings: dict[str, object] = {"xpack.security.enabled": True}
        if self._tls:
            # The server reads no files outside its folder for settings.
            config = self.folder / f"node-{number}" / "config"
            config.mkdir(parents=True, exist_ok=True)
            for name, path in (
                ("certificate", self._pki.serving_certificate),
                ("key", self._pki.serving_key),
            ):
                (config / path.name).write_bytes(path.read_bytes())
                settings[f"xpack.security.http.ssl.{name}"] = path.name
            settings["xpack.security.http.ssl.enabled"] = True
        return settings

    def _start_nodes(self) -> None:
        try:
            for node in self._nodes:
                node.start()
            for node in self._nodes:
                node.wait_until(self._is_ready)
        except BaseException:
            self.stop()
            raise

    def _is_ready(self) -> bool:
        path = f"/_cluster/health?wait_for_status=yellow&wait_for_nodes={self._count}&timeout=1s"
        try:
            return self.request("GET", path)[0] == HTTPStatus.OK
        except (urllib3.exceptions.HTTPError, ValueError):
            return False

    def _client(self) -> urllib3.PoolManager:
        if self._http is None:
            trusted = str(self.ca_cert) if self.ca_cert else None
            self._http = urllib3.PoolManager(
                retries=False, timeout=_SECONDS_TO_ANSWER, ca_certs=trusted
            )
        return self._http

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _role(indices: Mapping[str, Sequence[str]], cluster: Sequence[str] = ()) -> dict[str, object]:
    return {
        "cluster": list(cluster),
        "indices": [
            {"names": [name], "privileges": list(privileges)}
            for name, privileges in indices.items()
        ],
    }
