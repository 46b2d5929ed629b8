"""KC-CMP-004: changes of permissions, admission and identities are recorded, with their bodies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.by_policy import Answer, judge_by_policy, trial_answer
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import WRITES, also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding
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

    At Metadata the trail tells that a role was changed, and not which right it gave.
    """

    def judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
        yield _answer(policy, rules, _bodies, params.rbac_min_level, "bodies")
        yield _answer(policy, rules, _identities, Level.METADATA, "recorded")

    findings = judge_by_policy(
        cluster,
        ("bodies", "recorded"),
        judge,
        question="Does the trail of {name} hold what was granted when a role was last bound? "
        "Look for requestObject of a rolebinding in the log store.",
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
    yield from ask(_KNOWN, ("update", "patch"), in_words_of(rules, _APPROVALS))


def _identities(rules: Sequence[Rule]) -> Iterator[Probe]:
    yield from ask(_KNOWN, _CHANGES, in_words_of(rules, _IDENTITIES))
    named = in_words_of(rules, (NAMESPACE_OBJECT,))
    yield from ask(_KNOWN, ("update", "patch", "delete"), named)
    yield from ask(_KNOWN, ("create",), in_words_of(rules, _CREATED_ONLY))
