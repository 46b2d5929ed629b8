"""What is kept of sampled audit events: the fields that were asked for, as far as harmless."""

from typing import Any, Final

from kcompliance.model.azure.log_events import EVENT_FIELDS
from kcompliance.model.reading import REDACTED

__all__ = ["trim_sample"]

_LONGEST: Final = 2_000
_KEPT: Final = frozenset({"Source", *EVENT_FIELDS})


def trim_sample(document: dict[str, Any]) -> list[str]:
    """Overwrite all else in place; the JSON pointers of what was overwritten.

    The query asks for no more. A server that answers more anyway gets none of it kept.
    """
    done: list[str] = []
    for number, table in enumerate(_list(document.get("tables"))):
        columns = _list(table.get("columns")) if isinstance(table, dict) else []
        names = [each.get("name") if isinstance(each, dict) else None for each in columns]
        for index, row in enumerate(_list(table.get("rows")) if isinstance(table, dict) else []):
            for at, value in enumerate(_list(row)):
                kept = _kept(names[at] if at < len(names) else None, value)
                if kept != value:
                    row[at] = kept
                    done.append(f"/tables/{number}/rows/{index}/{at}")
    return done


def _kept(name: object, value: Any) -> Any:
    if value is None or value == "":
        return value
    if name not in _KEPT:
        return REDACTED
    if name == "requestURI" and isinstance(value, str) and "?" in value:
        value = f"{value.partition('?')[0]}?{REDACTED}"
    return value[:_LONGEST] if isinstance(value, str) else value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
