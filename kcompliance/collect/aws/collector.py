"""Looks at one EKS cluster in AWS: its logging, its log group, its archive, and who watches it.

Each capture is AWS's own answer, all pages in one; its origin tells the operation and what it was
about. Where the cluster itself cannot be described, nothing else is asked.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from kcompliance.collect.aws.asking import Asker, Failed, Got, Nothing, Outcome
from kcompliance.collect.aws.newest import newest_below
from kcompliance.collect.aws.questions import Question, question
from kcompliance.collect.aws.target import EksTarget, read_eks_target
from kcompliance.collect.interface import Progress
from kcompliance.model.aws.acts import reading
from kcompliance.model.aws.alarms import (
    MetricFilter,
    Rule,
    Trail,
    read_metric_filters,
    read_rules,
    read_trails,
)
from kcompliance.model.aws.answers import COLLECTOR, Fields, WrongAnswer
from kcompliance.model.aws.cluster_settings import (
    EksCluster,
    account_of,
    read_cluster,
    region_of,
)
from kcompliance.model.aws.delivery import (
    S3Destination,
    SubscriptionFilter,
    Target,
    read_delivery_stream,
    read_subscription_filters,
)
from kcompliance.model.aws.log_group import read_log_groups
from kcompliance.model.aws.principals import Principal, read_principals
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

__all__ = ["collect_eks"]

T = TypeVar("T")

MAX_UPDATES: Final = 100
MAX_RULES: Final = 300
MAX_METRICS: Final = 100
MAX_USERS: Final = 100
_STREAMS: Final = 50

_OF_BUCKETS: Final = (
    Kind.AWS_BUCKET_VERSIONING,
    Kind.AWS_BUCKET_OBJECT_LOCK,
    Kind.AWS_BUCKET_LIFECYCLE,
    Kind.AWS_BUCKET_POLICY,
    Kind.AWS_BUCKET_PUBLIC_ACCESS,
    Kind.AWS_BUCKET_ENCRYPTION,
)


def collect_eks(text: str, now: datetime, progress: Progress) -> tuple[Capture, ...]:
    """Everything that the controls ask of this cluster's trail in AWS.

    Raises UsageError where the text names no EKS cluster.
    """
    target = read_eks_target(text)
    work = _Work(target=target, now=now, progress=progress, asker=Asker(target.region))
    cluster = _described(work)
    if cluster is not None:
        _ask_for_updates(work, cluster)
        destinations = _ask_for_logs(work, cluster)
        _ask_for_buckets(work, cluster, destinations)
        _ask_for_trails(work, cluster)
        _ask_for_rules(work)
        _ask_for_people(work, cluster, destinations)
    return tuple(work.captures)


@dataclass(slots=True, kw_only=True)
class _Work:
    """A scan of one cluster on its way."""

    target: EksTarget
    now: datetime
    progress: Progress
    asker: Asker
    captures: list[Capture] = field(default_factory=list)

    def ask(self, kind: Kind, subject: str, region: str | None = None, **request: Any) -> Outcome:
        """Ask, and keep what came."""
        wanted = question(kind)
        self.progress(f"{self.target.text} {wanted.operation} {subject}")
        outcome = self.asker.ask(wanted, region=region, **request)
        self.keep(wanted, subject, outcome)
        return outcome

    def keep(self, wanted: Question, subject: str, outcome: Outcome) -> None:
        """One capture for one question."""
        origin = Origin(
            kind=wanted.kind,
            resource=f"{self.target.text} {wanted.service}:{wanted.operation} {subject}",
            collector=COLLECTOR,
            collected_at=self.now,
        )
        match outcome:
            case Got(content=content, redactions=redactions):
                self.captures.append(Raw(origin=origin, content=content, redactions=redactions))
            case Nothing(reason=reason):
                self.captures.append(Absent(origin=origin, reason=reason))
            case Failed(reason=reason, permission=permission):
                self.captures.append(
                    Unreadable(origin=origin, reason=reason, permission=permission)
                )


def _read(outcome: Outcome, read: Callable[[Fields], T]) -> T | None:
    """What the next questions depend on; None where the answer does not tell.

    A check says so from the capture itself.
    """
    if not isinstance(outcome, Got):
        return None
    try:
        return read(outcome.answer)
    except WrongAnswer:
        return None


# --- the cluster -----------------------------------------------------------------------------


def _described(work: _Work) -> EksCluster | None:
    wanted, target = question(Kind.EKS_CLUSTER), work.target
    work.progress(f"{target.text} {wanted.operation}")
    outcome = work.asker.ask(wanted, name=target.name)
    cluster = _read(outcome, read_cluster)
    if isinstance(outcome, Got):
        if cluster is None:
            outcome = Failed("the answer could not be read: it describes no cluster")
        elif cluster.name != target.name or region_of(cluster.arn) != target.region:
            outcome = Failed(f"another cluster was described: {cluster.arn}")
        elif target.arn not in (None, cluster.arn):
            account = account_of(cluster.arn)
            outcome = Failed(
                f"the credentials are of the account {account}, where a cluster has the same name"
            )
    work.keep(wanted, target.arn or target.name, outcome)
    return cluster if isinstance(outcome, Got) else None


def _ask_for_updates(work: _Work, cluster: EksCluster) -> None:
    outcome = work.ask(Kind.AWS_EKS_UPDATE_IDS, cluster.arn, name=cluster.name)
    ids = _read(outcome, lambda answer: [str(found) for found in answer["updateIds"]]) or []
    if len(ids) > MAX_UPDATES:
        reason = f"not asked: there are {len(ids)} updates, more than {MAX_UPDATES}"
        work.keep(question(Kind.AWS_EKS_UPDATE), cluster.arn, Failed(reason))
        return
    for id_ in ids:
        work.ask(Kind.AWS_EKS_UPDATE, id_, name=cluster.name, updateId=id_)


# --- the log group and where it is sent ------------------------------------------------------


def _ask_for_logs(work: _Work, cluster: EksCluster) -> tuple[S3Destination, ...]:
    """The log group's own answers; the places in S3 where its events are put."""
    name = cluster.log_group
    groups = work.ask(Kind.AWS_LOG_GROUPS, name, logGroupNamePrefix=name)
    work.ask(
        Kind.AWS_LOG_STREAMS,
        name,
        logGroupName=name,
        orderBy="LastEventTime",
        descending=True,
        PaginationConfig={"MaxItems": _STREAMS},
    )
    filters = work.ask(Kind.AWS_SUBSCRIPTION_FILTERS, name, logGroupName=name)
    work.ask(Kind.AWS_EXPORT_TASKS, cluster.arn)
    work.ask(Kind.AWS_LOG_POLICIES, cluster.arn)
    for group in _read(groups, read_log_groups) or ():
        if group.name == name and group.kms_key:
            work.ask(Kind.AWS_KMS_KEY, group.kms_key, KeyId=group.kms_key)
    return _destinations(work, cluster, _read(filters, read_subscription_filters) or ())


def _destinations(
    work: _Work, cluster: EksCluster, filters: Iterable[SubscriptionFilter]
) -> tuple[S3Destination, ...]:
    found: list[S3Destination] = []
    for arn in dict.fromkeys(each.destination for each in filters if _is_ours(each, cluster)):
        outcome = work.ask(
            Kind.AWS_DELIVERY_STREAM,
            arn,
            region_of(arn),
            DeliveryStreamName=arn.rpartition("/")[2],
        )
        stream = _read(outcome, read_delivery_stream)
        found += stream.buckets if stream else ()
    return tuple(dict.fromkeys(found))


def _is_ours(found: SubscriptionFilter, cluster: EksCluster) -> bool:
    return found.target(account_of(cluster.arn)) is Target.FIREHOSE


# --- buckets ---------------------------------------------------------------------------------


def _ask_for_buckets(
    work: _Work, cluster: EksCluster, destinations: Iterable[S3Destination]
) -> None:
    buckets: dict[str, list[str]] = {}
    for destination in destinations:
        buckets.setdefault(destination.bucket, []).append(destination.prefix)
    for bucket, prefixes in buckets.items():
        for kind in _OF_BUCKETS:
            work.ask(kind, bucket, Bucket=bucket)
        _ask_for_newest(work, bucket, prefixes)
    if buckets:
        account = account_of(cluster.arn)
        work.ask(Kind.AWS_ACCOUNT_PUBLIC_ACCESS, account, AccountId=account)


def _ask_for_newest(work: _Work, bucket: str, prefixes: Iterable[str]) -> None:
    wanted = question(Kind.AWS_BUCKET_OBJECTS)

    def page(prefix: str, token: str | None) -> Outcome:
        more = {"ContinuationToken": token} if token else {}
        return work.asker.ask(wanted, Bucket=bucket, Prefix=prefix, Delimiter="/", **more)

    work.progress(f"{work.target.text} {wanted.operation} {bucket}")
    contents: dict[str, Mapping[str, Any]] = {}
    for prefix in prefixes:
        found = newest_below(prefix, page)
        if isinstance(found, Failed):
            work.keep(wanted, bucket, found)
            return
        contents |= {str(item.get("Key")): item for item in found}
    answer = {"Name": bucket, "Contents": list(contents.values())}
    work.keep(wanted, bucket, Got(answer, json.dumps(answer, ensure_ascii=False).encode()))


# --- alarms ----------------------------------------------------------------------------------


def _ask_for_trails(work: _Work, cluster: EksCluster) -> None:
    region, account = work.target.region, account_of(cluster.arn)
    outcome = work.ask(Kind.AWS_TRAILS, region, includeShadowTrails=True)
    metrics: list[tuple[str, str]] = []
    for trail in _read(outcome, read_trails) or ():
        if not trail.sees(region):
            continue
        work.ask(Kind.AWS_TRAIL_STATUS, trail.arn, trail.home_region, Name=trail.arn)
        work.ask(Kind.AWS_EVENT_SELECTORS, trail.arn, trail.home_region, TrailName=trail.arn)
        if trail.log_group and account_of(trail.log_group_arn or "") == account:
            metrics += _metrics_of(work, trail)
    for namespace, name in list(dict.fromkeys(metrics))[:MAX_METRICS]:
        work.ask(Kind.AWS_ALARMS, f"{namespace}/{name}", Namespace=namespace, MetricName=name)
    if len(set(metrics)) > MAX_METRICS:
        reason = f"not asked: there are more than {MAX_METRICS} metrics of trails"
        work.keep(question(Kind.AWS_ALARMS), region, Failed(reason))


def _metrics_of(work: _Work, trail: Trail) -> list[tuple[str, str]]:
    group, region = trail.log_group or "", region_of(trail.log_group_arn or "")
    outcome = work.ask(Kind.AWS_METRIC_FILTERS, group, region, logGroupName=group)
    filters: tuple[MetricFilter, ...] = _read(outcome, read_metric_filters) or ()
    return [metric for found in filters for metric in sorted(found.metrics)]


def _ask_for_rules(work: _Work) -> None:
    outcome = work.ask(Kind.AWS_EVENT_RULES, "default")
    rules: list[Rule] = [rule for rule in _read(outcome, read_rules) or () if rule.enabled]
    if len(rules) > MAX_RULES:
        reason = f"not asked: there are {len(rules)} rules, more than {MAX_RULES}"
        work.keep(question(Kind.AWS_RULE_TARGETS), "default", Failed(reason))
        return
    for rule in rules:
        work.ask(Kind.AWS_RULE_TARGETS, rule.name, Rule=rule.name)


# --- people ----------------------------------------------------------------------------------


def _ask_for_people(
    work: _Work, cluster: EksCluster, destinations: Iterable[S3Destination]
) -> None:
    """Who has which policies; the access keys only of users who can fetch the trail."""
    outcome = work.ask(Kind.AWS_IAM_DETAILS, account_of(cluster.arn))
    acts = reading(cluster, sorted({found.bucket for found in destinations}))
    principals: tuple[Principal, ...] = _read(outcome, read_principals) or ()
    users = [each for each in principals if each.is_user and each.may_any(acts)]
    for user in users[:MAX_USERS]:
        work.ask(Kind.AWS_ACCESS_KEYS, user.name, UserName=user.name)
    if len(users) > MAX_USERS:
        reason = f"not asked: {len(users)} users can fetch the trail, more than {MAX_USERS}"
        work.keep(question(Kind.AWS_ACCESS_KEYS), account_of(cluster.arn), Failed(reason))
