"""The receiving end of kube-apiserver's audit webhook, on loopback."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

_SECONDS_TO_ARRIVE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST of the server: its headers (names in lower case), its body, what it was told."""

    headers: Mapping[str, str]
    event_list: Mapping[str, Any]
    answer: HTTPStatus


class WebhookReceiver:
    """Records what is posted to it; a context manager.

    `answer` is the status that it answers with and may be changed at any time.
    """

    def __init__(self) -> None:
        self.answer = HTTPStatus.OK
        self._deliveries: list[Delivery] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._receive))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/audit"

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Everything posted so far, refused or not."""
        return tuple(self._deliveries)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all deliveries that were answered with a status of 200."""
        accepted = [each for each in self.deliveries if each.answer is HTTPStatus.OK]
        return [event for each in accepted for event in each.event_list["items"]]

    def kubeconfig(self, token: str | None = None) -> str:
        """The text of the configuration file with which a kube-apiserver posts here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "audit",
            "contexts": [{"name": "audit", "context": {"cluster": "audit", "user": "sender"}}],
            "clusters": [{"name": "audit", "cluster": {"server": self.url}}],
            "users": [{"name": "sender", "user": {} if token is None else {"token": token}}],
        }
        return json.dumps(config, indent=1)

    def wait_for_event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first accepted event that is wanted, which may be on its way."""
        deadline = time.monotonic() + _SECONDS_TO_ARRIVE
        while True:
            for event in self.events:
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                raise TimeoutError(f"no such event among {len(self.events)}")
            time.sleep(0.05)

    def _receive(self, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        answer = self.answer
        lowered = {name.lower(): value for name, value in headers.items()}
        self._deliveries.append(
            Delivery(headers=lowered, event_list=json.loads(body), answer=answer)
        )
        return answer

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


def _handler(
    receive: Callable[[Mapping[str, str], bytes], HTTPStatus],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # Without this a connection kept open by a server that has ended would wait for ever.
        timeout = 5
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receive(dict(self.headers), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: standard error belongs to the tests."""

    return Handler
