"""What attestations and waivers do to findings, and what becomes of the declarations themselves.

An attestation answers a `manual` finding. A waiver lies over a `fail`, which stays one in every
report. Nothing else is ever changed: no error, no pass, no fail becomes something better. Which of
them hold is decided by the moment that the scan judges for, never by a clock.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from datetime import date as Day
from typing import Final

from kcompliance.model.control import Aspect, Control, Platform
from kcompliance.model.finding import Confidence, Evidence, Finding, Severity, Status
from kcompliance.model.reading import Seen
from kcompliance.model.verdict import Judged
from kcompliance.model.waiver import Attestation, DeclarationState, Waiver

__all__ = ["STALE", "Declared", "Review", "Reviewed", "declare", "stale_findings"]

Declared = Sequence[Seen[Attestation] | Seen[Waiver]]
"""What is declared for a target: each with the bytes that it stands in."""

STALE: Final = Control(
    id="KC-CFG-001",
    slug="waivers-and-attestations-are-used-and-in-force",
    family="configuration",
    title="Every waiver and attestation is used and in force",
    platforms=tuple(Platform),
    asks="Does each of the declarations of this scan hold, and does something rest on it?",
    why="An expired waiver hides that nobody decided anew. One that nothing needs will one day "
    "cover a fail that nobody thought of.",
    aspects=(
        Aspect(id="in-force", title="it has not expired", severity=Severity.MEDIUM),
        Aspect(id="used", title="a finding needs it", severity=Severity.LOW),
    ),
    parameters={},
    remediation="correct the entry, let it be decided anew, or remove it from the configuration",
    sources=(),
)
"""Built in: it is about the configuration of a scan, and judged from its other findings."""

_LIES_OVER = {Attestation: Status.MANUAL, Waiver: Status.FAIL}


# --- what they do to findings --------------------------------------------------------------------


def declare(judged: Iterable[Judged], declared: Declared, as_of: datetime) -> tuple[Judged, ...]:
    """The findings on a target, with those answered and waived for which something is in force.

    Where several are, the first as written counts.
    """
    day = _day(as_of)
    return tuple(_declared(item, declared, day) for item in judged)


def _declared(item: Judged, declared: Declared, day: Day) -> Judged:
    for seen in declared:
        value = seen.value
        if not (_is_about(value, item) and _needs(value, item) and value.in_force(day)):
            continue
        if isinstance(value, Attestation):
            attestation = Seen(value=value, raw=seen.raw)
            return replace(
                item, finding=_attested(item.finding, attestation), attestation=attestation
            )
        return replace(item, waiver=Seen(value=value, raw=seen.raw))
    return item


def _attested(finding: Finding, seen: Seen[Attestation]) -> Finding:
    attestation = seen.value
    said = " ".join(attestation.statement.split())
    entry = Evidence(raw=seen.raw, location=f"line {attestation.line}", quote=said)
    return Finding.passed(
        finding.resource,
        f"attested by {attestation.by} on {attestation.date}, until {attestation.expires}: {said}",
        (entry, *finding.evidence),
        aspect=finding.aspect,
        confidence=Confidence.ATTESTED,
        notes=(
            f"the question was: {finding.question}",
            f"what kcompliance itself saw: {finding.because}",
            *finding.notes,
        ),
    )


def _is_about(declaration: Attestation | Waiver, item: Judged) -> bool:
    return _is_of(declaration, item) and declaration.covers(item.finding.resource)


def _is_of(declaration: Attestation | Waiver, item: Judged) -> bool:
    """Whether the finding is one of the control, aspect and target of the declaration."""
    same = (declaration.control, declaration.aspect) == (item.control.id, item.aspect.id)
    return same and declaration.concerns(item.target)


def _needs(declaration: Attestation | Waiver, item: Judged) -> bool:
    return item.status is _LIES_OVER[type(declaration)]


def _day(as_of: datetime) -> Day:
    return as_of.astimezone(UTC).date()


# --- what becomes of them ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A declaration after a scan: what it was good for, in words too."""

    declared: Seen[Attestation] | Seen[Waiver]
    state: DeclarationState
    because: str
    targets: tuple[str, ...]
    """Those of this scan that it is about."""
    findings: int
    """How many findings rest on it; of one that is not in force, how many would."""


@dataclass(slots=True)
class _Use:
    """What the findings so far came to for a declaration."""

    seen: Seen[Attestation] | Seen[Waiver]
    targets: dict[str, None] = field(default_factory=dict)
    """Those of which a finding is one of its control and aspect."""
    unseen: bool = False
    """Whether one of these findings is an error."""
    found: set[Status] = field(default_factory=set)
    """Of the findings that it is about."""
    needing: int = 0


class Review:
    """Follows the declarations of a scan, whose targets come one after the other."""

    def __init__(self, as_of: datetime) -> None:
        self._day = _day(as_of)
        self._uses: dict[Attestation | Waiver, _Use] = {}

    def add(self, judged: Sequence[Judged], declared: Declared) -> None:
        """The findings on a target, as they are before `declare`, and what is declared for it."""
        for seen in declared:
            self._uses.setdefault(seen.value, _Use(seen))
        for value in {seen.value for seen in declared}:
            _use(self._uses[value], value, judged)

    def reviewed(self) -> tuple[Reviewed, ...]:
        """Each declaration once, as it was written."""
        return tuple(_reviewed(value, use, self._day) for value, use in self._uses.items())


def _use(use: _Use, value: Attestation | Waiver, judged: Iterable[Judged]) -> None:
    for item in judged:
        if not _is_of(value, item):
            continue
        use.targets[item.target] = None
        use.unseen = use.unseen or item.status is Status.ERROR
        if value.covers(item.finding.resource):
            use.found.add(item.status)
            use.needing += _needs(value, item)


def _reviewed(value: Attestation | Waiver, use: _Use, day: Day) -> Reviewed:
    state, because = _state(value, use, day)
    return Reviewed(
        declared=use.seen,
        state=state,
        because=because,
        targets=tuple(use.targets),
        findings=use.needing,
    )


def _state(value: Attestation | Waiver, use: _Use, day: Day) -> tuple[DeclarationState, str]:
    if not use.targets:
        place = "" if value.target is None else f" of {value.target}"
        return DeclarationState.NOT_JUDGED, f"{value.control}{place} is not part of this scan"
    if day < value.begins:
        return DeclarationState.NOT_YET, f"it holds from {value.begins} on"
    if day > value.expires:
        because = f"it expired on {value.expires}: {_open(value, use.needing)}"
        return DeclarationState.EXPIRED, because
    if use.needing:
        return DeclarationState.USED, f"{_counted(use.needing, _word(value))} until {value.expires}"
    if use.unseen:
        return DeclarationState.OPEN, "what it may be about could not be seen"
    return DeclarationState.UNUSED, _why_unused(value, use.found)


def _word(value: Attestation | Waiver) -> str:
    return "question" if isinstance(value, Attestation) else "fail"


def _open(value: Attestation | Waiver, needing: int) -> str:
    if not needing:
        return f"no {_word(value)} is left that it is about"
    if isinstance(value, Attestation):
        return f"{_counted(needing, 'question')} {'is' if needing == 1 else 'are'} open again"
    return f"{_counted(needing, 'fail')} {'counts' if needing == 1 else 'count'} again"


def _why_unused(value: Attestation | Waiver, statuses: Iterable[Status]) -> str:
    found = ", ".join(sorted(status.value for status in statuses))
    if not found:
        return "no finding has this resource"
    if isinstance(value, Waiver):
        hint = ": only an attestation answers a question" if found == "manual" else ""
        return f"it lies over no fail: the finding is {found}{hint}"
    return f"it answers no question: kcompliance itself finds {found}"


def stale_findings(reviewed: Iterable[Reviewed]) -> Iterator[Judged]:
    """A fail of `STALE` for each declaration that expired or that nothing needs."""
    aspects = {DeclarationState.EXPIRED: "in-force", DeclarationState.UNUSED: "used"}
    for item in reviewed:
        aspect = aspects.get(item.state)
        if aspect is None:
            continue
        value, raw = item.declared.value, item.declared.raw
        kind = "attestation" if isinstance(value, Attestation) else "waiver"
        entry = Evidence(raw=raw, location=f"line {value.line}", quote=value.about)
        finding = Finding.failed(f"{kind} of {value.about}", item.because, (entry,), aspect=aspect)
        yield Judged(
            target=", ".join(item.targets),
            control=STALE,
            aspect=STALE.aspect(aspect),
            finding=finding,
            parameters={},
        )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
