"""Findings in the context of their control, and what they come to together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kcompliance.model.control import Aspect, Control, Framework, FrameworkItem, Satisfies
from kcompliance.model.finding import Confidence, Finding, Status
from kcompliance.model.reading import Seen
from kcompliance.model.waiver import Attestation, Waiver

__all__ = [
    "Counted",
    "ItemVerdict",
    "Judged",
    "all_waived",
    "control_status",
    "counting",
    "item_verdicts",
    "unanswered_items",
    "worst",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finding with the control and aspect that it is about, and the parameters used."""

    target: str
    control: Control
    aspect: Aspect
    finding: Finding
    parameters: Mapping[str, Any]
    traceback: str | None = None
    waiver: Seen[Waiver] | None = None
    """Lies over a fail, which stays one; only of a fail."""
    attestation: Seen[Attestation] | None = None
    """What made a question a pass; only of an attested one."""
    known: bool = False
    """Whether the baseline has this fail too; only of a fail."""

    def __post_init__(self) -> None:
        if self.waiver is not None and self.finding.status is not Status.FAIL:
            raise ValueError(f"a waiver over what is no fail: {self.finding.because}")
        attested = (Status.PASS, Confidence.ATTESTED)
        if self.attestation and (self.finding.status, self.finding.confidence) != attested:
            raise ValueError(f"an attestation of what is no attested pass: {self.finding.because}")
        if self.known and self.finding.status is not Status.FAIL:
            raise ValueError(f"known, and no fail: {self.finding.because}")

    @property
    def status(self) -> Status:
        """The finding's."""
        return self.finding.status

    @property
    def waived(self) -> bool:
        """Whether it is a fail that a waiver lies over."""
        return self.waiver is not None


class Counted(Protocol):
    """What a finding counts as: all that is asked of it when several are taken together."""

    @property
    def control(self) -> Control:
        """What it is about."""

    @property
    def aspect(self) -> Aspect:
        """What of the control."""

    @property
    def status(self) -> Status:
        """The verdict."""

    @property
    def waived(self) -> bool:
        """Whether it is a fail that a waiver lies over."""

    @property
    def known(self) -> bool:
        """Whether it is a fail that the baseline has too."""


_WORST_FIRST = (Status.FAIL, Status.ERROR, Status.MANUAL, Status.PASS, Status.NOT_APPLICABLE)


def worst(statuses: Iterable[Status]) -> Status:
    """The status of several findings together; of none, error."""
    return min(statuses, key=_WORST_FIRST.index, default=Status.ERROR)


def control_status(control: Control, judged: Iterable[Counted]) -> Status:
    """The worst of its aspects, without those that only a framework asks for.

    Where only such aspects were judged, because that framework was chosen, the worst of those.
    """
    return worst(item.status for item in counting(control, judged))


def counting(control: Control, judged: Iterable[Counted]) -> list[Counted]:
    """The findings of a control that its status is made of."""
    own = [item for item in judged if item.control.id == control.id]
    return [item for item in own if not item.aspect.only_for] or own


def all_waived(judged: Iterable[Counted]) -> bool:
    """Whether something fails here and each fail is waived."""
    fails = [item for item in judged if item.status is Status.FAIL]
    return bool(fails) and all(item.waived for item in fails)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVerdict:
    """What a framework's item comes to: the worst of the aspects mapped to it."""

    item: FrameworkItem
    status: Status
    aspects: tuple[str, ...]
    """`CONTROL/ASPECT`, sorted."""
    waived: bool = False
    """It fails, and each of its fails is waived."""


def item_verdicts(
    framework: Framework, version: str | None, judged: Iterable[Counted]
) -> tuple[ItemVerdict, ...]:
    """The items of a framework (of one of its versions) that any finding answers."""
    findings = list(judged)
    verdicts = []
    for item in framework.items:
        if version is not None and version not in item.versions:
            continue
        mapped = [j for j in findings if any(_is(s, framework, item) for s in j.aspect.satisfies)]
        if mapped:
            names = sorted({f"{j.control.id}/{j.aspect.id}" for j in mapped})
            status = worst(j.status for j in mapped)
            verdicts.append(
                ItemVerdict(
                    item=item, status=status, aspects=tuple(names), waived=all_waived(mapped)
                )
            )
    return tuple(verdicts)


def unanswered_items(
    framework: Framework, version: str | None, verdicts: Iterable[ItemVerdict]
) -> tuple[FrameworkItem, ...]:
    """The items of a framework (of one of its versions) that no finding answers."""
    answered = {verdict.item for verdict in verdicts}
    asked = (item for item in framework.items if version is None or version in item.versions)
    return tuple(item for item in asked if item not in answered)


def _is(satisfies: Satisfies, framework: Framework, item: FrameworkItem) -> bool:
    """By version too: one number has meant different items in different versions."""
    if (satisfies.framework, satisfies.id) != (framework.id, item.id):
        return False
    return (
        not satisfies.versions
        or not item.versions
        or bool(set(satisfies.versions) & set(item.versions))
    )
