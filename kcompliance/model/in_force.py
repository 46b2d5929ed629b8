"""What runs: each API server with its effective settings, and the policy that it runs with."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from kcompliance.model.apiserver import (
    ApiServer,
    AuditSettings,
    FromObject,
    Mount,
    audit_settings,
    audit_settings_from_flagz,
)
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.on_node import node_of, of_node, path_on_node
from kcompliance.model.reading import Kind, Raw, Seen

__all__ = [
    "AmbiguousPolicy",
    "FoundPolicy",
    "NoPolicyText",
    "Replica",
    "is_copy_of",
    "policy_of",
    "replicas",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One API server. `server` is None where only the server itself (`/flagz`) was heard."""

    name: str
    settings: AuditSettings
    server: ApiServer | None
    raw: Raw
    flagz: Raw | None = None

    @property
    def running(self) -> bool:
        """Whether the server itself told its settings, so that it did start with them."""
        return self.flagz is not None


def replicas(cluster: Cluster) -> tuple[Replica, ...]:
    """All API servers that were seen.

    `/flagz` is answered by whichever server the load balancer picks. Where its settings are those
    of a pod they confirm it; where they are nobody's, it is a server of its own.
    """
    found = [
        Replica(
            name=seen.value.name,
            settings=audit_settings(seen.value.arguments, seen.value.version or cluster.version),
            server=seen.value,
            raw=seen.raw,
        )
        for seen in cluster.api_servers
        if not _is_manifest_of_another(seen, cluster)
    ]
    if not isinstance(cluster.flagz, Seen):
        return tuple(found)
    effective = audit_settings_from_flagz(cluster.flagz.value, cluster.version)
    raw = cluster.flagz.raw
    for index, replica in enumerate(found):
        if _same_audit(replica.settings, effective):
            found[index] = Replica(
                name=replica.name,
                settings=effective,
                server=replica.server,
                raw=replica.raw,
                flagz=raw,
            )
            return tuple(found)
    name = f"{cluster.name} /flagz"
    return (*found, Replica(name=name, settings=effective, server=None, raw=raw, flagz=raw))


def _is_manifest_of_another(seen: Seen[ApiServer], cluster: Cluster) -> bool:
    """Whether this is the file on a node of a pod that was seen to run there with the same flags.

    They are one server, and one verdict on it is enough.
    """
    server = seen.value
    if seen.raw.origin.kind is Kind.API_SERVER_PODS or node_of(seen.raw) is None:
        return False
    return any(
        other.raw.origin.kind is Kind.API_SERVER_PODS
        and other.value.node == server.node
        and other.value.arguments == server.arguments
        and other.value.version == server.version
        for other in cluster.api_servers
    )


def _same_audit(one: AuditSettings, other: AuditSettings) -> bool:
    return (one.policy_file, one.log_path, one.webhook_config_file) == (
        other.policy_file,
        other.log_path,
        other.webhook_config_file,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPolicy:
    """The text that the server reads at its start, and how that was told."""

    policy: PolicyText
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmbiguousPolicy:
    """Several different texts could be it."""

    policies: tuple[PolicyText, ...]


@dataclass(frozen=True, slots=True)
class NoPolicyText:
    """The text is not in what was given."""


def policy_of(cluster: Cluster, replica: Replica) -> FoundPolicy | AmbiguousPolicy | NoPolicyText:
    """The policy text of a replica whose settings name a policy file.

    Told by the ConfigMap that is mounted, or by the file's whole path on the node (a folder may
    hold a copy of the node's tree). A mere file name is enough only where there is one policy in
    all, and then the finding says so.
    """
    path = replica.settings.policy_file
    if not path:
        return NoPolicyText()
    server = replica.server
    mount = server.mount_for(path) if server else None
    if mount is not None and isinstance(mount.source, FromObject):
        return _from_object(cluster, mount, mount.source, path)
    node_path = path_on_node(server, path)
    if node_path is None:
        return NoPolicyText()  # a file of the same path on the node is not the one it reads
    texts = ((p.raw, p) for p in cluster.policies if p.path and not p.config_map)
    files = of_node(texts, server.node if server else None)
    same_path = [policy for policy in files if is_copy_of(str(policy.path), node_path)]
    if same_path:
        return _one_of(_nearest(same_path, replica.raw.origin.resource))
    only = cluster.policies[0] if len(cluster.policies) == 1 else None
    if only in files and PurePosixPath(str(only.path)).name == PurePosixPath(node_path).name:
        return FoundPolicy(
            policy=only,
            note=f"{only.name} was taken for {node_path} by its file name: it is the only policy",
        )
    return NoPolicyText()


def _from_object(
    cluster: Cluster, mount: Mount, source: FromObject, path: str
) -> FoundPolicy | AmbiguousPolicy | NoPolicyText:
    """The key of the ConfigMap that the path names; a Secret may have the same name as one."""
    if source.kind != "configMap":
        return NoPolicyText()
    key = mount.sub_path or PurePosixPath(path).name
    found = [p for p in cluster.policies if (p.config_map, p.path) == (source.name, key)]
    return _one_of(found)


def _one_of(found: list[PolicyText]) -> FoundPolicy | AmbiguousPolicy | NoPolicyText:
    if not found:
        return NoPolicyText()
    if len({policy.text for policy in found}) > 1:
        return AmbiguousPolicy(policies=tuple(found))
    return FoundPolicy(policy=found[0])


def is_copy_of(path: str, node_path: str) -> bool:
    """Whether a path is this one on the node, or that in a folder with a copy of the node."""
    wanted = PurePosixPath(node_path).parts[1:]
    return len(wanted) > 1 and PurePosixPath(path).parts[-len(wanted) :] == wanted


def _nearest(policies: list[PolicyText], beside: str) -> list[PolicyText]:
    """Of copies of several nodes' trees, those that share the longest way with the manifest."""

    def shared(policy: PolicyText) -> int:
        pairs = zip(
            PurePosixPath(str(policy.path)).parts, PurePosixPath(beside).parts, strict=False
        )
        return next((i for i, (a, b) in enumerate(pairs) if a != b), 99)

    best = max(shared(policy) for policy in policies)
    return [policy for policy in policies if shared(policy) == best]
