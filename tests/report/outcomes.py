"""Outcomes to render: the demo's clusters, and findings made to measure."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from rich.console import Console

from kcompliance.controls import load_controls, published_policies
from kcompliance.errors import ExitCode
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding, Severity
from kcompliance.model.tally import Tally
from kcompliance.model.verdict import Judged
from kcompliance.report import (
    Findings,
    JsonFindings,
    Outcome,
    TableFindings,
    Target,
    render_json,
    render_table,
)

__all__ = ["MOMENT", "Scanned", "document", "judged", "outcome", "shown"]

MOMENT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A whole scan: what it came to, and its findings."""

    outcome: Outcome
    items: tuple[Judged, ...]

    def tell(self, kept: Findings) -> None:
        """Add the targets, and the findings on each."""
        for name in dict.fromkeys(item.target for item in self.items):
            cluster = assemble(name, (), published=published_policies())
            kept.add_target(Target(cluster=cluster, captures=()))
            kept.add(item for item in self.items if item.target == name)


def judged(finding: Finding, control: str = "KC-AUD-006", target: str = "one") -> Judged:
    """A finding in its control's context."""
    found = load_controls()[control]
    return Judged(
        target=target,
        control=found,
        aspect=found.aspect(finding.aspect),
        finding=finding,
        parameters={},
    )


def outcome(*items: Judged, **changes: Any) -> Scanned:
    """An outcome with these findings, over the targets that they name."""
    tally = Tally()
    tally.add(items)
    values: dict[str, Any] = {
        "as_of": MOMENT,
        "controls": tuple({item.control.id: item.control for item in items}.values()),
        "tally": tally,
        "parameters": {},
        "frameworks": (),
        "shown_from": Severity.LOW,
        "exit_code": ExitCode.GOOD,
    }
    return Scanned(Outcome(**(values | changes)), items)


def document(result: Scanned) -> dict[str, Any]:
    """The report for machines."""
    kept = JsonFindings(result.outcome.shown_from, compared=result.outcome.comparison is not None)
    result.tell(kept)
    parsed: dict[str, Any] = json.loads("".join(render_json(result.outcome, kept)))
    return parsed


def shown(result: Scanned, *, verbose: bool = False, width: int = 100) -> str:
    """The report for people."""
    kept = TableFindings(
        result.outcome.shown_from, verbose=verbose, new_only=result.outcome.new_only
    )
    result.tell(kept)
    stream = StringIO()
    console = Console(file=stream, width=width, no_color=True)
    for part in render_table(result.outcome, kept):
        console.print(part)
    return stream.getvalue()
