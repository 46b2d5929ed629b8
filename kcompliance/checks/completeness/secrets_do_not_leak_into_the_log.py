"""KC-CMP-006: secrets and tokens do not leak into the audit log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.by_policy import Answer, OwnPolicy, holes_answer, judge_by_policy
from kcompliance.checks.completeness.provider_owned import asked_of_the_provider
from kcompliance.checks.interface import check
from kcompliance.model.audit_policy import AuditPolicy, Level
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.personas import PERSONAS, WRITES, Persona
from kcompliance.model.probes import Probe, Tried, ask, cluster_wide, in_words_of, objects, try_each
from kcompliance.model.request import User

__all__ = ["Params", "secrets_do_not_leak_into_the_log"]

_ASPECTS: Final = ("bodies", "tokens", "recorded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-006."""

    leak_profile: str = "cis"


@check("KC-CMP-006", params=Params)
def secrets_do_not_leak_into_the_log(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Secrets and tokens do not leak into the audit log

    CIS wants secrets, config maps and token reviews at Metadata exactly: not more, and not less.
    """
    if params.leak_profile not in ("cis", "stig"):
        because = f'leak_profile is "{params.leak_profile}", where cis or stig is needed'
        for aspect in _ASPECTS:
            yield Finding.error(cluster.name, because, aspect=aspect)
        return
    findings = judge_by_policy(
        cluster,
        _ASPECTS,
        _judge_as_stig if params.leak_profile == "stig" else _judge,
        question="Does any event of {name} about a secret or a config map hold a requestObject "
        "or a responseObject? Look for some in the log store.",
        own=OwnPolicy(without=Status.NOT_APPLICABLE),
    )
    yield from asked_of_the_provider(
        cluster,
        findings,
        question="Is anything secret in what these rules record of {name}? Nobody but its "
        "provider can change them.",
    )


def _judge_as_stig(policy: PolicyText, _rules: AuditPolicy) -> Iterator[Answer]:
    because = "leak_profile is stig, and V-242403 asks for the bodies of everything"
    for aspect in _ASPECTS:
        yield Answer(
            status=Status.NOT_APPLICABLE,
            because=because,
            evidence=evidence_of(policy.raw, policy.location or "whole file"),
            aspect=aspect,
        )


def _judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
    secrets = try_each(rules, _secrets(rules, (*PERSONAS, *_named_users(rules))))
    leaks = [each for each in secrets if _is_above(each, Level.METADATA)]
    lack = "are recorded above Metadata"
    yield _answer(policy, rules, secrets, leaks, lack, "bodies")
    tokens = try_each(rules, _tokens(rules, (*PERSONAS, *_named_users(rules))))
    leaks = [each for each in tokens if _is_above(each, Level.REQUEST)]
    lack = "are recorded above Request, with the token that they give"
    yield _answer(policy, rules, tokens, leaks, lack, "tokens")
    asked = try_each(rules, _secrets(rules, PERSONAS))
    lost = [each for each in asked if not each.recorded_at(Level.METADATA)]
    lack = "are recorded below Metadata"
    yield holes_answer(policy, rules, asked, lost, lack=lack, aspect="recorded")


def _answer(
    policy: PolicyText,
    rules: AuditPolicy,
    tried: tuple[Tried, ...],
    leaks: list[Tried],
    lack: str,
    aspect: str,
) -> Answer:
    kept = f"records none of {len(tried)} requests with what is secret in them"
    return holes_answer(policy, rules, tried, leaks, lack=lack, kept=kept, aspect=aspect)


def _is_above(tried: Tried, level: Level) -> bool:
    return tried.decision.level > level and bool(tried.decision.stages)


# --- what is asked --------------------------------------------------------------------------

_HOLDERS: Final = objects("", "secrets", "configmaps")
_VERBS: Final = ("get", "list", "watch", *WRITES)
_REVIEWS: Final = objects("authentication.k8s.io", "tokenreviews", namespace="")
_TOKENS: Final = objects("", "serviceaccounts/token")


def _secrets(rules: AuditPolicy, personas: tuple[Persona, ...]) -> Iterator[Probe]:
    yield from ask(personas, _VERBS, in_words_of(rules, _HOLDERS))
    yield from ask(personas, ("list", "watch"), cluster_wide(_HOLDERS))
    yield from ask(personas, ("create",), in_words_of(rules, _REVIEWS))


def _tokens(rules: AuditPolicy, personas: tuple[Persona, ...]) -> Iterator[Probe]:
    yield from ask(personas, ("create",), in_words_of(rules, _TOKENS))


def _named_users(rules: AuditPolicy) -> tuple[Persona, ...]:
    """Whoever a rule that records bodies names: a leak for one user is a leak."""
    found: dict[Persona, None] = {}
    for rule in rules.rules:
        if rule.level <= Level.METADATA:
            continue
        user, groups = next(iter(rule.users), "kcompliance:human"), rule.user_groups
        for name in rule.users or (user,) * bool(groups):
            found[_persona(name, groups[:1])] = None
        for group in groups[1:]:
            found[_persona(user, (group,))] = None
    return tuple(found)


def _persona(name: str, groups: tuple[str, ...]) -> Persona:
    words = f"{name} of {groups[0]}" if groups else name
    return Persona(name=words, user=User(name=name, groups=(*groups, "system:authenticated")))
