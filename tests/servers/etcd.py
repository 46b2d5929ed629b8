"""An etcd of one member on loopback."""

import http.client
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.servers.parts import ETCD
from tests.servers.process import ServerExited, ServerProcess, free_port, status_of

_SECONDS_TO_START: Final = 30
_TRIES_FOR_PORTS: Final = 5


class Etcd:
    """An etcd whose data, which does not survive the machine, is under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Start it and wait until it answers; `Unavailable` if there is no etcd here."""
        executable = ETCD.find()
        self._folder.mkdir(parents=True, exist_ok=True)
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            try:
                self._start_once(executable)
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

    def _start_once(self, executable: Path) -> None:
        self._port = free_port()
        peers = f"http://127.0.0.1:{free_port()}"
        settings = {
            "--name": "test",
            "--data-dir": str(self._folder / "data"),
            "--listen-client-urls": self.url,
            "--advertise-client-urls": self.url,
            "--listen-peer-urls": peers,
            "--initial-advertise-peer-urls": peers,
            "--initial-cluster": f"test={peers}",
            "--log-level": "warn",
        }
        argv = [str(executable), "--unsafe-no-fsync", *(f"{k}={v}" for k, v in settings.items())]
        self._process = ServerProcess("etcd", argv, self._folder / "etcd.log")
        try:
            self._process.wait_until(self._is_healthy, _SECONDS_TO_START)
        except BaseException:
            self.stop()
            raise

    def _is_healthy(self) -> bool:
        return status_of(self._port, "/health") == http.client.OK

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
