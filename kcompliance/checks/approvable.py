"""What of a cluster can be approved, and what stands in the way of that (KC-PRO-002)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kcompliance.checks.cloud_settings import CloudSettings, cloud_settings
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen, policies_to_judge
from kcompliance.checks.store_settings import StoreSettings, store_settings
from kcompliance.model.approval.approved import (
    ApprovedPolicyV1,
    ApprovedServerV1,
    ApprovedWebhookV1,
    approved_webhook,
)
from kcompliance.model.approval.clouds import ApprovedCloudV1
from kcompliance.model.approval.policy import canonical_policy, canonical_sha256
from kcompliance.model.approval.settings import AUDIT_FLAGS, audit_flags
from kcompliance.model.approval.stores import ApprovedStoreV1
from kcompliance.model.audit_policy import Loaded, NotRead, Refused, load_policy
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.control import Platform
from kcompliance.model.digest import sha256
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.in_force import FoundPolicy, Replica, policy_of, replicas
from kcompliance.model.reading import Kind
from kcompliance.model.webhook_in_force import AmbiguousWebhook, FoundWebhook, webhook_of

__all__ = ["Approvable", "approvable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvable:
    """What runs, as it would be approved; no servers where only policies were given."""

    policies: tuple[ApprovedPolicyV1, ...]
    servers: tuple[ApprovedServerV1, ...]
    clouds: tuple[ApprovedCloudV1, ...] = ()
    stores: tuple[ApprovedStoreV1, ...] = ()
    notes: tuple[str, ...] = ()


def approvable(cluster: Cluster) -> Approvable | tuple[Finding, ...]:
    """What of this cluster can be approved; findings where anything stands in the way.

    Those are the same for which KC-PRO-002 would not pass: fails where no server starts with what
    was given, else errors and open questions.
    """
    obstacles: dict[tuple[str, str], Finding] = {}
    found = _Found()
    for item in _parts(cluster):
        if isinstance(item, Finding):
            obstacles[item.resource, item.because] = item
        else:
            problem = found.add(item)
            if problem is not None:
                obstacles[problem.resource, problem.because] = problem
    result = found.result()
    if not obstacles and not (result.policies or result.clouds or result.stores):
        because = "no audit policy, no kube-apiserver and no store of events is in what was given"
        return (Finding.error(cluster.name, because),)
    return tuple(obstacles.values()) or result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """One server, or a policy that was given without any."""

    policy: ApprovedPolicyV1
    name: str | None = None
    flags: dict[str, str | None] | None = None
    webhook: ApprovedWebhookV1 | None = None
    notes: tuple[str, ...] = ()


_Part = _Server | CloudSettings | StoreSettings


class _Found:
    """Brings together what is the same."""

    def __init__(self) -> None:
        self.policies: dict[str, ApprovedPolicyV1] = {}
        self._servers: list[tuple[_Server, list[str]]] = []
        self._by_name: dict[str, _Server] = {}
        self._notes: dict[str, None] = {}
        self._clouds: list[ApprovedCloudV1] = []
        self._stores: list[ApprovedStoreV1] = []

    def add(self, part: _Part) -> Finding | None:
        """Take one in; a finding where two of the same name differ."""
        match part:
            case CloudSettings(settings=cloud):
                self._clouds.append(cloud)
            case StoreSettings(settings=store):
                self._stores.append(store)
            case _:
                return self._add_server(part)
        return None

    def _add_server(self, server: _Server) -> Finding | None:
        self.policies.setdefault(server.policy.sha256, server.policy)
        self._notes.update(dict.fromkeys(server.notes))
        if server.name is None:
            return None
        namesake = self._by_name.setdefault(server.name, server)
        if namesake is not server:
            if _same(namesake, server):
                return None
            return Finding.error(server.name, "two servers of this name differ")
        for other, names in self._servers:
            if _same(other, server):
                names.append(server.name)
                return None
        self._servers.append((server, [server.name]))
        return None

    def result(self) -> Approvable:
        """All of it."""
        servers = (
            ApprovedServerV1(
                names=tuple(names),
                policy=server.policy.sha256,
                flags=server.flags or {},
                webhook=server.webhook,
            )
            for server, names in self._servers
        )
        policies = tuple(self.policies.values())
        return Approvable(
            policies=policies,
            servers=tuple(servers),
            clouds=tuple(self._clouds),
            stores=tuple(self._stores),
            notes=tuple(self._notes),
        )


def _same(one: _Server, other: _Server) -> bool:
    def parts(server: _Server) -> tuple[object, ...]:
        return server.policy.sha256, server.flags, server.webhook

    return parts(one) == parts(other)


# --- servers -------------------------------------------------------------------------------


def _parts(cluster: Cluster) -> Iterator[_Part | Finding]:
    """Policy and flags of a provider's cluster are the provider's, and so not to be approved."""
    yield from store_settings(cluster)
    if cluster.platform in (Platform.AKS, Platform.EKS):
        yield from cloud_settings(cluster)
    else:
        yield from _servers(cluster)


def _servers(cluster: Cluster) -> Iterator[_Server | Finding]:
    running = replicas(cluster)
    for gap in cluster.gaps_in(Kind.WEBHOOK_CONFIG):
        yield Finding.unreadable(gap)
    if running or cluster.live:
        yield from flags_not_seen(cluster, "main")
    given = policies_to_judge(cluster, ("main",), without_policy=Status.FAIL)
    texts = [item for item in given if not _asks_for_anything(item, cluster)]
    yield from (item for item in texts if isinstance(item, Finding))
    if not running:
        for text in (item for item in texts if isinstance(item, PolicyText)):
            policy = _policy(cluster, text)
            yield policy if isinstance(policy, Finding) else _Server(policy=policy)
    for replica in running:
        yield from _server(cluster, replica)


def _asks_for_anything(item: PolicyText | Finding, cluster: Cluster) -> bool:
    """The question for any policy at all, which is asked once and of both."""
    asked = isinstance(item, Finding) and item.status is Status.MANUAL
    return asked and not cluster.policies and not replicas(cluster)


def _server(cluster: Cluster, replica: Replica) -> Iterator[_Server | Finding]:
    found = policy_of(cluster, replica)
    doubt = flag_in_doubt(replica, *AUDIT_FLAGS)
    if doubt:
        yield Finding.error(replica.name, doubt)
    if replica.settings.invalid:
        because = f"kube-apiserver does not start with its flags: {replica.settings.invalid[0]}"
        yield Finding.failed(replica.name, because)
    if doubt or replica.settings.invalid or not isinstance(found, FoundPolicy):
        return
    policy = _policy(cluster, found.policy)
    webhook = _webhook(cluster, replica)
    yield from (part for part in (policy, webhook) if isinstance(part, Finding))
    if isinstance(policy, Finding) or isinstance(webhook, Finding):
        return
    notes = [*([found.note] if found.note else []), *webhook[1]]
    yield _Server(
        name=replica.name,
        policy=policy,
        flags=audit_flags(replica.settings),
        webhook=webhook[0],
        notes=tuple(notes),
    )


def _policy(cluster: Cluster, policy: PolicyText) -> ApprovedPolicyV1 | Finding:
    match load_policy(policy.text, cluster.version):
        case NotRead(reason=reason):
            return Finding.error(policy.name, f"was not read: {reason}")
        case Refused(reasons=reasons):
            evidence = evidence_of(policy.raw, policy.location or "whole file", reasons[0])
            return Finding.failed(policy.name, f"kube-apiserver refuses it: {reasons[0]}", evidence)
        case Loaded(policy=rules):
            canonical = canonical_policy(rules)
            return ApprovedPolicyV1(
                name=policy.name,
                sha256=sha256(policy.text),
                canonical_sha256=canonical_sha256(canonical),
                canonical=canonical,
            )


def _webhook(
    cluster: Cluster, replica: Replica
) -> tuple[ApprovedWebhookV1 | None, Iterable[str]] | Finding:
    path = replica.settings.webhook_config_file
    if not path:
        return None, ()
    match webhook_of(cluster, replica):
        case FoundWebhook(file=file, note=note):
            if isinstance(file.config, str):
                because = f"kube-apiserver does not start with it: {file.config}"
                return Finding.failed(file.name, because)
            return approved_webhook(file.config), ((note,) if note else ())
        case AmbiguousWebhook(names=names):
            because = f"several different files could be {path}: {', '.join(names)}"
            return Finding.error(replica.name, because)
        case _:
            unseen = f"{path} of {replica.name} is not in what was given: where it sends to is "
            return None, (f"{unseen}not part of what is approved",)
