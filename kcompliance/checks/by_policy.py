"""Judges by the audit policy in force: the owner's, the published one or the assumed one.

A check gives a judge, which says of one policy what each aspect comes to. Here it is decided which
policies are asked, and what such an answer is worth: an assumed policy earns no verdict unless
stored events decide, and a policy that no server would start with answers nothing.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kcompliance.checks.by_events import EventJudge, FromEvents, notes_of, stored_requests
from kcompliance.checks.sight import policies_to_judge
from kcompliance.model.audit_policy import (
    AuditPolicy,
    Loaded,
    NotRead,
    Refused,
    load_policy,
)
from kcompliance.model.cluster import Cluster, PolicyText, PublishedPolicy
from kcompliance.model.finding import Confidence, Details, Evidence, Finding, Status, evidence_of
from kcompliance.model.observed import Observed
from kcompliance.model.probes import Trial
from kcompliance.model.reading import Kind, Seen, Unreadable

__all__ = [
    "Answer",
    "Judge",
    "OwnPolicy",
    "judge_by_policy",
    "listed",
    "rule_evidence",
    "trial_answer",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one policy comes to on one aspect; `question` only where the status is manual."""

    status: Status
    because: str
    evidence: tuple[Evidence, ...]
    aspect: str = "main"
    question: str = ""
    notes: tuple[str, ...] = ()


Judge = Callable[[PolicyText, AuditPolicy], Iterable[Answer]]
"""One answer for each aspect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicy:
    """The verdicts where an owner's policy is not there, or no server would start with it."""

    without: Status = Status.FAIL
    refused: Status = Status.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assumed:
    """The verdicts where a policy is assumed: by stored events, else it is a question."""

    cluster: Cluster
    question: str
    events: Mapping[str, EventJudge]

    def finding(self, answer: Answer, rules: AuditPolicy) -> Finding:
        """On one aspect; `answer` is what the policy would come to if it were the one."""
        judge = self.events.get(answer.aspect)
        stored = stored_requests(self.cluster) if judge else None
        if judge is None or stored is None:
            return self._asked(answer)
        if isinstance(stored, Unreadable):
            return Finding.unreadable(stored, aspect=answer.aspect)
        told = judge(stored.value, rules)
        if told.decides(answer.status):
            return self._decided(answer, told, stored)
        return self._asked(answer, told, told.evidence(stored.raw))

    def _decided(self, answer: Answer, told: FromEvents, stored: Seen[Observed]) -> Finding:
        make = Finding.passed if told.status is Status.PASS else Finding.failed
        return make(
            self.cluster.name,
            told.because,
            told.evidence(stored.raw),
            aspect=answer.aspect,
            notes=notes_of(stored),
        )

    def _asked(
        self, answer: Answer, told: FromEvents | None = None, evidence: tuple[Evidence, ...] = ()
    ) -> Finding:
        seen = f"{told.because}; " if told else ""
        return Finding.manual(
            self.cluster.name,
            f"nobody outside can read the policy; {seen}{answer.because}",
            f"{self.question} {told.advice if told else ''}".strip(),
            answer.evidence + evidence,
            aspect=answer.aspect,
            confidence=Confidence.ASSUMED_POLICY,
        )


def judge_by_policy(
    cluster: Cluster,
    aspects: Sequence[str],
    judge: Judge,
    *,
    question: str,
    events: Mapping[str, EventJudge] | None = None,
    own: OwnPolicy = OwnPolicy(),
) -> Iterator[Finding]:
    """A finding for each aspect and policy.

    `question` is asked where the policy is only assumed; `{name}` in it is the cluster's. `events`
    are the judges of the aspects on which stored events may decide there.
    """
    if cluster.published is not None and not cluster.gaps_in(Kind.VERSION):
        assumed = _Assumed(
            cluster=cluster, question=question.format(name=cluster.name), events=events or {}
        )
        yield from _published(cluster.published, tuple(aspects), judge, assumed)
        return
    for item in policies_to_judge(cluster, tuple(aspects), without_policy=own.without):
        if isinstance(item, Finding):
            yield item
        else:
            yield from _own(cluster, item, aspects, judge, own)


def _published(
    published: PublishedPolicy, aspects: Sequence[str], judge: Judge, assumed: _Assumed
) -> Iterator[Finding]:
    policy, confidence = published.policy, published.confidence
    name = assumed.cluster.name
    loaded = load_policy(policy.text)
    if not isinstance(loaded, Loaded):
        for aspect in aspects:
            because = f"{policy.name} was not read: {loaded}"
            yield Finding.error(name, because, aspect=aspect)
        return
    for answer in judge(policy, loaded.policy):
        if confidence is Confidence.ASSUMED_POLICY and answer.status is not Status.NOT_APPLICABLE:
            yield assumed.finding(answer, loaded.policy)
        else:
            yield _finding(name, answer, confidence)


def _own(
    cluster: Cluster, policy: PolicyText, aspects: Sequence[str], judge: Judge, own: OwnPolicy
) -> Iterator[Finding]:
    match load_policy(policy.text, cluster.version):
        case NotRead(reason=reason):
            for aspect in aspects:
                yield Finding.error(policy.name, f"was not read: {reason}", aspect=aspect)
        case Refused(reasons=reasons):
            evidence = evidence_of(policy.raw, policy.location or "whole file", reasons[0])
            for aspect in aspects:
                yield _refused(policy, reasons[0], evidence, aspect, own.refused)
        case Loaded(policy=rules) as loaded:
            unsure = loaded.needs_group_wildcard and cluster.version is None
            for answer in judge(policy, rules):
                if unsure and answer.status is Status.PASS:
                    yield _needs_1_36(policy, answer)
                else:
                    yield _finding(policy.name, answer, None)


def _refused(
    policy: PolicyText,
    reason: str,
    evidence: tuple[Evidence, ...],
    aspect: str,
    status: Status,
) -> Finding:
    if status is Status.FAIL:
        because = f"kube-apiserver refuses it, so it records nothing: {reason}"
        return Finding.failed(policy.name, because, evidence, aspect=aspect)
    because = f"kube-apiserver refuses it, so with what it runs is not known: {reason}"
    return Finding.error(policy.name, because, evidence, aspect=aspect)


def _needs_1_36(policy: PolicyText, answer: Answer) -> Finding:
    return Finding.manual(
        policy.name,
        f'{answer.because}; before Kubernetes 1.36 its group "*" stops the server',
        "Do all API servers with this policy run Kubernetes 1.36 or newer?",
        answer.evidence,
        aspect=answer.aspect,
    )


def _finding(resource: str, answer: Answer, confidence: Confidence | None) -> Finding:
    details: Details = {
        "aspect": answer.aspect,
        "notes": answer.notes,
        "confidence": confidence,
    }
    match answer.status:
        case Status.PASS:
            return Finding.passed(resource, answer.because, answer.evidence, **details)
        case Status.FAIL:
            return Finding.failed(resource, answer.because, answer.evidence, **details)
        case Status.NOT_APPLICABLE:
            return Finding.not_applicable(resource, answer.because, answer.evidence, **details)
        case Status.MANUAL:
            return Finding.manual(
                resource, answer.because, answer.question, answer.evidence, **details
            )
        case Status.ERROR:
            return Finding.error(resource, answer.because, answer.evidence, **details)


# --- answers --------------------------------------------------------------------------------

_SHOWN = 3
_LONGEST_QUOTE = 200
_MOST_EVIDENCE = 100


def trial_answer(
    policy: PolicyText,
    rules: AuditPolicy,
    trial: Trial,
    *,
    lack: str,
    kept: str = "",
    aspect: str = "main",
) -> Answer:
    """The answer of requests of which some are not recorded as they should be.

    `lack` says of those what they are: "are recorded below Metadata". `kept` says what the policy
    does where there are none; else that it records them.
    """
    if not trial.holes:
        recorded = f"records each of {trial.tried} requests by {trial.personas} kinds of users"
        quote = f"{trial.tried} requests tried"
        return Answer(
            status=Status.PASS,
            because=f"{policy.name} {kept or recorded}",
            evidence=evidence_of(policy.raw, policy.location or "rules", quote),
            aspect=aspect,
        )
    by_rule = {hole.decision.rule: hole for hole in reversed(trial.holes)}
    first_of_each = list(by_rule.values())[::-1]
    shown = "; ".join(hole.words for hole in first_of_each[:_SHOWN])
    number = f"{len(trial.holes)} or more" if trial.stopped else str(len(trial.holes))
    return Answer(
        status=Status.FAIL,
        because=f"{number} requests {lack}: {shown}",
        evidence=rule_evidence(policy, rules, [hole.decision.rule for hole in first_of_each]),
        aspect=aspect,
    )


def listed(reasons: Sequence[str]) -> str:
    """The first of several reasons, and how many more there are."""
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more


def rule_evidence(
    policy: PolicyText, rules: AuditPolicy, indexes: Sequence[int | None]
) -> tuple[Evidence, ...]:
    """Each rule where it stands, and its text in one line; None is that no rule matched."""
    lines = policy.text.decode("utf-8", errors="replace").splitlines()
    begins = sorted({rule.line for rule in rules.rules})
    found: list[Evidence] = []
    for index in indexes[:_MOST_EVIDENCE]:
        if index is None:
            place = f"{policy.location} no rule".strip()
            found += evidence_of(policy.raw, place, "no rule matches")
            continue
        line = rules.rules[index].line
        after = bisect_right(begins, line)
        end = begins[after] - 1 if after < len(begins) else len(lines)
        place = f"{policy.location} line {line}".strip()
        found += evidence_of(policy.raw, place, _in_one_line(lines[line - 1 : end]))
    return tuple(found)


def _in_one_line(lines: Sequence[str]) -> str:
    stripped = (line.strip() for line in lines)
    text = " ".join(line for line in stripped if line and not line.startswith("#"))
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"
