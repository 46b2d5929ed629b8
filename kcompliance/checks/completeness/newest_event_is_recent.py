"""KC-CMP-011: freshness, the newest audit event in the store is recent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.completeness.events_answer_the_seven_questions import Sampled, sampled
from kcompliance.checks.interface import check
from kcompliance.checks.trail_stores import searched, stores_to_judge
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.search.events import read_time
from kcompliance.model.search.timeline import BIN, read_timeline
from kcompliance.model.search.times import TrailTimes, read_times
from kcompliance.model.search.view import COLLECTOR, SearchStore

__all__ = ["Params", "newest_event_is_recent"]

_ASPECTS: Final = ("fresh", "lag")
_SKEW: Final = timedelta(seconds=60)
_OF_HUNDRED: Final = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-011."""

    max_age_minutes: int = 15
    max_lag_minutes: int = 10


@check("KC-CMP-011", params=Params)
def newest_event_is_recent(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The newest audit event in the store is recent

    Its age is told by when it happened, against the time at which the store was asked.
    """
    for store in stores_to_judge(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        yield _fresh(store, timedelta(minutes=params.max_age_minutes))
        found = sampled(store, "lag")
        if isinstance(found, Finding):
            yield found
        else:
            yield _lag(store, found, timedelta(minutes=params.max_lag_minutes))


def _fresh(store: SearchStore, longest: timedelta) -> Finding:
    found = searched(store, Kind.ELASTICSEARCH_TIMES, "fresh")
    if isinstance(found, Finding):
        return found
    times, raw = read_times(found.value), found.raw
    if isinstance(times, str):
        return Finding.error(raw.origin.resource, times, aspect="fresh")
    if times.docs == 0 or times.newest is None:
        evidence = evidence_of(raw, "hits.total", str(times.docs))
        because = "no audit event is in it" if times.docs == 0 else "no event in it has a time"
        return Finding.failed(store.name, because, evidence, aspect="fresh")
    evidence = evidence_of(raw, "aggregations.newest", f"{times.field}: {_time(times.newest)}")
    asked = raw.origin.collected_at
    if times.newest - asked > _SKEW:
        return _behind_the_future(store, times, longest, evidence, asked)
    age = asked - times.newest
    if age > longest:
        because = f"its newest event is of {_time(times.newest)}, {_long(age)} before it was asked"
        return _too_old(store, raw, because, evidence)
    because = f"its newest event happened {_long(max(age, timedelta()))} before it was asked"
    return Finding.passed(store.name, because, evidence, aspect="fresh", notes=_notes(times))


def _too_old(store: SearchStore, raw: Raw, because: str, evidence: tuple[Evidence, ...]) -> Finding:
    if raw.origin.collector == COLLECTOR:
        return Finding.failed(store.name, because, evidence, aspect="fresh")
    return Finding.manual(
        store.name,
        f"{because}, and a file does not tell when that was",
        "When was this answer saved? Scan the store itself: elasticsearch+https://HOST:9200/"
        "INDEX_PATTERN.",
        evidence,
        aspect="fresh",
    )


def _behind_the_future(
    store: SearchStore,
    times: TrailTimes,
    longest: timedelta,
    evidence: tuple[Evidence, ...],
    asked: datetime,
) -> Finding:
    """One event of a wrong clock would make a dead trail look fresh for ever."""
    found = searched(store, Kind.ELASTICSEARCH_HISTOGRAM, "fresh")
    if isinstance(found, Finding):
        return found
    timeline = read_timeline(found.value)
    if isinstance(timeline, str):
        return Finding.error(found.raw.origin.resource, timeline, aspect="fresh")
    notes = (f"an event of {_time(times.newest or asked)} is in it: see KC-CMP-008",)
    past = [start for start in timeline.bins if start <= asked]
    newest = max(past, default=None)
    told = f"newest that is not to come: {_time(newest) if newest else 'none'}"
    evidence += evidence_of(found.raw, "aggregations.bins", told)
    if newest is None or asked - newest > longest + BIN:
        because = "but for events that are still to come, its newest is of "
        because += _time(newest) if newest else "more than a month ago"
        return _too_old(store, found.raw, because, evidence)
    because = f"events of {_time(newest)} and the minutes after are in it"
    return Finding.passed(store.name, because, evidence, aspect="fresh", notes=notes)


def _lag(store: SearchStore, found: Sampled, longest: timedelta) -> Finding:
    """How long events took to arrive: nineteen of twenty have to be quick."""
    lags = sorted(_lags(found))
    evidence = found.evidence
    if not lags or len(lags) * 2 < len(found.events):
        return Finding.manual(
            store.name,
            f"only {len(lags)} of {len(found.events)} sampled events tell when they arrived",
            "How long do events take to arrive? Let the ingest pipeline set event.ingested to "
            "{{{_ingest.timestamp}}}.",
            evidence,
            aspect="lag",
        )
    worst = lags[min(len(lags) - 1, len(lags) * _OF_HUNDRED // 100)]
    because = f"{_OF_HUNDRED} of 100 sampled events arrived within {_long(worst)}"
    if worst > longest:
        return Finding.failed(store.name, because, evidence, aspect="lag")
    return Finding.passed(store.name, because, evidence, aspect="lag")


def _lags(found: Sampled) -> Iterator[timedelta]:
    for event in found.events:
        happened = event.of("stageTimestamp") or event.of("requestReceivedTimestamp")
        arrived = read_time(event.get("event.ingested"))
        happened = read_time(happened)
        if isinstance(happened, datetime) and isinstance(arrived, datetime):
            yield max(arrived - happened, timedelta())


def _notes(times: TrailTimes) -> tuple[str, ...]:
    if times.field != "@timestamp":
        return ()
    return ("@timestamp tells when an agent read an event, which may be long after it happened",)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _long(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    words = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{n} {word}" for n, word in words if n)[:20] or "0 s"
