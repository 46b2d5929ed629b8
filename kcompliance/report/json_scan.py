"""The scan as JSON, `kcompliance/scan/v1`: its own types, so that ours may change."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from kcompliance import __version__
from kcompliance.json_pieces import json_pieces
from kcompliance.model.finding import Evidence, Severity, Status
from kcompliance.model.reading import Absent, Capture, Raw, Unreadable
from kcompliance.model.verdict import (
    Judged,
    all_waived,
    control_status,
    counting,
)
from kcompliance.report.interface import Outcome, Target
from kcompliance.report.json_declarations import (
    AttestationV1,
    ReviewedAttestationV1,
    ReviewedWaiverV1,
    WaiverV1,
    attestation_v1,
    reviewed_attestations,
    reviewed_waivers,
    waiver_v1,
)
from kcompliance.report.json_frameworks import FrameworkV1, framework_v1
from kcompliance.sorted_records import SortedRecords

__all__ = ["SCAN_SCHEMA", "JsonFindings", "Scan", "render_json"]

SCAN_SCHEMA = "kcompliance/scan/v1"


class Tool(msgspec.Struct, kw_only=True):
    """What made the report."""

    name: str
    version: str


class ReadingV1(msgspec.Struct, kw_only=True):
    """One thing that was asked for; `sha256` only where it was seen."""

    kind: str
    resource: str
    collector: str
    collected_at: str
    status: str
    sha256: str | None
    reason: str | None
    permission: str | None


class TargetV1(msgspec.Struct, kw_only=True):
    """What was scanned."""

    name: str
    platform: str | None
    platform_because: str
    kubernetes_version: str | None
    readings: list[ReadingV1]


class ControlV1(msgspec.Struct, kw_only=True):
    """A control's own verdict over all targets; `waived` where it fails and each fail is waived."""

    id: str
    title: str
    severity: str
    status: str
    waived: bool


class EvidenceV1(msgspec.Struct, kw_only=True):
    """What a finding quotes."""

    resource: str
    location: str
    quote: str
    sha256: str
    collector: str
    collected_at: str


class SatisfiesV1(msgspec.Struct, kw_only=True):
    """A framework's item that the aspect answers."""

    framework: str
    versions: list[str]
    id: str


class FindingV1(msgspec.Struct, kw_only=True):
    """One verdict: control, aspect and resource are its identity within a target.

    `waiver` lies over a fail, which stays one and does not count for the exit code; `attestation`
    is what made a question a pass.
    """

    control: str
    aspect: str
    title: str
    severity: str
    only_for: list[str]
    target: str
    resource: str
    status: str
    because: str
    confidence: str | None
    evidence: list[EvidenceV1]
    question: str | None
    permission: str | None
    notes: list[str]
    parameters: dict[str, Any]
    remediation: str
    satisfies: list[SatisfiesV1]
    waiver: WaiverV1 | None
    attestation: AttestationV1 | None
    known: bool | None
    """Of a fail: whether the baseline has it too; null without a baseline."""


class SummaryV1(msgspec.Struct, kw_only=True):
    """Counts of findings by status; `complete` is false where something could not be seen.

    Of the fails `waived` are waived and `known` are in the baseline too, of the passes `attested`
    are attested.
    """

    complete: bool
    findings: dict[str, int]
    waived: int
    known: int
    attested: int
    hidden: int


class NoLongerV1(msgspec.Struct, kw_only=True):
    """A fail of the baseline that is none now; `now` null where nothing is said of it."""

    target: str
    control: str
    aspect: str
    resource: str
    now: str | None


class BaselineV1(msgspec.Struct, kw_only=True):
    """The former scan; with `new_only` its fails do not count for the exit code."""

    sha256: str
    as_of: str
    fails: int
    new_only: bool
    no_longer: list[NoLongerV1]


class Scan(msgspec.Struct, kw_only=True):
    """The whole document."""

    schema: str
    tool: Tool
    as_of: str
    targets: list[TargetV1]
    parameters: dict[str, dict[str, Any]]
    summary: SummaryV1
    controls: list[ControlV1]
    frameworks: list[FrameworkV1]
    findings: list[FindingV1]
    attestations: list[ReviewedAttestationV1]
    waivers: list[ReviewedWaiverV1]
    baseline: BaselineV1 | None
    exit_code: int


class JsonFindings:
    """Targets and findings as the document will hold them."""

    def __init__(self, shown_from: Severity, *, compared: bool) -> None:
        """`compared`: with a baseline, so that each fail is known or not."""
        self._shown_from = shown_from
        self._compared = compared
        self._order: dict[str, int] = {}
        self._targets = SortedRecords()
        self._findings = SortedRecords()

    def add_target(self, target: Target) -> None:
        """Keep what was read."""
        self._targets.put((), msgspec.json.encode(_target(target)))

    def add(self, judged: Iterable[Judged]) -> None:
        """Keep what is to be shown, by control and in the order of targets."""
        for item in judged:
            place = self._order.setdefault(item.control.id, len(self._order))
            if item.aspect.severity >= self._shown_from:
                finding = _finding(item, compared=self._compared)
                self._findings.put((place,), msgspec.json.encode(finding))

    @property
    def targets(self) -> Iterator[str]:
        """The texts of the targets."""
        return map(_text, self._targets)

    @property
    def findings(self) -> Iterator[str]:
        """The texts of the findings."""
        return map(_text, self._findings)


def render_json(outcome: Outcome, kept: JsonFindings) -> Iterator[str]:
    """One JSON document in pieces, ending with a line feed."""
    scan = _scan(outcome)
    lists = {"targets": kept.targets, "findings": kept.findings}
    return json_pieces(
        [
            (name, lists.get(name) or _text(msgspec.json.encode(getattr(scan, name))))
            for name in scan.__struct_fields__
        ]
    )


def _text(encoded: bytes) -> str:
    return msgspec.json.format(encoded, indent=2).decode()


def _scan(outcome: Outcome) -> Scan:
    """The document without its targets and findings."""
    tally = outcome.tally
    return Scan(
        schema=SCAN_SCHEMA,
        tool=Tool(name="kcompliance", version=__version__),
        as_of=utc(outcome.as_of),
        targets=[],
        parameters={control: dict(given) for control, given in outcome.parameters.items()},
        summary=SummaryV1(
            complete=not tally.count(Status.ERROR) and not tally.count(Status.MANUAL),
            findings={status.value: tally.count(status) for status in Status},
            waived=tally.waived,
            known=tally.known,
            attested=tally.attested,
            hidden=tally.below(outcome.shown_from),
        ),
        controls=[
            ControlV1(
                id=control.id,
                title=control.title,
                severity=control.severity.value,
                status=control_status(control, tally.verdicts).value,
                waived=all_waived(counting(control, tally.verdicts)),
            )
            for control in outcome.controls
        ],
        frameworks=[framework_v1(chosen, tally) for chosen in outcome.frameworks],
        findings=[],
        attestations=reviewed_attestations(outcome.declarations),
        waivers=reviewed_waivers(outcome.declarations),
        baseline=_baseline(outcome),
        exit_code=int(outcome.exit_code),
    )


def utc(moment: datetime) -> str:
    """RFC 3339 in UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _target(target: Target) -> TargetV1:
    cluster = target.cluster
    return TargetV1(
        name=cluster.name,
        platform=cluster.platform.value if cluster.platform else None,
        platform_because=cluster.platform_because,
        kubernetes_version=str(cluster.version) if cluster.version else None,
        readings=[_reading(capture) for capture in target.captures],
    )


def _reading(capture: Capture) -> ReadingV1:
    status = "seen"
    if isinstance(capture, Unreadable):
        status = "unreadable"
    elif isinstance(capture, Absent):
        status = "absent"
    return ReadingV1(
        kind=capture.origin.kind.value,
        resource=capture.origin.resource,
        collector=capture.origin.collector,
        collected_at=utc(capture.origin.collected_at),
        status=status,
        sha256=capture.sha256 if isinstance(capture, Raw) else None,
        reason=None if isinstance(capture, Raw) else capture.reason,
        permission=capture.permission if isinstance(capture, Unreadable) else None,
    )


def _baseline(outcome: Outcome) -> BaselineV1 | None:
    if outcome.comparison is None:
        return None
    baseline, gone = outcome.comparison.baseline, outcome.comparison.no_longer()
    return BaselineV1(
        sha256=baseline.sha256,
        as_of=baseline.as_of,
        fails=len(baseline.failed),
        new_only=outcome.new_only,
        no_longer=[
            NoLongerV1(
                target=target,
                control=control,
                aspect=aspect,
                resource=resource,
                now=status.value if status else None,
            )
            for (target, control, aspect, resource), status in gone.items()
        ],
    )


def _finding(item: Judged, *, compared: bool) -> FindingV1:
    finding = item.finding
    return FindingV1(
        control=item.control.id,
        aspect=item.aspect.id,
        title=item.control.title,
        severity=item.aspect.severity.value,
        only_for=list(item.aspect.only_for),
        target=item.target,
        resource=finding.resource,
        status=finding.status.value,
        because=finding.because,
        confidence=finding.confidence.value if finding.confidence else None,
        evidence=[_evidence(evidence) for evidence in finding.evidence],
        question=finding.question,
        permission=finding.permission,
        notes=list(finding.notes),
        parameters=dict(item.parameters),
        remediation=item.control.remediation,
        satisfies=[
            SatisfiesV1(framework=s.framework, versions=list(s.versions), id=s.id)
            for s in item.aspect.satisfies
        ],
        waiver=waiver_v1(item.waiver) if item.waiver else None,
        attestation=attestation_v1(item.attestation) if item.attestation else None,
        known=item.known if compared and item.status is Status.FAIL else None,
    )


def _evidence(evidence: Evidence) -> EvidenceV1:
    origin = evidence.raw.origin
    return EvidenceV1(
        resource=origin.resource,
        location=evidence.location,
        quote=evidence.quote,
        sha256=evidence.raw.sha256,
        collector=origin.collector,
        collected_at=utc(origin.collected_at),
    )
