"""Who may do what in Azure: role assignments, what a role allows, and locks against deletion."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kcompliance.model.azure.answer import (
    Fields,
    Resource,
    WrongAnswer,
    parts,
    text,
    texts,
)
from kcompliance.model.azure.estate import Estate
from kcompliance.model.azure.resource_id import ResourceId, key
from kcompliance.model.cluster import NotAsked
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = [
    "Assignment",
    "Assignments",
    "Lock",
    "Locks",
    "Role",
    "assignments_at",
    "holds_at",
    "locks_at",
    "role_of",
]


COLLECTOR: Final = "azure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Somebody has a role at a scope, and at all below it."""

    principal: str
    """The object id; no name, which the answer does not hold."""
    kind: str
    """User, Group, ServicePrincipal or another."""
    role: str
    scope: str

    @property
    def is_group(self) -> bool:
        """It stands for people that are not counted here."""
        return "group" in self.kind.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What is allowed, without what is taken away from it again; in lower case."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    data_actions: tuple[str, ...]
    not_data_actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role definition."""

    id: str
    name: str
    permissions: tuple[Permission, ...]

    def may(self, action: str) -> bool:
        """Whether it allows this action of the control plane."""
        return any(_allows(p.actions, p.not_actions, action) for p in self.permissions)

    def may_with_data(self, action: str) -> bool:
        """Whether it allows this action on data."""
        return any(_allows(p.data_actions, p.not_data_actions, action) for p in self.permissions)


def _allows(allowed: Iterable[str], taken: Iterable[str], action: str) -> bool:
    wanted = action.lower()
    return any(_pattern(each).fullmatch(wanted) for each in allowed) and not any(
        _pattern(each).fullmatch(wanted) for each in taken
    )


@lru_cache(maxsize=4096)
def _pattern(written: str) -> re.Pattern[str]:
    """`*` stands for any text, slashes included."""
    return re.compile(".*".join(re.escape(piece) for piece in written.split("*")))


# --- roles -----------------------------------------------------------------------------------


def role_of(estate: Estate, id_: str) -> Seen[Role] | Absent | Unreadable | NotAsked:
    """What a role may do; a built-in one has the same last segment in every subscription."""
    found = estate.find(Kind.AZURE_ROLE_DEFINITION, id_, _role)
    if not isinstance(found, NotAsked):
        return found
    for each in estate.all(Kind.AZURE_ROLE_DEFINITION, _role):
        if isinstance(each, Seen) and _guid(each.value.id) == _guid(id_):
            return each
    return found


def _guid(id_: str) -> str:
    return key(id_).rpartition("/")[2]


def _role(resource: Resource) -> Role:
    fields = resource.fields
    permissions = parts(fields, "permissions")
    if "permissions" not in fields:
        raise WrongAnswer("a role without its permissions")
    return Role(
        id=resource.id,
        name=text(fields, "roleName") or resource.name,
        permissions=tuple(_permission(each) for each in permissions),
    )


def _permission(fields: Fields) -> Permission:
    return Permission(
        actions=_lower(fields, "actions"),
        not_actions=_lower(fields, "notActions"),
        data_actions=_lower(fields, "dataActions"),
        not_data_actions=_lower(fields, "notDataActions"),
    )


def _lower(fields: Fields, name: str) -> tuple[str, ...]:
    return tuple(each.lower() for each in texts(fields, name))


# --- assignments -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignments:
    """The assignments that hold at one resource.

    `whole`: Azure listed them all, inherited ones too. In files the scope that was asked for is
    not told, so that theirs are a part.
    """

    items: tuple[tuple[Assignment, Raw], ...]
    whole: bool
    raws: tuple[Raw, ...]


def assignments_at(estate: Estate, id_: str) -> Assignments | Unreadable:
    """Those of a resource and, out of files, of what it is in."""
    listed = estate.listed(Kind.AZURE_ROLE_ASSIGNMENTS, id_)
    if isinstance(listed, Absent):
        return Unreadable(origin=listed.origin, reason=listed.reason)
    if isinstance(listed, Unreadable):
        return listed
    live = not isinstance(listed, NotAsked) and _was_asked(listed.raws)
    items: dict[str, tuple[Assignment, Raw]] = {}
    raws: list[Raw] = []
    for scope in (id_,) if live else _with_parents(id_):
        at = estate.listed(Kind.AZURE_ROLE_ASSIGNMENTS, scope)
        if isinstance(at, Unreadable):
            return at
        if isinstance(at, NotAsked | Absent):
            continue
        raws += at.raws
        for resource, raw in at.items:
            try:
                items.setdefault(key(resource.id), (_assignment(resource), raw))
            except WrongAnswer as error:
                return Unreadable(origin=raw.origin, reason=f"could not be read: {error}")
    return Assignments(
        items=tuple(items[place] for place in sorted(items)), whole=live, raws=tuple(raws)
    )


def _assignment(resource: Resource) -> Assignment:
    fields = resource.fields
    principal, role = text(fields, "principalId"), text(fields, "roleDefinitionId")
    if principal is None or role is None:
        raise WrongAnswer("a role assignment without principal or role")
    return Assignment(
        principal=principal.lower(),
        kind=text(fields, "principalType") or "of unknown kind",
        role=role,
        scope=text(fields, "scope") or ResourceId(resource.id).parent,
    )


def _was_asked(raws: Iterable[Raw]) -> bool:
    """Azure was asked for exactly this scope; a file does not tell what was asked."""
    return any(raw.origin.collector == COLLECTOR for raw in raws)


def _with_parents(id_: str) -> tuple[str, ...]:
    found = ResourceId(id_)
    places = (id_, found.group, f"/subscriptions/{found.subscription}", "/")
    return tuple(place for place in places if place)


def holds_at(scope: str, id_: str) -> bool:
    """Whether what is set at a scope holds for a resource: it is that, or above it."""
    above = key(scope).rstrip("/")
    return key(id_) == above or key(id_).startswith(f"{above}/")


# --- locks -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One lock; every one that is read keeps from deletion."""

    name: str
    level: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """The locks that hold at one resource; `whole`: all places were asked where one could be."""

    items: tuple[tuple[Lock, Raw], ...]
    whole: bool
    raws: tuple[Raw, ...]
    gap: Unreadable | None


def locks_at(estate: Estate, id_: str) -> Locks:
    """The locks on a resource, its group and its subscription.

    Azure lists at a scope what is below it as well, so each lock is held against its own scope.
    """
    items: dict[str, tuple[Lock, Raw]] = {}
    raws: list[Raw] = []
    gap: Unreadable | None = None
    whole = True
    for place in _with_parents(id_)[:3]:
        found = estate.listed(Kind.AZURE_LOCKS, place)
        if isinstance(found, Absent):
            found = Unreadable(origin=found.origin, reason=found.reason)
        if isinstance(found, Unreadable):
            gap = gap or found
            continue
        if isinstance(found, NotAsked):
            whole = False
            continue
        whole = whole and _was_asked(found.raws)
        raws += found.raws
        for resource, raw in found.items:
            try:
                lock = _lock(resource)
            except WrongAnswer as error:
                reason = f"could not be read: {error}"
                gap = gap or Unreadable(origin=raw.origin, reason=reason)
                continue
            if holds_at(lock.scope, id_) and lock.level in ("cannotdelete", "readonly"):
                items.setdefault(key(resource.id), (lock, raw))
    return Locks(
        items=tuple(items[place] for place in sorted(items)),
        whole=whole and gap is None,
        raws=tuple(raws),
        gap=gap,
    )


def _lock(resource: Resource) -> Lock:
    level = (text(resource.fields, "level") or "").lower()
    if level not in ("cannotdelete", "readonly", "notspecified"):
        raise WrongAnswer(f"a lock of the level {level or 'of no name'}")
    return Lock(name=resource.name, level=level, scope=ResourceId(resource.id).parent)
