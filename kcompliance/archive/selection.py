"""Which segments hold the events of a stretch of time, and what of it nobody archived.

Windows are taken whole: one that overlaps the stretch belongs to it with all its events. Windows
of a stream with a grid are half-open; those of files run from their first event to their last, so
both ends belong to them. Events without a time belong to every stretch that is open on both sides.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from kcompliance.archive.catalogue import ArchivedSegment, CataloguedStream, NotAsSigned
from kcompliance.ledger import (
    Fault,
    FilePartition,
    FindingCode,
    WindowRecord,
    format_time,
    parse_time,
)
from kcompliance.model.digest import Sha256

__all__ = ["Selection", "select"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Segments in the order of their windows, revisions after what they add to."""

    segments: tuple[ArchivedSegment, ...]
    incomplete: tuple[Fault, ...]
    """Holes inside the stretch and beyond what is archived, and what is there twice."""


def select(
    stream: CataloguedStream, start: datetime | None = None, end: datetime | None = None
) -> Selection:
    """The segments from `start` to before `end`; None: no bound.

    Raises `NotAsSigned` where a window names a segment that no record describes.
    """
    by_digest: defaultdict[Sha256, list[ArchivedSegment]] = defaultdict(list)
    for segment in stream.segments.values():
        by_digest[segment.record.sha256].append(segment)
    chosen: dict[str, ArchivedSegment] = {}
    for window in sorted(stream.windows, key=_order):
        if not _overlaps(window, start, end):
            continue
        for digest in window.segments:
            segment = _of_window(window, digest, by_digest[digest])
            chosen.setdefault(segment.record.key, segment)
    return Selection(
        segments=tuple(chosen.values()), incomplete=tuple(_incomplete(stream, start, end))
    )


_LEAST = datetime.min.replace(tzinfo=UTC)


def _order(window: WindowRecord) -> tuple[datetime, datetime, list[tuple[Sha256, int]], int]:
    """By time; of files that began at one time by file and place; then by revision."""
    places = [(p.file, p.start) for p in window.partitions if isinstance(p, FilePartition)]
    return window.start or _LEAST, window.end or _LEAST, places, window.rev


def _overlaps(window: WindowRecord, start: datetime | None, end: datetime | None) -> bool:
    if window.start is None or window.end is None:
        return start is None and end is None
    of_file = any(isinstance(part, FilePartition) for part in window.partitions)
    after = start is not None and (window.end < start if of_file else window.end <= start)
    before = end is not None and window.start >= end
    return not (after or before)


def _of_window(
    window: WindowRecord, digest: Sha256, segments: list[ArchivedSegment]
) -> ArchivedSegment:
    """Equal bytes may have been archived twice: then the one of this window."""
    if not segments:
        detail = f"a window names the segment {digest}, and no record describes it"
        fault = Fault(code=FindingCode.SEGMENT_MISSING, detail=detail, stream=window.stream)
        raise NotAsSigned(fault, f"{window.stream}: {detail}", "see: kcompliance verify")
    same = [each for each in segments if each.record.start == window.start]
    return (same or segments)[0]


# --- holes ------------------------------------------------------------------------------------

_TELLING = frozenset({FindingCode.WINDOW_GAP, FindingCode.WINDOW_OVERLAP})


def _incomplete(
    stream: CataloguedStream, start: datetime | None, end: datetime | None
) -> Iterator[Fault]:
    coverage = stream.coverage
    for fault in coverage.faults:
        if fault.code in _TELLING and _touches(fault, start, end):
            yield fault
    if stream.of_files:
        return
    first, last = coverage.start, coverage.end
    if first is None or last is None:
        if not stream.windows:
            yield _beyond(stream, start, end)
        return
    if start is not None and start < first:
        yield _beyond(stream, start, first if end is None else min(first, end))
    if end is not None and end > last:
        yield _beyond(stream, last if start is None else max(last, start), end)


def _touches(fault: Fault, start: datetime | None, end: datetime | None) -> bool:
    """Whether a hole may be inside: one of bytes of a file has no time, so it may."""
    first = parse_time(fault.start) if fault.start else None
    last = parse_time(fault.end) if fault.end else None
    if first is None or last is None:
        return True
    return (start is None or last > start) and (end is None or first < end)


def _beyond(stream: CataloguedStream, start: datetime | None, end: datetime | None) -> Fault:
    return Fault(
        code=FindingCode.WINDOW_GAP,
        detail="nothing is archived there",
        stream=stream.name,
        start=None if start is None else format_time(start),
        end=None if end is None else format_time(end),
    )
