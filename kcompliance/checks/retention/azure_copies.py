"""Where the rows of a log category of a cluster are kept, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from kcompliance.model.azure.blob_storage import blobs_of, kept_by, rules_of
from kcompliance.model.azure.diagnostics import (
    AUDIT_CATEGORIES,
    KUBE_AUDIT,
    KUBE_AUDIT_ADMIN,
    Destination,
    DestinationKind,
    DiagnosticSetting,
)
from kcompliance.model.azure.log_analytics import (
    Table,
    Workspace,
    in_all,
    table_of,
    table_of_category,
    workspace_of,
)
from kcompliance.model.azure.trail import Elsewhere, Trail
from kcompliance.model.cluster import NotAsked
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.reading import Absent, Kind, Seen, Unreadable
from kcompliance.model.retention import FOREVER, days_kept

__all__ = [
    "Copy",
    "HotTable",
    "TableState",
    "audit_categories",
    "copies_of",
    "hot_tables",
    "table_at",
]


def audit_categories(trail: Trail) -> tuple[str, ...]:
    """The audit categories that are shipped; kube-audit-admin where it stands alone."""
    return tuple(
        name
        for name in AUDIT_CATEGORIES
        if trail.shipped.has(name)
        and not (name == KUBE_AUDIT_ADMIN and trail.shipped.has(KUBE_AUDIT))
    )


# --- tables --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """A table with its workspace, and the evidence of both."""

    table: Table
    workspace: Workspace
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotTable:
    """A table that audit data of a cluster goes to, by name, and what is known of it."""

    id: str
    categories: tuple[str, ...]
    state: TableState | Absent | Unreadable | Elsewhere | NotAsked
    workspace_gone: bool = False


def hot_tables(trail: Trail) -> Iterator[HotTable]:
    """The tables that the trail's audit categories go to, in the order of their ids."""
    places: dict[tuple[str, str], list[str]] = {}
    for category in AUDIT_CATEGORIES:
        for setting in trail.shipped.settings_of(category):
            for destination in setting.destinations:
                if destination.kind is DestinationKind.WORKSPACE:
                    table = table_of_category(category, setting)
                    places.setdefault((destination.id, table), []).append(category)
    for (workspace, table), categories in sorted(places.items()):
        state = table_at(trail, workspace, table)
        gone = isinstance(state, Absent) and state.origin.kind is Kind.AZURE_WORKSPACE
        yield HotTable(
            id=f"{workspace}/tables/{table}",
            categories=tuple(dict.fromkeys(categories)),
            state=state,
            workspace_gone=gone,
        )


def table_at(
    trail: Trail, workspace: str, table: str
) -> TableState | Absent | Unreadable | Elsewhere | NotAsked:
    """A table of a workspace; if the workspace is what is not there, its own answer."""
    look = trail.look(Destination(DestinationKind.WORKSPACE, workspace))
    if not isinstance(look, Seen):
        return look
    around = trail.estate.find(Kind.AZURE_WORKSPACE, workspace, workspace_of)
    found = trail.estate.find(Kind.AZURE_TABLE, f"{workspace}/tables/{table}", table_of)
    if not isinstance(around, Seen):
        return around
    if not isinstance(found, Seen):
        return found
    told, theirs = found.value, around.value
    quote = f"{told.plan}, {_words(told.retention)} and {_words(told.total)} in all"
    evidence = evidence_of(found.raw, f"{table}.properties.plan, retentionInDays", quote)
    evidence += evidence_of(around.raw, "properties.retentionInDays", _words(theirs.retention))
    return TableState(table=told, workspace=theirs, evidence=evidence)


def _words(kept: timedelta | None) -> str:
    return "as the workspace" if kept is None else days_kept(kept)


# --- all copies ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One place that gets a category.

    `kept` is None where that is not known: then `gap` tells why it could not be read, or it is
    nothing that Azure could tell.
    """

    words: str
    kept: timedelta | None
    evidence: tuple[Evidence, ...] = ()
    gap: Unreadable | None = None
    note: str | None = None


def copies_of(trail: Trail, category: str) -> Iterator[Copy]:
    """Every copy of a category, each place once."""
    places: dict[tuple[DestinationKind, str, str], Copy] = {}
    for setting in trail.shipped.settings_of(category):
        for destination in setting.destinations:
            table = ""
            if destination.kind is DestinationKind.WORKSPACE:
                table = table_of_category(category, setting)
            place = (destination.kind, destination.id, table)
            if place not in places:
                places[place] = _copy(trail, category, setting, destination)
    yield from (places[place] for place in sorted(places))


def _copy(
    trail: Trail, category: str, setting: DiagnosticSetting, destination: Destination
) -> Copy:
    match destination.kind:
        case DestinationKind.WORKSPACE:
            return _in_table(trail, destination.id, table_of_category(category, setting))
        case DestinationKind.STORAGE:
            return _in_storage(trail, category, destination)
        case _:
            words = f"what gets it from the {destination.kind} {destination.id} is not known"
            return Copy(words=words, kept=None)


def _in_table(trail: Trail, workspace: str, table: str) -> Copy:
    name = f"{table} of {workspace}"
    match table_at(trail, workspace, table):
        case TableState(table=told, workspace=theirs, evidence=evidence):
            kept = in_all(told, theirs)
            if kept is None:
                return Copy(words=f"{name} does not tell how long it keeps rows", kept=None)
            return Copy(
                words=f"{name} keeps it for {days_kept(kept)}", kept=kept, evidence=evidence
            )
        case Absent(origin=origin) if origin.kind is Kind.AZURE_WORKSPACE:
            return Copy(words=f"{workspace} no longer exists", kept=timedelta())
        case Absent():
            return Copy(words=f"{name} is not there yet: no row has arrived", kept=None)
        case Unreadable() as gap:
            return Copy(words=f"{name} could not be read: {gap.reason}", kept=None, gap=gap)
        case Elsewhere(because=because):
            return Copy(words=because, kept=None)
        case NotAsked():
            return Copy(words=f"{name} is not in what was given", kept=None)


def _in_storage(trail: Trail, category: str, destination: Destination) -> Copy:
    name = f"the storage account {destination.id}"
    match trail.look(destination):
        case Seen(raw=raw):
            evidence = evidence_of(raw, "id", destination.id)
        case Absent():
            return Copy(words=f"{name} no longer exists", kept=timedelta())
        case Unreadable() as gap:
            return Copy(words=f"{name} could not be read: {gap.reason}", kept=None, gap=gap)
        case Elsewhere(because=because):
            return Copy(words=because, kept=None)
        case NotAsked():
            return Copy(words=f"{name} is not in what was given", kept=None)
    place = f"{destination.id}/managementPolicies/default"
    match trail.estate.find(Kind.AZURE_MANAGEMENT_POLICY, place, rules_of):
        case Absent():
            words = f"{name} has no lifecycle rule that deletes it"
            return Copy(words=words, kept=FOREVER, evidence=evidence)
        case Unreadable() as gap:
            words = f"the lifecycle rules of {name} could not be read: {gap.reason}"
            return Copy(words=words, kept=None, gap=gap)
        case NotAsked():
            return Copy(words=f"the lifecycle rules of {name} are not in what was given", kept=None)
        case Seen(value=rules, raw=raw):
            kept, decides = kept_by(rules, blobs_of(category, trail.id))
            quote = f"{decides.name}: {days_kept(kept)}" if decides else "none deletes it"
            evidence += evidence_of(raw, "properties.policy.rules", quote)
            tagged = any(rule.tagged_only for rule in rules)
            words = f"{name} keeps it for {days_kept(kept)}"
            if decides:
                words += f" (lifecycle rule {decides.name})"
            note = "a lifecycle rule deletes blobs by index tag, which nobody else may set on these"
            return Copy(words=words, kept=kept, evidence=evidence, note=note if tagged else None)
