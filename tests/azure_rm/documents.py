"""Answers of Azure Resource Manager, in the shapes of its published REST specifications."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "CLUSTER",
    "HUB",
    "LOGS_SUBSCRIPTION",
    "STORAGE",
    "SUBSCRIPTION",
    "WORKSPACE",
    "account",
    "alert",
    "as_az",
    "assignment",
    "categories",
    "cluster",
    "container",
    "error",
    "lifecycle",
    "log",
    "pages",
    "role",
    "setting",
    "subscription",
    "table",
    "workspace",
]

Json = dict[str, Any]

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
LOGS_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps"
    "/providers/Microsoft.ContainerService/managedClusters/prod"
)
_LOGS = f"/subscriptions/{LOGS_SUBSCRIPTION}/resourceGroups/logs/providers"
WORKSPACE = f"{_LOGS}/Microsoft.OperationalInsights/workspaces/audit"
STORAGE = f"{_LOGS}/Microsoft.Storage/storageAccounts/auditlogs"
HUB = f"{_LOGS}/Microsoft.EventHub/namespaces/audit"

ALL_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "kube-apiserver": ("allLogs",),
    "kube-audit": ("allLogs", "audit"),
    "kube-audit-admin": ("allLogs", "audit"),
    "kube-controller-manager": ("allLogs",),
    "kube-scheduler": ("allLogs",),
    "cluster-autoscaler": ("allLogs",),
    "cloud-controller-manager": ("allLogs",),
    "guard": ("allLogs", "audit"),
    "csi-azuredisk-controller": ("allLogs",),
    "csi-azurefile-controller": ("allLogs",),
    "csi-snapshot-controller": ("allLogs",),
}


def cluster(id_: str = CLUSTER, *, entra: bool = True, scaled: bool = True, **more: Any) -> Json:
    """A managed cluster of api-version 2025-01-01, without what no control asks about."""
    return {
        "id": id_,
        "name": id_.rsplit("/", 1)[-1],
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": "westeurope",
        "tags": more.pop("tags", {}),
        "properties": {
            "provisioningState": "Succeeded",
            "kubernetesVersion": "1.33.4",
            "fqdn": "prod-abcd1234.hcp.westeurope.azmk8s.io",
            "agentPoolProfiles": [
                {"name": "system", "count": 3, "mode": "System", "enableAutoScaling": scaled}
            ],
            "enableRBAC": True,
            "nodeResourceGroup": "MC_apps_prod_westeurope",
            **({"aadProfile": {"managed": True, "enableAzureRBAC": True}} if entra else {}),
            **more,
        },
    }


def log(name: str, *, on: bool = True, days: int = 0) -> Json:
    """A line of a setting; `group:allLogs` is a group."""
    key = "categoryGroup" if name.startswith("group:") else "category"
    return {
        key: name.removeprefix("group:"),
        "enabled": on,
        "retentionPolicy": {"enabled": days > 0, "days": days},
    }


def setting(
    *logs: str | Json,
    name: str = "audit",
    of: str = CLUSTER,
    workspace: str | None = WORKSPACE,
    storage: str | None = None,
    hub: str | None = None,
    partner: str | None = None,
    dedicated: bool = True,
) -> Json:
    """A diagnostic setting."""
    rule = f"{hub}/authorizationRules/RootManageSharedAccessKey" if hub else None
    properties: Json = {
        "storageAccountId": storage,
        "serviceBusRuleId": None,
        "workspaceId": workspace,
        "eventHubAuthorizationRuleId": rule,
        "eventHubName": "audit" if hub else None,
        "marketplacePartnerId": partner,
        "metrics": [],
        "logs": [log(each) if isinstance(each, str) else each for each in logs],
        "logAnalyticsDestinationType": "Dedicated" if dedicated else None,
    }
    return {
        "id": f"{of.lower()}/providers/microsoft.insights/diagnosticSettings/{name}",
        "type": "Microsoft.Insights/diagnosticSettings",
        "name": name,
        "location": None,
        "kind": None,
        "tags": None,
        "properties": properties,
        "identity": None,
    }


def categories(of: str = CLUSTER, without: Iterable[str] = ()) -> list[Json]:
    """The log categories of a cluster, and its metrics."""
    base = f"{of.lower()}/providers/microsoft.insights/diagnosticSettingsCategories"
    found: list[Json] = [
        {
            "id": f"{base}/{name}",
            "type": "microsoft.insights/diagnosticSettingsCategories",
            "name": name,
            "properties": {"categoryType": "Logs", "categoryGroups": list(groups)},
        }
        for name, groups in ALL_CATEGORIES.items()
        if name not in without
    ]
    metrics = {
        "id": f"{base}/AllMetrics",
        "type": "microsoft.insights/diagnosticSettingsCategories",
        "name": "AllMetrics",
        "properties": {"categoryType": "Metrics", "categoryGroups": []},
    }
    return [*found, metrics]


def subscription(id_: str = SUBSCRIPTION, state: str = "Enabled") -> Json:
    """A subscription of api-version 2022-12-01."""
    return {
        "id": f"/subscriptions/{id_}",
        "subscriptionId": id_,
        "tenantId": "33333333-3333-4333-8333-333333333333",
        "displayName": "Applications",
        "state": state,
    }


def workspace(id_: str = WORKSPACE, *, days: int = 30, cap: float = -1.0) -> Json:
    """A workspace of Log Analytics."""
    return {
        "id": id_,
        "name": id_.rsplit("/", 1)[-1],
        "type": "Microsoft.OperationalInsights/workspaces",
        "location": "westeurope",
        "properties": {
            "customerId": "5b02755b-5bf4-430c-9487-45502a2a7e62",
            "provisioningState": "Succeeded",
            "sku": {"name": "PerGB2018"},
            "retentionInDays": days,
            "features": {"disableLocalAuth": False, "immediatePurgeDataOn30Days": False},
            "workspaceCapping": {"dailyQuotaGb": cap, "dataIngestionStatus": "RespectQuota"},
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        },
    }


def table(
    name: str = "AKSAudit",
    *,
    of: str = WORKSPACE,
    plan: str = "Analytics",
    days: int | None = 180,
    total: int | None = 730,
) -> Json:
    """A table of a workspace; None: as the workspace."""
    return {
        "id": f"{of}/tables/{name}",
        "name": name,
        "properties": {
            "plan": plan,
            "provisioningState": "Succeeded",
            "retentionInDays": days,
            "retentionInDaysAsDefault": days is None,
            "totalRetentionInDays": total,
            "totalRetentionInDaysAsDefault": total is None,
            "archiveRetentionInDays": max((total or 0) - (days or 0), 0),
        },
    }


def account(id_: str = STORAGE) -> Json:
    """A storage account."""
    return {
        "id": id_,
        "name": id_.rsplit("/", 1)[-1],
        "type": "Microsoft.Storage/storageAccounts",
        "kind": "StorageV2",
        "location": "westeurope",
        "sku": {"name": "Standard_ZRS", "tier": "Standard"},
        "properties": {
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "encryption": {"keySource": "Microsoft.Storage"},
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny"},
            "provisioningState": "Succeeded",
            "supportsHttpsTrafficOnly": True,
        },
    }


def lifecycle(
    days: int,
    *,
    of: str = STORAGE,
    types: Iterable[str] = ("appendBlob",),
    prefixes: Iterable[str] = (),
    age: str = "daysAfterModificationGreaterThan",
    **rule: Any,
) -> Json:
    """A management policy with one rule that deletes."""
    filters: Json = {"blobTypes": list(types)}
    if prefixes:
        filters["prefixMatch"] = list(prefixes)
    filters |= rule.pop("filters", {})
    delete = {"baseBlob": {"delete": {age: days}}}
    return {
        "id": f"{of}/managementPolicies/default",
        "name": "DefaultManagementPolicy",
        "type": "Microsoft.Storage/storageAccounts/managementPolicies",
        "properties": {
            "lastModifiedTime": "2026-01-01T00:00:00.0000000Z",
            "policy": {
                "rules": [
                    {
                        "enabled": True,
                        "name": "k8s-audit",
                        "type": "Lifecycle",
                        "definition": {"filters": filters, "actions": delete},
                        **rule,
                    }
                ]
            },
        },
    }


def container(name: str, *, of: str = STORAGE, locked_days: int = 0) -> Json:
    """A container of blobs, with or without a locked immutability policy."""
    properties: Json = {"hasImmutabilityPolicy": locked_days > 0, "hasLegalHold": False}
    if locked_days:
        properties["immutabilityPolicy"] = {
            "properties": {
                "immutabilityPeriodSinceCreationInDays": locked_days,
                "allowProtectedAppendWrites": True,
                "state": "Locked",
            }
        }
    return {
        "id": f"{of}/blobServices/default/containers/{name}",
        "name": name,
        "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
        "properties": properties,
    }


def assignment(scope: str, role_id: str, principal: str = "p-1", name: str = "a-1") -> Json:
    """A role assignment."""
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": role_id,
            "principalId": principal,
            "principalType": "User",
            "scope": scope,
        },
    }


def role(id_: str, *actions: str) -> Json:
    """A role definition."""
    return {
        "id": id_,
        "name": id_.rsplit("/", 1)[-1],
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": "Reader",
            "type": "BuiltInRole",
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": list(actions),
                    "notActions": [],
                    "dataActions": [],
                    "notDataActions": [],
                }
            ],
        },
    }


def alert(subscription_id: str = SUBSCRIPTION, *, group: str, secret: str = "") -> Json:
    """An activity-log alert that calls an action group."""
    scope = f"/subscriptions/{subscription_id}"
    conditions = [
        {"field": "category", "equals": "Administrative"},
        {"field": "operationName", "equals": "Microsoft.Insights/diagnosticSettings/delete"},
    ]
    hook = {"actionGroupId": group, "webhookProperties": {"key": secret}}
    return {
        "id": f"{scope}/resourceGroups/apps/providers/microsoft.insights/activityLogAlerts/off",
        "name": "off",
        "type": "Microsoft.Insights/ActivityLogAlerts",
        "location": "Global",
        "properties": {
            "scopes": [scope],
            "condition": {"allOf": conditions},
            "actions": {"actionGroups": [hook]},
            "enabled": True,
        },
    }


def error(code: str, message: str = "as Azure says it") -> Json:
    """What Resource Manager says when it refuses."""
    return {"error": {"code": code, "message": message}}


def pages(items: list[Json], size: int, url: str) -> list[Json]:
    """A list cut into pages; `url` is where the next ones are, and gets a number."""
    cut = [items[start : start + size] for start in range(0, len(items), size)] or [[]]
    return [
        {"value": part, **({"nextLink": f"{url}{number + 1}"} if number + 1 < len(cut) else {})}
        for number, part in enumerate(cut)
    ]


def as_az(resource: Json) -> Json:
    """The same as `az … -o json` prints it: nothing under properties any more."""
    flat = {name: value for name, value in resource.items() if name != "properties"}
    return {**flat, **resource.get("properties", {})}
