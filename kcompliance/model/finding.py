"""What a check says of one aspect of a control on one resource."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import total_ordering
from typing import Self, TypedDict, Unpack

from kcompliance.model.reading import Raw, Unreadable

__all__ = ["Confidence", "Details", "Evidence", "Finding", "Severity", "Status", "evidence_of"]


class Status(StrEnum):
    """The five verdicts. Only evidence earns a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    MANUAL = "manual"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


@total_ordering
class Severity(Enum):
    """How bad a fail is; ordered."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Severity):
            return NotImplemented
        order = list(Severity)
        return order.index(self) < order.index(other)


class Confidence(StrEnum):
    """What kind of evidence a verdict rests on."""

    LIVE = "live"
    BUNDLE = "bundle"
    PUBLISHED_POLICY = "published-policy"
    ASSUMED_POLICY = "assumed-policy"
    ATTESTED = "attested"


_ENOUGH_FOR_PASS = frozenset(Confidence) - {Confidence.ASSUMED_POLICY}
LIVE_COLLECTORS = frozenset({"archive", "aws", "azure", "elasticsearch", "kubernetes", "node"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Something quoted: the raw it stands in, where in it, and what it says."""

    raw: Raw
    location: str
    """A field or a line: `--audit-log-path`, `line 12`, `spec.volumes`."""
    quote: str = ""


class Details(TypedDict, total=False):
    """What any finding may add: `aspect` (main), `notes`, and a `confidence` of its own."""

    aspect: str
    confidence: Confidence | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict. Made by the constructors below, which refuse what must not exist."""

    aspect: str
    resource: str
    status: Status
    because: str
    evidence: tuple[Evidence, ...] = ()
    confidence: Confidence | None = None
    question: str | None = None
    """What a human has to answer; only and always of a manual one."""
    permission: str | None = None
    """What would have to be granted; only of an error."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.because:
            raise ValueError("a finding without a reason")
        if self.status is Status.PASS and not (
            self.evidence and self.confidence in _ENOUGH_FOR_PASS
        ):
            raise ValueError(f"a pass without evidence that earns one: {self.because}")
        if (self.status is Status.MANUAL) != (self.question is not None):
            raise ValueError(f"a question belongs to a manual finding: {self.because}")

    @classmethod
    def passed(
        cls,
        resource: str,
        because: str,
        evidence: tuple[Evidence, ...],
        **details: Unpack[Details],
    ) -> Self:
        """It is so, and here is what shows it."""
        return cls._of(Status.PASS, resource, because, evidence, details)

    @classmethod
    def failed(
        cls,
        resource: str,
        because: str,
        evidence: tuple[Evidence, ...] = (),
        **details: Unpack[Details],
    ) -> Self:
        """It is not so."""
        return cls._of(Status.FAIL, resource, because, evidence, details)

    @classmethod
    def manual(
        cls,
        resource: str,
        because: str,
        question: str,
        evidence: tuple[Evidence, ...] = (),
        **details: Unpack[Details],
    ) -> Self:
        """Nothing that was declared can answer; a human can."""
        return cls._of(Status.MANUAL, resource, because, evidence, details, question=question)

    @classmethod
    def not_applicable(
        cls,
        resource: str,
        because: str,
        evidence: tuple[Evidence, ...] = (),
        **details: Unpack[Details],
    ) -> Self:
        """The requirement is about something else, for a reason that was seen."""
        return cls._of(Status.NOT_APPLICABLE, resource, because, evidence, details)

    @classmethod
    def error(
        cls,
        resource: str,
        because: str,
        evidence: tuple[Evidence, ...] = (),
        *,
        permission: str | None = None,
        **details: Unpack[Details],
    ) -> Self:
        """It could not be seen."""
        return cls._of(Status.ERROR, resource, because, evidence, details, permission=permission)

    @classmethod
    def unreadable(cls, reading: Unreadable, *, aspect: str = "main") -> Self:
        """It could not be seen, because this reading failed."""
        return cls.error(
            reading.origin.resource, reading.reason, aspect=aspect, permission=reading.permission
        )

    @classmethod
    def _of(
        cls,
        status: Status,
        resource: str,
        because: str,
        evidence: tuple[Evidence, ...],
        details: Details,
        *,
        question: str | None = None,
        permission: str | None = None,
    ) -> Self:
        return cls(
            aspect=details.get("aspect", "main"),
            resource=resource,
            status=status,
            because=because,
            evidence=evidence,
            confidence=details.get("confidence") or _confidence(evidence),
            question=question,
            permission=permission,
            notes=details.get("notes", ()),
        )


def evidence_of(raw: Raw, location: str, quote: str = "") -> tuple[Evidence, ...]:
    """One piece of evidence, as the constructors take it."""
    return (Evidence(raw=raw, location=location, quote=quote),)


def _confidence(evidence: tuple[Evidence, ...]) -> Confidence | None:
    """Live only where everything was read from the live system."""
    if not evidence:
        return None
    if all(item.raw.origin.collector in LIVE_COLLECTORS for item in evidence):
        return Confidence.LIVE
    return Confidence.BUNDLE
