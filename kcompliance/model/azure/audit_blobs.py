"""A cluster's audit records in a storage account: one blob for each hour in which some came.

Diagnostic settings append them to `…/y=2026/m=11/d=21/h=09/m=00/PT1H.json`, one JSON record a line,
by the hour in which Azure received them, which is not that of the event. Read 2026-11-22:
https://learn.microsoft.com/azure/azure-monitor/essentials/resource-logs
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.azure.diagnostics import (
    KUBE_AUDIT,
    KUBE_AUDIT_ADMIN,
    DestinationKind,
    Shipped,
)
from kcompliance.model.azure.resource_id import key
from kcompliance.model.event_store.events import Event, read_time
from kcompliance.model.event_store.timeline import HOUR, Timeline
from kcompliance.model.reading import Raw

__all__ = [
    "EVENT_TIME",
    "RECEIVED_TIME",
    "AuditBlob",
    "BlobSample",
    "audit_category",
    "blobs_in",
    "blobs_place",
    "hour_of",
    "sample_in",
    "timeline_of",
]

EVENT_TIME: Final = "stageTimestamp"
RECEIVED_TIME: Final = "the hour of receipt"

_HOUR: Final = re.compile(r"y=(\d{4})/m=(\d\d)/d=(\d\d)/h=(\d\d)/m=\d\d/PT1H\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditBlob:
    """The records that came within one hour; times are aware, UTC."""

    hour: datetime
    """When it begins."""
    size: int
    """In bytes, more than 0."""
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSample:
    """The last records of the newest blob."""

    events: tuple[Event, ...]
    modified: datetime | None
    """When the last of them was appended at the latest; None where there is no blob."""

    @property
    def newest(self) -> datetime | None:
        """When the newest of them happened; None where none tells."""
        told = (read_time(event.of(EVENT_TIME)) for event in self.events)
        return max((time for time in told if isinstance(time, datetime)), default=None)


def audit_category(shipped: Shipped, account: str) -> str | None:
    """Of the audit categories that surely go to this account the one that holds more."""
    for category in (KUBE_AUDIT, KUBE_AUDIT_ADMIN):
        for setting in shipped.settings_of(category):
            for place in setting.destinations:
                if place.kind is DestinationKind.STORAGE and key(place.id) == key(account):
                    return category
    return None


def blobs_place(account: str, container: str, cluster: str) -> str:
    """How a capture of a cluster's blobs is named."""
    return f"{account}/blobServices/default/containers/{container}/blobs of {cluster}"


def hour_of(name: str) -> datetime | None:
    """The hour of a blob, of its name below that of the cluster; None where it is no such blob."""
    found = _HOUR.fullmatch(name)
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC) if found else None  # type: ignore[arg-type,misc]
    except ValueError:
        return None


def blobs_in(raw: Raw) -> tuple[AuditBlob, ...]:
    """The blobs that were listed, the oldest first. Raises WrongAnswer."""
    listed = _document(raw).get("blobs")
    if not isinstance(listed, list):
        raise WrongAnswer("no list of blobs")
    return tuple(sorted(map(_blob, listed), key=lambda blob: blob.hour))


def timeline_of(raw: Raw) -> Timeline:
    """The hours in which records came. Raises WrongAnswer."""
    bins = {blob.hour: 1 for blob in blobs_in(raw)}
    return Timeline(field=RECEIVED_TIME, bins=bins, place="blobs", width=HOUR)


def sample_in(raw: Raw) -> BlobSample:
    """The sampled events. Raises WrongAnswer."""
    document = _document(raw)
    records, blob = document.get("records"), document.get("blob")
    if not isinstance(records, list) or (records and blob is None):
        raise WrongAnswer("no records of a blob")
    modified = None if blob is None else _blob(blob).modified
    events = tuple(_event(index, each, modified) for index, each in enumerate(records))
    return BlobSample(events=events, modified=modified)


def _event(index: int, record: Any, modified: datetime | None) -> Event:
    """An event; of a record that holds none only its host, as if it told nothing."""
    properties = record.get("properties") if isinstance(record, dict) else None
    if not isinstance(properties, dict):
        raise WrongAnswer("a record without its properties")
    log, pod = properties.get("log"), properties.get("pod")
    event = log if isinstance(log, dict) else {}
    arrived = {"ingested": f"{modified:%Y-%m-%dT%H:%M:%SZ}"} if modified else {}
    source = {**event, "host": {"name": pod if isinstance(pod, str) else None}, "event": arrived}
    id_ = event.get("auditID")
    return Event(f"records[{index}]", id_ if isinstance(id_, str) else "", source)


def _blob(item: Any) -> AuditBlob:
    name = item.get("name") if isinstance(item, dict) else None
    hour = hour_of(name) if isinstance(name, str) else None
    if hour is None:
        raise WrongAnswer(f"{str(name)[:80]} is no blob of an hour")
    size, modified = item.get("size"), read_time(item.get("modified"))
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise WrongAnswer(f"{name} has no size")
    if isinstance(modified, str):
        raise WrongAnswer(f"{name}: {modified}")
    return AuditBlob(hour=hour, size=size, modified=modified)


def _document(raw: Raw) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(raw.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WrongAnswer(f"no JSON, or half of one: {error}") from None
    if not isinstance(document, dict):
        raise WrongAnswer("no listing of blobs")
    return document
