"""The few fields of an event that a policy and a bill ask for, decoded as fast as can be.

Bodies stay undecoded: only how long they are is asked.
"""

from typing import Final

import msgspec

from kcompliance.model.audit_event import AuditEvent
from kcompliance.model.audit_policy import Level, Stage
from kcompliance.model.request import ObjectAttributes, User

__all__ = ["LEVELS", "STAGES", "Native", "Reference", "Username", "audit_event", "decode_native"]

LEVELS: Final = {level.value: level for level in Level if level is not Level.NONE}
STAGES: Final = {stage.value: stage for stage in Stage}


class Username(msgspec.Struct, frozen=True, gc=False):
    """`user` of an event; an empty one is a login that failed."""

    username: str = ""
    groups: tuple[str, ...] = ()


class Reference(msgspec.Struct, gc=False, rename={"group": "apiGroup"}):
    """`objectRef` of an event."""

    resource: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Native(msgspec.Struct, gc=False):
    """One event as kube-apiserver writes it, by its own names; bodies are empty where none is."""

    kind: str = ""
    apiVersion: str = ""
    level: str = ""
    stage: str = ""
    verb: str = ""
    auditID: str = ""
    requestURI: str = ""
    user: Username | None = None
    objectRef: Reference | None = None
    requestObject: msgspec.Raw = msgspec.Raw()
    responseObject: msgspec.Raw = msgspec.Raw()
    requestReceivedTimestamp: str = ""
    stageTimestamp: str = ""


_decode: Final = msgspec.json.Decoder(Native).decode


def decode_native(line: bytes) -> Native | None:
    """The event on this line; None where it is none as the server writes it, or an odd one.

    What is odd (a null or a number for a text, no resource in the objectRef) is left to the
    reader that takes everything.
    """
    try:
        event = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if event.kind != "Event" or not event.apiVersion.startswith("audit.k8s.io/"):
        return None
    if event.level not in LEVELS or event.stage not in STAGES or not event.verb:
        return None
    reference = event.objectRef
    if reference is None:
        return event if event.requestURI else None
    return event if reference.resource else None


def audit_event(event: Native) -> AuditEvent:
    """The same, as everything else in kcompliance has it."""
    who, reference = event.user, event.objectRef
    known = who is not None and bool(who.username or who.groups)
    return AuditEvent(
        verb=event.verb,
        request_uri=event.requestURI,
        user=User(name=who.username, groups=who.groups) if who is not None and known else None,
        object_ref=None
        if reference is None
        else ObjectAttributes(
            resource=reference.resource,
            group=reference.group,
            namespace=reference.namespace,
            subresource=reference.subresource,
            name=reference.name,
        ),
    )
