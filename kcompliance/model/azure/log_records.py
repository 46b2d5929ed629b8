"""What queries of Log Analytics answered about the audit records of a cluster."""

from dataclasses import dataclass
from typing import Final

import msgspec

from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.reading import Raw

__all__ = ["Row", "VerbCount", "count_of", "rows_of", "source_of", "verbs_of"]

Row = dict[str, object]

MOST_ROWS: Final = 60_000
"""Four sources in each five minutes of a month are 36,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbCount:
    """How often a verb was seen in a source, such as `AKSAuditAdmin`."""

    source: str
    verb: str
    subresource: str
    records: int


def rows_of(raw: Raw) -> tuple[Row, ...]:
    """The rows of the first table of an answer, by column. Raises WrongAnswer."""
    try:
        answer = msgspec.json.decode(raw.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WrongAnswer(f"no JSON, or half of one: {error}") from None
    tables = answer.get("tables") if isinstance(answer, dict) else None
    if not isinstance(tables, list) or not tables or not isinstance(tables[0], dict):
        raise WrongAnswer("no answer of a query")
    if answer.get("error"):
        raise WrongAnswer("a part of the answer only")
    columns, rows = tables[0].get("columns"), tables[0].get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise WrongAnswer("an answer without columns and rows")
    names = [str(each.get("name")) for each in columns if isinstance(each, dict)]
    if len(set(names)) != len(columns):
        raise WrongAnswer("columns without a name of their own")
    if len(rows) > MOST_ROWS:
        raise WrongAnswer(f"more than {MOST_ROWS:,} rows")
    if any(not isinstance(row, list) or len(row) != len(names) for row in rows):
        raise WrongAnswer("rows of another width than their columns")
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def verbs_of(raw: Raw) -> tuple[VerbCount, ...]:
    """The verbs that were seen. Raises WrongAnswer."""
    return tuple(_verb(row) for row in rows_of(raw))


def _verb(row: Row) -> VerbCount:
    verb, subresource = row.get("Verb"), row.get("Subresource") or ""
    if not (isinstance(verb, str) and isinstance(subresource, str)):
        raise WrongAnswer("a row without its verb")
    return VerbCount(
        source=source_of(row), verb=verb, subresource=subresource, records=count_of(row)
    )


def source_of(row: Row) -> str:
    """From where a row is: `AKSAudit`, `AzureDiagnostics/kube-audit`. Raises WrongAnswer."""
    source = row.get("Source")
    if not isinstance(source, str) or not source:
        raise WrongAnswer("a row without its source")
    return source


def count_of(row: Row) -> int:
    """How many records a row stands for. Raises WrongAnswer."""
    records = row.get("Records")
    if isinstance(records, bool) or not isinstance(records, int) or records < 0:
        raise WrongAnswer("a row without its number of records")
    return records
