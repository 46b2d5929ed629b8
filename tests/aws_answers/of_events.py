"""Stored events on the wire again: the part of them that a request asks for, as AWS gives it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kcompliance.collect.aws.stored_events import QUERIES
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable

__all__ = ["OF_EVENTS", "of_events"]

Request = Mapping[str, Any]

OF_EVENTS = ("logs:FilterLogEvents", "logs:StartQuery", "logs:GetQueryResults")
_ENDED = "the query did not end well: "
_EMPTY = {
    Kind.AWS_LOG_EVENTS: {"events": []},
    Kind.AWS_LOG_WEEKS: {"events": []},
    Kind.AWS_LOG_HISTOGRAM: {"results": [], "status": "Complete"},
    Kind.AWS_LOG_VERBS: {"results": [], "status": "Complete"},
}


def of_events(operation: str, request: Request, captures: Sequence[Capture]) -> Capture:
    """What answers a request; where the captures do not tell, there are no events."""
    if operation == "logs:StartQuery":
        kind = next(kind for kind, text in QUERIES.items() if text == request["queryString"])
        return _begun(kind, captures)
    if operation == "logs:GetQueryResults":
        found = _of_kind(Kind(request["queryId"]), captures)
        if isinstance(found, Unreadable) and found.reason.startswith(_ENDED):
            status = found.reason.removeprefix(_ENDED)
            return _raw(found.origin.kind, {"results": [], "status": status})
        return found
    kind = Kind.AWS_LOG_WEEKS if request["limit"] == 1 else Kind.AWS_LOG_EVENTS
    found = _of_kind(kind, captures)
    return _between(found, request) if isinstance(found, Raw) else found


def _of_kind(kind: Kind, captures: Sequence[Capture]) -> Capture:
    found = [each for each in captures if each.origin.kind is kind]
    return found[0] if found else _raw(kind, _EMPTY[kind])


def _begun(kind: Kind, captures: Sequence[Capture]) -> Capture:
    """The id of a query tells what it asks; one that could not be begun is told of here."""
    for each in captures:
        refused = isinstance(each, Unreadable) and (
            each.origin.kind is Kind.AWS_LOG_QUERY
            or (each.origin.kind is kind and each.permission == "logs:StartQuery")
        )
        if refused:
            return replace(each, origin=replace(each.origin, kind=Kind.AWS_LOG_QUERY))
    return _raw(Kind.AWS_LOG_QUERY, {"queryId": kind.value})


def _between(found: Raw, request: Request) -> Raw:
    answer = json.loads(found.content)
    events = [
        each
        for each in answer["events"]
        if request["startTime"] <= each["timestamp"] <= request["endTime"]
        and each["logStreamName"].startswith(request["logStreamNamePrefix"])
    ]
    events.sort(key=_time, reverse=request.get("startFromHead") is False)
    content = json.dumps({**answer, "events": events[: request["limit"]]}).encode()
    return replace(found, content=content)


def _time(event: Mapping[str, Any]) -> int:
    return int(event["timestamp"])


def _raw(kind: Kind, answer: object) -> Raw:
    origin = Origin(
        kind=kind, resource="CloudWatch Logs", collector="aws", collected_at=datetime.now(UTC)
    )
    return Raw(origin=origin, content=json.dumps(answer).encode())
