"""A server process of a test: its own log file, stopped by its process id."""

import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

_SECONDS_TO_STOP: Final = 20
_LOG_TAIL: Final = 3000


class ServerExited(Exception):
    """The server ended by itself; carries its exit status and everything it logged."""

    def __init__(self, name: str, status: int, log: str) -> None:
        super().__init__(f"{name} exited with status {status}\n{log[-_LOG_TAIL:]}")
        self.status = status
        self.log = log

    @property
    def lost_its_port(self) -> bool:
        """Whether another process took the free port before the server could."""
        return " in use" in self.log.lower()  # each program has words of its own


class ServerProcess:
    """A started server whose output goes to `log`."""

    def __init__(self, name: str, argv: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def must_run(self) -> None:
        """Raise `ServerExited` if it does not run any more."""
        status = self._process.poll()
        if status is not None:
            raise ServerExited(self.name, status, self.output())

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Come back when it is ready; `ServerExited` or TimeoutError where it never will be."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.must_run()
            if time.monotonic() > deadline:
                log = self.output()[-_LOG_TAIL:]
                raise TimeoutError(f"{self.name} does not answer\n{log}")
            time.sleep(0.02)

    def output(self) -> str:
        """What this process has logged so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def stop(self) -> None:
        """Ask it to end, and end it by force after some seconds."""
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def status_of(port: int, path: str) -> int | None:
    """The status with which a plain HTTP server answers; None where it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
