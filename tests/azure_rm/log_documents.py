"""Answers of the query API of Log Analytics about the audit records of a cluster."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from kcompliance.model.azure.log_events import DYNAMIC_FIELDS, EVENT_FIELDS
from kcompliance.model.reading import Kind
from tests.azure_rm.documents import Json

__all__ = ["answer", "days", "event", "newest", "sample", "sound", "timeline", "when"]

SOURCE = "AKSAudit"


def when(moment: datetime) -> str:
    """A time as Azure writes it, in tenths of microseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


def answer(columns: Iterable[str], rows: Iterable[list[Any]]) -> Json:
    """The only table of an answer."""
    told = [{"name": name, "type": "string"} for name in columns]
    return {"tables": [{"name": "PrimaryResult", "columns": told, "rows": list(rows)}]}


def days(
    now: datetime,
    count: int,
    source: str = SOURCE,
    *,
    without: Iterable[int] = (),
    each: int = 1,
) -> Json:
    """Records of each of so many days back from now; `without` days ago; `each` 7: of a week."""
    rows = []
    for ago in sorted(({*range(0, count, each), count - 1}) - set(without)):
        day = (now - timedelta(days=ago)).replace(hour=0, minute=0, second=0, microsecond=0)
        last = now if ago == 0 else day + timedelta(hours=23, minutes=59)
        rows.append([source, when(day), 1000, when(day), when(last)])
    return answer(("Source", "Day", "Records", "Oldest", "Newest"), rows)


def newest(happened: datetime, source: str = SOURCE) -> Json:
    """The newest event of the last day."""
    arrived = when(happened + timedelta(minutes=3))
    return answer(
        ("Source", "Records", "Newest", "Ingested"), [[source, 1000, when(happened), arrived]]
    )


def timeline(
    now: datetime, minutes: int, source: str = SOURCE, *, without: Iterable[int] = ()
) -> Json:
    """Events in each five minutes back from now; `without` bins back from the newest."""
    last = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
    numbers = sorted(set(range(minutes // 5)) - set(without))
    rows = [[source, when(last - timedelta(minutes=5 * number)), 100] for number in numbers]
    return answer(("Source", "Start", "Records"), rows)


def event(happened: datetime, number: int = 1, **more: Any) -> Json:
    """A sampled event by its own names; None takes a field away."""
    return {
        "auditID": f"0a1b2c3d-0000-4000-8000-{number:012}",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "verb": "list",
        "requestURI": "/api/v1/namespaces/default/pods",
        "user.username": "alice",
        "user.groups": ["system:authenticated"],
        "sourceIPs": ["10.0.0.7"],
        "userAgent": "kubectl/v1.33.4",
        "objectRef.resource": "pods",
        "objectRef.namespace": "default",
        "responseStatus.code": 200,
        "annotations.authorization.k8s.io/decision": "allow",
        "requestReceivedTimestamp": when(happened - timedelta(milliseconds=5)),
        "stageTimestamp": when(happened),
        "event.ingested": when(happened + timedelta(minutes=3)),
        "host.name": "kube-apiserver-68df4876bd-74k6n",
        **more,
    }


def sample(*events: Json, source: str = SOURCE) -> Json:
    """Events; lists are JSON in a text, as the query API writes them."""
    rows = [[source, *(_cell(name, each) for name in EVENT_FIELDS)] for each in events]
    return answer(("Source", *EVENT_FIELDS), rows)


def _cell(name: str, event: Json) -> Any:
    value = event.get(name)
    return json.dumps(value) if name in DYNAMIC_FIELDS and value is not None else value


def sound(now: datetime, source: str = SOURCE) -> dict[Kind, Json]:
    """The answers of a workspace in which nothing lacks."""
    happened = now - timedelta(minutes=5)
    return {
        Kind.AZURE_LOG_RECORDS: days(now, 200, source),
        Kind.AZURE_LOG_NEWEST: newest(happened, source),
        Kind.AZURE_LOG_TIMELINE: timeline(now, 30 * 24 * 60 + 60, source),
        Kind.AZURE_LOG_SAMPLE: sample(*(event(happened, n) for n in range(4)), source=source),
    }
