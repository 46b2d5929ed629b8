"""KC-CMP-005: failed logins and denied requests survive: no stage that shows them is omitted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.by_events import FromEvents, wrongly_recorded
from kcompliance.checks.by_policy import (
    Answer,
    judge_by_policy,
    listed,
    rule_evidence,
    trial_answer,
)
from kcompliance.checks.completeness.strict_blocking import strict_blocking
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Stage
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.observed import Observed
from kcompliance.model.personas import ANONYMOUS, FAILED_LOGIN, UNKNOWN, UNKNOWN_PATH
from kcompliance.model.probes import Probe, Tried, ask, objects, try_each
from kcompliance.model.request import NonResource, Request

__all__ = ["Params", "failed_logins_and_denials_survive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-005."""

    allowed_omit: tuple[str, ...] = (Stage.REQUEST_RECEIVED.value,)


@check("KC-CMP-005", params=Params)
def failed_logins_and_denials_survive(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Failed logins and denied requests survive: no stage that shows them is omitted

    The server writes a failed login at ResponseStarted only, and a denial at ResponseComplete.
    Where the policy can only be assumed, stored events show a stage that is never there, and
    nothing else: they do not tell of every rule, nor which requests were denied.
    """
    allowed = {stage for stage in Stage if stage.value in params.allowed_omit}

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        yield _stages(policy, rules, frozenset(Stage) - allowed - {Stage.PANIC}, "stages")
        yield _stages(policy, rules, frozenset({Stage.PANIC}) - allowed, "panic")
        yield _failed_logins(policy, rules)

    def stages(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
        return _stages_seen(observed, frozenset(Stage) - allowed - {Stage.PANIC})

    findings = judge_by_policy(
        cluster,
        ("stages", "panic", "failed-logins"),
        judge,
        question="Does the trail of {name} hold answers of 401 and 403? Ask with a wrong token, "
        "and look for it in the log store.",
        events={"stages": stages},
    )
    yield from also_shipped(cluster, findings)
    yield from strict_blocking(cluster, "strict-blocking")


# --- stages ---------------------------------------------------------------------------------


def _stages(
    policy: PolicyText, rules: AuditPolicy, needed: frozenset[Stage], aspect: str
) -> Answer:
    """Whether every rule that records anything leaves these stages in."""
    names = _names(needed).replace(", ", " and ") or "a stage that has to stay"
    recording = [
        (index, rule) for index, rule in enumerate(rules.rules) if rule.level is not Level.NONE
    ]
    wrong = [(index, rule) for index, rule in recording if rule.omit_stages & needed]
    evidence: tuple[Evidence, ...] = ()
    reasons = []
    if rules.omit_stages & needed:
        omitted = _names(rules.omit_stages & needed)
        reasons.append(f"omitStages of the whole policy leaves out {omitted}")
        quote = f"omitStages: [{_names(rules.omit_stages)}]"
        evidence += evidence_of(policy.raw, f"{policy.location} omitStages".strip(), quote)
    for index, rule in wrong:
        reasons.append(
            f"rule {index} (line {rule.line}) leaves out {_names(rule.omit_stages & needed)}"
        )
    evidence += rule_evidence(policy, rules, [index for index, _ in wrong])
    if not recording:
        reasons.append("no rule records anything")
        evidence += rule_evidence(policy, rules, [0])
    if reasons:
        return Answer(status=Status.FAIL, because=listed(reasons), evidence=evidence, aspect=aspect)
    return Answer(
        status=Status.PASS,
        because=f"none of {len(recording)} rules that record leaves out {names}",
        evidence=evidence_of(policy.raw, policy.location or "rules", "omitStages"),
        aspect=aspect,
    )


def _names(stages: frozenset[Stage]) -> str:
    return ", ".join(stage.value for stage in Stage if stage in stages)


_BESIDE: Final = {
    Stage.REQUEST_RECEIVED: (Stage.RESPONSE_COMPLETE, None),
    Stage.RESPONSE_STARTED: (Stage.RESPONSE_COMPLETE, "watch"),
    Stage.RESPONSE_COMPLETE: (Stage.RESPONSE_STARTED, "watch"),
}
"""The stage and verb of events beside which one of that stage is written, unless it is omitted."""
_ENOUGH: Final = 100
"""Of so many one at least is not cut in two by the begin or the end of what was counted."""


def _stages_seen(observed: Observed, needed: frozenset[Stage]) -> FromEvents:
    """Universal: no events show that no rule leaves a stage out, but they can show that all do."""
    there = {seen.stage for seen in observed.requests}
    lacking = needed - there if observed.whole else ()
    for stage in (stage for stage in Stage if stage in lacking):
        beside, verb = _BESIDE[stage]
        shown = [
            seen for seen in observed.requests if seen.stage is beside and verb in (seen.verb, None)
        ]
        lack = f"are beside none of the stage {stage.value}, which the policy must leave out"
        if fault := wrongly_recorded(shown, lack, at_least=_ENOUGH):
            return fault
    because = "stored events do not show what every rule does"
    return FromEvents(status=Status.MANUAL, because=because)


# --- failed logins --------------------------------------------------------------------------

_OBJECTS: Final = (*objects("", "secrets", "pods"), UNKNOWN)
_PATHS: Final = ("/api", "/apis", UNKNOWN_PATH)
"""kubectl asks for the first two before anything else."""


def _failed_logins(policy: PolicyText, rules: AuditPolicy) -> Answer:
    trial = try_each(rules, _probes(), _recorded)
    lack = "of users who are not known leave no event"
    return trial_answer(policy, rules, trial, lack=lack, aspect="failed-logins")


def _probes() -> Iterator[Probe]:
    yield from ask((FAILED_LOGIN, ANONYMOUS), ("get", "list", "create", "delete"), _OBJECTS)
    for persona in (FAILED_LOGIN, ANONYMOUS):
        for path in _PATHS:
            yield persona, Request(user=persona.user, verb="get", target=NonResource(path=path))


def _recorded(tried: Tried) -> bool:
    """Here the one stage of a failed login does count."""
    return tried.recorded_at(Level.METADATA) and bool(tried.decision.stages)
