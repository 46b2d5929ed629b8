"""Where a provider ships the audit log of a cluster to: its own stream instead of a forwarder."""

from collections.abc import Iterator
from typing import Final

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.eks import describe, not_given
from kcompliance.checks.protection.azure_destinations import audit_destinations, not_looked_at
from kcompliance.checks.shipped import READS, WRITES, shipped_of
from kcompliance.model.aws.cluster_settings import EksCluster
from kcompliance.model.aws.log_group import log_group
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.control import Platform
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable

__all__ = ["provider_ships"]

_READ: Final = "read"
_OFF: Final = "off-cluster"
_UNFILTERED: Final = "unfiltered"
_ASPECTS: Final = (_READ, _OFF, _UNFILTERED)


def provider_ships(
    cluster: Cluster, *, min_destinations: int, recommended: int
) -> Iterator[Finding]:
    """Findings of each aspect of KC-MON-002; for AKS and EKS only."""
    if cluster.platform is Platform.EKS:
        yield from _of_eks(cluster, min_destinations)
        return
    for trail in trails_to_judge(cluster, _ASPECTS):
        if isinstance(trail, Finding):
            yield trail
            continue
        yield shipped_of(trail, _READ, WRITES)
        yield from _off_cluster(trail, min_destinations, recommended)
        yield shipped_of(trail, _UNFILTERED, READS)


def _off_cluster(trail: Trail, wanted: int, recommended: int) -> Iterator[Finding]:
    destinations = audit_destinations(trail)
    shipped = shipped_of(trail, _OFF, WRITES)
    if not destinations or shipped.status is Status.FAIL:
        yield shipped
        return
    looks = {place: trail.look(place) for place in destinations}
    evidence = of_settings(trail)
    there = []
    for place, look in looks.items():
        if isinstance(look, Seen):
            there.append(f"the {place.kind} {place.id}")
            evidence += evidence_of(look.raw, "id", place.id)
    if len(there) >= wanted:
        few = len(there) < recommended
        notes = (f"fewer than the {recommended} that are recommended",) if few else ()
        because = f"it goes to {', '.join(there)}, outside of the cluster"
        yield Finding.passed(trail.id, because, evidence, aspect=_OFF, notes=notes)
        return
    unsure = {
        place: look
        for place, look in looks.items()
        if isinstance(look, Unreadable) or not isinstance(look, Seen | Absent)
    }
    if len(there) + len(unsure) < wanted:
        shown = ", ".join(there) or "nowhere"
        because = f"it goes to {shown}: fewer places than the {wanted} that are asked for"
        yield Finding.failed(trail.id, because, evidence, aspect=_OFF)
        return
    for place, look in unsure.items():
        if not isinstance(look, Seen):
            yield not_looked_at(trail, place, look, _OFF)


def _of_eks(cluster: Cluster, wanted: int) -> Iterator[Finding]:
    found, early = describe(cluster, _ASPECTS)
    yield from early
    if found is None:
        return
    for aspect in _ASPECTS:
        yield _of_group(cluster, found, aspect, wanted)


def _of_group(cluster: Cluster, found: Seen[EksCluster], aspect: str, wanted: int) -> Finding:
    value, types = found.value, found.value.log_types
    if types is None:
        return Finding.error(value.arn, "the answer says nothing of its logging", aspect=aspect)
    shown = ", ".join(sorted(types)) or "none"
    evidence = evidence_of(found.raw, "cluster.logging.clusterLogging", f"enabled: {shown}")
    if "audit" not in types:
        because = f"its log type audit is off (enabled: {shown}): nothing is shipped"
        return Finding.failed(value.arn, because, evidence, aspect=aspect)
    group = log_group(cluster, value.log_group)
    match group:
        case Unreadable():
            return Finding.unreadable(group, aspect=aspect)
        case NotAsked():
            command = f"aws logs describe-log-groups --log-group-name-prefix {value.log_group}"
            return not_given(value.arn, f"the log group {value.log_group}", command, aspect)
        case Absent():
            because = f"audit is on, and there is no log group {value.log_group}: see KC-AUD-004"
            return Finding.failed(value.arn, because, evidence, aspect=aspect)
        case Seen(raw=raw):
            evidence += evidence_of(raw, "logGroups", f"logGroupName: {value.log_group}")
    if aspect == _UNFILTERED or wanted > 1:
        return Finding.manual(
            value.arn,
            f"audit goes to the log group {value.log_group}; what follows it is not judged here",
            f"Where does the trail of {value.name} go from {value.log_group}, and does each "
            "subscription filter pass all of it on (an empty filterPattern)? See KC-RET-010.",
            evidence,
            aspect=aspect,
        )
    because = f"audit goes to the log group {value.log_group}, outside of the cluster"
    return Finding.passed(value.arn, because, evidence, aspect=aspect)
