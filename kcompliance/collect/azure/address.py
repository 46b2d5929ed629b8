"""What a user writes behind `aks:`."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from kcompliance.errors import UsageError

__all__ = ["AksCluster", "AksSearch", "is_cluster_id", "parse_aks"]

_HINT: Final = (
    "aks:/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerService/"
    "managedClusters/NAME, or aks:subscription/ID[/resourceGroup/GROUP][?tag=NAME=VALUE]"
)
_SUBSCRIPTION: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NAME: Final = r"[\w().-]{1,90}"
_CLUSTER: Final = re.compile(
    rf"/subscriptions/{_SUBSCRIPTION}/resourceGroups/{_NAME}"
    rf"/providers/Microsoft\.ContainerService/managedClusters/{_NAME}",
    re.IGNORECASE,
)
_SEARCH: Final = re.compile(
    rf"/?subscriptions?/(?P<subscription>{_SUBSCRIPTION})(?:/resourceGroups?/(?P<group>{_NAME}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AksCluster:
    """One cluster, by its id."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AksSearch:
    """The clusters of a subscription, or of one of its groups, that have all these tags."""

    subscription: str
    group: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


def is_cluster_id(text: str) -> bool:
    """Whether this is the id of a managed cluster, with nothing in it that no name can have."""
    return bool(_CLUSTER.fullmatch(text))


def parse_aks(target: str) -> AksCluster | AksSearch:
    """Read a target that begins with `aks:`. Raises UsageError."""
    place, asked, query = target.removeprefix("aks:").strip().rstrip("/").partition("?")
    if not asked and is_cluster_id(place):
        return AksCluster(place)
    found = _SEARCH.fullmatch(place)
    if found is None:
        raise UsageError(f'no AKS cluster or subscription: "{target}"', _HINT)
    return AksSearch(
        subscription=found["subscription"],
        group=found["group"],
        tags=_tags(query, target) if asked else (),
    )


def _tags(query: str, target: str) -> tuple[tuple[str, str], ...]:
    pairs = parse_qsl(query, keep_blank_values=True)
    tags = [value.partition("=") for name, value in pairs if name == "tag"]
    if len(tags) != len(pairs) or not tags or not all(found for _, found, _ in tags):
        raise UsageError(f'no tag to look for: "{target}"', _HINT)
    return tuple((name, value) for name, _, value in tags)
