"""Workspaces of Log Analytics and their tables: how long rows can be queried, and kept."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kcompliance.model.azure.answer import Resource, WrongAnswer, number, part, text
from kcompliance.model.azure.diagnostics import KUBE_AUDIT, KUBE_AUDIT_ADMIN, DiagnosticSetting

__all__ = [
    "TABLES",
    "Table",
    "Workspace",
    "hot",
    "in_all",
    "table_of",
    "table_of_category",
    "workspace_of",
]

LEGACY_TABLE: Final = "AzureDiagnostics"
_DEDICATED: Final = {KUBE_AUDIT: "AKSAudit", KUBE_AUDIT_ADMIN: "AKSAuditAdmin"}
TABLES: Final = ("AKSAudit", "AKSAuditAdmin", "AKSControlPlane", LEGACY_TABLE)
"""The tables in which the audit data of AKS can be."""

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
    if plan not in ("analytics", "basic", "auxiliary"):
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
    return _DEDICATED.get(category, "AKSControlPlane")
