"""Looks at one EKS cluster in AWS: its logging, its log group, its archive, and who watches it.

Each capture is AWS's own answer, all pages in one; its origin tells the operation and what it was
about. Where the cluster itself cannot be described, nothing else is asked.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from kcompliance.collect.aws.asking import Asker, Failed, Got, Outcome, SharedAnswers
from kcompliance.collect.aws.newest import newest_below
from kcompliance.collect.aws.questions import question
from kcompliance.collect.aws.stored_events import PATIENCE, ask_for_events
from kcompliance.collect.aws.target import read_eks_target
from kcompliance.collect.aws.work import Work, read_outcome
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
from kcompliance.model.reading import Capture, Kind

__all__ = ["collect_eks"]

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


def collect_eks(
    text: str,
    now: datetime,
    progress: Progress,
    shared: SharedAnswers | None = None,
    *,
    patience: timedelta = PATIENCE,
) -> tuple[Capture, ...]:
    """Everything that the controls ask of this cluster's trail in AWS.

    `shared`: one object for a scan of several clusters, so that what they have in common is asked
    once. `patience`: how long a query of events may take. Raises UsageError where the text names
    no EKS cluster.
    """
    target = read_eks_target(text)
    asker = Asker(target.region, shared=shared or SharedAnswers())
    work = Work(target=target, now=now, progress=progress, asker=asker)
    cluster = _described(work)
    if cluster is not None:
        _ask_for_updates(work, cluster)
        destinations = _ask_for_logs(work, cluster, patience)
        _ask_for_buckets(work, cluster, destinations)
        _ask_for_trails(work, cluster)
        _ask_for_rules(work)
        _ask_for_people(work, cluster, destinations)
    return tuple(work.captures)


# --- the cluster -----------------------------------------------------------------------------


def _described(work: Work) -> EksCluster | None:
    wanted, target = question(Kind.EKS_CLUSTER), work.target
    work.tell(wanted, target.name)
    outcome = work.asker.ask(wanted, name=target.name)
    cluster = read_outcome(outcome, read_cluster)
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


def _ask_for_updates(work: Work, cluster: EksCluster) -> None:
    outcome = work.ask(Kind.AWS_EKS_UPDATE_IDS, cluster.arn, name=cluster.name)
    ids = read_outcome(outcome, lambda answer: [str(found) for found in answer["updateIds"]]) or []
    if len(ids) > MAX_UPDATES:
        reason = f"not asked: there are {len(ids)} updates, more than {MAX_UPDATES}"
        work.keep(question(Kind.AWS_EKS_UPDATE), cluster.arn, Failed(reason))
        return
    for id_ in ids:
        work.ask(Kind.AWS_EKS_UPDATE, id_, name=cluster.name, updateId=id_)


# --- the log group and where it is sent ------------------------------------------------------


def _ask_for_logs(
    work: Work, cluster: EksCluster, patience: timedelta
) -> tuple[S3Destination, ...]:
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
    found = read_outcome(groups, read_log_groups)
    group = next((each for each in found or () if each.name == name), None)
    if group is not None and group.kms_key:
        work.ask(Kind.AWS_KMS_KEY, group.kms_key, KeyId=group.kms_key)
    if group is not None or found is None:
        ask_for_events(work, name, group, patience)
    return _destinations(work, cluster, read_outcome(filters, read_subscription_filters) or ())


def _destinations(
    work: Work, cluster: EksCluster, filters: Iterable[SubscriptionFilter]
) -> tuple[S3Destination, ...]:
    found: list[S3Destination] = []
    for arn in dict.fromkeys(each.destination for each in filters if _is_ours(each, cluster)):
        outcome = work.ask(
            Kind.AWS_DELIVERY_STREAM,
            arn,
            region_of(arn),
            DeliveryStreamName=arn.rpartition("/")[2],
        )
        stream = read_outcome(outcome, read_delivery_stream)
        found += stream.buckets if stream else ()
    return tuple(dict.fromkeys(found))


def _is_ours(found: SubscriptionFilter, cluster: EksCluster) -> bool:
    return found.target(account_of(cluster.arn)) is Target.FIREHOSE


# --- buckets ---------------------------------------------------------------------------------


def _ask_for_buckets(
    work: Work, cluster: EksCluster, destinations: Iterable[S3Destination]
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


def _ask_for_newest(work: Work, bucket: str, prefixes: Iterable[str]) -> None:
    wanted = question(Kind.AWS_BUCKET_OBJECTS)

    def page(prefix: str, token: str | None) -> Outcome:
        more = {"ContinuationToken": token} if token else {}
        return work.asker.ask(wanted, Bucket=bucket, Prefix=prefix, Delimiter="/", **more)

    work.tell(wanted, bucket)
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


def _ask_for_trails(work: Work, cluster: EksCluster) -> None:
    region, account = work.target.region, account_of(cluster.arn)
    outcome = work.ask(Kind.AWS_TRAILS, region, includeShadowTrails=True)
    metrics: list[tuple[str, str]] = []
    for trail in read_outcome(outcome, read_trails) or ():
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


def _metrics_of(work: Work, trail: Trail) -> list[tuple[str, str]]:
    group, region = trail.log_group or "", region_of(trail.log_group_arn or "")
    outcome = work.ask(Kind.AWS_METRIC_FILTERS, group, region, logGroupName=group)
    filters: tuple[MetricFilter, ...] = read_outcome(outcome, read_metric_filters) or ()
    return [metric for found in filters for metric in sorted(found.metrics)]


def _ask_for_rules(work: Work) -> None:
    outcome = work.ask(Kind.AWS_EVENT_RULES, "default")
    rules: list[Rule] = [rule for rule in read_outcome(outcome, read_rules) or () if rule.enabled]
    if len(rules) > MAX_RULES:
        reason = f"not asked: there are {len(rules)} rules, more than {MAX_RULES}"
        work.keep(question(Kind.AWS_RULE_TARGETS), "default", Failed(reason))
        return
    for rule in rules:
        work.ask(Kind.AWS_RULE_TARGETS, rule.name, Rule=rule.name)


# --- people ----------------------------------------------------------------------------------


def _ask_for_people(work: Work, cluster: EksCluster, destinations: Iterable[S3Destination]) -> None:
    """Who has which policies; the access keys only of users who can fetch the trail."""
    outcome = work.ask(Kind.AWS_IAM_DETAILS, account_of(cluster.arn))
    acts = reading(cluster, sorted({found.bucket for found in destinations}))
    principals: tuple[Principal, ...] = read_outcome(outcome, read_principals) or ()
    users = [each for each in principals if each.is_user and each.may_any(acts)]
    for user in users[:MAX_USERS]:
        work.ask(Kind.AWS_ACCESS_KEYS, user.name, UserName=user.name)
    if len(users) > MAX_USERS:
        reason = f"not asked: {len(users)} users can fetch the trail, more than {MAX_USERS}"
        work.keep(question(Kind.AWS_ACCESS_KEYS), account_of(cluster.arn), Failed(reason))
