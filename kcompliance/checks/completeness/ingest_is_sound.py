"""KC-CMP-013: ingest integrity and ECS mapping in Elasticsearch."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.event_stores import Sampled
from kcompliance.checks.event_stores.of_search import sampled_of
from kcompliance.checks.interface import check
from kcompliance.checks.trail_stores import answered, not_whole, searched, stores_to_judge
from kcompliance.model.apiserver.plain_data import at, sequence, text
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.events import FIELDS_OF, Event, Share
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Seen
from kcompliance.model.search.fields import COVERED, read_fields
from kcompliance.model.search.indices import data_streams
from kcompliance.model.search.ingest import conflicts, failures, pipelines_of, unguarded
from kcompliance.model.search.times import read_times
from kcompliance.model.search.view import Fields, SearchStore

__all__ = ["Params", "ingest_is_sound"]

_WANTED: Final[Mapping[str, str]] = {
    "event.action": "verb",
    "user.name": "user.username",
    "source.ip": "sourceIPs",
    "user_agent.original": "userAgent",
    "event.outcome": "decision",
    "kubernetes.audit.auditID": "auditID",
    "kubernetes.audit.verb": "verb",
    "kubernetes.audit.objectRef.resource": "objectRef.resource",
    "kubernetes.audit.level": "level",
    "kubernetes.audit.stage": "stage",
}
"""What has to be in the events and searchable, and to which field of the audit event it belongs."""
_ROUTING: Final = "logs-aws_logs.generic@custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-013; each of `field_map` is `FIELD=WHERE IT IS KEPT`."""

    fail_permille: int = 1
    coverage_pct: int = 99
    field_map: tuple[str, ...] = ()


@check("KC-CMP-013", params=Params)
def ingest_is_sound(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Ingest integrity and ECS mapping in Elasticsearch

    Judged by what pipelines did and put aside, and by what is in the events and searchable.
    """
    for store in stores_to_judge(cluster, tuple(_PARTS)):
        if isinstance(store, Finding):
            yield store
        else:
            for part in _PARTS.values():
                yield from part(store, params)


# --- it is written to ----------------------------------------------------------------------------


def _written(store: SearchStore, params: Params) -> Iterator[Finding]:
    found = searched(store, Kind.ELASTICSEARCH_TIMES, "written")
    if isinstance(found, Finding):
        yield found
        return
    times = read_times(found.value)
    if isinstance(times, str):
        yield Finding.error(found.raw.origin.resource, times, aspect="written")
        return
    without = at(found.value, "aggregations", "without_time", "doc_count")
    evidence = evidence_of(found.raw, "hits.total", f"{times.docs} events")
    if times.docs == 0:
        because = "no audit event is in it"
        yield Finding.failed(store.name, because, evidence, aspect="written")
    elif isinstance(without, int) and without > 0:
        evidence += evidence_of(found.raw, "aggregations.without_time", str(without))
        because = f"{without} events have no {times.field}: no search by time finds them"
        yield Finding.failed(store.name, because, evidence, aspect="written")
    else:
        streams = ", ".join(stream.name for stream in data_streams(store))
        where = f"the data stream {streams}" if streams else "plain indices"
        because = f"{times.docs:,} events are in {where}"
        yield Finding.passed(store.name, because, evidence, aspect="written")


# --- pipelines -----------------------------------------------------------------------------------


def _pipelines(store: SearchStore, params: Params) -> Iterator[Finding]:
    pipelines = answered(store, Kind.ELASTICSEARCH_PIPELINES, "pipelines")
    stats = answered(store, Kind.ELASTICSEARCH_INGEST_STATS, "pipelines")
    counts = searched(store, Kind.ELASTICSEARCH_TERMS, "pipelines")
    wrong = [found for found in (pipelines, stats, counts) if isinstance(found, Finding)]
    yield from wrong
    if wrong or not isinstance(counts, Seen):
        return
    spoiled = _spoiled(store, counts, params)
    if spoiled is not None:
        yield spoiled
    if not isinstance(pipelines, Seen) or not isinstance(stats, Seen):
        if spoiled is None:
            because = "this server has no ingest pipelines"
            yield Finding.not_applicable(store.name, because, aspect="pipelines")
        return
    names = pipelines_of(store.fields(Kind.ELASTICSEARCH_SETTINGS), pipelines.value)
    loose = _loose(store, pipelines, names)
    yield from loose
    told = failures(stats.value, names)
    if isinstance(told, str):
        yield Finding.error(stats.raw.origin.resource, told, aspect="pipelines")
        return
    failing = [each for each in told if each.above(params.fail_permille / 10)]
    for each in failing:
        because = f"{each.failed} of {each.count} documents failed in the pipeline {each.name}"
        evidence = evidence_of(stats.raw, f"pipelines.{each.name}.failed", str(each.failed))
        yield Finding.failed(store.name, because, evidence, aspect="pipelines")
    if failing or loose or spoiled:
        return
    if not names:
        evidence = evidence_of(pipelines.raw, "whole answer", "none of audit events")
        because = "no ingest pipeline touches audit events"
        yield Finding.not_applicable(store.name, because, evidence, aspect="pipelines")
        return
    done = sum(each.count for each in told)
    evidence = evidence_of(stats.raw, "nodes.*.ingest.pipelines", f"{done} documents")
    evidence += evidence_of(counts.raw, "aggregations", "no event tells of an error")
    notes = () if done else ("since the nodes started no document went through them",)
    because = f"what went through {', '.join(sorted(names))} did not fail"
    yield Finding.passed(store.name, because, evidence, aspect="pipelines", notes=notes)


def _spoiled(store: SearchStore, counts: Seen[Fields], params: Params) -> Finding | None:
    """Events that tell themselves that something failed on their way."""
    total = at(counts.value, "hits", "total", "value") or at(counts.value, "hits", "total")
    spoiled = 0
    for name in ("pipeline_errors", "parse_failures"):
        count = at(counts.value, "aggregations", name, "doc_count")
        spoiled += count if isinstance(count, int) else 0
    if not isinstance(total, int) or spoiled * 1000 <= total * params.fail_permille:
        return None
    because = f"{spoiled} of {total} events of the last month were not taken apart: they carry an "
    because += "error of their pipeline"
    evidence = evidence_of(counts.raw, "aggregations.pipeline_errors", str(spoiled))
    return Finding.failed(store.name, because, evidence, aspect="pipelines")


def _loose(
    store: SearchStore, pipelines: Seen[Fields], names: frozenset[str]
) -> tuple[Finding, ...]:
    """Pipelines that lose a document without a message."""
    found = []
    for name in sorted(names):
        condition = unguarded(pipelines.value.get(name))
        if condition is not None:
            because = f"the pipeline {name} throws away a document that has no message: it asks "
            because += "for one without ?."
            evidence = evidence_of(pipelines.raw, f"{name}.processors[].if", condition)
            found.append(Finding.failed(store.name, because, evidence, aspect="pipelines"))
    return tuple(found)


# --- what did not arrive -------------------------------------------------------------------------


def _unrouted(store: SearchStore, params: Params) -> Iterator[Finding]:
    found = searched(store, Kind.ELASTICSEARCH_UNROUTED, "unrouted")
    pipelines = answered(store, Kind.ELASTICSEARCH_PIPELINES, "unrouted")
    wrong = [each for each in (found, pipelines) if isinstance(each, Finding)]
    yield from wrong
    if wrong or not isinstance(found, Seen):
        return
    count, shards = at(found.value, "count"), at(found.value, "_shards", "total")
    evidence = evidence_of(found.raw, "count", str(count))
    if not isinstance(count, int):
        because = "it does not tell how many there are"
        yield Finding.error(found.raw.origin.resource, because, aspect="unrouted")
    elif count:
        because = f"{count} audit events stayed in logs-aws_logs.generic-*, where nobody looks"
        yield Finding.failed(store.name, because, evidence, aspect="unrouted")
    elif shards:
        because = "no audit event stayed in logs-aws_logs.generic-*"
        yield Finding.passed(store.name, because, evidence, aspect="unrouted")
    elif isinstance(pipelines, Seen) and _ROUTING in pipelines.value:
        evidence += evidence_of(pipelines.raw, _ROUTING, "is there")
        yield Finding.manual(
            store.name,
            "events are routed out of logs-aws_logs.generic-*, which this scan does not see",
            "How many documents does GET logs-aws_logs.generic-*/_count?q=message:*audit.k8s.io* "
            "count? Give the scan the privilege read on that data stream.",
            evidence,
            aspect="unrouted",
        )
    else:
        because = "there is no data stream of all logs of AWS out of which events are routed"
        yield Finding.not_applicable(store.name, because, evidence, aspect="unrouted")


def _failure_store(store: SearchStore, params: Params) -> Iterator[Finding]:
    aspect = "failure-store"
    streams = answered(store, Kind.ELASTICSEARCH_DATA_STREAMS, aspect)
    found = (
        streams
        if store.is_opensearch
        else answered(store, Kind.ELASTICSEARCH_FAILURE_STORE, aspect)
    )
    wrong = [each for each in (found, streams) if isinstance(each, Finding)]
    yield from wrong
    if wrong:
        return
    none = "it has no failure store: the sender is told of what cannot be indexed"
    if store.is_opensearch or isinstance(found, Absent) or not isinstance(found, Seen):
        yield Finding.not_applicable(store.name, none, aspect=aspect)
        return
    why = not_whole(found.value)
    count, shards = at(found.value, "count"), at(found.value, "_shards", "total")
    evidence = evidence_of(found.raw, "count", str(count))
    kept = _failure_indices(streams)
    if why or not isinstance(count, int):
        because = why or "it does not tell how many there are"
        yield Finding.error(found.raw.origin.resource, because, aspect=aspect)
    elif count:
        because = f"{count} events could not be indexed and lie in the failure store"
        yield Finding.failed(store.name, because, evidence, aspect=aspect)
    elif not shards and kept:
        because = f"its failure store has indices ({', '.join(kept)}) that this scan does not see"
        yield Finding.error(
            store.name, because, evidence, aspect=aspect, permission="read_failure_store"
        )
    elif shards or _failure_store_is_on(streams):
        because = "nothing is in its failure store"
        yield Finding.passed(store.name, because, evidence, aspect=aspect)
    else:
        yield Finding.not_applicable(store.name, none, evidence, aspect=aspect)


def _stores_of_failures(streams: object) -> Iterator[object]:
    if isinstance(streams, Seen):
        for stream in sequence(streams.value.get("data_streams")):
            yield at(stream, "failure_store")


def _failure_indices(streams: object) -> list[str]:
    return [
        name
        for store in _stores_of_failures(streams)
        for index in sequence(at(store, "indices"))
        if (name := text(at(index, "index_name")))
    ]


def _failure_store_is_on(streams: object) -> bool:
    return any(at(store, "enabled") is True for store in _stores_of_failures(streams))


# --- fields --------------------------------------------------------------------------------------


def _coverage(store: SearchStore, params: Params) -> Iterator[Finding]:
    found = sampled_of(store, "coverage")
    counts = searched(store, Kind.ELASTICSEARCH_TERMS, "coverage")
    for each in (found, counts):
        if isinstance(each, Finding):
            yield each
    if isinstance(found, Finding) or isinstance(counts, Finding):
        return
    kept = _places(found, params.field_map)
    problems = []
    for wanted, meaning in _WANTED.items():
        where = kept[wanted]
        share = _share(found, wanted, where, meaning)
        # A client need not name its agent; that no event has one is the pipeline's fault.
        enough = share.there > 0 if meaning == "userAgent" else share.at_least(params.coverage_pct)
        if not enough:
            problems.append(str(share))
        elif not any(_searchable(counts.value, name) for name in where):
            problems.append(f"{where[0]} is in the events but not searchable")
    evidence = found.evidence
    evidence += evidence_of(counts.raw, "aggregations.coverage", "how many events have which field")
    if problems:
        because = f"fields are missing: {'; '.join(dict.fromkeys(problems))}"
        yield Finding.failed(store.name, because, evidence, aspect="coverage")
    else:
        because = f"{len(found.events)} sampled events have all fields that searches need"
        yield Finding.passed(store.name, because, evidence, aspect="coverage")


def _places(found: Sampled, field_map: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Where each wanted field is kept: as told, or where such a layout has it."""
    told = dict(each.split("=", 1) for each in field_map if "=" in each)
    plain = not any(event.has("kubernetes.audit.auditID") for event in found.events) and any(
        event.has("auditID") for event in found.events
    )
    places: dict[str, tuple[str, ...]] = {}
    for wanted, meaning in _WANTED.items():
        name: tuple[str, ...] = (wanted,)
        if plain:
            name = tuple(n for n in FIELDS_OF[meaning] if not n.startswith("kubernetes."))
        places[wanted] = (told[wanted],) if wanted in told else name
    return places


def _share(found: Sampled, wanted: str, where: tuple[str, ...], meaning: str) -> Share:
    events: list[Event] = [event for event in found.events if event.applies(meaning)]
    there = sum(any(event.has(name) for name in where) for event in events)
    return Share(field=where[0] if where else wanted, there=there, of=len(events))


def _searchable(counts: Fields, name: str) -> bool:
    """Whether a search by it finds something, as far as that was asked."""
    if name not in COVERED:
        return True
    count = at(counts, "aggregations", "coverage", "buckets")
    told = count.get(name) if isinstance(count, Mapping) else None
    return at(told, "doc_count") not in (0, None)


def _mapping(store: SearchStore, params: Params) -> Iterator[Finding]:
    found = answered(store, Kind.ELASTICSEARCH_FIELDS, "mapping")
    if isinstance(found, Finding):
        yield found
        return
    if isinstance(found, Absent):
        yield Finding.error(store.name, found.reason, aspect="mapping")
        return
    fields = read_fields(found.value)
    if fields is None:
        because = "no fields in it"
        yield Finding.error(found.raw.origin.resource, because, aspect="mapping")
        return
    wrong = conflicts(fields.types)
    evidence = evidence_of(found.raw, "fields", "; ".join(wrong) or "no conflict")
    if wrong:
        because = f"fields are of different types in different indices: {'; '.join(wrong)}"
        yield Finding.failed(store.name, because, evidence, aspect="mapping")
    elif not fields.types:
        because = "none of the fields of audit events is mapped: no search finds them"
        yield Finding.failed(store.name, because, evidence, aspect="mapping")
    else:
        because = f"each of {len(fields.types)} fields is of one type in all indices"
        yield Finding.passed(store.name, because, evidence, aspect="mapping")


_PARTS: Final[Mapping[str, Callable[[SearchStore, Params], Iterator[Finding]]]] = {
    "written": _written,
    "pipelines": _pipelines,
    "unrouted": _unrouted,
    "failure-store": _failure_store,
    "coverage": _coverage,
    "mapping": _mapping,
}
"""By aspect."""
