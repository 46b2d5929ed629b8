"""The records of what a run has archived: segments, and the windows that they make up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kcompliance.archive.export import JobResult, StoredSegment
from kcompliance.archive.interface import PlannedWindow, SourceError
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import (
    FilePartition,
    IndexPartition,
    Period,
    SegmentRecord,
    SegmentSource,
    StreamName,
    StreamRecord,
    WindowRecord,
    WindowStatus,
)
from kcompliance.model.digest import Sha256

__all__ = ["ArchivedResult", "joined", "retained_until", "segment_records", "window_records"]

_PARTITIONS_A_RECORD = 400
"""Of a window; more might not fit into a leaf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedResult:
    """All that was done for one window."""

    planned: PlannedWindow
    partitions: tuple[IndexPartition | FilePartition, ...]
    segments: tuple[StoredSegment, ...]
    gone: tuple[str, ...]
    error: SourceError | None

    @property
    def docs(self) -> int:
        """Events that were archived."""
        return sum(part.written for part in self.partitions)

    @property
    def start(self) -> datetime | None:
        """Where the window begins; of files: the time of the first event."""
        return self._bound(self.planned.window.start, first=True)

    @property
    def end(self) -> datetime | None:
        """Where the window ends; of files: the time of the last event, which is inside."""
        return self._bound(self.planned.window.end, first=False)

    def _bound(self, planned: datetime | None, *, first: bool) -> datetime | None:
        if not any(isinstance(part, FilePartition) for part in self.partitions):
            return planned
        starts = [each.start for each in self.segments if each.start is not None]
        ends = [each.end for each in self.segments if each.end is not None]
        return (min(starts) if first else max(ends)) if starts and ends else None


def joined(planned: PlannedWindow, results: Sequence[JobResult]) -> ArchivedResult:
    """The result of a window out of those of its jobs."""
    results = sorted(results, key=lambda result: result.job.first)
    return ArchivedResult(
        planned=planned,
        partitions=tuple(part for result in results for part in result.partitions),
        segments=tuple(each for result in results for each in result.segments),
        gone=tuple(each for result in results for each in result.gone),
        error=next((result.error for result in results if result.error is not None), None),
    )


def window_records(stream: StreamName, result: ArchivedResult) -> Iterator[WindowRecord]:
    """What the log says of a window: one record, or two where a part of it was gone.

    Nothing for late events that were not there any more.
    """
    if len(result.partitions) > _PARTITIONS_A_RECORD:
        raise KcomplianceError(
            f"a window of {len(result.partitions)} shards with events: "
            f"at most {_PARTITIONS_A_RECORD} fit into a record",
            "archive fewer indices in one stream, or give a shorter --window",
        )
    rev = result.planned.rev
    missing = result.planned.status is WindowStatus.SOURCE_MISSING or bool(result.gone)
    if result.docs:
        yield _window(stream, result, rev, WindowStatus.SEALED)
        rev += 1
    elif result.partitions or (
        not missing and rev == 0 and result.planned.window.start is not None
    ):
        # The bytes of a file may hold nothing but blank lines.
        yield _window(stream, result, rev, WindowStatus.EMPTY)
    if missing:
        yield _window(stream, result, rev, WindowStatus.SOURCE_MISSING)


def _window(
    stream: StreamName, result: ArchivedResult, rev: int, status: WindowStatus
) -> WindowRecord:
    sealed = status is WindowStatus.SEALED
    missing = status is WindowStatus.SOURCE_MISSING
    return WindowRecord(
        stream=stream,
        start=result.start,
        end=result.end,
        rev=rev,
        status=status,
        docs=result.docs if sealed else 0,
        segments=tuple(each.spooled.sha256 for each in result.segments) if sealed else (),
        partitions=() if missing else result.partitions,
    )


def segment_records(
    binding: StreamRecord,
    result: ArchivedResult,
    *,
    query_sha256: Sha256 | None,
    committed: datetime,
    retain: Period,
    tool: str,
    run: UUID,
) -> Iterator[SegmentRecord]:
    """A record for each segment of a window."""
    for each in result.segments:
        spooled = each.spooled
        yield SegmentRecord(
            stream=binding.stream,
            start=each.start,
            end=each.end,
            time_field=binding.time_field,
            key=each.key,
            size=spooled.size,
            sha256=spooled.sha256,
            version_id=each.version_id,
            content_size=spooled.content_size,
            content_sha256=spooled.content_sha256,
            frames=spooled.frames,
            docs=spooled.docs,
            events_root=spooled.events_root,
            first_event=spooled.first_event,
            last_event=spooled.last_event,
            source=SegmentSource(
                cluster_uuid=binding.source.cluster_uuid,
                query_sha256=query_sha256,
                shares=spooled.shares,
            ),
            retain_until=retained_until(retain, each.end, committed),
            tool=tool,
            run=run,
        )


def retained_until(retain: Period, end: datetime | None, committed: datetime) -> datetime:
    """How long a window's objects are kept, from its end or its commit, whichever is later."""
    return retain.after(committed if end is None else max(end, committed))
