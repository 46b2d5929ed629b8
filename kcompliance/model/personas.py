"""Kinds of users, and the requests by which a policy is tried for each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.model.audit_policy import AuditPolicy, GroupResources
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

__all__ = ["PERSONAS", "Persona", "probes_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A kind of user; `user` None is a login that fails."""

    name: str
    user: User | None


def _persona(name: str, user: str, *groups: str) -> Persona:
    return Persona(name=name, user=User(name=user, groups=groups))


PERSONAS = (
    _persona("a human", "kcompliance:human", "system:authenticated"),
    _persona("a cluster admin", "kcompliance:admin", "system:masters", "system:authenticated"),
    _persona(
        "a service account",
        "system:serviceaccount:kcompliance-app:kcompliance",
        "system:serviceaccounts",
        "system:serviceaccounts:kcompliance-app",
        "system:authenticated",
    ),
    _persona("a node", "system:node:kcompliance", "system:nodes", "system:authenticated"),
    _persona("an anonymous user", "system:anonymous", "system:unauthenticated"),
    Persona(name="a failed login", user=None),
)
"""Names that no policy mentions, in the groups that the server really gives such users."""

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_READS = ("get", "list")
_UNKNOWN = ObjectAttributes(
    group="kcompliance.example", resource="widgets", namespace="kcompliance", name="probe"
)
_UNKNOWN_PATH = "/kcompliance-probe"


def probes_of(policy: AuditPolicy, persona: Persona) -> Iterator[Request]:
    """Requests by this persona: for the unknown, and writes to all that the rules name."""
    for verb in (*_WRITES, *_READS):
        yield _request(persona, verb, _UNKNOWN)
    yield Request(user=persona.user, verb="get", target=NonResource(path=_UNKNOWN_PATH))
    for target in _named_targets(policy):
        for verb in _WRITES:
            yield _request(persona, verb, target)


def _request(persona: Persona, verb: str, target: ObjectAttributes) -> Request:
    """A create carries no name and a deletecollection neither."""
    if verb in ("create", "list", "deletecollection") and not target.subresource:
        target = ObjectAttributes(
            group=target.group, resource=target.resource, namespace=target.namespace
        )
    return Request(user=persona.user, verb=verb, target=target)


def _named_targets(policy: AuditPolicy) -> tuple[ObjectAttributes, ...]:
    """One object for each group, resource, name and namespace that any rule names."""
    targets: dict[ObjectAttributes, None] = {}
    for rule in policy.rules:
        namespaces = rule.namespaces or (_UNKNOWN.namespace,)
        for group in rule.resources or ((_ANY,) if rule.namespaces else ()):
            for namespace in namespaces:
                targets.update(dict.fromkeys(_targets(group, namespace)))
    return tuple(targets)


_ANY = GroupResources(group=_UNKNOWN.group)


def _targets(group: GroupResources, namespace: str) -> Iterator[ObjectAttributes]:
    api_group = _UNKNOWN.group if group.group == "*" else group.group
    for spec in group.resources or ("*",):
        resource, _, subresource = spec.partition("/")
        for name in group.resource_names or (_UNKNOWN.name,):
            yield ObjectAttributes(
                group=api_group,
                resource=_UNKNOWN.resource if resource == "*" else resource,
                subresource="" if subresource == "*" else subresource,
                namespace=namespace,
                name=name,
            )
