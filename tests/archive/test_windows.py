"""The grid of a stream."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.archive import windows as grid
from kcompliance.archive.interface import TimeRange, Window
from kcompliance.errors import UsageError

HOUR = timedelta(hours=1)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)
)
LENGTHS = st.integers(min_value=1, max_value=40 * 86400).map(lambda s: timedelta(seconds=s))


def hours(*numbers: int) -> list[Window]:
    return [Window(start=NOON + n * HOUR, end=NOON + (n + 1) * HOUR) for n in numbers]


@given(moment=MOMENTS, length=LENGTHS)
def test_a_moment_is_in_the_window_that_begins_where_it_is_aligned_to(
    moment: datetime, length: timedelta
) -> None:
    start = grid.align(moment, length)
    assert start <= moment < start + length
    assert grid.is_aligned(start, length)
    assert grid.is_aligned(moment, length) == (start == moment)


@given(start=MOMENTS, length=LENGTHS, count=st.integers(0, 50))
def test_windows_tile_what_is_between_two_bounds(
    start: datetime, length: timedelta, count: int
) -> None:
    first = grid.align(start, length)
    windows = grid.windows_between(first, first + count * length, length)
    assert len(windows) == count
    edges = [first, *(window.end for window in windows)]
    assert [(w.start, w.end) for w in windows] == [*pairwise(edges)]
    assert all(w.end - w.start == length for w in windows if w.start and w.end)


def test_the_grid_is_of_utc_whatever_the_time_zone_says() -> None:
    half_hour_off = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert grid.is_aligned(half_hour_off, HOUR)
    (window,) = grid.windows_between(half_hour_off, half_hour_off + HOUR, HOUR)
    assert window == Window(start=NOON, end=NOON + HOUR)
    assert window.start is not None
    assert window.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("wanted", "said", "hint"),
    [
        pytest.param(
            TimeRange(start=NOON + timedelta(minutes=5), end=NOON + HOUR),
            '"2026-07-01T12:05:00Z" as --from',
            "2026-07-01T12:00:00Z and 2026-07-01T13:00:00Z",
            id="from-off-the-grid",
        ),
        pytest.param(
            TimeRange(start=None, end=NOON - timedelta(microseconds=1)),
            "as --to is not on the grid of windows of 3600 seconds",
            "2026-07-01T11:00:00Z and 2026-07-01T12:00:00Z",
            id="to-off-the-grid",
        ),
        pytest.param(
            TimeRange(start=NOON.replace(tzinfo=None), end=None),
            "has no time zone",
            "Z for UTC",
            id="no-time-zone",
        ),
        pytest.param(
            TimeRange(start=NOON + HOUR, end=NOON), "is after", "swap them", id="wrong-way-round"
        ),
    ],
)
def test_bounds_that_cannot_be_are_refused(wanted: TimeRange, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        grid.check_bounds(wanted, HOUR)
    assert said in refused.value.message
    assert hint in (refused.value.hint or "")


def test_bounds_on_the_grid_pass() -> None:
    grid.check_bounds(TimeRange(start=NOON, end=NOON), HOUR)
    grid.check_bounds(TimeRange(start=None, end=None), HOUR)


@pytest.mark.parametrize(
    "length", [timedelta(0), timedelta(hours=-1), timedelta(milliseconds=1500)], ids=str
)
def test_a_length_that_is_no_whole_seconds_is_refused(length: timedelta) -> None:
    with pytest.raises(UsageError, match="cannot be archived"):
        grid.check_length(length)


def test_more_windows_than_anybody_means_are_refused() -> None:
    with pytest.raises(UsageError, match="there are 31557600 windows"):
        grid.windows_between(NOON, NOON + timedelta(days=365, hours=6), timedelta(seconds=1))


def test_covered_windows_are_left_out() -> None:
    covered = [
        Window(start=NOON + HOUR, end=NOON + 3 * HOUR),  # of two hours: all the same
        *hours(4, 9, -3),
        Window(start=None, end=None),
    ]
    assert grid.without_covered(hours(0, 1, 2, 3, 4, 5), covered) == hours(0, 3, 5)


def test_a_window_that_is_covered_in_part_is_refused() -> None:
    half = Window(start=NOON, end=NOON + HOUR / 2)
    with pytest.raises(UsageError, match="is archived in part: from 2026-07-01T12:00:00Z"):
        grid.without_covered(hours(0, 1), [half])


def test_runs_end_at_holes_and_at_their_longest() -> None:
    runs = grid.spans(hours(0, 1, 2, 3, 5, 6), 3)
    assert [*runs] == [hours(0, 1, 2), hours(3), hours(5, 6)]
    assert [*grid.spans([], 3)] == []
