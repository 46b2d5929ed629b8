"""KC-AUD-005: every kube-apiserver runs with an audit policy file that loads."""

from collections.abc import Iterator

from kcompliance.checks.interface import NoParams, check
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen, policy_question
from kcompliance.model.apiserver import Mount
from kcompliance.model.audit_policy import Loaded, NotRead, Refused, load_policy
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import (
    AmbiguousPolicy,
    FoundPolicy,
    NoPolicyText,
    Replica,
    policy_of,
    replicas,
)
from kcompliance.model.reading import Kind

__all__ = ["policy_is_set_and_loads"]


@check("KC-AUD-005", params=NoParams)
def policy_is_set_and_loads(cluster: Cluster, _params: NoParams) -> Iterator[Finding]:
    """Every kube-apiserver runs with an audit policy file that loads

    Each replica on its own: one server without a policy is a hole in the trail of all.
    """
    yield from flags_not_seen(cluster, "main", Kind.AUDIT_POLICY, Kind.VERSION)
    for replica in replicas(cluster):
        yield _judge(cluster, replica)


def _judge(cluster: Cluster, replica: Replica) -> Finding:
    path = replica.settings.policy_file
    evidence = evidence_of(replica.raw, "--audit-policy-file", path or "not set")
    if replica.flagz is not None and replica.flagz != replica.raw:
        evidence += evidence_of(replica.flagz, "audit-policy-file", path or "not set")
    unsure = flag_in_doubt(replica, "audit-policy-file")
    if unsure:
        return Finding.error(replica.name, unsure, evidence)
    if not path:
        return Finding.failed(
            replica.name, "--audit-policy-file is not set: no backend records anything", evidence
        )
    unmounted = _not_mounted(replica, path)
    if unmounted:
        return Finding.failed(replica.name, unmounted, evidence)
    match policy_of(cluster, replica):
        case NoPolicyText():
            return Finding.manual(
                replica.name,
                f"--audit-policy-file is {path}, and that file is not in what was given",
                policy_question(replica.name, path),
                evidence,
            )
        case AmbiguousPolicy(policies=policies):
            names = ", ".join(policy.name for policy in policies)
            return Finding.error(
                replica.name, f"several different texts could be {path}: {names}", evidence
            )
        case FoundPolicy(policy=policy, note=note):
            problems = replica.server.arguments.problems if replica.server else ()
            notes = (*((note,) if note else ()), *_shared_text(cluster, policy), *problems)
            return _judge_text(cluster, replica, policy, evidence, notes)


def _judge_text(
    cluster: Cluster,
    replica: Replica,
    policy: PolicyText,
    evidence: tuple[Evidence, ...],
    notes: tuple[str, ...],
) -> Finding:
    version = (replica.server.version if replica.server else None) or cluster.version
    match load_policy(policy.text, version):
        case Refused(reasons=reasons):
            evidence += evidence_of(policy.raw, policy.location or "whole file", reasons[0])
            return Finding.failed(
                replica.name,
                f"kube-apiserver refuses {policy.name}: {'; '.join(reasons[:3])}",
                evidence,
                notes=notes,
            )
        case NotRead(reason=reason):
            return Finding.error(replica.name, f"{policy.name} was not read: {reason}", evidence)
        case Loaded() as loaded:
            count = len(loaded.policy.rules)
            evidence += evidence_of(policy.raw, policy.location or "rules", f"{count} rules")
            if loaded.needs_group_wildcard and version is None:
                return Finding.manual(
                    replica.name,
                    f'{policy.name} has group "*", which stops a server before Kubernetes 1.36',
                    f"Does {replica.name} run Kubernetes 1.36 or newer?",
                    evidence,
                    notes=notes,
                )
            dropped = tuple(warning.message for warning in loaded.warnings)
            return Finding.passed(
                replica.name,
                f"runs with {path_of(replica)}, and kube-apiserver accepts it ({count} rules)",
                evidence,
                notes=(*notes, *dropped),
            )


def _shared_text(cluster: Cluster, policy: PolicyText) -> tuple[str, ...]:
    """Each node has a file of its own, and only as many were seen as there are texts."""
    answers = [policy_of(cluster, replica) for replica in replicas(cluster)]
    users = sum(isinstance(a, FoundPolicy) and a.policy == policy for a in answers)
    if users < 2:
        return ()
    return (f"{policy.name} was taken for the file of {users} servers",)


def path_of(replica: Replica) -> str:
    """The policy file's path in the words of the flag."""
    return replica.settings.policy_file or "no policy file"


def _not_mounted(replica: Replica, path: str) -> str | None:
    server = replica.server
    if server is None or server.on_host or server.mounts is None:
        return None
    mount: Mount | None = server.mount_for(path)
    if mount is None:
        return f"--audit-policy-file is {path}, which no volume mount of the container covers"
    return None
