"""A preflight for people: a line for each permission, what is missing first."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kcompliance.collect.cloud_reads import ReadPermission, Source
from kcompliance.collect.preflight import Asked, May, Preflight
from kcompliance.report.printable import printable

__all__ = ["in_short", "table_of_preflight"]

_SIGNS = {
    May.NO: ("missing", "bold red"),
    May.UNKNOWN: ("unknown", "yellow"),
    May.YES: ("yes", "green"),
    May.NOT_NEEDED: ("not needed", "dim"),
}


def table_of_preflight(targets: Sequence[Preflight]) -> RenderableType:
    """All targets, and what to do where something is missing."""
    parts: list[RenderableType] = []
    for target in targets:
        parts += [Text(printable(target.target), "bold"), *_one(target), Text()]
    asked = sum(len(target.asked) for target in targets)
    missing = sum(len(target.missing) for target in targets)
    if asked:
        parts.append(Text(f"{missing} of {asked} permissions are missing", _style(missing)))
    if missing:
        parts.append(Text(_to_grant(each for target in targets for each in target.missing)))
    nowhere = _in_all(target.not_covered for target in targets if target.problem is None)
    if nowhere:
        parts.append(Text(f"these need another target: {in_short(nowhere)}", "dim"))
    return Group(*parts)


def _to_grant(missing: Iterable[Asked]) -> str:
    """Where the rights are told, and the roles that hold them all."""
    permissions = [each.permission for each in missing]
    names = [p.source.value if isinstance(p, ReadPermission) else "kubernetes" for p in permissions]
    roles = [f"deploy/{name}/" for name in dict.fromkeys(names) if name != Source.ARCHIVE]
    return f"what to grant: {' and '.join(['docs/permissions.md', *roles])}"


def _in_all(every: Iterable[Sequence[str]]) -> list[str]:
    """What is in each of them, in the order of the first."""
    first, *others = [*every] or [()]
    return [each for each in first if all(each in other for other in others)]


def _style(missing: int) -> str:
    return "bold red" if missing else "green"


def _one(target: Preflight) -> list[RenderableType]:
    if target.problem is not None:
        lines: list[RenderableType] = [Text(f"  {printable(target.problem)}", "bold red")]
        return [*lines, *([Text(f"  hint: {target.hint}")] if target.hint else [])]
    parts: list[RenderableType] = []
    if target.asked:
        parts.append(_permissions(target))
    if target.files:
        head = "no API tells these, so give them as files:" if target.asked else "what to give:"
        parts += [Text(f"  {head}"), _files(target)]
    return parts


def in_short(controls: Sequence[str]) -> str:
    """The ids, with neighbours in one: `KC-AUD-005 to 008, KC-RET-011`."""
    runs: list[list[str]] = []
    for control in controls:
        if runs and _follows(runs[-1][-1], control):
            runs[-1].append(control)
        else:
            runs.append([control])
    return ", ".join(_run(run) for run in runs)


def _follows(one: str, other: str) -> bool:
    family, _, number = one.rpartition("-")
    next_family, _, next_number = other.rpartition("-")
    return family == next_family and int(next_number) == int(number) + 1


def _run(run: list[str]) -> str:
    if len(run) <= 2:
        return ", ".join(run)
    return f"{run[0]} to {run[-1].rpartition('-')[2]}"


def _permissions(target: Preflight) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name in ("", "may", "permission", "controls"):
        table.add_column(name, overflow="fold")
    order = list(_SIGNS)
    for each in sorted(target.asked, key=lambda asked: order.index(asked.may)):
        words, style = _SIGNS[each.may]
        told = each.reason if each.may in (May.UNKNOWN, May.NOT_NEEDED) else ""
        permission = f"{each.permission}: {told}" if told else str(each.permission)
        controls = Text(in_short(each.controls))
        table.add_row("", Text(words, style), Text(printable(permission)), controls)
    return table


def _files(target: Preflight) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name in ("", "what", "controls"):
        table.add_column(name, overflow="fold")
    for each in target.files:
        table.add_row("", Text(each.what), Text(in_short(each.controls)))
    return table
