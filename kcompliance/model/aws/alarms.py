"""What would raise an alarm if somebody turned the trail off: trails, rules, metric alarms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kcompliance.model.aws.answers import (
    Fields,
    WrongAnswer,
    embedded,
    flag,
    items,
    mappings,
    moment,
    needed,
    text,
)
from kcompliance.model.aws.cluster_settings import (
    EksCluster,
    account_of,
    partition_of,
    region_of,
)

__all__ = [
    "Alarm",
    "MetricFilter",
    "Rule",
    "Selection",
    "Trail",
    "TrailStatus",
    "read_alarms",
    "read_metric_filters",
    "read_rules",
    "read_selection",
    "read_targets",
    "read_trail_status",
    "read_trails",
    "synthetic_events",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """A trail of CloudTrail; `log_group` is where its events go in CloudWatch Logs."""

    arn: str
    home_region: str
    multi_region: bool
    validates_files: bool
    log_group: str | None
    log_group_arn: str | None
    bucket: str | None

    def sees(self, region: str) -> bool:
        """Whether calls in this region are recorded."""
        return self.multi_region or self.home_region == region


def read_trails(answer: Fields) -> tuple[Trail, ...]:
    """The answer of DescribeTrails. Raises WrongAnswer."""
    if "trailList" not in answer:
        raise WrongAnswer("it has no trailList")
    return tuple(_trail(found) for found in mappings(answer, "trailList"))


def _trail(found: Fields) -> Trail:
    arn = needed(text(found, "TrailARN"), "TrailARN")
    group = text(found, "CloudWatchLogsLogGroupArn")
    return Trail(
        arn=arn,
        home_region=text(found, "HomeRegion") or region_of(arn),
        multi_region=flag(found, "IsMultiRegionTrail") or False,
        validates_files=flag(found, "LogFileValidationEnabled") or False,
        log_group=group.split(":log-group:")[-1].removesuffix(":*") if group else None,
        log_group_arn=group,
        bucket=text(found, "S3BucketName"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailStatus:
    """Whether a trail records; `delivery_error` is what S3 said last, if it refused."""

    logging: bool
    delivery_error: str | None
    delivered: datetime | None


def read_trail_status(answer: Fields) -> TrailStatus:
    """The answer of GetTrailStatus. Raises WrongAnswer."""
    return TrailStatus(
        logging=needed(flag(answer, "IsLogging"), "IsLogging"),
        delivery_error=text(answer, "LatestDeliveryError") or None,
        delivered=moment(answer, "LatestDeliveryTime"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events a trail records; `without` are event sources of which it records none."""

    management_writes: bool
    without: frozenset[str]


def read_selection(answer: Fields) -> Selection:
    """The answer of GetEventSelectors, of both kinds of selectors. Raises WrongAnswer."""
    if "EventSelectors" not in answer and "AdvancedEventSelectors" not in answer:
        raise WrongAnswer("it has no event selectors")
    without = [
        frozenset(map(str, items(each, "ExcludeManagementEventSources")))
        for each in mappings(answer, "EventSelectors")
        if _records_writes(each)
    ]
    for each in mappings(answer, "AdvancedEventSelectors"):
        left_out = _advanced(each)
        without += [] if left_out is None else [left_out]
    return Selection(
        management_writes=bool(without),
        without=frozenset.intersection(*without) if without else frozenset(),
    )


def _records_writes(selector: Fields) -> bool:
    management = flag(selector, "IncludeManagementEvents")
    return management is not False and text(selector, "ReadWriteType") in (
        None,
        "All",
        "WriteOnly",
    )


def _advanced(selector: Fields) -> frozenset[str] | None:
    """The sources that it leaves out; None if it does not record every other management write."""
    without: frozenset[str] = frozenset()
    management = False
    for field in mappings(selector, "FieldSelectors"):
        name = text(field, "Field")
        operators = {key: value for key, value in field.items() if key != "Field" and value}
        if name == "eventCategory":
            management = operators == {"Equals": ["Management"]}
        elif name == "readOnly":
            if operators != {"Equals": ["false"]}:
                return None
        elif name == "eventSource" and set(operators) == {"NotEquals"}:
            without |= frozenset(map(str, items(field, "NotEquals")))
        else:
            return None  # narrowed further: what is left is not judged here
    return without if management else None


# --- rules -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of EventBridge that waits for events; `pattern` None: it cannot be read."""

    name: str
    arn: str
    enabled: bool
    pattern: Fields | None
    bus: str


def read_rules(answer: Fields) -> tuple[Rule, ...]:
    """The answer of ListRules, without those that run by the clock. Raises WrongAnswer."""
    if "Rules" not in answer:
        raise WrongAnswer("it has no Rules")
    return tuple(_rule(found) for found in mappings(answer, "Rules") if found.get("EventPattern"))


def _rule(found: Fields) -> Rule:
    try:
        pattern = embedded(found, "EventPattern")
    except WrongAnswer:
        pattern = None
    return Rule(
        name=needed(text(found, "Name"), "Name"),
        arn=text(found, "Arn") or "",
        enabled=(text(found, "State") or "").startswith("ENABLED"),
        pattern=pattern,
        bus=text(found, "EventBusName") or "default",
    )


def read_targets(answer: Fields) -> tuple[str, ...]:
    """The ARNs in the answer of ListTargetsByRule. Raises WrongAnswer."""
    if "Targets" not in answer:
        raise WrongAnswer("it has no Targets")
    return tuple(needed(text(found, "Arn"), "Arn") for found in mappings(answer, "Targets"))


# --- metric alarms ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFilter:
    """Counts the matching events of a log group in metrics, each (namespace, name)."""

    name: str
    log_group: str
    pattern: str
    metrics: frozenset[tuple[str, str]]


def read_metric_filters(answer: Fields) -> tuple[MetricFilter, ...]:
    """The answer of DescribeMetricFilters. Raises WrongAnswer."""
    if "metricFilters" not in answer:
        raise WrongAnswer("it has no metricFilters")
    return tuple(
        MetricFilter(
            name=needed(text(found, "filterName"), "filterName"),
            log_group=text(found, "logGroupName") or "",
            pattern=text(found, "filterPattern") or "",
            metrics=frozenset(
                (text(each, "metricNamespace") or "", text(each, "metricName") or "")
                for each in mappings(found, "metricTransformations")
            ),
        )
        for found in mappings(answer, "metricFilters")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm on one metric; `rings`: its actions are switched on, and there is one."""

    name: str
    metric: tuple[str, str]
    rings: bool


def read_alarms(answer: Fields) -> tuple[Alarm, ...]:
    """The answer of DescribeAlarmsForMetric or DescribeAlarms. Raises WrongAnswer."""
    if "MetricAlarms" not in answer:
        raise WrongAnswer("it has no MetricAlarms")
    return tuple(
        Alarm(
            name=needed(text(found, "AlarmName"), "AlarmName"),
            metric=(text(found, "Namespace") or "", text(found, "MetricName") or ""),
            rings=flag(found, "ActionsEnabled") is True and bool(items(found, "AlarmActions")),
        )
        for found in mappings(answer, "MetricAlarms")
    )


# --- the events that have to ring ------------------------------------------------------------

_ACTORS: Final[tuple[Mapping[str, Any], ...]] = (
    {"type": "AssumedRole", "invokedBy": None, "sourceIPAddress": "198.51.100.7"},
    {"type": "IAMUser", "invokedBy": None, "sourceIPAddress": "203.0.113.9"},
    {"type": "Root", "invokedBy": None, "sourceIPAddress": "2001:db8::5"},
)
"""Whoever it was, and from wherever: a rule for one kind of actor is none for the others."""


def synthetic_events(event: str, cluster: EksCluster) -> Iterator[Mapping[str, Any]]:
    """What EventBridge gets if somebody calls `SERVICE.amazonaws.com/NAME` on this trail.

    One for each kind of actor; `detail` is the record of CloudTrail.
    """
    source, _, name = event.partition("/")
    account, region = account_of(cluster.arn), region_of(cluster.arn)
    for actor in _ACTORS:
        detail = {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": actor["type"],
                "principalId": "AIDAEXAMPLE:somebody",
                "arn": f"arn:{partition_of(cluster.arn)}:iam::{account}:somebody",
                "accountId": account,
            },
            "eventTime": "2026-01-01T00:00:00Z",
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": actor["sourceIPAddress"],
            "userAgent": "aws-cli/2",
            "requestParameters": _request(source, cluster),
            "responseElements": None,
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account,
            "eventCategory": "Management",
        }
        yield {
            "version": "0",
            "id": "00000000-0000-0000-0000-000000000000",
            "detail-type": "AWS API Call via CloudTrail",
            "source": f"aws.{source.partition('.')[0]}",
            "account": account,
            "time": "2026-01-01T00:00:00Z",
            "region": region,
            "resources": [],
            "detail": detail,
        }


def _request(source: str, cluster: EksCluster) -> Mapping[str, Any]:
    match source.partition(".")[0]:
        case "eks":
            off = [{"types": list(("api", "audit")), "enabled": False}]
            return {"name": cluster.name, "logging": {"clusterLogging": off}}
        case "logs":
            return {"logGroupName": cluster.log_group}
        case _:
            return {"name": "trail"}
