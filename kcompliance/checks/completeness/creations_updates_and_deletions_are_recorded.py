"""KC-CMP-001: creations, updates and deletions are recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kcompliance.checks.by_events import FromEvents, all_seen, wrongly_recorded
from kcompliance.checks.by_policy import Answer, judge_by_policy, trial_answer
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import WRITES as SHIPPED_WRITES
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status
from kcompliance.model.observed import Observed, Wanted, is_custom
from kcompliance.model.personas import CLUSTER_ADMIN, HUMAN, SERVICE_ACCOUNT, UNKNOWN, WRITES
from kcompliance.model.probes import (
    NAMESPACE_OBJECT,
    Probe,
    ask,
    in_words_of,
    objects,
    recording_less,
    try_each,
)

__all__ = ["Params", "creations_updates_and_deletions_are_recorded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-001."""

    write_min_level: Level = Level.METADATA


_PERSONAS: Final = (HUMAN, CLUSTER_ADMIN, SERVICE_ACCOUNT)
_WRITTEN: Final = (
    *objects("", "pods", "services", "configmaps"),
    *objects("apps", "deployments", "daemonsets", "statefulsets"),
    *objects("batch", "jobs"),
    *objects("networking.k8s.io", "ingresses", "networkpolicies"),
    *objects("", "nodes", "persistentvolumes", namespace=""),
    *objects("apiextensions.k8s.io", "customresourcedefinitions", namespace=""),
    UNKNOWN,  # an object of a kind that a CustomResourceDefinition or another server brings
)


@check("KC-CMP-001", params=Params)
def creations_updates_and_deletions_are_recorded(
    cluster: Cluster, params: Params
) -> Iterator[Finding]:
    """Creations, updates and deletions are recorded

    Asked of the policy for the objects that a cluster is made of. Where it can only be assumed,
    stored events decide: a creation, an update and a deletion of any of these objects is enough.
    """

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        level = params.write_min_level
        loose = recording_less(rules, level)
        trial = try_each(rules, _probes(loose), lambda each: each.recorded_at(level))
        answer = trial_answer(policy, rules, trial, lack=f"are recorded below {level.value}")
        yield replace(answer, notes=_NOTES) if answer.status is Status.PASS else answer

    def by_events(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
        return _by_events(observed, params.write_min_level)

    findings = judge_by_policy(
        cluster,
        ("main",),
        judge,
        question="Does the trail of {name} hold a create, an update or patch, and a delete of the "
        "last week? Look for them in the log store.",
        events={"main": by_events},
    )
    yield from also_shipped(cluster, findings, categories=SHIPPED_WRITES)


_NOTES: Final = ("by the policy alone: no stored events were looked at",)


def _probes(rules: Sequence[Rule]) -> Iterator[Probe]:
    yield from ask(_PERSONAS, WRITES, in_words_of(rules, _WRITTEN))
    named = in_words_of(rules, (NAMESPACE_OBJECT,))
    yield from ask(_PERSONAS, ("update", "patch", "delete"), named)
    yield from ask(_PERSONAS, ("create",), objects("", "namespaces", namespace=""))


# --- by events ------------------------------------------------------------------------------

_CHANGES: Final = {
    "creations": ("create",),
    "updates": ("update", "patch"),
    "deletions": ("delete",),
}


def _by_events(observed: Observed, level: Level) -> FromEvents:
    """Existential: one of each is a pass. Any write below the level is a fault."""
    custom = tuple(seen.target for seen in observed.requests if is_custom(seen.target))
    written = observed.of(WRITES, (*_WRITTEN, NAMESPACE_OBJECT, *custom))
    low = [seen for seen in written if seen.level < level]
    lack = f"of writes are below {level.value}"
    return wrongly_recorded(low, lack) or all_seen(observed, _wanted(level))


def _wanted(level: Level) -> Iterator[Wanted]:
    targets = (*_WRITTEN, NAMESPACE_OBJECT)
    for words, verbs in _CHANGES.items():
        yield Wanted(words=words, verbs=verbs, targets=targets, level=level)
