"""`policy replay` for people."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kcompliance.model.replay import Example, Loss, LossKind, Replayed, Row, Volume
from kcompliance.report.json_replay import Policies
from kcompliance.report.printable import printable
from kcompliance.report.replay_cost import DAYS_OF_A_MONTH, cost_of, unrecorded_by

__all__ = ["table_of_replay"]

_ROWS: Final = 8
_LOSSES: Final = 10
_REQUESTS: Final = 4
_SHORTEST: Final = 1 / 24
"""Days, below which a rate by day says nothing."""
_WORDS: Final = {
    LossKind.REQUEST: "of requests that are not recorded at all",
    LossKind.STAGE: "of a stage that is not recorded",
    LossKind.REQUEST_BODY: "without the request's body",
    LossKind.RESPONSE_BODY: "without the response's body",
}


def table_of_replay(
    policies: Policies, found: Replayed, price_per_gb: float | None
) -> RenderableType:
    """How much there would be, what would be lost, what cannot be known, and the cost."""
    compared = policies.against is not None
    parts: list[RenderableType] = [_log(found), Text(), _volumes(found, compared=compared), Text()]
    parts += [*_losses(found.losses, compared=compared), Text()]
    if unknown := list(_unknown(policies, found)):
        parts += [Text("what the log cannot tell:", "bold"), *unknown]
    parts += _cost(found, price_per_gb, compared=compared)
    return Group(*parts)


def _log(found: Replayed) -> Text:
    files = len(found.files)
    text = Text(f"{_events(found.total.recorded.events)} in {files} file{'s' * (files != 1)}")
    if found.days is None:
        return text.append(", all of one moment", "yellow")
    text.append(f", {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC")
    if found.days < 1:
        text.append(f", {found.days * 24:.2g} hours", "yellow")
    return text


def _volumes(found: Replayed, *, compared: bool) -> Table:
    unit = "in all" if _short(found) else "a day"
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.add_column(f"events and bytes {unit}", overflow="fold")
    for head in ("recorded", "against", "new") if compared else ("recorded", "new"):
        table.add_column(head, justify="right", no_wrap=True)
        table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    _add(table, "everything", found.total, found, compared=compared)
    for name, rows in found.tables.items():
        table.add_row()
        table.add_row(Text(f"by {name}", "bold"))
        for label, row in _first(rows):
            _add(table, f"  {label}", row, found, compared=compared)
    return table


def _short(found: Replayed) -> bool:
    return found.days is None or found.days < _SHORTEST


def _first(rows: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
    """The largest rows, and the others as one."""
    several = iter(rows.items())
    yield from islice(several, _ROWS)
    rest = list(several)
    if not rest:
        return
    others = Row()
    for _, row in rest:
        for volume, more in zip(_of(others), _of(row), strict=True):
            volume.add(more.events, more.bytes)
    yield f"({len(rest)} more)", others


def _of(row: Row) -> tuple[Volume, Volume, Volume]:
    return row.recorded, row.against, row.new


def _add(table: Table, label: str, row: Row, found: Replayed, *, compared: bool) -> None:
    columns = _of(row) if compared else (row.recorded, row.new)
    days = 1 if _short(found) else found.days or 1
    cells = []
    for volume in columns:
        cells += [f"{volume.events / days:,.0f}", _bytes(volume.bytes / days)]
    change = _change(columns[-2].bytes, row.new.bytes)
    table.add_row(Text(printable(label)), *cells, change)


def _change(before: int, after: int) -> str:
    if not before:
        return "new" if after else ""
    percent = round(100 * (after - before) / before)
    return f"{percent:+}%" if percent else "0%"


def _events(number: int) -> str:
    return f"{number:,} event{'s' * (number != 1)}"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


# --- what is lost ------------------------------------------------------------------------------


def _losses(losses: Sequence[Loss], *, compared: bool) -> Iterator[Text]:
    """By what is lost and the rule that loses it, with the most frequent requests of each."""
    before = "--against records" if compared else "is recorded"
    if not losses:
        yield Text(f"nothing is lost of what {before}", "green")
        return
    yield Text(f"lost of what {before}:", "bold")
    groups: dict[tuple[object, ...], list[Loss]] = {}
    for loss in losses:
        groups.setdefault((loss.kind, loss.stage, loss.rule, loss.line), []).append(loss)
    for same in islice(groups.values(), _LOSSES):
        yield from _same_loss(same)
    if len(groups) > _LOSSES:
        yield Text(f"  and by {len(groups) - _LOSSES} rules more: --format json")


def _same_loss(losses: Sequence[Loss]) -> Iterator[Text]:
    first = losses[0]
    events, size = sum(loss.events for loss in losses), sum(loss.bytes for loss in losses)
    rule = "no rule matches" if first.rule is None else f"rule {first.rule}, line {first.line}"
    what = f"of stage {first.stage}, which is not recorded" if first.stage else _WORDS[first.kind]
    text = Text(f"  {_events(events)} ")
    text.append(what, "bold red" if first.kind is LossKind.REQUEST else "yellow")
    yield text.append(f", {_bytes(size)} ({rule})")
    named = [f"{loss.events:,} {loss.verb} {loss.resource}" for loss in losses[:_REQUESTS]]
    more = ", …" if len(losses) > _REQUESTS else ""
    yield Text(printable(f"      {', '.join(named)}{more}"))
    yield Text(f"      {_example(first.examples[0])}", "dim")


def _example(example: Example) -> str:
    user = "a failed login" if example.user is None else example.user
    place = f"{example.file}:{example.line}"
    return printable(f"{place}  {example.time}  {user}: {example.request}")


# --- what cannot be known ----------------------------------------------------------------------


def _unknown(policies: Policies, found: Replayed) -> Iterator[Text]:
    against = policies.against
    if against is None:
        yield Text("  requests that the policy of this log left out: none of them is counted here")
    elif unrecorded := unrecorded_by(against[1].policy):
        lines = ", ".join("what no rule matches" if n is None else f"line {n}" for n in unrecorded)
        yield Text(f"  requests that --against leaves out ({lines}): none of them is counted here")
    for each in found.missing:
        yield Text(
            f"  {_events(each.events)} of stage {each.stage} that --policy writes and the log does "
            f"not hold: up to {_bytes(each.bytes_at_most)} in all"
        )
    if found.more_bodies:
        yield Text(
            f"  how large the bodies of {found.more_bodies:,} events are that --policy records and "
            "the log does not hold: bytes of --policy are what is known, and at least that",
            "yellow",
        )
    if found.managed_fields:
        yield Text(
            f"  how large the managedFields of {found.managed_fields:,} events are that --policy "
            "keeps and --against leaves out",
            "yellow",
        )
    for unread in found.unread[:3]:
        place = unread.file if unread.line is None else f"{unread.file}:{unread.line}"
        yield Text(printable(f"  {place}: {unread.reason}"), "bold magenta")
    count = sum(file.unread for file in found.files)
    if count:
        yield Text(f"  {count:,} documents in all are no events and are not counted", "magenta")
    if found.disagreement.events:
        yield Text(
            f"  --against did not write this log: {found.disagreement.events:,} events would not "
            "be as they are",
            "bold red",
        )
        for example in found.disagreement.examples[:1]:
            yield Text(f"      {_example(example)}", "dim")


def _cost(found: Replayed, price_per_gb: float | None, *, compared: bool) -> Iterator[Text]:
    cost = cost_of(found, price_per_gb, compared=compared)
    if cost is None:
        return
    before = cost.recorded if cost.against is None else cost.against
    more = "at least " if found.bytes_at_most is None else ""
    text = Text(f"\ncost of {DAYS_OF_A_MONTH} days at {cost.price_per_gb:g} a GB: ", "bold")
    text.append(f"{before:,.2f} now, {more}{cost.new:,.2f} with --policy")
    if cost.new_at_most is not None and cost.new_at_most > cost.new:
        text.append(f", at most {cost.new_at_most:,.2f}")
    if _short(found):
        text.append("; the log is too short for that to say much", "yellow")
    yield text
