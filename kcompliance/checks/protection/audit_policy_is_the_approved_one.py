"""KC-PRO-002: the audit policy is the one that was approved."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.approval_baseline import (
    HOW,
    Baseline,
    NoBaseline,
    baseline_of,
    moment,
    passed,
    review,
)
from kcompliance.checks.protection.provider_approval import provider_approval
from kcompliance.checks.protection.store_approval import store_approval
from kcompliance.checks.sight import (
    flag_in_doubt,
    flags_not_seen,
    policies_to_judge,
    policy_not_found,
)
from kcompliance.model.approval.approved import (
    ApprovedPolicyV1,
    ApprovedServerV1,
    ApprovedWebhookV1,
    approved_webhook,
    changed_webhook,
)
from kcompliance.model.approval.policy import canonical_policy, policy_in
from kcompliance.model.approval.policy_difference import compare_policies
from kcompliance.model.approval.settings import AUDIT_FLAGS, audit_flags, changed_flags
from kcompliance.model.audit_policy import AuditPolicy, Loaded, NotRead, Refused, load_policy
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.control import Platform
from kcompliance.model.digest import sha256
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.in_force import FoundPolicy, Replica, policy_of, replicas
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.webhook_config import WebhookFile
from kcompliance.model.webhook_in_force import AmbiguousWebhook, FoundWebhook, webhook_of

__all__ = ["Params", "audit_policy_is_the_approved_one"]

_SERVERS = (Kind.API_SERVER_PODS, Kind.OBJECTS, Kind.COMMAND_LINE, Kind.FLAGZ)
_NEEDS: Mapping[str, tuple[Kind, ...]] = {
    "policy": (*_SERVERS, Kind.AUDIT_POLICY, Kind.VERSION),
    "flags": (*_SERVERS, Kind.VERSION),
    "webhook": (*_SERVERS, Kind.WEBHOOK_CONFIG),
    "review": _SERVERS,
}
_MOST_NOTES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-002."""

    max_age_days: int = 365


@check("KC-PRO-002", params=Params)
def audit_policy_is_the_approved_one(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The audit policy is the one that was approved

    What runs is compared with kcompliance.lock: the policy by its canonical form, the audit flags
    by what they come to, the webhook by where it sends and how the two ends know each other; of a
    provider's cluster what its owner decides, of a store what governs the indices of the trail.
    """
    if cluster.platform in (Platform.AKS, Platform.EKS):
        yield from provider_approval(cluster, params.max_age_days)
    else:
        yield from _of_servers(cluster, params)
    yield from store_approval(cluster)


def _of_servers(cluster: Cluster, params: Params) -> Iterator[Finding]:
    running = replicas(cluster)
    for aspect, kinds in _NEEDS.items():
        for gap in cluster.gaps_in(Kind.APPROVED, *kinds):
            yield Finding.unreadable(gap, aspect=aspect)
    baseline = baseline_of(cluster, tuple(_NEEDS))
    if isinstance(baseline, Baseline):
        yield from _compared(cluster, running, baseline, params)
    elif isinstance(baseline, NoBaseline):
        yield from baseline.findings(cluster, tuple(_NEEDS))
    else:
        yield from baseline


def _compared(
    cluster: Cluster, running: tuple[Replica, ...], baseline: Baseline, params: Params
) -> Iterator[Finding]:
    yield from _policies(cluster, running, baseline)
    for aspect, judge in (("flags", _flags), ("webhook", _webhook)):
        yield from (f for f in flags_not_seen(cluster, aspect) if not _is_gap(f, cluster))
        for replica in running:
            yield judge(cluster, replica, baseline)
    yield review(cluster, baseline, params.max_age_days)


def _is_gap(finding: Finding, cluster: Cluster) -> bool:
    """What was told of the gaps already."""
    return any(gap.origin.resource == finding.resource for gap in cluster.gaps)


# --- the policy ----------------------------------------------------------------------------


def _policies(
    cluster: Cluster, running: tuple[Replica, ...], baseline: Baseline
) -> Iterator[Finding]:
    if not running:
        for item in policies_to_judge(cluster, ("policy",), without_policy=Status.FAIL):
            if isinstance(item, PolicyText):
                yield _policy(cluster, item, baseline.target.policies, baseline)
            elif not _is_gap(item, cluster):
                yield item
        return
    done = set()
    for replica in running:
        found = policy_of(cluster, replica)
        in_doubt = flag_in_doubt(replica, "audit-policy-file")
        if in_doubt or not isinstance(found, FoundPolicy):
            yield policy_not_found(replica, found, "policy", Status.FAIL)
            continue
        target = baseline.target
        approved = tuple(target.policy_of(each) for each in baseline.of_server(replica.name))
        key = (found.policy.name, tuple(policy.sha256 for policy in approved))
        if key not in done:
            done.add(key)
            yield _policy(cluster, found.policy, approved or target.policies, baseline)


def _policy(
    cluster: Cluster,
    policy: PolicyText,
    approved: tuple[ApprovedPolicyV1, ...],
    baseline: Baseline,
) -> Finding:
    match load_policy(policy.text, cluster.version):
        case NotRead(reason=reason):
            return Finding.error(policy.name, f"was not read: {reason}", aspect="policy")
        case Refused(reasons=reasons):
            evidence = evidence_of(policy.raw, policy.location or "whole file", reasons[0])
            because = f"kube-apiserver refuses it, and what was approved it takes: {reasons[0]}"
            return Finding.failed(policy.name, because, evidence, aspect="policy")
        case Loaded(policy=rules):
            return _loaded(policy, rules, approved, baseline)


def _loaded(
    policy: PolicyText,
    rules: AuditPolicy,
    approved: tuple[ApprovedPolicyV1, ...],
    baseline: Baseline,
) -> Finding:
    digest, canonical = sha256(policy.text), canonical_policy(rules)
    evidence = evidence_of(policy.raw, policy.location or "whole file", f"sha256 {digest}")
    same = [each for each in approved if each.canonical == canonical]
    evidence += baseline.evidence("policies")
    if same:
        notes: tuple[str, ...] = ()
        if digest not in {each.sha256 for each in same}:
            notes = (
                "its bytes are others than those that were approved, and a server makes the same "
                f"of both (comments, white space, order inside of lists): sha256 {digest} "
                f"instead of {same[0].sha256}",
            )
        because = f"{policy.name} is what was {baseline.signature}"
        return passed("policy", policy.name, because, evidence, notes)
    if not approved:
        return Finding.manual(
            policy.name,
            "no policy was approved of this target, only what its store does",
            f"Is {policy.name} what was reviewed and approved? {HOW}",
            evidence,
            aspect="policy",
        )
    before = policy_in(approved[0].canonical)
    assert before is not None  # noqa: S101 - whoever reads a lock sees to it
    difference = compare_policies(before, rules)
    since = moment(baseline.target.approved_at)
    because = f"it is not what was approved on {since}: {difference.summary}"
    lines = difference.lines[:_MOST_NOTES] if difference.shortened else ()
    return Finding.failed(policy.name, because, evidence, aspect="policy", notes=lines)


# --- flags and webhook ---------------------------------------------------------------------

_Judge = Callable[[Cluster, Replica, Baseline], Finding]


def _flags(cluster: Cluster, replica: Replica, baseline: Baseline) -> Finding:
    doubt = flag_in_doubt(replica, *AUDIT_FLAGS)
    now = audit_flags(replica.settings)
    raw = replica.flagz or replica.raw
    evidence = tuple(e for name in now if name in _QUOTED for e in _quote(raw, name, now[name]))
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect="flags")
    if replica.settings.invalid:
        because = f"kube-apiserver does not start with its flags: {replica.settings.invalid[0]}"
        return Finding.failed(replica.name, because, evidence, aspect="flags")
    approved = baseline.of_server(replica.name)
    if not approved:
        return _only_policies(replica, baseline, "flags")
    evidence += baseline.evidence("servers")
    changes = min((list(changed_flags(each.flags, now)) for each in approved), key=len)
    if changes:
        because = f"its audit flags are not those that were approved: {'; '.join(changes)}"
        return Finding.failed(replica.name, because, evidence, aspect="flags")
    because = f"its {len(now)} audit settings are those that were approved"
    return passed("flags", replica.name, because, evidence, _new_server(replica, baseline))


_QUOTED = ("audit-policy-file", "audit-log-path", "audit-webhook-config-file")


def _quote(raw: Raw, name: str, value: str | None) -> tuple[Evidence, ...]:
    return evidence_of(raw, f"--{name}", value or "not known")


def _new_server(replica: Replica, baseline: Baseline) -> tuple[str, ...]:
    if baseline.knows(replica.name):
        return ()
    return ("this server was not there when it was approved, and runs as those that were",)


def _only_policies(replica: Replica, baseline: Baseline, aspect: str) -> Finding:
    approved = "a policy" if baseline.target.policies else "a store"
    return Finding.manual(
        replica.name,
        f"only {approved} was approved, without a server that runs with it",
        f"Are the audit flags and the webhook of {replica.name} those that were approved? If so, "
        "approve them with the policy: run kcompliance approve on the same target.",
        baseline.evidence("servers"),
        aspect=aspect,
    )


def _webhook(cluster: Cluster, replica: Replica, baseline: Baseline) -> Finding:
    path = replica.settings.webhook_config_file
    raw = replica.flagz or replica.raw
    evidence = _quote(raw, "audit-webhook-config-file", path or "not set")
    doubt = flag_in_doubt(replica, "audit-webhook-config-file")
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect="webhook")
    approved = baseline.of_server(replica.name)
    if not approved:
        return _only_policies(replica, baseline, "webhook")
    evidence += baseline.evidence("servers")
    if not path:
        return _sends_nowhere(replica, approved, baseline, evidence)
    match webhook_of(cluster, replica):
        case FoundWebhook(file=file, note=note):
            notes = (note,) if note else ()
            return _sends(replica, file, approved, evidence, notes)
        case AmbiguousWebhook(names=names):
            because = f"several different files could be {path}: {', '.join(names)}"
            return Finding.error(replica.name, because, evidence, aspect="webhook")
        case _:
            return Finding.manual(
                replica.name,
                f"the kubeconfig of its webhook, {path}, is not in what was given",
                f"Does {path} of {replica.name} still name the server that was approved? No API "
                "tells: copy it from the node and scan it together with the server's manifest.",
                evidence,
                aspect="webhook",
            )


def _sends_nowhere(
    replica: Replica,
    approved: tuple[ApprovedServerV1, ...],
    baseline: Baseline,
    evidence: tuple[Evidence, ...],
) -> Finding:
    with_one = [each for each in approved if _had_webhook(each)]
    if len(with_one) < len(approved):
        because = "it posts its events to no webhook, as it was approved"
        return passed("webhook", replica.name, because, evidence, _new_server(replica, baseline))
    webhook = with_one[0].webhook
    to = webhook.server if webhook else with_one[0].flags.get("audit-webhook-config-file")
    because = f"it posts its events to no webhook, and was approved with {to}"
    return Finding.failed(replica.name, because, evidence, aspect="webhook")


def _had_webhook(server: ApprovedServerV1) -> bool:
    return server.flags.get("audit-webhook-config-file") != "not set"


def _sends(
    replica: Replica,
    file: WebhookFile,
    approved: tuple[ApprovedServerV1, ...],
    evidence: tuple[Evidence, ...],
    notes: tuple[str, ...],
) -> Finding:
    if isinstance(file.config, str):
        evidence += evidence_of(file.raw, "whole file")
        because = f"kube-apiserver does not start with {file.name}: {file.config}"
        return Finding.failed(replica.name, because, evidence, aspect="webhook", notes=notes)
    place = f"clusters[{file.config.cluster}].cluster.server"
    evidence += evidence_of(file.raw, place, file.config.server)
    now = approved_webhook(file.config)
    if any(each.webhook == now for each in approved):
        because = f"it posts its events to {now.server}, as it was approved"
        return passed("webhook", replica.name, because, evidence, notes)
    known: list[ApprovedWebhookV1] = [each.webhook for each in approved if each.webhook]
    if known:
        changes = min((list(changed_webhook(each, now)) for each in known), key=len)
        because = f"its webhook is not the one that was approved: {'; '.join(changes)}"
        return Finding.failed(replica.name, because, evidence, aspect="webhook", notes=notes)
    if any(_had_webhook(each) for each in approved):
        return Finding.manual(
            replica.name,
            f"it posts its events to {now.server}, and its kubeconfig was not there to be approved",
            f"Is {now.server} where the events of {replica.name} are meant to go? If so, run "
            "kcompliance approve with this file among the targets.",
            evidence,
            aspect="webhook",
            notes=notes,
        )
    because = f"it posts its events to {now.server}, and was approved without a webhook"
    return Finding.failed(replica.name, because, evidence, aspect="webhook", notes=notes)
