"""Tells what plain output of `aws … --output json` is, by its members.

What names no resource of its own (`get-bucket-versioning` prints a status) is tied to one by the
file's name or folder: see `kcompliance.model.aws.answers`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kcompliance.collect.aws.secrets import redact
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.go_tree import is_json
from kcompliance.model.reading import Kind

__all__ = ["AwsAnswer", "aws_kind", "recognise_aws"]

_BY_MEMBER: Final[Mapping[str, Kind]] = {
    "updateIds": Kind.AWS_EKS_UPDATE_IDS,
    "logGroups": Kind.AWS_LOG_GROUPS,
    "logStreams": Kind.AWS_LOG_STREAMS,
    "subscriptionFilters": Kind.AWS_SUBSCRIPTION_FILTERS,
    "exportTasks": Kind.AWS_EXPORT_TASKS,
    "resourcePolicies": Kind.AWS_LOG_POLICIES,
    "metricFilters": Kind.AWS_METRIC_FILTERS,
    "MetricAlarms": Kind.AWS_ALARMS,
    "KeyMetadata": Kind.AWS_KMS_KEY,
    "DeliveryStreamDescription": Kind.AWS_DELIVERY_STREAM,
    "ObjectLockConfiguration": Kind.AWS_BUCKET_OBJECT_LOCK,
    "ServerSideEncryptionConfiguration": Kind.AWS_BUCKET_ENCRYPTION,
    "PublicAccessBlockConfiguration": Kind.AWS_BUCKET_PUBLIC_ACCESS,
    "trailList": Kind.AWS_TRAILS,
    "IsLogging": Kind.AWS_TRAIL_STATUS,
    "AccessKeyMetadata": Kind.AWS_ACCESS_KEYS,
    "RoleDetailList": Kind.AWS_IAM_DETAILS,
}
"""Members that no other answer has at its top."""

_OURS: Final = re.compile(rb'"(?:' + "|".join(_BY_MEMBER).encode() + rb')"\s*:')
_PERHAPS: Final = re.compile(
    rb'"(?:TrailARN|EventSelectors|AdvancedEventSelectors|Rules|Targets|Contents|PolicySummary'
    rb'|MFADelete|Policy|update|UserDetailList|events|results|searchedLogStreams)"\s*:|"Status"\s*:\s*"(?:Enabled|Suspended)"'
)
_HEAD: Final = 4096
"""So far down at most stands the first member of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAnswer:
    """What is kept of a file; `redactions` point at what was taken out."""

    kind: Kind
    content: bytes
    redactions: tuple[str, ...]


def recognise_aws(data: bytes) -> AwsAnswer | None:
    """The answer in these bytes; None for all else.

    Raises `Malformed` or `Unsure` for what is surely one, and cannot be read: half a file.
    """
    head = data[:_HEAD]
    ours = _OURS.search(head) is not None
    if not is_json(data) or not (ours or _PERHAPS.search(head)):
        return None
    try:
        (document,) = read_documents(data)
    except (Malformed, Unsure):
        if ours:
            raise
        return None
    kind = aws_kind(document)
    if kind is None:
        return None
    redactions = tuple(redact(kind, document))
    content = json.dumps(document, ensure_ascii=False).encode() if redactions else data
    return AwsAnswer(kind=kind, content=content, redactions=redactions)


def aws_kind(document: Any) -> Kind | None:
    """The kind of an answer of AWS; None for all else."""
    if not isinstance(document, dict):
        return None
    for member, kind in _BY_MEMBER.items():
        if member in document:
            return kind
    if "TrailARN" in document and not {"EventSelectors", "AdvancedEventSelectors"}.isdisjoint(
        document
    ):
        return Kind.AWS_EVENT_SELECTORS
    if set(document) <= {"Status", "MFADelete"} and document.get("Status") in (
        "Enabled",
        "Suspended",
    ):
        return Kind.AWS_BUCKET_VERSIONING
    return _by_items(document)


def _by_items(document: Mapping[str, Any]) -> Kind | None:
    """Members whose names are those of other things, too."""
    update, policy = document.get("update"), document.get("Policy")
    if isinstance(update, dict) and {"id", "status", "type"} <= set(update):
        return Kind.AWS_EKS_UPDATE
    if isinstance(policy, str) and set(document) == {"Policy"} and '"Statement"' in policy:
        return Kind.AWS_BUCKET_POLICY
    if isinstance(policy, dict) and isinstance(policy.get("PolicySummary"), dict):
        return Kind.AWS_ORGANIZATION_POLICY
    if _all_have(document.get("events"), "logStreamName", "timestamp", "message"):
        return Kind.AWS_LOG_EVENTS
    if document.get("events") == [] and "searchedLogStreams" in document:
        return Kind.AWS_LOG_EVENTS
    if isinstance(document.get("status"), str) and "results" in document:
        return _by_fields(document["results"])
    if _all_have(document.get("Rules"), "Arn", "State"):
        return Kind.AWS_EVENT_RULES
    if _all_have(document.get("Rules"), "Status") and "Rules" in document:
        return Kind.AWS_BUCKET_LIFECYCLE
    if _all_have(document.get("Targets"), "Id", "Arn"):
        return Kind.AWS_RULE_TARGETS
    if _all_have(document.get("Contents"), "Key", "LastModified"):
        return Kind.AWS_BUCKET_OBJECTS
    return None


def _by_fields(rows: Any) -> Kind | None:
    """Which of the queries has these results; without a row nobody can tell."""
    cells = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], list) else []
    names = {cell.get("field") for cell in cells if isinstance(cell, dict)}
    if names == {"bin(5m)", "records"}:
        return Kind.AWS_LOG_HISTOGRAM
    return Kind.AWS_LOG_VERBS if {"verb", "level", "records"} <= names else None


def _all_have(found: Any, *members: str) -> bool:
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(item, dict) and set(members) <= set(item) for item in found)
    )
