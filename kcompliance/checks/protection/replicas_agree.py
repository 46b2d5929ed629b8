"""Whether all kube-apiservers of a cluster run with the same audit flags and the same policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.approval.policy import canonical_policy, canonical_sha256
from kcompliance.model.audit_policy import Loaded, load_policy
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import FoundPolicy, Replica, policy_of, replicas
from kcompliance.model.listing import Listing
from kcompliance.model.on_node import node_of
from kcompliance.model.reading import Kind, Raw

__all__ = ["REPLICAS", "replicas_agree"]

REPLICAS: Final = "replicas"
_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"
_FORMER: Final = "node-role.kubernetes.io/master"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One server, and what of its policy is certainly its own."""

    replica: Replica
    digest: str | None = None
    policy: Raw | None = None

    @property
    def node(self) -> str | None:
        return self.replica.server.node if self.replica.server else None

    @property
    def flags(self) -> tuple[tuple[str, str], ...]:
        """The audit flags as they count; of `/flagz` alone those three that it tells for sure."""
        settings, server = self.replica.settings, self.replica.server
        if server is None:
            told = {
                "audit-policy-file": settings.policy_file,
                "audit-log-path": settings.log_path,
                "audit-webhook-config-file": settings.webhook_config_file,
            }
            return tuple((name, value) for name, value in told.items() if value)
        names = sorted({f.name for f in server.arguments.flags if f.name.startswith("audit-")})
        return tuple((name, server.arguments.value(name) or "") for name in names)


def replicas_agree(cluster: Cluster) -> Iterator[Finding]:
    """One finding on the whole cluster, and one for each gap."""
    yield from flags_not_seen(cluster, REPLICAS, Kind.NODE_FACTS, Kind.AUDIT_POLICY)
    members = _members(cluster)
    if not members:
        return
    evidence = tuple(e for member in members for e in _evidence(member))
    doubts = [(m, doubt) for m in members if (doubt := _doubt(m))]
    for member, doubt in doubts:
        yield Finding.error(member.replica.name, doubt, _evidence(member), aspect=REPLICAS)
    drift = _flag_drift(members) or _policy_drift(members)
    if drift:
        evidence = tuple(e for member in members for e in _evidence(member, in_full=True))
        yield Finding.failed(cluster.name, drift, evidence, aspect=REPLICAS)
        return
    if doubts:
        return
    unseen = tuple(_unseen(cluster, members))
    if unseen:
        yield Finding.manual(
            cluster.name,
            "; ".join(reason for reason, _ in unseen),
            " ".join(question for _, question in unseen),
            evidence,
            aspect=REPLICAS,
        )
        return
    because = f"all {len(members)} servers run with the same audit flags and the same policy"
    if len(members) == 1:
        because = f"{members[0].replica.name} is the only server"
    yield Finding.passed(cluster.name, because, evidence, aspect=REPLICAS)


def _members(cluster: Cluster) -> list[_Member]:
    """One for each server: of what is known of a node, what was seen to run counts."""
    found: dict[str, Replica] = {}
    for replica in replicas(cluster):
        server = replica.server
        key = server.node if server is not None and server.node else replica.name
        before = found.get(key)
        if before is None or _runs(replica) > _runs(before):
            found[key] = replica
    return [_member(cluster, replica) for replica in found.values()]


def _runs(replica: Replica) -> int:
    if replica.server is None or replica.server.started_at is not None:
        return 2
    return 1 if replica.raw.origin.kind is Kind.COMMAND_LINE else 0


def _member(cluster: Cluster, replica: Replica) -> _Member:
    """A policy that nobody tells the node of may be another server's."""
    answer = policy_of(cluster, replica)
    if not isinstance(answer, FoundPolicy):
        return _Member(replica=replica)
    policy = answer.policy
    own = policy.config_map is not None or (
        replica.server is not None and node_of(policy.raw) == replica.server.node is not None
    )
    if not own:
        return _Member(replica=replica)
    loaded = load_policy(policy.text)
    digest = (
        canonical_sha256(canonical_policy(loaded.policy))
        if isinstance(loaded, Loaded)
        else policy.raw.sha256
    )
    return _Member(replica=replica, digest=digest, policy=policy.raw)


def _doubt(member: _Member) -> str | None:
    return flag_in_doubt(member.replica, *(name for name, _ in member.flags))


def _flag_drift(members: Sequence[_Member]) -> str | None:
    first = members[0]
    for other in members[1:]:
        if first.flags == other.flags:
            continue
        names = sorted({name for name, _ in {*first.flags} ^ {*other.flags}})
        if None in (first.replica.server, other.replica.server):
            names = [name for name in names if name in _TOLD]
        if not names:
            continue
        listed = ", ".join(f"--{name}" for name in names)
        return f"{first.replica.name} and {other.replica.name} differ in {listed}"
    return None


_TOLD: Final = ("audit-policy-file", "audit-log-path", "audit-webhook-config-file")


def _policy_drift(members: Sequence[_Member]) -> str | None:
    known = [member for member in members if member.digest is not None]
    for other in known[1:]:
        if other.digest != known[0].digest:
            return (
                f"{known[0].replica.name} and {other.replica.name} have policies that do not mean "
                f"the same: {str(known[0].digest)[:12]} and {str(other.digest)[:12]}"
            )
    return None


def _unseen(cluster: Cluster, members: Sequence[_Member]) -> Iterator[tuple[str, str]]:
    """What keeps from saying that all agree, and the question about it."""
    listed = any(m.replica.raw.origin.kind is Kind.API_SERVER_PODS for m in members)
    nodes = {member.node for member in members}
    others = sorted(_control_plane(cluster) - {node for node in nodes if node})
    if others and None not in nodes:
        names = ", ".join(others)
        yield (
            f"no server of {names} was seen",
            f"Does kube-apiserver on {names} run with the same audit flags and policy?",
        )
    elif not listed and not _control_plane(cluster):
        yield (
            "whether there are other servers was not seen",
            "Are there other control-plane nodes, and do they run with the same audit flags and "
            "policy? Scan kube:CONTEXT together with the node.",
        )
    lacking = [
        m.replica.name for m in members if m.digest is None and m.replica.settings.policy_file
    ]
    if lacking and len(members) > 1:
        names = ", ".join(lacking)
        yield (
            f"the policy on the node was not seen of {names}",
            f"Is the audit policy of {names} the same as that of the others? Scan on each node "
            "with --node-root.",
        )


def _control_plane(cluster: Cluster) -> set[str]:
    """The nodes that the cluster itself calls so."""
    listing = cluster.listed(Kind.NODES)
    if not isinstance(listing, Listing) or not listing.whole:
        return set()
    return {name for node, _ in listing.objects if (name := _control_plane_name(node))}


def _control_plane_name(node: object) -> str | None:
    metadata = node.get("metadata") if isinstance(node, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict) or not {_CONTROL_PLANE, _FORMER} & set(labels):
        return None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


_MOST_QUOTED: Final = 1_000


def _evidence(member: _Member, *, in_full: bool = False) -> tuple[Evidence, ...]:
    quote = f"{len(member.flags)} audit flags"
    if in_full:
        quote = " ".join(f"--{name}={value}" for name, value in member.flags)[:_MOST_QUOTED]
    evidence = evidence_of(member.replica.raw, f"{member.replica.name} audit flags", quote)
    if member.policy is not None:
        evidence += evidence_of(member.policy, "whole file", f"canonical {member.digest}")
    return evidence
