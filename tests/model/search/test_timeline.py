"""Holes in a trail, and what explains them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.event_store.events import read_time
from kcompliance.model.event_store.timeline import BIN, Hole, explained, holes, read_window

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONGEST = 15 * MINUTE


@given(st.sets(st.integers(0, 500), min_size=1))
def test_holes_and_bins_fill_the_time_between_the_first_and_the_last(numbers: set[int]) -> None:
    bins = [START + number * BIN for number in numbers]

    found = holes(bins, BIN, LONGEST)

    for hole in found:
        assert hole.length > LONGEST
        assert not [start for start in bins if hole.start <= start < hole.end]
    quiet = sum((hole.length for hole in found), timedelta())
    short = sum(
        (
            gap
            for a, b in zip(sorted(bins), sorted(bins)[1:], strict=False)
            if (gap := b - a - BIN) <= LONGEST
        ),
        timedelta(),
    )
    assert max(bins) + BIN - min(bins) == quiet + short + BIN * len(bins)


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(0, 300))
def test_a_bin_more_never_makes_more_time_without_events(numbers: set[int], more: int) -> None:
    def quiet(of: set[int]) -> timedelta:
        window = (START, START + 301 * BIN)
        found = holes([START + number * BIN for number in of], BIN, LONGEST, window)
        return sum((hole.length for hole in found), timedelta())

    assert quiet(numbers | {more}) <= quiet(numbers)


def _at(first: int, last: int) -> Hole:
    return Hole(START + first * MINUTE, START + last * MINUTE)


@pytest.mark.parametrize(
    ("windows", "enough"),
    [
        ([], False),
        ([_at(0, 60)], True),
        ([_at(10, 50)], True),
        ([_at(0, 40)], False),
        ([_at(20, 60)], False),
        ([_at(0, 30), _at(30, 60)], True),
        ([_at(30, 60), _at(0, 30)], True),
        ([_at(0, 20), _at(40, 60)], False),
        ([_at(-60, 0), _at(60, 90)], False),
        ([_at(100, 200)], False),
    ],
)
def test_maintenance_explains_a_hole_if_little_is_left_of_it(
    windows: list[Hole], enough: bool
) -> None:
    assert explained(_at(0, 60), windows, LONGEST) is enough


@pytest.mark.parametrize(
    "words", ["", "/", "2026-01-01/2026-01-02", "2026-01-02T00:00Z/2026-01-01T00:00Z", "a/b"]
)
def test_what_is_no_window_is_none(words: str) -> None:
    assert read_window(words) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01T00:00:00.123456Z", START.replace(microsecond=123456)),
        ("2026-11-01T00:00:00.123456789Z", START.replace(microsecond=123456)),
        ("2026-11-01T01:00:00+01:00", START),
        ("2026-11-01 00:00:00z", START),
        (int(START.timestamp() * 1000), START),
    ],
)
def test_a_time_is_read(text: object, expected: datetime) -> None:
    assert read_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["2026-11-01T00:00:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "", None, []],
)
def test_what_is_no_time_is_told_in_words(text: object) -> None:
    assert isinstance(read_time(text), str)
