"""What queries of Log Analytics answered about the audit records of a cluster."""

from dataclasses import dataclass

import msgspec

from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.reading import Raw

__all__ = ["VerbCount", "rows_of", "verbs_of"]

Row = dict[str, object]


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
    if any(not isinstance(row, list) or len(row) != len(names) for row in rows):
        raise WrongAnswer("rows of another width than their columns")
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def verbs_of(raw: Raw) -> tuple[VerbCount, ...]:
    """The verbs that were seen. Raises WrongAnswer."""
    return tuple(_verb(row) for row in rows_of(raw))


def _verb(row: Row) -> VerbCount:
    source, verb, records = row.get("Source"), row.get("Verb"), row.get("Records")
    subresource = row.get("Subresource") or ""
    if not (isinstance(source, str) and isinstance(verb, str) and isinstance(subresource, str)):
        raise WrongAnswer("a row without its source and verb")
    if isinstance(records, bool) or not isinstance(records, int):
        raise WrongAnswer("a row without its number of records")
    return VerbCount(source=source, verb=verb, subresource=subresource, records=records)
