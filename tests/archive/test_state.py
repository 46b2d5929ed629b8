"""What a writer knows of an archive from its log alone."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from kcompliance.archive.interface import Window
from kcompliance.archive.log import LogReader
from kcompliance.archive.state import ArchiveState, read_state, stops_writing
from kcompliance.ledger import (
    Fault,
    FindingCode,
    IndexPartition,
    LockMode,
    Period,
    Record,
    RetentionRecord,
    StreamName,
    WindowRecord,
    WindowStatus,
    log_name,
)
from kcompliance.model.digest import sha256
from tests.archive.building import store_of
from tests.ledger.samples import (
    HOUR,
    JULY,
    RUN,
    STREAM,
    abandoned,
    commit,
    file_window,
    metadata,
    sample_archive,
    segment,
    stream,
    window,
)

KEY = log_name(1, bytes(32))
FIRST = Window(start=JULY, end=JULY + HOUR)


def state_of(*records: Record) -> ArchiveState:
    state = ArchiveState(stream=STREAM)
    state.add(records, KEY)
    return state


def found(window: WindowRecord, **numbers: int) -> WindowRecord:
    """The window with these highest numbers of shards, of one event each."""
    parts = tuple(
        IndexPartition(
            index=uuid, index_uuid=uuid, shard=0, expected=1, written=1, max_seq_no=number
        )
        for uuid, number in numbers.items()
    )
    return replace(window, docs=len(parts), partitions=parts)


def test_a_window_is_known_with_all_its_revisions_whatever_their_order() -> None:
    first, late = found(window(0), a=7, b=3), found(window(0, rev=1), a=9, c=0)

    for records in [(first, late), (late, first)]:
        (known,) = state_of(*records).windows.values()
        assert (known.window, known.rev, known.docs) == (FIRST, 1, 4)
        assert known.status is WindowStatus.SEALED
        assert known.max_seq_no == {("a", 0): 9, ("b", 0): 3, ("c", 0): 0}


def test_the_last_revision_says_how_a_window_stands() -> None:
    gone = replace(window(0, rev=1, docs=0), status=WindowStatus.SOURCE_MISSING, partitions=())

    for records in [(window(0), gone), (gone, window(0))]:
        assert state_of(*records).windows[FIRST].status is WindowStatus.SOURCE_MISSING
    assert state_of(window(0), gone, window(0, rev=2)).windows[FIRST].status is WindowStatus.SEALED


def test_a_file_is_known_to_its_furthest_byte() -> None:
    records = [file_window(0, 100), file_window(100, 350), file_window(0, 7, file=b"b")]

    for each in (records, records[::-1]):
        state = state_of(*each)
        assert {known.file: known.end for known in state.files.values()} == {
            sha256(b"a"): 350,
            sha256(b"b"): 7,
        }
        assert state.windows == {}


def test_windows_and_segments_of_other_streams_are_theirs() -> None:
    other = StreamName("other/stream")
    state = state_of(
        replace(window(0), stream=other),
        replace(stream(), stream=other),
        replace(segment(), stream=other),
        replace(file_window(0, 3), stream=other),
    )

    assert (state.windows, state.files, state.segments, state.binding) == ({}, {}, set(), None)
    # But what they are kept for is what the log is kept for, too.
    assert state.latest_retention == segment().retain_until
    assert state.archived.windows == {}


def test_what_the_log_names_is_known() -> None:
    state = state_of(commit(1), segment(), metadata(), stream(), abandoned())

    assert state.runs == {UUID(str(RUN))}
    assert state.segments == {segment().sha256}
    assert state.metadata == {metadata().sha256}
    assert state.batches == {KEY}
    assert state.abandoned == {each.key for each in abandoned().objects}
    assert state.archived.binding == state.binding == stream()


def retention(name: StreamName | None, years: int) -> RetentionRecord:
    return RetentionRecord(stream=name, retain=Period(years=years), mode=LockMode.NONE, time=JULY)


def test_a_stream_s_own_retention_counts_before_that_of_all() -> None:
    own, other, general = (
        retention(STREAM, 2),
        retention(StreamName("other/stream"), 3),
        retention(None, 4),
    )

    assert state_of(general, other).retention == general
    assert state_of(general, own, other).retention == own
    assert state_of(own, general).retention == own


@pytest.mark.parametrize("size", range(1, 12))
def test_the_root_that_a_pin_remembers_is_found_inside_a_commit(size: int) -> None:
    made = sample_archive()
    store = store_of(made.objects)
    hashes = [each for commit in LogReader(store).commits() for each in commit.batch.leaves]
    total = len(hashes)

    state = read_state(LogReader(store), STREAM, pin_size=size)

    assert (state.root_at_pin is None) == (size > total)
    if size == total:
        assert state.root_at_pin == made.frontier.root


def test_foreign_checkpoints_stop_nobody_and_all_else_does() -> None:
    stepped_over = Fault(code=FindingCode.SIG_INVALID, detail="foreign")
    broken = Fault(code=FindingCode.CHAIN_BROKEN, detail="broken")
    unknown = Fault(code=FindingCode.UNSUPPORTED_RECORD, detail="newer")

    for faults, stop in [
        ([], None),
        ([stepped_over], None),
        ([stepped_over, broken, unknown], broken),
        ([unknown], unknown),
    ]:
        assert stops_writing(ArchiveState(stream=STREAM, faults=faults)) == stop


def test_dates_are_never_taken_back() -> None:
    early, late = segment(b"1"), segment(b"2")
    assert late.retain_until is not None
    early = replace(early, retain_until=late.retain_until - timedelta(days=1))

    assert state_of(late, early, metadata()).latest_retention == late.retain_until
