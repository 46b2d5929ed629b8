"""Tells how far long work has got: a bar on a terminal, lines of JSON, or nothing.

For work of many objects and many bytes, done by several threads. `Meter` is what such work calls:
`tell` says what is done now, `total` how much there will be, `advance` that more is done. A bar
shows the rate and the time that is left; a line of JSON is written at most once a second, and at
the end.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kcompliance.cli.terminal import ProgressStyle, note

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["Meter", "meter"]

_SECONDS_A_LINE = 1.0


class Meter:
    """Tells nobody; the others say more. All methods may be called by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.what = ""
        self.objects = 0
        self.size = 0
        self.total_objects = 0
        self.total_size = 0

    def tell(self, what: str) -> None:
        """What is done now, in a few words."""
        with self._lock:
            self.what = what
            self._show(is_news=True)

    def total(self, objects: int, size: int) -> None:
        """How many objects and bytes there will be in all, as far as is known."""
        with self._lock:
            self.total_objects, self.total_size = objects, size
            self._show()

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """So many more are done; less than nothing where something has to be done again."""
        with self._lock:
            self.objects += objects
            self.size += size
            self._show()

    def _show(self, *, is_news: bool = False) -> None:
        """Called with the lock held."""


class _Lines(Meter):
    """Lines of JSON on standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._last = float("-inf")

    def _show(self, *, is_news: bool = False) -> None:
        now = time.monotonic()
        if is_news or now - self._last >= _SECONDS_A_LINE:
            self._last = now
            self.write()

    def write(self) -> None:
        """One line with all that is known."""
        line: dict[str, Any] = {
            "progress": self.what,
            "objects": self.objects,
            "bytes": self.size,
            "total_objects": self.total_objects or None,
            "total_bytes": self.total_size or None,
        }
        note(json.dumps(line))


class _Bar(Meter):
    """A bar that moves."""

    def __init__(self, bar: "Progress", unit: str) -> None:
        super().__init__()
        self._bar = bar
        self._unit = unit
        self._task = bar.add_task("", total=None, objects="")

    def _show(self, *, is_news: bool = False) -> None:
        done = f"{self.objects:,}"
        if self.total_objects:
            done += f"/{self.total_objects:,}"
        self._bar.update(
            self._task,
            description=self.what,
            completed=self.size,
            total=self.total_size or None,
            objects=f"{done} {self._unit}",
        )


@contextmanager
def meter(style: ProgressStyle, unit: str = "objects") -> Iterator[Meter]:
    """What to tell of long work, as the user wants it told; `unit` is what a bar counts."""
    if style is ProgressStyle.JSON:
        lines = _Lines()
        yield lines
        lines.write()
    elif style is ProgressStyle.AUTO and sys.stderr.isatty():
        from kcompliance.cli.terminal import console_for

        with _bar(console_for(stderr=True)) as bar:
            yield _Bar(bar, unit)
    else:
        yield Meter()


def _bar(console: "Console") -> "Progress":
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[objects]}", markup=False),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
