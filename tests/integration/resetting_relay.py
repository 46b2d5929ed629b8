"""A relay of bytes on loopback that resets connections half-way in an answer."""

import socket
import socketserver
import struct
import threading
from collections.abc import Collection
from itertools import count
from types import TracebackType
from typing import Self

__all__ = ["ResettingRelay"]

_PIECE = 1 << 16


class ResettingRelay:
    """Stands before the server at `port` of loopback; a context manager.

    Of the pieces from the server that hold `marker` those of the given numbers, counted from 1,
    reach the client by half, and a reset is all that follows.
    """

    def __init__(self, port: int, *, marker: bytes, spoilt: Collection[int]) -> None:
        self.resets = 0
        self._port = port
        self._marker = marker
        self._spoilt = spoilt
        self._numbers = count(1)
        self._guard = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, client: socket.socket) -> None:
        """Hand bytes over in both directions until one side has gone."""
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            back = threading.Thread(target=_pump, args=(client, server), daemon=True)
            back.start()
            while piece := server.recv(_PIECE):
                if self._is_spoilt(piece):
                    client.sendall(piece[: len(piece) // 2])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.shutdown(socket.SHUT_RD)
                    break
                client.sendall(piece)

    def _is_spoilt(self, piece: bytes) -> bool:
        if self._marker not in piece:
            return False
        with self._guard:
            spoilt = next(self._numbers) in self._spoilt
            self.resets += spoilt
        return spoilt

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


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no error."""

    def shutdown_request(self, request: object) -> None:
        """Close without a farewell, which would come before the reset."""
        assert isinstance(request, socket.socket)
        request.close()


def _handler(relay: ResettingRelay) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            relay.serve(self.request)

    return Handler


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
