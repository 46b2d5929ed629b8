"""More answers of Azure Resource Manager: who may do what, locks, alerts, immutability."""

from collections.abc import Iterable
from typing import Any

from tests.azure_rm.documents import (
    CLUSTER,
    LOGS_SUBSCRIPTION,
    STORAGE,
    SUBSCRIPTION,
    Json,
    workspace,
)
from tests.azure_rm.documents import container as plain_container

__all__ = [
    "OPERATIONS",
    "action_group",
    "activity_alert",
    "assigned",
    "dedicated_cluster",
    "definition",
    "held",
    "immutable",
    "lock",
    "query_alert",
    "role_id",
    "workspace_in",
]

OPERATIONS = (
    "Microsoft.Insights/diagnosticSettings/delete",
    "Microsoft.Insights/diagnosticSettings/write",
    "Microsoft.OperationalInsights/workspaces/delete",
    "Microsoft.OperationalInsights/workspaces/purge/action",
    "Microsoft.OperationalInsights/workspaces/tables/deleteData/action",
    "Microsoft.OperationalInsights/workspaces/tables/write",
    "Microsoft.Storage/storageAccounts/managementPolicies/write",
    "Microsoft.Authorization/locks/delete",
)


def role_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    """The id of a role; each name stands for one."""
    at = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions"
    return f"{at}/{sum(name.encode()):08d}-0000-4000-8000-000000000000"


def assigned(role: str, *principals: str, scope: str = CLUSTER, kind: str = "User") -> list[Json]:
    """Assignments of one role to several principals, as roleAssignments lists them."""
    return [
        {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{role}-{who}".replace(
                " ", "-"
            ),
            "name": f"{role}-{who}".replace(" ", "-"),
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "roleDefinitionId": role_id(role),
                "principalId": who,
                "principalType": kind,
                "scope": scope,
            },
        }
        for who in principals
    ]


def definition(name: str, *actions: str, without: Iterable[str] = (), **more: Any) -> Json:
    """A role definition of this name; `data` are actions on data."""
    id_ = role_id(name, more.pop("subscription", SUBSCRIPTION))
    permission = {
        "actions": list(actions),
        "notActions": list(without),
        "dataActions": list(more.pop("data", ())),
        "notDataActions": [],
    }
    return {
        "id": id_,
        "name": id_.rsplit("/", 1)[-1],
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "assignableScopes": ["/"],
            "permissions": [permission],
        },
    }


def lock(scope: str, level: str = "CanNotDelete", name: str = "audit") -> Json:
    """A management lock."""
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/{name}",
        "name": name,
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": level, "notes": "keeps the audit log"},
    }


def action_group(
    name: str = "oncall",
    *,
    on: bool = True,
    mails: Iterable[str] = ("Enabled",),
    subscription: str = SUBSCRIPTION,
) -> Json:
    """An action group that mails somebody; `mails` are the states of its receivers."""
    receivers = [
        {
            "name": f"mail{number}",
            "emailAddress": "oncall@example.org",
            "useCommonAlertSchema": True,
            "status": status,
        }
        for number, status in enumerate(mails)
    ]
    at = f"/subscriptions/{subscription}/resourceGroups/apps/providers/microsoft.insights"
    return {
        "id": f"{at}/actionGroups/{name}",
        "name": name,
        "type": "Microsoft.Insights/ActionGroups",
        "location": "Global",
        "properties": {
            "groupShortName": name,
            "enabled": on,
            "emailReceivers": receivers,
            "smsReceivers": [],
            "webhookReceivers": [],
            "armRoleReceivers": [],
        },
    }


def activity_alert(
    *operations: str,
    name: str = "audit-off",
    scopes: Iterable[str] = (
        f"/subscriptions/{SUBSCRIPTION}",
        f"/subscriptions/{LOGS_SUBSCRIPTION}",
    ),
    groups: Iterable[str] = (action_group()["id"],),
    on: bool = True,
    more: Iterable[Json] = (),
    subscription: str = SUBSCRIPTION,
) -> Json:
    """An activity-log alert on any of these operations; `more` are further conditions."""
    names = [{"field": "operationName", "equals": each} for each in operations]
    conditions: list[Json] = [{"field": "category", "equals": "Administrative"}]
    if len(names) == 1:
        conditions += names
    elif names:
        conditions.append({"anyOf": names})
    at = f"/subscriptions/{subscription}/resourceGroups/apps/providers/microsoft.insights"
    return {
        "id": f"{at}/activityLogAlerts/{name}",
        "name": name,
        "type": "Microsoft.Insights/ActivityLogAlerts",
        "location": "Global",
        "properties": {
            "scopes": list(scopes),
            "condition": {"allOf": [*conditions, *more]},
            "actions": {
                "actionGroups": [{"actionGroupId": id_, "webhookProperties": {}} for id_ in groups]
            },
            "enabled": on,
        },
    }


def query_alert(query: str, *, name: str = "kql", scope: str = "", on: bool = True) -> Json:
    """A scheduled query rule."""
    at = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps/providers/microsoft.insights"
    criteria = {"query": query, "timeAggregation": "Count", "operator": "GreaterThan"}
    return {
        "id": f"{at}/scheduledQueryRules/{name}",
        "name": name,
        "type": "Microsoft.Insights/scheduledQueryRules",
        "location": "westeurope",
        "properties": {
            "enabled": on,
            "scopes": [scope],
            "criteria": {"allOf": [{**criteria, "threshold": 0}]},
            "actions": {"actionGroups": [action_group()["id"]]},
        },
    }


def immutable(
    name: str = "insights-logs-kube-audit",
    *,
    days: int = 730,
    state: str = "Locked",
    appends: bool = True,
    every: bool = False,
    of: str = STORAGE,
) -> Json:
    """A container with an immutability policy; `every`: appends to block blobs too."""
    found = plain_container(name, of=of)
    policy: Json = {"immutabilityPeriodSinceCreationInDays": days, "state": state}
    if appends:
        policy["allowProtectedAppendWritesAll" if every else "allowProtectedAppendWrites"] = True
    found["properties"] |= {
        "hasImmutabilityPolicy": True,
        "immutabilityPolicy": {"etag": '"8d5"', "properties": policy, "updateHistory": []},
    }
    return found


def held(container: Json, *, appends: bool) -> Json:
    """The container under a legal hold as well."""
    history = {"allowProtectedAppendWritesAll": True} if appends else None
    hold = {"hasLegalHold": True, "tags": [], "protectedAppendWritesHistory": history}
    within = {**container["properties"], "hasLegalHold": True, "legalHold": hold}
    return {**container, "properties": within}


def workspace_in(cluster: str) -> Json:
    """A workspace whose data a dedicated cluster holds."""
    found = workspace()
    found["properties"]["features"]["clusterResourceId"] = cluster
    return found


def dedicated_cluster(id_: str) -> Json:
    """A dedicated cluster of Log Analytics with a key of its owner's."""
    return {
        "id": id_,
        "name": id_.rsplit("/", 1)[-1],
        "type": "Microsoft.OperationalInsights/clusters",
        "location": "westeurope",
        "sku": {"name": "CapacityReservation", "capacity": 100},
        "properties": {
            "clusterId": "d6c8a5e0-0000-4000-8000-000000000001",
            "provisioningState": "Succeeded",
            "isDoubleEncryptionEnabled": True,
            "keyVaultProperties": {
                "keyVaultUri": "https://audit-keys.vault.azure.net/",
                "keyName": "logs",
                "keyVersion": "",
                "keyRsaSize": 2048,
            },
        },
    }
