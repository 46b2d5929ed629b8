"""Loads an audit policy as leniently and as strictly as kube-apiserver does at its start.

Sources: k8s.io/apiserver `pkg/audit/policy/reader.go` and
`pkg/apis/audit/validation/validation.go`; what was measured on real servers is in the tests.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kcompliance.model.audit_policy.go_decode import (
    BOOL,
    INT,
    RAW,
    STRING,
    TIME,
    Decoding,
    ListOf,
    MapOf,
    Struct,
)
from kcompliance.model.audit_policy.policy import (
    AuditPolicy,
    GroupResources,
    Level,
    Rule,
    Stage,
)
from kcompliance.model.documents import split_documents
from kcompliance.model.go_tree import Malformed, Members, Node, Unsure, read_tree
from kcompliance.model.kubernetes_version import KubernetesVersion

__all__ = ["GROUP_WILDCARD_SINCE", "Loaded", "NotRead", "PolicyWarning", "Refused", "load_policy"]

GROUP_WILDCARD_SINCE = KubernetesVersion(1, 36)
"""`group: "*"` matches any group from here on; before, the server does not start with it
(kubernetes commit 6728d949)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWarning:
    """What the server drops in silence (one line in its own log). `line` counts from 1."""

    message: str
    path: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The policy that the server would run with."""

    policy: AuditPolicy
    warnings: tuple[PolicyWarning, ...] = ()

    @property
    def needs_group_wildcard(self) -> bool:
        """Whether only servers from `GROUP_WILDCARD_SINCE` on load it."""
        groups = (group for rule in self.policy.rules for group in rule.resources)
        return any(group.group == "*" for group in groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The server does not start with this file; `reasons` are never empty."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """Whether the server takes the file cannot be told here: too large, too deep, too odd."""

    reason: str


@lru_cache(maxsize=64)
def load_policy(
    data: bytes, version: KubernetesVersion | None = None
) -> Loaded | Refused | NotRead:
    """What a kube-apiserver of `version` makes of a policy file; None is the newest.

    Never raises, whatever the bytes are. Remembers the last ones: each control asks anew.
    """
    try:
        tree = read_tree(data)
    except Malformed as error:
        return Refused(reasons=(str(error),))
    except Unsure as error:
        return NotRead(reason=str(error))
    if problem := _wrong_kind(tree):
        return Refused(reasons=(problem,))
    decoding = Decoding()
    document = decoding.decode(tree, _POLICY) or {}
    if decoding.problems:
        return Refused(reasons=tuple(decoding.problems))
    problems = _validate(document, version)
    if problems:
        return Refused(reasons=tuple(problems))
    warnings = [
        *(_warning(path, line, "unknown field") for path, line in decoding.dropped),
        *(
            _warning(path, line, "duplicate field, the last counts")
            for path, line in decoding.repeated
        ),
        *_second_document(data),
    ]
    warnings.sort(key=lambda warning: (warning.line, warning.path))
    return Loaded(policy=_policy(document, _rule_lines(tree)), warnings=tuple(warnings))


def _warning(path: str, line: int, problem: str) -> PolicyWarning:
    return PolicyWarning(message=f"{problem}: {path} (line {line})", path=path, line=line)


def _second_document(data: bytes) -> list[PolicyWarning]:
    line = 1
    beginnings = []
    for chunk in split_documents(data):
        if any(map(_SAYS_SOMETHING.match, chunk.splitlines())):
            beginnings.append(line)
        line += len(chunk.splitlines())
    if len(beginnings) < 2:
        return []
    message = f"a second document, of which nothing is read (line {beginnings[1]})"
    return [PolicyWarning(message=message, path="", line=beginnings[1])]


_SAYS_SOMETHING = re.compile(rb"(?!(---|\.\.\.)?[ \t]*(#|$)|%)")


# --- apiVersion and kind -------------------------------------------------------------------


def _wrong_kind(tree: Node) -> str | None:
    """Why the server would not even try: it looks for these two names in any case of letters."""
    if tree.value is None:
        return "empty: no apiVersion"
    if not isinstance(tree.value, Members):
        return "not a mapping: no apiVersion and kind can be found"
    found = {"apiversion": "", "kind": ""}
    for member in tree.value.items:
        name = member.key.casefold()
        if name in found and member.node.value is not None:
            if not isinstance(member.node.value, str):
                return f"{member.key} (line {member.line}): not a string"
            found[name] = member.node.value
    if found["apiversion"] != "audit.k8s.io/v1":
        was = f"apiVersion is {found['apiversion']!r}" if found["apiversion"] else "no apiVersion"
        return f"{was}, where audit.k8s.io/v1 is needed"
    if found["kind"] not in ("", "Policy"):
        return f"kind is {found['kind']!r}, where Policy is needed"
    return None


# --- Go types (k8s.io/apiserver pkg/apis/audit/v1/types.go, apimachinery metav1.ObjectMeta) --

_STRINGS = ListOf(STRING)
_OBJECT_META = Struct(
    {
        **dict.fromkeys(
            ["name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"], STRING
        ),
        **dict.fromkeys(["generation", "deletionGracePeriodSeconds"], INT),
        **dict.fromkeys(["creationTimestamp", "deletionTimestamp"], TIME),
        **dict.fromkeys(["labels", "annotations"], MapOf(STRING)),
        "ownerReferences": ListOf(
            Struct(
                {
                    **dict.fromkeys(["apiVersion", "kind", "name", "uid"], STRING),
                    **dict.fromkeys(["controller", "blockOwnerDeletion"], BOOL),
                }
            )
        ),
        "finalizers": _STRINGS,
        "managedFields": ListOf(
            Struct(
                {
                    **dict.fromkeys(
                        ["manager", "operation", "apiVersion", "fieldsType", "subresource"], STRING
                    ),
                    "time": TIME,
                    "fieldsV1": RAW,
                }
            )
        ),
    }
)
_GROUP_RESOURCES = Struct({"group": STRING, "resources": _STRINGS, "resourceNames": _STRINGS})
_RULE = Struct(
    {
        "level": STRING,
        "resources": ListOf(_GROUP_RESOURCES),
        "omitManagedFields": BOOL,
        **dict.fromkeys(
            ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "omitStages"],
            _STRINGS,
        ),
    }
)
_POLICY = Struct(
    {
        "apiVersion": STRING,
        "kind": STRING,
        "metadata": _OBJECT_META,
        "rules": ListOf(_RULE),
        "omitStages": _STRINGS,
        "omitManagedFields": BOOL,
    }
)

# --- validation ----------------------------------------------------------------------------

_LEVELS = [level.value for level in Level]
_STAGES = [stage.value for stage in Stage]
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def _validate(document: dict[str, Any], version: KubernetesVersion | None) -> list[str]:
    rules = document.get("rules") or []
    problems = _validate_stages(document, "omitStages")
    for index, rule in enumerate(rules):
        problems += _validate_rule(rule or {}, f"rules[{index}]", version)
    if not rules and not problems:
        problems.append("rules: a policy with no rules is refused")
    return problems


def _validate_rule(rule: dict[str, Any], path: str, version: KubernetesVersion | None) -> list[str]:
    problems = []
    level = rule.get("level") or ""
    if not level:
        problems.append(f"{path}.level: required")
    elif level not in _LEVELS:
        problems.append(f"{path}.level: {level!r} is none of {', '.join(_LEVELS)}")
    urls = _texts(rule.get("nonResourceURLs"))
    for index, url in enumerate(urls):
        problems += _validate_url(url, f"{path}.nonResourceURLs[{index}]")
    resources = rule.get("resources") or []
    for index, group in enumerate(resources):
        problems += _validate_group(group or {}, f"{path}.resources[{index}]", version)
    problems += _validate_stages(rule, f"{path}.omitStages")
    if urls and (resources or rule.get("namespaces")):
        problems.append(
            f"{path}.nonResourceURLs: a rule cannot have both these and resources or namespaces"
        )
    return problems


def _validate_url(url: str, path: str) -> list[str]:
    if url == "*":
        return []
    problems = []
    if not url.startswith("/"):
        problems.append(f"{path}: {url!r} does not begin with /")
    if "*" in url[:-1]:
        problems.append(f"{path}: {url!r} has a * that is not its last character")
    return problems


def _validate_group(
    group: dict[str, Any], path: str, version: KubernetesVersion | None
) -> list[str]:
    problems = []
    name = group.get("group") or ""
    if name == "*":
        if version is not None and version < GROUP_WILDCARD_SINCE:
            problems.append(
                f'{path}.group: "*" is refused before Kubernetes {GROUP_WILDCARD_SINCE}, '
                f"this server is {version}"
            )
    elif name and not (len(name) <= 253 and _DNS_SUBDOMAIN.fullmatch(name)):
        problems.append(
            f"{path}.group: {name!r} is not the name of an API group "
            "(lower case, dots and dashes, no version)"
        )
    if group.get("resourceNames") and not group.get("resources"):
        problems.append(f"{path}.resourceNames: needs at least one entry in resources")
    return problems


def _validate_stages(holder: dict[str, Any], path: str) -> list[str]:
    return [
        f"{path}[{index}]: {stage!r} is none of {', '.join(_STAGES)}"
        for index, stage in enumerate(_texts(holder.get("omitStages")))
        if stage not in _STAGES
    ]


# --- to our own types ----------------------------------------------------------------------


def _policy(document: dict[str, Any], lines: list[int]) -> AuditPolicy:
    rules = document["rules"]
    return AuditPolicy(
        rules=tuple(_rule(rule, line) for rule, line in zip(rules, lines, strict=True)),
        omit_stages=_stages(document),
        omit_managed_fields=bool(document.get("omitManagedFields")),
    )


def _rule(rule: dict[str, Any], line: int) -> Rule:
    return Rule(
        level=Level(rule["level"]),
        users=_texts(rule.get("users")),
        user_groups=_texts(rule.get("userGroups")),
        verbs=_texts(rule.get("verbs")),
        resources=tuple(_group(group or {}) for group in rule.get("resources") or ()),
        namespaces=_texts(rule.get("namespaces")),
        non_resource_urls=_texts(rule.get("nonResourceURLs")),
        omit_stages=_stages(rule),
        omit_managed_fields=rule.get("omitManagedFields"),
        line=line,
    )


def _group(group: dict[str, Any]) -> GroupResources:
    return GroupResources(
        group=group.get("group") or "",
        resources=_texts(group.get("resources")),
        resource_names=_texts(group.get("resourceNames")),
    )


def _texts(items: list[str | None] | None) -> tuple[str, ...]:
    """A null in a list is Go's zero value: the empty string."""
    return tuple(item or "" for item in items or ())


def _stages(holder: dict[str, Any]) -> frozenset[Stage]:
    return frozenset(Stage(stage) for stage in _texts(holder.get("omitStages")))


def _rule_lines(tree: Node) -> list[int]:
    """On which line each rule stands: those of the last `rules`, which is the one that counts."""
    assert isinstance(tree.value, Members)  # noqa: S101 - _wrong_kind saw to it
    lists = [
        member.node.value
        for member in tree.value.items
        if member.key == "rules" and isinstance(member.node.value, list)
    ]
    return [node.line for node in lists[-1]] if lists else []
