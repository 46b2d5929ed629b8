"""Alerts on Azure's activity log, and whether anybody gets them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kcompliance.model.azure.answer import (
    Fields,
    Resource,
    WrongAnswer,
    flag,
    part,
    parts,
    text,
    texts,
)
from kcompliance.model.azure.resource_id import ResourceId, key

__all__ = [
    "ActionGroup",
    "ActivityAlert",
    "Operation",
    "QueryAlert",
    "action_group_of",
    "activity_alert_of",
    "exports_administrative",
    "query_alert_of",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that somebody does to a resource, as the activity log will tell it."""

    name: str
    target: str
    """The id of the cluster, workspace or storage account that it is done to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One condition on one field of an event; values in lower case."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityAlert:
    """An activity-log alert. All of `conditions` have to hold, and of each one leaf."""

    id: str
    name: str
    enabled: bool
    scopes: tuple[str, ...]
    conditions: tuple[tuple[Leaf, ...], ...]
    groups: tuple[str, ...]

    def covers(self, target: str) -> bool:
        """Whether one of its scopes is this resource, or above it."""
        own = key(target)
        return any(own == scope or own.startswith(f"{scope}/") for scope in map(key, self.scopes))

    def tells(self, operation: Operation) -> bool:
        """Whether it fires each time that this is done with success."""
        return self.covers(operation.target) and all(
            any(_holds(leaf, operation) for leaf in each) for each in self.conditions
        )


_SUCCESS: Final = frozenset({"started", "accepted", "succeeded"})


def _holds(leaf: Leaf, operation: Operation) -> bool:
    """Whether a condition surely holds for what was done; one on anything else narrows it."""
    name = operation.name.lower()
    match leaf.field:
        case "category":
            return "administrative" in leaf.values
        case "operationname":
            return name in leaf.values
        case "status":
            return not _SUCCESS.isdisjoint(leaf.values)
        case "level":
            return "informational" in leaf.values
        case "resourceprovider":
            return name.partition("/")[0] in leaf.values
        case "resourcegroup":
            return ResourceId(operation.target).group.rpartition("/")[2].lower() in leaf.values
        case "resourceid":
            itself = ResourceId(operation.target).type == name.rpartition("/")[0]
            return itself and key(operation.target) in map(key, leaf.values)
        case _:
            return False


def activity_alert_of(resource: Resource) -> ActivityAlert:
    """Read one alert. Raises WrongAnswer."""
    fields = resource.fields
    condition = part(fields, "condition")
    if condition is None or "allOf" not in condition:
        raise WrongAnswer("an alert without a condition")
    actions = part(fields, "actions") or {}
    groups = [text(each, "actionGroupId") for each in parts(actions, "actionGroups")]
    return ActivityAlert(
        id=resource.id,
        name=resource.name,
        enabled=flag(fields, "enabled") is not False,
        scopes=texts(fields, "scopes"),
        conditions=tuple(tuple(_leaves(each)) for each in parts(condition, "allOf")),
        groups=tuple(group for group in groups if group),
    )


def _leaves(fields: Fields) -> Iterator[Leaf]:
    for each in parts(fields, "anyOf") or (fields,):
        field, equals = text(each, "field"), text(each, "equals")
        values = (equals,) if equals else texts(each, "containsAny")
        if field is None:
            raise WrongAnswer("a condition of an alert without a field")
        yield Leaf(field=field.lower(), values=tuple(value.lower() for value in values))


# --- who is told -----------------------------------------------------------------------------

_RECEIVERS: Final = (
    "emailReceivers",
    "smsReceivers",
    "webhookReceivers",
    "itsmReceivers",
    "azureAppPushReceivers",
    "automationRunbookReceivers",
    "voiceReceivers",
    "logicAppReceivers",
    "azureFunctionReceivers",
    "armRoleReceivers",
    "eventHubReceivers",
    "incidentReceivers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionGroup:
    """Whom an alert tells; `receivers` without those that unsubscribed."""

    id: str
    name: str
    enabled: bool
    receivers: int


def action_group_of(resource: Resource) -> ActionGroup:
    """Read one action group. Raises WrongAnswer."""
    fields = resource.fields
    receivers = [each for name in _RECEIVERS for each in parts(fields, name)]
    live = [each for each in receivers if (text(each, "status") or "").lower() != "disabled"]
    return ActionGroup(
        id=resource.id,
        name=resource.name,
        enabled=flag(fields, "enabled") is not False,
        receivers=len(live),
    )


# --- queries of the activity log in a workspace ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAlert:
    """A scheduled query rule; its queries in lower case."""

    id: str
    name: str
    enabled: bool
    scopes: tuple[str, ...]
    queries: tuple[str, ...]
    groups: tuple[str, ...]

    def mentions(self, operation: str) -> bool:
        """Whether a query of the activity log names this operation, whatever it makes of it."""
        return any("azureactivity" in each and operation.lower() in each for each in self.queries)


def query_alert_of(resource: Resource) -> QueryAlert:
    """Read one rule. Raises WrongAnswer."""
    fields = resource.fields
    criteria = parts(part(fields, "criteria") or {}, "allOf")
    queries = [text(each, "query") for each in criteria]
    queries.append(text(part(fields, "source") or {}, "query"))  # as older versions write it
    return QueryAlert(
        id=resource.id,
        name=resource.name,
        enabled=flag(fields, "enabled") is not False,
        scopes=texts(fields, "scopes"),
        queries=tuple(query.lower() for query in queries if query),
        groups=texts(part(fields, "actions") or {}, "actionGroups"),
    )


def exports_administrative(resource: Resource) -> str | None:
    """The workspace to which a subscription's setting ships its Administrative events."""
    logs = parts(resource.fields, "logs")
    shipped = any(
        flag(log, "enabled") is True
        and (
            (text(log, "category") or "").lower() == "administrative"
            or (text(log, "categoryGroup") or "").lower() == "alllogs"
        )
        for log in logs
    )
    return text(resource.fields, "workspaceId") if shipped else None
