"""KC-CMP-008: events in the store answer the seven questions and carry sane timestamps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.interface import check
from kcompliance.checks.trail_stores import searched, stores_to_judge
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.search.events import Event, Share, events_in, read_time, shares
from kcompliance.model.search.times import read_times
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "Sampled", "events_answer_the_seven_questions", "sampled"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Events of a store, and what they were read from."""

    events: tuple[Event, ...]
    evidence: tuple[Evidence, ...]
    raws: Mapping[tuple[str, str], Raw]
    """By index and id of an event: the sample that it is in."""
    collected_at: datetime

    def quote(self, event: Event, what: str) -> tuple[Evidence, ...]:
        """One of the events as evidence."""
        raw = self.raws[event.index, event.id]
        return evidence_of(raw, f"hits.hits[{event.index}/{event.id}]", what)


@check("KC-CMP-008", params=Params)
def events_answer_the_seven_questions(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Events in the store answer the seven questions and carry sane timestamps

    The newest events are looked at, and others of a month that were chosen at random.
    """
    for store in stores_to_judge(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        for aspect in _ASPECTS:
            found = sampled(store, aspect)
            if isinstance(found, Finding):
                yield found
            elif aspect == "questions":
                yield from _questions(store, found, params)
            else:
                yield _timestamps(store, found, timedelta(seconds=params.max_clock_skew_seconds))


def sampled(store: SearchStore, aspect: str) -> Sampled | Finding:
    """The newest events and the random ones; a sample that was refused is not left out."""
    events: dict[tuple[str, str], Event] = {}
    raws: dict[tuple[str, str], Raw] = {}
    evidence: tuple[Evidence, ...] = ()
    at: datetime | None = None
    for kind in (Kind.ELASTICSEARCH_SAMPLE, Kind.ELASTICSEARCH_RANDOM_SAMPLE):
        if kind is Kind.ELASTICSEARCH_RANDOM_SAMPLE and store.answer(kind) == NotAsked():
            continue  # the newest are enough where nobody asked for more
        found = searched(store, kind, aspect)
        if isinstance(found, Finding):
            return found
        hits = tuple(events_in(found.value))
        for event in hits:
            events.setdefault((event.index, event.id), event)
            raws.setdefault((event.index, event.id), found.raw)
        evidence += evidence_of(found.raw, "hits.hits", f"{len(hits)} events")
        at = found.raw.origin.collected_at if at is None else at
    if not events or at is None:
        because = "there is no event in it to look at: see KC-CMP-011"
        return Finding.error(store.name, because, evidence, aspect=aspect)
    return Sampled(events=tuple(events.values()), evidence=evidence, raws=raws, collected_at=at)


def _questions(store: SearchStore, found: Sampled, params: Params) -> Iterator[Finding]:
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


def _timestamps(store: SearchStore, found: Sampled, skew: timedelta) -> Finding:
    newest = searched(store, Kind.ELASTICSEARCH_TIMES, "timestamps")
    if isinstance(newest, Finding):
        return newest
    times = read_times(newest.value)
    if isinstance(times, str):
        return Finding.error(newest.raw.origin.resource, times, aspect="timestamps")
    evidence = found.evidence
    if times.newest is not None and times.newest - newest.raw.origin.collected_at > skew:
        evidence += evidence_of(newest.raw, "aggregations.newest", str(times.newest))
        because = f"its newest event is of {_time(times.newest)}, which is still to come: see to "
        because += "the clocks, or to who writes such events"
        return Finding.failed(store.name, because, evidence, aspect="timestamps")
    wrong = [
        (event, why) for event in found.events if (why := _wrong(event, found.collected_at, skew))
    ]
    if wrong:
        event, why = wrong[0]
        evidence += found.quote(event, why)
        because = f"{len(wrong)} of {len(found.events)} sampled events have odd times: {why}"
        return Finding.failed(store.name, because, evidence, aspect="timestamps")
    because = f"the times of {len(found.events)} sampled events can be read, follow one another "
    because += "and lie in the past"
    evidence += evidence_of(newest.raw, "aggregations.newest", str(times.newest))
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
