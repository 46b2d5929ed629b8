"""Segments for tests: events, writers with small frames, and records that fit."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import zstandard

from kcompliance.archive.segment_writer import SegmentWriter, SpooledSegment
from kcompliance.ledger import (
    EventsRoot,
    FilePartition,
    IndexPartition,
    SegmentRecord,
    decode_record,
    encode_record,
    segment_name,
)
from kcompliance.ledger.records import IndexShare
from kcompliance.model.digest import Sha256
from tests.ledger.samples import STREAM, segment

FRAME = 2_000
"""Bytes of content in a frame of a small writer."""


def event(number: int) -> bytes:
    """A line without its line feed. No two are alike, and zstd finds little in them."""
    noise = sha256(b"%d" % number).hexdigest()
    return b'{"_index":"audit","_id":"%d","_source":{"auditID":"%s"}}' % (number, noise.encode())


def page(numbers: Iterable[int]) -> bytes:
    return b"".join(event(number) + b"\n" for number in numbers)


def index_partition(shard: int = 0, docs: int = 1, *, index: str = "audit") -> IndexPartition:
    return IndexPartition(
        index=index, index_uuid="f3Kz", shard=shard, expected=docs, written=docs, max_seq_no=9
    )


def file_partition(start: int, end: int, docs: int) -> FilePartition:
    return FilePartition(
        file=Sha256("0" * 64), name="a", start=start, end=end, expected=docs, written=docs
    )


def small_writer(folder: Path, *, segment_bytes: int = 3_000) -> SegmentWriter:
    """Frames of about 20 events and, unless told otherwise, segments of about 4 frames."""
    return SegmentWriter(folder, frame_bytes=FRAME, segment_bytes=segment_bytes)


def written(folder: Path, events: int = 100) -> tuple[SegmentRecord, bytes]:
    """A segment of some frames: its record and its bytes."""
    with small_writer(folder, segment_bytes=1 << 30) as writer:
        writer.write(page(range(events)), events)
        writer.credit(index_partition(docs=events))
        (spooled,) = writer.finish()
    return record_of(spooled), spooled.path.read_bytes()


def record_of(spooled: SpooledSegment) -> SegmentRecord:
    """A record that the ledger takes."""
    base = segment()
    record = replace(
        base,
        key=segment_name(STREAM, base.start, spooled.sha256),
        size=spooled.size,
        sha256=spooled.sha256,
        content_size=spooled.content_size,
        content_sha256=spooled.content_sha256,
        frames=spooled.frames,
        docs=spooled.docs,
        events_root=spooled.events_root,
        source=replace(base.source, shares=spooled.shares),
    )
    assert decode_record(encode_record(record)) == record
    return record


def signed_for(
    frames: Sequence[bytes], sizes: Sequence[int], content: bytes, *, docs: int | None = None
) -> SegmentRecord:
    """What an archive could say of these frames whose key holder lies as they like."""
    data = b"".join(frames)
    lines = content.split(b"\n")[:-1]
    root = EventsRoot()
    root.update(lines)
    docs = max(1, len(lines)) if docs is None else docs
    digest = Sha256(sha256(data).hexdigest())
    base = segment()
    shares = (IndexShare(index="audit", index_uuid="f3Kz", shard=0, docs=docs),)
    record = replace(
        base,
        key=segment_name(STREAM, base.start, digest),
        size=len(data),
        sha256=digest,
        content_size=sum(sizes),
        content_sha256=Sha256(sha256(content).hexdigest()),
        frames=tuple((len(frame), size) for frame, size in zip(frames, sizes, strict=True)),
        docs=docs,
        events_root=Sha256(root.root.hex()),
        source=replace(base.source, shares=shares),
    )
    assert decode_record(encode_record(record)) == record
    return record


def frame_of(content: bytes, *, level: int = 3, content_size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(
        level=level, write_checksum=True, write_content_size=content_size
    ).compress(content)


def frames_of(record: SegmentRecord, data: bytes) -> list[bytes]:
    """The recorded frames of an object."""
    frames, start = [], 0
    for size, _ in record.frames:
        frames.append(data[start : start + size])
        start += size
    return frames
