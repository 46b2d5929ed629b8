"""The windows of all streams: what they cover, and whether their segments add up.

A stream of years has very many windows. They are kept as rows of numbers and become records
again one stream at a time; ranges of a file that follow each other are kept as one.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from kcompliance.ledger import (
    Coverage,
    Fault,
    FilePartition,
    FindingCode,
    SegmentRecord,
    StreamName,
    WindowRecord,
    WindowStatus,
    coverage,
    format_time,
    segment_name,
)
from kcompliance.model.digest import Sha256

__all__ = ["StreamWindows", "Windows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STATUS = tuple(WindowStatus)


@dataclass(slots=True)
class StreamWindows:
    """The windows of one stream."""

    stream: StreamName
    is_bound: bool = False
    """Whether a stream record names it."""
    files: int = 0
    """How many windows are ranges of files."""
    docs: int = 0
    _rows: "array[int]" = field(default_factory=lambda: array("q"))
    """Start, end, revision, status, docs of each window with a time."""
    _timeless: list[WindowRecord] = field(default_factory=list)
    _ranges: dict[Sha256, list[FilePartition]] = field(default_factory=dict)
    _first: datetime | None = None
    """Of the events in files."""
    _last: datetime | None = None

    def add(self, record: WindowRecord) -> None:
        """Take one more window."""
        self.docs += record.docs
        parts = [part for part in record.partitions if isinstance(part, FilePartition)]
        if parts:
            self.files += 1
            self._see(record.start, record.end)
            for part in parts:
                self._add_range(part)
        elif record.start is None or record.end is None:
            self._timeless.append(replace(record, segments=(), partitions=()))
        else:
            row = (
                (record.start - _EPOCH) // _MICROSECOND,
                (record.end - _EPOCH) // _MICROSECOND,
                record.rev,
                _STATUS.index(record.status),
                record.docs,
            )
            self._rows.extend(row)

    @property
    def coverage(self) -> Coverage:
        """What the ledger says of these windows."""
        return coverage(self.stream, self._records())

    def _see(self, start: datetime | None, end: datetime | None) -> None:
        if start is not None and end is not None:
            self._first = start if self._first is None else min(self._first, start)
            self._last = end if self._last is None else max(self._last, end)

    def _add_range(self, part: FilePartition) -> None:
        ranges = self._ranges.setdefault(part.file, [])
        if ranges and ranges[-1].end == part.start:
            before = ranges[-1]
            ranges[-1] = replace(
                before,
                end=part.end,
                expected=before.expected + part.expected,
                written=before.written + part.written,
            )
        else:
            ranges.append(part)

    def _records(self) -> Iterator[WindowRecord]:
        yield from self._timeless
        for at in range(0, len(self._rows), 5):
            start, end, rev, status, docs = self._rows[at : at + 5]
            yield WindowRecord(
                stream=self.stream,
                start=_EPOCH + start * _MICROSECOND,
                end=_EPOCH + end * _MICROSECOND,
                rev=rev,
                status=_STATUS[status],
                docs=docs,
                segments=(),
                partitions=(),
            )
        ranges = tuple(part for parts in self._ranges.values() for part in parts)
        if ranges:
            yield WindowRecord(
                stream=self.stream,
                start=self._first,
                end=self._last,
                rev=0,
                status=WindowStatus.SEALED,
                docs=sum(part.written for part in ranges),
                segments=(),
                partitions=ranges,
            )


@dataclass(slots=True)
class _Claim:
    """A window some of whose segments were not met yet."""

    record: WindowRecord
    log_key: str
    waits_for: set[Sha256]
    docs: int = 0


_Segment = tuple[StreamName, Sha256]


class Windows:
    """All streams, and the segments that no window has named yet."""

    def __init__(self) -> None:
        self.streams: dict[StreamName, StreamWindows] = {}
        self.faults: list[Fault] = []
        # One name may stand for several, each in a window of its own: equal bytes, as of lines
        # that a file holds twice.
        self._unclaimed: dict[_Segment, list[SegmentRecord]] = {}
        self._claims: dict[_Segment, list[_Claim]] = {}

    def bind(self, stream: StreamName) -> None:
        """A stream record names this stream."""
        self._of(stream).is_bound = True

    def add_segment(self, record: SegmentRecord) -> None:
        """A segment was committed."""
        name = (record.stream, record.sha256)
        claims = self._claims.get(name, [])
        claim = next((each for each in claims if _is_of(record, each.record)), None)
        claim = claim or next(iter(claims), None)
        if claim is None:
            self._unclaimed.setdefault(name, []).append(record)
            return
        claims.remove(claim)
        if not claims:
            del self._claims[name]
        self._give(claim, record)

    def add(self, record: WindowRecord, log_key: str) -> None:
        """A window was committed, with segments that may come later in the log."""
        self._of(record.stream).add(record)
        claim = _Claim(replace(record, partitions=record.partitions[:1]), log_key, set())
        claim.waits_for.update(record.segments)
        for digest in record.segments:
            name = (record.stream, digest)
            segments = self._unclaimed.get(name, [])
            segment = next((each for each in segments if _is_of(each, record)), None)
            segment = segment or next(iter(segments), None)
            if segment is None:
                self._claims.setdefault(name, []).append(claim)
                continue
            segments.remove(segment)
            if not segments:
                del self._unclaimed[name]
            self._give(claim, segment)

    def unmet(self) -> Iterator[Fault]:
        """Segments that a window names and no record brings in."""
        for (stream, digest), claims in self._claims.items():
            for claim in claims:
                start, end = _bounds(claim.record)
                yield Fault(
                    code=FindingCode.SEGMENT_MISSING,
                    detail=f"a window in {claim.log_key} names it, and no record brings it in",
                    object=segment_name(stream, claim.record.start, digest),
                    stream=stream,
                    start=start,
                    end=end,
                )

    def _of(self, stream: StreamName) -> StreamWindows:
        return self.streams.setdefault(stream, StreamWindows(stream))

    def _give(self, claim: _Claim, segment: SegmentRecord) -> None:
        window = claim.record
        claim.waits_for.discard(segment.sha256)
        claim.docs += segment.docs
        if not _is_of(segment, window):
            self._contradicts(claim, f"the segment {segment.sha256} is of another window")
        elif not claim.waits_for and claim.docs != window.docs:
            self._contradicts(
                claim, f"{window.docs} events were counted, but its segments hold {claim.docs}"
            )

    def _contradicts(self, claim: _Claim, detail: str) -> None:
        start, end = _bounds(claim.record)
        self.faults.append(
            Fault(
                code=FindingCode.LEAF_MALFORMED,
                detail=f"the record of a window contradicts others: {detail}",
                object=claim.log_key,
                stream=claim.record.stream,
                start=start,
                end=end,
            )
        )


def _is_of(segment: SegmentRecord, window: WindowRecord) -> bool:
    """Whether it says to be of this window; segments of files have bounds of their own."""
    if any(isinstance(part, FilePartition) for part in window.partitions):
        return True
    return (segment.start, segment.end) == (window.start, window.end)


def _bounds(record: WindowRecord) -> tuple[str | None, str | None]:
    return (
        None if record.start is None else format_time(record.start),
        None if record.end is None else format_time(record.end),
    )
