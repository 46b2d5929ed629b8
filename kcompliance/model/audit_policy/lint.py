"""Finds rules of an audit policy that cannot fire or do not mean what their author thinks.

The letters L1 to L12 are those of KC-AUD-007. Everything reported as dead or unreachable is
provable from the rules alone: where it is not, nothing is said.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.model.audit_policy.load import GROUP_WILDCARD_SINCE, Loaded
from kcompliance.model.audit_policy.policy import AuditPolicy, GroupResources, Level, Rule
from kcompliance.model.kubernetes_version import KubernetesVersion

__all__ = ["Lint", "lint_policy", "rule_covers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One remark. `rule` counts from 0, `line` from 1; both None where it is about the whole."""

    code: str
    message: str
    informational: bool
    rule: int | None = None
    line: int | None = None


CORE_RESOURCES = frozenset(
    {
        "bindings",
        "componentstatuses",
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    }
)
"""Everything that the core group has ever served in v1; custom resources cannot join it."""

_OBJECT_VERBS = frozenset(
    {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy"}
)
_NAMELESS_VERBS = frozenset({"create", "list", "watch", "deletecollection"})
_HTTP_VERBS = frozenset(
    {"get", "head", "post", "put", "patch", "delete", "connect", "options", "trace"}
)
_DANGEROUS_SUBRESOURCES = {
    "pods": ("exec", "attach", "portforward", "proxy", "ephemeralcontainers"),
    "serviceaccounts": ("token",),
    "nodes": ("proxy",),
    "services": ("proxy",),
}


def lint_policy(
    loaded: Loaded, version: KubernetesVersion | None = None, *, require_catch_all: bool = True
) -> tuple[Lint, ...]:
    """All remarks, by rule; `version` None means that the server's version is not known."""
    policy = loaded.policy
    remarks = [*_dropped_fields(loaded), *_coverage(policy, require_catch_all=require_catch_all)]
    for index, rule in enumerate(policy.rules):
        remarks += [
            Lint(code=code, message=message, informational=quiet, rule=index, line=rule.line)
            for code, message, quiet in _about_rule(rule, policy.rules[:index], version)
        ]
    remarks.sort(key=lambda lint: (lint.rule is None, lint.rule or 0, lint.code))
    return tuple(remarks)


_Remark = tuple[str, str, bool]


def _about_rule(
    rule: Rule, earlier: tuple[Rule, ...], version: KubernetesVersion | None
) -> Iterator[_Remark]:
    yield from _literal_stars(rule)
    yield from _groups(rule, version)
    yield from _verbs(rule)
    yield from _informational(rule)
    for index, other in enumerate(earlier):
        if rule_covers(other, rule):
            yield (
                "L7",
                f"never reached: rule {index} (line {other.line}) matches all of it first",
                False,
            )
            return


def _dropped_fields(loaded: Loaded) -> Iterator[Lint]:
    for warning in loaded.warnings:
        yield Lint(
            code="L1",
            message=f"{warning.message}: the server goes on as if it were not there",
            informational=False,
            line=warning.line,
        )


def _literal_stars(rule: Rule) -> Iterator[_Remark]:
    for name, values in (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("verbs", rule.verbs),
        ("namespaces", rule.namespaces),
    ):
        if "*" in values:
            yield "L2", f'"*" is no wildcard in {name}: leave {name} out to match all', False


def _groups(rule: Rule, version: KubernetesVersion | None) -> Iterator[_Remark]:
    for group in rule.resources:
        if "*/*" in group.resources:
            yield "L3", '"*/*" matches nothing: write "*", which includes subresources', False
        if group.group == "*" and version is None:  # with a known one the loader has refused it
            yield "L4", f'group "*" stops a server before Kubernetes {GROUP_WILDCARD_SINCE}', True
        yield from _wrong_group(group)


def _wrong_group(group: GroupResources) -> Iterator[_Remark]:
    if group.group == "core":
        yield "L5", 'there is no API group "core": the core group is ""', False
    if group.group:
        return
    for spec in group.resources:
        resource = spec.partition("/")[0]
        if resource != "*" and resource not in CORE_RESOURCES:
            yield (
                "L5",
                f'"{spec}" is not in the core group, and a missing group means the core group',
                False,
            )


def _verbs(rule: Rule) -> Iterator[_Remark]:
    possible = _OBJECT_VERBS | _HTTP_VERBS
    if rule.resources_only:
        possible = _OBJECT_VERBS
    elif rule.non_resource_urls:
        possible = _HTTP_VERBS
    for verb in rule.verbs:
        if verb not in possible and verb != "*":  # "*" is L2
            yield "L9", f'no request has the verb "{verb}" here', False


def _informational(rule: Rule) -> Iterator[_Remark]:
    for group in rule.resources:
        for spec in group.resources:
            missed = _DANGEROUS_SUBRESOURCES.get(spec, ()) if not group.group else ()
            if missed:
                names = ", ".join(f"{spec}/{sub}" for sub in missed)
                yield "L6", f'"{spec}" does not include {names}', True
            if spec.endswith("/*") and spec != "*/*":
                yield "L6", f'"{spec}" also matches {spec[:-2]} itself', True
        whole_objects = any("/" not in spec for spec in group.resources)
        if group.resource_names and whole_objects and _NAMELESS_VERBS & set(rule.verbs):
            yield (
                "L12",
                "resourceNames never match a create or deletecollection, and a list or watch "
                "only with a field selector: those requests carry no name",
                True,
            )
    if rule.non_resource_urls and rule.level > Level.METADATA:
        yield "L10", f"{rule.level.value} records no bodies of non-resource requests", True


# --- coverage ------------------------------------------------------------------------------


def _coverage(policy: AuditPolicy, *, require_catch_all: bool) -> Iterator[Lint]:
    silent = [(i, r) for i, r in enumerate(policy.rules) if r.catch_all and r.level is Level.NONE]
    for index, rule in silent:
        yield Lint(
            code="L11",
            message="a rule for everything at level None: what no rule before it names is lost",
            informational=False,
            rule=index,
            line=rule.line,
        )
    if require_catch_all and not silent and not _covers_everything(policy.rules):
        yield Lint(
            code="L8",
            message="no rule for everything at the end: what no rule names is not recorded",
            informational=False,
        )


def _covers_everything(rules: tuple[Rule, ...]) -> bool:
    """One rule without conditions, or one for all resources and one for all paths."""
    if any(rule.catch_all for rule in rules):
        return True
    free = [r for r in rules if not (r.users or r.user_groups or r.verbs or r.namespaces)]
    all_objects = any(
        group.group == "*" and _all_resources(group) for rule in free for group in rule.resources
    )
    all_paths = any(url in ("*", "/*") for rule in free for url in rule.non_resource_urls)
    return all_objects and all_paths


def _all_resources(group: GroupResources) -> bool:
    return not group.resources or ("*" in group.resources and not group.resource_names)


# --- L7: is every request that `narrow` matches matched by `wide` already? --------------------


def rule_covers(wide: Rule, narrow: Rule) -> bool:
    """Whether all that one rule matches the other matches too, as far as that is provable.

    Field by field, so it may say no where the rules taken together would say yes.
    """
    return (
        _no_narrower(wide.users, narrow.users)
        and _no_narrower(wide.user_groups, narrow.user_groups)
        and _no_narrower(wide.verbs, narrow.verbs)
        and _targets_superset(wide, narrow)
    )


def _no_narrower(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _targets_superset(wide: Rule, narrow: Rule) -> bool:
    if not wide.resources_only and not wide.non_resource_urls:
        return True
    if wide.resources_only:
        return (
            narrow.resources_only
            and _no_narrower(wide.namespaces, narrow.namespaces)
            and _resources_superset(wide.resources, narrow.resources)
        )
    return bool(narrow.non_resource_urls and not narrow.resources_only) and all(
        any(_url_covers(w, n) for w in wide.non_resource_urls) for n in narrow.non_resource_urls
    )


def _resources_superset(
    wide: tuple[GroupResources, ...], narrow: tuple[GroupResources, ...]
) -> bool:
    if not wide:
        return True
    if not narrow:
        return any(group.group == "*" and _all_resources(group) for group in wide)
    return all(any(_group_covers(w, n) for w in wide) for n in narrow)


def _group_covers(wide: GroupResources, narrow: GroupResources) -> bool:
    if wide.group not in ("*", narrow.group):
        return False
    if not wide.resources:
        return True
    if not _no_narrower(wide.resource_names, narrow.resource_names):
        return False
    return bool(narrow.resources) and all(
        any(_spec_covers(w, n) for w in wide.resources) for n in narrow.resources
    )


def _spec_covers(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    resource, slash, subresource = narrow.partition("/")
    if wide.endswith("/*") and wide != "*/*":  # pods/* covers pods and pods/log, not pods/*/x
        return resource == wide[:-2] and narrow.count("/") <= 1
    same = subresource == wide[2:] and subresource != "*" and resource != "*"
    return bool(slash) and wide.startswith("*/") and same


def _url_covers(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    return wide.endswith("*") and narrow != "*" and narrow.startswith(wide.rstrip("*"))
