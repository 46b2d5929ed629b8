"""A proxy before a search server that does something else at precise requests of a run."""

import threading
from collections.abc import Callable
from itertools import count
from urllib.parse import urlsplit

from tests.archive.elasticsearch.scripted import Script
from tests.faults.killing_proxy import KillingProxy
from tests.servers.fault_proxy import Fault
from tests.servers.search_server import SearchServer

__all__ = ["ActingProxy"]

_Action = Callable[[], object]


class ActingProxy(KillingProxy):
    """Calls back, or lets another server answer, at pages of events that were named before."""

    def __init__(self, server: SearchServer) -> None:
        super().__init__(server.port)
        self.acted = 0
        """How many actions have come to their end."""
        self._pages = count(1)
        self._actions: dict[int, _Action] = {}
        self._guard = threading.Lock()
        self._aside = threading.local()

    def at_page(self, number: int, action: _Action) -> None:
        """Do this before the server gets the so-manyeth request for a page of events."""
        self._actions[number] = action

    def spoil_page(self, number: int, fault: Fault) -> None:
        """Let this be done to the so-manyeth page of events."""
        self.at_page(number, lambda: self.plan(fault, method="POST", path="/_search?"))

    def answer_page(self, number: int, script: Script) -> None:
        """Let the script answer in place of the server."""
        self.at_page(number, lambda: setattr(self._aside, "port", urlsplit(script.url).port))

    @property
    def upstream(self) -> int:
        """See `FaultProxy`: who gets the request that this thread has taken."""
        aside: int | None = getattr(self._aside, "port", None)
        return super().upstream if aside is None else aside

    def take_fault(self, method: str, path: str) -> Fault | None:
        """See `FaultProxy`."""
        self._aside.port = None
        action = None
        if path.startswith("/_search?"):
            with self._guard:
                action = self._actions.pop(next(self._pages), None)
        if action is not None:
            action()
            self.acted += 1
        return super().take_fault(method, path)
