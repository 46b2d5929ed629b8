"""What is asked of a workspace of Log Analytics about the audit records of one cluster, in KQL.

Columns are those of Microsoft's reference of the tables AKSAudit, AKSAuditAdmin and
AzureDiagnostics; of the last one the audit event is the text `log_s`. Bodies are never asked for.
Retention goes by TimeGenerated; when something happened, the event itself tells.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.model.azure.diagnostics import KUBE_AUDIT, KUBE_AUDIT_ADMIN
from kcompliance.model.azure.log_analytics import DEDICATED_TABLES, LEGACY_TABLE
from kcompliance.model.azure.log_events import EVENT_FIELDS
from kcompliance.model.azure.resource_id import key
from kcompliance.model.reading import Kind

__all__ = ["AUDIT_TABLES", "Tables", "log_queries"]

AUDIT_TABLES: Final = (*DEDICATED_TABLES.values(), LEGACY_TABLE)
SAMPLED: Final = 250
"""Newest events of each table, and as many by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where records are looked for."""

    needed: tuple[str, ...] = ()
    """Without these there is no answer: a table that may not be seen looks as if it were none."""
    others: tuple[str, ...] = AUDIT_TABLES
    """Where there may be older ones; left out where there is no such table."""


def log_queries(cluster_id: str, tables: Tables) -> tuple[tuple[Kind, str], ...]:
    """All queries about a cluster, the quick ones first; the id was seen to be one."""
    return tuple(
        (kind, f"// kcompliance {kind.value}\nlet cluster = '{key(cluster_id)}';\n{kql}\n")
        for kind, kql in (
            (Kind.AZURE_LOG_VERBS, _verbs(tables)),
            (Kind.AZURE_LOG_NEWEST, _newest(tables)),
            (Kind.AZURE_LOG_SAMPLE, _sample(tables)),
            (Kind.AZURE_LOG_RECORDS, _days(tables)),
            (Kind.AZURE_LOG_TIMELINE, _timeline(tables)),
        )
    )


def _verbs(tables: Tables) -> str:
    columns = {name: _EVENT[name] for name in ("Verb", "Subresource")}
    return _rows(tables, columns, days=7) + (
        "\n| summarize Records = count() by Source, Verb, Subresource\n| top 1000 by Records"
    )


def _newest(tables: Tables) -> str:
    columns = {name: _EVENT[name] for name in ("StageTime", "Ingested")}
    return _rows(tables, columns, days=1) + (
        "\n| summarize Records = count(), Newest = max(StageTime), Ingested = max(Ingested)"
        " by Source"
    )


def _sample(tables: Tables) -> str:
    chosen = (f"top {SAMPLED} by TimeGenerated desc", f"sample {SAMPLED}")
    names = ", ".join(f"['{name}'] = {column}" for name, column in EVENT_FIELDS.items())
    return f"{_rows(tables, _EVENT, days=1, chosen=chosen)}\n| project Source, {names}"


def _days(tables: Tables) -> str:
    return _rows(tables, {"TimeGenerated": _TIME}) + (
        "\n| summarize Records = count(), Oldest = min(TimeGenerated),"
        " Newest = max(TimeGenerated) by Source, Day = bin(TimeGenerated, 1d)"
    )


def _timeline(tables: Tables) -> str:
    columns = {"StageTime": _EVENT["StageTime"]}
    return _rows(tables, columns, days=31) + (
        "\n| where StageTime > ago(31d)"
        "\n| summarize Records = count() by Source, Start = bin(StageTime, 5m)"
    )


# --- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the rows: its type, and what it is made of in either sort of table."""

    type: str
    dedicated: str
    legacy: str


def _both(type_: str, expression: str) -> _Column:
    return _Column(type_, expression, expression)


def _path(type_: str, convert: str, column: str, path: str) -> _Column:
    """A value within one of the audit event's parts."""
    return _Column(type_, f"{convert}({column}{path})", f"{convert}(Event{_LEGACY[column]}{path})")


def _whole(type_: str, convert: str, column: str) -> _Column:
    return _Column(type_, column, f"{convert}(Event{_LEGACY[column]})")


_LEGACY: Final = {
    "AuditId": ".auditID",
    "Level": ".level",
    "Stage": ".stage",
    "Verb": ".verb",
    "RequestUri": ".requestURI",
    "User": ".user",
    "SourceIps": ".sourceIPs",
    "UserAgent": ".userAgent",
    "ObjectRef": ".objectRef",
    "ResponseStatus": ".responseStatus",
    "Annotations": ".annotations",
    "RequestReceivedTime": ".requestReceivedTimestamp",
    "StageReceivedTime": ".stageTimestamp",
}
"""Columns of the dedicated tables, and what the event itself calls them."""

_TIME: Final = _both("datetime", "TimeGenerated")
_EVENT: Final[Mapping[str, _Column]] = {
    "AuditId": _whole("string", "tostring", "AuditId"),
    "Level": _whole("string", "tostring", "Level"),
    "Stage": _whole("string", "tostring", "Stage"),
    "Verb": _whole("string", "tostring", "Verb"),
    # What stands behind the question mark may hold anything, and stays where it is.
    "Uri": _Column(
        "string",
        "tostring(split(RequestUri, '?')[0])",
        "tostring(split(tostring(Event.requestURI), '?')[0])",
    ),
    "UserName": _path("string", "tostring", "User", ".username"),
    "Groups": _path("dynamic", "todynamic", "User", ".groups"),
    "Ips": _whole("dynamic", "todynamic", "SourceIps"),
    "Agent": _whole("string", "tostring", "UserAgent"),
    "Resource": _path("string", "tostring", "ObjectRef", ".resource"),
    "Subresource": _path("string", "tostring", "ObjectRef", ".subresource"),
    "Namespace": _path("string", "tostring", "ObjectRef", ".namespace"),
    "Code": _path("int", "toint", "ResponseStatus", ".code"),
    "Decision": _path("string", "tostring", "Annotations", "['authorization.k8s.io/decision']"),
    "ReceivedTime": _whole("datetime", "todatetime", "RequestReceivedTime"),
    "StageTime": _whole("datetime", "todatetime", "StageReceivedTime"),
    "Ingested": _both("datetime", "Ingested"),
    "Host": _Column("string", "PodName", "tostring(column_ifexists('pod_s', ''))"),
}


def _rows(
    tables: Tables,
    columns: Mapping[str, _Column],
    days: int | None = None,
    chosen: Iterable[str] = ("",),
) -> str:
    """The cluster's rows of all tables, with the column Source; `chosen`: which of a table."""
    schema = ", ".join(f"{name}: {column.type}" for name, column in columns.items())
    nothing = f"(datatable(Source: string, {schema}) [])"
    chosen = tuple(chosen)
    others = [leg for name in tables.others for leg in _legs(name, columns, days, chosen)]
    needed = [leg for name in tables.needed for leg in _legs(name, columns, days, chosen)]
    rows = "union isfuzzy=true\n  " + ",\n  ".join([nothing, *others])
    return f"union\n({rows}),\n  " + ",\n  ".join(needed) if needed else rows


def _legs(
    table: str, columns: Mapping[str, _Column], days: int | None, chosen: Iterable[str]
) -> Iterator[str]:
    legacy = table == LEGACY_TABLE
    where = "_ResourceId =~ cluster"
    where += f" and TimeGenerated > ago({days}d)" if days else ""
    where += f" and Category in ('{KUBE_AUDIT}', '{KUBE_AUDIT_ADMIN}')" if legacy else ""
    source = f"strcat('{LEGACY_TABLE}/', Category)" if legacy else f"'{table}'"
    told = [f"{name} = {_told(column, legacy=legacy)}" for name, column in columns.items()]
    for choice in chosen:
        steps = [f"{table} | where {where}"]
        if "Ingested" in columns:
            steps.append("extend Ingested = ingestion_time()")
        steps += [choice] if choice else []
        if legacy and any("Event" in column.legacy for column in columns.values()):
            steps.append("extend Event = parse_json(tostring(column_ifexists('log_s', '')))")
        steps.append(f"project Source = {source}, {', '.join(told)}")
        yield f"({' | '.join(steps)})"


def _told(column: _Column, *, legacy: bool) -> str:
    return column.legacy if legacy else column.dedicated
