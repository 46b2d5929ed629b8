"""KC-AUD-004: EKS logs the audit events of its control plane."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.eks import describe, not_given
from kcompliance.checks.interface import check
from kcompliance.model.aws.answers import answers
from kcompliance.model.aws.cluster_settings import (
    LOG_TYPES,
    EksCluster,
    Update,
    UpdateStatus,
    read_update,
)
from kcompliance.model.aws.log_group import LogGroup, audit_streams, log_group
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Seen, Unreadable

__all__ = ["Params", "eks_control_plane_logs_are_on"]

_ASPECTS: Final = ("audit", "all-five")
_GROUP_APPEARS_WITHIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-004."""

    required: tuple[str, ...] = ("audit",)
    cis_all_five: bool = True


@check("KC-AUD-004", params=Params)
def eks_control_plane_logs_are_on(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """EKS logs the audit events of its control plane

    The setting, an update of it that is on its way, and the log group that has to be there.
    """
    found, early = describe(cluster, _ASPECTS)
    yield from early
    if found is None:
        return
    updates, gaps = answers(cluster, Kind.AWS_EKS_UPDATE, read_update)
    gaps += tuple(gap for gap in cluster.gaps if gap.origin.kind is Kind.AWS_EKS_UPDATE_IDS)
    for aspect in _ASPECTS:
        for gap in gaps:
            yield Finding.unreadable(gap, aspect=aspect)
    unsettled = _unsettled(found.value, updates)
    for aspect, types in (("audit", params.required), ("all-five", _all(params))):
        yield _judge(cluster, found, aspect, types, unsettled, updates)


def _all(params: Params) -> tuple[str, ...]:
    return LOG_TYPES if params.cis_all_five else params.required


def _unsettled(found: EksCluster, updates: tuple[Seen[Update], ...]) -> str | None:
    """Why what AWS says now may be otherwise in some minutes."""
    for update in updates:
        if update.value.of_logging and update.value.status is UpdateStatus.IN_PROGRESS:
            return f"the update {update.value.id} of its logging is in progress"
    if found.status in ("CREATING", "PENDING"):
        return f"the cluster is {found.status}"
    if found.status == "UPDATING" and not updates:
        return "the cluster is UPDATING, perhaps its logging"
    return None


def _judge(
    cluster: Cluster,
    found: Seen[EksCluster],
    aspect: str,
    types: tuple[str, ...],
    unsettled: str | None,
    updates: tuple[Seen[Update], ...],
) -> Finding:
    value, on = found.value, found.value.log_types
    if on is None:
        return Finding.error(value.arn, "the answer says nothing of its logging", aspect=aspect)
    shown = ", ".join(sorted(on)) or "none"
    evidence = evidence_of(found.raw, "cluster.logging.clusterLogging", f"enabled: {shown}")
    if unsettled:
        question = "Which logs are on when the update has ended? Scan again then."
        return Finding.manual(value.arn, unsettled, question, evidence, aspect=aspect)
    missing = [name for name in types if name not in on]
    if missing:
        because = f"not logged: {', '.join(missing)}; enabled are: {shown}"
        return Finding.failed(value.arn, because, evidence, aspect=aspect)
    if aspect != "audit":
        because = f"all that is asked for is logged: {', '.join(types)}"
        return Finding.passed(value.arn, because, evidence, aspect=aspect)
    return _with_group(cluster, found, types, updates)


def _with_group(
    cluster: Cluster,
    found: Seen[EksCluster],
    types: tuple[str, ...],
    updates: tuple[Seen[Update], ...],
) -> Finding:
    value = found.value
    evidence = evidence_of(
        found.raw, "cluster.logging.clusterLogging", f"enabled: {', '.join(types)}"
    )
    group = log_group(cluster, value.log_group)
    if isinstance(group, Unreadable):
        return Finding.unreadable(group, aspect="audit")
    if isinstance(group, NotAsked):
        command = f"aws logs describe-log-groups --log-group-name-prefix {value.log_group}"
        return not_given(value.arn, f"the log group {value.log_group}", command, "audit")
    if isinstance(group, Absent):
        since = _switched_on(found, updates)
        if since and found.raw.origin.collected_at - since <= _GROUP_APPEARS_WITHIN:
            because = f"logging is on since {since:%Y-%m-%d %H:%M} and has no log group yet"
            question = f"Is {value.log_group} there an hour later? Scan again then."
            return Finding.manual(value.arn, because, question, evidence, aspect="audit")
        because = f"{', '.join(types)} is on, but there is no log group {value.log_group}"
        return Finding.failed(value.arn, because, evidence, aspect="audit")
    evidence += evidence_of(group.raw, "logGroups", f"logGroupName: {group.value.name}")
    because = f"{', '.join(types)} is on, and the log group {group.value.name} is there"
    notes = _notes(cluster, group.value)
    return Finding.passed(value.arn, because, evidence, aspect="audit", notes=notes)


def _switched_on(found: Seen[EksCluster], updates: tuple[Seen[Update], ...]) -> datetime | None:
    times = [
        update.value.created
        for update in updates
        if update.value.of_logging
        and update.value.status is UpdateStatus.SUCCESSFUL
        and update.value.created
    ]
    return max(times, default=found.value.created)


def _notes(cluster: Cluster, group: LogGroup) -> tuple[str, ...]:
    streams = audit_streams(cluster, group.name)
    if not isinstance(streams, Seen):
        return ()
    newest = max((s.last_event for s in streams.value if s.last_event), default=None)
    if newest is None:
        return ("no stream of audit events is in it yet: see KC-CMP-011",)
    return (f"newest audit event as the streams tell, up to an hour late: {newest:%Y-%m-%d %H:%M}",)
