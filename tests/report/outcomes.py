"""Outcomes to render: the demo's clusters, and findings made to measure."""

from datetime import UTC, datetime
from typing import Any

from kcompliance.controls import load_controls, published_policies
from kcompliance.errors import ExitCode
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding, Severity
from kcompliance.model.verdict import Judged
from kcompliance.report import Outcome, Target

__all__ = ["MOMENT", "judged", "outcome"]

MOMENT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


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


def outcome(*items: Judged, **changes: Any) -> Outcome:
    """An outcome with these findings, over the targets that they name."""
    targets = dict.fromkeys(item.target for item in items)
    values: dict[str, Any] = {
        "as_of": MOMENT,
        "targets": tuple(
            Target(cluster=assemble(name, (), published=published_policies()), captures=())
            for name in targets
        ),
        "controls": tuple({item.control.id: item.control for item in items}.values()),
        "judged": items,
        "parameters": {},
        "frameworks": (),
        "shown_from": Severity.LOW,
        "exit_code": ExitCode.GOOD,
    }
    return Outcome(**(values | changes))
