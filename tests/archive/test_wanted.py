"""Which time a run archives, from what the user says and what is archived already."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.archive.interface import ArchivedStream, ArchivedWindow, TimeRange, Window
from kcompliance.archive.wanted import TimeOptions, archived_up_to, wanted_range
from kcompliance.errors import UsageError
from kcompliance.ledger import WindowStatus
from tests.ledger.samples import HOUR, JULY, STREAM

NOW = JULY + 10 * HOUR + timedelta(minutes=40)
"""With 15 minutes to settle the newest window ends at ten."""


def archived(*hours: int) -> ArchivedStream:
    windows = [Window(start=JULY + hour * HOUR, end=JULY + (hour + 1) * HOUR) for hour in hours]
    return ArchivedStream(
        stream=STREAM,
        windows={
            each: ArchivedWindow(window=each, rev=0, status=WindowStatus.SEALED, docs=1)
            for each in [*windows, Window(start=None, end=None)]
        },
    )


def wanted(
    known: ArchivedStream,
    *,
    start: float | None = None,
    end: float | None = None,
    last: float | None = None,
    window: timedelta = HOUR,
    settle: timedelta = timedelta(minutes=15),
    now: datetime = NOW,
) -> TimeRange:
    options = TimeOptions(
        start=None if start is None else JULY + start * HOUR,
        end=None if end is None else JULY + end * HOUR,
        last=None if last is None else last * HOUR,
        window=window,
        settle=settle,
    )
    return wanted_range(options, known, now=now)


def hours(start: int, end: int) -> TimeRange:
    return TimeRange(start=JULY + start * HOUR, end=JULY + end * HOUR)


NOTHING = ArchivedStream(stream=STREAM)


def test_what_is_said_is_taken() -> None:
    assert wanted(NOTHING, start=3, end=5) == hours(3, 5)
    assert wanted(NOTHING, start=3) == hours(3, 10)
    assert wanted(archived(1, 2), start=-50, end=-40) == hours(-50, -40)
    assert wanted(NOTHING, last=2.5) == hours(7, 10)
    assert wanted(NOTHING, last=1, end=4) == hours(3, 4)


def test_without_a_beginning_it_goes_on_where_the_archive_ends_or_has_its_first_hole() -> None:
    assert wanted(archived(1, 2, 3)) == hours(4, 10)
    assert wanted(archived(1, 2, 5)) == hours(3, 10)
    assert wanted(archived(1, 2), last=2) == hours(3, 10)
    assert wanted(archived(7, 8, 9), last=2) == hours(8, 10)
    assert wanted(archived(*range(10))) == hours(10, 10)
    assert wanted(archived(1, 2), end=2) == hours(2, 2)


def test_what_may_still_arrive_waits() -> None:
    assert wanted(NOTHING, start=0, settle=timedelta(minutes=41)) == hours(0, 9)
    assert wanted(NOTHING, start=0, settle=timedelta()) == hours(0, 10)
    with pytest.raises(UsageError, match="events may still arrive") as raised:
        wanted(NOTHING, start=0, end=11)
    assert "2026-07-01T10:00:00Z" in str(raised.value.hint)


def test_bounds_that_cannot_be_are_refused() -> None:
    for options, message, hint in [
        (
            {"start": 3.5},
            "--from 2026-07-01T03:30:00Z is not a bound",
            "03:00:00Z and 2026-07-01T04",
        ),
        ({"start": 3, "end": 4.25}, "--to 2026-07-01T04:15:00Z is not a bound", "04:00:00Z"),
        ({"start": 4, "end": 3}, "is not before --to", "swap"),
        ({"start": 4, "end": 4}, "is not before --to", "swap"),
        ({"start": 11}, "is not before --to", "swap"),
        ({}, "nothing of the stream", "--from"),
        ({"last": 24 * 10**6}, "--last of 1000000 days", "365d"),
        ({"start": 1, "settle": timedelta(days=10**6)}, "--settle of", "365d"),
    ]:
        with pytest.raises(UsageError, match=message) as raised:
            wanted(NOTHING, **options)  # type: ignore[arg-type]
        assert hint in str(raised.value.hint)


@given(st.sets(st.integers(0, 20)))
def test_the_reach_is_the_end_of_the_first_row(found: set[int]) -> None:
    reach = archived_up_to(archived(*found).windows)

    if not found:
        assert reach is None
        return
    assert reach is not None
    end = (reach - JULY) // HOUR
    assert end not in found
    assert set(range(min(found), end)) <= found
