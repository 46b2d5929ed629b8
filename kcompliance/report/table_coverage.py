"""`policy coverage` for people: a matrix that fits a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kcompliance.model.audit_policy import Level
from kcompliance.model.personas import PERSONAS
from kcompliance.model.policy_coverage import Cell, Coverage

__all__ = ["table_of_coverage"]

_SIGNS = {
    Level.NONE: ("-", "bold red"),
    Level.METADATA: ("M", "default"),
    Level.REQUEST: ("R", "green"),
    Level.REQUEST_RESPONSE: ("RR", "green"),
}
_HEADS = {
    "a human": "human",
    "a cluster admin": "admin",
    "a service account": "service",
    "a node": "node",
    "an anonymous user": "anon.",
    "a failed login": "no login",
}
_LEGEND = (
    "- nothing, M Metadata, R Request, RR RequestResponse; M…RR: its requests differ",
    "else, other: what no rule names; service: a service account; no login: it failed",
    "each request, and the rule that decides: --format json",
)


def table_of_coverage(name: str, coverage: Coverage) -> RenderableType:
    """The matrix, its legend, and how many requests are not recorded."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("action")
    table.add_column("transport")
    for persona in PERSONAS:
        table.add_column(_HEADS.get(persona.name, persona.name))
    last = None
    for row in coverage.rows:
        action = "" if row.action == last else row.action
        table.add_row(action, row.transport.value, *(_sign(cell) for cell in row.cells))
        last = row.action
    asked = list(coverage.asked)
    holes = sum(each.level is Level.NONE for each in asked)
    summary = f"{name}: {holes} of {len(asked)} requests leave no record"
    return Group(
        table,
        Text(),
        *(Text(each, "dim") for each in _LEGEND),
        Text(summary, "bold red" if holes else ""),
    )


def _sign(cell: Cell) -> Text:
    weakest, style = _SIGNS[cell.weakest]
    if cell.weakest is cell.strongest:
        return Text(weakest, style)
    return Text(f"{weakest}…{_SIGNS[cell.strongest][0]}", style)
