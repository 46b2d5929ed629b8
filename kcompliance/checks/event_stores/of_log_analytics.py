"""Workspaces of Log Analytics as stores of audit events: where AKS sends them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from kcompliance.checks.azure_sight import group_unknown, of_settings, trails_to_judge
from kcompliance.checks.event_stores.interface import Sampled, Sources, Times
from kcompliance.checks.search_sight import WHERE
from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.azure.diagnostics import (
    KUBE_AUDIT,
    KUBE_AUDIT_ADMIN,
    Destination,
    DestinationKind,
    DiagnosticSetting,
)
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
from kcompliance.model.azure.trail import Elsewhere, Look, Trail, trails_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable
from kcompliance.model.retention import FOREVER

__all__ = ["LogAnalyticsEvents", "log_analytics_events"]

T = TypeVar("T")

COLLECTOR: Final = "azure"
_FIRST_DATA: Final = timedelta(minutes=90)
"""So long Azure may take until the first records of a new setting can be found."""


def log_analytics_events(
    cluster: Cluster, aspects: tuple[str, ...]
) -> Iterator["LogAnalyticsEvents | Finding"]:
    """The workspaces that AKS clusters send audit records to, and findings on what was not seen.

    Of a cluster that sends them elsewhere nothing is said, as others may know where: unless it is
    one of several, where the others' stores would speak for it.
    """
    trails = trails_of(cluster)
    kinds = (Kind.AKS_CLUSTER, Kind.AZURE_DIAGNOSTIC_SETTINGS)
    if not trails and not any(gap.origin.kind in kinds for gap in cluster.gaps):
        return
    silent: list[Trail] = []
    for found in trails_to_judge(cluster, aspects):
        if isinstance(found, Finding):
            yield found
            continue
        of_trail = tuple(_of_trail(cluster, found, aspects))
        yield from of_trail
        silent += [] if of_trail else [found]
    for trail in silent if len(silent) < len(trails) else ():
        yield from (_nowhere(trail, aspect) for aspect in aspects)


def _nowhere(trail: Trail, aspect: str) -> Finding:
    return Finding.manual(
        trail.id,
        "its audit log goes to no workspace of Log Analytics",
        f"{WHERE} Scan this cluster by itself, with its store under targets in kcompliance.yaml.",
        of_settings(trail),
        aspect=aspect,
    )


def _of_trail(
    cluster: Cluster, trail: Trail, aspects: Sequence[str]
) -> Iterator["LogAnalyticsEvents | Finding"]:
    looks = {
        id_: trail.look(Destination(DestinationKind.WORKSPACE, id_)) for id_ in _sent_to(trail)
    }
    alive = any(isinstance(look, Seen) for look in looks.values())
    for id_, look in looks.items():
        tables = audit_tables(trail.shipped, id_)
        if isinstance(look, Seen) and tables is not None:
            yield LogAnalyticsEvents(
                cluster=cluster, trail=trail, workspace=id_, around=look.raw, tables=tables
            )
        elif not (isinstance(look, Absent) and alive):
            yield from (_not_seen(trail, id_, look, aspect) for aspect in aspects)
    if not looks and any(map(_workspaces, _undecided(trail))):
        unknown = (group_unknown(trail, KUBE_AUDIT, aspect) for aspect in aspects)
        yield from (finding for finding in unknown if finding is not None)


def _sent_to(trail: Trail) -> tuple[str, ...]:
    """The workspaces that surely get audit records, each once, in order."""
    found: dict[str, str] = {}
    for category in (KUBE_AUDIT, KUBE_AUDIT_ADMIN):
        for setting in trail.shipped.settings_of(category):
            for id_ in _workspaces(setting):
                found.setdefault(key(id_), id_)
    return tuple(found[name] for name in sorted(found))


def _workspaces(setting: DiagnosticSetting) -> tuple[str, ...]:
    return tuple(d.id for d in setting.destinations if d.kind is DestinationKind.WORKSPACE)


def _undecided(trail: Trail) -> tuple[DiagnosticSetting, ...]:
    return tuple(s for settings in trail.shipped.undecided.values() for s in settings)


def _not_seen(trail: Trail, workspace: str, look: Look, aspect: str) -> Finding:
    told = f"its audit log goes to the workspace {workspace}"
    name, evidence = _name(trail, workspace), of_settings(trail)
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
            return _not_given(trail, workspace, f"{told}, which is not in what was given", aspect)


def _not_given(trail: Trail, workspace: str, because: str, aspect: str) -> Finding:
    question = f"What do the queries of it answer? Scan aks:{trail.id}, which asks them."
    name = _name(trail, workspace)
    return Finding.manual(name, because, question, of_settings(trail), aspect=aspect)


def _name(trail: Trail, workspace: str) -> str:
    return f"{workspace}/query of {trail.id}"


# --- one workspace -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnalyticsEvents:
    """The audit records of one cluster in one workspace."""

    cluster: Cluster
    trail: Trail
    workspace: str
    around: Raw
    """What tells of the workspace."""
    tables: AuditTables

    @property
    def name(self) -> str:
        """The workspace, and which cluster it was asked about."""
        return _name(self.trail, self.workspace)

    @property
    def is_cloud(self) -> bool:
        """Azure delivers to it."""
        return True

    def sampled(self, aspect: str) -> Sampled | Finding:
        """The newest events of the last day, and others of it that were chosen by chance."""
        found = self._answer(Kind.AZURE_LOG_SAMPLE, events_of, aspect)
        if isinstance(found, Finding):
            return found
        events = tuple(event for source, event in found.value if source in self.tables.sources)
        evidence = evidence_of(found.raw, "tables[0].rows", f"{len(events)} events")
        if not events:
            because = "there is no event of the last day in it to look at: see KC-CMP-011"
            excuse = self._excuse(found.raw, because, evidence, aspect)
            return excuse or Finding.error(self.name, because, evidence, aspect=aspect)
        return Sampled(
            events=events,
            evidence=evidence,
            raws={event.place: found.raw for event in events},
            asked=found.raw.origin.collected_at,
        )

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
        if newest is not None and not (aspect == "fresh" and self._is_stopped):
            return told
        because = f"its newest event is of {newest:%Y-%m-%d %H:%M:%S}Z" if newest else "it is empty"
        return self._excuse(lately.raw, because, told.evidence_of_newest, aspect) or told

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
        if isinstance(found, Seen) and not found.value.bins:
            because = "no event of the last 30 days is in it"
            evidence = evidence_of(found.raw, found.value.place, "none")
            return self._excuse(found.raw, because, evidence, aspect) or found
        return found

    def sources(self, aspect: str) -> Sources | Finding:
        """The API servers are Azure's."""
        because = "the API servers of aks come and go as its provider wills"
        return Finding.not_applicable(self.name, because, of_settings(self.trail), aspect=aspect)

    # --- what was asked --------------------------------------------------------------------------

    def _answer(self, kind: Kind, read: Callable[[Raw], T], aspect: str) -> Seen[T] | Finding:
        """The answer of a query, or why there is none that could be relied on."""
        refused = self._plan(aspect)
        if refused is not None:
            return refused
        gaps = [gap for gap in self.cluster.gaps if self._is_about_this(gap.origin.resource)]
        for gap in gaps:
            if gap.origin.kind is kind:
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
        return key(resource) == key(f"{self.workspace}/query of {key(self.trail.id)}")

    def _not_asked(self, kind: Kind, aspect: str) -> Finding:
        because = f"{kind.value} of it is not in what was given"
        if self.around.origin.collector != COLLECTOR:
            return _not_given(self.trail, self.workspace, because, aspect)
        because = f"this scan did not ask it for {kind.value}"
        return Finding.error(self.name, because, aspect=aspect)

    def _plan(self, aspect: str) -> Finding | None:
        """An error where rows are of a plan that answers no such query."""
        for table in self.tables.tables:
            place = f"{self.workspace}/tables/{table}"
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
        around = estate.find(Kind.AZURE_WORKSPACE, self.workspace, workspace_of)
        kept = [FOREVER]
        for table in self.tables.tables:
            found = estate.find(Kind.AZURE_TABLE, f"{self.workspace}/tables/{table}", table_of)
            if isinstance(found, Seen) and isinstance(around, Seen):
                kept.append(hot(found.value, around.value) or FOREVER)
        return min(kept)

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


def _told(raw: Raw, moment: datetime | None, field: str) -> tuple[Evidence, ...]:
    quote = "none" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ} by {field}"
    return evidence_of(raw, "tables[0].rows", quote)
