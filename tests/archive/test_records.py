"""What the log says of windows; how runs are divided into commits, and windows into jobs."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.archive.export import Job, JobResult, StoredSegment, divide
from kcompliance.archive.interface import IndexShard, Part, PlannedWindow, Window
from kcompliance.archive.records import joined, retained_until, window_records
from kcompliance.archive.segment_writer import SpooledSegment
from kcompliance.archive.units import units_of
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import (
    FilePartition,
    IndexPartition,
    Period,
    WindowStatus,
    encode_record,
)
from kcompliance.model.digest import sha256
from tests.ledger.samples import HOUR, JULY, STREAM

WINDOW = Window(start=JULY, end=JULY + HOUR)
MIB = 1024 * 1024


def part(number: int = 0, *, docs: int = 5, size: int = 1000) -> Part:
    place = IndexShard(index=f"audit-{number}", index_uuid=f"u{number}", shard=0)
    return Part(window=WINDOW, place=place, docs=docs, bytes=size)


def partition(number: int = 0, docs: int = 5) -> IndexPartition:
    return IndexPartition(
        index=f"audit-{number}",
        index_uuid=f"u{number}",
        shard=0,
        expected=docs,
        written=docs,
        max_seq_no=docs - 1,
    )


def stored(content: bytes = b"segment", docs: int = 5) -> StoredSegment:
    digest = sha256(content)
    spooled = SpooledSegment(
        path=Path("gone"),
        size=1,
        sha256=digest,
        content_size=1,
        content_sha256=digest,
        frames=((1, 1),),
        docs=docs,
        events_root=digest,
        shares=(),
        first_event=None,
        last_event=None,
    )
    return StoredSegment(spooled=spooled, key="seg", version_id=None, start=JULY, end=JULY + HOUR)


def result(
    *partitions: IndexPartition | FilePartition,
    segments: tuple[StoredSegment, ...] = (),
    gone: tuple[str, ...] = (),
    first: int = 0,
) -> JobResult:
    job = Job(number=0, first=first, window=WINDOW, parts=())
    return JobResult(job=job, partitions=partitions, segments=segments, gone=gone)


def told(planned: PlannedWindow, *results: JobResult) -> list[tuple[WindowStatus, int, int]]:
    """Status, revision and events of what is recorded, each of which the ledger takes."""
    records = list(window_records(STREAM, joined(planned, results)))
    assert all(encode_record(each) for each in records)
    return [(each.status, each.rev, each.docs) for each in records]


SEALED, EMPTY, MISSING = WindowStatus.SEALED, WindowStatus.EMPTY, WindowStatus.SOURCE_MISSING
GOOD = result(partition(), segments=(stored(),))


@pytest.mark.parametrize(
    ("planned", "results", "expected"),
    [
        ({}, [GOOD], [(SEALED, 0, 5)]),
        ({"rev": 2}, [GOOD], [(SEALED, 2, 5)]),
        ({}, [result()], [(EMPTY, 0, 0)]),
        ({}, [], [(EMPTY, 0, 0)]),
        ({"rev": 1}, [result()], []),
        ({}, [result(gone=("audit-1",))], [(MISSING, 0, 0)]),
        ({"rev": 3}, [result(gone=("audit-1",))], [(MISSING, 3, 0)]),
        ({"status": MISSING}, [], [(MISSING, 0, 0)]),
        ({"status": MISSING}, [GOOD], [(SEALED, 0, 5), (MISSING, 1, 0)]),
        ({"rev": 4}, [GOOD, result(gone=("audit-1",), first=1)], [(SEALED, 4, 5), (MISSING, 5, 0)]),
        ({"window": Window(start=None, end=None)}, [], []),
    ],
    ids=str,
)
def test_a_window_is_told_as_it_was_found(
    planned: dict[str, object],
    results: list[JobResult],
    expected: list[tuple[WindowStatus, int, int]],
) -> None:
    window = replace(PlannedWindow(window=WINDOW, parts=()), **planned)  # type: ignore[arg-type]

    assert told(window, *results) == expected


def test_the_parts_of_a_window_are_told_in_their_order() -> None:
    first, second = partition(0), partition(1)
    results = [
        result(second, segments=(stored(b"2"),), first=1),
        result(first, segments=(stored(b"1"),), first=0),
    ]

    (record,) = window_records(STREAM, joined(PlannedWindow(window=WINDOW, parts=()), results))

    assert record.partitions == (first, second)
    assert record.segments == (sha256(b"1"), sha256(b"2"))


def test_more_shards_than_a_record_holds_are_refused() -> None:
    results = [result(*(partition(number, 1) for number in range(401)), segments=(stored(),))]

    with pytest.raises(KcomplianceError, match="at most 400"):
        told(PlannedWindow(window=WINDOW, parts=()), *results)


def test_it_is_kept_from_the_end_or_the_commit_whichever_is_later() -> None:
    period = Period(years=2)
    leap = JULY.replace(year=2028, month=2, day=29)

    assert retained_until(period, JULY, JULY + HOUR) == (JULY + HOUR).replace(year=2028)
    assert retained_until(period, JULY + HOUR, JULY) == (JULY + HOUR).replace(year=2028)
    assert retained_until(period, None, leap) == leap.replace(year=2030, month=3, day=1)


# --- units and jobs -----------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 6_000_000), st.integers(0, 9_000)), max_size=500))
def test_units_hold_all_windows_in_order_and_not_too_much(sizes: list[tuple[int, int]]) -> None:
    planned = [
        PlannedWindow(window=WINDOW, rev=number, parts=(part(docs=docs, size=size * MIB),))
        for number, (docs, size) in enumerate(sizes)
    ]

    units = list(units_of(planned))

    assert [window for unit in units for window in unit] == planned
    for unit in units:
        parts = [each for window in unit for each in window.parts]
        assert 0 < len(unit) <= 200
        assert len(unit) == 1 or (
            sum(each.docs or 0 for each in parts) <= 5_000_000
            and sum(each.bytes or 0 for each in parts) <= 8192 * MIB
        )


@given(st.lists(st.integers(0, 400), max_size=60))
def test_jobs_hold_all_parts_in_order_and_not_too_much(sizes: list[int]) -> None:
    parts = tuple(part(number, size=size * MIB) for number, size in enumerate(sizes))

    jobs = list(divide(7, PlannedWindow(window=WINDOW, parts=parts)))

    assert tuple(each for job in jobs for each in job.parts) == parts
    for job in jobs:
        assert (job.number, job.window, job.parts[0]) == (7, WINDOW, parts[job.first])
        assert len(job.parts) == 1 or sum(each.bytes or 0 for each in job.parts) <= 256 * MIB
