"""What is asked of Azure: path, api-version, and the action that the caller must be allowed.

The versions are pinned to published REST specifications, so that an answer keeps its shape.
"""

from dataclasses import dataclass
from typing import Final

from kcompliance.model.azure.blob_storage import container_of
from kcompliance.model.azure.diagnostics import AUDIT_CATEGORIES
from kcompliance.model.azure.log_analytics import TABLES
from kcompliance.model.reading import Kind

__all__ = [
    "BLOB_ACTION",
    "QUERY_ACTION",
    "Question",
    "about_cluster",
    "about_role",
    "about_scope",
    "about_storage",
    "about_subscription",
    "about_workspace",
    "action_group",
    "dedicated_cluster",
    "event_hub",
    "search",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to ask; `none_codes` are Azure's words for: there is none, and that is an answer.

    Empty: each 404 that Azure gives a code of its own says so. None: no 404 does.
    """

    kind: Kind
    path: str
    version: str
    action: str
    query: str = ""
    none_codes: tuple[str, ...] | None = ()

    @property
    def permission(self) -> str:
        """What to grant, and where."""
        return f"{self.action} on {self.path}"


_AT_SCOPE: Final = "$filter=atScope()"


def search(subscription: str, group: str | None) -> Question:
    """All clusters of a subscription or of a resource group."""
    within = f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")
    return Question(
        kind=Kind.AKS_CLUSTER,
        path=f"{within}/providers/Microsoft.ContainerService/managedClusters",
        version="2025-01-01",
        action="Microsoft.ContainerService/managedClusters/read",
        none_codes=None,
    )


def about_cluster(id_: str) -> tuple[Question, Question, Question]:
    """The cluster, its diagnostic settings and its log categories."""
    insights = f"{id_}/providers/Microsoft.Insights"
    return (
        Question(
            kind=Kind.AKS_CLUSTER,
            path=id_,
            version="2025-01-01",
            action="Microsoft.ContainerService/managedClusters/read",
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_DIAGNOSTIC_SETTINGS,
            path=f"{insights}/diagnosticSettings",
            version="2021-05-01-preview",
            action="Microsoft.Insights/diagnosticSettings/read",
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_DIAGNOSTIC_CATEGORIES,
            path=f"{insights}/diagnosticSettingsCategories",
            version="2021-05-01-preview",
            action="Microsoft.Insights/diagnosticSettingsCategories/read",
            none_codes=None,
        ),
    )


def about_subscription(subscription: str) -> tuple[Question, ...]:
    """Whether it is enabled, and what alerts there are in it."""
    scope = f"/subscriptions/{subscription}"
    insights = f"{scope}/providers/Microsoft.Insights"
    return (
        Question(
            kind=Kind.AZURE_SUBSCRIPTION,
            path=scope,
            version="2022-12-01",
            action="Microsoft.Resources/subscriptions/read",
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_ACTIVITY_ALERTS,
            path=f"{insights}/activityLogAlerts",
            version="2020-10-01",
            action="Microsoft.Insights/activityLogAlerts/read",
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_ACTION_GROUPS,
            path=f"{insights}/actionGroups",
            version="2023-01-01",
            action="Microsoft.Insights/actionGroups/read",
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_QUERY_ALERTS,
            path=f"{insights}/scheduledQueryRules",
            version="2021-08-01",
            action="Microsoft.Insights/scheduledQueryRules/read",
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_SUBSCRIPTION_SETTINGS,
            path=f"{insights}/diagnosticSettings",
            version="2021-05-01-preview",
            action="Microsoft.Insights/diagnosticSettings/read",
            none_codes=None,
        ),
    )


def action_group(id_: str) -> Question:
    """An action group of a subscription that is not asked as a whole."""
    return Question(
        kind=Kind.AZURE_ACTION_GROUPS,
        path=id_,
        version="2023-01-01",
        action="Microsoft.Insights/actionGroups/read",
    )


def about_workspace(id_: str) -> tuple[Question, ...]:
    """The workspace, and behind it the tables that audit data can be in."""
    return (
        Question(
            kind=Kind.AZURE_WORKSPACE,
            path=id_,
            version="2023-09-01",
            action="Microsoft.OperationalInsights/workspaces/read",
        ),
        *(
            Question(
                kind=Kind.AZURE_TABLE,
                path=f"{id_}/tables/{table}",
                version="2022-10-01",
                action="Microsoft.OperationalInsights/workspaces/tables/read",
            )
            for table in TABLES
        ),
    )


def dedicated_cluster(id_: str) -> Question:
    """The cluster that holds the data of a workspace."""
    return Question(
        kind=Kind.AZURE_DEDICATED_CLUSTER,
        path=id_,
        version="2022-10-01",
        action="Microsoft.OperationalInsights/clusters/read",
    )


def about_storage(id_: str) -> tuple[Question, ...]:
    """The account, and behind it what is in it; never its keys."""
    service = f"{id_}/blobServices/default"
    return (
        Question(
            kind=Kind.AZURE_STORAGE_ACCOUNT,
            path=id_,
            version="2023-05-01",
            action="Microsoft.Storage/storageAccounts/read",
        ),
        Question(
            kind=Kind.AZURE_MANAGEMENT_POLICY,
            path=f"{id_}/managementPolicies/default",
            version="2023-05-01",
            action="Microsoft.Storage/storageAccounts/managementPolicies/read",
            none_codes=("ManagementPolicyNotFound",),
        ),
        Question(
            kind=Kind.AZURE_BLOB_SERVICE,
            path=service,
            version="2023-05-01",
            action="Microsoft.Storage/storageAccounts/blobServices/read",
            none_codes=None,
        ),
        *(
            Question(
                kind=Kind.AZURE_BLOB_CONTAINER,
                path=f"{service}/containers/{container_of(category)}",
                version="2023-05-01",
                action="Microsoft.Storage/storageAccounts/blobServices/containers/read",
                none_codes=("ContainerNotFound",),
            )
            for category in AUDIT_CATEGORIES
        ),
    )


def event_hub(id_: str) -> Question:
    """The namespace of an event hub."""
    return Question(
        kind=Kind.AZURE_EVENT_HUB,
        path=id_,
        version="2024-01-01",
        action="Microsoft.EventHub/namespaces/read",
    )


def about_scope(scope: str) -> tuple[Question, Question]:
    """Who may do what there, inherited assignments too, and which locks are on it."""
    authorization = f"{scope}/providers/Microsoft.Authorization"
    return (
        Question(
            kind=Kind.AZURE_ROLE_ASSIGNMENTS,
            path=f"{authorization}/roleAssignments",
            version="2022-04-01",
            action="Microsoft.Authorization/roleAssignments/read",
            query=_AT_SCOPE,
            none_codes=None,
        ),
        Question(
            kind=Kind.AZURE_LOCKS,
            path=f"{authorization}/locks",
            version="2016-09-01",
            action="Microsoft.Authorization/locks/read",
            none_codes=None,
        ),
    )


def about_role(id_: str) -> Question:
    """What a role may do."""
    return Question(
        kind=Kind.AZURE_ROLE_DEFINITION,
        path=id_,
        version="2022-04-01",
        action="Microsoft.Authorization/roleDefinitions/read",
    )


QUERY_ACTION: Final = "Microsoft.OperationalInsights/workspaces/query/read"
"""To query a workspace; besides, each table needs an action of its own."""

BLOB_ACTION: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
"""To list and read blobs: an action on data, which neither Reader nor Owner includes."""
