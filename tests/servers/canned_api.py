"""A server that answers as kube-apiserver would, or as badly as a test wants it to.

with CannedApi(tmp_path) as api:
    api.answers["/metrics"] = cut_off(METRICS)
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.pki import make_pki

__all__ = [
    "Answer",
    "Asked",
    "CannedApi",
    "cut_off",
    "dripping",
    "endless",
    "first",
    "page",
    "whole",
]

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class CannedApi:
    """Serves TLS on loopback; a context manager.

    `answers` are by path without the query; all other paths are 404. They may be changed at any
    time. `asked` is every request so far.
    """

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self._folder = folder
        self._pki = make_pki(folder / "pki")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki.serving_certificate, self._pki.serving_key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"https://127.0.0.1:{self._server.server_port}"

    def kubeconfig(self) -> Path:
        """A kubeconfig with the context `test`, made in the folder."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority": str(self._pki.ca_certificate),
                    },
                }
            ],
            "users": [{"name": "test", "user": {"token": "a-secret-token"}}],
        }
        path = self._folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(api: CannedApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            api.asked.append(Asked(method=self.command, path=self.path, headers=headers))
            answer = api.answers.get(self.path.partition("?")[0], _NOT_FOUND)
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # the client has had enough

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: standard error belongs to the tests."""

    return Handler


# --- answers ---------------------------------------------------------------------------------


def whole(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """All of a body, which is sent as JSON unless it is bytes."""
    content = _bytes(body)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _begin(handler, status, {"Content-Length": str(len(content)), **(headers or {})})
        handler.wfile.write(content)

    return answer


def cut_off(body: object, *, chunked: bool = False) -> Answer:
    """The first half of a body that was announced as a whole."""
    content = _bytes(body)
    half = content[: len(content) // 2]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if chunked:
            _begin(handler, 200, {"Transfer-Encoding": "chunked"})
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(half), half))
        else:
            _begin(handler, 200, {"Content-Length": str(len(content))})
            handler.wfile.write(half)
        handler.close_connection = True

    return answer


def endless(piece: bytes = b" " * 1_048_576, beginning: bytes = b"") -> Answer:
    """A body without end, as fast as the client takes it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _begin(handler, 200, {"Connection": "close"})
        handler.close_connection = True
        handler.wfile.write(beginning)
        while True:
            handler.wfile.write(piece)

    return answer


def dripping(seconds: float, body: bytes) -> Answer:
    """A body of which a byte comes at a time."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _begin(handler, 200, {"Content-Length": str(len(body))})
        for position in range(len(body)):
            handler.wfile.write(body[position : position + 1])
            time.sleep(seconds)

    return answer


def first(number: int, before: Answer, after: Answer) -> Answer:
    """One answer to the first requests, another one to those that follow."""
    asked = iter(range(number))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (after if next(asked, None) is None else before)(handler)

    return answer


def page(items: list[Any], token: str = "") -> dict[str, Any]:
    """One page of a list of pods."""
    metadata = {"continue": token} if token else {}
    return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _begin(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


_NOT_FOUND = whole({"kind": "Status", "status": "Failure", "message": "not found"}, 404)
