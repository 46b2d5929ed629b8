"""Elasticsearch and OpenSearch as stores of audit events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from kcompliance.checks.event_stores.interface import Delivery, Sampled, Sources, Times
from kcompliance.checks.search_sight import red
from kcompliance.checks.trail_stores import searched, seen_stores_that_answer
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.event_store.events import Event
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw, Seen, Unreadable
from kcompliance.model.retention import first_deletion
from kcompliance.model.search.events import events_in
from kcompliance.model.search.indices import trail_indices
from kcompliance.model.search.kept import kept_by_lifecycle
from kcompliance.model.search.timeline import read_sources, read_timeline
from kcompliance.model.search.times import read_times
from kcompliance.model.search.view import COLLECTOR, Fields, SearchStore

__all__ = ["SearchEvents", "sampled_of", "search_events"]

T = TypeVar("T")

_LATE = "@timestamp tells when an agent read an event, which may be long after it happened"


def search_events(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator["SearchEvents | Finding"]:
    """The search stores of a cluster, and findings on those that do not answer."""
    for store in seen_stores_that_answer(cluster, aspects):
        yield store if isinstance(store, Finding) else SearchEvents(store)


@dataclass(frozen=True, slots=True)
class SearchEvents:
    """One index pattern of one server."""

    store: SearchStore

    @property
    def name(self) -> str:
        """The address, or that it is known from files."""
        return self.store.name

    @property
    def delivery(self) -> Delivery:
        """Its owner's forwarder delivers to it."""
        return Delivery.OWN

    def sampled(self, aspect: str) -> Sampled | Finding:
        """The newest events and those of a month that were chosen at random."""
        return sampled_of(self.store, aspect)

    def times(self, aspect: str) -> Times | Finding:
        """By the first of the fields that is mapped as a date."""
        found = self._read(Kind.ELASTICSEARCH_TIMES, read_times, aspect)
        if isinstance(found, Finding):
            return found
        times, raw = found.value, found.raw
        kept = kept_by_lifecycle(
            self.store, trail_indices(self.store, ("*",)), raw.origin.collected_at
        )
        return Times(
            field=times.field,
            records=times.docs,
            oldest=times.oldest if times.docs else None,
            newest=times.newest if times.docs else None,
            days=times.days,
            asked=raw.origin.collected_at,
            live=raw.origin.collector == COLLECTOR,
            evidence_of_oldest=_of_times(raw, "oldest", times.field, times.oldest, times.docs),
            evidence_of_newest=_of_times(raw, "newest", times.field, times.newest, times.docs),
            deletes_after=first_deletion(each.least for each in kept if each.least is not None),
            notes=(_LATE,) if times.field == "@timestamp" else (),
        )

    def timeline(self, aspect: str) -> Seen[Timeline] | Finding:
        """Of a month."""
        return self._read(Kind.ELASTICSEARCH_HISTOGRAM, read_timeline, aspect)

    def sources(self, aspect: str) -> Sources | Finding:
        """By the first of the fields that events can be grouped by."""
        return self._read(Kind.ELASTICSEARCH_SOURCES, read_sources, aspect)

    def _read(
        self, kind: Kind, read: Callable[[Fields], T | str], aspect: str
    ) -> Seen[T] | Finding:
        """What a search answered; `read` gives a text where that is none to rely on."""
        found = _whole(self.store, kind, aspect)
        if isinstance(found, Finding):
            return found
        value = read(found.value)
        if isinstance(value, str):
            return Finding.error(found.raw.origin.resource, value, aspect=aspect)
        return Seen(value=value, raw=found.raw)


def _whole(store: SearchStore, kind: Kind, aspect: str) -> Seen[Fields] | Finding:
    """What a search answered, where nothing tells that some events were out of its sight."""
    for about in (Kind.ELASTICSEARCH_INDICES, Kind.ELASTICSEARCH_HEALTH):
        answer = store.answer(about)
        if isinstance(answer, Unreadable):
            return Finding.unreadable(answer, aspect=aspect)
    return next(red(store, (aspect,)), None) or searched(store, kind, aspect)


def _of_times(
    raw: Raw, which: str, field: str, moment: object, records: int
) -> tuple[Evidence, ...]:
    if not records:
        return evidence_of(raw, "hits.total", "0")
    return evidence_of(raw, f"aggregations.{which}", f"{moment} by {field}")


def sampled_of(store: SearchStore, aspect: str) -> Sampled | Finding:
    """The newest events and the random ones; a sample that was refused is not left out."""
    events: dict[str, Event] = {}
    raws: dict[str, Raw] = {}
    evidence: tuple[Evidence, ...] = ()
    first: Raw | None = None
    for kind in (Kind.ELASTICSEARCH_SAMPLE, Kind.ELASTICSEARCH_RANDOM_SAMPLE):
        if kind is Kind.ELASTICSEARCH_RANDOM_SAMPLE and store.answer(kind) == NotAsked():
            continue  # the newest are enough where nobody asked for more
        found = searched(store, kind, aspect)
        if isinstance(found, Finding):
            return found
        hits = tuple(events_in(found.value))
        for event in hits:
            events.setdefault(event.place, event)
            raws.setdefault(event.place, found.raw)
        evidence += evidence_of(found.raw, "hits.hits", f"{len(hits)} events")
        first = first or found.raw
    if not events or first is None:
        because = "there is no event in it to look at: see KC-CMP-011"
        return Finding.error(store.name, because, evidence, aspect=aspect)
    return Sampled(
        events=tuple(events.values()),
        evidence=evidence,
        raws=raws,
        asked=first.origin.collected_at,
    )
