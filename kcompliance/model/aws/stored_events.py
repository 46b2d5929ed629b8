"""The audit events of an EKS cluster as CloudWatch Logs tells of them.

A message is the event as the API server wrote it, as JSON; what is no JSON object (cut off, or of
something else) is an event without any field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from kcompliance.model.aws.answers import (
    Fields,
    WrongAnswer,
    items,
    mappings,
    milliseconds,
    needed,
    text,
)
from kcompliance.model.aws.log_group import AUDIT_STREAMS
from kcompliance.model.event_store.events import Event, read_time
from kcompliance.model.event_store.timeline import Timeline

__all__ = ["COUNTED", "WEEK", "Stored", "newest", "read_events", "read_histogram", "read_weeks"]

WEEK: Final = timedelta(days=7)
COUNTED: Final = WEEK
"""So far back the events of each five minutes are counted."""
_BIN: Final = "bin(5m)"
_MOST_ROWS: Final = 10_000
"""A query tells of no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An audit event in CloudWatch Logs; `time` is the one that CloudWatch Logs sorts it by."""

    event: Event
    time: datetime


def read_events(answer: Fields) -> tuple[Stored, ...]:
    """The audit events of an answer of FilterLogEvents. Raises WrongAnswer."""
    _demand(answer, "events")
    found = []
    for index, each in enumerate(mappings(answer, "events")):
        stream = needed(text(each, "logStreamName"), "logStreamName")
        if not stream.startswith(AUDIT_STREAMS):
            continue
        source = {
            **_message(needed(text(each, "message"), "message")),
            "event": {"ingested": each.get("ingestionTime")},
            "aws": {"cloudwatch": {"log_stream": stream}},
        }
        time = needed(milliseconds(each, "timestamp"), "timestamp")
        id_ = text(each, "eventId") or ""
        found.append(Stored(event=Event(f"events[{index}].message", id_, source), time=time))
    return tuple(found)


def _message(written: str) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def newest(stored: tuple[Stored, ...]) -> tuple[str, datetime | None]:
    """The time of the newest event and the field that tells it; by when they happened."""
    if not stored:
        return "stageTimestamp", None
    told = (read_time(each.event.of("stageTimestamp")) for each in stored)
    known = [time for time in told if isinstance(time, datetime)]
    if known:
        return "stageTimestamp", max(known)
    return "timestamp", max(each.time for each in stored)


def read_weeks(answer: Fields) -> tuple[datetime, ...]:
    """When the events were that were found week by week, the oldest first. Raises WrongAnswer."""
    _demand(answer, "events")
    times = [
        needed(milliseconds(each, "timestamp"), "timestamp")
        for each in mappings(answer, "events")
        if (text(each, "logStreamName") or AUDIT_STREAMS).startswith(AUDIT_STREAMS)
    ]
    return tuple(sorted(times))


# --- queries -------------------------------------------------------------------------------------


def read_histogram(answer: Fields) -> Timeline:
    """The answer of the query for a histogram. Raises WrongAnswer."""
    _demand(answer, "results")
    if text(answer, "status") != "Complete":
        raise WrongAnswer(f"the query did not end well: {text(answer, 'status')}")
    rows = items(answer, "results")
    if len(rows) >= _MOST_ROWS:
        raise WrongAnswer(f"{len(rows)} rows are as many as a query tells: some may be missing")
    bins: dict[datetime, int] = {}
    for row in rows:
        start, count = _row(row)
        if count > 0:
            bins[start] = count
    return Timeline(field="@timestamp", bins=bins, place="results", counted=COUNTED)


def _row(row: object) -> tuple[datetime, int]:
    if not isinstance(row, list) or not all(isinstance(cell, dict) for cell in row):
        raise WrongAnswer("a row of the results is not a list of fields")
    cells = {text(cell, "field"): text(cell, "value") for cell in row}
    start, count = cells.get(_BIN), cells.get("records")
    try:
        time = datetime.fromisoformat(start or "").replace(tzinfo=UTC)
        return time, int(count or "")
    except ValueError:
        raise WrongAnswer(f"a row has no {_BIN} and no number of records") from None


def _demand(answer: Fields, name: str) -> None:
    if name not in answer:
        raise WrongAnswer(f"it has no {name}")
