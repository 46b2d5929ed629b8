"""KC-AUD-008: all writes, and whatever no rule names, are recorded for every kind of user."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.by_policy import Answer, OwnPolicy, judge_by_policy, trial_answer
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule, matches
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status
from kcompliance.model.personas import PERSONAS, probes_of
from kcompliance.model.probes import Tried, try_each

__all__ = ["Params", "writes_are_recorded_for_everyone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-008."""

    min_level: Level = Level.METADATA
    allow_none: tuple[Rule, ...] = ()


@check("KC-AUD-008", params=Params)
def writes_are_recorded_for_everyone(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """All writes, and whatever no rule names, are recorded for every kind of user

    Each kind of user asks for a resource and a path that no policy knows, and writes whatever the
    policy's own rules name; the policy says what would be recorded of it.
    """

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        probes = ((persona, r) for persona in PERSONAS for r in probes_of(rules, persona))
        trial = try_each(rules, probes, is_good)
        lack = f"are recorded below {params.min_level.value}"
        yield trial_answer(policy, rules, trial, lack=lack)

    def is_good(tried: Tried) -> bool:
        return tried.recorded_at(params.min_level) or any(
            matches(rule, tried.request) for rule in params.allow_none
        )

    findings = judge_by_policy(
        cluster,
        ("main",),
        judge,
        question="Does the trail of {name} hold its writes? Look for some in the log store.",
        own=OwnPolicy(refused=Status.FAIL),
    )
    yield from also_shipped(cluster, findings)
