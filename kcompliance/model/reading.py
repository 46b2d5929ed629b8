"""What a collector brought back: seen, positively not there, or not readable. Never None or [].

A *capture* is the raw form (bytes with their origin), which is what a bundle stores; a *reading*
is what was understood of it. Live scans and scans of a bundle share everything from the captures
on, so they cannot come to different findings.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

from kcompliance.model.digest import Sha256, sha256

__all__ = [
    "REDACTED",
    "Absent",
    "Capture",
    "Kind",
    "Origin",
    "Raw",
    "Reading",
    "Seen",
    "Unreadable",
]

T = TypeVar("T")

REDACTED = "REDACTED"
"""What a collector writes over a value that may be a secret: no reader may take it for one."""


class Kind(StrEnum):
    """What a capture holds, and so which parser it belongs to."""

    ENDPOINT = "endpoint"
    """JSON `{"server": URL}`: where the API server was reached."""
    VERSION = "version"
    """The answer of `/version`."""
    METRICS = "metrics"
    """The answer of `/metrics`, Prometheus text."""
    FLAGZ = "flagz"
    """The answer of `/flagz`, JSON kind Flagz."""
    API_SERVER_PODS = "api-server-pods"
    """A v1 List of the pods that run kube-apiserver."""
    OBJECTS = "objects"
    """Kubernetes objects: YAML documents, a List, a static manifest, a kubeadm or k3s config."""
    COMMAND_LINE = "command-line"
    """A kube-apiserver's command line, as ps or /proc show it."""
    AUDIT_POLICY = "audit-policy"
    """An audit policy file."""
    WEBHOOK_CONFIG = "webhook-config"
    """A kubeconfig with which audit events are posted, without its credentials."""
    AKS_CLUSTER = "aks-cluster"
    """A managedClusters resource, as ARM or `az aks show` writes it."""
    EKS_CLUSTER = "eks-cluster"
    """The answer of `aws eks describe-cluster`."""
    NODES = "nodes"
    """A v1 List of every node."""
    DAEMON_SETS = "daemon-sets"
    """A v1 List of every DaemonSet."""
    FORWARDER_PODS = "forwarder-pods"
    """A v1 List of the pods of the DaemonSets that look like log forwarders."""
    CONFIG_MAPS = "config-maps"
    """A v1 List of the ConfigMaps that forwarders and watchers mount, without secrets."""
    SERVICES = "services"
    """A v1 List of every Service."""
    CRON_JOBS = "cron-jobs"
    """A v1 List of every CronJob."""
    RBAC = "rbac"
    """A v1 List of every Role, ClusterRole, RoleBinding and ClusterRoleBinding."""
    KUBELET_CONFIG = "kubelet-config"
    """JSON: the fields of a KubeletConfiguration that tell who may ask the kubelet."""
    NODE_FACTS = "node-facts"
    """JSON: modes, owners, sizes and times of files of one node, and processes that run on it."""
    AUDITD_RULES = "auditd-rules"
    """Rules of the kernel's audit, as a file of rules or `auditctl -l` writes them."""
    AUDITD_STATUS = "auditd-status"
    """What `auditctl -s` printed."""
    FALCO_RULES = "falco-rules"
    """A rules file of Falco."""
    DECLARATIONS = "declarations"
    """JSON: the attestations and waivers of the configuration; never recognised in a file."""
    APPROVED = "approved"
    """A kcompliance.lock: what somebody approved of."""
    AWS_EKS_UPDATE_IDS = "aws-eks-update-ids"
    """ListUpdates: which changes of its settings an EKS cluster had."""
    AWS_EKS_UPDATE = "aws-eks-update"
    """DescribeUpdate: one such change."""
    AWS_LOG_GROUPS = "aws-log-groups"
    """DescribeLogGroups; AWS searches by prefix."""
    AWS_LOG_STREAMS = "aws-log-streams"
    """DescribeLogStreams of one log group: those of audit events."""
    AWS_LOG_EVENTS = "aws-log-events"
    """FilterLogEvents: the newest events of a log group, without bodies."""
    AWS_LOG_WEEKS = "aws-log-weeks"
    """FilterLogEvents: an event of each week, and of days at the edge of a hole, of 14 months."""
    AWS_LOG_QUERY = "aws-log-query"
    """StartQuery: that a query of a log group was begun."""
    AWS_LOG_HISTOGRAM = "aws-log-histogram"
    """GetQueryResults: how many events a log group got in each five minutes of a week."""
    AWS_LOG_VERBS = "aws-log-verbs"
    """GetQueryResults: which requests a log group holds, at which level and stage, how often."""
    AWS_SUBSCRIPTION_FILTERS = "aws-subscription-filters"
    """DescribeSubscriptionFilters of one log group."""
    AWS_EXPORT_TASKS = "aws-export-tasks"
    """DescribeExportTasks: what was copied once from log groups to S3."""
    AWS_LOG_POLICIES = "aws-log-policies"
    """DescribeResourcePolicies of CloudWatch Logs."""
    AWS_METRIC_FILTERS = "aws-metric-filters"
    """DescribeMetricFilters of one log group."""
    AWS_ALARMS = "aws-alarms"
    """DescribeAlarmsForMetric, or DescribeAlarms."""
    AWS_KMS_KEY = "aws-kms-key"
    """DescribeKey of KMS."""
    AWS_DELIVERY_STREAM = "aws-delivery-stream"
    """DescribeDeliveryStream of Firehose, without tokens and user names."""
    AWS_BUCKET_VERSIONING = "aws-bucket-versioning"
    """GetBucketVersioning."""
    AWS_BUCKET_OBJECT_LOCK = "aws-bucket-object-lock"
    """GetObjectLockConfiguration."""
    AWS_BUCKET_LIFECYCLE = "aws-bucket-lifecycle"
    """GetBucketLifecycleConfiguration."""
    AWS_BUCKET_POLICY = "aws-bucket-policy"
    """GetBucketPolicy."""
    AWS_BUCKET_PUBLIC_ACCESS = "aws-bucket-public-access"
    """GetPublicAccessBlock of a bucket."""
    AWS_BUCKET_ENCRYPTION = "aws-bucket-encryption"
    """GetBucketEncryption."""
    AWS_BUCKET_OBJECTS = "aws-bucket-objects"
    """ListObjectsV2: the newest objects below a prefix of a bucket."""
    AWS_ACCOUNT_PUBLIC_ACCESS = "aws-account-public-access"
    """GetPublicAccessBlock of an account."""
    AWS_TRAILS = "aws-trails"
    """DescribeTrails of CloudTrail."""
    AWS_TRAIL_STATUS = "aws-trail-status"
    """GetTrailStatus of one trail."""
    AWS_EVENT_SELECTORS = "aws-event-selectors"
    """GetEventSelectors of one trail."""
    AWS_EVENT_RULES = "aws-event-rules"
    """ListRules of EventBridge's default bus."""
    AWS_RULE_TARGETS = "aws-rule-targets"
    """ListTargetsByRule of one rule, without what is sent to the targets."""
    AWS_IAM_DETAILS = "aws-iam-details"
    """GetAccountAuthorizationDetails: who has which policies."""
    AWS_ACCESS_KEYS = "aws-access-keys"
    """ListAccessKeys of one user, without the ids of the keys."""
    AWS_ORGANIZATION_POLICY = "aws-organization-policy"
    """DescribePolicy of Organizations: a service control policy."""
    AZURE_SUBSCRIPTION = "azure-subscription"
    """A subscription of Azure, which may be disabled."""
    AZURE_DIAGNOSTIC_SETTINGS = "azure-diagnostic-settings"
    """The diagnostic settings of one resource, as ARM or `az` writes them."""
    AZURE_DIAGNOSTIC_CATEGORIES = "azure-diagnostic-categories"
    """The log categories that one resource has, and the groups that they are in."""
    AZURE_SUBSCRIPTION_SETTINGS = "azure-subscription-settings"
    """Where a subscription's activity log is shipped."""
    AZURE_WORKSPACE = "azure-workspace"
    """A workspace of Log Analytics."""
    AZURE_DEDICATED_CLUSTER = "azure-dedicated-cluster"
    """A dedicated cluster of Log Analytics, which holds workspaces, with the name of its key."""
    AZURE_TABLE = "azure-table"
    """One table of a workspace, or several: plan and retention."""
    AZURE_STORAGE_ACCOUNT = "azure-storage-account"
    """A storage account, without its keys."""
    AZURE_MANAGEMENT_POLICY = "azure-management-policy"
    """The lifecycle rules of a storage account."""
    AZURE_BLOB_SERVICE = "azure-blob-service"
    """Versioning and soft delete of a storage account."""
    AZURE_BLOB_CONTAINER = "azure-blob-container"
    """A container of blobs, with its immutability."""
    AZURE_EVENT_HUB = "azure-event-hub"
    """A namespace of event hubs."""
    AZURE_ACTIVITY_ALERTS = "azure-activity-alerts"
    """The activity-log alerts of a subscription."""
    AZURE_QUERY_ALERTS = "azure-query-alerts"
    """The scheduled query rules of a subscription."""
    AZURE_ACTION_GROUPS = "azure-action-groups"
    """Action groups: how many receivers of which sort, without their addresses."""
    AZURE_ROLE_ASSIGNMENTS = "azure-role-assignments"
    """The role assignments that hold at one scope, inherited ones too."""
    AZURE_ROLE_DEFINITION = "azure-role-definition"
    """What a role of Azure may do."""
    AZURE_LOCKS = "azure-locks"
    """The management locks at one scope."""
    AZURE_LOG_RECORDS = "azure-log-records"
    """A query of a workspace: a cluster's audit records by table and day, their times."""
    AZURE_LOG_VERBS = "azure-log-verbs"
    """A query of a workspace: the verbs among a cluster's newest audit records, by table."""
    AZURE_LOG_NEWEST = "azure-log-newest"
    """A query of a workspace: a cluster's newest audit events by table, and their arrival."""
    AZURE_LOG_TIMELINE = "azure-log-timeline"
    """A query of a workspace: a cluster's audit events in each five minutes of a month."""
    AZURE_LOG_SAMPLE = "azure-log-sample"
    """A query of a workspace: audit events of a cluster's last day, without bodies."""
    AZURE_BLOB_HOURS = "azure-blob-hours"
    """List Blobs: the hours of which a storage account has a cluster's audit records."""
    AZURE_BLOB_SAMPLE = "azure-blob-sample"
    """Get Blob: the last audit events of a cluster in a storage account, without bodies."""
    ELASTICSEARCH_STORE = "elasticsearch-store"
    """JSON: a store of events as it was declared: address, patterns, filter, time field."""
    ELASTICSEARCH_SERVER = "elasticsearch-server"
    """The answer of `/`: which search server, in which version."""
    ELASTICSEARCH_HEALTH = "elasticsearch-health"
    """The answer of `_cluster/health`."""
    ELASTICSEARCH_INDICES = "elasticsearch-indices"
    """The answer of `_resolve/index`: what the patterns of a store match."""
    ELASTICSEARCH_SETTINGS = "elasticsearch-settings"
    """The answer of `_settings` of the indices of a store."""
    ELASTICSEARCH_FIELDS = "elasticsearch-fields"
    """The answer of `_field_caps`: how the fields of audit events are mapped."""
    ELASTICSEARCH_DATA_STREAMS = "elasticsearch-data-streams"
    """The answer of `_data_stream`."""
    ELASTICSEARCH_DATA_STREAM_LIFECYCLE = "elasticsearch-data-stream-lifecycle"
    """The answer of `_data_stream/…/_lifecycle`."""
    ELASTICSEARCH_ILM_POLICIES = "elasticsearch-ilm-policies"
    """The answer of `_ilm/policy`."""
    ELASTICSEARCH_ILM_STATUS = "elasticsearch-ilm-status"
    """The answer of `_ilm/status`."""
    ELASTICSEARCH_ILM_EXPLAIN = "elasticsearch-ilm-explain"
    """The answer of `_ilm/explain` of the indices of a store."""
    ELASTICSEARCH_ISM_POLICIES = "elasticsearch-ism-policies"
    """The answer of OpenSearch's `_plugins/_ism/policies`."""
    ELASTICSEARCH_ISM_EXPLAIN = "elasticsearch-ism-explain"
    """The answer of OpenSearch's `_plugins/_ism/explain`."""
    ELASTICSEARCH_SLM_POLICIES = "elasticsearch-slm-policies"
    """The answer of `_slm/policy`."""
    ELASTICSEARCH_SLM_STATUS = "elasticsearch-slm-status"
    """The answer of `_slm/status`."""
    ELASTICSEARCH_OPERATION_MODE = "elasticsearch-operation-mode"
    """A file with an answer of `_ilm/status` or `_slm/status`, which look alike."""
    ELASTICSEARCH_SM_POLICIES = "elasticsearch-sm-policies"
    """The answer of OpenSearch's `_plugins/_sm/policies`."""
    ELASTICSEARCH_REPOSITORIES = "elasticsearch-repositories"
    """The answer of `_snapshot`, without secrets."""
    ELASTICSEARCH_SNAPSHOTS = "elasticsearch-snapshots"
    """The newest snapshots of one repository."""
    ELASTICSEARCH_PIPELINES = "elasticsearch-pipelines"
    """The answer of `_ingest/pipeline`, without secrets."""
    ELASTICSEARCH_INGEST_STATS = "elasticsearch-ingest-stats"
    """The answer of `_nodes/stats/ingest`."""
    ELASTICSEARCH_NODE_SETTINGS = "elasticsearch-node-settings"
    """The answer of `_nodes/settings`: what concerns security."""
    ELASTICSEARCH_CLUSTER_SETTINGS = "elasticsearch-cluster-settings"
    """The answer of `_cluster/settings`: what concerns deletion and retention."""
    ELASTICSEARCH_USAGE = "elasticsearch-usage"
    """The answer of `_xpack/usage`: what concerns security."""
    ELASTICSEARCH_LICENSE = "elasticsearch-license"
    """The answer of `_license`, without whom it was issued to."""
    ELASTICSEARCH_ANONYMOUS = "elasticsearch-anonymous"
    """JSON `{"status": N}`: what `/` answers to somebody without credentials."""
    ELASTICSEARCH_ROLES = "elasticsearch-roles"
    """The answer of `_security/role`, or of OpenSearch's security."""
    ELASTICSEARCH_USERS = "elasticsearch-users"
    """Names and roles out of `_security/user`, or of OpenSearch's security."""
    ELASTICSEARCH_ROLE_MAPPINGS = "elasticsearch-role-mappings"
    """The answer of `_security/role_mapping`, or of OpenSearch's security."""
    ELASTICSEARCH_API_KEYS = "elasticsearch-api-keys"
    """The answer of `_security/api_key`, without metadata."""
    ELASTICSEARCH_CALLER = "elasticsearch-caller"
    """The answer of `_security/_authenticate`: as whom a scan asks."""
    ELASTICSEARCH_TIMES = "elasticsearch-times"
    """A search: the oldest and the newest event, by index and by day."""
    ELASTICSEARCH_HISTOGRAM = "elasticsearch-histogram"
    """A search: how many events came in each five minutes of a month."""
    ELASTICSEARCH_SOURCES = "elasticsearch-sources"
    """A search: how many events came in each hour of a month from each API server."""
    ELASTICSEARCH_TERMS = "elasticsearch-terms"
    """A search: levels, stages and verbs, and how many events have which field."""
    ELASTICSEARCH_SAMPLE = "elasticsearch-sample"
    """The newest events, with the names of all fields and the values of harmless ones."""
    ELASTICSEARCH_RANDOM_SAMPLE = "elasticsearch-random-sample"
    """Events of a month chosen at random, without bodies; told of like the newest ones."""
    ELASTICSEARCH_FAILURE_STORE = "elasticsearch-failure-store"
    """A count: the events that a data stream could not index and put aside."""
    ELASTICSEARCH_UNROUTED = "elasticsearch-unrouted"
    """A count: the audit events that stayed in the data stream of all logs of AWS."""
    ELASTICSEARCH_WATCHES = "elasticsearch-watches"
    """The answer of `_watcher/_query/watches`: what is watched, and what sort of action follows."""
    ELASTICSEARCH_MONITORS = "elasticsearch-monitors"
    """A search of OpenSearch's monitors: what they look for, and which triggers tell somebody."""
    ELASTICSEARCH_AUDIT_CONFIG = "elasticsearch-audit-config"
    """The answer of `_plugins/_security/api/audit`: what OpenSearch's access audit records."""
    ARCHIVE = "archive"
    """JSON `kcompliance/archive-evidence/v1`: what was seen of a declared archive."""
    FILE = "file"
    """A file that could not be recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where and when something was asked for."""

    kind: Kind
    resource: str
    """What was read, in the words of its source: a path, or `kube:CONTEXT /version`."""
    collector: str
    collected_at: datetime
    """Aware, UTC."""


@dataclass(frozen=True, kw_only=True)  # without slots: a cached property needs a place
class Raw:
    """The bytes that came back, after redaction; `redactions` are JSON pointers."""

    origin: Origin
    content: bytes
    redactions: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> Sha256:
        """Digest of exactly the bytes that a bundle stores."""
        return sha256(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """It was asked for and did not come: refused, failed, cut off, or not to be understood.

    `permission` is what would have to be granted, where that is the reason.
    """

    origin: Origin
    reason: str
    permission: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The source answered that there is no such thing (a server without this feature)."""

    origin: Origin
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[T]):
    """What was read, and the bytes it was read from."""

    value: T
    raw: Raw


Capture = Raw | Unreadable | Absent
Reading = Seen[T] | Unreadable | Absent
