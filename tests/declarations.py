"""Findings, attestations and waivers for tests, in as few words as they take."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from datetime import date as Day
from typing import Any

from kcompliance.controls import load_controls
from kcompliance.model.finding import Confidence, Finding, Status, evidence_of
from kcompliance.model.reading import Kind, Seen
from kcompliance.model.verdict import Judged
from kcompliance.model.waiver import Attestation, Waiver
from kcompliance.waivers import Declared, Review, Reviewed
from kcompliance.waivers import declare as declare_for_target
from tests.captures import raw

__all__ = [
    "AS_OF",
    "CONFIGURATION",
    "attestation",
    "declare",
    "declared",
    "judged",
    "review",
    "waiver",
]

AS_OF = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
CONFIGURATION = raw(Kind.DECLARATIONS, "kcompliance.yaml", "{}", "configuration")
_SEEN = evidence_of(raw(Kind.OBJECTS, "server.yaml", "x"), "whole file")
_ABOUT: dict[str, Any] = {
    "control": "KC-AUD-008",
    "aspect": "main",
    "resource": "server.yaml",
    "date": Day(2026, 6, 1),
    "expires": Day(2026, 6, 30),
    "line": 3,
}


def judged(
    status: Status,
    resource: str = "server.yaml",
    control: str = "KC-AUD-008",
    aspect: str = "main",
    target: str = "node",
) -> Judged:
    finding = Finding(
        aspect=aspect,
        resource=resource,
        status=status,
        because="of this",
        evidence=_SEEN,
        confidence=Confidence.BUNDLE,
        question="Is it so?" if status is Status.MANUAL else None,
        notes=("a note",),
    )
    of = load_controls()[control]
    return Judged(
        target=target, control=of, aspect=of.aspect(aspect), finding=finding, parameters={}
    )


def waiver(**changes: Any) -> Waiver:
    values = {"reason": "it goes away in July", "owner": "Jane Doe", "approver": "John Roe"}
    return Waiver(**(_ABOUT | values | changes))


def attestation(**changes: Any) -> Attestation:
    return Attestation(**(_ABOUT | {"statement": "the disks are\nencrypted", "by": "J"} | changes))


def declared(
    *values: Attestation | Waiver, target: str = "node"
) -> dict[str, list[Seen[Attestation] | Seen[Waiver]]]:
    entries: list[Seen[Attestation] | Seen[Waiver]] = []
    for value in values:
        if isinstance(value, Waiver):
            entries.append(Seen(value=value, raw=CONFIGURATION))
        else:
            entries.append(Seen(value=value, raw=CONFIGURATION))
    return {target: entries}


def review(
    items: Iterable[Judged], of_targets: Mapping[str, Declared], as_of: datetime
) -> tuple[Reviewed, ...]:
    """A review of these targets, one after the other."""
    followed, items = Review(as_of), list(items)
    for target, entries in of_targets.items():
        followed.add([item for item in items if item.target == target], entries)
    return followed.reviewed()


def declare(
    items: Iterable[Judged], of_targets: Mapping[str, Declared], as_of: datetime
) -> tuple[Judged, ...]:
    """The same findings, after what is declared for the target of each."""
    return tuple(
        after
        for item in items
        for after in declare_for_target([item], of_targets.get(item.target, ()), as_of)
    )
