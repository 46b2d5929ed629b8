"""Audit log files for tests, and what a run does with a source, without a store and a log."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kcompliance.archive.files import FilesOptions, FileSource
from kcompliance.archive.interface import (
    ArchivedFile,
    ArchivedStream,
    FileRange,
    Page,
    PlannedWindow,
    TimeRange,
)
from kcompliance.ledger import (
    FilePartition,
    StreamName,
    WindowRecord,
    WindowStatus,
    coverage,
    encode_record,
)
from kcompliance.model.digest import Sha256, sha256

__all__ = ["ALWAYS", "NOW", "START", "STREAM", "Run", "event", "events", "source_of"]

STREAM = StreamName("prod/audit")
ALWAYS = TimeRange(start=None, end=None)
NOW = datetime(2026, 7, 2, tzinfo=UTC)
START = datetime(2026, 7, 1, tzinfo=UTC)


def event(number: int, **more: object) -> bytes:
    """The line of an event, `number` seconds after the first of July."""
    time = (START + timedelta(seconds=number)).isoformat(timespec="microseconds")
    text = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/default/secrets/{number}",
        "verb": "get",
        "user": {"username": "admin"},
        "requestReceivedTimestamp": time.replace("+00:00", "Z"),
        **more,
    }
    return json.dumps(text, separators=(",", ":")).encode() + b"\n"


def events(first: int, last: int) -> bytes:
    """The lines of several events, the last one too."""
    return b"".join(event(number) for number in range(first, last + 1))


def source_of(
    *locations: Path | str,
    window_bytes: int = 1024 * 1024 * 1024,
    page_bytes: int = 4 * 1024 * 1024,
    line_bytes: int = 1024 * 1024,
) -> FileSource:
    """The source of these locations."""
    options = FilesOptions(
        locations=tuple(map(str, locations)),
        window_bytes=window_bytes,
        page_bytes=page_bytes,
        line_bytes=line_bytes,
    )
    return FileSource(options)


@dataclass(kw_only=True)
class Run:
    """What is archived: what a run does with a source, over and over."""

    files: dict[Sha256, ArchivedFile] = field(default_factory=dict)
    lines: dict[Sha256, bytes] = field(default_factory=dict)
    records: list[WindowRecord] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    @property
    def archived(self) -> ArchivedStream:
        """What the next plan is told."""
        return ArchivedStream(stream=STREAM, files=self.files)

    @property
    def content(self) -> bytes:
        """All that is archived, in the order in which it was."""
        return b"".join(page.lines for page in self.pages)

    def plan(self, source: FileSource) -> list[PlannedWindow]:
        """What the source would archive now."""
        return list(source.plan(ALWAYS, self.archived, now=NOW))

    def once(self, source: FileSource) -> int:
        """Archive what is new; how many windows that was. The log would take the records."""
        planned = self.plan(source)
        for window in planned:
            self.window(source, window)
        return len(planned)

    def window(self, source: FileSource, planned: PlannedWindow) -> None:
        """Archive one window."""
        (part,) = planned.parts
        assert isinstance(part.place, FileRange)
        pages: list[Page] = []
        counted = source.read(part, pages.append)
        assert (counted.file, counted.start, counted.end) == (
            part.place.file,
            part.place.start,
            part.place.end,
        )
        assert counted.expected == counted.written == sum(page.docs for page in pages)
        self._record(counted, pages)
        self.files[counted.file] = ArchivedFile(
            file=counted.file, name=counted.name, end=counted.end
        )
        self.pages += pages

    def _record(self, counted: FilePartition, pages: list[Page]) -> None:
        record = WindowRecord(
            stream=STREAM,
            start=min((page.first for page in pages if page.first), default=None),
            end=max((page.last for page in pages if page.last), default=None),
            rev=0,
            status=WindowStatus.SEALED if pages else WindowStatus.EMPTY,
            docs=counted.written,
            segments=(sha256(b"".join(page.lines for page in pages)),) if pages else (),
            partitions=(counted,),
        )
        encode_record(record)
        self.records.append(record)

    def faults(self) -> list[str]:
        """What the ledger finds wrong with the coverage."""
        return [fault.detail for fault in coverage(STREAM, self.records).faults]
