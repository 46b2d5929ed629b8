"""What is read of clouds, search stores and archives, and by which right.

What is asked, and the action for each question, is in the tables of the collectors. What is added
here is the order in which questions follow from answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from kcompliance.collect.aws.questions import ALL as AWS_QUESTIONS
from kcompliance.collect.azure import questions as azure
from kcompliance.model.reading import Kind
from kcompliance.model.search.questions import QUESTIONS as SEARCH_QUESTIONS
from kcompliance.model.search.questions import Question, snapshots_of

__all__ = [
    "ReadPermission",
    "Source",
    "action_of",
    "kinds_asked",
    "search_action",
    "source_of",
    "told_by",
]


class Source(StrEnum):
    """What is asked, other than Kubernetes."""

    AZURE = "azure"
    AWS = "aws"
    ELASTICSEARCH = "elasticsearch"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPermission:
    """The right to read something of a cloud, a store or an archive."""

    source: Source
    action: str
    """An action of Azure or of IAM, a privilege of the search server, a right of the store."""
    place: str | None
    """Where it is needed; None where nobody knows, as what names the place was not to be read."""

    def __str__(self) -> str:
        return self.action if self.place is None else f"{self.action} on {self.place}"


# --- what is asked -------------------------------------------------------------------------------

_PREFIXES: Final = {
    "aks": Source.AZURE,
    "azure": Source.AZURE,
    "eks": Source.AWS,
    "aws": Source.AWS,
    "elasticsearch": Source.ELASTICSEARCH,
    "archive": Source.ARCHIVE,
}
_FIRST: Final = {
    Source.AZURE: Kind.AKS_CLUSTER,
    Source.AWS: Kind.EKS_CLUSTER,
    Source.ELASTICSEARCH: Kind.ELASTICSEARCH_SERVER,
    Source.ARCHIVE: Kind.ARCHIVE,
}
"""Without this answer nothing more is asked."""


def source_of(kind: Kind) -> Source | None:
    """Who is asked for readings of this kind; None: Kubernetes, or files."""
    return _PREFIXES.get(kind.value.partition("-")[0])


def search_action(question: Question) -> str:
    """The privilege; of what everybody may ask the question itself."""
    return question.permission or " ".join(filter(None, ("GET", question.path, question.word)))


_BLOBS: Final = (Kind.AZURE_BLOB_HOURS, Kind.AZURE_BLOB_SAMPLE)


@cache
def _actions() -> Mapping[Kind, str]:
    """What a scan asks, in order, and the action that allows it."""
    id_ = "/subscriptions/s/resourceGroups/g/providers/p/t/n"
    of_azure = (
        *azure.about_cluster(id_),
        *azure.about_subscription("s"),
        *azure.about_workspace(id_),
        azure.dedicated_cluster(id_),
        *azure.about_storage(id_),
        azure.event_hub(id_),
        *azure.about_scope(id_),
        azure.about_role(id_),
    )
    queried = [kind for kind in Kind if kind.value.startswith("azure-log-")]
    snapshots = snapshots_of("r")
    return {
        **{each.kind: each.action for each in of_azure},
        **dict.fromkeys(queried, azure.QUERY_ACTION),
        **dict.fromkeys(_BLOBS, azure.BLOB_ACTION),
        **{each.kind: each.action for each in AWS_QUESTIONS},
        **{each.kind: search_action(each) for each in reversed(SEARCH_QUESTIONS)},
        snapshots.kind: search_action(snapshots),
        Kind.ARCHIVE: "read",
    }


def kinds_asked(source: Source) -> tuple[Kind, ...]:
    """The kinds of the answers that a scan can bring from there."""
    return tuple(kind for kind in _actions() if source_of(kind) is source)


def action_of(kind: Kind) -> str:
    """The action that allows to ask for it; of a search server that of Elasticsearch."""
    return _actions()[kind]


# --- what follows from what ----------------------------------------------------------------------

_TOLD: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    Kind.AZURE_DIAGNOSTIC_SETTINGS: (
        Kind.AZURE_WORKSPACE,
        Kind.AZURE_STORAGE_ACCOUNT,
        Kind.AZURE_EVENT_HUB,
    ),
    Kind.AZURE_WORKSPACE: (
        Kind.AZURE_TABLE,
        Kind.AZURE_DEDICATED_CLUSTER,
        *(kind for kind in Kind if kind.value.startswith("azure-log-")),
    ),
    Kind.AZURE_STORAGE_ACCOUNT: (
        Kind.AZURE_MANAGEMENT_POLICY,
        Kind.AZURE_BLOB_SERVICE,
        Kind.AZURE_BLOB_CONTAINER,
        *_BLOBS,
    ),
    Kind.AZURE_ROLE_ASSIGNMENTS: (Kind.AZURE_ROLE_DEFINITION,),
    Kind.AWS_EKS_UPDATE_IDS: (Kind.AWS_EKS_UPDATE,),
    Kind.AWS_LOG_GROUPS: (Kind.AWS_KMS_KEY,),
    Kind.AWS_LOG_QUERY: (Kind.AWS_LOG_HISTOGRAM, Kind.AWS_LOG_VERBS),
    Kind.AWS_SUBSCRIPTION_FILTERS: (Kind.AWS_DELIVERY_STREAM,),
    Kind.AWS_DELIVERY_STREAM: (
        *(each.kind for each in AWS_QUESTIONS if each.service == "s3"),
        Kind.AWS_ACCOUNT_PUBLIC_ACCESS,
    ),
    Kind.AWS_TRAILS: (Kind.AWS_TRAIL_STATUS, Kind.AWS_EVENT_SELECTORS, Kind.AWS_METRIC_FILTERS),
    Kind.AWS_METRIC_FILTERS: (Kind.AWS_ALARMS,),
    Kind.AWS_EVENT_RULES: (Kind.AWS_RULE_TARGETS,),
    Kind.AWS_IAM_DETAILS: (Kind.AWS_ACCESS_KEYS,),
    Kind.ELASTICSEARCH_REPOSITORIES: (Kind.ELASTICSEARCH_SNAPSHOTS,),
    Kind.ELASTICSEARCH_FIELDS: tuple(
        each.kind for each in SEARCH_QUESTIONS if each.path == "/{patterns}/_search"
    ),
    Kind.ELASTICSEARCH_INDICES: tuple(
        each.kind
        for each in SEARCH_QUESTIONS
        if "{patterns}" in each.path and each.kind is not Kind.ELASTICSEARCH_INDICES
    ),
}
"""Where an answer tells what to ask next. The first that tells of a kind is the nearest."""


def told_by(kind: Kind) -> Kind | None:
    """From which answer a scan knows what to ask for; None: it asks for this first."""
    source = source_of(kind)
    if source is None or kind is _FIRST[source]:
        return None
    return next((teller for teller, told in _TOLD.items() if kind in told), _FIRST[source])
