"""Events out of whatever wraps them, with the sizes that the server would have written.

Slow and thorough, where `native` is fast: it asks `audit_event` what an event is.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from kcompliance.model.audit_event import AuditEvent, NotAnEvent, events_in, read_events
from kcompliance.model.replay.native import LEVELS, STAGES, Native, Reference, Username

__all__ = ["MOST_IN_ONE_DOCUMENT", "Found", "opens_document", "wrapped_documents", "wrapped_line"]

MOST_IN_ONE_DOCUMENT: Final = 8 * 1024 * 1024
"""Bytes of a line that holds no event as the server writes it; what is decoded takes ten times
as much memory."""

_DEEPEST: Final = 10
_OPENINGS: Final = frozenset({b"{", b"[", b"[{", b"[["})
_ESCAPES: Final = tuple(
    (sign.encode(), f"\\u{ord(sign):04x}".encode()) for sign in "<>&\u2028\u2029"
)
_MARK: Final = b"\xef\xbb\xbf"

Found = tuple[Native, int] | NotAnEvent
"""An event and its bytes as one line of compact JSON with its line feed; or what is none."""


def opens_document(line: bytes) -> bool:
    """Whether a line begins a JSON document over many lines."""
    return line.strip().removeprefix(_MARK) in _OPENINGS


def wrapped_line(line: bytes) -> Iterator[Found]:
    """The events of a line that holds one document; nothing for a blank one."""
    if len(line) > MOST_IN_ONE_DOCUMENT:
        most = MOST_IN_ONE_DOCUMENT // 1024 // 1024
        yield NotAnEvent(reason=f"over {most} MiB on one line, and no event by itself")
        return
    document = _decoded(line.strip().removeprefix(_MARK))
    if document is not None:
        yield from _found(document)
        return
    for _, event in read_events([line]):
        if isinstance(event, NotAnEvent):
            yield event


def wrapped_documents(lines: Iterable[bytes]) -> Iterator[tuple[int, Found]]:
    """The events of documents over many lines, after the line on which each begins, from 1."""
    held: deque[bytes] = deque()
    taken = 0

    def keeping() -> Iterator[bytes]:
        nonlocal taken
        for line in lines:
            held.append(line)
            taken += 1
            yield line

    done = 0
    for number, event in read_events(keeping()):
        if number == done:  # of several events in one document all were found with the first
            continue
        done = number
        while taken - len(held) < number - 1:
            held.popleft()
        if isinstance(event, NotAnEvent) and event.reason.startswith("not JSON"):
            yield number, event
            continue
        # What was read as one document has to be one; joining lines that are none, over and over,
        # would take for ever.
        text = b"\n".join(held) if opens_document(held[0]) else held[0]
        document = _decoded(text.strip().removeprefix(_MARK))
        if document is None:
            yield number, NotAnEvent(reason="null, and no event")
            continue
        for found in _found(document):
            yield number, found


def _decoded(text: bytes | str) -> Any:
    """None where it is no JSON."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None


def _found(document: Any) -> Iterator[Found]:
    for event, part in _single(document, _DEEPEST):
        if isinstance(event, NotAnEvent):
            yield event
            continue
        native = _native(event, part)
        if native.level not in LEVELS or native.stage not in STAGES:
            yield NotAnEvent(reason="an audit event without level or stage")
        else:
            yield native, len(_as_written(part)) + 1


def _single(value: Any, depth: int) -> Iterator[tuple[AuditEvent | NotAnEvent, Any]]:
    """Each event with the innermost part of the document that is all of it."""
    if isinstance(value, list):
        for each in value:
            yield from _single(each, depth)
        return
    events = list(events_in(value))
    if depth and isinstance(value, Mapping) and "verb" not in value and "AuditId" not in value:
        for member in value.values():
            inner = _decoded(member) if isinstance(member, str) and _like_json(member) else member
            if isinstance(inner, Mapping | list) and list(events_in(inner)) == events:
                yield from _single(inner, depth - 1)
                return
    for event in events:
        yield event, value


def _like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _native(event: AuditEvent, part: Any) -> Native:
    reference, user = event.object_ref, event.user
    return Native(
        level=event.level,
        stage=event.stage,
        verb=event.verb,
        auditID=event.audit_id,
        requestURI=event.request_uri,
        user=None if user is None else Username(user.name, user.groups),
        objectRef=None
        if reference is None
        else Reference(
            resource=reference.resource,
            group=reference.group,
            subresource=reference.subresource,
            namespace=reference.namespace,
            name=reference.name,
        ),
        requestObject=_body(part, "requestObject"),
        responseObject=_body(part, "responseObject"),
        requestReceivedTimestamp=event.received or "",
        stageTimestamp=event.stage_time or "",
    )


def _body(part: Any, name: str) -> msgspec.Raw:
    """A body in any of the places that `audit_event` knows an event's fields in."""
    if not isinstance(part, Mapping):
        return msgspec.Raw()
    audit: Any = part.get("kubernetes")
    audit = audit.get("audit") if isinstance(audit, Mapping) else None
    for holder, key in ((part, name), (part, name[0].upper() + name[1:]), (audit, name)):
        body = holder.get(key) if isinstance(holder, Mapping) else None
        if body is not None and body != "":
            return msgspec.Raw(_as_written(body))
    return msgspec.Raw()


def _as_written(value: Any) -> bytes:
    """Compact JSON with the escapes of Go's encoder, in which kube-apiserver writes its log."""
    text = msgspec.json.encode(value)
    for sign, escape in _ESCAPES:
        if sign in text:
            text = text.replace(sign, escape)
    return text
