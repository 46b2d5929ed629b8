"""A fault proxy that kills a process (SIGKILL) at one of the requests that it sends."""

import subprocess
from collections.abc import Callable
from itertools import count

from tests.servers.fault_proxy import Exchange, Fault, FaultProxy

__all__ = ["KillingProxy"]


class KillingProxy(FaultProxy):
    """Kills who is watched at the first request that fits, and does nothing more then."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._watched: subprocess.Popen[bytes] | None = None
        self._fits: Callable[[str, str], bool] = lambda method, path: False
        self._fault = Fault.CUT_REQUEST

    def kill_at(self, number: int, *, after: bool) -> None:
        """Kill at the so-manyeth request from now on, before the server gets it or after that."""
        numbers = count(1)
        self._plan_kill(lambda method, path: next(numbers) == number, after=after)

    def kill_at_put(self, name: str, *, after: bool) -> None:
        """Kill when an object is put that has this in its name."""
        self._plan_kill(lambda method, path: method == "PUT" and name in path, after=after)

    def watch(self, process: "subprocess.Popen[bytes] | None") -> None:
        """Kill this process, which has sent nothing yet; None: nobody any more.

        A process and not its number, which is another's as soon as this one has ended.
        """
        self._watched = process

    def take_fault(self, method: str, path: str) -> Fault | None:
        """See `FaultProxy`."""
        if self._watched is None or not self._fits(method, path):
            return super().take_fault(method, path)
        if self._fault is Fault.CUT_REQUEST:
            self._kill()
        return self._fault

    def record(self, exchange: Exchange) -> None:
        """See `FaultProxy`; the connection is still open, so that nobody knows the answer yet."""
        if exchange.fault is Fault.LOSE_ANSWER:
            self._kill()
        super().record(exchange)

    def _plan_kill(self, fits: Callable[[str, str], bool], *, after: bool) -> None:
        self._watched, self._fits = None, fits
        self._fault = Fault.LOSE_ANSWER if after else Fault.CUT_REQUEST

    def _kill(self) -> None:
        process, self._watched = self._watched, None
        if process is not None:
            process.kill()
