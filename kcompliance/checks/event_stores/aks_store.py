"""What all stores have in common to which Azure delivers the audit records of a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from kcompliance.checks.azure_sight import of_settings
from kcompliance.checks.event_stores.interface import Delivery, Sampled, Sources, Times
from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.azure.resource_id import key
from kcompliance.model.azure.trail import Elsewhere, Look, Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.events import Event
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["COLLECTOR", "AksStore", "not_seen"]

T = TypeVar("T")

COLLECTOR: Final = "azure"
_FIRST_DATA: Final = timedelta(minutes=90)
"""So long Azure may take until the first records of a new setting can be found."""


def not_seen(trail: Trail, name: str, what: str, look: Look, aspect: str) -> Finding:
    """Why a store cannot be judged; `what` it is: `the workspace ID`."""
    told = f"its audit log goes to {what}"
    evidence = of_settings(trail)
    match look:
        case Unreadable() as gap:
            return Finding.unreadable(gap, aspect=aspect)
        case Absent(reason=reason):
            because = f"{told}, which no longer exists: {reason}"
            return Finding.error(name, because, evidence, aspect=aspect)
        case Elsewhere(because=because):
            question = f"What is in it? Scan {trail.id} with credentials of that tenant."
            because = f"{told}, where this scan cannot look: {because}"
            return Finding.manual(name, because, question, evidence, aspect=aspect)
        case _:
            return _not_given(trail, name, f"{told}, which is not in what was given", aspect)


def _not_given(trail: Trail, name: str, because: str, aspect: str) -> Finding:
    question = f"What do the queries of it answer? Scan aks:{trail.id}, which asks them."
    return Finding.manual(name, because, question, of_settings(trail), aspect=aspect)


@dataclass(frozen=True, slots=True, kw_only=True)
class AksStore:
    """The audit records of one cluster in one place."""

    cluster: Cluster
    trail: Trail
    place: str
    """The workspace or the account."""
    name: str
    """Of it in findings."""
    asked: str
    """How captures of what was asked of it are named."""
    around: Raw
    """What tells of the place."""

    @property
    def delivery(self) -> Delivery:
        """Azure delivers to it."""
        return Delivery.CLOUD

    def sources(self, aspect: str) -> Sources | Finding:
        """The API servers are Azure's."""
        because = "the API servers of aks come and go as its provider wills"
        return Finding.not_applicable(self.name, because, of_settings(self.trail), aspect=aspect)

    # --- what was asked --------------------------------------------------------------------------

    def answer(self, kind: Kind, read: Callable[[Raw], T], aspect: str) -> Seen[T] | Finding:
        """The answer to a question, or why there is none that could be relied on."""
        for gap in self.cluster.gaps:
            if gap.origin.kind is kind and self._is_about_this(gap.origin.resource):
                return Finding.unreadable(gap, aspect=aspect)
        raws = [
            raw
            for raw in self.cluster.texts.get(kind, ())
            if self._is_about_this(raw.origin.resource)
        ]
        if not raws:
            return self._not_asked(kind, aspect)
        if any(raw.content != raws[0].content for raw in raws):
            because = "two answers of one query were given: scan one of them"
            return Finding.error(self.name, because, aspect=aspect)
        try:
            return Seen(value=read(raws[0]), raw=raws[0])
        except WrongAnswer as error:
            because = f"the answer of {kind.value} could not be read: {error}"
            return Finding.error(self.name, because, aspect=aspect)

    def _is_about_this(self, resource: str) -> bool:
        return key(resource) == key(self.asked)

    def _not_asked(self, kind: Kind, aspect: str) -> Finding:
        because = f"{kind.value} of it is not in what was given"
        if self.around.origin.collector != COLLECTOR:
            return _not_given(self.trail, self.name, because, aspect)
        because = f"this scan did not ask it for {kind.value}"
        return Finding.error(self.name, because, aspect=aspect)

    # --- why there may be nothing ----------------------------------------------------------------

    def sample_of(
        self, raw: Raw, events: tuple[Event, ...], location: str, aspect: str
    ) -> Sampled | Finding:
        """These events, or why there may be none."""
        evidence = evidence_of(raw, location, f"{len(events)} events")
        if not events:
            because = "there is no event of the last day in it to look at: see KC-CMP-011"
            excuse = self._excuse(raw, because, evidence, aspect)
            return excuse or Finding.error(self.name, because, evidence, aspect=aspect)
        return Sampled(
            events=events,
            evidence=evidence,
            raws={event.place: raw for event in events},
            asked=raw.origin.collected_at,
        )

    def times_of(self, raw: Raw, told: Times, aspect: str) -> Times | Finding:
        """These times, or why there may be none that are newer."""
        newest = told.newest
        if newest is not None and not (aspect == "fresh" and self._is_stopped):
            return told
        because = f"its newest event is of {newest:%Y-%m-%d %H:%M:%S}Z" if newest else "it is empty"
        return self._excuse(raw, because, told.evidence_of_newest, aspect) or told

    def timeline_of(self, found: Seen[Timeline] | Finding, aspect: str) -> Seen[Timeline] | Finding:
        """This timeline, or why there may be nothing in it."""
        if isinstance(found, Seen) and not found.value.bins:
            because = "no event of the last 30 days is in it"
            evidence = evidence_of(found.raw, found.value.place, "none")
            return self._excuse(found.raw, because, evidence, aspect) or found
        return found

    @property
    def _is_stopped(self) -> bool:
        return isinstance(self.trail.cluster, Seen) and self.trail.cluster.value.stopped

    def _excuse(
        self, raw: Raw, because: str, evidence: tuple[Evidence, ...], aspect: str
    ) -> Finding | None:
        """Why a cluster may have nothing to record: it is stopped, or only just made."""
        cluster = self.trail.cluster
        if not isinstance(cluster, Seen):
            return None
        created, asked = cluster.value.created, raw.origin.collected_at
        if self._is_stopped:
            told = evidence_of(cluster.raw, "properties.powerState.code", "Stopped")
            because = f"{because}, and the cluster is stopped: nothing new can come"
            question = (
                "Since when is it stopped? The activity log tells; the newest event has to be of "
                "that time. Or start it, and scan again."
            )
        elif created is not None and timedelta() <= asked - created < _FIRST_DATA:
            told = evidence_of(cluster.raw, "systemData.createdAt", f"{created:%Y-%m-%dT%H:%M:%SZ}")
            because = f"{because}, and the cluster was made less than 90 minutes before"
            question = "Do its first records arrive? They take up to 90 minutes: scan again then."
        else:
            return None
        return Finding.manual(self.name, because, question, evidence + told, aspect=aspect)
