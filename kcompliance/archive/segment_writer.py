"""Writes events into segments: files of zstd frames, hashed while they are made.

Every frame holds whole lines, each with its line feed. A segment's record fits into a leaf.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import msgspec

from kcompliance.archive.spool import PARTIAL_PREFIX, PARTIAL_SUFFIX, SpoolError, spool_faults
from kcompliance.archive.zstd_frames import (
    LEVEL,
    MAX_FRAME_CONTENT,
    MAX_RATIO,
    SMALL_CONTENT,
    frame_compressor,
)
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import (
    MAX_INTEGER,
    EventsRoot,
    FilePartition,
    FileShare,
    IndexPartition,
    IndexShare,
)
from kcompliance.model.digest import Sha256

__all__ = ["EventTooLarge", "Mark", "SegmentWriter", "SpooledSegment", "share_of"]

_FRAME_BYTES: Final = 8 * 1024 * 1024
_SEGMENT_BYTES: Final = 64 * 1024 * 1024
# A record names frames and shares and has to fit into a leaf of 64 KiB: a frame takes at most
# 22 bytes, which leaves more than 8 KiB for the last share and for everything else.
_MAX_FRAMES: Final = 1000
_SHARE_BYTES: Final = 32 * 1024


class EventTooLarge(KcomplianceError):
    """An event does not fit into a frame."""

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "event-too-large"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledSegment:
    """A segment that is whole, in a file that its reader has to delete."""

    path: Path
    size: int
    sha256: Sha256
    content_size: int
    content_sha256: Sha256
    frames: tuple[tuple[int, int], ...]
    """Of each: its size, and the size of what it holds."""
    docs: int
    events_root: Sha256
    shares: tuple[IndexShare | FileShare, ...]
    first_event: datetime | None
    """Not after any event, and `last_event` not before any; None where the source does not say."""
    last_event: datetime | None


def share_of(partition: IndexPartition | FilePartition, docs: int) -> IndexShare | FileShare:
    """How a segment's record names a partition of which it holds so many events."""
    if isinstance(partition, FilePartition):
        return FileShare(file=partition.file, start=partition.start, end=partition.end, docs=docs)
    return IndexShare(
        index=partition.index, index_uuid=partition.index_uuid, shard=partition.shard, docs=docs
    )


@dataclass(slots=True)
class _Segment:
    """A segment in the making, but for its open file."""

    path: Path | None = None
    """None until its first frame is written."""
    size: int = 0
    digest: Any = field(default_factory=sha256)
    content_size: int = 0
    content_digest: Any = field(default_factory=sha256)
    frames: list[tuple[int, int]] = field(default_factory=list)
    root: EventsRoot = field(default_factory=EventsRoot)
    shares: dict[IndexShare | FileShare, int] = field(default_factory=dict)
    """Events of each, which is the share without its own number."""
    uncredited: int = 0
    first: datetime | None = None
    last: datetime | None = None
    pending: list[bytes] = field(default_factory=list)
    """Lines of the next frame."""
    pending_bytes: int = 0
    pending_docs: int = 0

    def copy(self) -> "_Segment":
        return replace(
            self,
            digest=self.digest.copy(),
            content_digest=self.content_digest.copy(),
            frames=list(self.frames),
            root=self.root.copy(),
            shares=dict(self.shares),
            pending=list(self.pending),
        )

    def credit(self, partition: IndexPartition | FilePartition) -> None:
        if self.uncredited:
            share = share_of(partition, 0)
            self.shares[share] = self.shares.get(share, 0) + self.uncredited
            self.uncredited = 0

    def see(self, first: datetime | None, last: datetime | None) -> None:
        if first is not None:
            self.first = first if self.first is None else min(self.first, first)
        if last is not None:
            self.last = last if self.last is None else max(self.last, last)

    def spooled(self) -> SpooledSegment:
        if self.path is None:
            raise ValueError("a segment without frames")
        return SpooledSegment(
            path=self.path,
            size=self.size,
            sha256=Sha256(self.digest.hexdigest()),
            content_size=self.content_size,
            content_sha256=Sha256(self.content_digest.hexdigest()),
            frames=tuple(self.frames),
            docs=self.root.size,
            events_root=Sha256(self.root.root.hex()),
            shares=tuple(replace(share, docs=docs) for share, docs in self.shares.items()),
            first_event=self.first,
            last_event=self.last,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What a writer held at a time; see `SegmentWriter.mark`."""

    closed: tuple[_Segment, ...]
    segment: _Segment
    settled: int


class SegmentWriter:
    """Writes the events of one window into as many segments as they need.

    For each part of the window: `mark`, `write` its pages, and `credit` it; or `rollback`, and
    the part was never there. As a context manager it deletes on leaving what `closed` and
    `finish` have not handed out. For one thread at a time. Raises `SpoolError`, and then holds
    nothing any more.

    `helper` compresses a frame while this thread hashes it, which is 1.6 times as fast where a
    core is idle; several writers may share one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        level: int = LEVEL,
        frame_bytes: int = _FRAME_BYTES,
        segment_bytes: int = _SEGMENT_BYTES,
        helper: Executor | None = None,
    ) -> None:
        if not 0 < frame_bytes <= MAX_FRAME_CONTENT:
            raise ValueError(f"frames of {frame_bytes} bytes: nobody would read them")
        self._folder = folder
        self._frame_bytes = frame_bytes
        self._segment_bytes = segment_bytes
        self._helper = helper
        self._compressor = frame_compressor(level)
        self._closed: list[_Segment] = []
        self._segment = _Segment()
        self._file: BinaryIO | None = None
        self._settled = 0
        self._is_dead = False

    # --- what to write ------------------------------------------------------------------------

    def write(
        self,
        lines: bytes,
        docs: int,
        *,
        first: datetime | None = None,
        last: datetime | None = None,
    ) -> None:
        """Append so many whole lines, each with its line feed; `first` and `last` bound them.

        ValueError where they are not, now or when their frame is made.
        """
        self._must_live()
        if not (lines.endswith(b"\n") if docs else not lines):
            raise _not_lines(docs)
        for piece in _pieces(lines, self._frame_bytes):
            if self._segment.pending_bytes + len(piece) > self._frame_bytes:
                self._flush()
            segment = self._segment
            segment.pending.append(piece)
            segment.pending_bytes += len(piece)
            piece_docs = docs if piece is lines else piece.count(b"\n")
            segment.pending_docs += piece_docs
            segment.uncredited += piece_docs
            segment.see(first, last)
            if segment.pending_bytes >= self._frame_bytes:
                self._flush()

    def mark(self) -> Mark:
        """What there is now, for `rollback`. It holds a frame's content at most."""
        return Mark(tuple(self._closed), self._segment.copy(), self._settled)

    def rollback(self, mark: Mark) -> None:
        """Forget everything since; as often as needed, but not what was credited or handed out.

        A writer that holds nothing any more after an error has forgotten it already.
        """
        if self._is_dead:
            return
        if mark.settled != self._settled:
            raise ValueError("what was credited or handed out since cannot be taken back")
        kept = {each.path for each in (*mark.closed, mark.segment)}
        with self._faults():
            self._close_file()
            _delete(each for each in (*self._closed, self._segment) if each.path not in kept)
            self._closed, self._segment = list(mark.closed), mark.segment.copy()
            if self._segment.path is not None:
                self._file = self._segment.path.open("r+b", buffering=0)
                self._file.truncate(self._segment.size)
                self._file.seek(self._segment.size)

    def credit(self, partition: IndexPartition | FilePartition) -> None:
        """Say whose the events are that were written since the last credit: it is final."""
        self._must_live()
        self._settled += 1
        for segment in (*self._closed, self._segment):
            segment.credit(partition)
        if sum(_share_bytes(share) for share in self._segment.shares) >= _SHARE_BYTES:
            self._flush()
            self._close()

    # --- what was written ---------------------------------------------------------------------

    def closed(self) -> tuple[SpooledSegment, ...]:
        """The segments that nothing is added to any more and whose events are all credited.

        They are the caller's from now on. Between `credit` and `mark`.
        """
        self._must_live()
        done = [each for each in self._closed if not each.uncredited]
        if done:
            self._settled += 1
            self._closed = [each for each in self._closed if each.uncredited]
        return tuple(each.spooled() for each in done)

    def finish(self) -> tuple[SpooledSegment, ...]:
        """As `closed`, with the last segment. The writer is then as new."""
        self._must_live()
        if any(each.uncredited for each in (*self._closed, self._segment)):
            raise ValueError("events were written that nobody has got the credit for")
        self._flush()
        self._close()
        return self.closed()

    def discard(self) -> None:
        """Delete everything that was not handed out; nothing can be written any more."""
        self._is_dead = True
        with suppress(OSError):
            self._close_file()
        _delete((*self._closed, self._segment))
        self._closed, self._segment = [], _Segment()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.discard()

    # --- frames -------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Make a frame of what is pending, and close the segment if that makes it full."""
        segment = self._segment
        if not segment.pending:
            return
        content = b"".join(segment.pending)
        docs = segment.root.size + segment.pending_docs
        segment.pending, segment.pending_bytes, segment.pending_docs = [], 0, 0
        compressed = self._compressing(content)
        try:
            segment.root.update_content(content)
            segment.content_digest.update(content)
        finally:
            frame = compressed()  # the compressor must not be in use when this is left
        if segment.root.size != docs:  # counted by the way: to count lines alone takes its time
            raise _not_lines(docs)
        self._append(frame)
        segment.content_size += len(content)
        segment.digest.update(frame)
        segment.size += len(frame)
        segment.frames.append((len(frame), len(content)))
        if self._is_full(segment):
            self._close()

    def _compressing(self, content: bytes) -> Callable[[], bytes]:
        """Call what this returns for the frame. zstd holds no lock of the interpreter."""
        if self._helper is None:
            return partial(self._compressor.compress, content)
        return self._helper.submit(self._compressor.compress, content).result

    def _is_full(self, segment: _Segment) -> bool:
        # Half of the ratio, a quarter of what is small: one more frame, even of a single event of
        # the greatest size, never makes a bomb of it.
        is_dense = (
            segment.content_size > SMALL_CONTENT // 4
            and segment.content_size > segment.size * (MAX_RATIO // 2)
        )
        return segment.size >= self._segment_bytes or len(segment.frames) >= _MAX_FRAMES or is_dense

    # --- files --------------------------------------------------------------------------------

    def _append(self, frame: bytes) -> None:
        with self._faults():
            if self._file is None:
                descriptor, name = tempfile.mkstemp(
                    prefix=PARTIAL_PREFIX, suffix=f".ndjson.zst{PARTIAL_SUFFIX}", dir=self._folder
                )
                self._segment.path = Path(name)
                self._file = os.fdopen(descriptor, "wb", buffering=0)
            # The disk may take a part of what it is given before it says that it is full.
            rest = memoryview(frame)
            while rest:
                rest = rest[self._file.write(rest) :]

    def _close(self) -> None:
        """Let the open segment be whole, if there is one."""
        if self._segment.path is not None:
            with self._faults():
                self._close_file()
            self._closed.append(self._segment)
            self._segment = _Segment()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Nothing half-written is left when the disk is full."""
        try:
            with spool_faults(self._folder):
                yield
        except SpoolError:
            self.discard()
            raise

    def _must_live(self) -> None:
        if self._is_dead:
            raise ValueError("this writer has thrown away what it held")


def _pieces(lines: bytes, limit: int) -> Iterator[bytes]:
    """Whole lines that fit into frames: a page larger than one is cut into about equal pieces."""
    count = -(-len(lines) // limit)
    size = -(-len(lines) // count) if count else 0
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", min(start + size, len(lines)) - 1) + 1
        if end - start > MAX_FRAME_CONTENT:  # because of its last line, which might fit alone
            end = (lines.rfind(b"\n", start, start + size) + 1) or end
        if end - start > MAX_FRAME_CONTENT:
            raise EventTooLarge(
                f"an event of {end - start:,} bytes: {MAX_FRAME_CONTENT:,} can be archived",
                "leave this event out with --filter",
            )
        yield lines if end - start == len(lines) else lines[start:end]
        start = end


def _not_lines(docs: int) -> ValueError:
    return ValueError(f"{docs} events are not so many whole lines")


def _share_bytes(share: IndexShare | FileShare) -> int:
    """At least what it takes in a record, whatever the number of its events."""
    return len(msgspec.json.encode(share)) + len(str(MAX_INTEGER))


def _delete(segments: Iterable[_Segment]) -> None:
    for each in segments:
        if each.path is not None:
            with suppress(OSError):
                each.path.unlink()
