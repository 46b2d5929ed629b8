"""Times and periods: one text for each."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.ledger import Period, format_time, parse_period, parse_time


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2024-02-29T12:00:00.000001Z",
    ],
)
def test_times_read_back(text: str) -> None:
    time = parse_time(text)
    assert time is not None
    assert time.tzinfo is UTC
    assert format_time(time) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-07-01",
        "2026-07-01T00:00:00",
        "2026-07-01T00:00:00z",
        "2026-07-01 00:00:00Z",
        "2026-07-01T00:00:00+00:00",
        "2026-07-01T00:00:00.Z",
        "2026-07-01T00:00:00.5Z",
        "2026-07-01T00:00:00.000000Z",
        "2026-07-01T00:00:00.0000001Z",
        "2026-07-01T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-7-1T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-07-01T00:00:00Z\n",
        "٢٠٢٦-07-01T00:00:00Z",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert parse_time(text) is None


@given(st.datetimes(timezones=st.timezones()))
def test_every_time_reads_back_as_the_same_instant(time: datetime) -> None:
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        return  # beyond year 1 or 9999 in UTC
    assert parse_time(format_time(time)) == utc


def test_a_time_without_a_zone_is_never_written() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        format_time(datetime(2026, 7, 1))


@pytest.mark.parametrize("text", ["1y", "2y", "100y", "1d", "730d", "36525d"])
def test_periods_read_back(text: str) -> None:
    assert str(parse_period(text)) == text


@pytest.mark.parametrize(
    "text", ["", "2", "y", "0y", "-1y", "02y", "2Y", "2 y", "101y", "36526d", "2y\n", "1y6d", "٢y"]
)
def test_other_texts_are_no_periods(text: str) -> None:
    assert parse_period(text) is None


@pytest.mark.parametrize(("years", "days"), [(0, 0), (1, 1), (-1, 0), (0, -1), (101, 0)])
def test_what_is_no_period_is_never_made(years: int, days: int) -> None:
    with pytest.raises(ValueError, match="no period"):
        Period(years=years, days=days)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (Period(years=2), "2026-07-01T01:00:00Z", "2028-07-01T01:00:00Z"),
        (Period(years=2), "2024-02-29T01:00:00Z", "2026-03-01T01:00:00Z"),
        (Period(years=4), "2024-02-29T01:00:00Z", "2028-02-29T01:00:00Z"),
        (Period(years=1), "2027-02-28T01:00:00Z", "2028-02-28T01:00:00Z"),
        (Period(days=730), "2024-02-29T01:00:00Z", "2026-02-28T01:00:00Z"),
        (Period(years=100), "9990-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        (Period(days=36525), "9990-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_period_ends_by_the_calendar(period: Period, start: str, end: str) -> None:
    time = parse_time(start)
    assert time is not None
    assert format_time(period.after(time)) == end


@given(st.datetimes(max_value=datetime(9000, 1, 1), timezones=st.just(UTC)), st.integers(1, 100))
def test_a_period_of_years_is_never_short(start: datetime, years: int) -> None:
    end = Period(years=years).after(start)
    assert timedelta(days=365 * years) <= end - start <= timedelta(days=365.2426 * years + 2)
