"""What the checks say where they could not see; shared so that it sounds the same."""

from collections.abc import Iterator

from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.in_force import (
    AmbiguousPolicy,
    FoundPolicy,
    NoPolicyText,
    Replica,
    policy_of,
    replicas,
)
from kcompliance.model.reading import Kind

__all__ = [
    "flag_in_doubt",
    "flags_not_seen",
    "policies_to_judge",
    "policy_not_found",
    "policy_question",
]

_FLAG_KINDS = (Kind.API_SERVER_PODS, Kind.OBJECTS, Kind.COMMAND_LINE, Kind.FLAGZ)


def flags_not_seen(cluster: Cluster, aspect: str, *also: Kind) -> Iterator[Finding]:
    """A finding for each gap that may hide a kube-apiserver or its flags, and for finding none."""
    gaps = cluster.gaps_in(*_FLAG_KINDS, *also)
    for gap in gaps:
        yield Finding.unreadable(gap, aspect=aspect)
    if replicas(cluster) or gaps:
        return
    if cluster.live:
        yield Finding.error(
            cluster.name,
            "no pod that runs kube-apiserver can be seen, and /flagz does not tell: give its "
            "manifest or command line as a file",
            aspect=aspect,
        )
    else:
        yield Finding.manual(
            cluster.name,
            "no kube-apiserver is in what was given",
            "Which kube-apiserver runs with this? Add its manifest, its command line or its "
            "k3s, RKE2 or kubeadm configuration to the scan.",
            aspect=aspect,
        )


def flag_in_doubt(replica: Replica, *names: str) -> str | None:
    """Why what is known of these flags cannot be relied on, although arguments were read."""
    server = replica.server
    if server is None or replica.running:
        return None
    flags = [server.arguments.flag(name) for name in names]
    for name, flag in zip(names, flags, strict=True):
        if flag is not None and not flag.known:
            return f"--{name} is {flag.value}, which something that was not read fills in"
    if not server.arguments.complete:  # the last one wins, and it may be among the unseen
        return "not all flags were seen: " + "; ".join(server.arguments.problems)
    return None


def policy_question(name: str, path: str) -> str:
    """The question where a server's policy text is not at hand."""
    return (
        f"What does {path} on the node of {name} say? No API tells: copy it from the node "
        "and scan it together with the server's manifest."
    )


def policies_to_judge(
    cluster: Cluster, aspects: tuple[str, ...], *, without_policy: Status
) -> Iterator[PolicyText | Finding]:
    """The policies in force; without a server, all that were given.

    Where a server's policy is not at hand, findings for each of the aspects say so: a policy
    that merely lies beside it is no answer. `without_policy` is the verdict on a server that has
    none: a fail for what asks whether something is recorded, else not applicable.
    """
    running = replicas(cluster)
    gaps = cluster.gaps_in(Kind.AUDIT_POLICY, *_FLAG_KINDS, Kind.VERSION)
    for aspect in aspects:
        for gap in gaps:
            yield Finding.unreadable(gap, aspect=aspect)
    found = {policy.name: policy for policy in cluster.policies} if not running else {}
    for replica in running:
        answer = policy_of(cluster, replica)
        if isinstance(answer, FoundPolicy) and not flag_in_doubt(replica, "audit-policy-file"):
            found[answer.policy.name] = answer.policy
            continue
        for aspect in aspects:
            yield policy_not_found(replica, answer, aspect, without_policy)
    yield from found.values()
    if not running and not found and not gaps:
        for aspect in aspects:
            yield Finding.manual(
                cluster.name,
                "no audit policy is in what was given",
                "Which audit policy does this cluster run with? Add the file to the scan.",
                aspect=aspect,
            )


def policy_not_found(
    replica: Replica,
    answer: FoundPolicy | AmbiguousPolicy | NoPolicyText,
    aspect: str,
    without_policy: Status,
) -> Finding:
    """The finding on a server whose policy is not at hand, or not surely the one it runs with."""
    path = replica.settings.policy_file
    evidence = evidence_of(replica.raw, "--audit-policy-file", path or "not set")
    doubt = flag_in_doubt(replica, "audit-policy-file")
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect=aspect)
    if not path:
        because = "it runs without an audit policy: see KC-AUD-005"
        if without_policy is Status.FAIL:
            return Finding.failed(replica.name, because, evidence, aspect=aspect)
        return Finding.not_applicable(replica.name, because, evidence, aspect=aspect)
    if isinstance(answer, AmbiguousPolicy):
        names = ", ".join(policy.name for policy in answer.policies)
        because = f"several different texts could be {path}: {names}"
        return Finding.error(replica.name, because, evidence, aspect=aspect)
    return Finding.manual(
        replica.name,
        f"its policy {path} is not in what was given",
        policy_question(replica.name, path),
        evidence,
        aspect=aspect,
    )
