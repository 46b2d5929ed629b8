"""Audit events (`audit.k8s.io`, kind `Event`), out of whatever a store wraps them in.

Sources: k8s.io/apiserver `pkg/apis/audit/v1/types.go` and `pkg/audit/request.go`; Elastic's
integration `kubernetes.audit_logs`; Azure Monitor's tables AKSAudit and AzureDiagnostics;
CloudWatch Logs; OpenTelemetry's logs data model.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec

from kcompliance.model.request import (
    NonResource,
    ObjectAttributes,
    Request,
    User,
    resolve_path,
)

__all__ = ["AuditEvent", "NotAnEvent", "events_in", "read_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event; texts that were not recorded are empty.

    `user` None is a login that failed. `object_ref` is the object as it was logged: for a
    creation its name comes from the body, which the policy did not see (see `request`).
    """

    verb: str
    request_uri: str
    audit_id: str = ""
    level: str = ""
    stage: str = ""
    user: User | None = None
    impersonated_user: User | None = None
    source_ips: tuple[str, ...] = ()
    user_agent: str = ""
    object_ref: ObjectAttributes | None = None
    response_code: int | None = None
    received: str | None = None
    stage_time: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Their names as the server gives them, also where a store has taken the dots out."""

    @property
    def request(self) -> Request:
        """The request as the policy was asked about it."""
        return Request(user=self.user, verb=self.verb, target=self._target())

    def _target(self) -> ObjectAttributes | NonResource:
        if self.object_ref is None:
            return NonResource(path=unquote(self.request_uri.partition("?")[0]))
        if self.verb != "create" or self.object_ref.subresource:
            return self.object_ref
        # NOTE: `LogRequestObject` writes name and namespace of the body into the objectRef, when
        # the policy has long been asked with those of the URI.
        asked = resolve_path(self.request_uri)
        same = isinstance(asked, ObjectAttributes) and (asked.group, asked.resource) == (
            self.object_ref.group,
            self.object_ref.resource,
        )
        return asked if same else self.object_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAnEvent:
    """Something that is no audit event, and why."""

    reason: str


def events_in(data: object) -> Iterator[AuditEvent | NotAnEvent]:
    """The events in one decoded JSON value: bare, in lists, in a store's or shipper's wrapping.

    Never raises. Lists and wrappings within each other are followed ten deep.
    """
    yield from _unwrapped(data, _DEEPEST)


def read_events(lines: Iterable[bytes]) -> Iterator[tuple[int, AuditEvent | NotAnEvent]]:
    """The events of a file with a JSON document a line, or with documents over many lines.

    With each goes the number of the line on which its document begins, from 1. Blank lines are
    skipped. Lines are dealt with as they come; of a document over many lines 64 MB are held.
    """
    reading = _Reading()
    for number, line in enumerate(lines, start=1):
        yield from reading.line(number, line)
    yield from reading.end()


_DEEPEST = 10
_MOST_BYTES = 64 * 1024 * 1024
_OPENINGS = frozenset({b"{", b"[", b"[{", b"[["})
_CLOSINGS = frozenset({b"}", b"]", b"}]", b"]]"})
_LEGACY_WITHIN = 64
"""Bytes; `--audit-log-format=legacy` writes `TIME AUDIT: id="…" stage="…"`."""
_MARK = b"\xef\xbb\xbf"

_Numbered = Iterator[tuple[int, AuditEvent | NotAnEvent]]


class _Reading:
    """Lines that are documents, and those held until they make one.

    A line that only opens a bracket begins a longer document. Whether it has ended is tried at
    closing brackets without indentation, and there only if what is held has doubled since the
    last try, so that the work stays in proportion to the size.
    """

    def __init__(self) -> None:
        self._held: list[tuple[int, bytes]] = []
        self._size = 0
        self._try_from = 0

    def line(self, number: int, line: bytes) -> _Numbered:
        text = line.strip().removeprefix(_MARK)
        if self._held:
            yield from self._continue(number, line)
        elif text in _OPENINGS:
            self._hold(number, text)
        elif text:
            yield from _numbered(number, text)

    def end(self) -> _Numbered:
        """Whatever is still held, as one document if it is one, else line by line."""
        if self._held:
            yield from self._release(_decode(b"\n".join(line for _, line in self._held)))

    def _hold(self, number: int, line: bytes) -> None:
        self._held.append((number, line))
        self._size += len(line) + 1

    def _continue(self, number: int, line: bytes) -> _Numbered:
        if self._size + len(line) > _MOST_BYTES:
            yield from self._release(NotAnEvent(reason="too long"))
            yield from self.line(number, line)
            return
        self._hold(number, line)
        if line.rstrip() in _CLOSINGS and self._size >= self._try_from:
            decoded = _decode(b"\n".join(line for _, line in self._held))
            if isinstance(decoded, NotAnEvent):
                self._try_from = 2 * self._size
            else:
                yield from self._release(decoded)

    def _release(self, decoded: object) -> _Numbered:
        held, self._held, self._size, self._try_from = self._held, [], 0, 0
        if isinstance(decoded, NotAnEvent):
            for number, line in held:
                if text := line.strip():
                    yield from _numbered(number, text)
        else:
            for event in events_in(decoded):
                yield held[0][0], event


def _numbered(number: int, text: bytes) -> _Numbered:
    decoded = _decode(text)
    for event in [decoded] if isinstance(decoded, NotAnEvent) else events_in(decoded):
        yield number, event


def _decode(text: bytes | str) -> object:
    """The JSON value; NaN and infinities are refused, of duplicate names the last counts."""
    if len(text) > _MOST_BYTES:
        return NotAnEvent(reason="longer than 64 MB")
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        legacy = isinstance(text, bytes) and b" AUDIT: id=" in text[:_LEGACY_WITHIN]
        return NotAnEvent(reason="an event in legacy format" if legacy else f"not JSON: {error}")


# --- wrappings -----------------------------------------------------------------------------

_LISTS = ("items", "hits", "records", "logEvents", "events", "value")
_OTLP_LISTS = ("resourceLogs", "scopeLogs", "logRecords")
_INNER = ("_source", "hits", "properties", "log_s", "log", "message", "@message", "body")
_TEXT = ("stringValue",)
"""Names under which a wrapper holds one event or many; the first that fits is followed."""


def _unwrapped(value: object, depth: int) -> Iterator[AuditEvent | NotAnEvent]:
    if depth < 0:
        yield NotAnEvent(reason="wrapped too deeply")
    elif isinstance(value, list):
        for each in value:
            yield from _unwrapped(each, depth - 1)
    elif isinstance(value, str):
        decoded = _decode(value)
        if isinstance(decoded, NotAnEvent):
            yield decoded
        else:
            yield from _unwrapped(decoded, depth - 1)
    elif isinstance(value, Mapping):
        yield from _from_mapping(value, depth)
    else:
        yield NotAnEvent(reason=f"neither object nor list: {type(value).__name__}")


def _from_mapping(value: Mapping[str, object], depth: int) -> Iterator[AuditEvent | NotAnEvent]:
    if _is_native(value):
        yield _event(value)
    elif audit := _under(_under(value, "kubernetes"), "audit"):
        yield _event(_nested(audit))
    elif "AuditId" in value:
        yield _event(_from_aks_columns(value))
    elif (inner := _inner(value)) is not None:
        yield from _unwrapped(inner, depth - 1)
    else:
        yield NotAnEvent(reason=_what_it_is(value))


def _is_native(value: Mapping[str, object]) -> bool:
    """By kind, or by fields where a shipper or an EventList has left the kind out."""
    version = value.get("apiVersion")
    if isinstance(version, str):
        return version.startswith("audit.k8s.io/") and value.get("kind", "Event") == "Event"
    return "verb" in value and not _ONE_OF_THEM.isdisjoint(value)


_ONE_OF_THEM = frozenset({"auditID", "objectRef", "requestURI"})


def _inner(value: Mapping[str, object]) -> object:
    for name in (*_LISTS, *_OTLP_LISTS):
        if isinstance(value.get(name), list):
            return value[name]
    for name in _INNER:
        if isinstance(value.get(name), Mapping | str):
            return value[name]
    for name in _TEXT:
        if isinstance(value.get(name), str):
            return value[name]
    return None


def _what_it_is(value: Mapping[str, object]) -> str:
    kind, version = value.get("kind"), value.get("apiVersion")
    if isinstance(kind, str):
        of_version = f" of {version[:80]}" if isinstance(version, str) else ""
        return f"not an audit event but kind {kind[:80]}{of_version}"
    return "neither an audit event nor a known wrapping of one"


def _under(value: Mapping[Any, object], name: str) -> dict[str, object]:
    """What is below a name, be it nested or written with dots: `{"a": {"b": 1}, "a.c": 2}`."""
    found: dict[str, object] = {}
    start = name + "."
    for key, each in value.items():
        if key == name and isinstance(each, Mapping):
            found.update(each)
        elif isinstance(key, str) and key.startswith(start):
            found[key[len(start) :]] = each
    return found


_OBJECTS = ("user", "impersonatedUser", "objectRef", "responseStatus", "annotations")


def _nested(audit: Mapping[str, object]) -> Mapping[str, object]:
    """With the objects of an event as such, where a store has flattened them."""
    return {**audit, **{name: each for name in _OBJECTS if (each := _under(audit, name))}}


_AKS_COLUMNS = {
    "AuditId": "auditID",
    "Level": "level",
    "Stage": "stage",
    "RequestUri": "requestURI",
    "Verb": "verb",
    "User": "user",
    "ImpersonatedUser": "impersonatedUser",
    "SourceIps": "sourceIPs",
    "UserAgent": "userAgent",
    "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus",
    "RequestReceivedTime": "requestReceivedTimestamp",
    "StageReceivedTime": "stageTimestamp",
    "Annotations": "annotations",
}
_AKS_DYNAMIC = frozenset(
    {"User", "ImpersonatedUser", "SourceIps", "ObjectRef", "ResponseStatus", "Annotations"}
)


def _from_aks_columns(row: Mapping[str, object]) -> Mapping[str, object]:
    """A row of AKSAudit or AKSAuditAdmin; queries give dynamic columns as JSON in a text."""
    native: dict[str, object] = {}
    for column, name in _AKS_COLUMNS.items():
        value = row.get(column)
        if column in _AKS_DYNAMIC and isinstance(value, str):
            value = _decode(value)
        native[name] = value
    return native


# --- one event -----------------------------------------------------------------------------


def _event(value: Mapping[str, object]) -> AuditEvent | NotAnEvent:
    verb, uri = value.get("verb"), _text(value.get("requestURI"))
    reference = _object_ref(value.get("objectRef"))
    if not isinstance(verb, str):
        return NotAnEvent(reason="an audit event without verb")
    if not uri and reference is None:
        return NotAnEvent(reason="an audit event without requestURI and objectRef")
    return AuditEvent(
        verb=verb,
        request_uri=uri,
        audit_id=_text(value.get("auditID")),
        level=_level(value),
        stage=_text(value.get("stage")),
        user=_user(value.get("user")),
        impersonated_user=_user(value.get("impersonatedUser")),
        source_ips=_texts(value.get("sourceIPs")),
        user_agent=_text(value.get("userAgent")),
        object_ref=reference,
        response_code=_code(_get(value.get("responseStatus"), "code")),
        received=_text(value.get("requestReceivedTimestamp")) or None,
        stage_time=_text(value.get("stageTimestamp")) or None,
        annotations=_annotations(value.get("annotations")),
    )


def _level(value: Mapping[str, object]) -> str:
    """OpenShift's log forwarding puts a severity into `level` and the real one elsewhere."""
    names = ("k8s_audit_level", "openshift_audit_level", "level")
    return next((level for name in names if (level := _text(value.get(name)))), "")


def _object_ref(value: object) -> ObjectAttributes | None:
    """None where there is none; one without a resource is that of a path like `/api/v1//x`."""
    fields = ("resource", "apiGroup", "namespace", "subresource", "name", "apiVersion")
    if not any(_text(_get(value, field)) for field in fields):
        return None
    return ObjectAttributes(
        resource=_text(_get(value, "resource")),
        group=_text(_get(value, "apiGroup")),
        namespace=_text(_get(value, "namespace")),
        subresource=_text(_get(value, "subresource")),
        name=_text(_get(value, "name")),
    )


def _user(value: object) -> User | None:
    name, groups = _text(_get(value, "username")), _texts(_get(value, "groups"))
    return User(name=name, groups=groups) if name or groups else None


def _annotations(value: object) -> dict[str, str]:
    """A name's prefix is a domain, so that an underscore there was a dot."""
    if not isinstance(value, Mapping):
        return {}
    annotations = {}
    for key, each in value.items():
        if isinstance(key, str) and isinstance(each, str):
            prefix, slash, name = key.partition("/")
            annotations[prefix.replace("_", ".") + slash + name if slash else key] = each
    return annotations


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts; stores that know no lists of one give the text alone."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _code(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
