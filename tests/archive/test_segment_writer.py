"""What a segment writer makes, and what it forgets."""

import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from kcompliance.archive.segment_reader import ObjectCheck, check_object
from kcompliance.archive.segment_writer import EventTooLarge, SegmentWriter
from kcompliance.archive.spool import SpoolError
from kcompliance.archive.zstd_frames import MAX_FRAME_CONTENT
from kcompliance.ledger import FileShare, IndexShare, leaf_hash, merkle_root
from tests.archive.segments import (
    FRAME,
    event,
    file_partition,
    index_partition,
    page,
    record_of,
    small_writer,
)

JULY = datetime(2026, 7, 1, tzinfo=UTC)


def plain(path: Path) -> bytes:
    """What `zstd -d` makes of a file."""
    reader = zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(path.read_bytes()), read_across_frames=True
    )
    return reader.read()


@pytest.fixture
def helper() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_segment_is_what_it_says(tmp_path: Path) -> None:
    with small_writer(tmp_path, segment_bytes=1 << 30) as writer:
        for start in range(0, 200, 10):
            writer.write(page(range(start, start + 10)), 10)
        writer.credit(index_partition(docs=200))
        (segment,) = writer.finish()

    data, content = segment.path.read_bytes(), page(range(200))
    assert (segment.size, segment.sha256) == (len(data), sha256(data).hexdigest())
    assert segment.content_size == len(content)
    assert segment.content_sha256 == sha256(content).hexdigest()
    assert plain(segment.path) == content
    assert segment.docs == 200
    assert segment.events_root == merkle_root([leaf_hash(event(n)) for n in range(200)]).hex()
    assert segment.shares == (IndexShare(index="audit", index_uuid="f3Kz", shard=0, docs=200),)
    assert sum(size for size, _ in segment.frames) == len(data)
    assert len(segment.frames) > 5
    assert segment.path.parent == tmp_path


def test_frames_are_independent_and_say_what_they_hold(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(page(range(100)), 100)
        writer.credit(index_partition())
        segments = writer.finish()

    for segment in segments:
        start, data = 0, segment.path.read_bytes()
        for size, content_size in segment.frames:
            frame = data[start : start + size]
            header = zstandard.get_frame_parameters(frame)
            assert header.content_size == content_size <= FRAME + 200
            assert header.has_checksum
            assert header.dict_id == 0
            content = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
            assert content.endswith(b"\n")
            start += size


def test_a_helper_changes_nothing(tmp_path: Path, helper: ThreadPoolExecutor) -> None:
    made = []
    for each in (None, helper):
        with SegmentWriter(tmp_path, frame_bytes=FRAME, segment_bytes=3_000, helper=each) as writer:
            writer.write(page(range(300)), 300)
            writer.credit(index_partition())
            made.append([segment.path.read_bytes() for segment in writer.finish()])
    assert made[0] == made[1]


def test_a_large_part_is_spread_over_segments(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(page(range(300)), 300, first=JULY, last=JULY + timedelta(hours=1))
        writer.credit(index_partition(docs=300))
        segments = writer.finish()

    assert len(segments) > 3
    assert all(segment.size < 3_000 + FRAME for segment in segments)
    assert all(segment.size >= 3_000 for segment in segments[:-1])
    assert b"".join(plain(segment.path) for segment in segments) == page(range(300))
    assert sum(segment.docs for segment in segments) == 300
    for segment in segments:
        assert [share.docs for share in segment.shares] == [segment.docs]
        assert segment.first_event == JULY
        assert isinstance(
            check_object(record_of(segment), [segment.path.read_bytes()]), ObjectCheck
        )


def test_a_segment_holds_several_parts(tmp_path: Path) -> None:
    with small_writer(tmp_path, segment_bytes=1 << 30) as writer:
        for shard, docs in enumerate((30, 0, 5)):
            writer.write(page(range(docs)), docs)
            writer.credit(index_partition(shard, docs))
        (segment,) = writer.finish()

    assert [(share.shard, share.docs) for share in segment.shares] == [(0, 30), (2, 5)]  # type: ignore[union-attr]
    assert segment.docs == 35


def test_shares_of_files_name_the_range_that_was_read(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(page(range(2)), 2, first=JULY, last=JULY)
        writer.write(page(range(2)), 2, first=JULY - timedelta(hours=1), last=JULY)
        writer.credit(file_partition(7, 99, 4))
        (segment,) = writer.finish()

    assert segment.shares == (
        FileShare(file=file_partition(7, 99, 4).file, start=7, end=99, docs=4),
    )
    assert (segment.first_event, segment.last_event) == (JULY - timedelta(hours=1), JULY)


def test_nothing_written_is_no_segment(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(b"", 0)
        writer.credit(index_partition(docs=0))
        assert writer.finish() == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("docs", [1, 11])
def test_a_record_fits_into_a_leaf_whatever_it_has_to_name(tmp_path: Path, docs: int) -> None:
    with SegmentWriter(tmp_path, frame_bytes=80) as writer:
        for shard in range(300):
            writer.write(page(range(docs)), docs)
            writer.credit(index_partition(shard, docs, index="i" * 255))
        segments = writer.finish()

    assert sum(segment.docs for segment in segments) == 300 * docs
    # A large part of a leaf each, and in the second case both at once.
    assert max(len(record_of(segment).source.shares) for segment in segments) > 80
    assert max(len(segment.frames) for segment in segments) > 80 * docs


def test_frames_are_counted_too(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, frame_bytes=1) as writer:
        writer.write(page(range(2500)), 2500)
        writer.credit(index_partition())
        segments = writer.finish()

    assert [len(record_of(segment).frames) for segment in segments] == [1000, 1000, 500]


def test_what_compresses_well_is_never_taken_for_a_bomb(tmp_path: Path) -> None:
    line = b'{"_id":"%s"}\n' % (b"x" * (1 << 20))
    with SegmentWriter(tmp_path) as writer:
        for _ in range(150):
            writer.write(line * 2, 2)
        writer.credit(index_partition())
        segments = writer.finish()

    assert len(segments) > 3
    for segment in segments:
        assert segment.content_size > 5000 * segment.size
        record = record_of(segment)
        assert isinstance(
            check_object(record, [segment.path.read_bytes()], lines=True), ObjectCheck
        )


# --- forgetting ----------------------------------------------------------------------------------


def test_a_part_that_was_rolled_back_was_never_there(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(page(range(70)), 70)
        writer.credit(index_partition(0, 70))
        mark = writer.mark()
        for attempt in range(3):
            writer.write(page(range(900, 1200)), 300, first=JULY, last=JULY)
            assert len(list(tmp_path.iterdir())) > 3, attempt
            writer.rollback(mark)
            assert len(list(tmp_path.iterdir())) == 1
        writer.write(page(range(70, 100)), 30)
        writer.credit(index_partition(1, 30))
        segments = writer.finish()

    assert b"".join(plain(segment.path) for segment in segments) == page(range(100))
    assert all(segment.first_event is None for segment in segments)
    for segment in segments:
        check = check_object(record_of(segment), [segment.path.read_bytes()], lines=True)
        assert isinstance(check, ObjectCheck)
    assert {path.name for path in tmp_path.iterdir()} == {each.path.name for each in segments}


def test_a_part_is_settled_once_it_is_credited(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        mark = writer.mark()
        writer.write(page(range(300)), 300)
        assert writer.closed() == ()
        writer.credit(index_partition())
        with pytest.raises(ValueError, match="credited"):
            writer.rollback(mark)

        early = writer.closed()
        assert len(early) == 3
        assert writer.closed() == ()
        mark = writer.mark()
        writer.write(page(range(300, 600)), 300)
        writer.rollback(mark)
        writer.write(page(range(300, 310)), 10)
        writer.credit(index_partition(1))
        segments = (*early, *writer.finish())

    assert b"".join(plain(segment.path) for segment in segments) == page(range(310))


def test_nobody_forgets_the_credit(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(page(range(3)), 3)
        with pytest.raises(ValueError, match="credit"):
            writer.finish()


@pytest.mark.parametrize(
    ("lines", "docs"),
    [(b"one\ntwo\n", 1), (b"one\ntwo", 2), (b"one\ntwo", 1), (b"one", 0), (b"", 1)],
    ids=["too few", "half a line", "half a line more", "no line", "nothing"],
)
def test_pages_are_whole_lines(tmp_path: Path, lines: bytes, docs: int) -> None:
    def write(writer: SegmentWriter) -> None:
        writer.write(lines, docs)
        writer.credit(index_partition())
        writer.finish()

    with small_writer(tmp_path) as writer, pytest.raises(ValueError, match="whole lines"):
        write(writer)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, MAX_FRAME_CONTENT + 1])
def test_frames_that_nobody_reads_are_not_written(tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match="frames"):
        SegmentWriter(tmp_path, frame_bytes=size)
    with pytest.raises(ValueError, match="level 20"):
        SegmentWriter(tmp_path, level=20)


def test_a_writer_that_is_left_leaves_nothing(tmp_path: Path) -> None:
    with small_writer(tmp_path) as writer:
        writer.write(page(range(300)), 300)
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="thrown away"):
        writer.write(page(range(1)), 1)


# --- sizes ---------------------------------------------------------------------------------------


def test_long_lines_get_frames_of_their_own(tmp_path: Path) -> None:
    lines = [b'{"_id":"%s"}' % (b"%x" % n * 5000) for n in range(3)]
    content = page(range(3)) + b"".join(line + b"\n" for line in lines) + page(range(3))
    with small_writer(tmp_path, segment_bytes=1 << 30) as writer:
        writer.write(content, 9)
        writer.credit(index_partition())
        (segment,) = writer.finish()

    assert plain(segment.path) == content
    record = record_of(segment)
    assert isinstance(check_object(record, [segment.path.read_bytes()], lines=True), ObjectCheck)


def test_the_largest_event_is_archived_and_a_larger_one_refused(tmp_path: Path) -> None:
    largest = b'"' + b"x" * (MAX_FRAME_CONTENT - 3) + b'"\n'
    with SegmentWriter(tmp_path) as writer:
        mark = writer.mark()
        writer.write(page(range(3)) + largest + page(range(3)), 7)
        writer.rollback(mark)
        with pytest.raises(EventTooLarge, match="134,217,729 bytes") as refused:
            writer.write(page(range(3)) + b"x" + largest, 4)
        writer.rollback(mark)
    assert refused.value.hint
    assert refused.value.code == "event-too-large"


# --- a full disk ---------------------------------------------------------------------------------


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    # In a process of its own, whose files may not grow: a full disk answers in the same way.
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "spool-full",
        f'no space in "{tmp_path}": File too large',
        "free some space there, or name another folder with --spool",
        "[]",
        "this writer has thrown away what it held",
    ]


FULL = """
import resource, signal, sys
from pathlib import Path
from kcompliance.archive.spool import SpoolFull
from tests.archive.segments import page, small_writer

folder = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))
with small_writer(folder, segment_bytes=1 << 30) as writer:
    mark = writer.mark()
    try:
        writer.write(page(range(300)), 300)
    except SpoolFull as error:
        print(error.code, error.message, error.hint, list(folder.iterdir()), sep="\\n")
    writer.rollback(mark)
    try:
        writer.finish()
    except ValueError as error:
        print(error)
"""


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with small_writer(tmp_path / "gone") as writer, pytest.raises(SpoolError, match="gone"):
        writer.write(page(range(300)), 300)
