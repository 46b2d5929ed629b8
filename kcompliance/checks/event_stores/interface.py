"""What a check can ask of a store of audit events, whichever service it is.

Each answer is what the store told, or the finding that says why it is not known: an error where
something could not be read, a question where it is not in what was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from kcompliance.model.event_store.events import Event
from kcompliance.model.event_store.timeline import Source, Timeline
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Raw, Seen
from kcompliance.model.retention import FOREVER

__all__ = ["Delivery", "EventStore", "Sampled", "Sources", "Times"]


class Delivery(Enum):
    """How events get to a store, by which it is judged how long they may take."""

    OWN = auto()
    """A forwarder of the cluster's own."""
    CLOUD = auto()
    """A provider delivers them, which takes longer."""
    HOURLY = auto()
    """A provider files them by the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Events of a store, at least one, and what they were read from."""

    events: tuple[Event, ...]
    evidence: tuple[Evidence, ...]
    raws: Mapping[str, Raw]
    """By the place of an event: the answer that it is in."""
    asked: datetime
    arrived_by: bool = False
    """event.ingested is the latest that an event can have arrived, which may have been before."""

    def quote(self, event: Event, what: str) -> tuple[Evidence, ...]:
        """One of the events as evidence."""
        return evidence_of(self.raws[event.place], event.place, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How old and how new the cluster's events in a store are; times are aware, UTC."""

    field: str
    """By which their times are told."""
    records: int
    """0: there are none. What a service does not count is 1 where there is any."""
    oldest: datetime | None
    newest: datetime | None
    days: tuple[datetime, ...]
    """The begins of days on which there are events, of as long a time as is told."""
    asked: datetime
    live: bool
    """Asked by this scan itself: a file does not tell when it was saved."""
    evidence_of_oldest: tuple[Evidence, ...]
    evidence_of_newest: tuple[Evidence, ...]
    deletes_after: timedelta = FOREVER
    """When the store itself deletes records, where it tells."""
    notes: tuple[str, ...] = ()
    """What has to be known about `field`."""
    apart: timedelta = timedelta()
    """So far apart told days may be without a hole between them: not each day is asked for."""


Sources = Seen[tuple[Source, ...] | None]
"""From where events came; None where no field tells it."""


class EventStore(Protocol):
    """One place where the events of a cluster can be searched."""

    @property
    def name(self) -> str:
        """The resource of its findings."""

    @property
    def delivery(self) -> Delivery:
        """Who delivers the events to it."""

    def sampled(self, aspect: str) -> Sampled | Finding:
        """The newest events, and others by chance where there are any."""

    def times(self, aspect: str) -> Times | Finding:
        """The oldest and the newest event."""

    def timeline(self, aspect: str) -> Seen[Timeline] | Finding:
        """How many events there were in each bin of a month, or of less."""

    def sources(self, aspect: str) -> Sources | Finding:
        """What each API server sent; not asked where a provider runs them as it wills."""
