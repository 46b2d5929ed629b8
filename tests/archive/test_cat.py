"""Events come back byte for byte, of the windows that were asked for, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kcompliance.archive.cat import NoSource, checked_contents, sources
from kcompliance.archive.catalogue import Catalogue, NoArchive, NotAsSigned, read_catalogue
from kcompliance.archive.lookup import find_segment, find_stream
from kcompliance.archive.selection import Selection, select
from kcompliance.errors import UsageError
from kcompliance.ledger import StreamName, checkpoint_name
from kcompliance.stores.filesystem import FilesystemStore
from tests.archive.small_archive import SmallArchive, event_line, small_archive
from tests.ledger.samples import HOUR, JULY, STREAM, file_stream, window

FILES = StreamName("prod/files")


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    return small_archive(tmp_path / "archive")


def read(archive: SmallArchive) -> Catalogue:
    return read_catalogue(archive.store, archive.pinned())


def selected(
    archive: SmallArchive, start: float | None = None, end: float | None = None
) -> Selection:
    bounds = [None if hour is None else JULY + hour * HOUR for hour in (start, end)]
    return select(find_stream(read(archive), STREAM), *bounds)


def events(archive: SmallArchive, selection: Selection) -> list[bytes]:
    content = b"".join(
        part for segment in selection.segments for part in checked_contents(archive.store, segment)
    )
    assert content.endswith(b"\n")
    return content.removesuffix(b"\n").split(b"\n")


def hours_of(selection: Selection) -> list[int | None]:
    starts = [each.record.start for each in selection.segments]
    return [None if start is None else (start - JULY) // HOUR for start in starts]


def holes(selection: Selection) -> list[tuple[str, str | None, str | None]]:
    return [
        (fault.code.value, fault.start and fault.start[11:16], fault.end and fault.end[11:16])
        for fault in selection.incomplete
    ]


# --- what belongs to a stretch of time ---------------------------------------------------------


def test_all_events_come_back_in_the_order_of_their_windows(archive: SmallArchive) -> None:
    late = [event_line(0, 9)]
    archive.hour(5)
    archive.commit(window(3, docs=0), window(4, docs=0))
    archive.hour(0, late, rev=1)

    selection = selected(archive)

    expected = [event_line(0, n) for n in range(5)] + late
    expected += [event_line(hour, n) for hour in (2, 5) for n in range(5)]
    assert events(archive, selection) == expected
    assert selection.incomplete == ()


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (0, 1, [0]),
        (1, 2, []),
        (0.5, 0.6, [0]),
        (0.5, 2.1, [0, 2]),
        (1, None, [2]),
        (None, 2, [0]),
        (2, 3, [2]),
        (2.999, 3, [2]),
    ],
)
def test_windows_are_half_open_and_come_whole(
    archive: SmallArchive, start: float | None, end: float | None, hours: list[int]
) -> None:
    selection = selected(archive, start, end)

    assert hours_of(selection) == hours
    assert selection.incomplete == ()


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (None, None, [("WINDOW_GAP", "03:00", "05:00")]),
        (2, 3, []),
        (2, 3.5, [("WINDOW_GAP", "03:00", "05:00")]),
        (5, 6, []),
        (4.9, 6, [("WINDOW_GAP", "03:00", "05:00")]),
        (-2, 1, [("WINDOW_GAP", "22:00", "00:00")]),
        (5, 8, [("WINDOW_GAP", "06:00", "08:00")]),
        (7, 8, [("WINDOW_GAP", "07:00", "08:00")]),
        (-3, -2, [("WINDOW_GAP", "21:00", "22:00")]),
    ],
)
def test_what_nobody_archived_is_told(
    archive: SmallArchive,
    start: float | None,
    end: float | None,
    found: list[tuple[str, str, str]],
) -> None:
    archive.hour(5)

    assert holes(selected(archive, start, end)) == found


def test_a_source_that_was_gone_is_a_gap(archive: SmallArchive) -> None:
    archive.commit(archive.source_missing(3))

    assert holes(selected(archive, 3, 4)) == [("WINDOW_GAP", "03:00", "04:00")]
    assert selected(archive, 2, 3).incomplete == ()


def test_events_without_a_time_belong_to_no_bounded_stretch(archive: SmallArchive) -> None:
    lines = [b'{"_id":"timeless","_source":{}}']
    segment = archive.segment(None, lines)
    sealed = replace(window(0, docs=1), start=None, end=None, segments=(segment.sha256,))
    archive.commit(segment, sealed)

    assert hours_of(selected(archive)) == [None, 0, 2]
    assert hours_of(selected(archive, 0)) == [0, 2]


def test_equal_bytes_of_two_windows_are_two_objects(archive: SmallArchive) -> None:
    archive.hour(3, [event_line(0, n) for n in range(5)])

    assert hours_of(selected(archive)) == [0, 2, 3]
    assert hours_of(selected(archive, 3)) == [3]


def test_files_come_by_their_events_times_with_both_ends(archive: SmallArchive) -> None:
    lines = [b'{"auditID":"f%d","_source":1}' % n for n in range(6)]
    archive.commit(replace(file_stream(), stream=FILES))
    archive.range_of_file(0, lines[:3], name=FILES, first=JULY)
    size = sum(len(line) + 1 for line in lines[:3])
    archive.range_of_file(size, lines[3:], name=FILES, first=JULY + timedelta(minutes=5))
    stream = find_stream(read(archive), FILES)
    end_of_first = JULY + timedelta(minutes=10)

    whole = select(stream)
    assert events(archive, whole) == lines
    assert len(select(stream, end_of_first, end_of_first + HOUR).segments) == 2
    assert len(select(stream, end_of_first + timedelta(seconds=1)).segments) == 1
    assert len(select(stream, None, JULY).segments) == 0
    assert whole.incomplete == select(stream, JULY - HOUR, JULY).incomplete == ()
    assert sources(whole.segments[0].record, b"as it is\n") == b"as it is\n"


def test_a_hole_in_a_file_may_lie_anywhere(archive: SmallArchive) -> None:
    archive.commit(replace(file_stream(), stream=FILES))
    archive.range_of_file(100, [b"{}"], name=FILES, first=JULY)

    (fault,) = select(find_stream(read(archive), FILES), JULY, JULY + HOUR).incomplete

    assert (fault.start, fault.end) == ("0", "100")


def test_a_window_of_an_unknown_segment_is_not_passed_over(archive: SmallArchive) -> None:
    archive.commit(window(3))

    with pytest.raises(NotAsSigned, match="no record describes it") as refused:
        selected(archive)

    assert refused.value.code == "SEGMENT_MISSING"
    assert refused.value.exit_code == 1


# --- events alone ------------------------------------------------------------------------------


def test_the_source_is_given_back_byte_for_byte(archive: SmallArchive) -> None:
    odd = b'{ "a":1.0,"a":1e400,"b":"\\u00e4\\r","n":12345678901234567890123 }'
    lines = [b'{"_id":"x","_source":' + odd + b"}", b'{"_source":\r[],"_seq_no":1}']
    archive.hour(3, lines)

    (segment,) = selected(archive, 3).segments

    content = b"".join(checked_contents(archive.store, segment))
    assert sources(segment.record, content) == odd + b"\n[]\n"
    with pytest.raises(NoSource):
        sources(segment.record, b'{"_id":"1"}\n')


# --- what is not as it was signed --------------------------------------------------------------


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit": (_flip, "SEGMENT_MODIFIED"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-5]), "SEGMENT_TRUNCATED"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "SEGMENT_TRAILING_DATA"),
    "deleted": (lambda path: path.unlink(), "SEGMENT_MISSING"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_of_a_damaged_segment_is_given_out(archive: SmallArchive, damage: str) -> None:
    do, code = DAMAGES[damage]
    (segment,) = selected(archive, 2).segments
    path = archive.path_of(segment.record.sha256)
    path.chmod(0o644)
    do(path)

    contents = checked_contents(archive.store, segment)
    with pytest.raises(NotAsSigned, match=segment.record.sha256) as refused:
        next(contents)

    assert (refused.value.code, refused.value.exit_code) == (code, 1)


def test_a_record_that_its_lines_do_not_hash_to_is_found(archive: SmallArchive) -> None:
    """Only the holder of the key can do that: its content is as signed, and its root is not."""
    segment = archive.segment(JULY + 3 * HOUR, [event_line(3, 0)])
    archive.commit(replace(segment, events_root=segment.sha256))
    (found,) = [each for each in read(archive).segments if each.record.docs == 1]

    with pytest.raises(NotAsSigned) as refused:
        next(checked_contents(archive.store, found))

    assert refused.value.code == "EVENTS_ROOT"


def test_a_copy_of_an_archive_has_versions_of_its_own(archive: SmallArchive) -> None:
    (segment,) = selected(archive, 2).segments
    copied = replace(segment, record=replace(segment.record, version_id="of the bucket"))

    assert b"".join(checked_contents(archive.store, copied)).count(b"\n") == 5


# --- the log -----------------------------------------------------------------------------------


def test_a_catalogue_knows_what_it_stands_on(archive: SmallArchive) -> None:
    trusted, alone = read(archive), read_catalogue(archive.store, None)

    assert (trusted.trusted, alone.trusted) == (True, False)
    assert trusted.origin == alone.origin
    assert trusted.faults == alone.faults == []
    assert len(list(trusted.segments)) == 2
    assert trusted.leaf_hashes == []
    hashed = read_catalogue(archive.store, None, leaf_hashes=True)
    assert len(hashed.leaf_hashes) == archive.end.frontier.size


def test_what_casts_doubt_on_the_log_and_what_does_not(archive: SmallArchive) -> None:
    number = archive.end.number + 1
    (archive.folder / checkpoint_name(number)).write_bytes(b"mine now")
    catalogue = read(archive)
    assert [fault.code for fault in catalogue.faults] == ["CHECKPOINT_MALFORMED"]
    catalogue.require_sound()
    catalogue.require_writable()

    # The last checkpoint spoiled: its records are there, so something was committed and is lost.
    last = archive.folder / checkpoint_name(archive.end.number)
    last.chmod(0o644)
    last.write_bytes(b"mine now")
    without_pin = read_catalogue(archive.store, archive.trust)
    with pytest.raises(NotAsSigned, match="CHECKPOINT_MALFORMED"):
        without_pin.require_writable()
    with pytest.raises(NotAsSigned, match="is not sound"):
        read(archive).require_sound()


def test_a_fork_is_told_by_the_pin(archive: SmallArchive, tmp_path: Path) -> None:
    other = SmallArchive(tmp_path / "other")
    for hour in (4, 5, 6, 7):
        other.hour(hour)

    catalogue = read_catalogue(other.store, archive.pinned())

    assert [fault.code for fault in catalogue.faults] == ["FORK_VS_PIN"]


def test_no_archive_is_not_an_empty_one(archive: SmallArchive, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("missing", "empty"):
        with pytest.raises(NoArchive, match="no archive at"):
            read_catalogue(FilesystemStore(tmp_path / place), None)
    with pytest.raises(NotAsSigned, match="trust file says that there is one"):
        read_catalogue(FilesystemStore(tmp_path / "empty"), archive.trust)


# --- names -------------------------------------------------------------------------------------


def test_a_segment_is_found_by_any_of_its_names(archive: SmallArchive) -> None:
    catalogue = read(archive)
    for segment in catalogue.segments:
        digest = segment.record.sha256
        for name in (digest, digest[:6], digest[:9].upper(), segment.record.key):
            assert find_segment(catalogue, name) == segment


@pytest.mark.parametrize("name", ["", "abcde", "nothex", "0" * 64, "0" * 65, "seg/x"])
def test_an_unknown_segment_is_told(archive: SmallArchive, name: str) -> None:
    with pytest.raises(UsageError, match="no segment"):
        find_segment(read(archive), name)


def test_a_name_of_two_segments_is_refused(archive: SmallArchive) -> None:
    archive.hour(3, [event_line(0, n) for n in range(5)])
    catalogue = read(archive)
    digest = next(iter(catalogue.segments)).record.sha256

    with pytest.raises(UsageError, match="one of 2 segments"):
        find_segment(catalogue, digest)


def test_an_unknown_stream_comes_with_the_nearest_one(archive: SmallArchive) -> None:
    with pytest.raises(UsageError) as refused:
        find_stream(read(archive), "prod/k8s-audits")

    assert refused.value.hint == f"did you mean {STREAM}?"
