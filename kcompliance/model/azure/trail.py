"""The audit trail of each AKS cluster: what its settings ship, to where, and what is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from kcompliance.model.azure.answer import Resource, WrongAnswer, text
from kcompliance.model.azure.diagnostics import (
    Category,
    Destination,
    DestinationKind,
    DiagnosticSetting,
    Shipped,
    category_of,
    setting_of,
    shipped,
)
from kcompliance.model.azure.estate import OTHER_TENANT, Estate, estate_of
from kcompliance.model.azure.managed_cluster import ManagedCluster, managed_cluster_of
from kcompliance.model.azure.resource_id import ResourceId, key
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = [
    "KIND_OF_DESTINATION",
    "Elsewhere",
    "Look",
    "Trail",
    "stopped_subscription",
    "trails_of",
]

KIND_OF_DESTINATION: Final = {
    DestinationKind.WORKSPACE: Kind.AZURE_WORKSPACE,
    DestinationKind.STORAGE: Kind.AZURE_STORAGE_ACCOUNT,
    DestinationKind.EVENT_HUB: Kind.AZURE_EVENT_HUB,
}

_CLUSTER_TYPE: Final = "microsoft.containerservice/managedclusters"
_RUNNING: Final = ("enabled", "warned", "pastdue")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """It is where these credentials cannot look: in another tenant, or at a partner's."""

    because: str


Look = Seen[Resource] | Absent | Unreadable | Elsewhere | NotAsked


@dataclass(frozen=True, kw_only=True)
class Trail:
    """The trail of one cluster."""

    id: str
    """As Azure writes it."""
    estate: Estate
    cluster: Seen[ManagedCluster] | Absent | Unreadable | NotAsked
    settings: tuple[DiagnosticSetting, ...] | Unreadable | NotAsked
    settings_raws: tuple[Raw, ...] = ()
    settings_whole: bool = False
    """All settings were seen: what is in none of them is not shipped."""
    categories: tuple[Category, ...] | Unreadable | NotAsked
    categories_raws: tuple[Raw, ...] = ()
    raws_of: tuple[tuple[str, Raw], ...] = ()
    """Where each setting, by its id, was seen."""

    @cached_property
    def shipped(self) -> Shipped:
        """What leaves the cluster; nothing where the settings are not known."""
        settings = self.settings if isinstance(self.settings, tuple) else ()
        categories = self.categories if isinstance(self.categories, tuple) else None
        return shipped(settings, categories)

    def raw_of(self, setting: DiagnosticSetting) -> Raw:
        """The bytes that a setting was read from."""
        return next(raw for id_, raw in self.raws_of if id_ == setting.id)

    def look(self, destination: Destination) -> Look:
        """What is known of a destination."""
        kind = KIND_OF_DESTINATION.get(destination.kind)
        if kind is None:
            return Elsewhere(f"the partner solution {destination.id} is none of Azure's own")
        found = self.estate.find(kind, destination.id, lambda resource: resource)
        if isinstance(found, Unreadable) and found.reason.startswith(OTHER_TENANT):
            return Elsewhere(f"{destination.id} is {found.reason}")
        if isinstance(found, Seen):
            stopped = stopped_subscription(self.estate, destination.id)
            return stopped or found
        return found


def stopped_subscription(estate: Estate, id_: str) -> Unreadable | None:
    """Why a subscription's resources cannot be relied on: nothing was told of it, or it is off."""
    subscription = f"/subscriptions/{ResourceId(id_).subscription}"
    found = estate.find(Kind.AZURE_SUBSCRIPTION, subscription, _state_of)
    if isinstance(found, Unreadable):
        return found
    if isinstance(found, Seen) and found.value.lower() not in _RUNNING:
        reason = f"the subscription is {found.value}: its resources may not work any more"
        return Unreadable(origin=found.raw.origin, reason=reason)
    return None


def _state_of(resource: Resource) -> str:
    state = text(resource.fields, "state")
    if state is None:
        raise WrongAnswer("a subscription without a state")
    return state


def trails_of(cluster: Cluster) -> tuple[Trail, ...]:
    """One for each AKS cluster of which there is any sign, in the order of their ids."""
    estate = estate_of(cluster)
    return tuple(_trail(estate, id_) for id_ in _ids(estate))


def _ids(estate: Estate) -> Iterator[str]:
    named = {
        key(seen.value.id): seen.value.id
        for seen in estate.all(Kind.AKS_CLUSTER, lambda resource: resource)
        if isinstance(seen, Seen)
    }
    for kind in (Kind.AZURE_DIAGNOSTIC_SETTINGS, Kind.AZURE_DIAGNOSTIC_CATEGORIES):
        for scope in estate.scopes(kind):
            if ResourceId(scope).type == _CLUSTER_TYPE:
                named.setdefault(scope, scope)
    yield from (named[name] for name in sorted(named))


def _trail(estate: Estate, id_: str) -> Trail:
    settings, raws, whole, places = _settings(estate, id_)
    categories, category_raws = _categories(estate, id_)
    return Trail(
        id=id_,
        estate=estate,
        cluster=estate.find(Kind.AKS_CLUSTER, id_, managed_cluster_of),
        settings=settings,
        settings_raws=raws,
        settings_whole=whole,
        categories=categories,
        categories_raws=category_raws,
        raws_of=places,
    )


def _settings(
    estate: Estate, id_: str
) -> tuple[
    tuple[DiagnosticSetting, ...] | Unreadable | NotAsked,
    tuple[Raw, ...],
    bool,
    tuple[tuple[str, Raw], ...],
]:
    listed = estate.listed(Kind.AZURE_DIAGNOSTIC_SETTINGS, id_)
    if isinstance(listed, Absent):
        listed = Unreadable(origin=listed.origin, reason=listed.reason)
    if isinstance(listed, Unreadable | NotAsked):
        return listed, (), False, ()
    read: list[DiagnosticSetting] = []
    places: list[tuple[str, Raw]] = []
    for resource, raw in sorted(listed.items, key=lambda item: key(item[0].id)):
        try:
            read.append(setting_of(resource))
        except WrongAnswer as error:
            gap = Unreadable(origin=raw.origin, reason=f"could not be read: {error}")
            return gap, (), False, ()
        places.append((resource.id, raw))
    return tuple(read), listed.raws, listed.whole, tuple(places)


def _categories(
    estate: Estate, id_: str
) -> tuple[tuple[Category, ...] | Unreadable | NotAsked, tuple[Raw, ...]]:
    listed = estate.listed(Kind.AZURE_DIAGNOSTIC_CATEGORIES, id_)
    if isinstance(listed, Absent):
        listed = Unreadable(origin=listed.origin, reason=listed.reason)
    if isinstance(listed, Unreadable | NotAsked):
        return listed, ()
    if not listed.whole:
        return NotAsked(), ()
    read: list[Category] = []
    for resource, raw in sorted(listed.items, key=lambda item: key(item[0].id)):
        try:
            category = category_of(resource)
        except WrongAnswer as error:
            return Unreadable(origin=raw.origin, reason=f"could not be read: {error}"), ()
        if category is not None:
            read.append(category)
    return tuple(read), listed.raws
