"""Which ways the records of one API server's audit log take, as far as the cluster tells."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kcompliance.model.cluster import Cluster
from kcompliance.model.destinations import Network, Place, Where, network_of
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.forwarder_config import Flow, NotFollowed, Output, Reach, follow
from kcompliance.model.forwarder_files import NotAtHand, config_of, paths_in_container
from kcompliance.model.in_force import Replica
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.webhook_in_force import AmbiguousWebhook, FoundWebhook, webhook_of
from kcompliance.model.workloads import (
    Container,
    DaemonSet,
    Node,
    NodeKind,
    Pod,
    Taint,
    read_daemon_set,
    read_pod,
    runs_image,
)

__all__ = ["Logging", "Reader", "Way", "logging_of", "readers_of", "webhook_ways"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to one destination.

    `relay`: what stands there is made to send on. `unsure` keeps the way from being certain.
    """

    title: str
    """Such as `logging/fluent-bit to es.example (es)`."""
    target: frozenset[str]
    """Its addresses, or the kind of service: two ways with one target are one destination."""
    where: Where
    relay: bool = False
    drops: tuple[str, ...] = ()
    may_drop: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What one forwarder does with a log file.

    Exactly one holds: it reads the file (`reads`, with `ways` and `notes`), it does not
    (`because`), or that is not known (`unknown`).
    """

    title: str
    reads: str = ""
    because: str = ""
    unknown: str = ""
    ways: tuple[Way, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """The forwarders of a cluster and what surrounds them."""

    forwarders: tuple[tuple[DaemonSet, Raw], ...]
    whole: bool
    """All DaemonSets were listed."""
    raws: tuple[Raw, ...]
    config_maps: Listing
    pods: tuple[Pod, ...] | None
    network: Network


def logging_of(cluster: Cluster, pattern: str) -> Logging | None:
    """What was listed; None where no DaemonSets were, neither whole nor in part."""
    sets, maps = cluster.listed(Kind.DAEMON_SETS), cluster.listed(Kind.CONFIG_MAPS)
    pods = cluster.listed(Kind.FORWARDER_PODS)
    if not isinstance(sets, Listing):
        return None
    found = [(read_daemon_set(each), raw) for each, raw in sets.of_kind("DaemonSet")]
    forwarders = [(each, raw) for each, raw in found if runs_image(each, pattern)]
    return Logging(
        forwarders=tuple(sorted(forwarders, key=lambda each: each[0].title)),
        whole=sets.whole,
        raws=sets.raws,
        config_maps=maps if isinstance(maps, Listing) else Listing(whole=False),
        pods=tuple(read_pod(each) for each, _ in pods.of_kind("Pod"))
        if isinstance(pods, Listing)
        else None,
        network=network_of(cluster),
    )


# --- forwarders of a file ------------------------------------------------------------------------


def readers_of(logging: Logging, replica: Replica, path: str, pattern: str) -> Iterator[Reader]:
    """What each forwarder does with this path of the replica's node."""
    for found, raw in logging.forwarders:
        for container in runs_image(found, pattern):
            reader = _reader(logging, found, container, raw, path)
            yield _on_its_node(logging, replica, found, reader) if reader.reads else reader


def _reader(
    logging: Logging, found: DaemonSet, container: Container, raw: Raw, path: str
) -> Reader:
    title = found.title
    if len(found.containers) > 1:
        title += f" ({container.name})"
    own = evidence_of(raw, f"DaemonSet {found.title}", f"{container.name}: {container.image}")
    names = paths_in_container(found, container, path)
    if not names:
        return Reader(title=title, because=f"does not mount the folder of {path}", evidence=own)
    config = config_of(found, container, logging.config_maps)
    if isinstance(config, NotAtHand):
        return Reader(title=title, unknown=config.because, evidence=own)
    for name, config_raw in config.raws:
        own += evidence_of(config_raw, f"ConfigMap {found.namespace}/{name}", "its configuration")
    read_by: list[str] = []
    flows: list[Flow] = []
    unsure: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    for name in names:
        followed = follow(config.software, config.files, name)
        if isinstance(followed, NotFollowed):
            reason = f"its configuration {', '.join(config.files.first)} {followed.reason}"
            return Reader(title=title, unknown=reason, evidence=own)
        read_by += followed.read_by
        flows += followed.flows
        unsure, paths = tuple(dict.fromkeys(followed.unsure))[:5], followed.paths
    if not read_by and unsure:
        return Reader(title=title, unknown="; ".join(unsure), evidence=own)
    if not read_by:
        reads = f"reads {', '.join(paths[:5])}" if paths else "reads no file"
        return Reader(title=title, because=f"{reads}, and not {names[0]}", evidence=own)
    ways = tuple(_way(title, flow, logging.network, found.namespace, own) for flow in flows)
    return Reader(title=title, reads=read_by[0], ways=ways, evidence=own)


def _way(
    title: str, flow: Flow, network: Network, namespace: str, evidence: tuple[Evidence, ...]
) -> Way:
    output = flow.output
    to = ", ".join(output.addresses) or output.kind
    nowhere = output.reach is Reach.NOWHERE
    return Way(
        title=f"{title} to {to}" + (f" ({output.kind})" if output.addresses else ""),
        target=frozenset(output.addresses or (output.kind,)),
        where=_where(output, network, namespace),
        relay=output.kind.lower() in _RELAYS,
        drops=(*flow.drops, *([f"{output.kind} keeps nothing"] if nowhere else [])),
        may_drop=flow.may_drop,
        unsure=flow.unsure,
        evidence=evidence,
    )


_RELAYS = frozenset(
    {
        "forward",
        "secure_forward",
        "http",
        "tcp",
        "udp",
        "socket",
        "syslog",
        "remote_syslog",
        "logstash",
        "lumberjack",
        "kafka",
        "kafka2",
        "kafka-rest",
        "rdkafka2",
        "redis",
        "nats",
        "pulsar",
        "vector",
        "opentelemetry",
        "otlp",
        "otlphttp",
        "otlp_http",
        "gelf",
    }
)
"""Outputs behind which a program stands that sends on, rather than a store."""


def _where(output: Output, network: Network, namespace: str) -> Where:
    """The worst place among the addresses of one output: records go to any of them."""
    match output.reach:
        case Reach.CLOUD:
            return Where(Place.OUTSIDE, f"{output.kind} is a service outside of the cluster")
        case Reach.NOWHERE:
            return Where(Place.INSIDE, f"{output.kind} keeps nothing outside of the pod")
        case Reach.UNKNOWN:
            return Where(Place.UNKNOWN, f"where {output.kind} sends is not known")
        case Reach.NETWORK:
            found = [network.where(address, namespace) for address in output.addresses]
            order = (Place.INSIDE, Place.UNKNOWN, Place.OUTSIDE)
            return min(found, key=lambda where: order.index(where.place))


def _on_its_node(logging: Logging, replica: Replica, found: DaemonSet, reader: Reader) -> Reader:
    """It reads what lies on its own node: it has to run on that of the server."""
    if logging.pods is None:
        return _would_run(found, reader)
    node = replica.server.node if replica.server else None
    wanted = [node] if node else _candidates(logging.network.nodes)
    ready = {
        pod.node
        for pod in logging.pods
        if pod.ready and (pod.namespace, pod.owner) == (found.namespace, found.name)
    }
    if not wanted:
        return replace(reader, reads="", unknown=f"on which node {replica.name} runs is not known")
    lacking = [name for name in wanted if name not in ready]
    if not lacking:
        return reader
    if node is None and any(name in ready for name in wanted):
        reason = f"it is not Ready on {lacking[0]}, and where {replica.name} runs is not known"
        return replace(reader, reads="", unknown=reason)
    return replace(reader, reads="", because=f"is not Ready on {', '.join(lacking)}", ways=())


def _candidates(nodes: tuple[Node, ...]) -> list[str]:
    """Where a server can run whose node is not told: the control plane, or else anywhere."""
    linux = [node for node in nodes if node.kind is NodeKind.LINUX]
    control_plane = [node.name for node in linux if node.control_plane]
    return control_plane or [node.name for node in linux]


_CONTROL_PLANE = Taint(key="node-role.kubernetes.io/control-plane", value="", effect="NoSchedule")


def _would_run(found: DaemonSet, reader: Reader) -> Reader:
    """Of files: whether it may run on a node of the control plane; its pods are not known."""
    if found.tolerates(_CONTROL_PLANE):
        note = f"{found.title}: whether its pods run is not in what was given"
        return replace(reader, notes=(*reader.notes, note))
    reason = f"it does not tolerate {_CONTROL_PLANE.key}: whether it runs there is not known"
    return replace(reader, reads="", unknown=reason)


# --- the webhook ---------------------------------------------------------------------------------


def webhook_ways(cluster: Cluster, replica: Replica, network: Network) -> Iterator[Way | str]:
    """Where the server itself sends its events; a sentence where that cannot be told."""
    path = replica.settings.webhook_config_file
    if not path:
        return
    match webhook_of(cluster, replica):
        case FoundWebhook(file=file):
            if isinstance(file.config, str):
                yield f"the webhook's {path} is none with which the server starts: {file.config}"
                return
            server = file.config.server
            evidence = evidence_of(file.raw, f"clusters[{file.config.cluster}].server", server)
            yield Way(
                title=f"the webhook to {server}",
                target=frozenset({server}),
                where=network.where(server, None),
                relay=True,
                evidence=evidence,
            )
        case AmbiguousWebhook(names=names):
            yield f"several different files could be {path}: {', '.join(names)}"
        case _:
            yield f"the webhook's {path} is not in what was given"
