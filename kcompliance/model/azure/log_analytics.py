"""Workspaces of Log Analytics and their tables: how long rows can be queried, and kept."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kcompliance.model.azure.answer import Resource, WrongAnswer, number, part, text
from kcompliance.model.azure.diagnostics import (
    KUBE_AUDIT,
    KUBE_AUDIT_ADMIN,
    Destination,
    DestinationKind,
    DiagnosticSetting,
    Shipped,
)
from kcompliance.model.azure.resource_id import same

__all__ = [
    "ANALYTICS",
    "DEDICATED_TABLES",
    "LEGACY_TABLE",
    "TABLES",
    "AuditTables",
    "Table",
    "Workspace",
    "audit_tables",
    "hot",
    "in_all",
    "table_of",
    "table_of_category",
    "workspace_of",
]

LEGACY_TABLE: Final = "AzureDiagnostics"
DEDICATED_TABLES: Final = {KUBE_AUDIT: "AKSAudit", KUBE_AUDIT_ADMIN: "AKSAuditAdmin"}
"""By category: where the audit records are if they have tables of their own."""
TABLES: Final = ("AKSAudit", "AKSAuditAdmin", "AKSControlPlane", LEGACY_TABLE)
"""The tables in which the audit data of AKS can be."""

ANALYTICS: Final = "analytics"
"""The plan whose tables answer any query."""

_BASIC_HOT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One workspace."""

    id: str
    name: str
    retention: timedelta | None
    daily_cap_gb: float | None
    """From here on the day's rows are dropped; None: no cap."""
    ingestion: str | None
    """Whether it takes rows now: RespectQuota, ApproachingQuota, OverQuota, ForceOff and more."""
    customer_id: str | None
    """What its query API calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; None: it takes the workspace's value."""

    id: str
    name: str
    plan: str
    """analytics, basic or auxiliary."""
    retention: timedelta | None
    total: timedelta | None


def workspace_of(resource: Resource) -> Workspace:
    """Read one workspace. Raises WrongAnswer."""
    capping = part(resource.fields, "workspaceCapping") or {}
    cap = number(capping, "dailyQuotaGb")
    return Workspace(
        id=resource.id,
        name=resource.name,
        retention=_days(resource, "retentionInDays"),
        daily_cap_gb=cap if cap is not None and cap >= 0 else None,
        ingestion=text(capping, "dataIngestionStatus"),
        customer_id=text(resource.fields, "customerId"),
    )


def table_of(resource: Resource) -> Table:
    """Read one table. Raises WrongAnswer."""
    plan = (text(resource.fields, "plan") or "").lower()
    if plan not in (ANALYTICS, "basic", "auxiliary"):
        raise WrongAnswer(f"a table of the unknown plan {plan or 'of no name'}")
    return Table(
        id=resource.id,
        name=resource.name,
        plan=plan,
        retention=_days(resource, "retentionInDays"),
        total=_days(resource, "totalRetentionInDays"),
    )


def _days(resource: Resource, name: str) -> timedelta | None:
    """None for -1 and for nothing, which both mean: as the workspace."""
    days = number(resource.fields, name)
    if days is None or days == -1:
        return None
    if not 0 <= days <= 100_000:
        raise WrongAnswer(f"{name} is {days:g}")
    return timedelta(days=int(days))


def hot(table: Table, workspace: Workspace) -> timedelta | None:
    """How long rows can be queried; None where neither says it."""
    if table.plan == "basic":
        return _BASIC_HOT
    if table.plan == "auxiliary":
        return in_all(table, workspace)
    return table.retention if table.retention is not None else workspace.retention


def in_all(table: Table, workspace: Workspace) -> timedelta | None:
    """How long rows are kept, those that only a search job finds too."""
    if table.total is not None:
        return table.total
    if table.plan == "basic":
        return _BASIC_HOT
    return table.retention if table.retention is not None else workspace.retention


def table_of_category(category: str, setting: DiagnosticSetting) -> str:
    """In which table the rows of a category land."""
    if not setting.dedicated:
        return LEGACY_TABLE
    return DEDICATED_TABLES.get(category, "AKSControlPlane")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTables:
    """Where the audit records of a cluster are in a workspace."""

    category: str
    """The one that holds most: kube-audit, or kube-audit-admin where it is shipped alone."""
    tables: tuple[str, ...]
    """In which they land now."""

    @property
    def sources(self) -> frozenset[str]:
        """What queries call the rows that count, those of a former setting too.

        The other category's are no part of it: its rows would hide that these do not come.
        """
        whole = (KUBE_AUDIT,) if self.category == KUBE_AUDIT else (KUBE_AUDIT, KUBE_AUDIT_ADMIN)
        return frozenset(
            name
            for category in whole
            for name in (DEDICATED_TABLES[category], f"{LEGACY_TABLE}/{category}")
        )


def audit_tables(shipped: Shipped, workspace: str) -> AuditTables | None:
    """Where a workspace keeps the audit records; None where none are sent to it."""
    for category in (KUBE_AUDIT, KUBE_AUDIT_ADMIN):
        tables = {
            table_of_category(category, setting)
            for setting in shipped.settings_of(category)
            if any(_is_at(destination, workspace) for destination in setting.destinations)
        }
        if tables:
            return AuditTables(category=category, tables=tuple(sorted(tables)))
    return None


def _is_at(destination: Destination, workspace: str) -> bool:
    return destination.kind is DestinationKind.WORKSPACE and same(destination.id, workspace)
