"""What each control needs to see of clouds, search stores and archives: one table.

A test derives it from the cases that the controls ship.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

from kcompliance.collect.cloud_reads import told_by
from kcompliance.model.reading import Kind

__all__ = ["CLOUD_NEEDS", "controls_needing", "with_tellers"]

_CLUSTER: Final = (Kind.AKS_CLUSTER, Kind.EKS_CLUSTER)
_SETTINGS: Final = (Kind.AZURE_DIAGNOSTIC_SETTINGS, Kind.EKS_CLUSTER)
_RECORDED: Final = (Kind.AZURE_DIAGNOSTIC_SETTINGS, Kind.AWS_LOG_VERBS)
_KEPT: Final = (
    Kind.ELASTICSEARCH_HEALTH,
    Kind.ELASTICSEARCH_SETTINGS,
    Kind.ELASTICSEARCH_DATA_STREAMS,
    Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE,
    Kind.ELASTICSEARCH_ILM_POLICIES,
    Kind.ELASTICSEARCH_ILM_STATUS,
    Kind.ELASTICSEARCH_ILM_EXPLAIN,
    Kind.ELASTICSEARCH_ISM_POLICIES,
    Kind.ELASTICSEARCH_ISM_EXPLAIN,
    Kind.ELASTICSEARCH_TIMES,
)
"""What tells how long the indices of a search store are kept, and since when they are."""

CLOUD_NEEDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "KC-AUD-001": (Kind.AZURE_WORKSPACE, Kind.AZURE_STORAGE_ACCOUNT, Kind.AZURE_EVENT_HUB),
    "KC-AUD-002": (Kind.AZURE_DIAGNOSTIC_SETTINGS,),
    "KC-AUD-003": (Kind.AZURE_DIAGNOSTIC_SETTINGS,),
    "KC-AUD-004": (Kind.AWS_EKS_UPDATE, Kind.AWS_LOG_GROUPS),
    "KC-AUD-005": _CLUSTER,
    "KC-AUD-006": (Kind.EKS_CLUSTER,),
    "KC-AUD-007": (Kind.EKS_CLUSTER,),
    "KC-AUD-008": _RECORDED,
    "KC-CMP-001": _RECORDED,
    "KC-CMP-002": _RECORDED,
    "KC-CMP-003": _RECORDED,
    "KC-CMP-004": _RECORDED,
    "KC-CMP-005": _RECORDED,
    "KC-CMP-006": _RECORDED,
    "KC-CMP-007": _SETTINGS,
    "KC-CMP-008": (
        Kind.AWS_LOG_GROUPS,
        Kind.AWS_LOG_EVENTS,
        Kind.AWS_LOG_WEEKS,
        Kind.AZURE_BLOB_HOURS,
        Kind.AZURE_BLOB_SAMPLE,
        Kind.AZURE_LOG_RECORDS,
        Kind.AZURE_LOG_NEWEST,
        Kind.AZURE_LOG_SAMPLE,
        Kind.ELASTICSEARCH_TIMES,
        Kind.ELASTICSEARCH_SAMPLE,
        Kind.ELASTICSEARCH_RANDOM_SAMPLE,
    ),
    "KC-CMP-009": (Kind.EKS_CLUSTER,),
    "KC-CMP-010": (Kind.AZURE_WORKSPACE,),
    "KC-CMP-011": (
        Kind.AWS_LOG_GROUPS,
        Kind.AWS_LOG_EVENTS,
        Kind.AWS_LOG_WEEKS,
        Kind.AZURE_BLOB_HOURS,
        Kind.AZURE_BLOB_SAMPLE,
        Kind.AZURE_LOG_RECORDS,
        Kind.AZURE_LOG_NEWEST,
        Kind.AZURE_LOG_SAMPLE,
        Kind.ELASTICSEARCH_TIMES,
        Kind.ELASTICSEARCH_HISTOGRAM,
        Kind.ELASTICSEARCH_SAMPLE,
        Kind.ELASTICSEARCH_RANDOM_SAMPLE,
    ),
    "KC-CMP-012": (
        Kind.AWS_LOG_GROUPS,
        Kind.AWS_LOG_EVENTS,
        Kind.AWS_LOG_WEEKS,
        Kind.AWS_LOG_HISTOGRAM,
        Kind.AZURE_BLOB_HOURS,
        Kind.AZURE_LOG_RECORDS,
        Kind.AZURE_LOG_NEWEST,
        Kind.AZURE_LOG_TIMELINE,
        Kind.ELASTICSEARCH_TIMES,
        Kind.ELASTICSEARCH_HISTOGRAM,
        Kind.ELASTICSEARCH_SOURCES,
    ),
    "KC-CMP-013": (
        Kind.ELASTICSEARCH_DATA_STREAMS,
        Kind.ELASTICSEARCH_PIPELINES,
        Kind.ELASTICSEARCH_INGEST_STATS,
        Kind.ELASTICSEARCH_TIMES,
        Kind.ELASTICSEARCH_TERMS,
        Kind.ELASTICSEARCH_SAMPLE,
        Kind.ELASTICSEARCH_RANDOM_SAMPLE,
        Kind.ELASTICSEARCH_FAILURE_STORE,
        Kind.ELASTICSEARCH_UNROUTED,
    ),
    "KC-MON-002": (Kind.AWS_LOG_GROUPS, Kind.AZURE_WORKSPACE),
    "KC-PRO-002": (
        Kind.AWS_SUBSCRIPTION_FILTERS,
        Kind.AZURE_DIAGNOSTIC_SETTINGS,
        Kind.ELASTICSEARCH_HEALTH,
        Kind.ELASTICSEARCH_SETTINGS,
        Kind.ELASTICSEARCH_DATA_STREAMS,
        Kind.ELASTICSEARCH_ILM_POLICIES,
        Kind.ELASTICSEARCH_ILM_EXPLAIN,
        Kind.ELASTICSEARCH_ISM_POLICIES,
        Kind.ELASTICSEARCH_ISM_EXPLAIN,
        Kind.ELASTICSEARCH_SLM_POLICIES,
        Kind.ELASTICSEARCH_SM_POLICIES,
        Kind.ELASTICSEARCH_PIPELINES,
    ),
    "KC-PRO-005": (Kind.EKS_CLUSTER, Kind.AZURE_STORAGE_ACCOUNT, Kind.AZURE_EVENT_HUB),
    "KC-PRO-006": (
        Kind.ELASTICSEARCH_NODE_SETTINGS,
        Kind.ELASTICSEARCH_CLUSTER_SETTINGS,
        Kind.ELASTICSEARCH_LICENSE,
        Kind.ELASTICSEARCH_ANONYMOUS,
    ),
    "KC-PRO-007": (
        Kind.ELASTICSEARCH_SETTINGS,
        Kind.ELASTICSEARCH_DATA_STREAMS,
        Kind.ELASTICSEARCH_USAGE,
        Kind.ELASTICSEARCH_ROLES,
        Kind.ELASTICSEARCH_USERS,
        Kind.ELASTICSEARCH_ROLE_MAPPINGS,
        Kind.ELASTICSEARCH_API_KEYS,
        Kind.ELASTICSEARCH_SAMPLE,
        Kind.ELASTICSEARCH_RANDOM_SAMPLE,
    ),
    "KC-PRO-008": (
        Kind.AZURE_WORKSPACE,
        Kind.AZURE_STORAGE_ACCOUNT,
        Kind.AZURE_ROLE_DEFINITION,
        Kind.AZURE_LOCKS,
    ),
    "KC-PRO-009": (Kind.AWS_BUCKET_OBJECT_LOCK, Kind.AZURE_BLOB_CONTAINER, Kind.ARCHIVE),
    "KC-PRO-010": (
        Kind.AWS_KMS_KEY,
        Kind.AWS_BUCKET_PUBLIC_ACCESS,
        Kind.AWS_ACCOUNT_PUBLIC_ACCESS,
        Kind.AWS_ACCESS_KEYS,
    ),
    "KC-PRO-011": (
        Kind.AWS_LOG_GROUPS,
        Kind.AWS_LOG_POLICIES,
        Kind.AWS_BUCKET_PUBLIC_ACCESS,
        Kind.AWS_BUCKET_ENCRYPTION,
        Kind.AWS_ACCOUNT_PUBLIC_ACCESS,
        Kind.AZURE_WORKSPACE,
        Kind.AZURE_DEDICATED_CLUSTER,
        Kind.AZURE_STORAGE_ACCOUNT,
        Kind.AZURE_EVENT_HUB,
        Kind.ELASTICSEARCH_SERVER,
    ),
    "KC-PRO-012": _CLUSTER,
    "KC-PRO-013": (
        Kind.AZURE_DIAGNOSTIC_SETTINGS,
        Kind.AZURE_ACTIVITY_ALERTS,
        Kind.AZURE_ACTION_GROUPS,
    ),
    "KC-PRO-014": (
        Kind.AKS_CLUSTER,
        Kind.AWS_ALARMS,
        Kind.AWS_TRAIL_STATUS,
        Kind.AWS_EVENT_SELECTORS,
        Kind.AWS_RULE_TARGETS,
        Kind.ELASTICSEARCH_NODE_SETTINGS,
        Kind.ELASTICSEARCH_LICENSE,
        Kind.ELASTICSEARCH_WATCHES,
        Kind.ELASTICSEARCH_MONITORS,
        Kind.ELASTICSEARCH_AUDIT_CONFIG,
    ),
    "KC-RET-001": _KEPT,
    "KC-RET-002": (
        Kind.AWS_LOG_GROUPS,
        Kind.AWS_LOG_EVENTS,
        Kind.AWS_LOG_WEEKS,
        Kind.AZURE_BLOB_HOURS,
        Kind.AZURE_LOG_RECORDS,
        Kind.AZURE_LOG_NEWEST,
        Kind.ELASTICSEARCH_HEALTH,
        Kind.ELASTICSEARCH_TIMES,
        Kind.ARCHIVE,
    ),
    "KC-RET-003": _KEPT,
    "KC-RET-004": (
        Kind.ELASTICSEARCH_HEALTH,
        Kind.ELASTICSEARCH_SETTINGS,
        Kind.ELASTICSEARCH_DATA_STREAMS,
        Kind.ELASTICSEARCH_SLM_POLICIES,
        Kind.ELASTICSEARCH_SLM_STATUS,
        Kind.ELASTICSEARCH_SM_POLICIES,
        Kind.ELASTICSEARCH_SNAPSHOTS,
        Kind.ARCHIVE,
    ),
    "KC-RET-005": (Kind.ARCHIVE,),
    "KC-RET-006": (
        Kind.ELASTICSEARCH_HEALTH,
        Kind.ELASTICSEARCH_SETTINGS,
        Kind.ELASTICSEARCH_DATA_STREAMS,
        Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE,
        Kind.ELASTICSEARCH_ILM_POLICIES,
        Kind.ELASTICSEARCH_ILM_STATUS,
        Kind.ELASTICSEARCH_ILM_EXPLAIN,
        Kind.ELASTICSEARCH_ISM_POLICIES,
        Kind.ELASTICSEARCH_ISM_EXPLAIN,
        Kind.ELASTICSEARCH_SLM_POLICIES,
        Kind.ARCHIVE,
    ),
    "KC-RET-007": (Kind.AZURE_TABLE,),
    "KC-RET-008": (Kind.AZURE_TABLE, Kind.AZURE_MANAGEMENT_POLICY),
    "KC-RET-009": (Kind.AWS_LOG_GROUPS,),
    "KC-RET-010": (
        Kind.AWS_LOG_GROUPS,
        Kind.AWS_EXPORT_TASKS,
        Kind.AWS_BUCKET_VERSIONING,
        Kind.AWS_BUCKET_LIFECYCLE,
        Kind.AWS_BUCKET_OBJECTS,
    ),
}
"""The kinds of reading without which a control cannot answer all it asks.

The answers that lead to them are needed too, and are not named again.
"""


_BESIDE: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    Kind.AZURE_DIAGNOSTIC_SETTINGS: (Kind.AZURE_SUBSCRIPTION, Kind.AZURE_DIAGNOSTIC_CATEGORIES)
}
"""Settings tell something only of a subscription that is enabled, and groups with their members."""


@cache
def _needs() -> Mapping[str, frozenset[Kind]]:
    return {control: frozenset(with_tellers(kinds)) for control, kinds in CLOUD_NEEDS.items()}


def with_tellers(kinds: Iterable[Kind]) -> Iterator[Kind]:
    """These, and the kinds of the answers that lead to them; some more than once."""
    for kind in kinds:
        needed: Kind | None = kind
        while needed is not None:
            yield needed
            yield from _BESIDE.get(needed, ())
            needed = told_by(needed)


def controls_needing(*kinds: Kind) -> tuple[str, ...]:
    """The ids of the controls that need readings of one of these kinds, or what they lead to."""
    needs = _needs().items()
    return tuple(control for control, needed in needs if not needed.isdisjoint(kinds))
