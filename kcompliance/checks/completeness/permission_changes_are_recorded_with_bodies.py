"""KC-CMP-004: changes of permissions, admission and identities are recorded, with their bodies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.by_events import FromEvents, all_seen, wrongly_recorded
from kcompliance.checks.by_policy import Answer, judge_by_policy, trial_answer
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import WRITES, also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding
from kcompliance.model.observed import Observed, Wanted, kind_of
from kcompliance.model.personas import PERSONAS
from kcompliance.model.probes import (
    NAMESPACE_OBJECT,
    Probe,
    ask,
    in_words_of,
    objects,
    recording_less,
    try_each,
)
from kcompliance.model.request import ObjectAttributes

__all__ = ["Params", "permission_changes_are_recorded_with_bodies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-004."""

    rbac_min_level: Level = Level.REQUEST


_RBAC: Final = "rbac.authorization.k8s.io"
_CHANGES: Final = ("create", "update", "patch", "delete")
_WITH_BODIES: Final = (
    *objects(_RBAC, "roles", "rolebindings"),
    *objects(_RBAC, "clusterroles", "clusterrolebindings", namespace=""),
    *objects(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        namespace="",
    ),
    *objects("certificates.k8s.io", "certificatesigningrequests", namespace=""),
)
_UPDATES: Final = ("update", "patch")
_APPROVALS: Final = objects(
    "certificates.k8s.io", "certificatesigningrequests/approval", namespace=""
)
_IDENTITIES: Final = (
    *objects("", "serviceaccounts"),
    *objects("", "nodes", namespace=""),
    *objects("apiregistration.k8s.io", "apiservices", namespace=""),
    *objects("apiextensions.k8s.io", "customresourcedefinitions", namespace=""),
)
_CREATED_ONLY: Final = (
    *objects("", "serviceaccounts/token"),
    *objects("", "namespaces", namespace=""),
    *objects("authentication.k8s.io", "tokenreviews", namespace=""),
    *objects("authorization.k8s.io", "subjectaccessreviews", namespace=""),
)
_KNOWN: Final = tuple(persona for persona in PERSONAS if persona.user is not None)
"""A login that fails changes nothing."""


@check("KC-CMP-004", params=Params)
def permission_changes_are_recorded_with_bodies(
    cluster: Cluster, params: Params
) -> Iterator[Finding]:
    """Changes of identities, RBAC and admission are recorded, and what they changed

    At Metadata the trail tells that a role was changed, and not which right it gave. Where the
    policy can only be assumed, stored events decide: they have to hold a change of each kind of
    object, and none may be below the level.
    """

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        yield _answer(policy, rules, _bodies, params.rbac_min_level, "bodies")
        yield _answer(policy, rules, _identities, Level.METADATA, "recorded")

    def bodies(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
        return _bodies_seen(observed, params.rbac_min_level)

    findings = judge_by_policy(
        cluster,
        ("bodies", "recorded"),
        judge,
        question="Does the trail of {name} hold what was granted when a role was last bound? "
        "Look for requestObject of a rolebinding in the log store.",
        events={"bodies": bodies, "recorded": _identities_seen},
    )
    yield from also_shipped(cluster, findings, categories=WRITES)


def _answer(
    policy: PolicyText,
    rules: AuditPolicy,
    probes: Callable[[Sequence[Rule]], Iterator[Probe]],
    level: Level,
    aspect: str,
) -> Answer:
    asked = probes(recording_less(rules, level))
    trial = try_each(rules, asked, lambda each: each.recorded_at(level))
    lack = f"are recorded below {level.value}"
    return trial_answer(policy, rules, trial, lack=lack, aspect=aspect)


def _bodies(rules: Sequence[Rule]) -> Iterator[Probe]:
    yield from ask(_KNOWN, _CHANGES, in_words_of(rules, _WITH_BODIES))
    yield from ask(_KNOWN, _UPDATES, in_words_of(rules, _APPROVALS))


def _identities(rules: Sequence[Rule]) -> Iterator[Probe]:
    yield from ask(_KNOWN, _CHANGES, in_words_of(rules, _IDENTITIES))
    named = in_words_of(rules, (NAMESPACE_OBJECT,))
    yield from ask(_KNOWN, ("update", "patch", "delete"), named)
    yield from ask(_KNOWN, ("create",), in_words_of(rules, _CREATED_ONLY))


# --- by events ------------------------------------------------------------------------------


def _bodies_seen(observed: Observed, level: Level) -> FromEvents:
    """Existential for each kind of object; a deletion has no body that would tell anything.

    A change below the level is a fault, whoever made it.
    """
    changes = (
        *observed.of(_CHANGES, _WITH_BODIES),
        *observed.of(_UPDATES, _APPROVALS),
    )
    low = [seen for seen in changes if seen.level < level]
    wanted = [_change(target, ("create", *_UPDATES), level) for target in _WITH_BODIES]
    wanted += [_change(target, _UPDATES, level) for target in _APPROVALS]
    lack = f"of changes are below {level.value}"
    return wrongly_recorded(low, lack) or all_seen(observed, wanted)


def _identities_seen(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
    """Existential for each kind of object."""
    wanted = [_change(target, _CHANGES) for target in (*_IDENTITIES, NAMESPACE_OBJECT)]
    wanted += [_change(target, ("create",)) for target in _CREATED_ONLY]
    return all_seen(observed, wanted)


def _change(
    target: ObjectAttributes, verbs: tuple[str, ...], level: Level = Level.METADATA
) -> Wanted:
    what = "a creation" if verbs == ("create",) else "a change"
    words = f"{what} of {kind_of(target)}"
    return Wanted(words=words, verbs=verbs, targets=(target,), level=level)
