"""`archive list` and `archive show` as JSON, with types of their own."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kcompliance.archive.catalogue import Catalogue, CataloguedStream
from kcompliance.archive.lookup import SeenSegment
from kcompliance.errors import ExitCode
from kcompliance.ledger import (
    Coverage,
    CoveredRange,
    Fault,
    FindingCode,
    StreamName,
    WindowStatus,
    encode_record,
    exit_code_of,
    format_time,
)
from kcompliance.stores.interface import Head

__all__ = [
    "LIST_SCHEMA",
    "SHOW_SCHEMA",
    "ArchiveList",
    "CheckpointV1",
    "ListReport",
    "SegmentShow",
    "checkpoint_of",
    "docs_of",
    "render_list",
    "render_show",
    "rendered",
]

LIST_SCHEMA = "kcompliance/list/v1"
SHOW_SCHEMA = "kcompliance/show/v1"


# --- what is reported ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReport:
    """An archive, and those of its streams that were asked for."""

    catalogue: Catalogue
    streams: tuple[CataloguedStream, ...]

    @property
    def coverages(self) -> Mapping[StreamName, Coverage]:
        """Of these streams."""
        return {stream.name: stream.coverage for stream in self.streams}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Of the log, and of what these streams cover."""
        of_streams = (fault for each in self.coverages.values() for fault in each.faults)
        return (*self.catalogue.faults, *of_streams)

    @property
    def exit_code(self) -> ExitCode:
        """Gaps are never 0."""
        return exit_code_of(self.faults)


# --- documents ----------------------------------------------------------------------------------


class CheckpointV1(msgspec.Struct, kw_only=True):
    """A signed checkpoint; `time` is that of its commit."""

    n: int
    size: int
    root: str
    time: str | None


class FindingV1(msgspec.Struct, kw_only=True):
    """Something that is wrong, as `verify` names it."""

    code: str
    severity: str
    object: str | None
    stream: str | None
    start: str | None = msgspec.field(name="from")
    end: str | None = msgspec.field(name="to")
    detail: str


class SourceV1(msgspec.Struct, kw_only=True):
    """What a stream is bound to."""

    kind: str
    cluster_uuid: str | None
    patterns: list[str]
    filter: Any


class WindowsV1(msgspec.Struct, kw_only=True):
    """Windows of a stream; of files its ranges are `sealed`."""

    sealed: int
    empty: int
    source_missing: int
    late: int
    """To which late events were added."""


class RetentionV1(msgspec.Struct, kw_only=True):
    """Until when its segments are kept, as their records say."""

    earliest: str
    latest: str


class HoleV1(msgspec.Struct, kw_only=True):
    """Time, or bytes of a file, that no window covers or that several do."""

    start: str | None = msgspec.field(name="from")
    end: str | None = msgspec.field(name="to")
    detail: str


class RangeV1(msgspec.Struct, kw_only=True):
    """Bytes of a file, `[start, end)`, that follow each other without a hole."""

    start: int
    end: int
    docs: int


class FileV1(msgspec.Struct, kw_only=True):
    """A file, known by the sha256 of its first line; `name` is where it was found last."""

    file: str
    name: str
    ranges: list[RangeV1]


class StreamV1(msgspec.Struct, kw_only=True):
    """A stream and what is archived of it."""

    name: str
    source: SourceV1 | None
    time_field: str | None
    window_seconds: int | None
    windows: WindowsV1
    docs: int
    segments: int
    bytes: int
    """Of its segments, as they are stored."""
    content_bytes: int
    """Of its events."""
    start: str | None = msgspec.field(name="from")
    """Where its first window begins."""
    end: str | None = msgspec.field(name="to")
    retain_until: RetentionV1 | None
    gaps: list[HoleV1]
    overlaps: list[HoleV1]
    files: list[FileV1]


class ArchiveList(msgspec.Struct, kw_only=True):
    """The whole document. `trusted`: a trust file's keys signed it."""

    schema: str
    archive: str
    origin: str
    trusted: bool
    checkpoint: CheckpointV1
    streams: list[StreamV1]
    findings: list[FindingV1]
    exit_code: int


class LockV1(msgspec.Struct, kw_only=True):
    """What keeps an object from being deleted."""

    mode: str | None
    until: str | None
    hold: bool


class ObjectV1(msgspec.Struct, kw_only=True):
    """What the store says of the object; `lock` is null where the store has no locks."""

    size: int
    sha256: str | None
    version_id: str | None
    modified: str
    lock: LockV1 | None


class WindowV1(msgspec.Struct, kw_only=True):
    """The window that names the segment."""

    start: str | None = msgspec.field(name="from")
    end: str | None = msgspec.field(name="to")
    rev: int
    status: str
    docs: int
    segments: int


class CommitV1(msgspec.Struct, kw_only=True):
    """The commit that brought it in; null where its record is malformed."""

    n: int
    time: str | None
    actor: str | None
    run: str | None
    checkpoint: str
    """The name of the object."""


class SegmentShow(msgspec.Struct, kw_only=True):
    """The whole document. `object` is null where the segment is not there."""

    schema: str
    archive: str
    origin: str
    trusted: bool
    checkpoint: CheckpointV1
    record: dict[str, Any]
    """As it stands in the log."""
    leaf: int
    """The index of the record in the log."""
    commit: CommitV1
    windows: list[WindowV1]
    object: ObjectV1 | None
    findings: list[FindingV1]
    exit_code: int


# --- rendering ----------------------------------------------------------------------------------


def render_list(report: ListReport) -> str:
    """One JSON document, ending with a line feed."""
    catalogue = report.catalogue
    return rendered(
        ArchiveList(
            schema=LIST_SCHEMA,
            archive=catalogue.url,
            origin=catalogue.origin,
            trusted=catalogue.trusted,
            checkpoint=checkpoint_of(catalogue),
            streams=[_stream(stream, report.coverages[stream.name]) for stream in report.streams],
            findings=_findings(report.faults),
            exit_code=report.exit_code,
        )
    )


def render_show(catalogue: Catalogue, seen: SeenSegment, exit_code: int) -> str:
    """One JSON document, ending with a line feed."""
    commit = seen.commit.record
    return rendered(
        SegmentShow(
            schema=SHOW_SCHEMA,
            archive=catalogue.url,
            origin=catalogue.origin,
            trusted=catalogue.trusted,
            checkpoint=checkpoint_of(catalogue),
            record=json.loads(encode_record(seen.segment.record)),
            leaf=seen.segment.leaf,
            commit=CommitV1(
                n=seen.commit.number,
                time=None if commit is None else format_time(commit.time),
                actor=None if commit is None else commit.actor,
                run=None if commit is None else str(commit.run.id),
                checkpoint=seen.commit.checkpoint_key,
            ),
            windows=[
                WindowV1(
                    start=_time(each.start),
                    end=_time(each.end),
                    rev=each.rev,
                    status=each.status.value,
                    docs=each.docs,
                    segments=len(each.segments),
                )
                for each in seen.windows
            ],
            object=None if seen.head is None else _object(seen.head),
            findings=_findings((*catalogue.faults, *seen.findings)),
            exit_code=exit_code,
        )
    )


def checkpoint_of(catalogue: Catalogue) -> CheckpointV1:
    """The archive's last."""
    end = catalogue.end
    return CheckpointV1(
        n=end.number,
        size=end.checkpoint.checkpoint.size,
        root=end.checkpoint.checkpoint.root.hex(),
        time=_time(end.time),
    )


def _findings(faults: Iterable[Fault]) -> list[FindingV1]:
    return [
        FindingV1(
            code=fault.code.value,
            severity=fault.code.severity.value,
            object=fault.object,
            stream=fault.stream,
            start=fault.start,
            end=fault.end,
            detail=fault.detail,
        )
        for fault in faults
    ]


def _stream(stream: CataloguedStream, coverage: Coverage) -> StreamV1:
    binding = stream.binding
    records = [each.record for each in stream.segments.values()]
    kept = [record.retain_until for record in records if record.retain_until is not None]
    return StreamV1(
        name=stream.name,
        source=None
        if binding is None
        else SourceV1(
            kind=binding.source.kind.value,
            cluster_uuid=binding.source.cluster_uuid,
            patterns=list(binding.source.patterns),
            filter=binding.filter,
        ),
        time_field=None if binding is None else binding.time_field,
        window_seconds=None if binding is None else binding.window_seconds,
        windows=_windows(coverage),
        docs=docs_of(coverage),
        segments=len(records),
        bytes=sum(record.size for record in records),
        content_bytes=sum(record.content_size for record in records),
        start=_time(coverage.start),
        end=_time(coverage.end),
        retain_until=RetentionV1(earliest=format_time(min(kept)), latest=format_time(max(kept)))
        if kept
        else None,
        gaps=_holes(coverage, FindingCode.WINDOW_GAP),
        overlaps=_holes(coverage, FindingCode.WINDOW_OVERLAP),
        files=list(_files(coverage.ranges)),
    )


def docs_of(coverage: Coverage) -> int:
    """The events of all windows and of all ranges of files."""
    return sum(each.docs for each in coverage.windows) + sum(each.docs for each in coverage.ranges)


def _windows(coverage: Coverage) -> WindowsV1:
    states = [each.status for each in coverage.windows]
    return WindowsV1(
        sealed=states.count(WindowStatus.SEALED) + len(coverage.ranges),
        empty=states.count(WindowStatus.EMPTY),
        source_missing=states.count(WindowStatus.SOURCE_MISSING),
        late=sum(each.late > 0 for each in coverage.windows),
    )


def _holes(coverage: Coverage, code: FindingCode) -> list[HoleV1]:
    return [
        HoleV1(start=fault.start, end=fault.end, detail=fault.detail)
        for fault in coverage.faults
        if fault.code is code
    ]


def _files(ranges: Iterable[CoveredRange]) -> Iterable[FileV1]:
    """The ranges come sorted by file and place."""
    files: dict[str, FileV1] = {}
    for each in ranges:
        file = files.setdefault(each.file, FileV1(file=each.file, name=each.name, ranges=[]))
        file.name = each.name
        if file.ranges and file.ranges[-1].end == each.start:
            file.ranges[-1].end = each.end
            file.ranges[-1].docs += each.docs
        else:
            file.ranges.append(RangeV1(start=each.start, end=each.end, docs=each.docs))
    return files.values()


def _object(head: Head) -> ObjectV1:
    lock = head.lock
    return ObjectV1(
        size=head.size,
        sha256=head.sha256,
        version_id=head.version_id,
        modified=format_time(head.modified),
        lock=None
        if lock is None
        else LockV1(
            mode=None if lock.mode is None else lock.mode.value,
            until=_time(lock.until),
            hold=lock.hold,
        ),
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def rendered(document: msgspec.Struct) -> str:
    """One JSON document, ending with a line feed."""
    return json.dumps(msgspec.to_builtins(document), indent=2, ensure_ascii=False) + "\n"
