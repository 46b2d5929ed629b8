"""Since when a log group has events, and where there were none: by a question for each week.

To ask for each day of a year would take too long: an account may ask five times a second.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from kcompliance.model.aws.answers import Fields
from kcompliance.model.aws.log_group import LogGroup
from kcompliance.model.aws.stored_events import WEEK

__all__ = ["Ask", "First", "events_of_weeks"]

_DAY: Final = timedelta(days=1)
_WEEKS: Final = 61
"""Fourteen months."""
_EDGES: Final = 20
"""So many holes are looked at by the day; of more of them each looks longer than it is."""
_EARLIEST: Final = timedelta(days=14)
"""So much older than its log group an event can be at most."""

First = tuple[datetime, Fields]
Ask = Callable[[datetime, datetime], First | None]


def events_of_weeks(first: Ask, now: datetime, known: LogGroup | None) -> Iterator[Fields]:
    """The first event of each week, and where the next comes late the last day's before."""
    before: tuple[datetime, datetime] | None = None
    edges = 0
    for week in _weeks(now, known):
        found = first(week, min(week + WEEK, now))
        if found is None:
            continue
        if before and _day(found[0]) - _day(before[0]) > WEEK + _DAY and edges < _EDGES:
            edges += 1
            yield from _last_day(first, after=before[0], end=before[1] + WEEK)
        yield found[1]
        before = found[0], week


def _last_day(first: Ask, *, after: datetime, end: datetime) -> Iterator[Fields]:
    """The first event of the last day before `end` that has one; none where it is known."""
    day = end - _DAY
    while day > after:
        found = first(day, day + _DAY)
        if found is not None:
            yield found[1]
            return
        day -= _DAY


def _day(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _weeks(now: datetime, known: LogGroup | None) -> Iterator[datetime]:
    """The begins of the weeks in which there can be events, the oldest first; whole days, UTC."""
    last = _day(now) - WEEK + _DAY
    earliest = last - _WEEKS * WEEK
    if known is not None and known.retention_days is not None:
        earliest = max(earliest, now - timedelta(days=known.retention_days) - WEEK)
    if known is not None and known.created is not None:
        earliest = max(earliest, known.created - _EARLIEST)
    weeks = (last - number * WEEK for number in range(_WEEKS - 1, -1, -1))
    return (week for week in weeks if week + WEEK > earliest)
