"""KC-PRO-008: few identities can stop, purge or delete the trail in Azure, and locks protect it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.interface import check
from kcompliance.checks.protection.azure_destinations import (
    audit_destinations,
    no_destination,
    not_looked_at,
)
from kcompliance.model.azure.access import (
    Assignment,
    Role,
    assignments_at,
    locks_at,
    role_of,
)
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.resource_id import ResourceId, same
from kcompliance.model.azure.store_settings import account_settings_of
from kcompliance.model.azure.trail import Elsewhere, Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["Params", "azure_trail_is_in_few_hands"]

_ASPECTS: Final = ("principals", "locks")
_LOCKABLE: Final = (DestinationKind.WORKSPACE, DestinationKind.STORAGE)
_NAMES_SHOWN: Final = 10

_ANYWHERE: Final = (
    "Microsoft.Authorization/locks/delete",
    "Microsoft.Authorization/roleAssignments/write",
)
_AT_CLUSTER: Final = (
    "Microsoft.Insights/diagnosticSettings/write",
    "Microsoft.Insights/diagnosticSettings/delete",
)
_AT_WORKSPACE: Final = (
    "Microsoft.OperationalInsights/workspaces/delete",
    "Microsoft.OperationalInsights/workspaces/write",
    "Microsoft.OperationalInsights/workspaces/purge/action",
    "Microsoft.OperationalInsights/workspaces/tables/write",
    "Microsoft.OperationalInsights/workspaces/tables/delete",
    "Microsoft.OperationalInsights/workspaces/tables/deleteData/action",
)
_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers"
_AT_STORAGE: Final = (
    "Microsoft.Storage/storageAccounts/delete",
    "Microsoft.Storage/storageAccounts/write",
    "Microsoft.Storage/storageAccounts/managementPolicies/write",
    f"{_BLOBS}/delete",
    f"{_BLOBS}/immutabilityPolicies/delete",
)
_KEYS: Final = "Microsoft.Storage/storageAccounts/listKeys/action"
_DATA: Final = (f"{_BLOBS}/blobs/delete", f"{_BLOBS}/blobs/write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-008."""

    max_principals: int = 5
    require_lock: bool = True
    break_glass: tuple[str, ...] = ()


@check("KC-PRO-008", params=Params)
def azure_trail_is_in_few_hands(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Azure: few identities can stop, purge or delete the audit trail, and locks protect it

    Counted at the cluster, and at each workspace and storage account that gets its audit log.
    """
    for found in trails_to_judge(cluster, _ASPECTS):
        if isinstance(found, Finding):
            yield found
            continue
        places = audit_destinations(found, *_LOCKABLE)
        yield from _principals(found, places, params)
        yield from _locks(found, places, params)


# --- people ----------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Count:
    """Who can do it, by the first role that showed it; and what could not be found out."""

    able: dict[str, str]
    unsure: dict[str, Unreadable | None]
    """Principals whose role is not known, each with why; None: the role was not given."""
    evidence: tuple[Evidence, ...]
    gaps: list[Unreadable]
    groups: set[str]
    owners: set[str]
    admins: set[str]
    elsewhere: list[str]
    """Stores of which only somebody else can tell."""
    whole: bool


def _principals(trail: Trail, places: tuple[Destination, ...], params: Params) -> Iterator[Finding]:
    count = _Count(
        able={},
        unsure={},
        evidence=(),
        gaps=[],
        groups=set(),
        owners=set(),
        admins=set(),
        elsewhere=[],
        whole=True,
    )
    _count_at(trail, trail.id, (*_ANYWHERE, *_AT_CLUSTER), (), params, count)
    for place in places:
        look = trail.look(place)
        if isinstance(look, Absent):
            continue  # what is gone nobody deletes; KC-AUD-001 tells it
        if isinstance(look, Unreadable):
            count.gaps.append(look)
            continue
        if isinstance(look, Elsewhere):
            count.elsewhere.append(place.id)
            continue
        actions, data = _dangers(trail, place)
        _count_at(trail, place.id, actions, data, params, count)
    yield _counted(trail, count, params)


def _dangers(trail: Trail, place: Destination) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What must not be in many hands there: of the control plane, and on data."""
    if place.kind is DestinationKind.WORKSPACE:
        return (*_ANYWHERE, *_AT_WORKSPACE), ()
    account = trail.estate.find(Kind.AZURE_STORAGE_ACCOUNT, place.id, account_settings_of)
    keys = not (isinstance(account, Seen) and not account.value.shared_keys)
    return (*_ANYWHERE, *_AT_STORAGE, *((_KEYS,) if keys else ())), _DATA


def _count_at(
    trail: Trail,
    id_: str,
    actions: tuple[str, ...],
    data: tuple[str, ...],
    params: Params,
    count: _Count,
) -> None:
    found = assignments_at(trail.estate, id_)
    if isinstance(found, Unreadable):
        count.gaps.append(found)
        return
    count.whole = count.whole and found.whole
    before = len(count.able)
    for assignment, _ in found.items:
        if assignment.principal not in (each.lower() for each in params.break_glass):
            _count_one(trail, id_, assignment, actions, data, count)
    quote = f"{len(found.items)} assignments hold there, {len(count.able) - before} more can do it"
    count.evidence += tuple(e for raw in found.raws for e in evidence_of(raw, "value", quote))


def _count_one(
    trail: Trail,
    id_: str,
    assignment: Assignment,
    actions: tuple[str, ...],
    data: tuple[str, ...],
    count: _Count,
) -> None:
    who = assignment.principal
    match role_of(trail.estate, assignment.role):
        case Seen(value=role, raw=raw):
            _note_rank(trail, id_, assignment, role, count)
            danger = _first_danger(role, actions, data)
            if danger is None:
                return
            if who not in count.able:
                count.evidence += _evidence(raw, role, danger)
                count.able[who] = f"{assignment.kind} {who} ({role.name})"
            if assignment.is_group:
                count.groups.add(who)
        case Unreadable() as gap:
            count.unsure.setdefault(who, gap)
        case Absent(origin=origin, reason=reason):
            count.unsure.setdefault(who, Unreadable(origin=origin, reason=reason))
        case _:
            count.unsure.setdefault(who, None)


def _first_danger(role: Role, actions: tuple[str, ...], data: tuple[str, ...]) -> str | None:
    """The first of these actions that the role allows."""
    by_role = [action for action in actions if role.may(action)]
    by_role += [action for action in data if role.may_with_data(action)]
    return by_role[0] if by_role else None


def _evidence(raw: Raw, role: Role, danger: str) -> tuple[Evidence, ...]:
    return evidence_of(raw, "permissions[].actions", f"{role.name}: {danger}")


def _note_rank(trail: Trail, id_: str, assignment: Assignment, role: Role, count: _Count) -> None:
    """Users that own the subscription, and those that have a role of an admin of the cluster."""
    if not same(id_, trail.id) or assignment.kind.lower() != "user":
        return
    subscription = f"/subscriptions/{ResourceId(trail.id).subscription}"
    if role.name.lower() == "owner" and same(assignment.scope, subscription):
        count.owners.add(assignment.principal)
    if "cluster admin" in role.name.lower():
        count.admins.add(assignment.principal)


def _counted(trail: Trail, count: _Count, params: Params) -> Finding:
    names = sorted(count.able.values())
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    said = f"{len(names)} identities can stop, purge or delete the trail"
    notes = _notes(count)
    if len(names) > params.max_principals:
        because = f"{said}, more than {params.max_principals}: {shown}{more}"
        return Finding.failed(trail.id, because, count.evidence, aspect="principals", notes=notes)
    if count.gaps:
        return Finding.unreadable(count.gaps[0], aspect="principals")
    unsure = {who: gap for who, gap in count.unsure.items() if who not in count.able}
    if len(names) + len(unsure) > params.max_principals:
        return _unsure(trail, said, unsure, count)
    if count.elsewhere:
        where = ", ".join(count.elsewhere)
        because = f"{said}, without {where}, which is not visible in this tenant"
        question = f"Who has which role at {where}?"
        return Finding.manual(
            trail.id, because, question, count.evidence, aspect="principals", notes=notes
        )
    if not count.whole:
        return Finding.manual(
            trail.id,
            f"{said}, as far as was given, and not all role assignments may have been",
            "Who else has a role at the cluster, its workspaces and storage accounts, or above "
            f"them? Scan aks:{trail.id}.",
            count.evidence,
            aspect="principals",
            notes=notes,
        )
    because = f"{said}: {shown}{more}" if names else "nobody can stop, purge or delete the trail"
    evidence = count.evidence or of_settings(trail)
    return Finding.passed(trail.id, because, evidence, aspect="principals", notes=notes)


def _notes(count: _Count) -> tuple[str, ...]:
    notes = [
        "whoever is eligible for a role by PIM, and who has one below these scopes, is not counted"
    ]
    if count.groups:
        notes.append(f"{len(count.groups)} of them are groups, each counted as one")
    both = sorted(count.owners & count.admins)
    if both:
        told = ", ".join(both)
        notes.append(f"{told} owns the subscription and is an admin of the cluster too")
    return tuple(notes)


def _unsure(
    trail: Trail, said: str, unsure: dict[str, Unreadable | None], count: _Count
) -> Finding:
    because = f"{said}, and what {len(unsure)} more may do is not known"
    gap = next((gap for gap in unsure.values() if gap is not None), None)
    if gap is not None:
        return Finding.error(
            trail.id,
            f"{because}: {gap.origin.resource}: {gap.reason}",
            count.evidence,
            permission=gap.permission,
            aspect="principals",
        )
    return Finding.manual(
        trail.id,
        because,
        "What may their roles do? Add the output of `az role definition list -o json` to the scan.",
        count.evidence,
        aspect="principals",
    )


# --- locks -----------------------------------------------------------------------------------


def _locks(trail: Trail, places: tuple[Destination, ...], params: Params) -> Iterator[Finding]:
    if not params.require_lock:
        because = "the parameter require_lock asks for none"
        yield Finding.not_applicable(trail.id, because, of_settings(trail), aspect="locks")
        return
    if not places:
        yield no_destination(trail, "a workspace or a storage account", "locks")
    for place in places:
        look = trail.look(place)
        if isinstance(look, Seen):
            yield _locked(trail, place)
        else:
            yield not_looked_at(trail, place, look, "locks")


def _locked(trail: Trail, place: Destination) -> Finding:
    locks = locks_at(trail.estate, place.id)
    if locks.items:
        lock, raw = locks.items[0]
        because = f"the lock {lock.name} on {lock.scope} keeps it from deletion"
        note = "no lock keeps anybody from purging rows, deleting blobs or shortening retention"
        evidence = evidence_of(raw, f"value[{lock.name}].level", lock.level)
        return Finding.passed(place.id, because, evidence, aspect="locks", notes=(note,))
    if locks.gap is not None:
        return Finding.unreadable(locks.gap, aspect="locks")
    evidence = tuple(piece for raw in locks.raws for piece in evidence_of(raw, "value", "none"))
    if not locks.whole:
        return Finding.manual(
            place.id,
            "no lock on it is in what was given",
            f"Which locks hold there? Scan aks:{trail.id}, or add the output of "
            f"`az lock list --resource {place.id} -o json`.",
            evidence,
            aspect="locks",
        )
    because = f"no lock keeps the {place.kind} from deletion: on it, its group or its subscription"
    return Finding.failed(place.id, because, evidence, aspect="locks")
