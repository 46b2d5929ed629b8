"""The part of KC-PRO-011 on Elasticsearch and OpenSearch: their disks, and who reaches them."""

from collections.abc import Iterator
from typing import Final

from kcompliance.checks.trail_stores import stores_to_judge
from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.listing import KubernetesObject, Listing
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.search.view import SearchStore

__all__ = ["stores_in_elasticsearch"]

_ASPECTS: Final = ("encrypted", "not-public")
_PORTS: Final = {"9200", "9201", "9243"}
_NAMES: Final = ("elasticsearch", "opensearch")
_INTERNAL: Final = {
    "service.beta.kubernetes.io/azure-load-balancer-internal": {"true"},
    "service.beta.kubernetes.io/aws-load-balancer-internal": {"true", "0.0.0.0/0"},
    "service.beta.kubernetes.io/aws-load-balancer-scheme": {"internal"},
    "networking.gke.io/load-balancer-type": {"internal"},
    "cloud.google.com/load-balancer-type": {"internal"},
}
"""What makes a load balancer one of the private network."""
_EVERYWHERE: Final = {"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"}


def stores_in_elasticsearch(cluster: Cluster) -> Iterator[Finding]:
    """One finding for each store and aspect."""
    for store in stores_to_judge(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        yield Finding.manual(
            store.name,
            "no API of a search server tells whether its disks are encrypted",
            "Are the disks and the snapshots of its nodes encrypted, and with whose key?",
            aspect="encrypted",
        )
        yield from _doors(cluster, store)


def _doors(cluster: Cluster, store: SearchStore) -> Iterator[Finding]:
    listing = cluster.listed(Kind.SERVICES)
    gaps = [gap for gap in cluster.gaps if gap.origin.kind is Kind.SERVICES]
    if gaps:
        yield from (Finding.unreadable(gap, aspect="not-public") for gap in gaps)
        return
    mine = _services(listing) if isinstance(listing, Listing) else ()
    evidence: tuple[Evidence, ...] = ()
    open_ = []
    for found, raw in mine:
        name = f"{text(at(found, 'metadata', 'namespace')) or 'default'}/"
        name += text(at(found, "metadata", "name")) or "without a name"
        why = _public(found)
        evidence += evidence_of(raw, f"Service {name}", why or _type(found))
        if why:
            open_.append(f"the Service {name} {why}")
    if open_:
        because = f"the public may reach it: {'; '.join(open_)}"
        yield Finding.failed(store.name, because, evidence, aspect="not-public")
    elif mine and isinstance(listing, Listing) and listing.whole:
        because = f"none of the {len(mine)} Services of a search server in this cluster is open "
        because += "to the public"
        notes = ("what an Ingress or a Gateway lets in is not looked at",)
        yield Finding.passed(store.name, because, evidence, aspect="not-public", notes=notes)
    else:
        yield Finding.manual(
            store.name,
            "which networks reach it is not told by anything that was read",
            f"Can {store.name} be reached from the internet, and which networks may connect? If it "
            "runs in the scanned cluster, declare `kube` beside it.",
            evidence,
            aspect="not-public",
        )


def _services(listing: Listing) -> tuple[tuple[KubernetesObject, Raw], ...]:
    return tuple((found, raw) for found, raw in listing.of_kind("Service") if _is_search(found))


def _is_search(service: KubernetesObject) -> bool:
    """A Service of a search server, by its ports, its name or what it selects."""
    ports = [
        text(at(port, key))
        for port in sequence(at(service, "spec", "ports"))
        for key in ("port", "targetPort")
    ]
    words = [
        text(at(service, "metadata", "name")) or "",
        *texts(list(mapping(at(service, "metadata", "labels")).values())),
        *texts(list(mapping(at(service, "spec", "selector")).values())),
    ]
    return bool(_PORTS & set(ports)) or any(n in word.lower() for word in words for n in _NAMES)


def _type(service: KubernetesObject) -> str:
    return text(at(service, "spec", "type")) or "ClusterIP"


def _public(service: KubernetesObject) -> str | None:
    """Why the public may reach a Service; None where it may not."""
    external = texts(at(service, "spec", "externalIPs"))
    if external:
        return f"has the external addresses {', '.join(external)}"
    if _type(service) != "LoadBalancer":
        return None
    notes = mapping(at(service, "metadata", "annotations"))
    if any((text(notes.get(name)) or "").lower() in values for name, values in _INTERNAL.items()):
        return None
    allowed = set(texts(at(service, "spec", "loadBalancerSourceRanges")))
    if not allowed:
        return "is a load balancer that lets everybody in"
    if allowed & _EVERYWHERE:
        return f"is a load balancer that lets in {', '.join(sorted(allowed & _EVERYWHERE))}"
    return None
