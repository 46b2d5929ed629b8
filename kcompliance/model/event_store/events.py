"""Sampled events: under which names each of them answers which question, and its times.

Names are those of the audit event itself, of Elastic's integration (`kubernetes.audit.*` and ECS)
and of forwarders that keep the event as it is. Bodies are not in a sample.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import text
from kcompliance.model.moment import moment
from kcompliance.model.search.fields import SOURCE_FIELDS

__all__ = ["FIELDS_OF", "Event", "Share", "read_time", "shares"]


def _audit(name: str, *others: str) -> tuple[str, ...]:
    return (f"kubernetes.audit.{name}", name, *others)


FIELDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "auditID": _audit("auditID"),
    "verb": _audit("verb", "event.action"),
    "level": _audit("level"),
    "stage": _audit("stage"),
    "requestURI": _audit("requestURI", "url.original"),
    "responseStatus.code": _audit("responseStatus.code", "http.response.status_code"),
    "requestReceivedTimestamp": _audit("requestReceivedTimestamp"),
    "stageTimestamp": _audit("stageTimestamp"),
    "user.username": _audit("user.username", "user.name"),
    "user.groups": _audit("user.groups"),
    "objectRef.resource": _audit("objectRef.resource", "orchestrator.resource.type"),
    "sourceIPs": _audit("sourceIPs", "source.ip", "source.address"),
    "userAgent": _audit("userAgent", "user_agent.original"),
    "decision": (
        *_audit("annotations.authorization.k8s.io/decision"),
        *_audit("annotations.authorization_k8s_io/decision", "event.outcome"),
    ),
    "API server": SOURCE_FIELDS,
}
"""By the audit event's own name: where a store may keep it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One sampled event: `source` as it is stored, nested or with dots in its names."""

    place: str
    """Where it is in the answer; no other event has the same."""
    id: str
    """As the store calls it; empty where it gives no name."""
    source: Mapping[str, Any]

    def get(self, name: str) -> object:
        """The value of a field, however its name is cut; None where there is none."""
        return _look(self.source, name.split("."))

    def of(self, meaning: str) -> object:
        """The value of one of `FIELDS_OF`; None where it is missing or empty."""
        values = (self.get(name) for name in FIELDS_OF[meaning])
        return next((value for value in values if _is_there(value)), None)

    def has(self, name: str) -> bool:
        """Whether a field is there and not empty."""
        return _is_there(self.get(name))

    @property
    def code(self) -> int | None:
        """The status that was answered."""
        code = text(self.of("responseStatus.code"))
        return int(code) if code is not None and code.isdecimal() and len(code) < 4 else None

    def applies(self, meaning: str) -> bool:
        """Whether an event like this has the field at all, where nothing goes wrong."""
        match meaning:
            case "responseStatus.code":
                return self.of("stage") != "RequestReceived"
            case "user.username" | "user.groups" | "user.name":
                return self.code != 401
            case "decision" | "event.outcome":
                return self.of("stage") != "RequestReceived" and self.code not in (401, 429)
            case "objectRef.resource":
                return _is_of_resource(text(self.of("requestURI")))
            case _:
                return True


def _look(found: object, parts: list[str]) -> object:
    if not parts:
        return found
    if not isinstance(found, Mapping):
        return None
    for length in range(1, len(parts) + 1):
        key = ".".join(parts[:length])
        if key in found and (value := _look(found[key], parts[length:])) is not None:
            return value
    return None


def _is_there(value: object) -> bool:
    return not isinstance(value, dict) and value not in (None, "", [])


def _is_of_resource(uri: str | None) -> bool:
    """`/api/V/…` and `/apis/G/V/…` name a resource; `/healthz` and the lists of groups do not."""
    parts = [part for part in (uri or "").partition("?")[0].split("/") if part]
    return len(parts) > {"api": 2, "apis": 3}.get(parts[0] if parts else "", 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """In how many of the events that should have a field it is."""

    field: str
    there: int
    of: int

    def __str__(self) -> str:
        return f"{self.field} in {self.there} of {self.of} events"

    def at_least(self, percent: int) -> bool:
        """Whether it is in this share of them."""
        return self.there * 100 >= self.of * percent


def shares(events: Iterable[Event], meanings: Iterable[str]) -> tuple[Share, ...]:
    """How many events answer each of these of `FIELDS_OF`."""
    known = tuple(events)
    found = []
    for meaning in meanings:
        wanted = [event for event in known if event.applies(meaning)]
        there = sum(event.of(meaning) is not None for event in wanted)
        found.append(Share(field=meaning, there=there, of=len(wanted)))
    return tuple(found)


_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:?\d\d)?\Z"
)


def read_time(value: Any) -> datetime | str:
    """A time as UTC, or why it is none: not to be read, or without a zone."""
    if isinstance(value, int | float):
        return moment(value) or f"{value} is no time"
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        return f"{str(value)[:40]} is no time"
    day, clock, fraction, zone = found.groups()
    if zone is None:
        return f"{value} has no time zone"
    try:
        told = datetime.fromisoformat(f"{day}T{clock}{(fraction or '')[:7]}{zone.upper()}")
        return told.astimezone(UTC)
    except (ValueError, OverflowError):
        return f"{value} is no time"
