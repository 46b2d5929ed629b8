"""What of a provider's events reaches its owner: the half of the answer that no policy holds."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from kcompliance.checks.azure_sight import (
    group_unknown,
    of_settings,
    settings_partly,
    stored_in_admin,
    trails_to_judge,
)
from kcompliance.checks.eks import describe
from kcompliance.model.aws.answers import answers
from kcompliance.model.aws.cluster_settings import UpdateStatus, read_update
from kcompliance.model.azure.diagnostics import KUBE_AUDIT, KUBE_AUDIT_ADMIN
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Confidence, Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Kind

__all__ = ["READS", "WRITES", "also_shipped", "shipped_of"]

READS: Final = (KUBE_AUDIT,)
"""The category of AKS that holds reads: kube-audit-admin leaves out get and list."""
WRITES: Final = (KUBE_AUDIT, KUBE_AUDIT_ADMIN)
"""The categories of AKS that hold writes; one of them is enough."""

_AUDIT: Final = "audit"
_SESSIONS: Final = ("exec", "attach", "portforward")


def also_shipped(
    cluster: Cluster,
    findings: Iterable[Finding],
    *,
    categories: tuple[str, ...] = READS,
    aspects: Collection[str] | None = None,
    sessions: bool = False,
) -> Iterator[Finding]:
    """The findings by a provider's policy, where it is also seen what of its events is shipped.

    A pass stands only where they are; where they surely are not it is a fail, whatever the policy
    says. `categories`: of AKS, one of which holds what the aspects are about. `aspects`: those
    that ask for events to be there; None: all. `sessions`: it is enough that sessions opened with
    a get are among the stored records of kube-audit-admin.
    """
    known: dict[str, tuple[Finding, ...]] = {}
    for finding in findings:
        aspect = finding.aspect
        if aspects is not None and aspect not in aspects:
            yield finding
            continue
        first = aspect not in known
        if first:
            known[aspect] = tuple(_shipping(cluster, aspect, categories, sessions=sessions))
        yield from _together(finding, known[aspect], first=first)


def _together(finding: Finding, shipped: tuple[Finding, ...], *, first: bool) -> Iterator[Finding]:
    if finding.status is Status.PASS and shipped:
        if first:
            yield from (_both(finding, each) for each in shipped)
        return
    told = (Status.FAIL,) if finding.status is Status.ERROR else (Status.FAIL, Status.ERROR)
    if first:
        yield from (each for each in shipped if each.status in told)
    failed = shipped and all(each.status is Status.FAIL for each in shipped)
    if finding.status is not Status.MANUAL or not failed:
        yield finding


def _both(finding: Finding, shipped: Finding) -> Finding:
    if shipped.status is not Status.PASS:
        by = "policy" if finding.confidence is Confidence.PUBLISHED_POLICY else "events"
        return replace(shipped, notes=(*shipped.notes, f"by its {by}: {finding.because}"))
    return Finding.passed(
        shipped.resource,
        f"{finding.because}; {shipped.because}",
        finding.evidence + shipped.evidence,
        aspect=finding.aspect,
        confidence=finding.confidence,
        notes=(*finding.notes, *shipped.notes),
    )


def _shipping(
    cluster: Cluster, aspect: str, categories: tuple[str, ...], *, sessions: bool
) -> Iterator[Finding]:
    """Whether a provider ships the events to its owner; nothing on other platforms.

    Of EKS only what speaks against it is told: an enabled log type shows no event.
    """
    match cluster.platform:
        case Platform.AKS:
            for found in trails_to_judge(cluster, (aspect,)):
                if isinstance(found, Finding):
                    yield found
                    continue
                judged = shipped_of(found, aspect, categories)
                seen = _sessions(cluster, found, aspect) if sessions else None
                yield seen if seen and judged.status is Status.FAIL else judged
        case Platform.EKS:
            yield from _of_eks(cluster, aspect)
        case _:
            pass


# --- AKS -----------------------------------------------------------------------------------------


def shipped_of(trail: Trail, aspect: str, categories: tuple[str, ...]) -> Finding:
    """Whether one of these categories of AKS is shipped, to where it may arrive."""
    names = [name for name in categories if trail.shipped.has(name)]
    settings = [each for name in names for each in trail.shipped.settings_of(name)]
    if not settings:
        return _not_shipped(trail, aspect, categories)
    destinations = list(dict.fromkeys(place for each in settings for place in each.destinations))
    looks = {place: trail.look(place) for place in destinations}
    there = [place for place in destinations if not isinstance(looks[place], Absent)]
    evidence = of_settings(trail)
    shipped = " and ".join(names)
    if not there:
        gone = ", ".join(f"the {place.kind} {place.id}" for place in destinations)
        because = f"{shipped} goes to nothing: {gone} no longer exists"
        return Finding.failed(trail.id, because, evidence, aspect=aspect)
    shown = ", ".join(f"the {place.kind} {place.id}" for place in there)
    return Finding.passed(
        trail.id,
        f"{shipped} is shipped to {shown}",
        evidence,
        aspect=aspect,
        notes=("whether the destination is there is asked by KC-AUD-001",),
    )


def _not_shipped(trail: Trail, aspect: str, categories: tuple[str, ...]) -> Finding:
    wanted = " or ".join(categories)
    unknown = group_unknown(trail, wanted, aspect)
    if unknown is not None:
        return unknown
    if trail.shipped.has(KUBE_AUDIT_ADMIN):
        because = (
            "only kube-audit-admin is shipped: get and list are not in it, and with them what "
            "kubectl opens as a WebSocket (exec, attach, port-forward)"
        )
    else:
        because = f"no diagnostic setting ships {wanted}: what is recorded reaches nobody"
    if not trail.settings_whole:
        return settings_partly(trail, because, aspect)
    return Finding.failed(trail.id, because, of_settings(trail), aspect=aspect)


def _sessions(cluster: Cluster, trail: Trail, aspect: str) -> Finding | None:
    """Sessions that were opened with a get, among what kube-audit-admin stored."""
    if not trail.shipped.has(KUBE_AUDIT_ADMIN):
        return None
    for raw, verbs in stored_in_admin(cluster, trail):
        for each in verbs:
            session = each.subresource.lower() in _SESSIONS and each.verb.lower() == "get"
            if session and each.records > 0:
                words = f"{each.subresource} {each.verb} {each.records}"
                quoted = evidence_of(raw, f"{each.source} of the last week", words)
                return Finding.passed(
                    trail.id,
                    "only kube-audit-admin is shipped, but sessions opened with a get are among "
                    "its stored records",
                    of_settings(trail) + quoted,
                    aspect=aspect,
                    notes=("Microsoft documents it as without get and list: do not rely on it",),
                )
    return None


# --- EKS -----------------------------------------------------------------------------------------


def _of_eks(cluster: Cluster, aspect: str) -> Iterator[Finding]:
    found, early = describe(cluster, (aspect,))
    yield from (each for each in early if each.status is Status.ERROR)
    if found is None:
        return
    on = found.value.log_types  # None: not told, which leaves the question that is asked anyway
    if on is not None and _AUDIT not in on and not _changing(cluster, found.value.status):
        shown = ", ".join(sorted(on)) or "none"
        evidence = evidence_of(found.raw, "cluster.logging.clusterLogging", f"enabled: {shown}")
        because = f"its log type audit is off (enabled: {shown}): what is recorded reaches nobody"
        yield Finding.failed(found.value.arn, because, evidence, aspect=aspect)


def _changing(cluster: Cluster, status: str | None) -> bool:
    """Whether an update that is on its way may be switching it on."""
    updates, gaps = answers(cluster, Kind.AWS_EKS_UPDATE, read_update)
    running = any(
        each.value.of_logging and each.value.status is UpdateStatus.IN_PROGRESS for each in updates
    )
    return running or bool(gaps) or (status != "ACTIVE" and not updates)
