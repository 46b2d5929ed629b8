"""KC-AUD-008: all writes, and whatever no rule names, are recorded for every kind of user."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kcompliance.checks.by_events import FromEvents, wrongly_recorded
from kcompliance.checks.by_policy import Answer, OwnPolicy, judge_by_policy, trial_answer
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule, matches
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status
from kcompliance.model.observed import Observed, SeenRequest
from kcompliance.model.personas import PERSONAS, WRITES, probes_of
from kcompliance.model.probes import Tried, try_each
from kcompliance.model.request import Request, User

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
    policy's own rules name; the policy says what would be recorded of it. Where it can only be
    assumed, stored events show a write below the level, and never that there are all of everybody.
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

    def by_events(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
        return _by_events(observed, params)

    findings = judge_by_policy(
        cluster,
        ("main",),
        judge,
        question="Does the trail of {name} hold writes by each kind of user: people, "
        "administrators, service accounts, nodes and strangers? Look for some in the log store.",
        events={"main": by_events},
        own=OwnPolicy(refused=Status.FAIL),
    )
    yield from also_shipped(cluster, findings)


def _by_events(observed: Observed, params: Params) -> FromEvents:
    """Universal: it is about everybody, and about whatever no rule names."""
    objects = [seen for seen in observed.requests if seen.target.resource and seen.records > 0]
    writes = [seen for seen in objects if seen.verb in WRITES]
    low = [seen for seen in writes if seen.level < params.min_level]
    lack = f"of writes are below {params.min_level.value}"
    fault = wrongly_recorded([seen for seen in low if not _may_be(seen, params.allow_none)], lack)
    total = sum(seen.records for seen in writes)
    because = f"there are {total} stored events of writes, which do not tell of whom there are none"
    return fault or FromEvents(status=Status.MANUAL, because=because)


def _may_be(seen: SeenRequest, allowed: tuple[Rule, ...]) -> bool:
    """Whether a rule may be about it, for somebody and some object."""
    request = Request(user=User(name=""), verb=seen.verb, target=seen.target)
    return any(matches(_for_anybody(rule), request) for rule in allowed)


def _for_anybody(rule: Rule) -> Rule:
    resources = tuple(replace(group, resource_names=()) for group in rule.resources)
    return replace(rule, users=(), user_groups=(), namespaces=(), resources=resources)
