"""How the fields are mapped that windows and filters go by.

A field that is mapped in another way than is thought makes a query find nothing, and nothing is
what an empty window holds. So it is looked at in every index, before anything is counted.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from kcompliance.archive.elasticsearch.indices import METADATA, Index, chunks, path_of
from kcompliance.archive.elasticsearch.options import TIME_FIELDS
from kcompliance.archive.interface import SourceError
from kcompliance.errors import UsageError
from kcompliance.search.connection import Connection

__all__ = ["FieldType", "check_filters", "choose_time_field", "field_types"]

_DATES = {"date", "date_nanos"}
_NOT_EXACT = {"text", "match_only_text", "annotated_text", "search_as_you_type"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """How one index maps a field."""

    type: str
    searchable: bool


class _Capability(msgspec.Struct):
    type: str
    searchable: bool
    indices: list[str] | str | None = None


class _Capabilities(msgspec.Struct):
    indices: list[str] | str
    fields: dict[str, dict[str, _Capability]]


Types = Mapping[str, Mapping[str, FieldType]]
"""By field and index; an index that does not map a field is left out."""


def field_types(
    connection: Connection, indices: Sequence[Index], fields: Sequence[str]
) -> dict[str, dict[str, FieldType]]:
    """How these indices map these fields."""
    types: defaultdict[str, dict[str, FieldType]] = defaultdict(dict)
    asked = ",".join(quote(field, safe="@") for field in fields)
    for group in chunks(indices):
        names = [index.name for index in group]
        found = connection.json(
            _Capabilities,
            "GET",
            f"/{path_of(names)}/_field_caps?include_unmapped=true&fields={asked}",
            about="how the fields are mapped",
            permission=METADATA,
        )
        unseen = set(names) - set(_listed(found.indices))
        if unseen:
            raise SourceError(
                f'how the index "{min(unseen)}" maps its fields is not to be learnt',
                "see whether its shards are there: GET /_cat/shards",
            )
        for field, capabilities in found.fields.items():
            for each in capabilities.values():
                if each.type != "unmapped":
                    kind = FieldType(type=each.type, searchable=each.searchable)
                    where = names if each.indices is None else _listed(each.indices)
                    types[field].update(dict.fromkeys(where, kind))
    return types


def choose_time_field(types: Types, wanted: str | None) -> str:
    """The field that places events in windows; UsageError where there is none.

    An index that does not map it holds only events without a time. One that maps it as something
    else would hide its events: SourceError.
    """
    chosen = next((name for name in _candidates(wanted) if _is_date(types.get(name, {}))), None)
    if chosen is None and wanted is not None:
        kinds = {kind.type for kind in types.get(wanted, {}).values()}
        raise UsageError(
            f'the time field "{wanted}" is not mapped as a date'
            + (f' but as "{min(kinds)}"' if kinds else " in any index"),
            "give another one with --time-field",
        )
    if chosen is None:
        raise UsageError(
            f"no time field: none of {', '.join(TIME_FIELDS)} is mapped as a date",
            "give the field that says when an event happened with --time-field",
        )
    for name, kind in sorted(types[chosen].items()):
        if kind.type not in _DATES or not kind.searchable:
            told = kind.type if kind.searchable else f"{kind.type}, not searchable"
            raise SourceError(
                f'the index "{name}" maps the time field "{chosen}" as {told}: '
                "its events would not be found",
                f'reindex it, or leave it out of the pattern with "-{name}"',
            )
    return chosen


def check_filters(types: Types, filters: Sequence[tuple[str, str]]) -> None:
    """UsageError for a filter that can match nothing, or not exactly what it says."""
    for field, value in filters:
        kinds = types.get(field, {})
        if not kinds:
            raise UsageError(
                f'the filter "{field}={value}" is on a field that no index maps',
                "look at the name of the field",
            )
        for name, kind in sorted(kinds.items()):
            if kind.type in _NOT_EXACT or not kind.searchable:
                raise UsageError(
                    f'the filter "{field}={value}" is on a field that the index "{name}" maps as '
                    f"{kind.type}: it would not select exactly this value",
                    f"use a keyword field, often {field}.keyword",
                )


def _candidates(wanted: str | None) -> Sequence[str]:
    return TIME_FIELDS if wanted is None else (wanted,)


def _is_date(kinds: Mapping[str, FieldType]) -> bool:
    return any(kind.type in _DATES for kind in kinds.values())


def _listed(names: list[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else names
