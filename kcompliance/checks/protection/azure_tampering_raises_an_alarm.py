"""KC-PRO-013: an alert of Azure fires when somebody changes or deletes what the trail needs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.interface import check
from kcompliance.checks.protection.azure_destinations import audit_destinations, no_destination
from kcompliance.model.azure.alerts import (
    ActionGroup,
    ActivityAlert,
    Operation,
    QueryAlert,
    action_group_of,
    activity_alert_of,
    exports_administrative,
    query_alert_of,
)
from kcompliance.model.azure.answer import Resource, WrongAnswer
from kcompliance.model.azure.diagnostics import DestinationKind
from kcompliance.model.azure.resource_id import ResourceId, key
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["Params", "azure_tampering_raises_an_alarm"]

T = TypeVar("T")

_ASPECTS: Final = ("required", "recommended")
_INSIGHTS: Final = "microsoft.insights/"
_WORKSPACES: Final = "microsoft.operationalinsights/workspaces/"
_STORAGE: Final = "microsoft.storage/"
_COLLECTOR: Final = "azure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-013; each is an operation as the activity log names it."""

    required_ops: tuple[str, ...] = ()
    recommended_ops: tuple[str, ...] = ()


@check("KC-PRO-013", params=Params)
def azure_tampering_raises_an_alarm(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Azure alerts fire when diagnostic settings, workspace, locks or archive policies change

    An alert counts if it is on, covers the resource, fires on success and tells somebody.
    """
    wanted = {"required": params.required_ops, "recommended": params.recommended_ops}
    for found in trails_to_judge(cluster, _ASPECTS):
        if isinstance(found, Finding):
            yield found
            continue
        bells = _bells(cluster, found)
        for aspect, names in wanted.items():
            yield _judge(found, bells, names, aspect)


# --- what is to be told ----------------------------------------------------------------------


def _operations(trail: Trail, names: Iterable[str]) -> Iterator[Operation]:
    """Each operation on each resource of the trail that it can be done to."""
    workspaces = [each.id for each in audit_destinations(trail, DestinationKind.WORKSPACE)]
    accounts = [each.id for each in audit_destinations(trail, DestinationKind.STORAGE)]
    stores = [
        place.id
        for place in audit_destinations(trail, DestinationKind.WORKSPACE, DestinationKind.STORAGE)
        if not isinstance(trail.look(place), Absent)
    ]
    for name in names:
        provider = name.lower()
        if provider.startswith(_WORKSPACES):
            targets = [id_ for id_ in stores if id_ in workspaces]
        elif provider.startswith(_STORAGE):
            targets = [id_ for id_ in stores if id_ in accounts]
        elif provider.startswith(_INSIGHTS):
            targets = [trail.id]
        else:
            targets = stores or [trail.id]
        yield from (Operation(name, target) for target in targets)


# --- what tells it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bells:
    """The alerts that tell somebody, those of which that is not known, and queries that may."""

    sure: tuple[Seen[ActivityAlert], ...]
    unsure: tuple[tuple[Seen[ActivityAlert], Unreadable | None], ...]
    silent: tuple[str, ...]
    """In words, why alerts that were found tell nobody."""
    queries: tuple[Seen[QueryAlert], ...]
    gaps: tuple[tuple[str, Unreadable], ...]
    """Subscriptions whose alerts could not be read."""
    lacking: tuple[str, ...]
    """Subscriptions whose alerts were not given as a whole."""
    raws: tuple[Raw, ...]
    exported: bool


def _bells(cluster: Cluster, trail: Trail) -> _Bells:
    alerts, gaps = _all(trail, Kind.AZURE_ACTIVITY_ALERTS, activity_alert_of)
    queries, more = _all(trail, Kind.AZURE_QUERY_ALERTS, query_alert_of)
    sure: list[Seen[ActivityAlert]] = []
    unsure: list[tuple[Seen[ActivityAlert], Unreadable | None]] = []
    silent: list[str] = []
    for alert in alerts:
        heard = _heard(cluster, trail, alert.value)
        if not alert.value.enabled:
            silent.append(f"{alert.value.name} is off")
        elif heard is True:
            sure.append(alert)
        elif isinstance(heard, str):
            silent.append(f"{alert.value.name} tells nobody: {heard}")
        else:
            unsure.append((alert, heard))
    subscriptions = _subscriptions(trail)
    lists = {sub: trail.estate.listed(Kind.AZURE_ACTIVITY_ALERTS, sub) for sub in subscriptions}
    live = {
        sub: raw
        for sub in subscriptions
        for raw in cluster.texts.get(Kind.AZURE_ACTIVITY_ALERTS, ())
        if raw.origin.collector == _COLLECTOR and key(raw.origin.resource).startswith(key(sub))
    }
    unread = {sub: found for sub, found in lists.items() if isinstance(found, Unreadable)}
    wrong = [("", gap) for gap in (*gaps, *more)]
    return _Bells(
        sure=tuple(sure),
        unsure=tuple(unsure),
        silent=tuple(silent),
        queries=tuple(each for each in queries if each.value.enabled and each.value.groups),
        gaps=(*unread.items(), *wrong),
        lacking=tuple(sub for sub in subscriptions if sub not in live and sub not in unread),
        raws=tuple(dict.fromkeys(live.values())),
        exported=_exported(trail),
    )


def _all(
    trail: Trail, kind: Kind, read: Callable[[Resource], T]
) -> tuple[list[Seen[T]], list[Unreadable]]:
    """All alerts that were seen, wherever they are; and those that could not be read."""
    found: dict[str, Seen[T]] = {}
    gaps: list[Unreadable] = []
    for scope in trail.estate.scopes(kind):
        listed = trail.estate.listed(kind, scope)
        if isinstance(listed, Unreadable | Absent | NotAsked):
            continue
        for resource, raw in listed.items:
            try:
                found.setdefault(key(resource.id), Seen(value=read(resource), raw=raw))
            except WrongAnswer as error:
                reason = f"{resource.id} could not be read: {error}"
                gaps.append(Unreadable(origin=raw.origin, reason=reason))
    return [found[place] for place in sorted(found)], gaps


def _subscriptions(trail: Trail) -> tuple[str, ...]:
    """Where alerts on the trail's resources can be."""
    places = (DestinationKind.WORKSPACE, DestinationKind.STORAGE)
    stores = [
        place.id
        for place in audit_destinations(trail, *places)
        if isinstance(trail.look(place), Seen)
    ]
    found = {key(_subscription(id_)): _subscription(id_) for id_ in (trail.id, *stores)}
    return tuple(found[name] for name in sorted(found))


def _subscription(id_: str) -> str:
    return f"/subscriptions/{ResourceId(id_).subscription}"


def _exported(trail: Trail) -> bool:
    """The activity log of the cluster's subscription is shipped to a workspace."""
    listed = trail.estate.listed(Kind.AZURE_SUBSCRIPTION_SETTINGS, _subscription(trail.id))
    if isinstance(listed, Unreadable | Absent | NotAsked):
        return False
    try:
        return any(exports_administrative(resource) for resource, _ in listed.items)
    except WrongAnswer:
        return False


# --- whom it tells ---------------------------------------------------------------------------


def _heard(
    cluster: Cluster, trail: Trail, alert: ActivityAlert
) -> Literal[True] | str | Unreadable | None:
    """True: somebody is told. A text says why nobody is; None: the group was not given."""
    if not alert.groups:
        return "it has no action group"
    told = [_group(cluster, trail, id_) for id_ in alert.groups]
    for each in told:
        if isinstance(each, Seen) and each.value.enabled and each.value.receivers:
            return True
    for each in told:
        if isinstance(each, Unreadable):
            return each
    if any(isinstance(each, NotAsked) for each in told):
        return None
    words = [_why_not(each) for each in told if isinstance(each, Seen | Absent)]
    return ", ".join(words)


def _why_not(group: Seen[ActionGroup] | Absent) -> str:
    if isinstance(group, Absent):
        return "its action group no longer exists"
    if not group.value.enabled:
        return f"the action group {group.value.name} is off"
    return f"the action group {group.value.name} has no receiver"


def _group(
    cluster: Cluster, trail: Trail, id_: str
) -> Seen[ActionGroup] | Absent | Unreadable | NotAsked:
    """An action group; one that is not in the list of its subscription does not exist."""
    found = trail.estate.find(Kind.AZURE_ACTION_GROUPS, id_, action_group_of)
    if not isinstance(found, NotAsked):
        return found
    asked = f"{key(_subscription(id_))}/providers/microsoft.insights/actiongroups"
    for gap in cluster.gaps:
        if gap.origin.kind is Kind.AZURE_ACTION_GROUPS and key(gap.origin.resource) == asked:
            return gap
    for raw in cluster.texts.get(Kind.AZURE_ACTION_GROUPS, ()):
        if raw.origin.collector == _COLLECTOR and key(raw.origin.resource) == asked:
            return Absent(origin=raw.origin, reason="it is not in the list")
    return found


# --- verdicts --------------------------------------------------------------------------------


def _judge(trail: Trail, bells: _Bells, names: tuple[str, ...], aspect: str) -> Finding:
    wanted = tuple(_operations(trail, names))
    if not names:
        because = f"{aspect}_ops names no operation that has to be told of"
        return Finding.not_applicable(trail.id, because, of_settings(trail), aspect=aspect)
    if not wanted:
        return no_destination(trail, "a workspace or a storage account", aspect)
    heard = {
        operation: alert
        for operation in wanted
        for alert in bells.sure
        if alert.value.tells(operation)
    }
    missing = tuple(operation for operation in wanted if operation not in heard)
    evidence = _shown(heard.values()) or _lists(bells)
    if not missing:
        told = ", ".join(sorted({alert.value.name for alert in heard.values()}))
        because = f"each of {len(wanted)} kinds of tampering is told by: {told}"
        note = "whether an alert processing rule keeps it back is not looked at"
        return Finding.passed(trail.id, because, evidence, aspect=aspect, notes=(note,))
    return _missing(trail, bells, missing, evidence, aspect)


def _shown(alerts: Iterable[Seen[ActivityAlert]]) -> tuple[Evidence, ...]:
    named = {alert.value.name: alert for alert in alerts}
    return tuple(
        piece
        for name in sorted(named)
        for piece in evidence_of(named[name].raw, f"value[{name}].condition.allOf", name)
    )


def _lists(bells: _Bells) -> tuple[Evidence, ...]:
    return tuple(
        piece for raw in bells.raws for piece in evidence_of(raw, "value", "none of these")
    )


def _missing(
    trail: Trail,
    bells: _Bells,
    missing: tuple[Operation, ...],
    evidence: tuple[Evidence, ...],
    aspect: str,
) -> Finding:
    """The verdict where something is not told: what could not be seen first."""
    names = ", ".join(dict.fromkeys(each.name for each in missing))
    for alert, gap in bells.unsure:
        if any(alert.value.tells(operation) for operation in missing):
            return _receiver_unknown(trail, alert, gap, aspect)
    for _, gap in bells.gaps:
        return Finding.unreadable(gap, aspect=aspect)
    mentioned = [
        rule
        for rule in bells.queries
        if all(rule.value.mentions(operation.name) for operation in missing)
    ]
    if mentioned and bells.exported:
        rule = mentioned[0]
        because = f"no alert on the activity log tells of {names}; the query {rule.value.name} may"
        question = f"Does {rule.value.name} fire on each success of {names}?"
        shown = evidence_of(rule.raw, f"value[{rule.value.name}].criteria.allOf[].query")
        return Finding.manual(trail.id, because, question, evidence + shown, aspect=aspect)
    if bells.lacking:
        where = ", ".join(bells.lacking)
        because = f"nothing that was given tells of {names}"
        question = (
            f"Which activity-log alerts are there in {where}? Scan aks:{trail.id}, or show "
            "`az monitor activity-log alert list` and whom each of them tells."
        )
        return Finding.manual(trail.id, because, question, evidence, aspect=aspect)
    because = f"nothing tells of {names}"
    if bells.silent:
        because += f" ({'; '.join(bells.silent[:3])})"
    note = "rules of Microsoft Sentinel are not looked at"
    return Finding.failed(trail.id, because, evidence, aspect=aspect, notes=(note,))


def _receiver_unknown(
    trail: Trail, alert: Seen[ActivityAlert], gap: Unreadable | None, aspect: str
) -> Finding:
    if gap is not None:
        return Finding.unreadable(gap, aspect=aspect)
    groups = ", ".join(alert.value.groups)
    evidence = evidence_of(alert.raw, f"value[{alert.value.name}].actions", groups)
    return Finding.manual(
        trail.id,
        f"whom the alert {alert.value.name} tells is not in what was given",
        f"Is {groups} on, and has it a receiver? Add the output of "
        "`az monitor action-group list -o json` to the scan.",
        evidence,
        aspect=aspect,
    )
