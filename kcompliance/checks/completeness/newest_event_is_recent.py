"""KC-CMP-011: freshness, the newest audit event in the store is recent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.event_stores import Delivery, EventStore, Sampled, Times, event_stores
from kcompliance.checks.interface import check
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.events import read_time
from kcompliance.model.event_store.timeline import BIN
from kcompliance.model.finding import Evidence, Finding, evidence_of

__all__ = ["Params", "newest_event_is_recent"]

_ASPECTS: Final = ("fresh", "lag")
_SKEW: Final = timedelta(seconds=60)
_OF_HUNDRED: Final = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-011; what a provider delivers takes longer."""

    max_age_minutes: int = 15
    cloud_max_age_minutes: int = 30
    blob_max_age_minutes: int = 120
    max_lag_minutes: int = 10


@check("KC-CMP-011", params=Params)
def newest_event_is_recent(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The newest audit event in the store is recent

    Its age is told by when it happened, against the time at which the store was asked.
    """
    for store in event_stores(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        yield _fresh(store, _longest(store, params))
        found = store.sampled("lag")
        if isinstance(found, Finding):
            yield found
        else:
            yield _lag(store, found, timedelta(minutes=params.max_lag_minutes))


def _longest(store: EventStore, params: Params) -> timedelta:
    minutes = {
        Delivery.OWN: params.max_age_minutes,
        Delivery.CLOUD: params.cloud_max_age_minutes,
        Delivery.HOURLY: params.blob_max_age_minutes,
    }
    return timedelta(minutes=minutes[store.delivery])


def _fresh(store: EventStore, longest: timedelta) -> Finding:
    times = store.times("fresh")
    if isinstance(times, Finding):
        return times
    evidence = times.evidence_of_newest
    if times.newest is None:
        because = "no event in it has a time" if times.records else "no audit event is in it"
        return Finding.failed(store.name, because, evidence, aspect="fresh")
    if times.newest - times.asked > _SKEW:
        return _behind_the_future(store, times, longest)
    age = times.asked - times.newest
    if age > longest:
        because = f"its newest event is of {_time(times.newest)}, {_long(age)} before it was asked"
        return _too_old(store, times, because, evidence)
    because = f"its newest event happened {_long(max(age, timedelta()))} before it was asked"
    return Finding.passed(store.name, because, evidence, aspect="fresh", notes=times.notes)


def _too_old(
    store: EventStore, times: Times, because: str, evidence: tuple[Evidence, ...]
) -> Finding:
    if times.live:
        return Finding.failed(store.name, because, evidence, aspect="fresh")
    return Finding.manual(
        store.name,
        f"{because}, and a file does not tell when that was",
        "When was this answer saved? Scan the store itself.",
        evidence,
        aspect="fresh",
    )


def _behind_the_future(store: EventStore, times: Times, longest: timedelta) -> Finding:
    """One event of a wrong clock would make a dead trail look fresh for ever."""
    found = store.timeline("fresh")
    if isinstance(found, Finding):
        return found
    notes = (f"an event of {_time(times.newest or times.asked)} is in it: see KC-CMP-008",)
    newest = max((start for start in found.value.bins if start <= times.asked), default=None)
    told = f"newest that is not to come: {_time(newest) if newest else 'none'}"
    evidence = times.evidence_of_newest + evidence_of(found.raw, found.value.place, told)
    if newest is None or times.asked - newest > longest + BIN:
        because = "but for events that are still to come, its newest is of "
        because += _time(newest) if newest else "a time before those that were counted"
        return _too_old(store, times, because, evidence)
    because = f"events of {_time(newest)} and the minutes after are in it"
    return Finding.passed(store.name, because, evidence, aspect="fresh", notes=notes)


def _lag(store: EventStore, found: Sampled, longest: timedelta) -> Finding:
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
    if worst > longest and found.arrived_by:
        because += ", which is when the last of them did"
        question = "How long do events take to arrive? Scan again when more of them come."
        return Finding.manual(store.name, because, question, evidence, aspect="lag")
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


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _long(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    words = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{n} {word}" for n, word in words if n)[:20] or "0 s"
