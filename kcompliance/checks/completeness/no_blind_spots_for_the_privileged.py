"""KC-CMP-007: rules at level None never cover privileged identities or broad scopes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from kcompliance.checks.by_policy import (
    Answer,
    OwnPolicy,
    judge_by_policy,
    listed,
    rule_evidence,
)
from kcompliance.checks.completeness.provider_owned import asked_of_the_provider
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import (
    AuditPolicy,
    GroupResources,
    Level,
    PolicyEvaluator,
    Rule,
    rule_covers,
)
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.personas import READS, WRITES, Persona
from kcompliance.model.probes import ask, cluster_wide, in_words_of, objects
from kcompliance.model.reading import Seen
from kcompliance.model.request import User

__all__ = ["Params", "no_blind_spots_for_the_privileged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-007."""

    allow_none: tuple[Rule, ...] = ()
    none_percent_warn: int = 90


@check("KC-CMP-007", params=Params)
def no_blind_spots_for_the_privileged(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Rules at level None never cover privileged identities or broad scopes

    A rule that is within allow_none is good, one that hides too much is a fail, and of any other
    somebody has to say that it is meant. Stored events are not asked where the policy can only be
    assumed: what a rule hides is in none of them.
    """
    notes = _share_of_none(cluster, params.none_percent_warn)

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        yield replace(_judge(policy, rules, params.allow_none), notes=notes)

    findings = judge_by_policy(
        cluster,
        ("main",),
        judge,
        question="Which identities does the policy of {name} leave out, and who can log in as one "
        "of them?",
        own=OwnPolicy(without=Status.NOT_APPLICABLE),
    )
    asked = asked_of_the_provider(
        cluster,
        findings,
        question="Who can log in to {name} as an identity that its provider's policy leaves out? "
        "Nobody but the provider can change these rules.",
    )
    yield from also_shipped(cluster, asked)


# --- the verdict ----------------------------------------------------------------------------


def _judge(policy: PolicyText, rules: AuditPolicy, allowed: tuple[Rule, ...]) -> Answer:
    silent = [(i, rule) for i, rule in enumerate(rules.rules) if rule.level is Level.NONE]
    at_work = [
        (index, rule)
        for index, rule in silent
        if not any(rule_covers(earlier, rule) for earlier in rules.rules[:index])
    ]
    open_ = [(index, rule) for index, rule in at_work if not _is_within(rule, allowed)]
    blind = {index: reason for index, _ in open_ if (reason := _too_much(rules, index))}
    if blind:
        places = [f"rule {i} (line {rules.rules[i].line}) {why}" for i, why in blind.items()]
        return Answer(
            status=Status.FAIL,
            because=f"too much is hidden at level None: {listed(places)}",
            evidence=rule_evidence(policy, rules, list(blind)),
        )
    if open_:
        places = [f"rule {index} (line {rule.line})" for index, rule in open_]
        return Answer(
            status=Status.MANUAL,
            because=f"hidden at level None, and not within allow_none: {listed(places)}",
            evidence=rule_evidence(policy, rules, [index for index, _ in open_]),
            question="Is it meant that nobody sees what these rules hide? If so, add it to the "
            "parameter allow_none of KC-CMP-007.",
        )
    evidence = rule_evidence(policy, rules, [index for index, _ in at_work])
    because = (
        f"{policy.name}: each of {len(at_work)} rules at level None is within allow_none"
        if at_work
        else f"{policy.name} hides nothing by a rule at level None"
    )
    whole = evidence_of(policy.raw, policy.location or "rules")
    return Answer(status=Status.PASS, because=because, evidence=evidence or whole)


# --- within allow_none ----------------------------------------------------------------------


def _is_within(rule: Rule, allowed: tuple[Rule, ...]) -> bool:
    """Each of its targets for each of its users is within a rule that is allowed."""
    for part in _by_target(rule):
        for_anybody = replace(part, users=())
        fitting = [each for each in allowed if rule_covers(replace(each, users=()), for_anybody)]
        users = {user for each in fitting for user in each.users}
        if not (
            any(not each.users for each in fitting)
            or (rule.users and fitting and set(rule.users) <= users)
        ):
            return False
    return True


def _by_target(rule: Rule) -> Iterator[Rule]:
    if not rule.resources and not rule.non_resource_urls:
        yield rule
    if not rule.resources_only:
        for url in rule.non_resource_urls:
            yield replace(rule, non_resource_urls=(url,))
    for group in rule.resources:
        specs = group.resources or (None,)
        for spec in specs:
            one = GroupResources(
                group=group.group,
                resources=(spec,) if spec is not None else (),
                resource_names=group.resource_names,
            )
            yield replace(rule, resources=(one,))


# --- too much -------------------------------------------------------------------------------

_EVERYBODY: Final = frozenset(
    {
        "system:masters",
        "system:authenticated",
        "system:unauthenticated",
        "system:serviceaccounts",
    }
)
_RBAC: Final = "rbac.authorization.k8s.io"
_SENSITIVE: Final = (
    *objects("", "secrets", "pods/exec", "pods/attach"),
    *objects(_RBAC, "roles", "rolebindings"),
    *objects(_RBAC, "clusterroles", "clusterrolebindings", namespace=""),
)


def _too_much(rules: AuditPolicy, index: int) -> str | None:
    """Why a rule at level None is too wide, in words that follow its name."""
    rule = rules.rules[index]
    about_objects = rule.resources_only or not rule.non_resource_urls
    named = [*rule.users, *rule.user_groups]
    if not named and about_objects and _hides_writes(rules, index):
        return "hides what anybody writes"
    wide = sorted(_EVERYBODY & set(rule.user_groups))
    if wide and about_objects and not rule.users:
        return f"hides what {', '.join(wide)} does to objects"
    own = [name for name in named if not name.startswith("system:")]
    if own:
        return f'hides whoever is called "{own[0]}", which is no name of the system\'s own'
    hidden = _hidden(rules, index)
    if hidden:
        return f"hides {hidden}"
    if not about_objects and {"*", "/*"} & set(rule.non_resource_urls):
        return "hides every path"
    return None


def _hides_writes(rules: AuditPolicy, index: int) -> bool:
    """Whether some write reaches it that no rule before it surely takes."""
    rule = rules.rules[index]
    parts = [replace(rule, verbs=(verb,)) for verb in WRITES if verb in (rule.verbs or WRITES)]
    return any(
        not any(rule_covers(earlier, part) for earlier in rules.rules[:index]) for part in parts
    )


def _hidden(rules: AuditPolicy, index: int) -> str | None:
    """The first request for what is sensitive that this very rule decides, if any."""
    evaluator = PolicyEvaluator(rules)
    rule = rules.rules[index]
    verbs = (*READS, "watch", *WRITES)
    for persona in _identities(rule):
        targets = (*in_words_of((rule,), _SENSITIVE), *cluster_wide(_SENSITIVE))
        for _, request in ask((persona,), verbs, targets):
            if evaluator.decide(request).rule == index:
                return f"{persona.name} {request}"
    return None


_ANYBODY: Final = "kcompliance:human"


def _identities(rule: Rule) -> Iterator[Persona]:
    """The users that it names, each in the first of its groups, and one in each other group."""
    groups = rule.user_groups
    for name in rule.users or (_ANYBODY,):
        yield _persona(name, groups[:1])
    for group in groups[1:]:
        yield _persona(next(iter(rule.users), _ANYBODY), (group,))


def _persona(name: str, groups: tuple[str, ...]) -> Persona:
    who = "anybody" if name == _ANYBODY else name
    words = f"{who} of {groups[0]}" if groups else who
    return Persona(name=words, user=User(name=name, groups=groups))


# --- how much that is -----------------------------------------------------------------------


def _share_of_none(cluster: Cluster, warn: int) -> tuple[str, ...]:
    """A note where the server's counters say that most requests go unrecorded."""
    metrics = cluster.metrics
    if not isinstance(metrics, Seen):
        return ()
    requests = sum(metrics.value.levels.values())
    percent = 100 * metrics.value.levels.get("None", 0) / requests if requests else 0
    if percent <= warn:
        return ()
    return (f"{percent:.0f} % of all requests since the server's start were not recorded",)
