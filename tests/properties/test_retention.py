"""The arithmetic of retention against calendars, and the laws that it has to keep."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.duration import MONTHS_6_STRICT, MONTHS_9_STRICT, YEARS_2_STRICT
from kcompliance.model.retention import (
    FOREVER,
    at_least,
    best_copy,
    days_kept,
    first_deletion,
    kept_from_rollover,
    longest_months,
    reaches_back,
    required,
)

PERIODS = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=20_000)) | st.just(FOREVER)
MOMENTS = st.datetimes(
    min_value=datetime(2001, 1, 1), max_value=datetime(2098, 1, 1), timezones=st.just(UTC)
)
DAY = timedelta(days=1)


def _later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    return date(start.year + years, month + 1, 1)


def _longest(months: int) -> int:
    """By trying each month of a span without a century that is no leap year."""
    starts = [date(year, month, 1) for year in range(2001, 2009) for month in range(1, 13)]
    return max((_later(start, months) - start).days for start in starts)


def test_months_that_the_controls_ask_for() -> None:
    assert timedelta(days=longest_months(6)) == MONTHS_6_STRICT
    assert timedelta(days=longest_months(9)) == MONTHS_9_STRICT
    assert timedelta(days=longest_months(24)) == YEARS_2_STRICT


@given(st.integers(min_value=0, max_value=400))
def test_the_longest_months_are_those_of_the_calendar(months: int) -> None:
    assert longest_months(months) == _longest(months)


@given(st.integers(min_value=0, max_value=5_000))
def test_strictness_only_asks_for_more(days: int) -> None:
    assert timedelta(days=days) == required(days) <= required(days, strict_months=True)


def test_strictness_knows_months_and_years() -> None:
    asked = {days: required(days, strict_months=True).days for days in (0, 7, 30, 180, 270, 730)}

    assert asked == {0: 0, 7: 7, 30: 31, 180: 184, 270: 276, 730: 731}


@given(PERIODS, PERIODS)
def test_for_ever_is_enough_and_nothing_else_is_enough_for_ever(
    kept: timedelta, wanted: timedelta
) -> None:
    assert at_least(FOREVER, wanted)
    assert at_least(kept, kept)
    assert at_least(kept, FOREVER) == (kept == FOREVER)


@given(st.lists(PERIODS))
def test_one_more_deletion_never_keeps_longer_and_one_more_copy_never_shorter(
    periods: list[timedelta],
) -> None:
    for count in range(len(periods)):
        assert first_deletion(periods[: count + 1]) <= first_deletion(periods[:count])
        assert best_copy(periods[: count + 1]) >= best_copy(periods[:count])
    assert first_deletion([]) == FOREVER
    assert best_copy([]) == timedelta()


@given(PERIODS, PERIODS)
def test_no_record_is_kept_for_less_than_its_age_from_the_rollover(
    min_age: timedelta, rollover: timedelta
) -> None:
    least, most = kept_from_rollover(min_age, rollover)

    assert least == min_age <= most
    assert most == FOREVER or most - least == rollover


@given(PERIODS)
def test_words_never_say_too_much(kept: timedelta) -> None:
    words = days_kept(kept)
    if kept == FOREVER:
        assert words == "ever"
    else:
        assert timedelta(days=int(words.split()[0].replace(",", ""))) <= kept


@given(MOMENTS, st.timedeltas(min_value=DAY, max_value=timedelta(days=300)))
def test_a_record_that_is_old_enough_reaches_back(now: datetime, wanted: timedelta) -> None:
    assert reaches_back(now - wanted, wanted, now) is True
    assert reaches_back(now - wanted - DAY, wanted, now, begun=None) is True
    assert reaches_back(None, wanted, now) is False


@given(MOMENTS, st.timedeltas(min_value=2 * DAY, max_value=timedelta(days=300)))
def test_a_younger_record_needs_a_trail_that_is_no_older(now: datetime, wanted: timedelta) -> None:
    young = now - wanted + DAY

    assert reaches_back(young, wanted, now) is None
    assert reaches_back(young, wanted, now, begun=young) is True
    assert reaches_back(young, wanted, now, begun=young - DAY) is False
    assert reaches_back(young, FOREVER, now) is None
    assert reaches_back(young, FOREVER, now, begun=young - DAY) is False
