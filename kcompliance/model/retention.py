"""The arithmetic of retention: how long records are kept, and whether that is long enough.

A time for which records are kept is a timedelta; FOREVER is longer than all of them. Pure: what
is compared with today takes `as_of`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

__all__ = [
    "FOREVER",
    "at_least",
    "best_copy",
    "days_kept",
    "first_deletion",
    "kept_from_rollover",
    "longest_months",
    "reaches_back",
    "required",
]

FOREVER: Final = timedelta.max

_MONTH_DAYS, _YEAR_DAYS = 30, 365
_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def at_least(kept: timedelta, wanted: timedelta) -> bool:
    """Whether records are kept as long as wanted; exactly as long is enough."""
    return kept >= wanted


def days_kept(kept: timedelta) -> str:
    """For people, behind the word "for": whole days, rounded down so as not to say too much."""
    if kept == FOREVER:
        return "ever"
    return "1 day" if kept.days == 1 else f"{kept.days:,} days"


def required(days: int, *, strict_months: bool = False) -> timedelta:
    """What a number of days asks for.

    180 days stand for six months, of which the longest have 184: `strict_months` asks for those.
    Of years (730 days) it asks for the leap day too. Numbers that are neither stay as they are.
    """
    if not strict_months or days <= 0:
        return timedelta(days=days)
    if days % _YEAR_DAYS == 0:
        return timedelta(days=longest_months(12 * (days // _YEAR_DAYS)))
    if days % _MONTH_DAYS == 0:
        return timedelta(days=longest_months(days // _MONTH_DAYS))
    return timedelta(days=days)


def longest_months(months: int) -> int:
    """The most days that so many calendar months in a row can have: 6 → 184, 9 → 276, 24 → 731.

    Leap years come every fourth year, as until 2100.
    """
    years, rest = divmod(months, 12)
    best = 0
    for start in range(48):
        best = max(best, sum(_length(start + step) for step in range(years % 4 * 12 + rest)))
    return best + years // 4 * (4 * _YEAR_DAYS + 1)


def _length(month: int) -> int:
    """Days of a month, counted from a January of a leap year."""
    return 29 if month % 48 == 1 else _LENGTHS[month % 12]


def first_deletion(ages: Iterable[timedelta]) -> timedelta:
    """Of several that delete the same records, the first one decides; FOREVER without any."""
    return min(ages, default=FOREVER)


def best_copy(copies: Iterable[timedelta]) -> timedelta:
    """Of several copies of the same records, the one that lives longest; zero without any."""
    return max(copies, default=timedelta())


def kept_from_rollover(
    min_age: timedelta, rollover_after: timedelta
) -> tuple[timedelta, timedelta]:
    """Least and most that a record is kept where its age counts from the index's rollover.

    The last record before a rollover is kept for `min_age`, the first one longer by as much as
    an index takes to roll over.
    """
    if FOREVER in (min_age, rollover_after):
        return min_age, FOREVER
    return min_age, min_age + rollover_after


def reaches_back(
    oldest: datetime | None,
    wanted: timedelta,
    as_of: datetime,
    *,
    begun: datetime | None = None,
) -> bool | None:
    """Whether the oldest record that is there is as old as it should be.

    `begun`: since when there are records to keep; a trail that is younger than `wanted` has to
    reach back to there. None: the oldest record is younger, and nobody told when the trail began.
    Half a day is allowed for.
    """
    slack = timedelta(hours=12)
    if wanted == FOREVER:
        due = begun
    else:
        due = as_of - wanted if begun is None else max(begun, as_of - wanted)
    if oldest is None or due is None:
        return False if oldest is None else None
    if oldest <= due + slack:
        return True
    return None if begun is None else False
