"""A server that gives the answers of a script, one after the other, over a real socket."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["Script", "Scripted", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """One answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"


def fault(
    status: int, kind: str, reason: str = "because", *, headers: Mapping[str, str] | None = None
) -> Scripted:
    """An error as search servers tell it."""
    cause = {"type": kind, "reason": reason}
    body = {"error": {"root_cause": [cause], **cause}, "status": status}
    return Scripted(status=status, body=json.dumps(body).encode(), headers=headers or {})


class Script:
    """Serves plain HTTP on loopback; a context manager. After the last answer, 500 for ever."""

    def __init__(self, *answers: Scripted) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        """Method, path, headers with names in lower case, body."""
        self._left = list(answers)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self) -> Scripted:
        """The next answer."""
        return self._left.pop(0) if self._left else Scripted(status=500)

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


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.asked.append((self.command, self.path, headers, body))
            answer = script.take()
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

    return Handler


def root(**version: Any) -> Scripted:
    """What `GET /` answers."""
    body = {
        "cluster_uuid": "c1",
        "version": {"number": "9.5.3", **version},
        "tagline": "You Know, for Search",
    }
    return Scripted(body=json.dumps(body).encode())
