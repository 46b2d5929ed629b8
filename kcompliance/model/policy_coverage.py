"""What a policy records of which user doing what over which transport.

The users, and the requests for what no rule names and for what the rules name, are those by which
KC-AUD-008 judges a policy. To them come the actions that catalogues of controls ask about.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kcompliance.model.audit_policy import AuditPolicy, Decision, Level, PolicyEvaluator
from kcompliance.model.personas import PERSONAS, Persona, probes_of
from kcompliance.model.request import NonResource, ObjectAttributes, Request

__all__ = ["Asked", "Cell", "Coverage", "Row", "Transport", "cover"]


class Transport(StrEnum):
    """How a request comes; for a stream it decides the verb that the policy is asked about."""

    REST = "REST"
    WATCH = "watch"
    SPDY = "SPDY"
    """kubectl before 1.31: a POST, which is a create."""
    WEBSOCKET = "WebSocket"
    """kubectl from 1.31 on: a GET, which is a get."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what the policy says of it."""

    request: Request
    decision: Decision

    @property
    def level(self) -> Level:
        """At which something is written; None where every stage is left out."""
        return self.decision.level if self.decision.stages else Level.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One persona in one row; never without requests."""

    persona: Persona
    asked: tuple[Asked, ...]

    @property
    def weakest(self) -> Level:
        """The level of the request of which least is recorded."""
        return min(each.level for each in self.asked)

    @property
    def strongest(self) -> Level:
        """The level of the request of which most is recorded."""
        return max(each.level for each in self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One action over one transport, by each persona in the order of `PERSONAS`."""

    action: str
    transport: Transport
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The whole matrix."""

    rows: tuple[Row, ...]

    @property
    def asked(self) -> Iterator[Asked]:
        """Every request in it."""
        for row in self.rows:
            for cell in row.cells:
                yield from cell.asked


def cover(policy: AuditPolicy) -> Coverage:
    """Ask a policy about every persona, action and transport."""
    evaluator = PolicyEvaluator(policy)
    by_persona = [_actions(policy, persona) for persona in PERSONAS]
    rows = []
    for number, (action, transport, _) in enumerate(by_persona[0]):
        cells = []
        for persona, actions in zip(PERSONAS, by_persona, strict=True):
            requests = actions[number][2]
            asked = tuple(Asked(request, evaluator.decide(request)) for request in requests)
            cells.append(Cell(persona=persona, asked=asked))
        rows.append(Row(action=action, transport=transport, cells=tuple(cells)))
    return Coverage(rows=tuple(rows))


# --- actions -------------------------------------------------------------------------------

_Action = tuple[str, Transport, tuple[Request, ...]]

_READ: Final = ("get", "list")
_WRITE: Final = ("create", "update", "patch", "delete", "deletecollection")
_CHANGE: Final = ("create", "update", "patch", "delete")
_NAMESPACE: Final = "kcompliance"
_NAME: Final = "probe"
_NAMELESS: Final = frozenset({"create", "list", "watch", "deletecollection"})


def _of(group: str, spec: str, *, namespace: str = _NAMESPACE) -> ObjectAttributes:
    resource, _, subresource = spec.partition("/")
    return ObjectAttributes(
        group=group, resource=resource, subresource=subresource, namespace=namespace, name=_NAME
    )


_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"

_REST: Final[tuple[tuple[str, Transport, tuple[str, ...], tuple[ObjectAttributes, ...]], ...]] = (
    ("read secrets", Transport.REST, _READ, (_of("", "secrets"),)),
    ("watch secrets", Transport.WATCH, ("watch",), (_of("", "secrets"),)),
    ("write secrets", Transport.REST, _WRITE, (_of("", "secrets"),)),
    ("read configmaps", Transport.REST, _READ, (_of("", "configmaps"),)),
    ("write configmaps", Transport.REST, _WRITE, (_of("", "configmaps"),)),
    ("get a token", Transport.REST, ("create",), (_of("", "serviceaccounts/token"),)),
    (
        "change RBAC",
        Transport.REST,
        _WRITE,
        (
            _of(_RBAC, "roles"),
            _of(_RBAC, "rolebindings"),
            _of(_RBAC, "clusterroles", namespace=""),
            _of(_RBAC, "clusterrolebindings", namespace=""),
        ),
    ),
    (
        "change admission",
        Transport.REST,
        _WRITE,
        (
            _of(_ADMISSION, "validatingwebhookconfigurations", namespace=""),
            _of(_ADMISSION, "mutatingwebhookconfigurations", namespace=""),
            _of(_ADMISSION, "validatingadmissionpolicies", namespace=""),
            _of(_ADMISSION, "validatingadmissionpolicybindings", namespace=""),
        ),
    ),
    (
        "approve a certificate",
        Transport.REST,
        ("update", "patch"),
        (_of(_CERTIFICATES, "certificatesigningrequests/approval", namespace=""),),
    ),
    (
        "change workloads",
        Transport.REST,
        _CHANGE,
        (
            _of("", "pods"),
            _of("apps", "deployments"),
            _of("apps", "daemonsets"),
            _of("apps", "statefulsets"),
            _of("batch", "jobs"),
            _of("batch", "cronjobs"),
        ),
    ),
    (
        "add a debug container",
        Transport.REST,
        ("update", "patch"),
        (_of("", "pods/ephemeralcontainers"),),
    ),
    ("exec, attach", Transport.SPDY, ("create",), (_of("", "pods/exec"), _of("", "pods/attach"))),
    ("exec, attach", Transport.WEBSOCKET, ("get",), (_of("", "pods/exec"), _of("", "pods/attach"))),
    ("port-forward", Transport.SPDY, ("create",), (_of("", "pods/portforward"),)),
    ("port-forward", Transport.WEBSOCKET, ("get",), (_of("", "pods/portforward"),)),
    ("read a pod's log", Transport.REST, ("get",), (_of("", "pods/log"),)),
    (
        "proxy",
        Transport.REST,
        ("get", "create", "update", "patch", "delete"),
        (
            _of("", "pods/proxy"),
            _of("", "services/proxy"),
            _of("", "nodes/proxy", namespace=""),
        ),
    ),
)


def _actions(policy: AuditPolicy, persona: Persona) -> list[_Action]:
    """The same actions for every persona."""
    unknown_reads, unknown_writes, paths, named = _probes(policy, persona)
    watched = Request(user=persona.user, verb="watch", target=_nameless(unknown_reads[0].target))
    actions: list[_Action] = [
        ("read anything else", Transport.REST, tuple(unknown_reads)),
        ("watch anything else", Transport.WATCH, (watched,)),
        ("write anything else", Transport.REST, tuple(unknown_writes)),
        ("any other path", Transport.REST, tuple(paths)),
    ]
    if named:
        actions.append(("write what rules name", Transport.REST, tuple(named)))
    for action, transport, verbs, targets in _REST:
        requests = tuple(_request(persona, verb, t) for t in targets for verb in verbs)
        actions.append((action, transport, requests))
    return actions


def _probes(
    policy: AuditPolicy, persona: Persona
) -> tuple[list[Request], list[Request], list[Request], list[Request]]:
    """Those of KC-AUD-008: reads and writes of the unknown, paths, and what the rules name."""
    probes = list(probes_of(policy, persona))
    unknown = probes[0].target
    known = {unknown, _nameless(unknown)}
    of_unknown = [each for each in probes if each.target in known]
    reads = [each for each in of_unknown if each.verb in _READ]
    writes = [each for each in of_unknown if each.verb not in _READ]
    paths = [each for each in probes if isinstance(each.target, NonResource)]
    others = {*of_unknown, *paths}
    return reads, writes, paths, [each for each in probes if each not in others]


def _request(persona: Persona, verb: str, target: ObjectAttributes) -> Request:
    nameless = verb in _NAMELESS and not target.subresource
    return Request(user=persona.user, verb=verb, target=_nameless(target) if nameless else target)


def _nameless(target: ObjectAttributes | NonResource) -> ObjectAttributes | NonResource:
    if isinstance(target, NonResource):
        return target
    return ObjectAttributes(
        group=target.group,
        resource=target.resource,
        subresource=target.subresource,
        namespace=target.namespace,
    )
