"""KC-RET-007: Log Analytics keeps the audit tables queryable for six months."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.azure_sight import (
    group_unknown,
    of_settings,
    settings_partly,
    trails_to_judge,
)
from kcompliance.checks.interface import check
from kcompliance.checks.retention.azure_copies import (
    HotTable,
    TableState,
    audit_categories,
    hot_tables,
)
from kcompliance.model.azure.log_analytics import hot, in_all
from kcompliance.model.azure.trail import Elsewhere, Trail
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding
from kcompliance.model.reading import Absent, Unreadable
from kcompliance.model.retention import at_least, days_kept, required

__all__ = ["Params", "log_analytics_keeps_audit_tables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-007."""

    min_hot_days: int = 180
    strict_months: bool = False
    hot_counts_search_jobs: bool = False


@check("KC-RET-007", params=Params)
def log_analytics_keeps_audit_tables(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Log Analytics keeps the audit tables queryable for six months

    Each table that kube-audit, kube-audit-admin or guard goes to is judged by its plan and its
    own retention, or the workspace's.
    """
    for found in trails_to_judge(cluster, ("main",)):
        if isinstance(found, Finding):
            yield found
        else:
            yield from _of_trail(found, params)


def _of_trail(trail: Trail, params: Params) -> Iterator[Finding]:
    tables = tuple(hot_tables(trail))
    if not tables:
        yield _no_table(trail)
        return
    there = [table for table in tables if not _not_written_yet(table)]
    for table in there or tables:
        yield _of_table(table, params)
    unknown = group_unknown(trail, "an audit category")
    if unknown is not None:
        yield unknown
    if not trail.settings_whole:
        yield settings_partly(trail, "the tables above are those of the settings that were given")


def _no_table(trail: Trail) -> Finding:
    unknown = group_unknown(trail, "an audit category")
    if unknown is not None:
        return unknown
    if not audit_categories(trail):
        because = "no audit category is shipped, so nothing is kept: see KC-AUD-001"
        if not trail.settings_whole:
            return settings_partly(trail, because)
        return Finding.failed(trail.id, because, of_settings(trail))
    return Finding.manual(
        trail.id,
        "its audit log goes to no workspace of Log Analytics",
        "Where can the audit records of the last six months be searched? Declare that store for "
        "this cluster, or ship kube-audit to a workspace.",
        of_settings(trail),
    )


def _not_written_yet(table: HotTable) -> bool:
    return isinstance(table.state, Absent) and not table.workspace_gone


def _of_table(table: HotTable, params: Params) -> Finding:
    categories = " and ".join(table.categories)
    match table.state:
        case TableState() as state:
            return _judge(table.id, state, params)
        case Absent() if table.workspace_gone:
            because = f"{categories} goes to a workspace that no longer exists"
            return Finding.failed(table.id, because)
        case Absent():
            return Finding.manual(
                table.id,
                f"there is no such table yet: no record of {categories} has arrived",
                "When was the diagnostic setting made? Its first records take up to 90 minutes; "
                "scan again then.",
            )
        case Unreadable() as gap:
            return Finding.error(table.id, gap.reason, permission=gap.permission)
        case Elsewhere(because=because):
            question = f"How long can {categories} be queried there: {because}?"
            return Finding.manual(table.id, because, question)
        case NotAsked():
            return Finding.manual(
                table.id,
                "the workspace or the table is not in what was given",
                "Which plan and retention has it? Add the outputs of `az monitor log-analytics "
                "workspace show` and `… workspace table show` (-o json) to the scan.",
            )


def _judge(id_: str, state: TableState, params: Params) -> Finding:
    wanted = required(params.min_hot_days, strict_months=params.strict_months)
    queryable, total = hot(state.table, state.workspace), in_all(state.table, state.workspace)
    notes = tuple(_notes(state))
    if queryable is None or total is None:
        because = "neither the table nor its workspace tells how long rows are kept"
        return Finding.error(id_, because, state.evidence)
    told = f"rows can be queried for {days_kept(queryable)} ({state.table.plan} plan)"
    asked = f"{days_kept(wanted)} are asked for"
    if at_least(queryable, wanted):
        return Finding.passed(id_, told, state.evidence, notes=notes)
    if params.hot_counts_search_jobs and at_least(total, wanted):
        because = f"{told}, and found by search jobs for {days_kept(total)}"
        notes += ("search jobs count here, by the parameter hot_counts_search_jobs",)
        return Finding.passed(id_, because, state.evidence, notes=notes)
    if total > queryable:
        notes += (f"rows are kept for {days_kept(total)}, but only search jobs find them",)
    return Finding.failed(id_, f"{told}, and {asked}", state.evidence, notes=notes)


def _notes(state: TableState) -> Iterator[str]:
    if state.table.plan == "auxiliary":
        yield "an Auxiliary table can be queried, slowly, and no alert can look at it"
    if state.table.plan == "basic":
        yield "a Basic table can be queried for 30 days, whatever its retention says"
    cap = state.workspace.daily_cap_gb
    if cap is not None:
        yield f"the workspace takes {cap:g} GB a day and drops the rest: see KC-CMP-010"
    if state.table.name == "AzureDiagnostics":
        yield "AzureDiagnostics is shared: its retention is that of every resource's logs"
