"""A fake of AWS on loopback, by moto's server, for everything besides S3's locks and checksums.

What it cannot do or answers wrong is served by `tests.aws_answers` in front of it.
"""

import http.client
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import boto3

from tests.servers.process import ServerExited, ServerProcess, free_port, status_of

__all__ = ["ACCOUNT", "REGION", "Moto"]

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
_SECONDS_TO_START: Final = 60
_TRIES_FOR_PORTS: Final = 5


class Moto:
    """One account of AWS, empty at the start; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._port = 0
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port for clients."""
        return self._port

    def client(self, service: str) -> Any:
        """A client of boto3, for what a test sets up."""
        return boto3.client(
            service,  # type: ignore[call-overload,unused-ignore]
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )

    def forget(self) -> None:
        """Empty the account."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", "/moto-api/reset")
            connection.getresponse().read()
        finally:
            connection.close()

    def start(self) -> Self:
        """Start it and wait until it answers."""
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            try:
                self._start_once()
            except ServerExited as error:
                if not ("in use" in error.log and tries_left):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _start_once(self) -> None:
        self._port = free_port()
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._process = ServerProcess("moto", argv, self._folder / "moto.log")
        try:
            self._process.wait_until(self._is_healthy, _SECONDS_TO_START)
        except BaseException:
            self.stop()
            raise

    def _is_healthy(self) -> bool:
        return status_of(self._port, "/moto-api/") == http.client.OK

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
