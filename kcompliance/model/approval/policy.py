"""The one form of an audit policy that means the same to a kube-apiserver, and its digest.

What a server makes of the file at its start is written down: comments, white space, anchors and
the order of keys are gone, `omitStages` and `omitManagedFields` of the whole policy stand in each
rule, and what is empty or the default is left out. The lists inside of a rule are sets to the
server, so they are sorted and hold nothing twice. The order of the rules decides, and stays.

The bytes are RFC 8785, and are themselves a policy that a server loads.
"""

from typing import Final, Literal

import msgspec
import rfc8785

from kcompliance.model.approval.part import Part
from kcompliance.model.audit_policy import (
    AuditPolicy,
    GroupResources,
    Level,
    Loaded,
    Rule,
    Stage,
    load_policy,
)
from kcompliance.model.digest import Sha256, sha256

__all__ = [
    "CanonicalGroupV1",
    "CanonicalPolicyV1",
    "CanonicalRuleV1",
    "canonical_bytes",
    "canonical_policy",
    "canonical_sha256",
    "policy_in",
]

_API_VERSION: Final = "audit.k8s.io/v1"


class CanonicalGroupV1(Part, frozen=True, omit_defaults=True):
    """Resources of one API group; what is left out is empty."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = msgspec.field(name="resourceNames", default=())


class CanonicalRuleV1(Part, frozen=True, omit_defaults=True):
    """One rule with all that applies to it; what is left out places no condition."""

    level: Literal["None", "Metadata", "Request", "RequestResponse"]
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = msgspec.field(name="userGroups", default=())
    verbs: tuple[str, ...] = ()
    resources: tuple[CanonicalGroupV1, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(name="nonResourceURLs", default=())
    omit_stages: tuple[str, ...] = msgspec.field(name="omitStages", default=())
    omit_managed_fields: bool = msgspec.field(name="omitManagedFields", default=False)


class CanonicalPolicyV1(Part, frozen=True):
    """The policy; `rules` are in their order."""

    api_version: Literal["audit.k8s.io/v1"] = msgspec.field(name="apiVersion")
    kind: Literal["Policy"]
    rules: tuple[CanonicalRuleV1, ...]


def canonical_policy(policy: AuditPolicy) -> CanonicalPolicyV1:
    """What a server makes of this policy."""
    rules = tuple(_rule(policy, rule) for rule in policy.rules)
    return CanonicalPolicyV1(api_version=_API_VERSION, kind="Policy", rules=rules)


def canonical_bytes(policy: CanonicalPolicyV1) -> bytes:
    """RFC 8785."""
    return rfc8785.dumps(msgspec.to_builtins(policy))


def canonical_sha256(policy: CanonicalPolicyV1) -> Sha256:
    """By this two policies are one or two."""
    return sha256(canonical_bytes(policy))


def policy_in(canonical: CanonicalPolicyV1) -> AuditPolicy | None:
    """The policy again; None where this is not what `canonical_policy` makes of any."""
    loaded = load_policy(canonical_bytes(canonical))
    if not isinstance(loaded, Loaded) or canonical_policy(loaded.policy) != canonical:
        return None
    return loaded.policy


def _rule(policy: AuditPolicy, rule: Rule) -> CanonicalRuleV1:
    stages = policy.omit_stages | rule.omit_stages
    own = rule.omit_managed_fields
    return CanonicalRuleV1(
        level=_LEVELS[rule.level],
        users=_set(rule.users),
        user_groups=_set(rule.user_groups),
        verbs=_set(rule.verbs),
        resources=_groups(rule.resources),
        namespaces=_set(rule.namespaces),
        non_resource_urls=_set(rule.non_resource_urls),
        omit_stages=tuple(stage.value for stage in Stage if stage in stages),
        omit_managed_fields=policy.omit_managed_fields if own is None else own,
    )


_LEVELS: Final[dict[Level, Literal["None", "Metadata", "Request", "RequestResponse"]]] = {
    Level.NONE: "None",
    Level.METADATA: "Metadata",
    Level.REQUEST: "Request",
    Level.REQUEST_RESPONSE: "RequestResponse",
}


def _groups(groups: tuple[GroupResources, ...]) -> tuple[CanonicalGroupV1, ...]:
    parts = {(g.group, _set(g.resources), _set(g.resource_names)) for g in groups}
    return tuple(
        CanonicalGroupV1(group=group, resources=resources, resource_names=names)
        for group, resources, names in sorted(parts)
    )


def _set(items: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(items)))
