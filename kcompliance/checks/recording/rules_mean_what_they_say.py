"""KC-AUD-007: every rule of the audit policy can fire and means what its author thinks."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.sight import policies_to_judge
from kcompliance.model.audit_policy import Lint, NotRead, Refused, lint_policy, load_policy
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.reading import Kind

__all__ = ["Params", "rules_mean_what_they_say"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-007."""

    require_catch_all: bool = True


_CODES = {
    "known-fields": ("L1",),
    "rules-fire": ("L2", "L3", "L5", "L7", "L9"),
    "catch-all": ("L8", "L11"),
}
_GOOD = {
    "known-fields": "the server knows every field",
    "rules-fire": "every rule can match a request",
    "catch-all": "what no other rule names is recorded",
}


@check("KC-AUD-007", params=Params)
def rules_mean_what_they_say(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Every rule of the audit policy can fire and means what its author thinks

    A provider's policy is not judged: no customer can change a rule of it.
    """
    if cluster.published is not None and not cluster.gaps_in(Kind.VERSION):
        policy = cluster.published.policy
        evidence = evidence_of(policy.raw, "whole file")
        for aspect in _CODES:
            because = f"{policy.name} is not the customer's to change"
            yield Finding.not_applicable(cluster.name, because, evidence, aspect=aspect)
        return
    for item in policies_to_judge(cluster, tuple(_CODES), without_policy=Status.NOT_APPLICABLE):
        if isinstance(item, Finding):
            yield item
        else:
            yield from _judge(cluster, item, params)


def _judge(cluster: Cluster, policy: PolicyText, params: Params) -> Iterator[Finding]:
    loaded = load_policy(policy.text, cluster.version)
    if isinstance(loaded, Refused):
        yield from _refused(policy, loaded)
        return
    if isinstance(loaded, NotRead):
        for aspect in _CODES:
            because = f"was not read: {loaded.reason}"
            yield Finding.error(policy.name, because, aspect=aspect)
        return
    remarks = lint_policy(loaded, cluster.version, require_catch_all=params.require_catch_all)
    notes = tuple(_words(lint) for lint in remarks if lint.informational)
    for aspect, codes in _CODES.items():
        found = [lint for lint in remarks if lint.code in codes and not lint.informational]
        if found:
            because = "; ".join(_words(lint) for lint in found[:3])
            more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
            evidence = tuple(item for lint in found for item in _evidence(policy, lint))
            yield Finding.failed(policy.name, because + more, evidence, aspect=aspect)
        elif aspect == "rules-fire" and loaded.needs_group_wildcard and cluster.version is None:
            yield Finding.manual(
                policy.name,
                'group "*" matches from Kubernetes 1.36 on, and stops a server before',
                "Do all API servers with this policy run Kubernetes 1.36 or newer?",
                evidence_of(policy.raw, policy.location or "rules", "L4"),
                aspect=aspect,
            )
        else:
            evidence = evidence_of(policy.raw, policy.location or "rules")
            yield Finding.passed(
                policy.name,
                _GOOD[aspect],
                evidence,
                aspect=aspect,
                notes=notes if aspect == "rules-fire" else (),
            )


def _refused(policy: PolicyText, refused: Refused) -> Iterator[Finding]:
    reasons = "; ".join(refused.reasons[:3])
    evidence = evidence_of(policy.raw, policy.location or "whole file", refused.reasons[0])
    for aspect in _CODES:
        if aspect == "rules-fire":
            because = f"kube-apiserver refuses it, so no rule can fire: {reasons}"
            yield Finding.failed(policy.name, because, evidence, aspect=aspect)
        else:
            because = "kube-apiserver refuses it: see rules-fire"
            yield Finding.not_applicable(policy.name, because, evidence, aspect=aspect)


def _words(lint: Lint) -> str:
    where = f"rule {lint.rule} (line {lint.line}): " if lint.rule is not None else ""
    return f"{lint.code} {where}{lint.message}"


def _evidence(policy: PolicyText, lint: Lint) -> tuple[Evidence, ...]:
    place = f"line {lint.line}" if lint.line else "rules"
    return evidence_of(policy.raw, f"{policy.location} {place}".strip(), lint.code)
