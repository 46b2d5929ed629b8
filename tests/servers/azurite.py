"""Azure's own emulator of Blob storage, Azurite, on loopback."""

import base64
import http.client
import secrets
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from azure.storage.blob import BlobServiceClient

from tests.servers.parts import AZURITE, NODE
from tests.servers.process import ServerExited, ServerProcess, free_port, status_of

__all__ = ["ACCOUNT", "Azurite"]

ACCOUNT: Final = "archives"
_SECONDS_TO_START: Final = 60
_TRIES_FOR_PORTS: Final = 5


class Azurite:
    """An account of Azure Storage whose blobs are below `folder`; a context manager.

    It has no versions and no immutability, and says nothing when it is asked for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._process: ServerProcess | None = None
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()

    @property
    def port(self) -> int:
        """The port for clients."""
        return self._port

    @property
    def url(self) -> str:
        """The address of the account."""
        return self.url_at(self._port)

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

    def start(self) -> Self:
        """Start it and wait until it answers; `Unavailable` if it is not to be had here."""
        argv = [str(NODE.find()), str(AZURITE.find())]
        self._folder.mkdir(parents=True, exist_ok=True)
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            try:
                self._start_once(argv)
            except ServerExited as error:
                if not (error.lost_its_port and tries_left):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _start_once(self, argv: list[str]) -> None:
        self._port = free_port()
        settings = {
            "--blobHost": "127.0.0.1",
            "--blobPort": str(self._port),
            "--location": str(self._folder),
        }
        flags = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        accounts = f"AZURITE_ACCOUNTS={ACCOUNT}:{self.key}"
        self._process = ServerProcess(
            "azurite",
            ["env", accounts, *argv, *flags, *(part for each in settings.items() for part in each)],
            self._folder / "azurite.log",
        )
        try:
            self._process.wait_until(self._answers, _SECONDS_TO_START)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        status = status_of(self._port, "/")
        return status is not None and status < http.client.INTERNAL_SERVER_ERROR

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
