"""Everything that was asked of Azure for one target, to be looked up by id."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from kcompliance.model.azure.answer import Resource, WrongAnswer, kind_of_id, resources_in
from kcompliance.model.azure.resource_id import ResourceId, key
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["AZURE_KINDS", "OTHER_TENANT", "Estate", "Listed", "estate_of"]

T = TypeVar("T")

OTHER_TENANT: Final = "not visible in this tenant"
"""How the reason begins where a subscription is another tenant's, or gone with all that it held."""

_LISTS: Final = frozenset(
    {
        Kind.AZURE_DIAGNOSTIC_SETTINGS,
        Kind.AZURE_DIAGNOSTIC_CATEGORIES,
        Kind.AZURE_SUBSCRIPTION_SETTINGS,
        Kind.AZURE_ACTIVITY_ALERTS,
        Kind.AZURE_QUERY_ALERTS,
        Kind.AZURE_ROLE_ASSIGNMENTS,
        Kind.AZURE_LOCKS,
    }
)
"""Kinds whose answers are about one scope, and are asked for by it."""

_SINGLE: Final = frozenset(
    {
        Kind.AKS_CLUSTER,
        Kind.AZURE_SUBSCRIPTION,
        Kind.AZURE_WORKSPACE,
        Kind.AZURE_TABLE,
        Kind.AZURE_DEDICATED_CLUSTER,
        Kind.AZURE_STORAGE_ACCOUNT,
        Kind.AZURE_MANAGEMENT_POLICY,
        Kind.AZURE_BLOB_SERVICE,
        Kind.AZURE_BLOB_CONTAINER,
        Kind.AZURE_EVENT_HUB,
        Kind.AZURE_ACTION_GROUPS,
        Kind.AZURE_ROLE_DEFINITION,
    }
)
"""Kinds that are found by the resource's own id."""

_QUERIES: Final = frozenset(
    {
        Kind.AZURE_LOG_RECORDS,
        Kind.AZURE_LOG_VERBS,
        Kind.AZURE_LOG_NEWEST,
        Kind.AZURE_LOG_TIMELINE,
        Kind.AZURE_LOG_SAMPLE,
        Kind.AZURE_BLOB_HOURS,
        Kind.AZURE_BLOB_SAMPLE,
    }
)
"""What a workspace was queried for, or an account's blobs told, which is no resource."""

AZURE_KINDS: Final = _LISTS | _SINGLE | _QUERIES

_ARM: Final = "/subscriptions/"
_UNTYPED: Final = frozenset({Kind.AZURE_SUBSCRIPTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is known of one scope, each with the bytes that it stands in.

    `whole`: a list was seen, so that what is not in it does not exist.
    """

    items: tuple[tuple[Resource, Raw], ...] = ()
    raws: tuple[Raw, ...] = ()
    whole: bool = False


_Found = Seen[Resource] | Absent | Unreadable


@dataclass(frozen=True, slots=True)
class Estate:
    """Answers by kind and id."""

    single: Mapping[tuple[Kind, str], _Found] = field(default_factory=dict)
    lists: Mapping[tuple[Kind, str], Listed | Absent | Unreadable] = field(default_factory=dict)
    unusable: tuple[Unreadable, ...] = ()
    """Answers that no resource can be taken from."""

    def find(
        self, kind: Kind, id_: str, read: Callable[[Resource], T]
    ) -> Seen[T] | Absent | Unreadable | NotAsked:
        """The resource of this id, as `read` understands it."""
        found = self.single.get((kind, key(id_)), NotAsked())
        return self._read(found, read) if isinstance(found, Seen) else found

    def all(self, kind: Kind, read: Callable[[Resource], T]) -> tuple[Seen[T] | Unreadable, ...]:
        """All of a kind that were seen, in the order of their ids."""
        ordered = sorted(self.single.items(), key=lambda item: item[0][1])
        found = [each for (of, _), each in ordered if of is kind]
        return tuple(self._read(each, read) for each in found if isinstance(each, Seen))

    def listed(self, kind: Kind, scope: str) -> Listed | Absent | Unreadable | NotAsked:
        """What was listed at a scope."""
        return self.lists.get((kind, key(scope)), NotAsked())

    def scopes(self, kind: Kind) -> tuple[str, ...]:
        """The scopes of which something of this kind was seen, as keys."""
        return tuple(sorted(scope for of, scope in self.lists if of is kind))

    @staticmethod
    def _read(found: Seen[Resource], read: Callable[[Resource], T]) -> Seen[T] | Unreadable:
        try:
            return Seen(value=read(found.value), raw=found.raw)
        except WrongAnswer as error:
            return Unreadable(origin=found.raw.origin, reason=f"could not be read: {error}")


def estate_of(cluster: Cluster) -> Estate:
    """Everything of Azure among the captures of a cluster."""
    single: dict[tuple[Kind, str], _Found] = {}
    lists: dict[tuple[Kind, str], Listed | Absent | Unreadable] = {}
    unusable: list[Unreadable] = []
    nothing: tuple[Absent | Unreadable, ...] = (*cluster.absents, *cluster.gaps)
    for each in nothing:
        _put_gap(each, single, lists)
    for kind in AZURE_KINDS - _QUERIES:
        for raw in cluster.texts.get(kind, ()):
            try:
                _put(kind, raw, single, lists)
            except WrongAnswer as error:
                gap = Unreadable(origin=raw.origin, reason=f"could not be read: {error}")
                _put_gap(gap, single, lists)
                unusable.append(gap)
    ordered = sorted(unusable, key=lambda gap: (gap.origin.resource, gap.reason))
    return Estate(single, lists, tuple(ordered))


_Lists = dict[tuple[Kind, str], Listed | Absent | Unreadable]


def _put_gap(
    gap: Absent | Unreadable, single: dict[tuple[Kind, str], _Found], lists: _Lists
) -> None:
    kind, resource = gap.origin.kind, gap.origin.resource
    if kind in _LISTS:
        lists[kind, key(_scope(resource))] = gap
    elif kind in _SINGLE:
        single[kind, key(resource)] = gap


def _put(kind: Kind, raw: Raw, single: dict[tuple[Kind, str], _Found], lists: _Lists) -> None:
    resources, whole = resources_in(raw.content)
    _refuse_another_kind(kind, raw, resources)
    if kind in _LISTS:
        _put_list(kind, raw, resources, lists, whole=whole)
        return
    for resource in resources:
        asked = _asked_for(kind, raw, resource) if not whole else None
        place = (kind, key(asked or resource.id))
        before = single.get(place)
        if isinstance(before, Seen) and before.value.fields != resource.fields:
            reason = "given twice, and the two differ: scan one of them"
            single[place] = Unreadable(origin=raw.origin, reason=reason)
        elif before is None:
            single[place] = Seen(value=resource, raw=raw)


def _refuse_another_kind(kind: Kind, raw: Raw, resources: Iterable[Resource]) -> None:
    for resource in resources:
        found = kind_of_id(resource.id)
        if kind in _UNTYPED and ResourceId(resource.id).type == "":
            continue
        if found is not kind and not _oddly_named(kind, resource):
            raise WrongAnswer(f"{resource.id} is no {kind.value}")


def _oddly_named(kind: Kind, resource: Resource) -> bool:
    """Some answers name a setting without the provider that it is of."""
    odd = kind is Kind.AZURE_DIAGNOSTIC_SETTINGS and "/diagnosticsettings/" in resource.id.lower()
    return odd and "/microsoft.insights/" not in resource.id.lower()


def _asked_for(kind: Kind, raw: Raw, resource: Resource) -> str | None:
    """The id that a live answer was asked by; it is about that, or it is wrong.

    A built-in role answers with an id of its own, which ends the same.
    """
    asked = raw.origin.resource
    if raw.origin.collector != "azure":
        return None
    role = kind is Kind.AZURE_ROLE_DEFINITION
    ours, theirs = key(asked), key(resource.id)
    if ours != theirs and not (role and ours.rpartition("/")[2] == theirs.rpartition("/")[2]):
        raise WrongAnswer(f"it is about {resource.id}")
    return asked


def _put_list(
    kind: Kind, raw: Raw, resources: tuple[Resource, ...], lists: _Lists, *, whole: bool
) -> None:
    live = raw.origin.resource.lower().startswith(_ARM)
    by_scope: dict[str, list[Resource]] = {_scope(raw.origin.resource): []} if live else {}
    for resource in resources:
        scope = _scope(raw.origin.resource) if live else _scope(resource.id)
        by_scope.setdefault(scope, []).append(resource)
    for scope, found in by_scope.items():
        before = lists.get((kind, key(scope)))
        if isinstance(before, Unreadable | Absent):
            continue
        kept = before or Listed()
        known = {key(resource.id): resource for resource, _ in kept.items}
        if any(key(r.id) in known and known[key(r.id)].fields != r.fields for r in found):
            reason = "given twice, and the two differ: scan one of them"
            lists[kind, key(scope)] = Unreadable(origin=raw.origin, reason=reason)
            continue
        more = tuple((resource, raw) for resource in found if key(resource.id) not in known)
        lists[kind, key(scope)] = replace(
            kept,
            items=(*kept.items, *more),
            raws=(*kept.raws, raw),
            whole=kept.whole or whole,
        )


def _scope(resource: str) -> str:
    """What a list is about: `…/managedClusters/c` of its settings, and of each of them."""
    text = resource.rstrip("/")
    lower = text.lower()
    for marker in _MARKERS:
        at = lower.rfind(marker)
        if at >= 0:
            return text[:at]
    return text


_MARKERS: Final = (
    "/providers/microsoft.insights/diagnosticsettingscategories",
    "/providers/microsoft.insights/diagnosticsettings",
    "/providers/microsoft.insights/activitylogalerts",
    "/providers/microsoft.insights/scheduledqueryrules",
    "/providers/microsoft.authorization/roleassignments",
    "/providers/microsoft.authorization/locks",
    "/diagnosticsettings/",
)
