"""Requests in a policy's own words: made to match one of its rules, then bent a little.

A request is in the words of the audit oracle; `as_request` is the same one in ours.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kcompliance.model.audit_policy import AuditPolicy, Rule
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

__all__ = ["as_request", "requests_in_the_words_of"]

_USERS = ["jane", "system:anonymous", "system:admin"]
_GROUPS = ["system:authenticated", "system:masters", "system:unauthenticated"]
_VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", ""]
_NAMESPACES = ["", "default", "kube-system"]
_API_GROUPS = ["", "apps", "unheard.example.com"]
_RESOURCES = ["pods", "secrets", "configmaps", "things"]
_SUBRESOURCES = ["", "", "status", "exec", "scale"]
_NAMES = ["", "web"]
_PATHS = ["/healthz", "/api", "/apis/apps/v1", "/metrics", "/unheard-of"]
_SUFFIXES = ["", "foo", "/", "/etcd"]
_FAILED_LOGINS = 0.05
_BENT = 0.5


def requests_in_the_words_of(
    policy: AuditPolicy, rng: random.Random, number: int
) -> Iterator[dict[str, Any]]:
    """Half of them match the rule that they were made for, if not an earlier one."""
    words = _Words(policy)
    for index in range(number):
        rule = policy.rules[index % len(policy.rules)]
        request = words.request_for(rule, rng)
        if rng.random() < _BENT:
            other = words.request_for(rng.choice(policy.rules), rng)
            same_kind = other["resourceRequest"] == request["resourceRequest"]
            for name in rng.sample(sorted(other), 2) if same_kind else ["user", "groups", "verb"]:
                request[name] = other[name]
        if rng.random() < _FAILED_LOGINS:
            request |= {"user": None, "groups": []}
        yield request


def as_request(request: Mapping[str, Any]) -> Request:
    """The same request as kcompliance's own value."""
    user = None
    if request["user"] is not None:
        user = User(name=request["user"], groups=tuple(request["groups"]))
    target: ObjectAttributes | NonResource
    if request["resourceRequest"]:
        target = ObjectAttributes(
            group=request["group"],
            resource=request["resource"],
            subresource=request["subresource"],
            namespace=request["namespace"],
            name=request["name"],
        )
    else:
        target = NonResource(path=request["path"])
    return Request(user=user, verb=request["verb"], target=target)


class _Words:
    """All that a policy names, and something that it does not name."""

    def __init__(self, policy: AuditPolicy) -> None:
        rules = policy.rules
        self._users = [*_USERS, *(user for rule in rules for user in rule.users)]
        self._groups = [*_GROUPS, *(group for rule in rules for group in rule.user_groups)]
        self._namespaces = [*_NAMESPACES, *(each for rule in rules for each in rule.namespaces)]
        named = [group for rule in rules for group in rule.resources]
        self._api_groups = [*_API_GROUPS, *(each.group for each in named if each.group != "*")]
        self._names = [*_NAMES, *(name for each in named for name in each.resource_names)]
        specs = [spec.partition("/") for each in named for spec in each.resources]
        self._resources = [*_RESOURCES, *(head for head, _, _ in specs if head not in ("", "*"))]
        self._subresources = [*_SUBRESOURCES, *(tail for _, _, tail in specs if tail != "*")]

    def request_for(self, rule: Rule, rng: random.Random) -> dict[str, Any]:
        """A request that matches the rule, unless it is one that no request matches."""
        request: dict[str, Any] = {
            "user": rng.choice(rule.users or self._users),
            "groups": _some(rng, self._groups),
            "verb": rng.choice(rule.verbs or _VERBS),
        }
        if rule.user_groups:
            request["groups"].append(rng.choice(rule.user_groups))
        for_path = bool(rule.non_resource_urls) or (rule.catch_all and rng.random() < 0.3)
        if for_path and not rule.resources_only:
            return request | self._path(rule, rng)
        return request | self._object(rule, rng)

    def _path(self, rule: Rule, rng: random.Random) -> dict[str, Any]:
        spec = rng.choice(rule.non_resource_urls or _PATHS)
        path = spec.rstrip("*") + (rng.choice(_SUFFIXES) if spec.endswith("*") else "")
        return {"resourceRequest": False, "path": path or "/"}

    def _object(self, rule: Rule, rng: random.Random) -> dict[str, Any]:
        target = {
            "resourceRequest": True,
            "group": rng.choice(self._api_groups),
            "version": "v1",
            "resource": rng.choice(self._resources),
            "subresource": rng.choice(self._subresources),
            "namespace": rng.choice(rule.namespaces or self._namespaces),
            "name": rng.choice(self._names),
        }
        if not rule.resources:
            return target
        named = rng.choice(rule.resources)
        if named.group != "*":
            target["group"] = named.group
        if named.resource_names:
            target["name"] = rng.choice(named.resource_names)
        if named.resources:
            resource, _, subresource = rng.choice(named.resources).partition("/")
            if resource not in ("", "*"):
                target["resource"] = resource
            if resource != "*" or subresource:
                target["subresource"] = subresource
            if subresource == "*":
                target["subresource"] = rng.choice(self._subresources)
        return target


def _some(rng: random.Random, of: Sequence[str]) -> list[str]:
    return [rng.choice(of) for _ in range(rng.randint(0, 2))]
