"""Which time of a stream is archived, judged on its window records alone.

In which order windows were archived does not matter: June may come after July. Sorted by where
they begin they must tile: a hole is WINDOW_GAP, and what lies twice is WINDOW_OVERLAP. Revisions
of one window (late events) belong together and are counted through from 0. Windows of files tile
by byte within each file, from its first byte on. Events without a time form one window without
bounds.

Not judged here: whether a stream is there at all and recent enough, which needs a clock and the
trust file's word.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from kcompliance.ledger.findings import Fault, FindingCode
from kcompliance.ledger.names import StreamName
from kcompliance.ledger.records import FilePartition, WindowRecord, WindowStatus
from kcompliance.ledger.times import format_time
from kcompliance.model.digest import Sha256

__all__ = ["Coverage", "CoveredRange", "CoveredWindow", "coverage", "coverage_by_stream"]

Place = TypeVar("Place", datetime, int)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredWindow:
    """A window with all its revisions."""

    start: datetime | None
    end: datetime | None
    status: WindowStatus
    docs: int
    """Of all revisions."""
    late: int
    """How many revisions brought late events."""
    segments: tuple[Sha256, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredRange:
    """A range of bytes of a file."""

    file: Sha256
    name: str
    start: int
    end: int
    docs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is archived of a stream, and what is wrong with that."""

    stream: StreamName
    windows: tuple[CoveredWindow, ...]
    """Sorted by where they begin; the one without bounds, if any, first."""
    ranges: tuple[CoveredRange, ...]
    """Of files: sorted by file and place."""
    start: datetime | None
    """The earliest time of any window; of files the time of the first event."""
    end: datetime | None
    faults: tuple[Fault, ...]

    @property
    def gaps(self) -> tuple[Fault, ...]:
        """The faults that are holes."""
        return tuple(fault for fault in self.faults if fault.code is FindingCode.WINDOW_GAP)


def coverage_by_stream(windows: Iterable[WindowRecord]) -> tuple[Coverage, ...]:
    """The coverage of each stream that any of these windows is of, sorted by name."""
    streams: defaultdict[StreamName, list[WindowRecord]] = defaultdict(list)
    for window in windows:
        streams[window.stream].append(window)
    return tuple(coverage(stream, streams[stream]) for stream in sorted(streams))


def coverage(stream: StreamName, windows: Iterable[WindowRecord]) -> Coverage:
    """What these window records, all of this stream, cover."""
    records = list(windows)
    files: defaultdict[Sha256, list[CoveredRange]] = defaultdict(list)
    revisions: defaultdict[_Bounds, list[WindowRecord]] = defaultdict(list)
    for record in records:
        parts = [part for part in record.partitions if isinstance(part, FilePartition)]
        for part in parts:
            files[part.file].append(_range(part))
        # The times of a file's ranges may overlap, as its events do; its bytes may not.
        if not parts:
            revisions[record.start, record.end].append(record)
    groups = [
        sorted(revisions[bounds], key=lambda record: record.rev)
        for bounds in sorted(revisions, key=_order)
    ]
    covered = tuple(_window(group) for group in groups)
    ranges = [sorted(files[file], key=_place) for file in sorted(files)]
    bounded = [(each.start, each.end) for each in covered if each.start and each.end]
    faults = (
        *(fault for group in groups for fault in _group_faults(group)),
        *_tiling(stream, bounded, format_time),
        *(fault for parts in ranges for fault in _file_tiling(stream, parts)),
    )
    return Coverage(
        stream=stream,
        windows=covered,
        ranges=tuple(part for parts in ranges for part in parts),
        start=min((each.start for each in records if each.start), default=None),
        end=max((each.end for each in records if each.end), default=None),
        faults=faults,
    )


_Bounds = tuple[datetime | None, datetime | None]
_BEST_FIRST = (WindowStatus.SEALED, WindowStatus.EMPTY, WindowStatus.SOURCE_MISSING)


def _order(bounds: _Bounds) -> tuple[datetime, datetime]:
    first = datetime.min.replace(tzinfo=UTC)
    return bounds[0] or first, bounds[1] or first


def _place(part: CoveredRange) -> tuple[int, int]:
    return part.start, part.end


def _range(part: FilePartition) -> CoveredRange:
    return CoveredRange(
        file=part.file, name=part.name, start=part.start, end=part.end, docs=part.written
    )


def _window(revisions: Sequence[WindowRecord]) -> CoveredWindow:
    """One window out of its revisions: what one of them found, no other takes back.

    Except that a last revision by which a source is gone keeps the hole in sight: some of the
    window was read, and nobody knows what else there was.
    """
    gone = revisions[-1].status is WindowStatus.SOURCE_MISSING
    found = {revisions[-1].status} if gone else {record.status for record in revisions}
    return CoveredWindow(
        start=revisions[0].start,
        end=revisions[0].end,
        status=next(status for status in _BEST_FIRST if status in found),
        docs=sum(record.docs for record in revisions),
        late=sum(record.rev > 0 and record.docs > 0 for record in revisions),
        segments=tuple(segment for record in revisions for segment in record.segments),
    )


def _group_faults(revisions: Sequence[WindowRecord]) -> Iterator[Fault]:
    """What is wrong with the revisions of one window.

    One that is there twice may hold events twice, and one that is not there held some. A record
    that the source was gone keeps a hole in sight and closes nothing.
    """
    window = _window(revisions)
    bounds = (revisions[0].stream, _shown(window.start), _shown(window.end))
    numbers = Counter(record.rev for record in revisions)
    if twice := [number for number, count in numbers.items() if count > 1]:
        detail = f"the window's {_revisions(twice)} more than once"
        yield _fault(FindingCode.WINDOW_OVERLAP, detail, *bounds)
    # Counted, not listed: a record may name any revision, as high as integers go.
    if len(numbers) != revisions[-1].rev + 1:
        detail = f"of revisions 0 to {revisions[-1].rev} only {len(numbers)} are there"
        yield _fault(FindingCode.WINDOW_GAP, detail, *bounds)
    if window.status is WindowStatus.SOURCE_MISSING:
        detail = "the source, or a part of it, was gone before it was archived"
        yield _fault(FindingCode.WINDOW_GAP, detail, *bounds)


def _revisions(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return f"revision {shown} is there" if len(numbers) == 1 else f"revisions {shown} are there"


def _shown(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)


def _file_tiling(stream: StreamName, parts: Sequence[CoveredRange]) -> Iterator[Fault]:
    # The range of no bytes at the start makes a lost beginning a hole like any other.
    places = [(0, 0), *map(_place, parts)]
    for fault in _tiling(stream, places, str):
        yield replace(fault, detail=f"{parts[0].name}: {fault.detail}")


def _tiling(
    stream: StreamName, places: Sequence[tuple[Place, Place]], show: Callable[[Place], str]
) -> Iterator[Fault]:
    """The holes and overlaps of what is sorted by where it begins."""
    reach: Place | None = None
    for start, end in places:
        if reach is not None and start > reach:
            between = (show(reach), show(start))
            yield _fault(FindingCode.WINDOW_GAP, "no window covers this", stream, *between)
        if reach is not None and start < reach:
            between = (show(start), show(min(reach, end)))
            yield _fault(FindingCode.WINDOW_OVERLAP, "two windows cover this", stream, *between)
        reach = end if reach is None else max(reach, end)


def _fault(
    code: FindingCode, detail: str, stream: StreamName, start: str | None, end: str | None
) -> Fault:
    return Fault(code=code, detail=detail, stream=stream, start=start, end=end)
