"""Kubernetes objects as a cluster listed them, by the kind of capture that holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from kcompliance.model.reading import Kind, Raw

__all__ = ["LISTED", "KubernetesObject", "Listing", "listed_in"]

KubernetesObject: TypeAlias = Mapping[str, Any]
"""One object as its API writes it, hostile: no field can be relied on to have its type."""

LISTED: Final[Mapping[str, Kind]] = {
    "Node": Kind.NODES,
    "DaemonSet": Kind.DAEMON_SETS,
    "ConfigMap": Kind.CONFIG_MAPS,
    "Service": Kind.SERVICES,
    "CronJob": Kind.CRON_JOBS,
    "Role": Kind.RBAC,
    "ClusterRole": Kind.RBAC,
    "RoleBinding": Kind.RBAC,
    "ClusterRoleBinding": Kind.RBAC,
}
"""In which listing an object of a kind belongs. Pods are told apart by what they run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The objects of one listing; each has its `kind`.

    `whole`: the API server listed them all, so that what is not here does not exist. Objects out
    of files are a part of what there is.
    """

    objects: tuple[tuple[KubernetesObject, Raw], ...] = ()
    whole: bool
    raws: tuple[Raw, ...] = ()
    """What it was read from: of a whole one without any objects too."""

    def of_kind(self, kind: str) -> tuple[tuple[KubernetesObject, Raw], ...]:
        """The objects of this kind, each with the bytes that it stands in."""
        return tuple((found, raw) for found, raw in self.objects if found.get("kind") == kind)


def listed_in(document: object) -> Iterator[KubernetesObject]:
    """A document that belongs in a listing, or those in the List that it is.

    The items of a typed list, such as a DaemonSetList, need not say their kind.
    """
    if not isinstance(document, Mapping):
        return
    kind, items = str(document.get("kind")), document.get("items")
    if kind in LISTED:
        yield document
    elif kind.endswith("List") and isinstance(items, list):
        for item in items:
            if isinstance(item, Mapping):
                named = item if "kind" in item else {**item, "kind": kind.removesuffix("List")}
                if str(named["kind"]) in LISTED:
                    yield named
