"""Whether an address is inside or outside of a cluster, as far as its objects tell."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from kcompliance.model.apiserver.plain_data import at, sequence, text, texts
from kcompliance.model.cluster import Cluster
from kcompliance.model.listing import Listing
from kcompliance.model.reading import REDACTED, Kind, Raw
from kcompliance.model.workloads import Node, read_node

__all__ = ["Network", "Place", "Where", "host_of", "network_of"]


class Place(StrEnum):
    """Where an address leads."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Where:
    """The answer, and why, as the end of a sentence."""

    place: Place
    because: str


_REFERENCE = re.compile(r"[$%#]\{|\{\{|\$\(|^\$|^env\(|sys\.env|\.exports?\b")
_SAME_MACHINE = (
    ".docker.internal",
    ".minikube.internal",
    ".k3d.internal",
    ".containers.internal",
)


def host_of(address: str) -> str | None:
    """The host of a URL, of `host:port` or of a host; None where something else fills it in."""
    if _REFERENCE.search(address) or address.strip("\"'") in ("", REDACTED):
        return None
    if address.count(":") > 1 and "[" not in address and "/" not in address:
        address = f"[{address}]"
    written = address if "://" in address else f"//{address}"
    try:
        host = urlsplit(written).hostname
    except ValueError:
        return None
    return host.rstrip(".") if host and REDACTED.lower() not in host else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is known of a cluster's own names and addresses.

    `whole`: all Services and nodes were listed, so that an address of none of them is outside.
    """

    services: tuple[object, ...] = ()
    nodes: tuple[Node, ...] = ()
    whole: bool = False
    own: Mapping[str, str] = field(default_factory=dict)
    """What an address or name of the cluster itself belongs to."""
    raws: tuple[Raw, ...] = ()
    """The lists of Services and nodes."""

    def where(self, address: str, namespace: str | None) -> Where:
        """Where an address leads that is resolved by a pod of this namespace; None: on a node."""
        host = host_of(address)
        if host is None:
            return Where(Place.UNKNOWN, f"{address} is filled in by something that is not read")
        return self._host(host.lower(), namespace, depth=0)

    def _host(self, host: str, namespace: str | None, depth: int) -> Where:
        if host in self.own:
            return Where(Place.INSIDE, f"{host} is {self.own[host]}")
        try:
            return self._address(ipaddress.ip_address(host))
        except ValueError:
            pass
        if host == "localhost" or host.endswith((".localhost", *_SAME_MACHINE)):
            return Where(Place.INSIDE, f"{host} is the machine itself")
        return self._name(host, namespace, depth)

    def _name(self, host: str, namespace: str | None, depth: int) -> Where:
        labels = host.split(".")
        of_cluster = host.endswith(".cluster.local") or labels[2:3] == ["svc"]
        may_be = of_cluster or (namespace is not None and len(labels) <= 2)
        service = self._service(labels, namespace) if may_be else None
        if service is not None:
            return self._behind(host, service, namespace, depth)
        if of_cluster:
            return Where(Place.INSIDE, f"{host} is a name of the cluster")
        if len(labels) == 1:
            return Where(Place.UNKNOWN, f"{host} is a name without a domain, and no Service is it")
        if may_be and not self.whole:
            because = f"{host} may be a Service of the cluster, whose Services are not all known"
            return Where(Place.UNKNOWN, because)
        return Where(Place.OUTSIDE, f"{host} is outside of the cluster")

    def _service(self, labels: list[str], namespace: str | None) -> object | None:
        name, space = labels[0], labels[1] if len(labels) > 1 else namespace
        for service in self.services:
            if at(service, "metadata", "name") == name and (
                (text(at(service, "metadata", "namespace")) or "default") == space
            ):
                return service
        return None

    def _behind(self, host: str, service: object, namespace: str | None, depth: int) -> Where:
        """A Service may be another name of something outside, or have endpoints set by hand."""
        external = text(at(service, "spec", "externalName"))
        if at(service, "spec", "type") == "ExternalName" and external:
            if depth > 5:
                return Where(Place.UNKNOWN, f"{host} is a Service that leads back to itself")
            found = self._host(external.lower().rstrip("."), namespace, depth + 1)
            return Where(found.place, f"{host} is a Service for {found.because}")
        if not at(service, "spec", "selector"):
            because = f"{host} is a Service without a selector, whose endpoints are not read"
            return Where(Place.UNKNOWN, because)
        return Where(Place.INSIDE, f"{host} is a Service of the cluster")

    def _address(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Where:
        if address.is_loopback or address.is_unspecified or address.is_link_local:
            return Where(Place.INSIDE, f"{address} is the machine itself")
        for node in self.nodes:
            if any(_within(address, network) for network in node.pod_networks):
                return Where(Place.INSIDE, f"{address} is a pod's on {node.name}")
        if not self.whole:
            because = f"{address} may be one of the cluster, whose Services and nodes are not known"
            return Where(Place.UNKNOWN, because)
        return Where(Place.OUTSIDE, f"{address} is no address of the cluster's Services or nodes")


def network_of(cluster: Cluster) -> Network:
    """What the lists of Services and nodes tell."""
    services, nodes = cluster.listed(Kind.SERVICES), cluster.listed(Kind.NODES)
    listed_services = services.of_kind("Service") if isinstance(services, Listing) else ()
    listed_nodes = nodes.of_kind("Node") if isinstance(nodes, Listing) else ()
    known = tuple(read_node(found) for found, _ in listed_nodes)
    found = tuple(service for service, _ in listed_services)
    own = {address.lower(): f"the node {node.name}" for node in known for address in node.addresses}
    own |= {address.lower(): title for service in found for address, title in _own(service)}
    whole = all(isinstance(each, Listing) and each.whole for each in (services, nodes))
    raws = tuple(
        raw for each in (services, nodes) if isinstance(each, Listing) for raw in each.raws
    )
    return Network(services=found, nodes=known, whole=whole, own=own, raws=raws)


def _own(service: object) -> Iterator[tuple[str, str]]:
    """The addresses of a Service, also those at which the world reaches it."""
    namespace = text(at(service, "metadata", "namespace")) or "default"
    title = f"the Service {namespace}/{text(at(service, 'metadata', 'name'))}"
    spec = at(service, "spec")
    for address in (text(at(spec, "clusterIP")), *texts(at(spec, "clusterIPs"))):
        if address and address != "None":
            yield address, title
    for address in (text(at(spec, "loadBalancerIP")), *texts(at(spec, "externalIPs"))):
        if address:
            yield address, title
    for each in sequence(at(service, "status", "loadBalancer", "ingress")):
        for address in (text(at(each, "ip")), text(at(each, "hostname"))):
            if address:
                yield address, title


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
