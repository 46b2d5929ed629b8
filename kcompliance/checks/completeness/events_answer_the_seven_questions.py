"""KC-CMP-008: events in the store answer the seven questions and carry sane timestamps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.event_stores import EventStore, Sampled, event_stores
from kcompliance.checks.interface import check
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.events import Event, Share, read_time, shares
from kcompliance.model.finding import Finding

__all__ = ["Params", "events_answer_the_seven_questions"]

_ASPECTS: Final = ("questions", "timestamps")
_QUESTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "what happened": ("verb", "level", "stage", "requestURI"),
    "how it ended": ("responseStatus.code", "decision"),
    "when": ("requestReceivedTimestamp", "stageTimestamp"),
    "who": ("user.username", "user.groups"),
    "on what": ("objectRef.resource",),
    "where it was observed": ("auditID", "API server"),
    "from where": ("sourceIPs", "userAgent"),
}
_TO_WHERE: Final = "where to is told by the object and the URI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-008."""

    completeness_pct: int = 99
    max_clock_skew_seconds: int = 60


@check("KC-CMP-008", params=Params)
def events_answer_the_seven_questions(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Events in the store answer the seven questions and carry sane timestamps

    The newest events are looked at, and others of a month that were chosen at random.
    """
    for store in event_stores(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        for aspect in _ASPECTS:
            found = store.sampled(aspect)
            if isinstance(found, Finding):
                yield found
            elif aspect == "questions":
                yield from _questions(store, found, params)
            else:
                yield _timestamps(store, found, timedelta(seconds=params.max_clock_skew_seconds))


def _questions(store: EventStore, found: Sampled, params: Params) -> Iterator[Finding]:
    """One finding for each question that too many events leave open, or one for all."""
    failed = False
    for question, fields in _QUESTIONS.items():
        told = shares(found.events, fields)
        short = [share for share in told if not _enough(share, params)]
        if short:
            failed = True
            because = f"{question} is not told: {', '.join(map(str, short))}"
            yield Finding.failed(store.name, because, found.evidence, aspect="questions")
    if not failed:
        because = f"{len(found.events)} sampled events tell what, when, who, on what, where, from "
        because += f"where and how it ended; {_TO_WHERE}"
        yield Finding.passed(store.name, because, found.evidence, aspect="questions")


def _enough(share: Share, params: Params) -> bool:
    if share.field == "auditID":
        return share.there == share.of
    if share.field == "userAgent":
        return share.there > 0  # a client need not send one
    return share.at_least(params.completeness_pct)


def _timestamps(store: EventStore, found: Sampled, skew: timedelta) -> Finding:
    times = store.times("timestamps")
    if isinstance(times, Finding):
        return times
    evidence = found.evidence + times.evidence_of_newest
    if times.newest is not None and times.newest - times.asked > skew:
        because = f"its newest event is of {_time(times.newest)}, which is still to come: see to "
        because += "the clocks, or to who writes such events"
        return Finding.failed(store.name, because, evidence, aspect="timestamps")
    wrong = [(event, why) for event in found.events if (why := _wrong(event, found.asked, skew))]
    if wrong:
        event, why = wrong[0]
        evidence += found.quote(event, why)
        because = f"{len(wrong)} of {len(found.events)} sampled events have odd times: {why}"
        return Finding.failed(store.name, because, evidence, aspect="timestamps")
    because = f"the times of {len(found.events)} sampled events can be read, follow one another "
    because += "and lie in the past"
    return Finding.passed(store.name, because, evidence, aspect="timestamps")


def _wrong(event: Event, now: datetime, skew: timedelta) -> str | None:
    """What is odd about the times of an event."""
    received = _told(event, "requestReceivedTimestamp")
    stage = _told(event, "stageTimestamp")
    if isinstance(received, str) or isinstance(stage, str):
        return received if isinstance(received, str) else str(stage)
    if received and stage and stage < received:
        return f"it ends at {_time(stage)}, before it was received at {_time(received)}"
    latest = stage or received
    if latest and latest - now > skew:
        return f"{_time(latest)} is still to come"
    ingested = event.get("event.ingested")
    arrived = read_time(ingested) if ingested is not None else None
    if isinstance(arrived, datetime) and latest and latest - arrived > skew:
        return f"it arrived at {_time(arrived)}, before it happened at {_time(latest)}"
    return None


def _told(event: Event, field: str) -> datetime | str | None:
    value = event.of(field)
    return None if value is None else read_time(value)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
