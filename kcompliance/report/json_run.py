"""`kcompliance/run/v1`: what `archive run` has done, or with --dry-run would do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from kcompliance.archive.interface import PlannedWindow, SourceError
from kcompliance.archive.run import RunResult
from kcompliance.errors import ExitCode
from kcompliance.ledger import StreamName, format_time

__all__ = ["RUN_SCHEMA", "Run", "RunReport", "render_run"]

RUN_SCHEMA = "kcompliance/run/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One call of `archive run`, before anyone decided how it looks."""

    archive: str
    origin: str | None
    stream: StreamName
    source: str
    dry_run: bool
    planned: Sequence[PlannedWindow]
    troubles: Sequence[SourceError]
    result: RunResult

    @property
    def planned_docs(self) -> int:
        """Events that the plan counted."""
        return sum(part.docs or 0 for window in self.planned for part in window.parts)

    @property
    def planned_bytes(self) -> int:
        """Their bytes, as estimated."""
        return sum(part.bytes or 0 for window in self.planned for part in window.parts)

    @property
    def exit_code(self) -> ExitCode:
        """3 where not all was archived."""
        return ExitCode.INCOMPLETE if self.troubles else self.result.exit_code


class PlannedV1(msgspec.Struct, kw_only=True):
    """What the plan found."""

    windows: int
    docs: int
    bytes: int
    """As estimated, of events before compression."""


class WindowsV1(msgspec.Struct, kw_only=True):
    """Windows that were committed."""

    sealed: int
    empty: int
    late: int
    """Revisions that brought late events; they are among the sealed ones too."""
    source_missing: int


class FailedV1(msgspec.Struct, kw_only=True, rename={"start": "from", "end": "to"}):
    """What was not archived: a window, or with both null something else; the next run retries."""

    start: str | None
    end: str | None
    code: str
    message: str


class CheckpointV1(msgspec.Struct, kw_only=True):
    """The archive's last checkpoint: what to remember outside of it."""

    n: int
    size: int
    root: str
    """In hex."""


class Run(msgspec.Struct, kw_only=True):
    """One call of `archive run`."""

    schema: str
    archive: str
    origin: str | None
    stream: str
    source: str
    dry_run: bool
    exit_code: int
    runs: list[str]
    """The ids of what was committed; `run/<id>.json` in the archive."""
    planned: PlannedV1
    windows: WindowsV1
    docs: int
    content_bytes: int
    bytes: int
    segments: int
    abandoned: int
    """Objects that dead runs had left, now explained."""
    checkpoint: CheckpointV1 | None
    not_archived: list[FailedV1]


def render_run(report: RunReport) -> str:
    """One JSON document, ending with a line feed."""
    result = report.result
    end = result.end
    document = Run(
        schema=RUN_SCHEMA,
        archive=report.archive,
        origin=report.origin,
        stream=report.stream,
        source=report.source,
        dry_run=report.dry_run,
        exit_code=report.exit_code,
        runs=list(result.runs),
        planned=PlannedV1(
            windows=len(report.planned), docs=report.planned_docs, bytes=report.planned_bytes
        ),
        windows=WindowsV1(
            sealed=result.sealed,
            empty=result.empty,
            late=result.late,
            source_missing=result.missing,
        ),
        docs=result.docs,
        content_bytes=result.content_bytes,
        bytes=result.bytes,
        segments=result.segments,
        abandoned=result.abandoned,
        checkpoint=None
        if end is None
        else CheckpointV1(n=end.number, size=end.frontier.size, root=end.frontier.root.hex()),
        not_archived=[*_windows(result), *map(_trouble, report.troubles)],
    )
    return json.dumps(msgspec.to_builtins(document), indent=2) + "\n"


def _windows(result: RunResult) -> list[FailedV1]:
    return [
        FailedV1(
            start=_time(each.window.window.start),
            end=_time(each.window.window.end),
            code=each.error.code,
            message=each.error.message,
        )
        for each in result.not_archived
    ]


def _trouble(error: SourceError) -> FailedV1:
    return FailedV1(start=None, end=None, code=error.code, message=error.message)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
