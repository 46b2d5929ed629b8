"""When events came, and from which API server: the holes in a trail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from kcompliance.model.apiserver.plain_data import at, sequence, text
from kcompliance.model.search.view import Fields, moment

__all__ = [
    "Hole",
    "Source",
    "Timeline",
    "explained",
    "holes",
    "quiet_hours",
    "read_sources",
    "read_timeline",
    "read_window",
]

BIN: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)
_TO_COMPARE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How many events came in each bin; bins without any are left out. Begins, in UTC."""

    field: str
    bins: Mapping[datetime, int]


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


def read_timeline(answer: Fields) -> Timeline | str:
    """The answer of the search for a histogram, or why it is none."""
    found = at(answer, "aggregations", "bins")
    if not isinstance(at(found, "buckets"), list):
        return "no histogram in it"
    bins: dict[datetime, int] = {}
    for bucket in sequence(at(found, "buckets")):
        start, count = moment(at(bucket, "key")), at(bucket, "doc_count")
        if start is None or not isinstance(count, int):
            return "a part of the histogram cannot be read"
        if count > 0:
            bins[start] = count
    return Timeline(field=text(at(found, "meta", "field")) or "a field that is not told", bins=bins)


def read_sources(answer: Fields) -> tuple[Source, ...] | str | None:
    """From where events came; None where no field tells it; or why the answer is none."""
    aggregations = at(answer, "aggregations")
    found = at(aggregations, "sources")
    if found is None:
        return None
    if not isinstance(at(found, "buckets"), list):
        return "no list of sources in it"
    if at(found, "sum_other_doc_count") not in (0, None):
        return "more than fifty sources: not all of them were told"
    return tuple(
        Source(
            name=text(at(bucket, "key")) or "",
            hours=tuple(
                hour
                for each in sequence(at(bucket, "hours", "buckets"))
                if (hour := moment(at(each, "key"))) and at(each, "doc_count") not in (0, None)
            ),
            newest=moment(at(bucket, "newest", "value")),
        )
        for bucket in sequence(at(found, "buckets"))
    )


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
