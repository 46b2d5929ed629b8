"""Attestations and waivers in the JSON of a scan."""

import msgspec

from kcompliance.model.reading import Seen
from kcompliance.model.waiver import Attestation, Waiver
from kcompliance.waivers import Reviewed

__all__ = [
    "AttestationV1",
    "ReviewedAttestationV1",
    "ReviewedWaiverV1",
    "WaiverV1",
    "attestation_v1",
    "reviewed_attestations",
    "reviewed_waivers",
    "waiver_v1",
]


class DeclarationV1(msgspec.Struct, kw_only=True):
    """What it is about, and for which days (UTC, both included).

    `target` null means any; `date` null means since long enough. `source`, `line` and `sha256` say
    where it was written, and which bytes a bundle keeps of it.
    """

    control: str
    aspect: str
    target: str | None
    resource: str
    date: str | None
    expires: str
    source: str
    line: int
    sha256: str


class WaiverV1(DeclarationV1, kw_only=True):
    """An accepted fail. It lies over the fail, which stays one."""

    reason: str
    owner: str
    approver: str


class AttestationV1(DeclarationV1, kw_only=True):
    """Somebody's answer to a question."""

    statement: str
    by: str


class ReviewedWaiverV1(WaiverV1, kw_only=True):
    """A waiver after the scan.

    `state` is one of used, unused, expired, not-yet, open (what it may be about could not be seen)
    and not-judged (not part of this scan). `findings` are the fails that it lies over or, where it
    is not in force, would.
    """

    state: str
    because: str
    findings: int


class ReviewedAttestationV1(AttestationV1, kw_only=True):
    """An attestation after the scan; `state` as of a waiver, `findings` are questions."""

    state: str
    because: str
    findings: int


def waiver_v1(seen: Seen[Waiver]) -> WaiverV1:
    """A waiver as a finding shows it."""
    return msgspec.convert(_of_waiver(seen), WaiverV1)


def attestation_v1(seen: Seen[Attestation]) -> AttestationV1:
    """An attestation as a finding shows it."""
    return msgspec.convert(_of_attestation(seen), AttestationV1)


def reviewed_waivers(reviewed: tuple[Reviewed, ...]) -> list[ReviewedWaiverV1]:
    """The waivers of a scan, as written."""
    return [
        msgspec.convert(
            _of_waiver(Seen(value=item.declared.value, raw=item.declared.raw)) | _came_to(item),
            ReviewedWaiverV1,
        )
        for item in reviewed
        if isinstance(item.declared.value, Waiver)
    ]


def reviewed_attestations(reviewed: tuple[Reviewed, ...]) -> list[ReviewedAttestationV1]:
    """The attestations of a scan, as written."""
    return [
        msgspec.convert(
            _of_attestation(Seen(value=item.declared.value, raw=item.declared.raw))
            | _came_to(item),
            ReviewedAttestationV1,
        )
        for item in reviewed
        if isinstance(item.declared.value, Attestation)
    ]


def _came_to(item: Reviewed) -> dict[str, object]:
    return {"state": item.state.value, "because": item.because, "findings": item.findings}


def _of_waiver(seen: Seen[Waiver]) -> dict[str, object]:
    waiver = seen.value
    own = {"reason": waiver.reason, "owner": waiver.owner, "approver": waiver.approver}
    return _common(seen) | own


def _of_attestation(seen: Seen[Attestation]) -> dict[str, object]:
    attestation = seen.value
    return _common(seen) | {"statement": attestation.statement, "by": attestation.by}


def _common(seen: Seen[Attestation] | Seen[Waiver]) -> dict[str, object]:
    value = seen.value
    return {
        "control": value.control,
        "aspect": value.aspect,
        "target": value.target,
        "resource": value.resource,
        "date": str(value.date) if value.date is not None else None,
        "expires": str(value.expires),
        "source": seen.raw.origin.resource,
        "line": value.line,
        "sha256": seen.raw.sha256,
    }
