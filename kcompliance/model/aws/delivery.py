"""How events leave a log group: subscription filters, delivery streams, and the bucket behind."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kcompliance.model.aws.answers import (
    COLLECTOR,
    Answer,
    Fields,
    WrongAnswer,
    answers,
    flag,
    mapping,
    mappings,
    needed,
    number,
    subject_of,
    text,
)
from kcompliance.model.aws.cluster_settings import account_of
from kcompliance.model.aws.filter_pattern import matches_every_audit_event
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = [
    "Buckets",
    "DeliveryStream",
    "Export",
    "S3Destination",
    "SubscriptionFilter",
    "Target",
    "Whole",
    "archive_buckets",
    "delivery_stream",
    "exports",
    "read_delivery_stream",
    "read_subscription_filters",
    "subscription_filters",
]


class Target(StrEnum):
    """What a subscription filter sends to."""

    FIREHOSE = "a delivery stream of Firehose"
    KINESIS = "a Kinesis data stream"
    LAMBDA = "a Lambda function"
    OTHER = "a destination of another account"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFilter:
    """Sends what its pattern lets through, from a log group to one destination."""

    name: str
    log_group: str
    pattern: str
    criteria: str
    """A second filter, on system fields; empty for none."""
    destination: str

    @property
    def sends_all(self) -> bool:
        """Whether it is proven that no audit event is left out."""
        return not self.criteria.strip() and matches_every_audit_event(self.pattern)

    def target(self, account: str) -> Target:
        """What the destination is, seen from the log group's account."""
        if account_of(self.destination) != account:
            return Target.OTHER
        service = self.destination.split(":")[2]
        return _SERVICES.get(service, Target.OTHER)


_SERVICES: Final = {
    "firehose": Target.FIREHOSE,
    "kinesis": Target.KINESIS,
    "lambda": Target.LAMBDA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What was found; `whole`: AWS listed all there is, or said that there is no such group."""

    filters: tuple[Seen[SubscriptionFilter], ...]
    whole: Raw | Absent | None


def subscription_filters(cluster: Cluster, log_group: str) -> Whole | Unreadable:
    """The filters of exactly this log group."""
    seen, gaps = answers(cluster, Kind.AWS_SUBSCRIPTION_FILTERS, read_subscription_filters)
    if gaps:
        return gaps[0]
    found = [
        Seen(value=filter_, raw=each.raw)
        for each in seen
        for filter_ in each.value
        if filter_.log_group == log_group
    ]
    found.sort(key=lambda seen: (seen.value.name, seen.raw.origin.resource))
    wholes: list[Raw | Absent] = [each.raw for each in seen if _is_whole(each.raw, log_group)]
    wholes += [
        absent
        for absent in cluster.absents
        if absent.origin.kind is Kind.AWS_SUBSCRIPTION_FILTERS
        and subject_of(absent.origin) == log_group
    ]
    return Whole(filters=tuple(found), whole=wholes[0] if wholes else None)


def _is_whole(raw: Raw, log_group: str) -> bool:
    return raw.origin.collector == COLLECTOR and subject_of(raw.origin) == log_group


def read_subscription_filters(answer: Fields) -> tuple[SubscriptionFilter, ...]:
    """The answer of DescribeSubscriptionFilters. Raises WrongAnswer."""
    if "subscriptionFilters" not in answer:
        raise WrongAnswer("it has no subscriptionFilters")
    return tuple(
        SubscriptionFilter(
            name=needed(text(found, "filterName"), "filterName"),
            log_group=needed(text(found, "logGroupName"), "logGroupName"),
            pattern=text(found, "filterPattern") or "",
            criteria=text(found, "fieldSelectionCriteria") or "",
            destination=_arn(needed(text(found, "destinationArn"), "destinationArn")),
        )
        for found in mappings(answer, "subscriptionFilters")
    )


def _arn(value: str) -> str:
    if len(value.split(":")) < 6:
        raise WrongAnswer("a destination is no ARN")
    return value


# --- delivery streams ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Destination:
    """Where in S3 a delivery stream puts every record."""

    bucket: str
    prefix: str
    """As far as it is fixed: what comes behind it depends on the time or the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStream:
    """`buckets` are those that get all records; `partly` names destinations that get some."""

    arn: str
    status: str
    buckets: tuple[S3Destination, ...]
    partly: tuple[str, ...]
    functions: tuple[str, ...]
    """Lambda functions that see each record first, and may change or drop it."""


def delivery_stream(cluster: Cluster, arn: str) -> Answer[DeliveryStream]:
    """The stream of this ARN."""
    found, gaps = answers(cluster, Kind.AWS_DELIVERY_STREAM, read_delivery_stream)
    for gap in gaps:
        if subject_of(gap.origin) in (arn, None) or gap.origin.collector != COLLECTOR:
            return gap
    ours = sorted(
        (each for each in found if each.value.arn == arn), key=lambda s: s.raw.origin.resource
    )
    if any(each.value != ours[0].value for each in ours):
        reason = f"a second answer about {arn} says something else"
        return Unreadable(origin=ours[-1].raw.origin, reason=reason)
    return ours[0] if ours else NotAsked()


_ALL_RECORDS: Final = {"Enabled", "AllDocuments", "AllEvents", "AllData"}


def read_delivery_stream(answer: Fields) -> DeliveryStream:
    """The answer of DescribeDeliveryStream. Raises WrongAnswer."""
    found = answer.get("DeliveryStreamDescription")
    if not isinstance(found, dict):
        raise WrongAnswer("it has no DeliveryStreamDescription")
    buckets: list[S3Destination] = []
    partly: list[str] = []
    functions: list[str] = []
    for destination in mappings(found, "Destinations"):
        for name, description in destination.items():
            if isinstance(description, dict):
                _read_destination(name, description, buckets, partly)
                functions += _functions(description)
    return DeliveryStream(
        arn=needed(text(found, "DeliveryStreamARN"), "DeliveryStreamARN"),
        status=needed(text(found, "DeliveryStreamStatus"), "DeliveryStreamStatus"),
        buckets=tuple(dict.fromkeys(buckets)),
        partly=tuple(dict.fromkeys(partly)),
        functions=tuple(dict.fromkeys(functions)),
    )


def _read_destination(
    name: str, found: Fields, buckets: list[S3Destination], partly: list[str]
) -> None:
    """S3 itself; or S3 beside something else, for all records or for those that failed."""
    if name in ("S3DestinationDescription", "ExtendedS3DestinationDescription"):
        buckets.append(_s3(found))
        return
    mode = text(found, "S3BackupMode")
    beside = mapping(found, "S3DestinationDescription")
    backup = mapping(found, "S3BackupDescription")
    if name == "RedshiftDestinationDescription" and beside:
        buckets.append(_s3(beside))  # Redshift copies each record from there
    elif mode in _ALL_RECORDS and (backup or beside):
        buckets.append(_s3(backup or beside))
    else:
        partly.append(name.removesuffix("DestinationDescription"))


def _s3(found: Fields) -> S3Destination:
    arn = needed(text(found, "BucketARN"), "BucketARN")
    prefix = (text(found, "Prefix") or "").partition("!{")[0]
    return S3Destination(bucket=arn.rpartition(":")[2], prefix=prefix)


_FUNCTION: Final = re.compile(r"(arn:[^:]+:lambda:[^:]*:[^:]*:function:[^:]+)")


def _functions(found: Fields) -> list[str]:
    processing = mapping(found, "ProcessingConfiguration")
    if not flag(processing, "Enabled"):
        return []
    names = []
    for processor in mappings(processing, "Processors"):
        if text(processor, "Type") == "Lambda":
            values = [text(p, "ParameterValue") or "" for p in mappings(processor, "Parameters")]
            arns = [arn[1] for value in values if (arn := _FUNCTION.match(value))]
            names += arns or ["a function"]
    return names


# --- exports ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A log group's events, copied once to a bucket, up to a time in milliseconds since 1970."""

    log_group: str
    bucket: str
    until: int
    completed: bool


def exports(
    cluster: Cluster, log_group: str
) -> tuple[tuple[Seen[Export], ...], tuple[Unreadable, ...]]:
    """The exports of this log group that came to their end."""
    seen, gaps = answers(cluster, Kind.AWS_EXPORT_TASKS, _read_exports)
    found = tuple(
        Seen(value=export, raw=each.raw)
        for each in seen
        for export in each.value
        if export.log_group == log_group and export.completed
    )
    return found, gaps


def _read_exports(answer: Fields) -> tuple[Export, ...]:
    if "exportTasks" not in answer:
        raise WrongAnswer("it has no exportTasks")
    return tuple(
        Export(
            log_group=text(found, "logGroupName") or "",
            bucket=text(found, "destination") or "",
            until=number(found, "to") or 0,
            completed=text(mapping(found, "status"), "code") == "COMPLETED",
        )
        for found in mappings(answer, "exportTasks")
    )


# --- buckets ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Where delivery streams put a log group's events; `whole`: what shows that there is no other.

    A stream of which nothing was given leaves it None.
    """

    names: frozenset[str]
    whole: Raw | Absent | None


def archive_buckets(cluster: Cluster, log_group: str) -> Buckets | Unreadable:
    """The buckets behind the subscription filters of this group, in the same account."""
    filters = subscription_filters(cluster, log_group)
    if isinstance(filters, Unreadable):
        return filters
    names: set[str] = set()
    whole = filters.whole
    for each in filters.filters:
        if each.value.target(account_of(each.value.destination)) is not Target.FIREHOSE:
            continue
        stream = delivery_stream(cluster, each.value.destination)
        if isinstance(stream, Unreadable):
            return stream
        if isinstance(stream, Seen):
            names |= {place.bucket for place in stream.value.buckets}
        else:
            whole = None
    return Buckets(names=frozenset(names), whole=whole)
