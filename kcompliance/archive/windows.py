"""The grid of a stream: windows of one length, counted from the UTC epoch. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from kcompliance.archive.interface import TimeRange, Window
from kcompliance.errors import UsageError
from kcompliance.ledger import format_time

__all__ = [
    "MAX_WINDOWS",
    "align",
    "check_bounds",
    "check_length",
    "is_aligned",
    "spans",
    "windows_between",
    "without_covered",
]

MAX_WINDOWS: Final = 1_000_000
"""More in one plan is a slip of the pen: two years by the minute."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


def check_length(length: timedelta) -> int:
    """The length in seconds; UsageError where it is none that a grid can have."""
    seconds, rest = divmod(length, _SECOND)
    if rest or seconds < 1:
        raise UsageError(
            f"windows of {length.total_seconds():g} seconds cannot be archived",
            "give whole seconds, at least one: usual are 1h and 1d",
        )
    return seconds


def align(moment: datetime, length: timedelta) -> datetime:
    """Where the window begins that holds this aware moment, in UTC."""
    return _EPOCH + (moment - _EPOCH) // length * length


def is_aligned(moment: datetime, length: timedelta) -> bool:
    """Whether a window begins (and another ends) at this aware moment."""
    return not (moment - _EPOCH) % length


def check_bounds(wanted: TimeRange, length: timedelta) -> None:
    """UsageError where a bound has no time zone, is off the grid, or they are the wrong way round.

    The hint names the nearest bounds that are on the grid.
    """
    for name, moment in (("from", wanted.start), ("to", wanted.end)):
        if moment is None:
            continue
        if moment.tzinfo is None:
            raise UsageError(
                f'"{moment.isoformat()}" as --{name} has no time zone', "end it with Z for UTC"
            )
        if not is_aligned(moment, length):
            before = align(moment, length)
            raise UsageError(
                f'"{format_time(moment)}" as --{name} is not on the grid of windows of '
                f"{check_length(length)} seconds",
                f"the nearest are {format_time(before)} and {format_time(before + length)}",
            )
    if wanted.start is not None and wanted.end is not None and wanted.start > wanted.end:
        raise UsageError(
            f'"{format_time(wanted.start)}" as --from is after "{format_time(wanted.end)}" as --to',
            "swap them",
        )


def windows_between(start: datetime, end: datetime, length: timedelta) -> list[Window]:
    """The windows from start to end, both on the grid, sorted; none where they are equal."""
    count = (end - start) // length
    if count > MAX_WINDOWS:
        raise UsageError(
            f"from {format_time(start)} to {format_time(end)} there are {count} windows: "
            f"{MAX_WINDOWS} can be planned at once",
            "ask for less time at once, or take longer windows",
        )
    bounds = (start.astimezone(UTC) + number * length for number in range(count + 1))
    return [Window(start=begin, end=end) for begin, end in pairwise(bounds)]


def without_covered(windows: Sequence[Window], covered: Iterable[Window]) -> list[Window]:
    """Those of these sorted windows that none of the others covers.

    UsageError where one is covered in part: two grids have been mixed.
    """
    left: list[Window] = []
    taken = sorted((start, end) for start, end in map(_bounds, covered) if start and end)
    number = 0
    for window in windows:
        start, end = _bounds(window)
        if start is None or end is None:
            continue
        while number < len(taken) and taken[number][1] <= start:
            number += 1
        if number == len(taken) or taken[number][0] >= end:
            left.append(window)
        elif not (taken[number][0] <= start and end <= taken[number][1]):
            raise UsageError(
                f"the window from {format_time(start)} to {format_time(end)} is archived in part: "
                f"from {format_time(taken[number][0])} to {format_time(taken[number][1])}",
                "keep the length of windows that the stream began with",
            )
    return left


def spans(windows: Sequence[Window], most: int) -> Iterator[list[Window]]:
    """These sorted windows in runs without a hole, of at most so many windows each."""
    run: list[Window] = []
    for window in windows:
        if run and (len(run) == most or run[-1].end != window.start):
            yield run
            run = []
        run.append(window)
    if run:
        yield run


def _bounds(window: Window) -> tuple[datetime | None, datetime | None]:
    return window.start, window.end
