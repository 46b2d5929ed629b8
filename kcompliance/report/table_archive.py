"""`archive list`, `show` and `prove` for people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.filesize import decimal
from rich.text import Text

from kcompliance.archive.catalogue import Catalogue, CataloguedStream
from kcompliance.archive.lookup import SeenSegment
from kcompliance.ledger import (
    Coverage,
    CoveredRange,
    Fault,
    FileShare,
    FindingCode,
    SegmentRecord,
    WindowStatus,
    format_time,
)
from kcompliance.report.calendar import LABEL_WIDTH, Calendar, Cell, calendar_of
from kcompliance.report.json_archive import ListReport, docs_of
from kcompliance.report.json_prove import MadeProof, TriedProof
from kcompliance.report.printable import printable

__all__ = ["table_of_check", "table_of_list", "table_of_prove", "table_of_show"]

_SHOWN: Final = 10
_INDENT: Final = 2
_STYLES: Final = {
    Cell.OUTSIDE: "",
    Cell.EMPTY: "dim",
    Cell.SEALED: "green",
    Cell.LATE: "cyan",
    Cell.GAP: "bold red",
}


# --- list ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _List:
    """Drawn to the width that there is, which only the console knows."""

    report: ListReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _lines(_head(self.report.catalogue))
        coverages = self.report.coverages
        for stream in self.report.streams:
            coverage = coverages[stream.name]
            yield Text()
            yield Text(stream.name, "bold")
            yield from _lines(_stream(stream, coverage))
            yield from (_red(line) for line in _holes(coverage))
            seconds = stream.binding.window_seconds if stream.binding is not None else None
            if seconds is not None:
                calendar = calendar_of(coverage, seconds, options.max_width - _INDENT)
                yield from () if calendar is None else _calendar(calendar)
        if not self.report.streams:
            yield from _lines(["no stream is archived yet"])


def table_of_list(report: ListReport) -> RenderableType:
    """Each stream with what is archived of it, what is not, and a calendar of it."""
    return _List(report)


def _head(catalogue: Catalogue) -> Iterator[str]:
    end = catalogue.end
    time = "" if end.time is None else f" of {format_time(end.time)}"
    yield f"{catalogue.url}"
    yield f"  origin      {catalogue.origin}"
    yield f"  checkpoint  {end.number}{time}, {end.checkpoint.checkpoint.size} records"


def _stream(stream: CataloguedStream, coverage: Coverage) -> Iterator[str]:
    binding = stream.binding
    if binding is not None:
        cluster = f" {binding.source.cluster_uuid}" if binding.source.cluster_uuid else ""
        patterns = ", ".join(binding.source.patterns)
        yield f"  source      {binding.source.kind.value}{cluster}: {patterns}"
    yield f"  windows     {', '.join(_kinds(stream, coverage))}"
    records = [each.record for each in stream.segments.values()]
    stored = decimal(sum(record.size for record in records))
    content = decimal(sum(record.content_size for record in records))
    yield f"  events      {docs_of(coverage):,}"
    yield f"  stored      {stored} in {len(records)} segments, of {content} of events"
    if coverage.start is not None and coverage.end is not None:
        yield f"  time        {format_time(coverage.start)} to {format_time(coverage.end)}"
    kept = [record.retain_until for record in records if record.retain_until is not None]
    if kept:
        yield f"  kept until  {min(kept):%Y-%m-%d} to {max(kept):%Y-%m-%d}"
    yield from _files(coverage.ranges)


def _kinds(stream: CataloguedStream, coverage: Coverage) -> Iterator[str]:
    if coverage.ranges:
        yield f"{len(coverage.ranges)} ranges of files"
    seconds = stream.binding.window_seconds if stream.binding is not None else None
    length = "" if seconds is None else f" of {_length(seconds)}"
    states = [each.status for each in coverage.windows]
    if states or not coverage.ranges:
        yield f"{states.count(WindowStatus.SEALED)} sealed{length}"
    if late := sum(each.late > 0 for each in coverage.windows):
        yield f"{late} of them with late events"
    if empty := states.count(WindowStatus.EMPTY):
        yield f"{empty} empty"
    if missing := states.count(WindowStatus.SOURCE_MISSING):
        yield f"{missing} whose source was gone"


def _files(ranges: Sequence[CoveredRange]) -> Iterator[str]:
    files: dict[str, list[CoveredRange]] = {}
    for each in ranges:
        files.setdefault(each.file, []).append(each)
    for parts in list(files.values())[:_SHOWN]:
        docs = sum(part.docs for part in parts)
        end = max(part.end for part in parts)
        yield f"  file        {parts[-1].name}: {docs:,} lines, up to byte {end:,}"
    if len(files) > _SHOWN:
        yield f"  …           and {len(files) - _SHOWN} more files"


def _holes(coverage: Coverage) -> Iterator[str]:
    for fault in coverage.faults[:_SHOWN]:
        word = "GAP" if fault.code is FindingCode.WINDOW_GAP else "OVERLAP"
        between = "" if fault.start is None else f"{fault.start} to {fault.end}: "
        yield f"  {word:<11} {between}{fault.detail}"
    if len(coverage.faults) > _SHOWN:
        yield f"  …           and {len(coverage.faults) - _SHOWN} more"


def _calendar(calendar: Calendar) -> Iterator[Text]:
    yield Text()
    if calendar.left_out:
        yield Text(f"  {calendar.left_out} rows before these are not shown", "dim")
    if calendar.header:
        yield Text(" " * (LABEL_WIDTH + _INDENT) + calendar.header, "dim")
    for label, cells in calendar.rows:
        line = Text(f"  {label}".ljust(LABEL_WIDTH + _INDENT))
        for cell in cells:
            line.append(cell.value, _STYLES[cell])
        yield line
    legend = Text(f"  a cell is {calendar.cell}:".ljust(LABEL_WIDTH + _INDENT))
    for cell in Cell:
        if cell is not Cell.OUTSIDE:
            legend.append(f"  {cell.value}", _STYLES[cell]).append(f" {cell.meaning}", "default")
    yield legend


# --- show ---------------------------------------------------------------------------------------


def table_of_show(catalogue: Catalogue, seen: SeenSegment) -> RenderableType:
    """One segment: what the log says of it, and what the store does."""
    findings = [_red(_finding(fault)) for fault in seen.findings]
    lines = (*_record(seen.segment.record), *_place(catalogue, seen), *_object(seen))
    return Group(*_lines(lines), *findings)


def _record(record: SegmentRecord) -> Iterator[str]:
    yield record.key
    yield f"  sha256      {record.sha256}"
    yield f"  stream      {record.stream}"
    yield f"  window      {_between(record)}"
    yield f"  events      {record.docs:,}, root {record.events_root}"
    if record.first_event is not None and record.last_event is not None:
        yield f"  times       {format_time(record.first_event)} to {format_time(record.last_event)}"
    stored, content = decimal(record.size), decimal(record.content_size)
    yield f"  stored      {stored} in {len(record.frames)} frames, of {content} of events"
    for share in record.source.shares[:_SHOWN]:
        if isinstance(share, FileShare):
            where = f"file {share.file[:12]}… bytes {share.start:,} to {share.end:,}"
        else:
            where = f"{share.index} shard {share.shard}"
        yield f"  from        {where}: {share.docs:,}"
    if len(record.source.shares) > _SHOWN:
        yield f"  …           and {len(record.source.shares) - _SHOWN} more places"
    if record.retain_until is not None:
        yield f"  kept until  {format_time(record.retain_until)}"
    yield f"  written by  {record.tool}"


def _place(catalogue: Catalogue, seen: SeenSegment) -> Iterator[str]:
    for window in seen.windows:
        yield f"  named by    window, revision {window.rev}: {window.status.value}, {window.docs:,}"
    if not seen.windows:
        yield "  named by    no window: it belongs to no sealed time"
    yield f"  leaf        {seen.segment.leaf} of {catalogue.end.checkpoint.checkpoint.size}"
    commit = seen.commit.record
    if commit is not None:
        yield f"  commit      {commit.n} of {format_time(commit.time)} by {commit.actor}"
        yield f"  run         {commit.run.id}"
    yield f"  checkpoint  {seen.commit.checkpoint_key}"


def _object(seen: SeenSegment) -> Iterator[str]:
    head = seen.head
    if head is None:
        yield "  object      NOT THERE"
        return
    version = "" if head.version_id is None else f", version {head.version_id}"
    yield f"  object      there, {head.size:,} bytes{version}"
    lock = head.lock
    if lock is None:
        yield "  lock        this store has none"
        return
    until = "no date" if lock.until is None else f"until {format_time(lock.until)}"
    mode = "" if lock.mode is None else f"{lock.mode.value} "
    yield f"  lock        {mode}{until}{', legal hold' if lock.hold else ''}"


# --- prove --------------------------------------------------------------------------------------


def table_of_prove(catalogue: Catalogue, made: Iterable[MadeProof]) -> RenderableType:
    """Where the proofs are, and how they are checked."""
    lines = []
    for each in made:
        event = each.event
        what = "" if event is None else f"event {event.index} of {event.size} in "
        lines.append(f"{each.place}: {what}{each.segment.record.key}")
    size = catalogue.end.checkpoint.checkpoint.size
    lines.append(
        f"proven against checkpoint {catalogue.end.number}, {size} records; check it with:"
    )
    lines.append("  kcompliance archive prove --check PROOF --trust FILE")
    return Group(*_lines(lines))


def table_of_check(tried: Iterable[TriedProof]) -> RenderableType:
    """What each proof has shown, or why it shows nothing."""
    parts: list[RenderableType] = []
    for each in tried:
        result = each.result
        if isinstance(result, Fault):
            parts.append(_red(f"{result.code} {each.place}: {result.detail}"))
            continue
        event = result.event
        what = "" if event is None else f"event {event.index} of {event.size} in "
        checkpoint = result.checkpoint.checkpoint
        parts += _lines(
            [
                f"good {each.place}: {what}{result.record.key}",
                f"  window      {_between(result.record)}",
                f"  checkpoint  {checkpoint.origin}, {checkpoint.size} records",
                f"              root {checkpoint.root.hex()}",
            ]
        )
    return Group(*parts)


def _length(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# --- text ---------------------------------------------------------------------------------------


def _between(record: SegmentRecord) -> str:
    if record.start is None or record.end is None:
        return "events without a time"
    return f"{format_time(record.start)} to {format_time(record.end)}"


def _finding(fault: Fault) -> str:
    return f"{fault.code}: {fault.detail}"


def _lines(lines: Iterable[str]) -> Iterator[Text]:
    return (Text(printable(line)) for line in lines)


def _red(line: str) -> Text:
    return Text(printable(line), "bold red")
