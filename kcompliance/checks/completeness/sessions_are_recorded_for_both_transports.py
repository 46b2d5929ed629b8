"""KC-CMP-003: exec, attach, port-forward, proxy and debug containers are recorded."""

from collections.abc import Iterator, Sequence
from typing import Final

from kcompliance.checks.by_events import FromEvents, all_seen
from kcompliance.checks.by_policy import Answer, judge_by_policy, trial_answer
from kcompliance.checks.interface import NoParams, check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule, Stage
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding
from kcompliance.model.observed import Observed, Wanted, kind_of
from kcompliance.model.personas import PERSONAS
from kcompliance.model.probes import (
    Probe,
    Tried,
    ask,
    in_words_of,
    objects,
    recording_less,
    try_each,
)
from kcompliance.model.request import ObjectAttributes, Request

__all__ = ["sessions_are_recorded_for_both_transports"]

_STREAMS: Final = objects("", "pods/exec", "pods/attach", "pods/portforward")
_STREAM_SUBRESOURCES: Final = frozenset(target.subresource for target in _STREAMS)
_PROXIES: Final = (
    *objects("", "pods/proxy", "services/proxy"),
    *objects("", "nodes/proxy", namespace=""),
)
_DEBUG: Final = objects("", "pods/ephemeralcontainers")
_TRANSPORTS: Final = ("get", "create")
_PROXIED: Final = ("get", "create", "update", "patch", "delete")
_DEBUGGING: Final = ("update", "patch")


@check("KC-CMP-003", params=NoParams)
def sessions_are_recorded_for_both_transports(
    cluster: Cluster, _params: NoParams
) -> Iterator[Finding]:
    """exec, attach, port-forward, proxy and ephemeral containers are recorded for both transports

    kubectl before 1.31 asks with a POST, which is a create, and later ones open a WebSocket,
    which is a get. Where the policy can only be assumed, stored events decide: they have to hold
    the start of each way in, and of exec, attach and port-forward by both transports.
    """

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        trial = try_each(rules, _probes(recording_less(rules, Level.METADATA)), _shown)
        yield trial_answer(policy, rules, trial, lack=_lack(trial.holes))

    findings = judge_by_policy(
        cluster,
        ("main",),
        judge,
        question="Does the trail of {name} hold a kubectl exec, as get and as create? Run one, "
        "and look for it in the log store.",
        events={"main": _by_events},
    )
    yield from also_shipped(cluster, findings, sessions=True)


def _probes(rules: Sequence[Rule]) -> Iterator[Probe]:
    yield from ask(PERSONAS, _TRANSPORTS, in_words_of(rules, _STREAMS))
    yield from ask(PERSONAS, _PROXIED, in_words_of(rules, _PROXIES))
    yield from ask(PERSONAS, _DEBUGGING, in_words_of(rules, _DEBUG))


def _shown(tried: Tried) -> bool:
    """A session is seen from its start only at ResponseStarted: its end may be hours away."""
    started = Stage.RESPONSE_STARTED not in tried.decision.omit_stages
    in_time = started or not tried.request.long_running or tried.request.user is None
    return tried.recorded_at(Level.METADATA) and in_time


def _lack(holes: Sequence[Tried]) -> str:
    """What the requests lack; in a word where a reader would not guess it."""
    lost = [hole for hole in holes if not hole.recorded_at(Level.METADATA)]
    if not lost:
        return "are recorded without their start, as ResponseStarted is omitted"
    verbs = {hole.request.verb for hole in lost if _opens_a_stream(hole.request)}
    lack = "are recorded below Metadata"
    if verbs == {"get"}:
        return f"{lack} (websocket-get-exec-unrecorded: kubectl sends these from 1.31 on)"
    if verbs == {"create"}:
        return f"{lack} (spdy-create-exec-unrecorded: kubectl sends these before 1.31)"
    return lack


def _opens_a_stream(request: Request) -> bool:
    target = request.target
    return isinstance(target, ObjectAttributes) and target.subresource in _STREAM_SUBRESOURCES


def _by_events(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
    """Existential for each way in. A start that is not there may be of a session before them."""
    return all_seen(observed, _wanted())


def _wanted() -> Iterator[Wanted]:
    start = Stage.RESPONSE_STARTED
    for target in _STREAMS:
        for verb in _TRANSPORTS:
            words = f"the start of a {verb} of {kind_of(target)}"
            yield Wanted(words=words, verbs=(verb,), targets=(target,), stage=start)
    for target in _PROXIES:
        words = f"the start of a request by {kind_of(target)}"
        yield Wanted(words=words, verbs=_PROXIED, targets=(target,), stage=start)
    yield Wanted(words="a change of pods/ephemeralcontainers", verbs=_DEBUGGING, targets=_DEBUG)
