"""KC-RET-009: the CloudWatch log group keeps audit logs for at least six months."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kcompliance.checks.eks import describe, not_given
from kcompliance.checks.interface import check
from kcompliance.model.aws.cluster_settings import EksCluster
from kcompliance.model.aws.log_group import LogGroup, log_group
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable
from kcompliance.model.retention import at_least, days_kept, required

__all__ = ["Params", "eks_log_group_keeps_six_months"]

_ASPECTS: Final = ("main", "upper-bound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-009."""

    min_hot_days: int = 180
    max_hot_days: int = 0
    strict_months: bool = False


@check("KC-RET-009", params=Params)
def eks_log_group_keeps_six_months(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The CloudWatch log group keeps audit logs for at least six months

    A group without a number of days keeps its events for ever.
    """
    found, early = describe(cluster, _ASPECTS)
    yield from early
    if found is None:
        return
    name = found.value.log_group
    group = log_group(cluster, name)
    for aspect in _ASPECTS:
        match group:
            case Unreadable():
                yield Finding.unreadable(group, aspect=aspect)
            case NotAsked():
                command = f"aws logs describe-log-groups --log-group-name-prefix {name}"
                yield not_given(found.value.arn, f"the log group {name}", command, aspect)
            case Absent():
                yield _nothing_kept(found, aspect)
            case Seen():
                judge = _long_enough if aspect == "main" else _short_enough
                yield judge(group, params)


def _nothing_kept(found: Seen[EksCluster], aspect: str) -> Finding:
    because = f"there is no log group {found.value.log_group}, so nothing is kept: see KC-AUD-004"
    evidence = evidence_of(found.raw, "cluster", found.value.arn)
    if aspect == "main":
        return Finding.failed(found.value.arn, because, evidence)
    return Finding.not_applicable(found.value.arn, because, evidence, aspect=aspect)


def _long_enough(group: Seen[LogGroup], params: Params) -> Finding:
    wanted = required(params.min_hot_days, strict_months=params.strict_months)
    kept = group.value.kept
    because = f"events are kept {_for(kept)}; asked for: {days_kept(wanted)}"
    notes = _notes(group.value)
    if at_least(kept, wanted):
        return Finding.passed(group.value.name, because, _evidence(group), notes=notes)
    return Finding.failed(group.value.name, because, _evidence(group), notes=notes)


def _short_enough(group: Seen[LogGroup], params: Params) -> Finding:
    aspect, evidence = "upper-bound", _evidence(group)
    if params.max_hot_days <= 0:
        because = "no longest time is declared: set max_hot_days where a policy asks for deletion"
        return Finding.not_applicable(group.value.name, because, evidence, aspect=aspect)
    most, kept = timedelta(days=params.max_hot_days), group.value.kept
    because = f"events are kept {_for(kept)}; the longest that is declared: {days_kept(most)}"
    if kept <= most:
        return Finding.passed(group.value.name, because, evidence, aspect=aspect)
    return Finding.failed(group.value.name, because, evidence, aspect=aspect)


def _for(kept: timedelta) -> str:
    return f"for {days_kept(kept)}"


def _evidence(group: Seen[LogGroup]) -> tuple[Evidence, ...]:
    days = group.value.retention_days
    quote = "not set: events never expire" if days is None else str(days)
    return evidence_of(group.raw, f"logGroups[{group.value.name}].retentionInDays", quote)


def _notes(group: LogGroup) -> tuple[str, ...]:
    if group.log_class in ("INFREQUENT_ACCESS", "ESSENTIALS"):
        return (
            f"the class {group.log_class} lacks features that archiving and alarms may need, "
            "such as subscription and metric filters",
        )
    if group.log_class == "DELIVERY":
        return ("a group of the class DELIVERY keeps events for one day, whatever is set",)
    return ()
