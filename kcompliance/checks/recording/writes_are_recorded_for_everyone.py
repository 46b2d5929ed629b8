"""KC-AUD-008: all writes, and whatever no rule names, are recorded for every kind of user."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.recording.sight import policies_to_judge
from kcompliance.model.audit_policy import (
    AuditPolicy,
    Decision,
    Level,
    Loaded,
    NotRead,
    PolicyEvaluator,
    Refused,
    Rule,
    load_policy,
    matches,
)
from kcompliance.model.cluster import Cluster, PolicyText, PublishedPolicy
from kcompliance.model.finding import Confidence, Evidence, Finding, Status, evidence_of
from kcompliance.model.personas import PERSONAS, Persona, probes_of
from kcompliance.model.reading import Kind
from kcompliance.model.request import Request

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
    if cluster.published is not None and not cluster.gaps_in(Kind.VERSION):
        yield _judge_published(cluster, cluster.published, params)
        return
    for item in policies_to_judge(cluster, ("main",), without_policy=Status.FAIL):
        yield item if isinstance(item, Finding) else _judge(cluster, item, params)


def _judge(cluster: Cluster, policy: PolicyText, params: Params) -> Finding:
    match load_policy(policy.text, cluster.version):
        case NotRead(reason=reason):
            return Finding.error(policy.name, f"was not read: {reason}")
        case Refused(reasons=reasons):
            evidence = evidence_of(policy.raw, policy.location or "whole file", reasons[0])
            because = f"kube-apiserver refuses it, so it records nothing: {reasons[0]}"
            return Finding.failed(policy.name, because, evidence)
        case Loaded(policy=rules) as loaded:
            tried = _try(policy, rules, params)
            if tried.good and loaded.needs_group_wildcard and cluster.version is None:
                return Finding.manual(
                    policy.name,
                    f'{tried.because}; before Kubernetes 1.36 its group "*" stops the server',
                    "Do all API servers with this policy run Kubernetes 1.36 or newer?",
                    tried.evidence,
                )
            verdict = Finding.passed if tried.good else Finding.failed
            return verdict(policy.name, tried.because, tried.evidence)


def _judge_published(cluster: Cluster, published: PublishedPolicy, params: Params) -> Finding:
    """An assumed policy earns no verdict, whatever it records."""
    policy, confidence = published.policy, published.confidence
    loaded = load_policy(policy.text)
    if not isinstance(loaded, Loaded):
        return Finding.error(cluster.name, f"{policy.name} was not read: {loaded}")
    tried = _try(policy, loaded.policy, params)
    if confidence is Confidence.ASSUMED_POLICY:
        return Finding.manual(
            cluster.name,
            f"nobody outside can read the policy; {tried.because}",
            f"Does the trail of {cluster.name} hold its writes? Look for some in the log store.",
            tried.evidence,
            confidence=confidence,
        )
    verdict = Finding.passed if tried.good else Finding.failed
    return verdict(cluster.name, tried.because, tried.evidence, confidence=confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    good: bool
    because: str
    evidence: tuple[Evidence, ...]


def _try(policy: PolicyText, rules: AuditPolicy, params: Params) -> _Tried:
    holes = list(_holes(rules, params))
    if not holes:
        count = sum(1 for persona in PERSONAS for _ in probes_of(rules, persona))
        because = (
            f"{policy.name} records each of {count} requests by {len(PERSONAS)} kinds of users"
        )
        evidence = evidence_of(policy.raw, policy.location or "rules", f"{count} requests tried")
        return _Tried(good=True, because=because, evidence=evidence)
    places = dict.fromkeys(hole.place for hole in holes)
    evidence = tuple(
        item
        for place in places
        for item in evidence_of(policy.raw, f"{policy.location} {place}".strip())
    )
    shown = "; ".join(hole.words for hole in _one_of_each(holes)[:3])
    because = f"{len(holes)} requests are recorded below {params.min_level.value}: {shown}"
    return _Tried(good=False, because=because, evidence=evidence)


@dataclass(frozen=True, slots=True)
class _Hole:
    persona: Persona
    request: Request
    decision: Decision

    @property
    def place(self) -> str:
        line = self.decision.line
        return f"line {line}" if line else "no rule"

    @property
    def words(self) -> str:
        rule = (
            f"rule {self.decision.rule}, line {self.decision.line}"
            if self.decision.rule is not None
            else "no rule matches"
        )
        return f"{self.persona.name} {self.request} ({self.decision.level.value}: {rule})"


def _holes(rules: AuditPolicy, params: Params) -> Iterator[_Hole]:
    evaluator = PolicyEvaluator(rules)
    for persona in PERSONAS:
        for request in probes_of(rules, persona):
            decision = evaluator.decide(request)
            if _recorded(decision, request, params):
                continue
            if not any(matches(rule, request) for rule in params.allow_none):
                yield _Hole(persona, request, decision)


def _recorded(decision: Decision, request: Request, params: Params) -> bool:
    """A failed login has one stage; whether that is omitted is another control's matter."""
    return decision.level >= params.min_level and (bool(decision.stages) or request.user is None)


def _one_of_each(holes: Iterable[_Hole]) -> list[_Hole]:
    """The first hole of each rule, so that a reader sees all the rules to mend."""
    return list({hole.decision.rule: hole for hole in reversed(list(holes))}.values())[::-1]
