"""Audit events as a query of Log Analytics samples them."""

from typing import Final

import msgspec

from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.azure.log_records import Row, rows_of, source_of
from kcompliance.model.event_store.events import Event
from kcompliance.model.reading import Raw

__all__ = ["DYNAMIC_FIELDS", "EVENT_FIELDS", "events_of"]

EVENT_FIELDS: Final = {
    "auditID": "AuditId",
    "level": "Level",
    "stage": "Stage",
    "verb": "Verb",
    "requestURI": "Uri",
    "user.username": "UserName",
    "user.groups": "Groups",
    "sourceIPs": "Ips",
    "userAgent": "Agent",
    "objectRef.resource": "Resource",
    "objectRef.subresource": "Subresource",
    "objectRef.namespace": "Namespace",
    "responseStatus.code": "Code",
    "annotations.authorization.k8s.io/decision": "Decision",
    "requestReceivedTimestamp": "ReceivedTime",
    "stageTimestamp": "StageTime",
    "event.ingested": "Ingested",
    "host.name": "Host",
}
"""By the event's own name: what the query calls it. Nothing else of an event is asked for."""

DYNAMIC_FIELDS: Final = frozenset({"user.groups", "sourceIPs"})
"""Lists, which the query API writes as JSON in a text."""

_PLACE: Final = "tables[0].rows[{}]"


def events_of(raw: Raw) -> tuple[tuple[str, Event], ...]:
    """The events, each with the source that it was stored in. Raises WrongAnswer.

    One that was both among the newest and chosen by chance is there once.
    """
    found: dict[str, tuple[str, Event]] = {}
    for index, row in enumerate(rows_of(raw)):
        source = source_of(row)
        if "auditID" not in row or "stageTimestamp" not in row:
            raise WrongAnswer("a row that is no audit event")
        event = Event(_PLACE.format(index), str(row["auditID"] or ""), _fields(row))
        found.setdefault(repr(row), (source, event))
    return tuple(found.values())


def _fields(row: Row) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name in EVENT_FIELDS:
        value = row.get(name)
        if name in DYNAMIC_FIELDS and isinstance(value, str):
            value = _list(value)
        if value is not None:
            fields[name] = value
    return fields


def _list(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text
