"""Exports parts of a window: reads them from the source into segments, and stores those.

A job is the unit of parallel work. It has a source and a store to itself or shares them with
other threads; what it returns is plain data, so that it may as well run in another process.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from kcompliance.archive.interface import (
    FileRange,
    Page,
    Part,
    PartLost,
    PlannedWindow,
    Source,
    SourceError,
    SourceGone,
    Window,
)
from kcompliance.archive.segment_writer import SegmentWriter, SpooledSegment
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import (
    FilePartition,
    FileShare,
    IndexPartition,
    StreamName,
    segment_name,
)
from kcompliance.stores.interface import AlreadyThere, Store

__all__ = ["Job", "JobResult", "Meter", "StoredSegment", "divide", "export_job"]

Partition = IndexPartition | FilePartition

TRIES_FOR_A_PART: Final = 5
"""How often a part is read from its start when the context of the read gets lost."""

_BYTES_A_JOB: Final = 256 * 1024 * 1024
"""Of events: below that, parts of a window share a job and so a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Some parts of one window, whose events go into segments of their own."""

    number: int
    """Of the window in its unit."""
    first: int
    """The place of its first part among those of the window."""
    window: Window
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """A segment that is in the store, under this name and version."""

    spooled: SpooledSegment
    key: str
    version_id: str | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job has archived. With an error the parts that are not named were not archived."""

    job: Job
    partitions: tuple[Partition, ...]
    segments: tuple[StoredSegment, ...]
    gone: tuple[str, ...] = ()
    """What was deleted before it could be read, in words."""
    error: SourceError | None = None
    """Why this window cannot be sealed now; what was stored of it is of no use."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Is told what goes on; called by all threads of a run."""

    read: Callable[[int, int], None] = lambda docs, size: None
    """Events, and their bytes; negative for what has to be read again."""
    stored: Callable[[int], None] = lambda size: None


def divide(number: int, planned: PlannedWindow) -> Iterator[Job]:
    """The jobs of a window: large parts alone, small ones together."""
    parts: list[Part] = []
    first = size = 0
    for place, part in enumerate(planned.parts):
        estimate = part.bytes or 0
        if parts and size + estimate > _BYTES_A_JOB:
            yield Job(number=number, first=first, window=planned.window, parts=tuple(parts))
            parts, first, size = [], place, 0
        parts.append(part)
        size += estimate
    if parts:
        yield Job(number=number, first=first, window=planned.window, parts=tuple(parts))


def export_job(
    job: Job,
    *,
    source: Source,
    store: Store,
    stream: StreamName,
    spool: Path,
    retain_until: datetime | None,
    meter: Meter,
) -> JobResult:
    """Archive these parts. What is wrong with the source is in the result; the store raises."""
    partitions: list[Partition] = []
    gone: list[str] = []
    stored: list[StoredSegment] = []
    with SegmentWriter(spool) as writer:
        for part in job.parts:
            try:
                partition = _read(part, source, writer, meter)
            except SourceGone as error:
                gone.append(error.message)
                continue
            except SourceError as error:
                return JobResult(
                    job=job, partitions=(), segments=tuple(stored), gone=tuple(gone), error=error
                )
            # A shard without events is left out; of a file it is known how far it was read.
            if partition.written or isinstance(partition, FilePartition):
                partitions.append(partition)
            stored += _store(writer.closed(), job.window, store, stream, retain_until, meter)
        stored += _store(writer.finish(), job.window, store, stream, retain_until, meter)
    return JobResult(
        job=job, partitions=tuple(partitions), segments=tuple(stored), gone=tuple(gone)
    )


def _read(part: Part, source: Source, writer: SegmentWriter, meter: Meter) -> Partition:
    """Read one part, again from its start as often as its context gets lost."""
    for tries_left in reversed(range(TRIES_FOR_A_PART)):
        mark = writer.mark()
        docs = size = 0

        def write(page: Page) -> None:
            nonlocal docs, size
            writer.write(page.lines, page.docs, first=page.first, last=page.last)
            docs, size = docs + page.docs, size + len(page.lines)
            meter.read(page.docs, len(page.lines))

        try:
            partition = source.read(part, write)
            _check_count(part, partition, docs)
        except SourceError as error:
            writer.rollback(mark)
            meter.read(-docs, -size)
            if not isinstance(error, PartLost) or not tries_left:
                raise
        except BaseException:
            writer.rollback(mark)
            raise
        else:
            writer.credit(partition)
            return partition
    raise AssertionError("the last try returns or raises")


def _check_count(part: Part, partition: Partition, docs: int) -> None:
    if partition.written != docs or partition.expected != docs:
        raise PartLost(f"{_shown(part)}: {partition.expected} events were counted, {docs} came")


def _store(
    segments: Sequence[SpooledSegment],
    window: Window,
    store: Store,
    stream: StreamName,
    retain_until: datetime | None,
    meter: Meter,
) -> Iterator[StoredSegment]:
    try:
        for segment in segments:
            start, end = window.start, window.end
            if segment.shares and isinstance(segment.shares[0], FileShare):
                start, end = segment.first_event, segment.last_event
            key = segment_name(stream, start, segment.sha256)
            version = _put(store, key, segment, retain_until)
            meter.stored(segment.size)
            segment.path.unlink(missing_ok=True)
            yield StoredSegment(spooled=segment, key=key, version_id=version, start=start, end=end)
    finally:
        for segment in segments:
            segment.path.unlink(missing_ok=True)


def _put(
    store: Store, key: str, segment: SpooledSegment, retain_until: datetime | None
) -> str | None:
    try:
        return store.put_if_absent(
            key, segment.path, segment.sha256, retain_until=retain_until
        ).version_id
    except AlreadyThere as there:
        # The key names the content: a run before, or another one now, has put the very same.
        if not there.holds(segment.size, segment.sha256):
            raise KcomplianceError(
                f'"{key}" in "{store.url}" holds other bytes than its name says',
                "somebody wrote into the archive; see: kcompliance verify",
            ) from there
        version = store.head(key).version_id
        if retain_until is not None:
            store.retain(key, version, retain_until)
        return version


def _shown(part: Part) -> str:
    place = part.place
    return place.name if isinstance(place, FileRange) else f"{place.index} shard {place.shard}"
