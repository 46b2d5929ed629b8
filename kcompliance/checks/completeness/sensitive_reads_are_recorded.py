"""KC-CMP-002: reads of sensitive objects are recorded."""

from collections.abc import Iterator, Sequence
from typing import Final

from kcompliance.checks.by_events import FromEvents, all_seen
from kcompliance.checks.by_policy import Answer, judge_by_policy, trial_answer
from kcompliance.checks.interface import NoParams, check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding
from kcompliance.model.observed import Observed, Wanted, kind_of
from kcompliance.model.personas import PERSONAS
from kcompliance.model.probes import (
    Probe,
    ask,
    cluster_wide,
    in_words_of,
    objects,
    recording_less,
    try_each,
)

__all__ = ["sensitive_reads_are_recorded"]

_NAMESPACED: Final = objects("", "secrets", "configmaps", "serviceaccounts")
_OF_THE_CLUSTER: Final = (
    *objects("rbac.authorization.k8s.io", "clusterroles", "clusterrolebindings", namespace=""),
    *objects("certificates.k8s.io", "certificatesigningrequests", namespace=""),
)
_LOGS: Final = objects("", "pods/log")


@check("KC-CMP-002", params=NoParams)
def sensitive_reads_are_recorded(cluster: Cluster, _params: NoParams) -> Iterator[Finding]:
    """Reads of sensitive objects are recorded

    A list or a watch shows every value, so they are asked about as much as a get. Where the policy
    can only be assumed, stored events decide: they have to hold a read of each kind of object.
    """

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        loose = recording_less(rules, Level.METADATA)
        trial = try_each(rules, _probes(loose), lambda each: each.recorded_at(Level.METADATA))
        yield trial_answer(policy, rules, trial, lack="are recorded below Metadata")

    findings = judge_by_policy(
        cluster,
        ("main",),
        judge,
        question="Does the trail of {name} hold reads of secrets? Read one, and look for it in "
        "the log store.",
        events={"main": _by_events},
    )
    yield from also_shipped(cluster, findings)


_READS: Final = ("get", "list", "watch")


def _probes(rules: Sequence[Rule]) -> Iterator[Probe]:
    targets = (*_NAMESPACED, *_OF_THE_CLUSTER)
    yield from ask(PERSONAS, _READS, in_words_of(rules, targets))
    yield from ask(PERSONAS, ("list", "watch"), cluster_wide(_NAMESPACED))
    yield from ask(PERSONAS, ("get",), in_words_of(rules, _LOGS))


def _by_events(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
    """Existential for each kind of object, and for secrets for each verb."""
    return all_seen(observed, _wanted())


def _wanted() -> Iterator[Wanted]:
    secrets = objects("", "secrets")
    for verb in _READS:
        yield Wanted(words=f"{verb} of secrets", verbs=(verb,), targets=secrets)
    for target in (*_NAMESPACED, *_OF_THE_CLUSTER, *_LOGS):
        if target not in secrets:
            yield Wanted(words=f"a read of {kind_of(target)}", verbs=_READS, targets=(target,))
