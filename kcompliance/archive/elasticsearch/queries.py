"""The queries, as the server gets them and as the records name them. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import rfc8785

from kcompliance.archive.interface import Window
from kcompliance.ledger import format_time
from kcompliance.model.digest import Sha256, sha256

__all__ = [
    "JsonObject",
    "canonical_sha256",
    "filters_of",
    "newer_than",
    "of_any",
    "of_span",
    "of_user",
    "of_window",
]

JsonObject = dict[str, Any]

_FORMAT: Final = "strict_date_optional_time"
"""Said with each range: what a date's mapping reads by itself may be milliseconds alone."""


def of_user(filters: Sequence[tuple[str, str]]) -> JsonObject | None:
    """What the user's filters select: all of them hold; None for everything."""
    if not filters:
        return None
    return {"bool": {"filter": [{"term": {name: {"value": value}}} for name, value in filters]}}


def filters_of(query: JsonObject | None) -> tuple[tuple[str, str], ...]:
    """The filters that `of_user` made this of; ValueError for another query."""
    if query is None:
        return ()
    try:
        terms = [term["term"].items() for term in query["bool"]["filter"]]
        filters = tuple((name, value["value"]) for ((name, value),) in terms)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a filter of ours: {query}") from error
    if of_user(filters) != query:
        raise ValueError(f"not a filter of ours: {query}")
    return filters


def of_window(
    window: Window, time_field: str, filters: Sequence[tuple[str, str]], *, after: int = -1
) -> JsonObject:
    """The events of a window, or those without a time; only those above a `_seq_no`."""
    chosen = _terms(filters)
    if window.start is None or window.end is None:
        without: JsonObject = {"exists": {"field": time_field}}
        return {"bool": {"filter": chosen + newer_than(after), "must_not": [without]}}
    return {"bool": {"filter": [_time(time_field, window), *chosen, *newer_than(after)]}}


def of_span(
    windows: Sequence[Window], time_field: str, filters: Sequence[tuple[str, str]]
) -> JsonObject:
    """The events of windows that follow each other without a hole."""
    span = Window(start=windows[0].start, end=windows[-1].end)
    return of_window(span, time_field, filters)


def of_any(queries: Sequence[JsonObject]) -> JsonObject:
    """What any of these selects."""
    return {"bool": {"filter": [{"bool": {"should": list(queries), "minimum_should_match": 1}}]}}


def newer_than(seq_no: int) -> list[JsonObject]:
    """A filter of what was indexed after this, which may be none at all."""
    return [] if seq_no < 0 else [{"range": {"_seq_no": {"gt": seq_no}}}]


def canonical_sha256(query: JsonObject) -> Sha256:
    """Of the canonical JSON (RFC 8785) of a query."""
    return sha256(rfc8785.dumps(query))


def _terms(filters: Sequence[tuple[str, str]]) -> list[JsonObject]:
    return [{"term": {name: {"value": value}}} for name, value in filters]


def _time(time_field: str, window: Window) -> JsonObject:
    assert window.start is not None  # noqa: S101 - of_window has looked
    assert window.end is not None  # noqa: S101
    bounds = {"gte": format_time(window.start), "lt": format_time(window.end), "format": _FORMAT}
    return {"range": {time_field: bounds}}
