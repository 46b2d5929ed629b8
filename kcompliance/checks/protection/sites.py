"""The API servers of a cluster by the node that runs them, and the nodes that were looked at."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.model.apiserver import ApiServer
from kcompliance.model.cluster import Cluster
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.node_facts import NodeFacts
from kcompliance.model.on_node import NODE, node_of, path_on_node
from kcompliance.model.reading import Kind, Raw, Seen

__all__ = ["Site", "elsewhere", "mounts_known", "on_node", "sites"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A node that was looked at, and each server that is known of it."""

    facts: NodeFacts
    raw: Raw
    replicas: tuple[Replica, ...]
    """Those that run there, one for each, and those that nothing is seen of but a file."""
    on_disk: tuple[Seen[ApiServer], ...]
    """As the node's manifests and configurations start them."""
    pods: tuple[Seen[ApiServer], ...]
    """As the cluster shows their pods."""

    def resource(self, path: str) -> str:
        """How a finding calls a path of this node."""
        return f"{NODE}{self.facts.node}{path}"


def sites(cluster: Cluster) -> Iterator[Site]:
    """Each node that was looked at and has a server."""
    running = replicas(cluster)
    for seen in cluster.nodes:
        node = seen.value.node
        here = [s for s in cluster.api_servers if s.value.node == node]
        if not here:
            continue
        yield Site(
            facts=seen.value,
            raw=seen.raw,
            replicas=tuple(r for r in running if r.server is not None and r.server.node == node),
            on_disk=tuple(s for s in here if node_of(s.raw) and s.raw.origin.kind is Kind.OBJECTS),
            pods=tuple(s for s in here if s.value.started_at is not None),
        )


def elsewhere(cluster: Cluster) -> tuple[Replica, ...]:
    """The servers whose node was not looked at."""
    looked_at = {seen.value.node for seen in cluster.nodes}
    return tuple(
        replica
        for replica in replicas(cluster)
        if replica.server is None or replica.server.node not in looked_at
    )


def on_node(replica: Replica, path: str | None) -> str | None:
    """Where a path that its flags name lies on its node; None: nowhere, or not named."""
    if path is None or not path.startswith("/"):
        return None
    return path_on_node(replica.server, path)


def mounts_known(replica: Replica) -> bool:
    """Whether it is certain that the path on the node is the one that the server has."""
    server = replica.server
    return server is not None and (server.mounts is not None or server.on_host)
