"""Searches for how old, how new and how whole the events are that a store holds.

Every search asks for all of it or nothing (`allow_partial_search_results=false`), so that a shard
that is missing is an error and no smaller number. `meta` of an aggregation comes back with it: it
tells which field was asked about.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from kcompliance.collect.search.asking import Asking
from kcompliance.collect.search.trimming import TRIMMED
from kcompliance.errors import SourceError
from kcompliance.model.reading import Capture, Kind
from kcompliance.model.search.fields import COVERED, SOURCE_FIELDS, FieldMap
from kcompliance.model.search.questions import BY_KIND

__all__ = ["DAYS", "WINDOW", "ask_trail"]

DAYS: Final = timedelta(days=1100)
"""How far back days are counted: three years and a little."""
WINDOW: Final = timedelta(days=30)
SAMPLED: Final = 50
SAMPLED_AT_RANDOM: Final = 200
_SEARCHES: Final = (
    Kind.ELASTICSEARCH_TIMES,
    Kind.ELASTICSEARCH_HISTOGRAM,
    Kind.ELASTICSEARCH_SOURCES,
    Kind.ELASTICSEARCH_TERMS,
    Kind.ELASTICSEARCH_SAMPLE,
    Kind.ELASTICSEARCH_RANDOM_SAMPLE,
)
_QUERY: Final = "allow_partial_search_results=false"

Json = dict[str, Any]


def ask_trail(asking: Asking, fields: FieldMap | SourceError, now: datetime) -> Iterator[Capture]:
    """One capture for each search, also where none can be made."""
    wrong = fields if isinstance(fields, SourceError) else _unusable(asking, fields)
    for kind in _SEARCHES:
        question = BY_KIND[kind][0]
        if wrong is not None or isinstance(fields, SourceError):
            yield asking.failed(question, wrong or SourceError("no fields"))
            continue
        body = _body(kind, asking, fields, now)
        path = f"/{','.join(asking.store.patterns)}/_search?{_QUERY}"
        yield asking.ask(question, TRIMMED.get(kind), path=path, body=body)


def _unusable(asking: Asking, fields: FieldMap) -> SourceError | None:
    """Why no search would find what it should."""
    store = asking.store
    for field, value in store.filters:
        why = fields.why_not_exact(field)
        if why is not None:
            return SourceError(f'the filter "{field}={value}" selects nothing for sure: {why}')
    if fields.time_field(store.time_field) is None:
        wanted = store.time_field or "any of the known time fields"
        return SourceError(f"{wanted} is not mapped as a date in every index")
    return None


def _body(kind: Kind, asking: Asking, fields: FieldMap, now: datetime) -> Json:
    time = fields.time_field(asking.store.time_field) or ""
    chosen: list[Json] = [
        {"term": {field: {"value": value}}} for field, value in asking.store.filters
    ]
    match kind:
        case Kind.ELASTICSEARCH_TIMES:
            return _search(chosen, _times(time, fields, now))
        case Kind.ELASTICSEARCH_HISTOGRAM:
            bins = _bins(time, "5m")
            return _search([*chosen, _since(time, now - WINDOW)], {"bins": bins})
        case Kind.ELASTICSEARCH_SOURCES:
            source = fields.first_groupable(SOURCE_FIELDS)
            grouped = {} if source is None else {"sources": _terms(source, 50, time)}
            return _search([*chosen, _since(time, now - WINDOW)], grouped)
        case Kind.ELASTICSEARCH_TERMS:
            return _search([*chosen, _since(time, now - WINDOW)], _counts(fields))
        case Kind.ELASTICSEARCH_RANDOM_SAMPLE:
            return _random_sample([*chosen, _since(time, now - WINDOW)])
        case _:
            order = {time: {"order": "desc", "unmapped_type": "date"}}
            return {**_search(chosen, {}), "size": SAMPLED, "sort": [order]}


def _search(filters: list[Json], aggregations: Json) -> Json:
    return {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": filters}},
        "aggs": aggregations,
    }


def _random_sample(filters: list[Json]) -> Json:
    """Events of the last month, any of which is as likely; their bodies stay on the server."""
    query = {"function_score": {"query": {"bool": {"filter": filters}}, "random_score": {}}}
    without = ["*requestObject", "*requestObject.*", "*responseObject", "*responseObject.*"]
    return {
        "size": SAMPLED_AT_RANDOM,
        "track_total_hits": True,
        "query": query,
        "_source": {"excludes": [*without, "message", "event.original"]},
    }


def _since(field: str, start: datetime) -> Json:
    bounds = {"gte": f"{start:%Y-%m-%dT%H:%M:%SZ}", "format": "strict_date_optional_time"}
    return {"range": {field: bounds}}


def _bins(field: str, interval: str) -> Json:
    bins = {"field": field, "fixed_interval": interval, "min_doc_count": 1}
    return {"date_histogram": bins, "meta": {"field": field}}


def _times(time: str, fields: FieldMap, now: datetime) -> Json:
    least: Json = {"min": {"field": time}, "meta": {"field": time}}
    most: Json = {"max": {"field": time}, "meta": {"field": time}}
    found: Json = {
        "oldest": least,
        "newest": most,
        "by_index": {
            "terms": {"field": "_index", "size": 5000},
            "aggs": {"oldest": least, "newest": most},
        },
        "lately": {"filter": _since(time, now - DAYS), "aggs": {"days": _bins(time, "1d")}},
        "without_time": {"missing": {"field": time}},
    }
    if fields.is_date("event.ingested"):
        found["ingested"] = {"max": {"field": "event.ingested"}}
    return found


def _terms(field: str, size: int, time: str | None = None) -> Json:
    found: Json = {"terms": {"field": field, "size": size}, "meta": {"field": field}}
    if time is not None:
        found["aggs"] = {
            "hours": _bins(time, "1h"),
            "newest": {"max": {"field": time}},
        }
    return found


def _counts(fields: FieldMap) -> Json:
    found: Json = {}
    for name in ("level", "stage", "verb"):
        field = fields.first_groupable((f"kubernetes.audit.{name}", name))
        if field is not None:
            found[name] = _terms(field, 50)
    mapped = [field for field in COVERED if field in fields.types]
    if mapped:
        exists = {field: {"exists": {"field": field}} for field in mapped}
        found["coverage"] = {"filters": {"filters": exists}}
    if fields.groupable("event.kind") == "event.kind":
        found["pipeline_errors"] = {"filter": {"term": {"event.kind": "pipeline_error"}}}
    if fields.groupable("tags") == "tags":
        found["parse_failures"] = {"filter": {"term": {"tags": "_jsonparsefailure"}}}
    return found
