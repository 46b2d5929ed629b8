"""A verification for people: what is wrong first, and a verdict that says what it rests on."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from kcompliance.archive.verify import OutsideResult, Verification, VerifiedStream
from kcompliance.errors import ExitCode
from kcompliance.ledger import Fault
from kcompliance.report.printable import printable
from kcompliance.report.verdict_verify import verdict
from kcompliance.report.verify_words import WORDS

__all__ = ["table_of_verification"]

_SHOWN = 10
"""Findings of one code, and effects of one cause; the JSON has them all."""

_WHOLE = "the archive as a whole"
_STYLES = {
    ExitCode.GOOD: "bold green",
    ExitCode.FINDINGS: "bold red",
    ExitCode.INCOMPLETE: "bold yellow",
    ExitCode.COULD_NOT_RUN: "bold magenta",
}
_RESULTS = {
    OutsideResult.FITS: "green",
    OutsideResult.CONTRADICTS: "bold red",
    OutsideResult.NOT_COMPARED: "yellow",
    OutsideResult.NOT_CHECKED: "dim",
}
_LEVELS = {
    0: "0: checkpoints, chain and tree",
    1: "1: what is listed",
    2: "2: a part of the objects",
    3: "3: all objects",
    4: "4: every line",
}


def table_of_verification(found: Verification) -> RenderableType:
    """Findings, then what was verified by which memory, then the verdict."""
    parts: list[RenderableType] = []
    for _, faults in groupby(found.causes, key=lambda fault: fault.code):
        parts += [_block(tuple(faults)), Text()]
    effects = [fault for fault in found.findings if fault.caused_by is not None]
    if effects:
        parts += [*_effects(effects), Text()]
    parts += [_facts(found), Text()]
    if found.streams:
        parts += [_streams(found.streams), Text()]
    word, sentence = verdict(found)
    parts.append(Text(f"{word}: ", _STYLES[found.exit_code]).append(sentence, "default"))
    return Group(*parts)


# --- findings -----------------------------------------------------------------------------------


def _block(faults: Sequence[Fault]) -> RenderableType:
    """All causes of one code."""
    code = faults[0].code
    words = WORDS[code]
    head = Text(f"{code.value}", _STYLES[code.exit_code])
    head.append(f" ({code.severity.value})", "dim").append(f" {words.meaning}", "bold default")
    rows = _grid()
    for fault in faults[:_SHOWN]:
        rows.add_row("  -->", Text(printable(fault.object or fault.stream or _WHOLE)))
        if fault.object and fault.stream:
            rows.add_row("   = stream:", Text(printable(fault.stream)))
        if bounds := _bounds(fault):
            rows.add_row("   = covers:", Text(printable(bounds)))
        rows.add_row("   = found:", Text(printable(fault.detail)))
    if len(faults) > _SHOWN:
        rows.add_row("  -->", Text(f"and {len(faults) - _SHOWN:,} more: see --format json", "dim"))
    rows.add_row("   = remedy:", Text(words.remedy))
    return Group(head, rows)


def _grid() -> Table:
    rows = Table.grid(padding=(0, 1, 0, 0))
    rows.add_column(no_wrap=True, style="cyan")
    rows.add_column(overflow="fold")
    return rows


def _place(fault: Fault) -> str:
    """The object, the stream, and the time or the bytes."""
    parts = [fault.object or "", fault.stream or "", _bounds(fault)]
    return printable("  ".join(part for part in parts if part))


def _bounds(fault: Fault) -> str:
    if fault.start is None and fault.end is None:
        return ""
    return f"{fault.start or '…'} to {fault.end or '…'}"


def _effects(effects: Iterable[Fault]) -> Iterator[Text]:
    """What follows from the causes: told shortly, as it goes away with them."""
    yield Text("what follows from this", "bold")
    causes: dict[tuple[str, str], list[Fault]] = {}
    for fault in effects:
        causes.setdefault((fault.caused_by or "", fault.code.value), []).append(fault)
    for (cause, code), faults in causes.items():
        text = Text(f"  {code}", "default").append(f" because of {printable(cause)}", "dim")
        yield text
        for fault in faults[:_SHOWN]:
            yield Text(f"    {_place(fault) or printable(fault.detail)}", "dim")
        if len(faults) > _SHOWN:
            yield Text(f"    and {len(faults) - _SHOWN:,} more", "dim")


# --- what was verified --------------------------------------------------------------------------


def _facts(found: Verification) -> RenderableType:
    rows = _grid()
    request, checkpoint = found.request, found.checkpoint
    level = _LEVELS[request.level] + (f", {request.subset}" if request.subset else "")
    rows.add_row("archive", Text(printable(found.archive)))
    rows.add_row("origin", Text(printable(found.origin or "unknown")))
    rows.add_row("level", Text(level + (", with the store's locks" if request.live else "")))
    rows.add_row("as of", Text(_time(request.as_of)))
    if checkpoint is not None:
        last = f"number {checkpoint.number} of {_time(checkpoint.time)}, size {checkpoint.size}"
        rows.add_row("checkpoint", Text(f"{last}, root {checkpoint.root.hex()}"))
    checked = found.checked
    read = f"{checked.objects:,} objects, {decimal(checked.bytes)}, {checked.docs:,} events"
    rows.add_row("read and good", Text(read))
    for memory in found.outside_memory:
        text = Text(memory.result.value, _RESULTS[memory.result])
        rows.add_row(memory.kind, text.append(f": {printable(memory.detail)}", "default"))
    least = request.trust.require.min_retention if request.trust is not None else None
    if least is not None and not request.live:
        rows.add_row("locks", Text(f"not asked for: at least {least} is required", "yellow"))
    if not found.outside_memory:
        rows.add_row("outside", Text("no pin, no lock, no token: nothing remembers it", "yellow"))
    return rows


def _streams(streams: Sequence[VerifiedStream]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("stream", "from", "to"):
        table.add_column(column, overflow="fold")
    for column in ("windows", "events", "gaps"):
        table.add_column(column, justify="right")
    for stream in streams:
        table.add_row(
            Text(printable(stream.name)),
            _time(stream.start),
            _time(stream.end),
            f"{stream.windows:,}",
            f"{stream.docs:,}",
            Text(f"{len(stream.gaps):,}", "bold yellow" if stream.gaps else "green"),
        )
    return table


def _time(moment: datetime | None) -> str:
    if moment is None:
        return "unknown"
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
