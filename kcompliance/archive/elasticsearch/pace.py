"""How much is asked for at once, and how much in a second."""

import threading
import time
from typing import Final

__all__ = ["Pace", "PageSize", "Throttle"]

_FIRST: Final = 1000
_GROWTH: Final = 1.25


class PageSize:
    """How many events to ask for: as many as fill a page, fewer where the server had too much.

    Shared by all that read from one index.
    """

    def __init__(self, page_bytes: int, most: int) -> None:
        self._page_bytes = page_bytes
        self._most = max(1, most)
        self._limit = float(self._most)
        self._wanted = float(min(_FIRST, self._most))
        self._average: float | None = None
        self._lock = threading.Lock()

    @property
    def now(self) -> int:
        """At least one."""
        return max(1, int(min(self._wanted, self._limit, self._most)))

    def smaller(self) -> None:
        """Ask for half as much from now on, and slowly for more again."""
        with self._lock:
            self._limit = max(1.0, min(self._limit, self._wanted, self._most) / 2)

    def learn(self, docs: int, size: int) -> None:
        """A page came, of so many events and bytes."""
        if docs == 0:
            return
        with self._lock:
            average = size / docs
            self._average = (
                average if self._average is None else 0.7 * self._average + 0.3 * average
            )
            self._wanted = max(1.0, self._page_bytes / max(1.0, self._average))
            self._limit = min(float(self._most), max(self._limit * _GROWTH, self._limit + 1))


class Throttle:
    """Makes threads wait so that together they stay below a rate; no bursts."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._free = 0.0
        self._lock = threading.Lock()

    def wait(self, amount: int) -> None:
        """Account for this much, after waiting for what was accounted for before."""
        if self._per_second is None:
            return
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._free)
            self._free = begin + amount / self._per_second
        if begin > now:
            time.sleep(begin - now)


class Pace:
    """All of it, of one source."""

    def __init__(
        self, page_bytes: int, docs_per_second: float | None, bytes_per_second: float | None
    ) -> None:
        self.docs = Throttle(docs_per_second)
        self.bytes = Throttle(bytes_per_second)
        self._page_bytes = page_bytes
        self._sizes: dict[str, PageSize] = {}
        self._lock = threading.Lock()

    def page_size(self, uuid: str, most: int) -> PageSize:
        """How many events to ask an index for, which returns so many at most."""
        with self._lock:
            return self._sizes.setdefault(uuid, PageSize(self._page_bytes, most))
