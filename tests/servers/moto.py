"""A fake of AWS on loopback, by moto's server, for everything besides S3's locks and checksums.

What it cannot do or answers wrong is served by `tests.aws_answers` in front of it.
"""

import http.client
import sys
from typing import Any, Final

import boto3

from tests.servers.on_port import ServerOnPort

__all__ = ["ACCOUNT", "REGION", "Moto"]

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"


class Moto(ServerOnPort):
    """One account of AWS, empty at the start; a context manager."""

    program = "moto"
    health = "/moto-api/"

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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/moto-api/reset")
            connection.getresponse().read()
        finally:
            connection.close()

    def command(self) -> list[str]:
        """As its users start it."""
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
