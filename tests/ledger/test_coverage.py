"""Windows tile, in whatever order they were archived; holes and overlaps are findings."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.ledger import (
    Coverage,
    FindingCode,
    StreamName,
    WindowRecord,
    WindowStatus,
    coverage,
    coverage_by_stream,
)
from tests.ledger.samples import HOUR, JULY, STREAM, file_window, window

GAP, OVERLAP = FindingCode.WINDOW_GAP, FindingCode.WINDOW_OVERLAP


def of(*windows: WindowRecord) -> Coverage:
    return coverage(STREAM, windows)


def found(*windows: WindowRecord) -> list[tuple[FindingCode, str | None, str | None]]:
    return [(fault.code, fault.start, fault.end) for fault in of(*windows).faults]


def hour(number: int) -> str:
    return f"2026-07-01T{number:02d}:00:00Z"


def undated(rev: int) -> WindowRecord:
    return replace(window(rev=rev), start=None, end=None)


def source_missing(number: int, rev: int = 0) -> WindowRecord:
    return replace(window(number, docs=0, rev=rev), status=WindowStatus.SOURCE_MISSING)


def test_windows_that_tile_are_good_in_any_order() -> None:
    for order in permutations([window(0), window(1, docs=0), window(2), window(2, rev=1)]):
        result = of(*order)
        assert result.faults == result.gaps == ()
        assert [each.start for each in result.windows] == [JULY, JULY + HOUR, JULY + 2 * HOUR]
        assert (result.start, result.end) == (JULY, JULY + 3 * HOUR)
        assert [(each.status, each.docs, each.late) for each in result.windows] == [
            (WindowStatus.SEALED, 5, 0),
            (WindowStatus.EMPTY, 0, 0),
            (WindowStatus.SEALED, 10, 1),
        ]
        assert len(result.windows[2].segments) == 2


def test_a_revision_without_events_brought_none() -> None:
    (only,) = of(window(0), window(0, docs=0, rev=1), window(0, docs=1, rev=2)).windows
    assert (only.docs, only.late) == (6, 1)


def test_nothing_covers_nothing() -> None:
    result = of()
    assert (result.windows, result.faults, result.start, result.end) == ((), (), None, None)


FAULTS = {
    "attack 31, a hole": ([window(0), window(2)], [(GAP, hour(1), hour(2))]),
    "two holes": (
        [window(0), window(2), window(5)],
        [(GAP, hour(1), hour(2)), (GAP, hour(3), hour(5))],
    ),
    "attack 32, an overlap": (
        [window(0, hours=2), window(1, hours=2)],
        [(OVERLAP, hour(1), hour(2))],
    ),
    "a window inside another": (
        [window(0, hours=4), window(1), window(4)],
        [(OVERLAP, hour(1), hour(2))],
    ),
    "a hole is not hidden by what lies before it": (
        [window(0, hours=4), window(1), window(5)],
        [(OVERLAP, hour(1), hour(2)), (GAP, hour(4), hour(5))],
    ),
    "two lengths from one start": (
        [window(0), window(0, hours=2)],
        [(OVERLAP, hour(0), hour(1))],
    ),
    "attack 32, a window twice": ([window(0), window(0)], [(OVERLAP, hour(0), hour(1))]),
    "a late revision twice": (
        [window(0), window(0, rev=1), window(0, rev=1)],
        [(OVERLAP, hour(0), hour(1))],
    ),
    "a revision that is not there": (
        [window(0), window(0, rev=2)],
        [(GAP, hour(0), hour(1))],
    ),
    "the first revision not there": ([window(0, rev=1)], [(GAP, hour(0), hour(1))]),
    "a revision beyond all counting": (
        [window(0), window(0, rev=2**53 - 1)],
        [(GAP, hour(0), hour(1))],
    ),
    "a part of a source that was gone": (
        [window(0), source_missing(0, rev=1)],
        [(GAP, hour(0), hour(1))],
    ),
    "a source that was gone": ([window(0), source_missing(1)], [(GAP, hour(1), hour(2))]),
    "events without a time, twice": ([undated(0), undated(0)], [(OVERLAP, None, None)]),
    "events without a time, a lost revision": ([undated(1)], [(GAP, None, None)]),
    "a file's beginning": ([file_window(7, 9)], [(GAP, "0", "7")]),
    "a hole in a file": ([file_window(0, 7), file_window(9, 12)], [(GAP, "7", "9")]),
    "an overlap in a file": ([file_window(0, 7), file_window(5, 12)], [(OVERLAP, "5", "7")]),
    "a range of a file twice": ([file_window(0, 7), file_window(0, 7)], [(OVERLAP, "0", "7")]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_holes_and_overlaps(case: str) -> None:
    windows, expected = FAULTS[case]
    for order in permutations(windows):
        assert found(*order) == expected


GOOD = {
    "a source that came back": [source_missing(0), window(0, rev=1)],
    "events without a time beside windows": [undated(0), undated(1), window(0), window(1)],
    "two files at the same time": [
        file_window(0, 7),
        file_window(7, 9),
        file_window(0, 99, file=b"b"),
    ],
    "windows of two lengths": [window(0), window(1, hours=5)],
}


@pytest.mark.parametrize("case", GOOD)
def test_what_is_no_fault(case: str) -> None:
    assert found(*GOOD[case]) == []


def test_files_are_covered_by_bytes() -> None:
    result = of(file_window(7, 9, docs=1), file_window(0, 7))
    assert [(each.start, each.end, each.docs) for each in result.ranges] == [(0, 7, 2), (7, 9, 1)]
    assert (result.start, result.end, result.windows) == (JULY, JULY, ())


def test_streams_are_judged_each_for_itself() -> None:
    other = StreamName("test/k8s-audit")
    results = coverage_by_stream([window(0), replace(window(1), stream=other), window(2)])
    assert [(result.stream, len(result.gaps)) for result in results] == [(STREAM, 1), (other, 0)]


@given(st.sets(st.integers(0, 40), min_size=1))
def test_exactly_the_hours_without_a_window_are_gaps(hours: set[int]) -> None:
    result = of(*(window(number) for number in hours))
    missing = set(range(min(hours), max(hours))) - hours
    covered_by_gaps = {
        number
        for number in range(min(hours), max(hours))
        for gap in result.gaps
        if gap.start is not None
        and gap.end is not None
        and gap.start <= (JULY + number * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ") < gap.end
    }
    assert covered_by_gaps == missing
    assert len(result.faults) == len(result.gaps)
