"""What is found in objects that somebody has changed, and in those that were signed as lies."""

import itertools
import random
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from kcompliance.archive.segment_reader import (
    ObjectCheck,
    ObjectDamaged,
    check_object,
    contents,
    events,
    read_metadata,
)
from kcompliance.archive.spool import SpoolError
from kcompliance.archive.zstd_frames import MAX_FRAME_CONTENT, SMALL_CONTENT
from kcompliance.errors import ExitCode
from kcompliance.ledger import (
    FileShare,
    FindingCode,
    MetadataRecord,
    SegmentRecord,
    format_time,
    metadata_name,
)
from kcompliance.model.digest import Sha256
from kcompliance.stores.interface import Unreachable
from tests.archive.segments import (
    event,
    frame_of,
    frames_of,
    page,
    signed_for,
    written,
)
from tests.ledger.samples import metadata

EVENTS = 100
MB = 1 << 20
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"extra"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SegmentRecord, bytes]:
    return written(tmp_path_factory.mktemp("made"), EVENTS)


@pytest.fixture
def record(made: tuple[SegmentRecord, bytes]) -> SegmentRecord:
    return made[0]


@pytest.fixture
def data(made: tuple[SegmentRecord, bytes]) -> bytes:
    return made[1]


def found(
    record: SegmentRecord, data: bytes, *, lines: bool = False
) -> tuple[FindingCode, str] | None:
    """The fault, which names the object; None where there is none."""
    outcome = check_object(record, [data], lines=lines)
    if isinstance(outcome, ObjectCheck):
        return None
    assert (outcome.object, outcome.stream) == (record.key, record.stream)
    assert record.start is not None
    assert outcome.start == format_time(record.start)
    return outcome.code, outcome.detail


@pytest.fixture
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 24 * MB
    finally:
        tracemalloc.stop()


# --- good ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 500, 1 << 20])
@pytest.mark.parametrize("lines", [False, True], ids=["level 3", "level 4"])
def test_a_good_segment(record: SegmentRecord, data: bytes, size: int, lines: bool) -> None:
    pieces = (data[start : start + size] for start in range(0, len(data), size))

    assert check_object(record, pieces, lines=lines) == ObjectCheck(
        size=len(data), content_size=len(page(range(EVENTS))), docs=EVENTS if lines else None
    )


def test_events_come_back(record: SegmentRecord, data: bytes, tmp_path: Path) -> None:
    lines = list(events(record, [data[:99], data[99:]], folder=tmp_path))

    assert lines == [event(number) for number in range(EVENTS)]
    assert b"".join(contents(record, [data])) == page(range(EVENTS))
    assert not list(tmp_path.iterdir())


# --- modified, truncated, trailing data -----------------------------------------------------------


@pytest.mark.parametrize("place", [0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("lines", [False, True], ids=["level 3", "level 4"])
def test_a_flipped_bit(record: SegmentRecord, data: bytes, place: float, lines: bool) -> None:
    at = int(place * len(data))
    changed = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]

    code = found(record, changed, lines=lines)
    assert code is not None
    assert code[0] is FindingCode.SEGMENT_MODIFIED
    assert "recompressed" not in code[1]


def cuts(record: SegmentRecord) -> dict[str, int]:
    first, second = (size for size, _ in record.frames[:2])
    return {
        "to nothing": 0,
        "to a byte": 1,
        "in the first header": 7,
        "in the first frame": first // 2,
        "before its checksum": first - 4,
        "in its checksum": first - 1,
        "at the end of the first frame": first,
        "after it": first + 1,
        "at the end of the second": first + second,
        "in the last checksum": record.size - 1,
    }


@pytest.mark.parametrize("cut", cuts(signed_for([b"x", b"y"], [1, 1], b"xy")))
def test_a_truncated_object(record: SegmentRecord, data: bytes, cut: str) -> None:
    size = cuts(record)[cut]
    fault = (FindingCode.SEGMENT_TRUNCATED, f"it ends after {size} bytes")
    assert found(record, data[:size]) == fault


@pytest.mark.parametrize(
    "more",
    [b"\n", page([7]), frame_of(page([7])), frame_of(b""), SKIPPABLE, b"\x28\xb5\x2f\xfd", b"\0"],
    ids=["lf", "lines", "frame", "empty frame", "skippable frame", "half a frame", "nul"],
)
def test_data_after_the_end(record: SegmentRecord, data: bytes, more: bytes) -> None:
    fault = found(record, data + more)
    assert fault is not None
    assert fault[0] is FindingCode.SEGMENT_TRAILING_DATA
    assert str(len(data)) in fault[1]


def one_frame(content: bytes) -> bytes:
    return frame_of(content, level=9)


def other_level(content: bytes) -> bytes:
    return b"".join(
        frame_of(content[start : start + 700], level=1) for start in range(0, len(content), 700)
    )


def streamed(content: bytes) -> bytes:
    return frame_of(content, content_size=False)


def stored(content: bytes) -> bytes:
    """Blocks as they are: larger than the object was."""
    noise = zstandard.ZstdCompressionParameters(strategy=zstandard.STRATEGY_FAST, min_match=7)
    small = [
        zstandard.ZstdCompressor(compression_params=noise).compress(content[at : at + 90])
        for at in range(0, len(content), 90)
    ]
    return b"".join(small)


def with_a_skippable_frame(content: bytes) -> bytes:
    return SKIPPABLE + frame_of(content)


@pytest.mark.parametrize(
    "again", [one_frame, other_level, streamed, stored, with_a_skippable_frame]
)
def test_recompressed(record: SegmentRecord, data: bytes, again: Callable[[bytes], bytes]) -> None:
    changed = again(page(range(EVENTS)))
    assert changed != data
    assert found(record, changed) == (
        FindingCode.SEGMENT_MODIFIED,
        "recompressed: its content is as recorded",
    )


def test_frames_in_another_order(record: SegmentRecord, data: bytes) -> None:
    frames = frames_of(record, data)
    fault = found(record, b"".join([frames[1], frames[0], *frames[2:]]))
    assert fault is not None
    assert fault[0] is FindingCode.SEGMENT_MODIFIED


def test_frames_of_one_size_in_another_order() -> None:
    # Each frame is as recorded for its place, but for what it holds.
    frames = [frame_of(b'{"_id":"%d"}\n' % number) for number in (1, 2)]
    record = signed_for(frames, [12, 12], b'{"_id":"1"}\n{"_id":"2"}\n')
    assert found(record, frames[0] + frames[1], lines=True) is None
    assert found(record, frames[1] + frames[0]) == (
        FindingCode.SEGMENT_MODIFIED,
        "its bytes and its content are not as recorded",
    )


@pytest.mark.parametrize("count", [1, 20, 99, 500], ids="{} events".format)
def test_another_segment_in_its_place(record: SegmentRecord, tmp_path: Path, count: int) -> None:
    _, other = written(tmp_path, count)
    fault = found(record, other)
    assert fault is not None
    # What begins with the same frames and ends early has been cut, as far as anybody can tell.
    assert fault[0] is FindingCode.SEGMENT_MODIFIED


@pytest.mark.parametrize(
    "other",
    [
        b"not zstd at all" * 1000,
        b"\x28\xb5\x2f\xfd" + b"\xff" * 4000,
        SKIPPABLE * 4000,
        bytes(9999),
        SKIPPABLE[:5],
        frame_of(bytes(1 << 20))[:20],
        frame_of(bytes(1 << 20), content_size=False)[:-6],
    ],
    ids=["text", "broken", "skippable", "zeros", "half skippable", "more", "more unsaid"],
)
def test_something_else_in_its_place(record: SegmentRecord, other: bytes) -> None:
    fault = found(record, other)
    assert fault is not None
    assert fault[0] is FindingCode.SEGMENT_MODIFIED


def test_an_object_without_end(record: SegmentRecord, data: bytes) -> None:
    for endless in (itertools.repeat(SKIPPABLE), itertools.repeat(frame_of(b""))):
        outcome = check_object(record, endless)
        assert not isinstance(outcome, ObjectCheck)
        assert outcome.code is FindingCode.SEGMENT_MODIFIED
    outcome = check_object(record, itertools.chain([data], itertools.repeat(b"more")))
    assert not isinstance(outcome, ObjectCheck)
    assert outcome.code is FindingCode.SEGMENT_TRAILING_DATA


def test_what_reading_raises_is_passed_on(record: SegmentRecord, data: bytes) -> None:
    def breaks() -> Iterator[bytes]:
        yield data[:1000]
        raise Unreachable("no answer")

    with pytest.raises(Unreachable):
        check_object(record, breaks())


# --- signed, and wrong ----------------------------------------------------------------------------


def test_lines_in_another_order_than_the_root_says() -> None:
    content, other = page(range(9)), page([1, 0, *range(2, 9)])
    data = frame_of(other)
    record = replace(
        signed_for([data], [len(other)], other),
        events_root=signed_for([data], [len(other)], content).events_root,
    )
    assert found(record, data) is None
    assert found(record, data, lines=True) == (
        FindingCode.EVENTS_ROOT,
        "its lines do not hash to the recorded root",
    )


@pytest.mark.parametrize("docs", [8, 10])
def test_another_number_of_lines(docs: int) -> None:
    content = page(range(9))
    record = signed_for([frame_of(content)], [len(content)], content, docs=docs)
    assert found(record, frame_of(content), lines=True) == (
        FindingCode.EVENTS_ROOT,
        f"it has 9 lines, and {docs} are recorded",
    )


@pytest.mark.parametrize("lines", [False, True], ids=["level 3", "level 4"])
def test_a_frame_ends_with_a_line(lines: bool) -> None:
    content = page(range(9))
    halves = [content[:100], content[100:]]
    frames = [frame_of(half) for half in halves]
    record = signed_for(frames, [len(half) for half in halves], content)
    assert found(record, b"".join(frames), lines=lines) == (
        FindingCode.EVENTS_ROOT,
        "its bytes are as recorded, but in frame 0 the last line has no line feed",
    )


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b'{"a":', b'{"a":1}}', b"null", b'{"a":1} {"b":2}', b'{"a":"\x01"}', b"{'a':1}"],
)
def test_lines_of_an_index_are_json_objects(line: bytes) -> None:
    content = page([1]) + line + b"\n" + page([2])
    record = signed_for([frame_of(content)], [len(content)], content)
    assert found(record, frame_of(content)) is None
    assert found(record, frame_of(content), lines=True) == (
        FindingCode.EVENTS_ROOT,
        "its bytes are as recorded, but in frame 0 line 2 of the segment is no JSON object",
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"n":123456789012345678901234567890,"e":1e999}',
        b'{"a":' + b"[" * 9999 + b"]" * 9999 + b"}",
    ],
    ids=["numbers", "very deep"],
)
def test_json_that_is_hard_to_read_is_no_fault(line: bytes) -> None:
    content = line + b"\n"
    record = signed_for([frame_of(content)], [len(content)], content)
    assert found(record, frame_of(content), lines=True) is None


def test_lines_of_a_file_are_what_they_are() -> None:
    content = b'{"half":\n\nnot json\n'
    record = signed_for([frame_of(content)], [len(content)], content)
    share = FileShare(file=record.sha256, start=0, end=len(content), docs=3)
    record = replace(record, source=replace(record.source, shares=(share,)))
    assert found(record, frame_of(content), lines=True) is None


def test_a_content_that_is_not_the_recorded_one() -> None:
    content = page(range(9))
    record = signed_for([frame_of(content)], [len(content)], page(range(1, 10)))
    assert found(record, frame_of(content)) == (
        FindingCode.SEGMENT_MODIFIED,
        "its bytes are as recorded, but they hold another content",
    )


@pytest.mark.parametrize(
    ("bend", "detail"),
    [
        (lambda frame: frame + b"\0", "does not decompress"),
        (lambda frame: frame + SKIPPABLE, "does not decompress"),
        (lambda frame: frame[:-1], "does not decompress"),
        (lambda frame: frame[:-1] + b"\0", "does not decompress"),
        (lambda frame: SKIPPABLE + frame, "is no zstd frame"),
        (lambda frame: b"\n" * len(page(range(9))), "is no zstd frame"),
        (lambda frame: frame_of(page(range(8))), "claims to hold"),
        (lambda frame: frame_of(page(range(8)), content_size=False), "holds"),
    ],
    ids=["a byte", "skippable after", "cut", "checksum", "before", "raw", "less", "less unsaid"],
)
def test_signed_frames_are_exactly_what_is_recorded(
    bend: Callable[[bytes], bytes], detail: str
) -> None:
    content = page(range(9))
    bent = bend(frame_of(content))
    record = signed_for([bent], [len(content)], content)
    fault = found(record, bent)
    assert fault is not None
    assert fault[0] is FindingCode.SEGMENT_MODIFIED
    assert fault[1].startswith(f"its bytes are as recorded, but frame 0 {detail}")


# --- bombs ---------------------------------------------------------------------------------------


def zeros(size: int, *, window_log: int = 0, content_size: bool = True) -> bytes:
    """A frame of so many zeros, made piece by piece."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1, window_log=window_log or 19, write_content_size=content_size
    )
    made = zstandard.ZstdCompressor(compression_params=parameters).compressobj(
        size=size if content_size else -1
    )
    piece = bytes(MB)
    parts = [made.compress(piece[: min(MB, size - at)]) for at in range(0, size, MB)]
    return b"".join([*parts, made.flush()])


def lying(size: int, claimed: int) -> bytes:
    """A frame of so many zeros whose header claims other than that."""
    frame = zeros(size)
    true, false = size.to_bytes(4, "little"), claimed.to_bytes(4, "little")
    assert frame[6:10] == true
    return frame[:6] + false + frame[10:]


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        (zeros(512 * MB), "claims to hold 536870912 bytes, not 1000"),
        (zeros(512 * MB, content_size=False), "holds more than 1000 bytes"),
        (zeros(1000, window_log=27, content_size=False), "needs a window of 134217728 bytes"),
    ],
    ids=["claimed", "unsaid", "window"],
)
def test_a_signed_bomb(frame: bytes, detail: str) -> None:
    record = signed_for([frame], [1000], bytes(1000))
    assert found(record, frame) == (
        FindingCode.BOMB,
        f"its bytes are as recorded, but frame 0 {detail}",
    )


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("size", [MB, 512 * MB])
def test_a_signed_frame_whose_header_lies(size: int) -> None:
    frame = lying(size, 70_000)
    fault = found(signed_for([frame], [70_000], bytes(70_000)), frame)
    assert fault is not None
    assert fault == (
        FindingCode.SEGMENT_MODIFIED,
        "its bytes are as recorded, but frame 0 does not decompress",
    )


def never() -> Iterator[bytes]:
    pytest.fail("it was read")
    yield b""  # type: ignore[unreachable]  # it makes this an iterator


@pytest.mark.parametrize(
    ("size", "content_size"),
    [
        (50_000, MAX_FRAME_CONTENT + 1),
        (50_000, 1 << 50),
        (1 << 50, 1000),
        (1, SMALL_CONTENT),
    ],
    ids=["a frame too large", "a petabyte", "a petabyte compressed", "a byte"],
)
def test_what_is_declared_and_insane_is_not_even_read(size: int, content_size: int) -> None:
    record = signed_for([b"x"], [1], b"x")
    record = replace(record, size=size, content_size=content_size, frames=((size, content_size),))
    outcome = check_object(record, never())
    assert not isinstance(outcome, ObjectCheck)
    assert outcome.code is FindingCode.BOMB


def test_many_frames_make_a_bomb_too() -> None:
    record = signed_for([b"x"], [1], b"x")
    frame = (10_000, MAX_FRAME_CONTENT)
    record = replace(
        record, size=30_000, content_size=3 * MAX_FRAME_CONTENT, frames=(frame, frame, frame)
    )
    outcome = check_object(record, never())
    assert not isinstance(outcome, ObjectCheck)
    assert outcome.code is FindingCode.BOMB


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    "bomb",
    [zeros(1024 * MB), zeros(1024 * MB, content_size=False), zeros(8 * MB) * 5000],
    ids=["one frame", "unsaid", "many frames"],
)
def test_a_bomb_in_place_of_an_object(record: SegmentRecord, bomb: bytes) -> None:
    assert found(record, bomb) == (
        FindingCode.BOMB,
        "more than 1000 times as much comes out of it",
    )


def test_a_bomb_is_not_read_to_its_end(record: SegmentRecord) -> None:
    count = itertools.count()
    bomb = zeros(8 * MB)
    outcome = check_object(record, (bomb for _ in count))
    assert not isinstance(outcome, ObjectCheck)
    assert outcome.code is FindingCode.BOMB
    assert next(count) < 200


def test_what_compresses_well_in_place_of_an_object_is_no_bomb(record: SegmentRecord) -> None:
    noise = random.Random(1)
    other = frame_of(b"".join(noise.randbytes(1000) + bytes(99_000) for _ in range(700)))
    fault = found(record, other)
    assert fault is not None
    assert fault[0] is FindingCode.SEGMENT_MODIFIED


@pytest.mark.usefixtures("little_memory")
def test_a_window_in_place_of_an_object(record: SegmentRecord) -> None:
    fault = found(record, zeros(MB, window_log=27, content_size=False) + bytes(9000))
    assert fault is not None
    assert fault[0] is FindingCode.BOMB


def test_memory_is_that_of_one_frame() -> None:
    noise = random.Random(1)
    parts = [b'{"a":"%s"}\n' % noise.randbytes(MB // 2).hex().encode() for _ in range(12)]
    frames = [frame_of(part) for part in parts]
    record = signed_for(frames, [len(part) for part in parts], b"".join(parts))
    tracemalloc.start()
    try:
        assert isinstance(check_object(record, iter(frames), lines=True), ObjectCheck)
        assert tracemalloc.get_traced_memory()[1] < 4 * MB
    finally:
        tracemalloc.stop()


# --- handing out ---------------------------------------------------------------------------------


def test_nothing_of_a_damaged_segment_is_handed_out(
    record: SegmentRecord, data: bytes, tmp_path: Path
) -> None:
    changed = data[:-9] + b"\0" + data[-8:]
    for read in (events, contents):
        with pytest.raises(ObjectDamaged) as damaged:
            next(read(record, [changed], folder=tmp_path))
        assert damaged.value.exit_code is ExitCode.FINDINGS
        assert damaged.value.fault.code is FindingCode.SEGMENT_MODIFIED
        assert record.key in damaged.value.message
        assert "SEGMENT_MODIFIED" in damaged.value.message
        assert damaged.value.code == "object-damaged"
    assert not list(tmp_path.iterdir())


def test_a_folder_for_the_copy_that_is_not_there(
    record: SegmentRecord, data: bytes, tmp_path: Path
) -> None:
    with pytest.raises(SpoolError, match="gone"):
        next(events(record, [data], folder=tmp_path / "gone"))


# --- metadata ------------------------------------------------------------------------------------

SETTINGS = b'{"indices":{}}' * 100


def metadata_record(data: bytes, content: bytes = SETTINGS) -> MetadataRecord:
    digest = Sha256(sha256(data).hexdigest())
    return replace(
        metadata(),
        key=metadata_name(digest),
        size=len(data),
        sha256=digest,
        content_size=len(content),
        content_sha256=Sha256(sha256(content).hexdigest()),
    )


def test_metadata_comes_back() -> None:
    data = frame_of(SETTINGS)
    assert read_metadata(metadata_record(data), [data[:9], data[9:]]) == SETTINGS


@pytest.mark.parametrize(
    "bend",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: frame_of(SETTINGS, level=9, content_size=False),
        lambda data: data[:20] + b"\xff" + data[21:],
    ],
    ids=["cut", "nothing", "more", "recompressed", "flipped"],
)
def test_modified_metadata(bend: Callable[[bytes], bytes]) -> None:
    data = frame_of(SETTINGS)
    record = metadata_record(data)
    outcome = read_metadata(record, [bend(data)])
    assert not isinstance(outcome, bytes)
    assert outcome.code is FindingCode.METADATA_MODIFIED
    assert outcome.object == record.key


@pytest.mark.usefixtures("little_memory")
def test_a_bomb_as_metadata() -> None:
    bomb = zeros(256 * MB)
    for record in (metadata_record(bomb), metadata_record(frame_of(SETTINGS))):
        outcome = read_metadata(record, [bomb])
        assert not isinstance(outcome, bytes)
        assert outcome.code is FindingCode.BOMB
