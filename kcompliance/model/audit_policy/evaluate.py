"""What kube-apiserver records of a request: the first rule that matches decides.

Source: k8s.io/apiserver `pkg/audit/policy/checker.go`, and for the stages
`pkg/endpoints/filters/audit.go` and `authn_audit.go`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kcompliance.model.audit_policy.policy import (
    AuditPolicy,
    GroupResources,
    Level,
    Rule,
    Stage,
)
from kcompliance.model.request import NonResource, ObjectAttributes, Request

__all__ = ["Decision", "PolicyEvaluator", "evaluate", "matches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a request is recorded; `rule` counts from 0, None when no rule matched."""

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    rule: int | None
    line: int | None
    stages: tuple[Stage, ...]
    """The stages of events written when the request is answered without a panic, in order."""


class PolicyEvaluator:
    """A policy made ready for many requests."""

    def __init__(self, policy: AuditPolicy) -> None:
        self._policy = policy
        self._rules = [(_matcher(rule), rule) for rule in policy.rules]

    def decide(self, request: Request) -> Decision:
        """The first matching rule's decision, or None level when no rule matches."""
        policy = self._policy
        for index, (matches_rule, rule) in enumerate(self._rules):
            if matches_rule(request):
                omit = policy.omit_stages | rule.omit_stages
                own = rule.omit_managed_fields
                return Decision(
                    level=rule.level,
                    omit_stages=omit,
                    omit_managed_fields=policy.omit_managed_fields if own is None else own,
                    rule=index,
                    line=rule.line,
                    stages=_stages(request, rule.level, omit),
                )
        return Decision(
            level=Level.NONE,
            omit_stages=policy.omit_stages,
            omit_managed_fields=policy.omit_managed_fields,
            rule=None,
            line=None,
            stages=(),
        )


def evaluate(policy: AuditPolicy, request: Request) -> Decision:
    """Decide one request; for many, keep a `PolicyEvaluator`."""
    return PolicyEvaluator(policy).decide(request)


def matches(rule: Rule, request: Request) -> bool:
    """Whether one rule on its own matches a request."""
    return _matcher(rule)(request)


def _stages(request: Request, level: Level, omit: frozenset[Stage]) -> tuple[Stage, ...]:
    """A failed login writes one event, at ResponseStarted, and nothing where that is omitted."""
    if level is Level.NONE:
        return ()
    if request.user is None:
        emitted: tuple[Stage, ...] = (Stage.RESPONSE_STARTED,)
    elif request.long_running:
        emitted = (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE)
    else:
        emitted = (Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE)
    return tuple(stage for stage in emitted if stage not in omit)


_Matcher = Callable[[Request], bool]


def _matcher(rule: Rule) -> _Matcher:
    """All conditions of a rule. Nowhere but in resources and paths is there a wildcard."""
    users, groups, verbs = frozenset(rule.users), frozenset(rule.user_groups), frozenset(rule.verbs)
    matches_target = _target_matcher(rule)

    def matches_all(request: Request) -> bool:
        user = request.user
        return (
            (not users or (user is not None and user.name in users))
            and (not groups or (user is not None and not groups.isdisjoint(user.groups)))
            and (not verbs or request.verb in verbs)
            and matches_target(request.target)
        )

    return matches_all


def _target_matcher(rule: Rule) -> Callable[[ObjectAttributes | NonResource], bool]:
    namespaces = frozenset(rule.namespaces)

    def matches_object(target: ObjectAttributes | NonResource) -> bool:
        return (
            isinstance(target, ObjectAttributes)
            and (not namespaces or target.namespace in namespaces)
            and (not rule.resources or any(_covers(group, target) for group in rule.resources))
        )

    def matches_path(target: ObjectAttributes | NonResource) -> bool:
        return isinstance(target, NonResource) and any(
            _path_matches(spec, target.path) for spec in rule.non_resource_urls
        )

    if rule.resources_only:
        return matches_object
    return matches_path if rule.non_resource_urls else lambda _target: True


def _covers(group: GroupResources, target: ObjectAttributes) -> bool:
    if group.group not in (target.group, "*"):
        return False
    if not group.resources:
        return True
    if group.resource_names and target.name not in group.resource_names:
        return False
    return any(_resource_matches(spec, target) for spec in group.resources)


def _resource_matches(spec: str, target: ObjectAttributes) -> bool:
    """`pods`, `pods/log`, `*`, `*/log` or `pods/*`; the last also matches `pods` itself.

    The API's comment says otherwise of `pods/*`; the code of the server decides. For the same
    reason `*/*` matches no resource that exists.
    """
    resource, subresource = target.resource, target.subresource
    if spec in ("*", f"{resource}/{subresource}" if subresource else resource):
        return True
    if subresource and spec.startswith("*/") and spec[2:] == subresource:
        return True
    return spec.endswith("/*") and spec[:-2] == resource


def _path_matches(spec: str, path: str) -> bool:
    if spec in ("*", path):
        return True
    return spec.endswith("*") and path.startswith(spec.rstrip("*"))
