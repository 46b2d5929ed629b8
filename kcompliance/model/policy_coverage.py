"""What a policy records of which user doing what over which transport.

The users, and the requests for what no rule names and for what the rules name, are those by which
KC-AUD-008 judges a policy. To them come the actions that catalogues of controls ask about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kcompliance.model.audit_policy import AuditPolicy, Decision, Level, PolicyEvaluator
from kcompliance.model.personas import (
    PERSONAS,
    READS,
    UNKNOWN,
    WRITES,
    Persona,
    probes_of,
    request_of,
)
from kcompliance.model.probes import objects
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


def cover(
    policy: AuditPolicy,
    *,
    personas: Sequence[Persona] = PERSONAS,
    named_in: AuditPolicy | None = None,
) -> Coverage:
    """Ask a policy about every persona, action and transport.

    `named_in` is the policy whose rules name what is written besides; its own, if left out. Two
    policies that are asked with the same one are asked the same.
    """
    evaluator = PolicyEvaluator(policy)
    by_persona = [_actions(named_in or policy, persona) for persona in personas]
    rows = []
    for number, (action, transport, _) in enumerate(by_persona[0]):
        cells = []
        for persona, actions in zip(personas, by_persona, strict=True):
            requests = actions[number][2]
            asked = tuple(Asked(request, evaluator.decide(request)) for request in requests)
            cells.append(Cell(persona=persona, asked=asked))
        rows.append(Row(action=action, transport=transport, cells=tuple(cells)))
    return Coverage(rows=tuple(rows))


# --- actions -------------------------------------------------------------------------------

_Action = tuple[str, Transport, tuple[Request, ...]]

_CHANGE: Final = ("create", "update", "patch", "delete")
_SECRETS: Final = objects("", "secrets")
_CONFIG_MAPS: Final = objects("", "configmaps")
_RBAC: Final = (
    *objects("rbac.authorization.k8s.io", "roles", "rolebindings"),
    *objects("rbac.authorization.k8s.io", "clusterroles", "clusterrolebindings", namespace=""),
)
_ADMISSION: Final = objects(
    "admissionregistration.k8s.io",
    "validatingwebhookconfigurations",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    namespace="",
)
_APPROVAL: Final = objects(
    "certificates.k8s.io", "certificatesigningrequests/approval", namespace=""
)
_WORKLOADS: Final = (
    *objects("", "pods"),
    *objects("apps", "deployments", "daemonsets", "statefulsets"),
    *objects("batch", "jobs", "cronjobs"),
)
_EXEC: Final = objects("", "pods/exec", "pods/attach")
_FORWARD: Final = objects("", "pods/portforward")
_PROXY: Final = (
    *objects("", "pods/proxy", "services/proxy"),
    *objects("", "nodes/proxy", namespace=""),
)

_REST: Final[tuple[tuple[str, Transport, tuple[str, ...], tuple[ObjectAttributes, ...]], ...]] = (
    ("read secrets", Transport.REST, READS, _SECRETS),
    ("watch secrets", Transport.WATCH, ("watch",), _SECRETS),
    ("write secrets", Transport.REST, WRITES, _SECRETS),
    ("read configmaps", Transport.REST, READS, _CONFIG_MAPS),
    ("write configmaps", Transport.REST, WRITES, _CONFIG_MAPS),
    ("get a token", Transport.REST, ("create",), objects("", "serviceaccounts/token")),
    ("change RBAC", Transport.REST, WRITES, _RBAC),
    ("change admission", Transport.REST, WRITES, _ADMISSION),
    ("approve a certificate", Transport.REST, ("update", "patch"), _APPROVAL),
    ("change workloads", Transport.REST, _CHANGE, _WORKLOADS),
    (
        "add a debug container",
        Transport.REST,
        ("update", "patch"),
        objects("", "pods/ephemeralcontainers"),
    ),
    ("exec, attach", Transport.SPDY, ("create",), _EXEC),
    ("exec, attach", Transport.WEBSOCKET, ("get",), _EXEC),
    ("port-forward", Transport.SPDY, ("create",), _FORWARD),
    ("port-forward", Transport.WEBSOCKET, ("get",), _FORWARD),
    ("read a pod's log", Transport.REST, ("get",), objects("", "pods/log")),
    ("proxy", Transport.REST, ("get", *_CHANGE), _PROXY),
)


def _actions(policy: AuditPolicy, persona: Persona) -> list[_Action]:
    """The same actions for every persona."""
    unknown_reads, unknown_writes, paths, named = _probes(policy, persona)
    actions: list[_Action] = [
        ("read anything else", Transport.REST, tuple(unknown_reads)),
        ("watch anything else", Transport.WATCH, (request_of(persona, "watch", UNKNOWN),)),
        ("write anything else", Transport.REST, tuple(unknown_writes)),
        ("any other path", Transport.REST, tuple(paths)),
    ]
    if named:
        actions.append(("write what rules name", Transport.REST, tuple(named)))
    for action, transport, verbs, targets in _REST:
        requests = tuple(request_of(persona, verb, t) for t in targets for verb in verbs)
        actions.append((action, transport, requests))
    return actions


def _probes(
    policy: AuditPolicy, persona: Persona
) -> tuple[list[Request], list[Request], list[Request], list[Request]]:
    """Those of KC-AUD-008: reads and writes of the unknown, paths, and what the rules name."""
    reads = [request_of(persona, verb, UNKNOWN) for verb in READS]
    writes = [request_of(persona, verb, UNKNOWN) for verb in WRITES]
    probes = list(probes_of(policy, persona))
    paths = [each for each in probes if isinstance(each.target, NonResource)]
    others = {*reads, *writes, *paths}
    return reads, writes, paths, [each for each in probes if each not in others]
