"""A proxy on loopback that hands HTTP through to a server and, when told to, spoils an exchange."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

__all__ = ["Exchange", "Fault", "FaultProxy"]


class Fault(Enum):
    """What is done to an exchange; the server has answered in full unless it is said otherwise."""

    LOSE_ANSWER = "the connection is reset before the answer"
    CUT_ANSWER = "the connection is closed after half of the answer's body"
    CUT_REQUEST = "the connection is reset after half of the request's body; the server gets none"
    BUSY = "the server gets nothing; the answer is 503"
    SILENCE = "no answer, and the connection stays open until the client has gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request as it came in, what was done to it, and what the server answered, if asked."""

    method: str
    path: str
    fault: Fault | None
    status: int | None


class FaultProxy:
    """Stands before the server at `port` of loopback; a context manager."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._planned: list[tuple[Fault, Callable[[str, str], bool]]] = []
        self._exchanges: list[Exchange] = []
        self._mutex = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def upstream(self) -> int:
        """The port of the server behind it."""
        return self._upstream

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything that came through so far."""
        with self._mutex:
            return tuple(self._exchanges)

    def plan(self, *faults: Fault, method: str, path: str = "") -> None:
        """Spoil as many of the coming requests of this method whose path and query hold this."""

        def fits(its_method: str, its_path: str) -> bool:
            return its_method == method and path in its_path

        with self._mutex:
            self._planned += [(each, fits) for each in faults]

    def take_fault(self, method: str, path: str) -> Fault | None:
        """The fault for this request, which is used up by it."""
        with self._mutex:
            for number, (fault, fits) in enumerate(self._planned):
                if fits(method, path):
                    del self._planned[number]
                    return fault
        return None

    def record(self, exchange: Exchange) -> None:
        """Keep an exchange for the test to look at."""
        with self._mutex:
            self._exchanges.append(exchange)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Clients that go away in the middle are what this is about, and no error."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def handle_one_request(self) -> None:
            """One exchange, whatever its method."""
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            fault = proxy.take_fault(self.command, self.path)
            status = self._exchange(fault)
            proxy.record(Exchange(method=self.command, path=self.path, fault=fault, status=status))

        def _exchange(self, fault: Fault | None) -> int | None:
            length = int(self.headers.get("Content-Length") or 0)
            if fault is Fault.CUT_REQUEST:
                self.rfile.read(length // 2)
                self._reset()
                return None
            body = self.rfile.read(length)
            if fault is Fault.BUSY:
                self.send_response(HTTPStatus.SERVICE_UNAVAILABLE)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            if fault is Fault.SILENCE:
                self._wait_until_it_goes()
                return None
            try:
                answer, content = self._ask(body)
            except OSError:  # it has answered before the body's end, and the answer got lost
                self._reset()
                return None
            if fault is Fault.LOSE_ANSWER:
                self._reset()
            else:
                self._answer(answer, content, half=fault is Fault.CUT_ANSWER)
            return answer.status

        def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
            upstream = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=60)
            try:
                upstream.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    # The client has been told already to go on.
                    if name.lower() not in {"expect", "connection"}:
                        upstream.putheader(name, value)
                upstream.putheader("Connection", "close")
                upstream.endheaders(body)
                answer = upstream.getresponse()
                return answer, answer.read()
            finally:
                upstream.close()

        def _answer(self, answer: http.client.HTTPResponse, content: bytes, *, half: bool) -> None:
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            # The answer to HEAD says how long the body would be.
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if half else content)
            if half:
                self.close_connection = True

        def _reset(self) -> None:
            """End the connection so that the client sees a reset and not an end."""
            at_once = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self.close_connection = True

        def _wait_until_it_goes(self) -> None:
            self.close_connection = True
            self.connection.settimeout(0.1)
            while not proxy.closing.is_set():
                try:
                    if not self.connection.recv(1):
                        return
                except TimeoutError:
                    time.sleep(0.01)
                except OSError:
                    return

    return Handler
