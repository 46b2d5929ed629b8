"""Instants and periods as records and trust files write them: one text for each value."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

__all__ = ["Period", "format_time", "parse_period", "parse_time"]

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{6}))?Z", re.ASCII
)
_PERIOD = re.compile(r"([1-9][0-9]{0,4})([dy])", re.ASCII)
_MOST_YEARS = 100
_MOST_DAYS = 36525


def format_time(moment: datetime) -> str:
    """`2026-07-01T00:00:00Z`, with six more digits where it is no whole second (RFC 3339)."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime | None:
    """The instant that `format_time` writes like this, aware and in UTC; None for other texts."""
    found = _TIME.fullmatch(text)
    if found is None or found[2] == "000000":
        return None
    try:
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.replace(microsecond=int(found[2] or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How long something is kept: calendar years, or days."""

    years: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        if (self.years > 0) == (self.days > 0) or not (
            0 <= self.years <= _MOST_YEARS and 0 <= self.days <= _MOST_DAYS
        ):
            raise ValueError(f"no period: {self.years} years and {self.days} days")

    def __str__(self) -> str:
        return f"{self.years}y" if self.years else f"{self.days}d"

    def after(self, moment: datetime) -> datetime:
        """When the period ends that begins then; 29 February comes to 1 March in other years."""
        try:
            if self.days:
                return moment + timedelta(days=self.days)
            year = moment.year + self.years
            if (moment.month, moment.day) == (2, 29) and not _is_leap(year):
                return moment.replace(year=year, month=3, day=1)
            return moment.replace(year=year)
        except (OverflowError, ValueError):
            # What a hostile record can bring about at most: a date at the end of the calendar.
            return datetime.max.replace(tzinfo=moment.tzinfo)


def parse_period(text: str) -> Period | None:
    """Read `2y` or `730d`; None for other texts, and for more than a hundred years."""
    found = _PERIOD.fullmatch(text)
    if found is None:
        return None
    count = int(found[1])
    if count > (_MOST_YEARS if found[2] == "y" else _MOST_DAYS):
        return None
    return Period(years=count) if found[2] == "y" else Period(days=count)


def _is_leap(year: int) -> bool:
    return (date(year, 3, 1) - timedelta(days=1)).day == 29
