"""KC-RET-010: a two-year archive of the EKS audit log exists and is current."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from kcompliance.checks.eks import describe, not_given
from kcompliance.checks.interface import check
from kcompliance.checks.retention.eks_archive_route import Wanted, judge_route
from kcompliance.model.aws.cluster_settings import EksCluster
from kcompliance.model.aws.delivery import Export, exports, subscription_filters
from kcompliance.model.aws.log_group import log_group
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Raw, Seen, Unreadable
from kcompliance.model.retention import FOREVER, at_least, days_kept, required

__all__ = ["Params", "eks_archive_is_kept_and_current"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-010."""

    archive_days: int = 730
    max_age_hours: int = 24
    strict_months: bool = False


@check("KC-RET-010", params=Params)
def eks_archive_is_kept_and_current(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """A two-year archive of the EKS audit log exists and is current

    Either the log group itself keeps events so long, or one subscription filter sends all of
    them to a bucket that does. One good way is enough; what hides one is never a fail.
    """
    found, early = describe(cluster, ("main",))
    yield from early
    if found is None:
        return
    wanted = Wanted(
        kept=required(params.archive_days, strict_months=params.strict_months),
        newest=timedelta(hours=params.max_age_hours),
        as_of=found.raw.origin.collected_at,
    )
    ways = [
        *_in_the_group(cluster, found.value, wanted),
        *_by_filters(cluster, found.value, wanted),
    ]
    good = [way for way in ways if way.status is Status.PASS]
    if good:
        yield good[0]
        return
    open_ = [way for way in ways if way.status in (Status.ERROR, Status.MANUAL)]
    if not open_:
        copies, gaps = exports(cluster, found.value.log_group)
        open_ += [Finding.unreadable(gap) for gap in gaps]
        open_ += [_exported(found, copies)] if copies else []
    yield from open_ or [_none_of(found, ways)]


def _none_of(found: Seen[EksCluster], ways: list[Finding]) -> Finding:
    because = "; ".join(way.because for way in ways)
    evidence = tuple(piece for way in ways for piece in way.evidence)
    return Finding.failed(found.value.arn, because, evidence)


def _in_the_group(cluster: Cluster, found: EksCluster, wanted: Wanted) -> Iterator[Finding]:
    name = found.log_group
    group = log_group(cluster, name)
    match group:
        case Unreadable():
            yield Finding.unreadable(group)
        case NotAsked():
            command = f"aws logs describe-log-groups --log-group-name-prefix {name}"
            yield not_given(found.arn, f"the log group {name}", command, "main")
        case Absent():
            yield Finding.failed(found.arn, f"there is no log group {name}: see KC-AUD-004")
        case Seen():
            days = group.value.retention_days
            kept = FOREVER if days is None else timedelta(days=days)
            evidence = evidence_of(
                group.raw,
                f"logGroups[{name}].retentionInDays",
                "not set: events never expire" if days is None else str(days),
            )
            if at_least(kept, wanted.kept):
                because = f"the log group itself keeps events for {days_kept(kept)}"
                yield Finding.passed(name, because, evidence)
            else:
                asked = days_kept(wanted.kept)
                because = f"the log group keeps events for {days_kept(kept)}, not for {asked}"
                yield Finding.failed(name, because, evidence)


def _by_filters(cluster: Cluster, found: EksCluster, wanted: Wanted) -> Iterator[Finding]:
    filters = subscription_filters(cluster, found.log_group)
    if isinstance(filters, Unreadable):
        yield Finding.unreadable(filters)
        return
    for each in filters.filters:
        yield from judge_route(cluster, found, each, wanted)
    if filters.filters:
        return
    if isinstance(filters.whole, Raw):
        yield Finding.failed(
            found.log_group, "no subscription filter sends them on", _nothing_in(filters.whole)
        )
    elif filters.whole is None and not _is_absent(cluster, found.log_group):
        what = f"what sends the events of {found.log_group} on"
        command = f"aws logs describe-subscription-filters --log-group-name {found.log_group}"
        yield not_given(found.log_group, what, command, "main")


def _nothing_in(raw: Raw) -> tuple[Evidence, ...]:
    return evidence_of(raw, "subscriptionFilters", "none")


def _is_absent(cluster: Cluster, name: str) -> bool:
    """Without the group there are no filters of it."""
    return isinstance(log_group(cluster, name), Absent)


def _exported(found: Seen[EksCluster], copies: tuple[Seen[Export], ...]) -> Finding:
    buckets = ", ".join(sorted({copy.value.bucket for copy in copies}))
    return Finding.manual(
        found.value.arn,
        f"{len(copies)} exports copied events of the log group to {buckets}",
        "Do exports follow each other without a gap, with the newest no older than a day, and how "
        f"long are they kept in {buckets}?",
        tuple(piece for copy in copies for piece in evidence_of(copy.raw, "exportTasks")),
    )
