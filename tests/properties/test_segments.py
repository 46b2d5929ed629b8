"""Laws of segments: what was written comes back, and no byte of it can be changed unseen."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kcompliance.archive.segment_reader import ObjectCheck, check_object, contents, events
from kcompliance.archive.segment_writer import SegmentWriter, SpooledSegment
from kcompliance.ledger import Fault, FindingCode, leaf_hash, merkle_root
from tests.archive.segments import file_partition, record_of, written

LINES = st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"\r"))
PAGES = st.lists(st.lists(LINES, max_size=8), max_size=6)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def text(page: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in page)


def checked(segments: tuple[SpooledSegment, ...]) -> tuple[list[bytes], int]:
    """The lines of these segments, each of which is good at every level."""
    lines: list[bytes] = []
    for each in segments:
        record, data = record_of(each), each.path.read_bytes()
        for deep in (False, True):
            assert isinstance(check_object(record, [data], lines=deep), ObjectCheck)
        mine = list(events(record, [data]))
        assert record.events_root == merkle_root([leaf_hash(line) for line in mine]).hex()
        plain = zstandard.ZstdDecompressor().stream_reader(
            io.BytesIO(data), read_across_frames=True
        )
        assert plain.read() == b"".join(contents(record, [data])) == text(mine)
        lines += mine
    return lines, sum(share.docs for each in segments for share in each.shares)


@settings(max_examples=60, deadline=None)
@given(
    # Parts: the pages of tries that are given up, and those of the one that counts.
    parts=st.lists(st.tuples(st.lists(PAGES, max_size=2), PAGES), max_size=5),
    frame_bytes=st.sampled_from([1, 30, 100, 1 << 20]),
    segment_bytes=st.sampled_from([1, 60, 200, 1 << 20]),
    takes=st.booleans(),
)
def test_what_was_not_rolled_back_comes_back(
    parts: list[tuple[list[list[list[bytes]]], list[list[bytes]]]],
    frame_bytes: int,
    segment_bytes: int,
    takes: bool,
) -> None:
    wanted = [line for _, pages in parts for page in pages for line in page]
    with (
        folder() as place,
        SegmentWriter(place, frame_bytes=frame_bytes, segment_bytes=segment_bytes) as writer,
    ):
        segments: tuple[SpooledSegment, ...] = ()
        for number, (tries, pages) in enumerate(parts):
            mark = writer.mark()
            for attempt in tries:
                for page in attempt:
                    writer.write(text(page), len(page))
                writer.rollback(mark)
            for page in pages:
                writer.write(text(page), len(page))
            docs = sum(len(page) for page in pages)
            writer.credit(file_partition(number, number + 1, docs))
            segments += writer.closed() if takes else ()
        segments += writer.finish()
        lines, credited = checked(segments)
        assert len(list(place.iterdir())) == len(segments)
    assert lines == wanted
    assert credited == len(wanted)


with folder() as _place:
    RECORD, DATA = written(_place, 60)


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, len(DATA) - 1), bits=st.integers(1, 255))
def test_no_byte_can_be_changed_unseen(place: int, bits: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= bits
    fault = check_object(RECORD, [bytes(changed)])
    assert isinstance(fault, Fault)
    assert fault.code is FindingCode.SEGMENT_MODIFIED


@settings(max_examples=200, deadline=None)
@given(start=st.integers(0, len(DATA)), end=st.integers(0, len(DATA)), more=st.binary(max_size=30))
def test_no_bytes_can_be_replaced_unseen(start: int, end: int, more: bytes) -> None:
    changed = DATA[:start] + more + DATA[end:]
    outcome = check_object(RECORD, [changed], lines=True)
    assert isinstance(outcome, ObjectCheck) == (changed == DATA)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise(data: bytes, begins_well: bool) -> None:
    start = DATA[:40] if begins_well else b""
    assert isinstance(check_object(RECORD, [start + data]), Fault)
