"""KC-PRO-011: the stores of the audit trail are encrypted at rest, and closed to the public."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.stores_in_aws import stores_in_aws
from kcompliance.checks.protection.stores_in_azure import stores_in_azure
from kcompliance.checks.protection.stores_in_elasticsearch import stores_in_elasticsearch
from kcompliance.model.azure.trail import trails_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Finding
from kcompliance.model.reading import Kind
from kcompliance.model.search.view import stores_of

__all__ = ["Params", "audit_stores_are_encrypted_and_not_public"]

_ASPECTS = ("encrypted", "not-public")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-011."""

    require_cmk: bool = False
    require_private_network: bool = False


@check("KC-PRO-011", params=Params)
def audit_stores_are_encrypted_and_not_public(
    cluster: Cluster, params: Params
) -> Iterator[Finding]:
    """Audit stores are encrypted at rest and not publicly reachable

    Each place that gets the audit log: in Azure, in AWS, and Elasticsearch.
    """
    azure = cluster.platform is Platform.AKS or bool(trails_of(cluster))
    aws = cluster.platform is Platform.EKS
    if azure:
        yield from stores_in_azure(
            cluster,
            require_cmk=params.require_cmk,
            require_private_network=params.require_private_network,
        )
    if aws:
        yield from stores_in_aws(cluster, require_cmk=params.require_cmk)
    if stores_of(cluster):
        yield from stores_in_elasticsearch(cluster)
    elif not azure and not aws:
        yield from _no_store(cluster)


def _no_store(cluster: Cluster) -> Iterator[Finding]:
    gaps = cluster.gaps_in(Kind.FILE)
    for aspect in _ASPECTS:
        yield from (Finding.unreadable(gap, aspect=aspect) for gap in gaps)
        if not gaps:
            yield Finding.manual(
                cluster.name,
                "no store is declared for this cluster",
                "Where does this cluster's trail go? Name its stores in kcompliance.yaml.",
                aspect=aspect,
            )
