"""Workspaces of Log Analytics as stores of audit events: where AKS sends them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from kcompliance.checks.event_stores.aks_store import COLLECTOR, AksStore, not_seen
from kcompliance.checks.event_stores.interface import Sampled, Times
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.log_analytics import (
    ANALYTICS,
    AuditTables,
    audit_tables,
    hot,
    table_of,
    workspace_of,
)
from kcompliance.model.azure.log_events import events_of
from kcompliance.model.azure.log_times import (
    EVENT_TIME,
    RECORD_TIME,
    Days,
    days_of,
    newest_of,
    timeline_of,
)
from kcompliance.model.azure.resource_id import key
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw, Seen
from kcompliance.model.retention import FOREVER

__all__ = ["LogAnalyticsEvents", "log_analytics_events_of"]

T = TypeVar("T")


def log_analytics_events_of(
    cluster: Cluster, trail: Trail, workspaces: Sequence[str], aspects: Sequence[str]
) -> Iterator["LogAnalyticsEvents | Finding"]:
    """What these workspaces hold of a cluster, and findings on what was not seen."""
    for id_ in workspaces:
        look = trail.look(Destination(DestinationKind.WORKSPACE, id_))
        tables = audit_tables(trail.shipped, id_)
        name = f"{id_}/query of {trail.id}"
        if isinstance(look, Seen) and tables is not None:
            yield LogAnalyticsEvents(
                cluster=cluster,
                trail=trail,
                place=id_,
                name=name,
                asked=f"{id_}/query of {key(trail.id)}",
                around=look.raw,
                tables=tables,
            )
        else:
            what = f"the workspace {id_}"
            yield from (not_seen(trail, name, what, look, aspect) for aspect in aspects)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnalyticsEvents(AksStore):
    """The audit records of one cluster in one workspace."""

    tables: AuditTables

    def sampled(self, aspect: str) -> Sampled | Finding:
        """The newest events of the last day, and others of it that were chosen by chance."""
        found = self._answer(Kind.AZURE_LOG_SAMPLE, events_of, aspect)
        if isinstance(found, Finding):
            return found
        events = tuple(event for source, event in found.value if source in self.tables.sources)
        return self.sample_of(found.raw, events, "tables[0].rows", aspect)

    def times(self, aspect: str) -> Times | Finding:
        """The oldest by when it was recorded, the newest by when it happened."""
        rows = self.tables.sources
        days = self._answer(Kind.AZURE_LOG_RECORDS, lambda raw: days_of(raw, rows), aspect)
        if isinstance(days, Finding):
            return days
        lately = self._answer(Kind.AZURE_LOG_NEWEST, lambda raw: newest_of(raw, rows), aspect)
        if isinstance(lately, Finding):
            return lately
        newest = lately.value or days.value.newest
        told = self._times(days, lately.raw, newest, by_event=lately.value is not None)
        return self.times_of(lately.raw, told, aspect)

    def _times(
        self, days: Seen[Days], lately: Raw, newest: datetime | None, *, by_event: bool
    ) -> Times:
        oldest = days.value.oldest
        field = EVENT_TIME if by_event else RECORD_TIME
        return Times(
            field=field,
            records=max(days.value.records, int(newest is not None)),
            oldest=oldest or newest,
            newest=newest,
            days=days.value.begins,
            asked=lately.origin.collected_at,
            live=lately.origin.collector == COLLECTOR,
            evidence_of_oldest=_told(days.raw, oldest, RECORD_TIME),
            evidence_of_newest=_told(lately if by_event else days.raw, newest, field),
            deletes_after=self._deletes_after(),
        )

    def timeline(self, aspect: str) -> Seen[Timeline] | Finding:
        """Of a month."""
        found = self._answer(
            Kind.AZURE_LOG_TIMELINE, lambda raw: timeline_of(raw, self.tables.sources), aspect
        )
        return self.timeline_of(found, aspect)

    # --- what was asked --------------------------------------------------------------------------

    def _answer(self, kind: Kind, read: Callable[[Raw], T], aspect: str) -> Seen[T] | Finding:
        """The answer of a query, or why there is none that could be relied on."""
        refused = self._plan(aspect)
        if refused is not None:
            return refused
        return self.answer(kind, read, aspect)

    def _plan(self, aspect: str) -> Finding | None:
        """An error where rows are of a plan that answers no such query."""
        for table in self.tables.tables:
            place = f"{self.place}/tables/{table}"
            found = self.trail.estate.find(Kind.AZURE_TABLE, place, table_of)
            if isinstance(found, Seen) and found.value.plan != ANALYTICS:
                plan = found.value.plan
                because = f"{table} has the plan {plan}, whose rows no query of all of them finds"
                evidence = evidence_of(found.raw, "properties.plan", plan)
                return Finding.error(self.name, because, evidence, aspect=aspect)
        return None

    def _deletes_after(self) -> timedelta:
        """How long rows can be queried, where that is told."""
        estate = self.trail.estate
        around = estate.find(Kind.AZURE_WORKSPACE, self.place, workspace_of)
        kept = [FOREVER]
        for table in self.tables.tables:
            found = estate.find(Kind.AZURE_TABLE, f"{self.place}/tables/{table}", table_of)
            if isinstance(found, Seen) and isinstance(around, Seen):
                kept.append(hot(found.value, around.value) or FOREVER)
        return min(kept)


def _told(raw: Raw, moment: datetime | None, field: str) -> tuple[Evidence, ...]:
    quote = "none" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ} by {field}"
    return evidence_of(raw, "tables[0].rows", quote)
