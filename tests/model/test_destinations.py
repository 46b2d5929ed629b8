"""Whether an address is inside of a cluster, by its Services and nodes."""

from typing import Any

import pytest

from kcompliance.model.cluster import Cluster
from kcompliance.model.destinations import Place, host_of, network_of
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind
from tests.captures import raw


def service(name: str, namespace: str = "logging", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, **spec},
    }


SERVICES: list[dict[str, Any]] = [
    service("es", clusterIP="10.96.0.20", clusterIPs=["10.96.0.20", "fd00::20"]),
    service("headless", clusterIP="None"),
    service("outside", type="ExternalName", externalName="Logs.Example.COM."),
    service("inside", type="ExternalName", externalName="es.logging.svc.cluster.local"),
    service("circle", type="ExternalName", externalName="circle.logging.svc"),
    service("by-hand", selector=None),
    {
        **service("lb", externalIPs=["198.51.100.1"]),
        "status": {
            "loadBalancer": {"ingress": [{"ip": "203.0.113.9"}, {"hostname": "lb.example"}]}
        },
    },
]
NODES: list[dict[str, Any]] = [
    {
        "kind": "Node",
        "metadata": {"name": "node-1"},
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "not a network"]},
        "status": {"addresses": [{"address": "192.0.2.11"}, {"address": "Node-1.example"}]},
    }
]


def cluster(*, whole: bool = True) -> Cluster:
    def listing(kind: Kind, objects: list[dict[str, Any]]) -> Listing:
        source = raw(kind, "list", "")
        return Listing(objects=tuple((o, source) for o in objects), whole=whole, raws=(source,))

    return Cluster(
        name="c",
        platform=None,
        platform_because="",
        live=True,
        listings={
            Kind.SERVICES: listing(Kind.SERVICES, SERVICES),
            Kind.NODES: listing(Kind.NODES, NODES),
        },
    )


INSIDE = (
    "es",
    "es:9200",
    "http://es:9200/x",
    "es.logging",
    "es.logging.svc",
    "es.logging.svc.cluster.local.",
    "ES.logging.SVC",
    "headless.logging",
    "gone.logging.svc",
    "x.y.cluster.local",
    "inside",
    "lb.example",
    "10.96.0.20",
    "[fd00::20]:9200",
    "https://u:REDACTED@10.96.0.20:9200",
    "192.0.2.11",
    "node-1.example",
    "10.244.1.7",
    "198.51.100.1",
    "203.0.113.9",
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "localhost:24224",
    "169.254.169.254",
    "host.docker.internal",
    "host.minikube.internal",
)
OUTSIDE = (
    "logs.example.com",
    "https://logs.example.com:9200",
    "example.com",
    "outside",
    "outside.logging.svc",
    "192.0.2.99",
    "10.245.0.1",
    "[2001:db8::1]:443",
    "es.other.example",
    "a.svc.example.com",
)
UNKNOWN = (
    "${ES_HOST}",
    "https://${ES_HOST}:9200",
    "#{ENV['ES']}",
    "%{host}",
    "{{ .Values.host }}",
    "$(ES_HOST)",
    'env("ES")',
    "REDACTED",
    "",
    "somewhere",
    "circle",
    "by-hand",
    "http://[::1",
)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        *((address, Place.INSIDE) for address in INSIDE),
        *((address, Place.OUTSIDE) for address in OUTSIDE),
        *((address, Place.UNKNOWN) for address in UNKNOWN),
    ],
)
def test_where_an_address_leads(address: str, place: Place) -> None:
    found = network_of(cluster()).where(address, "logging")

    assert found.place is place, found
    assert found.because


@pytest.mark.parametrize("address", ["192.0.2.99", "example.com", "somewhere", "es.other"])
def test_without_all_services_nothing_short_is_outside(address: str) -> None:
    found = network_of(cluster(whole=False)).where(address, "logging")

    assert found.place is Place.UNKNOWN


def test_a_short_name_is_looked_up_in_the_namespace_of_the_pod() -> None:
    network = network_of(cluster())

    assert network.where("es", "logging").place is Place.INSIDE
    assert network.where("es", "other").place is Place.UNKNOWN
    assert network.where("es.logging", "other").place is Place.INSIDE


def test_a_node_does_not_know_the_short_names_of_services() -> None:
    network = network_of(cluster())

    assert network.where("example.com", None).place is Place.OUTSIDE
    assert network.where("es.logging", None).place is Place.OUTSIDE
    assert network.where("es.logging.svc", None).place is Place.INSIDE


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://a.example:9200/path", "a.example"),
        ("a.example:9200", "a.example"),
        ("https://REDACTED@a.example", "a.example"),
        ("[2001:db8::1]:9200", "2001:db8::1"),
        ("http://a b", "a b"),
        ("a.example.", "a.example"),
        ("https://REDACTED/x", None),
    ],
)
def test_the_host_of_an_address(address: str, host: str | None) -> None:
    assert host_of(address) == host
