"""A CloudWatch log group: how long it keeps events, whether it can be deleted, its streams."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from kcompliance.model.aws.answers import (
    COLLECTOR,
    Fields,
    WrongAnswer,
    answers,
    flag,
    mappings,
    milliseconds,
    needed,
    number,
    subject_of,
    text,
)
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Absent, Kind, Reading, Seen, Unreadable
from kcompliance.model.retention import FOREVER

__all__ = [
    "AUDIT_STREAMS",
    "LogGroup",
    "LogStream",
    "audit_streams",
    "log_group",
    "read_log_group",
    "read_log_groups",
    "read_log_streams",
]

T = TypeVar("T")

AUDIT_STREAMS: Final = "kube-apiserver-audit-"
"""With this begins the name of each stream of audit events; one stream is one API server."""
_DELIVERY_DAYS: Final = 1
_LONGEST_DAYS: Final = 36_500
"""Ten times as long as AWS offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """`retention_days` None: events never expire."""

    name: str
    arn: str | None
    retention_days: int | None
    log_class: str
    deletion_protected: bool | None
    """None: the answer does not say."""
    kms_key: str | None
    stored_bytes: int | None
    created: datetime | None = None
    """None: the answer does not say."""

    @property
    def kept(self) -> timedelta:
        """For how long it keeps its events."""
        return FOREVER if self.retention_days is None else timedelta(days=self.retention_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStream:
    """One stream; times are aware, UTC. AWS tells the last event up to an hour late."""

    name: str
    first_event: datetime | None
    last_event: datetime | None
    last_ingestion: datetime | None


def log_group(cluster: Cluster, name: str) -> Reading[LogGroup] | NotAsked:
    """The group of exactly this name: AWS searches by prefix, so that others come along.

    Absent only where AWS was asked for it; in files it is merely not among what was given.
    """
    seen, gaps = answers(cluster, Kind.AWS_LOG_GROUPS, read_log_groups)
    if gaps:
        return gaps[0]
    found = [
        Seen(value=group, raw=each.raw)
        for each in seen
        for group in each.value
        if group.name == name
    ]
    if found:
        return _one(found)
    for each in seen:
        if each.raw.origin.collector == COLLECTOR:
            return Absent(origin=each.raw.origin, reason=f"there is no log group {name}")
    return NotAsked()


def _one(found: list[Seen[LogGroup]]) -> Seen[LogGroup] | Unreadable:
    found.sort(key=lambda seen: seen.raw.origin.resource)
    if any(each.value.retention_days != found[0].value.retention_days for each in found):
        reason = f"a second answer about {found[0].value.name} says something else"
        return Unreadable(origin=found[-1].raw.origin, reason=reason)
    return found[0]


def read_log_groups(answer: Fields) -> tuple[LogGroup, ...]:
    """The answer of DescribeLogGroups. Raises WrongAnswer."""
    if "logGroups" not in answer:
        raise WrongAnswer("it has no logGroups")
    return tuple(read_log_group(found) for found in mappings(answer, "logGroups"))


def read_log_group(found: Fields) -> LogGroup:
    """One log group. Raises WrongAnswer."""
    class_ = text(found, "logGroupClass") or "STANDARD"
    days = number(found, "retentionInDays")
    if days is not None and not 0 < days <= _LONGEST_DAYS:
        raise WrongAnswer("retentionInDays is not a number of days")
    return LogGroup(
        name=needed(text(found, "logGroupName"), "logGroupName"),
        arn=text(found, "logGroupArn") or text(found, "arn"),
        # A group of this class keeps events for one day, whatever else it says.
        retention_days=_DELIVERY_DAYS if class_ == "DELIVERY" else days,
        log_class=class_,
        deletion_protected=flag(found, "deletionProtectionEnabled"),
        kms_key=text(found, "kmsKeyId"),
        stored_bytes=number(found, "storedBytes"),
        created=milliseconds(found, "creationTime"),
    )


# --- streams ---------------------------------------------------------------------------------


def audit_streams(cluster: Cluster, name: str) -> Reading[tuple[LogStream, ...]] | NotAsked:
    """The streams of audit events in this log group, as far as they were asked for."""
    seen, gaps = answers(cluster, Kind.AWS_LOG_STREAMS, _within(name))
    if gaps:
        return gaps[0]
    for each in seen:
        if each.value or subject_of(each.raw.origin) == name:
            return each
    return next(
        (absent for absent in cluster.absents if absent.origin.kind is Kind.AWS_LOG_STREAMS),
        NotAsked(),
    )


def _within(name: str) -> Callable[[Fields], tuple[LogStream, ...]]:
    def read(answer: Fields) -> tuple[LogStream, ...]:
        return tuple(
            stream
            for found, stream in zip(
                mappings(answer, "logStreams"), read_log_streams(answer), strict=True
            )
            if f":log-group:{name}:" in (text(found, "arn") or f":log-group:{name}:")
            and stream.name.startswith(AUDIT_STREAMS)
        )

    return read


def read_log_streams(answer: Fields) -> tuple[LogStream, ...]:
    """The answer of DescribeLogStreams, whatever the streams hold. Raises WrongAnswer."""
    if "logStreams" not in answer:
        raise WrongAnswer("it has no logStreams")
    return tuple(
        LogStream(
            name=needed(text(found, "logStreamName"), "logStreamName"),
            first_event=milliseconds(found, "firstEventTimestamp"),
            last_event=milliseconds(found, "lastEventTimestamp"),
            last_ingestion=milliseconds(found, "lastIngestionTime"),
        )
        for found in mappings(answer, "logStreams")
    )
