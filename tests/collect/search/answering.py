"""A server that gives each path its answer, over a real socket."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["Answering", "Reply", "error", "reply", "root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; `cut`: the connection ends after half of it."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def reply(value: Any, **more: Any) -> Reply:
    """An answer in JSON."""
    return Reply(body=json.dumps(value).encode(), **more)


def error(status: int, kind: str = "some_exception", reason: str = "because") -> Reply:
    """An error as search servers tell it."""
    cause = {"type": kind, "reason": reason}
    return reply({"error": {"root_cause": [cause], **cause}, "status": status}, status=status)


def root(**version: Any) -> Reply:
    """What `GET /` answers."""
    told = {"number": "9.1.0", "build_flavor": "default", **version}
    return reply({"cluster_uuid": "c1", "version": told, "tagline": "You Know, for Search"})


class Answering:
    """Serves plain HTTP on loopback; what it has no answer for it does not know: 400."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.asked: list[tuple[str, str]] = []
        self.replies = dict(replies)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, body: bytes) -> Reply:
        """By path; of searches by the name of an aggregation that they ask for."""
        if path.endswith("/_search"):
            aggregations = json.loads(body).get("aggs", {})
            for name in aggregations:
                if f"search:{name}" in self.replies:
                    return self.replies[f"search:{name}"]
        unknown = error(400, "illegal_argument_exception", f"no handler found for uri [{path}]")
        return self.replies.get(path, unknown)

    def to_nobody(self, path: str) -> Reply | None:
        """What is said to somebody without credentials; None: the same as to others."""
        return None

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


def _handler(server: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one packet for each answer

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            server.asked.append((self.command, self.path))
            nobody = None if self.headers.get("Authorization") else server.to_nobody(path)
            told = nobody or server.answer(path, body)
            self.send_response_only(told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told.body)))
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told.body[: len(told.body) // 2] if told.cut else told.body)
            self.close_connection = self.close_connection or told.cut

        do_GET = do_POST = _serve

    return Handler
