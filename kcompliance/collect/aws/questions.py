"""Everything that is asked of AWS: one table of operations, and the IAM actions that allow them.

`deploy/aws/policy.json` allows exactly these actions; a test compares the two.
"""

from dataclasses import dataclass
from typing import Final

from kcompliance.model.reading import Kind

__all__ = ["ALL", "SHARED", "Question", "actions", "question"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One operation of one service.

    `lists` are the members of the answer that go on over pages; `needs`: of these members at
    least one has to be there, or it is no answer to this question. `none`: codes of errors which
    say that there is no such thing. `region` False: the service is the same everywhere.
    """

    kind: Kind
    service: str
    operation: str
    action: str
    lists: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    none: tuple[str, ...] = ()


def _of_bucket(kind: Kind, operation: str, action: str, needs: str, none: str) -> Question:
    return Question(
        kind=kind,
        service="s3",
        operation=operation,
        action=action,
        needs=(needs,) if needs else (),
        none=(none,) if none else (),
    )


def _of_logs(kind: Kind, operation: str, list_: str, none: str = "") -> Question:
    return Question(
        kind=kind,
        service="logs",
        operation=operation,
        action=f"logs:{operation}",
        lists=(list_,),
        needs=(list_,),
        none=(none,) if none else (),
    )


def _plain(kind: Kind, service: str, operation: str, *needs: str) -> Question:
    return Question(
        kind=kind,
        service=service,
        operation=operation,
        action=f"{service}:{operation}",
        needs=needs,
    )


def _listed(kind: Kind, service: str, operation: str, list_: str) -> Question:
    return Question(
        kind=kind,
        service=service,
        operation=operation,
        action=f"{service}:{operation}",
        lists=(list_,),
        needs=(list_,),
    )


_GONE: Final = "ResourceNotFoundException"

ALL: Final = (
    _plain(Kind.EKS_CLUSTER, "eks", "DescribeCluster", "cluster"),
    _listed(Kind.AWS_EKS_UPDATE_IDS, "eks", "ListUpdates", "updateIds"),
    _plain(Kind.AWS_EKS_UPDATE, "eks", "DescribeUpdate", "update"),
    _of_logs(Kind.AWS_LOG_GROUPS, "DescribeLogGroups", "logGroups"),
    _of_logs(Kind.AWS_LOG_STREAMS, "DescribeLogStreams", "logStreams", _GONE),
    _of_logs(
        Kind.AWS_SUBSCRIPTION_FILTERS, "DescribeSubscriptionFilters", "subscriptionFilters", _GONE
    ),
    _of_logs(Kind.AWS_EXPORT_TASKS, "DescribeExportTasks", "exportTasks"),
    _of_logs(Kind.AWS_LOG_POLICIES, "DescribeResourcePolicies", "resourcePolicies"),
    _of_logs(Kind.AWS_METRIC_FILTERS, "DescribeMetricFilters", "metricFilters", _GONE),
    _of_logs(Kind.AWS_LOG_EVENTS, "FilterLogEvents", "events"),
    _of_logs(Kind.AWS_LOG_WEEKS, "FilterLogEvents", "events"),
    _plain(Kind.AWS_LOG_QUERY, "logs", "StartQuery", "queryId"),
    _plain(Kind.AWS_LOG_HISTOGRAM, "logs", "GetQueryResults", "results"),
    _plain(Kind.AWS_LOG_VERBS, "logs", "GetQueryResults", "results"),
    _plain(Kind.AWS_KMS_KEY, "kms", "DescribeKey", "KeyMetadata"),
    _plain(
        Kind.AWS_DELIVERY_STREAM, "firehose", "DescribeDeliveryStream", "DeliveryStreamDescription"
    ),
    _of_bucket(Kind.AWS_BUCKET_VERSIONING, "GetBucketVersioning", "s3:GetBucketVersioning", "", ""),
    _of_bucket(
        Kind.AWS_BUCKET_OBJECT_LOCK,
        "GetObjectLockConfiguration",
        "s3:GetBucketObjectLockConfiguration",
        "ObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
    ),
    _of_bucket(
        Kind.AWS_BUCKET_LIFECYCLE,
        "GetBucketLifecycleConfiguration",
        "s3:GetLifecycleConfiguration",
        "Rules",
        "NoSuchLifecycleConfiguration",
    ),
    _of_bucket(
        Kind.AWS_BUCKET_POLICY,
        "GetBucketPolicy",
        "s3:GetBucketPolicy",
        "Policy",
        "NoSuchBucketPolicy",
    ),
    _of_bucket(
        Kind.AWS_BUCKET_PUBLIC_ACCESS,
        "GetPublicAccessBlock",
        "s3:GetBucketPublicAccessBlock",
        "PublicAccessBlockConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
    ),
    _of_bucket(
        Kind.AWS_BUCKET_ENCRYPTION,
        "GetBucketEncryption",
        "s3:GetEncryptionConfiguration",
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    _of_bucket(Kind.AWS_BUCKET_OBJECTS, "ListObjectsV2", "s3:ListBucket", "Name", ""),
    Question(
        kind=Kind.AWS_ACCOUNT_PUBLIC_ACCESS,
        service="s3control",
        operation="GetPublicAccessBlock",
        action="s3:GetAccountPublicAccessBlock",
        needs=("PublicAccessBlockConfiguration",),
        none=("NoSuchPublicAccessBlockConfiguration",),
    ),
    _plain(Kind.AWS_TRAILS, "cloudtrail", "DescribeTrails", "trailList"),
    _plain(Kind.AWS_TRAIL_STATUS, "cloudtrail", "GetTrailStatus", "IsLogging"),
    _plain(
        Kind.AWS_EVENT_SELECTORS,
        "cloudtrail",
        "GetEventSelectors",
        "EventSelectors",
        "AdvancedEventSelectors",
    ),
    _listed(Kind.AWS_EVENT_RULES, "events", "ListRules", "Rules"),
    _listed(Kind.AWS_RULE_TARGETS, "events", "ListTargetsByRule", "Targets"),
    _plain(Kind.AWS_ALARMS, "cloudwatch", "DescribeAlarmsForMetric", "MetricAlarms"),
    Question(
        kind=Kind.AWS_IAM_DETAILS,
        service="iam",
        operation="GetAccountAuthorizationDetails",
        action="iam:GetAccountAuthorizationDetails",
        lists=("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"),
        needs=("UserDetailList",),
    ),
    _listed(Kind.AWS_ACCESS_KEYS, "iam", "ListAccessKeys", "AccessKeyMetadata"),
)
"""What is ever asked; every one of these operations only reads."""

SHARED: Final = frozenset(
    {
        Kind.AWS_EXPORT_TASKS,
        Kind.AWS_LOG_POLICIES,
        Kind.AWS_METRIC_FILTERS,
        Kind.AWS_ACCOUNT_PUBLIC_ACCESS,
        Kind.AWS_TRAILS,
        Kind.AWS_TRAIL_STATUS,
        Kind.AWS_EVENT_SELECTORS,
        Kind.AWS_EVENT_RULES,
        Kind.AWS_RULE_TARGETS,
        Kind.AWS_ALARMS,
        Kind.AWS_IAM_DETAILS,
        Kind.AWS_ACCESS_KEYS,
    }
)
"""About an account or a region: the same for each of its clusters."""

_BY_KIND: Final = {each.kind: each for each in ALL}


def question(kind: Kind) -> Question:
    """The question whose answer is of this kind."""
    return _BY_KIND[kind]


def actions() -> frozenset[str]:
    """The IAM actions that all of it needs."""
    return frozenset(each.action for each in ALL)
