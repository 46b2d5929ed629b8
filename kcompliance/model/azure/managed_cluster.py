"""A managed cluster of AKS: what decides which of its logs there can be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kcompliance.model.azure.answer import Fields, Resource, WrongAnswer, flag, part, parts, text
from kcompliance.model.event_store.events import read_time

__all__ = ["ManagedCluster", "managed_cluster_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedCluster:
    """The facts that the controls ask about."""

    id: str
    name: str
    entra: bool
    """Users log in with Entra ID, so that guard has something to record."""
    rbac: bool | None
    """Kubernetes RBAC is on; None: not told."""
    azure_rbac: bool
    """Role assignments of Azure decide beside it who may do what in the cluster."""
    autoscaler: bool
    """One of its pools is scaled by the cluster autoscaler."""
    container_insights: bool
    """The monitoring add-on is on, which collects no audit log."""
    stopped: bool
    """It was stopped with its control plane, which then records nothing."""
    created: datetime | None
    """When it was made, where the answer tells; UTC."""


_RBAC: Final = ("enableRBAC", "enableRbac")
_AZURE_RBAC: Final = ("enableAzureRBAC", "enableAzureRbac")


def managed_cluster_of(resource: Resource) -> ManagedCluster:
    """Read one cluster. Raises WrongAnswer."""
    fields = resource.fields
    entra = part(fields, "aadProfile") or {}
    pools = parts(fields, "agentPoolProfiles")
    if not pools:
        raise WrongAnswer("a cluster without its node pools: not all that Azure says of it")
    addons = part(fields, "addonProfiles") or {}
    agents = [part(addons, name) or {} for name in addons if name.lower() == "omsagent"]
    scaled = any(flag(pool, "enableAutoScaling") is True for pool in pools)
    return ManagedCluster(
        id=resource.id,
        name=resource.name,
        entra=flag(entra, "managed") is True or text(entra, "serverAppID") is not None,
        # `az` writes enableRbac, and Resource Manager enableRBAC.
        rbac=next((on for on in (flag(fields, each) for each in _RBAC) if on is not None), None),
        azure_rbac=any(flag(entra, each) is True for each in _AZURE_RBAC),
        autoscaler=scaled,
        container_insights=any(flag(agent, "enabled") is True for agent in agents),
        stopped=(text(part(fields, "powerState") or {}, "code") or "").lower() == "stopped",
        created=_created(fields),
    )


def _created(fields: Fields) -> datetime | None:
    written = text(part(fields, "systemData") or {}, "createdAt")
    found = read_time(written) if written is not None else None
    if isinstance(found, str):
        raise WrongAnswer(f"systemData.createdAt: {found}")
    return found
