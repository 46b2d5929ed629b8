"""One way on which audit events leave a log group of EKS, judged up to the bucket at its end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.checks.eks import not_given
from kcompliance.model.aws.answers import Answer
from kcompliance.model.aws.bucket import (
    Expiry,
    Lifetime,
    NewestObject,
    lifecycle,
    lifetime,
    newest_object,
    versioning,
)
from kcompliance.model.aws.cluster_settings import EksCluster, account_of
from kcompliance.model.aws.delivery import (
    DeliveryStream,
    S3Destination,
    SubscriptionFilter,
    Target,
    delivery_stream,
)
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable
from kcompliance.model.retention import FOREVER, at_least, days_kept

__all__ = ["Wanted", "judge_route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """For how long records are to be kept, and how old the newest may be at `as_of`."""

    kept: timedelta
    newest: timedelta
    as_of: datetime


def judge_route(
    cluster: Cluster, found: EksCluster, filter_: Seen[SubscriptionFilter], wanted: Wanted
) -> Iterator[Finding]:
    """The findings of one subscription filter: one for each bucket behind it."""
    value = filter_.value
    evidence = evidence_of(
        filter_.raw,
        f"subscriptionFilters[{value.name}]",
        f'filterPattern: "{value.pattern}", destinationArn: {value.destination}',
    )
    target = value.target(account_of(found.arn))
    if target is not Target.FIREHOSE:
        yield _elsewhere(value, target, evidence)
        return
    stream = delivery_stream(cluster, value.destination)
    match stream:
        case Unreadable():
            yield Finding.unreadable(stream)
        case NotAsked() | Absent():
            command = "aws firehose describe-delivery-stream --delivery-stream-name NAME"
            yield not_given(value.destination, f"the stream {value.destination}", command, "main")
        case Seen():
            evidence += evidence_of(
                stream.raw, "DeliveryStreamDescription", f"{stream.value.status}"
            )
            for bucket in stream.value.buckets:
                yield _to_bucket(cluster, value, stream.value, bucket, evidence, wanted)
            if not stream.value.buckets:
                yield _no_bucket(value, stream.value, evidence)


def _elsewhere(
    value: SubscriptionFilter, target: Target, evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding.manual(
        value.destination,
        f"the filter {value.name} sends to {target.value}, {value.destination}",
        f"Where does {value.destination} put the audit events, are all of them kept there for two "
        "years, and is the newest no older than a day?",
        evidence,
    )


def _no_bucket(
    value: SubscriptionFilter, stream: DeliveryStream, evidence: tuple[Evidence, ...]
) -> Finding:
    partly = ", ".join(stream.partly) or "nothing"
    because = f"the stream of the filter {value.name} sends to {partly}, and not all to S3"
    return Finding.manual(
        stream.arn,
        because,
        f"Does {partly} keep all audit events for two years?",
        evidence,
    )


def _to_bucket(
    cluster: Cluster,
    value: SubscriptionFilter,
    stream: DeliveryStream,
    place: S3Destination,
    evidence: tuple[Evidence, ...],
    wanted: Wanted,
) -> Finding:
    """The faults first: what is surely not kept needs no question."""
    where = f"s3://{place.bucket}/{place.prefix}"
    kept = _kept(cluster, place, wanted)
    if isinstance(kept, Finding):
        return kept
    newest = newest_object(cluster, place.bucket, place.prefix)
    if isinstance(newest, Unreadable):
        return Finding.unreadable(newest)
    if stream.status != "ACTIVE":
        because = f"the delivery stream to {where} is {stream.status}"
        return Finding.failed(stream.arn, because, evidence)
    evidence += kept.evidence
    if not at_least(kept.lifetime, wanted.kept):
        lived, asked = days_kept(kept.lifetime), days_kept(wanted.kept)
        rules = ", ".join(kept.rules)
        because = f"{where} keeps objects for {lived}, not for {asked}: the rule {rules}"
        return Finding.failed(where, because, evidence)
    if isinstance(newest, NotAsked | Absent):
        command = f"aws s3api list-objects-v2 --bucket {place.bucket} --prefix …"
        return not_given(where, f"the newest object of {where}", command, "main")
    return _by_newest(value, stream, where, kept, newest, evidence, wanted)


def _by_newest(
    value: SubscriptionFilter,
    stream: DeliveryStream,
    where: str,
    kept: "_Kept",
    newest: Seen[NewestObject],
    evidence: tuple[Evidence, ...],
    wanted: Wanted,
) -> Finding:
    modified = newest.value.modified
    shown = "none" if modified is None else f"{newest.value.key} {modified:%Y-%m-%d %H:%M}"
    evidence += evidence_of(newest.raw, "Contents", shown)
    if modified is None:
        return Finding.failed(where, f"nothing has arrived in {where}", evidence)
    if wanted.as_of - modified > wanted.newest:
        because = f"the newest object of {where} is of {modified:%Y-%m-%d %H:%M}: nothing arrives"
        return Finding.failed(where, because, evidence)
    doubt = _doubt(value, stream)
    if doubt:
        return Finding.manual(where, *doubt, evidence)
    because = (
        f"the filter {value.name} sends all events to {where}, which keeps objects "
        f"for {days_kept(kept.lifetime)}; the newest is of {modified:%Y-%m-%d %H:%M}"
    )
    return Finding.passed(where, because, evidence, notes=kept.notes)


def _doubt(value: SubscriptionFilter, stream: DeliveryStream) -> tuple[str, str] | None:
    """Why events may be lost on the way, and the question; None where nothing leaves any out."""
    if not value.sends_all:
        pattern = value.pattern or value.criteria
        return (
            f'the filter {value.name} sends only what matches "{pattern}"',
            f"Does each event of the kube-apiserver-audit streams match {pattern}? An empty "
            "pattern lets all through.",
        )
    if stream.functions:
        names = ", ".join(stream.functions)
        return (
            f"{names} sees each record before it is stored, and may drop some",
            f"Does {names} hand on every record of the audit log, with its whole message?",
        )
    return None


# --- how long --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    lifetime: timedelta
    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def _kept(cluster: Cluster, place: S3Destination, wanted: Wanted) -> _Kept | Finding:
    rules = lifecycle(cluster, place.bucket)
    if isinstance(rules, Absent):
        return _Kept(lifetime=FOREVER, notes=("the bucket has no lifecycle: nothing is deleted",))
    if not isinstance(rules, Seen):
        return _lacking(rules, place, "lifecycle", "get-bucket-lifecycle-configuration")
    found = lifetime(rules.value, place.prefix, wanted.as_of)
    evidence = evidence_of(rules.raw, "Rules", ", ".join(found.rules) or "none deletes them")
    if at_least(found.seen, wanted.kept):
        notes = tuple(_about_versions(found)) + _about_tags(rules.value, place)
        return _Kept(lifetime=found.seen, rules=found.rules, notes=notes, evidence=evidence)
    versions = versioning(cluster, place.bucket)
    if not isinstance(versions, Seen):
        if isinstance(versions, Unreadable) or at_least(found.restorable, wanted.kept):
            return _lacking(versions, place, "versioning", "get-bucket-versioning")
        return _Kept(lifetime=found.restorable, rules=found.rules, evidence=evidence)
    evidence += evidence_of(versions.raw, "Status", "kept" if versions.value else "no versions")
    if not versions.value:
        return _Kept(lifetime=found.seen, rules=found.rules, evidence=evidence)
    note = f"after {days_kept(found.seen)} only as versions behind a delete marker"
    return _Kept(lifetime=found.restorable, rules=found.rules, notes=(note,), evidence=evidence)


def _about_versions(found: Lifetime) -> Iterator[str]:
    if found.seen == FOREVER and found.rules:
        yield f"what somebody deletes can be restored for a while only: {', '.join(found.rules)}"


def _about_tags(rules: tuple[Expiry, ...], place: S3Destination) -> tuple[str, ...]:
    if not any(rule.only_tagged for rule in rules):
        return ()
    return (f"a rule for tagged objects is not counted: {place.bucket} gets them without tags",)


def _lacking(answer: Answer[object], place: S3Destination, what: str, command: str) -> Finding:
    if isinstance(answer, Unreadable):
        return Finding.unreadable(answer)
    where = f"the {what} of the bucket {place.bucket}"
    return not_given(
        f"s3://{place.bucket}/{place.prefix}",
        where,
        f"aws s3api {command} --bucket {place.bucket} > {command}.{place.bucket}.json",
        "main",
    )
