"""A server that is told to refuse what it cannot record, and a policy by which it never does.

In the mode blocking-strict a request is refused if its event of the stage RequestReceived cannot
be written. Where the policy omits that stage there is no such event: requests succeed unrecorded.
"""

from collections.abc import Iterator

from kcompliance.checks.by_policy import rule_evidence
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen, policy_not_found
from kcompliance.model.audit_policy import (
    AuditPolicy,
    Level,
    Loaded,
    NotRead,
    Refused,
    Stage,
    load_policy,
)
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.in_force import FoundPolicy, Replica, policy_of, replicas
from kcompliance.model.reading import Kind

__all__ = ["strict_blocking"]


def strict_blocking(cluster: Cluster, aspect: str) -> Iterator[Finding]:
    """A finding on each API server."""
    if cluster.published is not None and not cluster.gaps_in(Kind.VERSION):
        policy = cluster.published.policy
        because = f"the server's flags and {policy.name} are not the customer's"
        evidence = evidence_of(policy.raw, "whole file")
        yield Finding.not_applicable(cluster.name, because, evidence, aspect=aspect)
        return
    yield from flags_not_seen(cluster, aspect, Kind.AUDIT_POLICY, Kind.VERSION)
    for replica in replicas(cluster):
        yield _judge(cluster, replica, aspect)


def _judge(cluster: Cluster, replica: Replica, aspect: str) -> Finding:
    doubt = flag_in_doubt(replica, "audit-log-mode", "audit-webhook-mode", "audit-policy-file")
    if doubt:
        return Finding.error(replica.name, doubt, _flags(replica), aspect=aspect)
    strict = _strict_flags(replica)
    if not strict:
        because = "no backend of it is blocking-strict, so it refuses nothing by design"
        return Finding.not_applicable(replica.name, because, _flags(replica), aspect=aspect)
    answer = policy_of(cluster, replica)
    if not isinstance(answer, FoundPolicy):
        return policy_not_found(replica, answer, aspect, Status.NOT_APPLICABLE)
    policy = answer.policy
    match load_policy(policy.text, cluster.version):
        case NotRead(reason=reason):
            because = f"its policy {policy.name} was not read: {reason}"
            return Finding.error(replica.name, because, _flags(replica), aspect=aspect)
        case Refused(reasons=reasons):
            because = f"kube-apiserver refuses {policy.name}: {reasons[0]}"
            return Finding.error(replica.name, because, _flags(replica), aspect=aspect)
        case Loaded(policy=rules):
            return _by_policy(replica, policy, rules, strict, aspect)


def _by_policy(
    replica: Replica, policy: PolicyText, rules: AuditPolicy, strict: str, aspect: str
) -> Finding:
    omitting = [
        index
        for index, rule in enumerate(rules.rules)
        if rule.level is not Level.NONE
        and Stage.REQUEST_RECEIVED in rules.omit_stages | rule.omit_stages
    ]
    evidence = _flags(replica)
    if not omitting:
        because = f"{strict}, and no rule omits the stage RequestReceived on which that depends"
        evidence += evidence_of(policy.raw, policy.location or "rules", "omitStages")
        return Finding.passed(replica.name, because, evidence, aspect=aspect)
    if Stage.REQUEST_RECEIVED in rules.omit_stages:
        where = "omitStages of the whole policy"
        place = f"{policy.location} omitStages".strip()
        evidence += evidence_of(policy.raw, place, "RequestReceived")
    else:
        first = rules.rules[omitting[0]]
        where = f"rule {omitting[0]} (line {first.line})"
        evidence += rule_evidence(policy, rules, omitting)
    because = (
        f"{strict} refuses what cannot be recorded at RequestReceived, and {where} omits that "
        "stage: requests succeed while their events are lost"
    )
    return Finding.failed(replica.name, because, evidence, aspect=aspect)


def _strict_flags(replica: Replica) -> str:
    settings = replica.settings
    modes = [
        f"--audit-{backend}-mode=blocking-strict"
        for backend, is_set, mode in (
            ("log", settings.log_path, settings.log_mode),
            ("webhook", settings.webhook_config_file, settings.webhook_mode),
        )
        if is_set and mode == "blocking-strict"
    ]
    return " and ".join(modes)


def _flags(replica: Replica) -> tuple[Evidence, ...]:
    raw = replica.flagz or replica.raw
    settings = replica.settings
    return evidence_of(raw, "--audit-log-mode", settings.log_mode) + evidence_of(
        raw, "--audit-webhook-mode", settings.webhook_mode
    )
