"""A server that is a program of its own on a free port of loopback, started and stopped."""

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from tests.servers.process import ServerExited, ServerProcess, free_port, status_of

__all__ = ["ServerOnPort"]

_SECONDS_TO_START: Final = 60
_TRIES_FOR_PORTS: Final = 5


class ServerOnPort(ABC):
    """Keeps everything below `folder`; a context manager."""

    program: ClassVar[str]
    """For its log and its messages."""
    health: ClassVar[str] = "/health"
    """The path that a server answers well once it is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port = 0
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started on `port`; `Unavailable` if it is not to be had here."""

    def start(self) -> Self:
        """Start it and wait until it answers; `Unavailable` if it is not to be had here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            try:
                self._start_once()
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

    def _start_once(self) -> None:
        self.port = free_port()
        log = self.folder / f"{self.program}.log"
        self._process = ServerProcess(self.program, self.command(), log)
        try:
            self._process.wait_until(self._is_healthy, _SECONDS_TO_START)
        except BaseException:
            self.stop()
            raise

    def _is_healthy(self) -> bool:
        status = status_of(self.port, self.health)
        return status is not None and status < 500

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
