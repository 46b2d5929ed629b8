"""Kinds of users, and the requests by which a policy is tried for each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.model.audit_policy import AuditPolicy, GroupResources
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

__all__ = [
    "ANONYMOUS",
    "CLUSTER_ADMIN",
    "FAILED_LOGIN",
    "HUMAN",
    "NODE",
    "PERSONAS",
    "PROBE_NAME",
    "PROBE_NAMESPACE",
    "READS",
    "SERVICE_ACCOUNT",
    "UNKNOWN",
    "UNKNOWN_PATH",
    "WRITES",
    "Persona",
    "probes_of",
    "request_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A kind of user; `user` None is a login that fails."""

    name: str
    user: User | None


def _persona(name: str, user: str, *groups: str) -> Persona:
    return Persona(name=name, user=User(name=user, groups=groups))


HUMAN = _persona("a human", "kcompliance:human", "system:authenticated")
CLUSTER_ADMIN = _persona(
    "a cluster admin", "kcompliance:admin", "system:masters", "system:authenticated"
)
SERVICE_ACCOUNT = _persona(
    "a service account",
    "system:serviceaccount:kcompliance-app:kcompliance",
    "system:serviceaccounts",
    "system:serviceaccounts:kcompliance-app",
    "system:authenticated",
)
NODE = _persona("a node", "system:node:kcompliance", "system:nodes", "system:authenticated")
ANONYMOUS = _persona("an anonymous user", "system:anonymous", "system:unauthenticated")
FAILED_LOGIN = Persona(name="a failed login", user=None)

PERSONAS = (HUMAN, CLUSTER_ADMIN, SERVICE_ACCOUNT, NODE, ANONYMOUS, FAILED_LOGIN)
"""Names that no policy mentions, in the groups that the server really gives such users."""

WRITES = ("create", "update", "patch", "delete", "deletecollection")
READS = ("get", "list")
PROBE_NAMESPACE = "kcompliance"
PROBE_NAME = "probe"
UNKNOWN = ObjectAttributes(
    group="kcompliance.example", resource="widgets", namespace=PROBE_NAMESPACE, name=PROBE_NAME
)
"""An object of a group that no policy names."""
UNKNOWN_PATH = "/kcompliance-probe"
_NAMELESS = frozenset({"create", "list", "watch", "deletecollection"})


def probes_of(policy: AuditPolicy, persona: Persona) -> Iterator[Request]:
    """Requests by this persona: for the unknown, and writes to all that the rules name."""
    for verb in (*WRITES, *READS):
        yield request_of(persona, verb, UNKNOWN)
    yield Request(user=persona.user, verb="get", target=NonResource(path=UNKNOWN_PATH))
    for target in _named_targets(policy):
        for verb in WRITES:
            yield request_of(persona, verb, target)


def request_of(persona: Persona, verb: str, target: ObjectAttributes) -> Request:
    """One request; a create or a request for many carries no name, unless of a subresource."""
    if verb in _NAMELESS and not target.subresource:
        target = ObjectAttributes(
            group=target.group, resource=target.resource, namespace=target.namespace
        )
    return Request(user=persona.user, verb=verb, target=target)


def _named_targets(policy: AuditPolicy) -> tuple[ObjectAttributes, ...]:
    """One object for each group, resource, name and namespace that any rule names."""
    targets: dict[ObjectAttributes, None] = {}
    for rule in policy.rules:
        namespaces = rule.namespaces or (UNKNOWN.namespace,)
        for group in rule.resources or ((_ANY,) if rule.namespaces else ()):
            for namespace in namespaces:
                targets.update(dict.fromkeys(_targets(group, namespace)))
    return tuple(targets)


_ANY = GroupResources(group=UNKNOWN.group)


def _targets(group: GroupResources, namespace: str) -> Iterator[ObjectAttributes]:
    api_group = UNKNOWN.group if group.group == "*" else group.group
    for spec in group.resources or ("*",):
        resource, _, subresource = spec.partition("/")
        for name in group.resource_names or (UNKNOWN.name,):
            yield ObjectAttributes(
                group=api_group,
                resource=UNKNOWN.resource if resource == "*" else resource,
                subresource="" if subresource == "*" else subresource,
                namespace=namespace,
                name=name,
            )
