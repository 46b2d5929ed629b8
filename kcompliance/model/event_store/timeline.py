"""When events came, and from which API server: the holes in a trail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

__all__ = [
    "BIN",
    "HOUR",
    "Hole",
    "Source",
    "Timeline",
    "explained",
    "holes",
    "quiet_hours",
    "read_window",
    "unbroken_since",
]

BIN: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)
_TO_COMPARE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How many events came in each bin; bins without any are left out. Begins, in UTC."""

    field: str
    """By which their times are told."""
    bins: Mapping[datetime, int]
    place: str
    """Where they are in the answer."""
    counted: timedelta = timedelta(days=30)
    """How far back from the time of asking."""
    width: timedelta = BIN
    """Of each bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one API server sent: its hours, and its newest event."""

    name: str
    hours: tuple[datetime, ...]
    newest: datetime | None


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """A time without any event."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}Z to {self.end:%Y-%m-%d %H:%M}Z"


def holes(
    starts: Iterable[datetime],
    width: timedelta,
    longest: timedelta,
    window: tuple[datetime | None, datetime | None] = (None, None),
) -> tuple[Hole, ...]:
    """The times longer than `longest` between bins, and at the ends of the window if given."""
    ordered = sorted(starts)
    first, last = window
    edges = [first] if first else [ordered[0]] if ordered else []
    found = []
    for start in ordered:
        if start - edges[-1] > longest:
            found.append(Hole(edges[-1], start))
        edges.append(max(edges[-1], start + width))
    if last is not None and edges and last - edges[-1] > longest:
        found.append(Hole(edges[-1], last))
    return tuple(found)


def read_window(words: str) -> Hole | None:
    """A time of maintenance: `2026-01-02T03:00:00Z/2026-01-02T05:00:00Z`; None for all else."""
    first, _, last = words.partition("/")
    try:
        start, end = datetime.fromisoformat(first.strip()), datetime.fromisoformat(last.strip())
    except ValueError:
        return None
    if start.tzinfo is None or end.tzinfo is None or end <= start:
        return None
    return Hole(start.astimezone(UTC), end.astimezone(UTC))


def explained(hole: Hole, windows: Sequence[Hole], longest: timedelta) -> bool:
    """Whether, outside of maintenance, nothing longer than `longest` is left of a hole."""
    edge = hole.start
    for window in sorted(windows):
        if window.start >= hole.end or window.start - edge > longest:
            break
        edge = max(edge, window.end)
    return hole.end - edge <= longest


def quiet_hours(bins: Mapping[datetime, int], percent: int) -> tuple[datetime, ...]:
    """Whole hours with less than this share of what the same hour of other weeks had."""
    hours: dict[datetime, int] = {}
    for start, count in bins.items():
        hour = start.replace(minute=0, second=0, microsecond=0)
        hours[hour] = hours.get(hour, 0) + count
    if not hours:
        return ()
    first, last = min(hours), max(hours)
    quiet = []
    for hour in sorted(hours):
        others = [
            hours.get(hour + weeks * _WEEK, 0)
            for weeks in range(-5, 6)
            if weeks and first < hour + weeks * _WEEK < last
        ]
        whole = first < hour < last and len(others) >= _TO_COMPARE
        if whole and hours[hour] * 100 < median(others) * percent:
            quiet.append(hour)
    return tuple(quiet)


def unbroken_since(days: Iterable[datetime], most: timedelta) -> datetime | None:
    """The begin of the run of days, back from the newest, without a hole longer than this.

    A single event of long ago, or a wrong clock's, makes no trail of that length.
    """
    begin: datetime | None = None
    for day in sorted(days, reverse=True):
        if begin is not None and begin - day > most + timedelta(days=1):
            break
        begin = day
    return begin
