"""`archive run` for people."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.text import Text

from kcompliance.archive.interface import Window
from kcompliance.ledger import format_time
from kcompliance.report.json_run import RunReport
from kcompliance.report.printable import printable

__all__ = ["table_of_run"]

_SHOWN = 10


def table_of_run(report: RunReport) -> RenderableType:
    """What was archived, what was not and why, and what to remember of it."""
    return Group(*map(_line, _plan(report) if report.dry_run else _done(report)))


def _plan(report: RunReport) -> Iterator[str]:
    windows = [each for each in report.planned if each.parts]
    yield f"would archive {report.stream} from {report.source}"
    yield f"  into        {report.archive}"
    yield f"  windows     {len(report.planned)}, {len(windows)} of them with events"
    if report.planned and report.planned[0].window.start is not None:
        first, last = report.planned[0].window, report.planned[-1].window
        yield f"  from        {_bound(first)}"
        yield f"  to          {_bound(Window(start=last.end, end=None))}"
    yield f"  events      {report.planned_docs:,}"
    if report.planned_bytes:
        yield f"  read        about {decimal(report.planned_bytes)}"
        yield f"  stored      about {decimal(report.planned_bytes // 7)}"
    late = sum(each.rev > 0 for each in report.planned)
    if late:
        yield f"  late        {late} windows have events that came after they were archived"
    yield from _not_archived(report)
    yield "nothing was written: leave out --dry-run"


def _done(report: RunReport) -> Iterator[str]:
    result = report.result
    kinds = [f"{result.sealed} sealed", f"{result.empty} empty"]
    if result.late:
        kinds.append(f"{result.late} of them with late events")
    if result.missing:
        kinds.append(f"{result.missing} whose source was gone")
    yield f"archived {report.stream} from {report.source}"
    yield f"  into        {report.archive}"
    yield f"  windows     {', '.join(kinds)}"
    yield f"  events      {result.docs:,}"
    if result.segments:
        stored, content = decimal(result.bytes), decimal(result.content_bytes)
        yield f"  stored      {stored} in {result.segments} segments, of {content} of events"
    if result.abandoned:
        yield f"  explained   {result.abandoned} objects that runs had left which did not end"
    if result.end is not None:
        root = result.end.frontier.root.hex()
        yield f"  checkpoint  {result.end.number}, {result.end.frontier.size} records"
        yield f"              root {root}"
    yield from _not_archived(report)


def _not_archived(report: RunReport) -> Iterator[str]:
    failed = [
        f"{_bound(each.window.window)}: {each.error.message}" for each in report.result.not_archived
    ]
    failed += [error.message for error in report.troubles]
    if not failed:
        return
    yield f"NOT ARCHIVED: {len(failed)}, which the next run tries again"
    for line in failed[:_SHOWN]:
        yield f"  {line}"
    if len(failed) > _SHOWN:
        yield f"  … and {len(failed) - _SHOWN} more"


def _bound(window: Window) -> str:
    return "events without a time" if window.start is None else format_time(window.start)


def _line(text: str) -> Text:
    return Text(printable(text))
