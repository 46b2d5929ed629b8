"""Who decides beside Kubernetes RBAC where a provider runs the API server."""

from typing import Final

from kcompliance.model.aws.cluster_settings import eks_cluster
from kcompliance.model.azure.trail import Trail, trails_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.rbac.authority import Authority, Says
from kcompliance.model.reading import Seen, Unreadable

__all__ = ["provider_authorities", "question_of"]

_ENTRIES: Final = "access entries of EKS decide beside RBAC, and they are not collected"


def provider_authorities(
    cluster: Cluster,
) -> tuple[tuple[Authority, ...], tuple[Unreadable, ...]]:
    """What the provider says of who decides, and what of it could not be read."""
    match cluster.platform:
        case Platform.AKS:
            return _of_aks(cluster)
        case Platform.EKS:
            return _of_eks(cluster)
        case _:
            return (), ()


def question_of(cluster: Cluster, does: str) -> str:
    """Whom to ask for where RBAC is not all; `does`: what somebody may do."""
    match cluster.platform:
        case Platform.AKS:
            return (
                f"Whom do role assignments of Azure let {does}? Look for dataActions on "
                "Microsoft.ContainerService/managedClusters in the roles that  az role assignment "
                "list --scope RESOURCE_ID --include-inherited  lists, if  az aks show --ids "
                "RESOURCE_ID --query aadProfile.enableAzureRbac  is true."
            )
        case Platform.EKS:
            return (
                f"Whom do access entries let {does}? Look at  aws eks list-access-entries "
                "--cluster-name NAME  and, for each,  aws eks list-associated-access-policies  "
                "(AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSEditPolicy)."
            )
        case _:
            return (
                "Which authorizers does kube-apiserver ask (--authorization-mode, "
                f"--authorization-config), and whom do those other than RBAC let {does}?"
            )


def _of_aks(cluster: Cluster) -> tuple[tuple[Authority, ...], tuple[Unreadable, ...]]:
    trails = trails_of(cluster)
    if not trails:
        return (_not_told(cluster.name),), ()
    found = tuple(_of_trail(trail) for trail in trails)
    return (
        tuple(each for each in found if isinstance(each, Authority)),
        tuple(each for each in found if isinstance(each, Unreadable)),
    )


def _of_trail(trail: Trail) -> Authority | Unreadable:
    match trail.cluster:
        case Unreadable() as gap:
            return gap
        case Seen(value=found, raw=raw):
            evidence = (
                *evidence_of(raw, "enableRBAC", _word(found.rbac)),
                *evidence_of(raw, "aadProfile.enableAzureRBAC", _word(found.azure_rbac)),
            )
            if found.rbac is None:
                return _not_told(trail.id)
            if not found.rbac:
                says, because = Says.EVERYTHING, "enableRBAC is false: everything is allowed"
            elif found.azure_rbac:
                says = Says.SOMETHING_ELSE
                because = "enableAzureRBAC is true: role assignments of Azure decide beside RBAC"
            else:
                says, because = Says.RBAC, "RBAC decides: enableRBAC is true, enableAzureRBAC not"
            return Authority(server=trail.id, says=says, because=because, evidence=evidence)
        case _:
            return _not_told(trail.id)


def _not_told(name: str) -> Authority:
    because = (
        "whether role assignments of Azure decide beside RBAC (enableAzureRBAC) is not in what "
        "was given"
    )
    return Authority(server=name, says=Says.NOTHING, because=because, evidence=())


def _word(value: object) -> str:
    return "not told" if value is None else str(value).lower()


def _of_eks(cluster: Cluster) -> tuple[tuple[Authority, ...], tuple[Unreadable, ...]]:
    found = eks_cluster(cluster)
    if isinstance(found, Unreadable):
        return (), (found,)
    name = cluster.name
    evidence: tuple[Evidence, ...] = ()
    if isinstance(found, Seen):
        name, evidence = found.value.arn, evidence_of(found.raw, "cluster.arn", found.value.arn)
    authority = Authority(
        server=name, says=Says.SOMETHING_ELSE, because=_ENTRIES, evidence=evidence
    )
    return (authority,), ()
