"""Azure's own emulator of Blob storage, Azurite, on loopback."""

import base64
import secrets
from pathlib import Path
from typing import Final

from azure.storage.blob import BlobServiceClient

from tests.servers.on_port import ServerOnPort
from tests.servers.parts import AZURITE, NODE

__all__ = ["ACCOUNT", "Azurite"]

ACCOUNT: Final = "archives"


class Azurite(ServerOnPort):
    """An account of Azure Storage whose blobs are below `folder`; a context manager.

    It has no versions and no immutability, and says nothing when it is asked for them.
    """

    program = "azurite"
    health = "/"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()

    @property
    def url(self) -> str:
        """The address of the account."""
        return self.url_at(self.port)

    @staticmethod
    def url_at(port: int) -> str:
        """The address of the account behind another port of loopback."""
        return f"http://127.0.0.1:{port}/{ACCOUNT}"

    def service(self) -> BlobServiceClient:
        """A client with all rights, for what a test does behind the back of what it tests."""
        named: dict[str, str] = {"account_name": ACCOUNT, "account_key": self.key}
        return BlobServiceClient(self.url, credential=named)

    def new_container(self) -> str:
        """The name of an empty container of its own."""
        name = f"container-{secrets.token_hex(6)}"
        with self.service() as service:
            service.create_container(name)
        return name

    def command(self) -> list[str]:
        """With one account, whose key nobody else has."""
        settings = {
            "--blobHost": "127.0.0.1",
            "--blobPort": str(self.port),
            "--location": str(self.folder),
        }
        return [
            *("env", f"AZURITE_ACCOUNTS={ACCOUNT}:{self.key}"),
            *(str(NODE.find()), str(AZURITE.find())),
            *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
            *(part for each in settings.items() for part in each),
        ]
