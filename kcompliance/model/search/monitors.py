"""Whether monitors of OpenSearch's alerting raise an alarm on what its access audit records.

Understood are monitors of queries, and of documents where their queries are plain. Monitors of
buckets and of whatever sort is not known here are unknown, never a match; those of cluster metrics
see no records at all.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.search.event_query import Event, all_of, any_of, finds, query_of_string
from kcompliance.model.search.recorded_calls import RecordedCalls
from kcompliance.model.search.view import Fields
from kcompliance.model.search.watches import Watched, by_action

__all__ = ["MONITORED_ACTIONS", "monitored"]

MONITORED_ACTIONS: Final = (
    "indices:admin/delete",
    "cluster:admin/opendistro/ism/policy/write",
    "cluster:admin/opendistro/ism/policy/delete",
    "cluster:admin/opensearch/snapshot_management/policy/delete",
    "cluster:admin/ingest/pipeline/put",
)
"""What turns the store's memory off, shortens or deletes it."""

_HITS: Final = r"ctx\.results\[0\]\.hits\.total(?:\.value)?"
_ONE_HIT: Final = re.compile(rf"(?:return\s+)?(?:true|{_HITS}\s*(>|>=|!=)\s*(\d{{1,9}}))\s*;?")
_CHOSEN: Final = re.compile(r"query\[(name|id|tag)=([^\]\[]+)\]")


def monitored(answer: Fields, index: str, calls: RecordedCalls | None) -> Watched | str:
    """What the monitors do when somebody acts on this index; or why the answer is none.

    `calls`: what is recorded; None: as if everything were.
    """
    hits = at(answer, "hits", "hits")
    total = at(answer, "hits", "total")
    count = total if isinstance(total, int) else at(total, "value")
    if not isinstance(hits, list) or not isinstance(count, int):
        return "no monitors in it"
    if count > len(hits) or at(total, "relation") == "gte":
        return f"only {len(hits)} of {count} monitors are in it"
    found = [at(each, "_source", "monitor") or at(each, "_source") for each in hits]
    watching = [
        (text(at(each, "name")) or "without a name", each)
        for each in found
        if at(each, "enabled") is True and isinstance(at(each, "schedule"), Mapping)
    ]

    def answers(monitor: object, action: str) -> Iterator[bool | None]:
        for event in _made(action, index, calls):
            yield any_of([_raises(monitor, trigger, event) for trigger in _that_tell(monitor)])

    return by_action(MONITORED_ACTIONS, watching, answers)


def _made(action: str, index: str, calls: RecordedCalls | None) -> Iterator[Event]:
    """The records of one request, as the security plugin writes them to an index of its own.

    All of their fields are indexed as words, with a twin that holds the whole.
    """
    indices = (index,) if action.startswith("indices:") else ()
    every = ("GRANTED_PRIVILEGES", "INDEX_EVENT")
    for category in every if calls is None else calls.categories(action):
        event = {
            "audit_category": (category,),
            "audit_request_layer": ("TRANSPORT",),
            "audit_request_privilege": (action,),
            "audit_trace_resolved_indices": indices,
            "audit_request_effective_user": ("somebody",),
        }
        yield event | {f"{field}.keyword": values for field, values in event.items()}


def _that_tell(monitor: object) -> Iterator[tuple[str, object]]:
    """The triggers, each with its sort, that send something somewhere."""
    for each in sequence(at(monitor, "triggers")):
        wrapped = [name for name in mapping(each) if name.endswith("_trigger")]
        sort = wrapped[0] if wrapped else "query_level_trigger"
        trigger = at(each, sort) if wrapped else each
        if any(text(at(action, "destination_id")) for action in sequence(at(trigger, "actions"))):
            yield sort, trigger


def _raises(monitor: object, trigger: tuple[str, object], event: Event) -> bool | None:
    sort, told = trigger
    inputs = sequence(at(monitor, "inputs"))
    source = (text(at(told, "condition", "script", "source")) or "").strip()
    if len(inputs) != 1:
        return None
    if at(inputs[0], "uri") is not None:
        return False
    search, documents = at(inputs[0], "search"), at(inputs[0], "doc_level_input")
    if isinstance(search, Mapping) and sort == "query_level_trigger":
        query = at(search, "query", "query")
        if not isinstance(query, Mapping):
            return None
        return all_of([finds(query, texts(search.get("indices")), event), _one_is_enough(source)])
    if isinstance(documents, Mapping) and sort == "document_level_trigger":
        return any_of([_chosen(documents, each, event) for each in source.split("||")])
    return None


def _one_is_enough(source: str) -> bool | None:
    """Whether a trigger's script is true of one hit."""
    if (found := _ONE_HIT.fullmatch(source)) is None:
        return None
    if found[1] is None:
        return True
    value = int(found[2])
    return {">": value < 1, ">=": value <= 1, "!=": value == 0}[found[1]]


def _chosen(documents: Mapping[str, object], condition: str, event: Event) -> bool | None:
    """Whether one of the queries finds the record that a part of a trigger's condition names."""
    if (found := _CHOSEN.fullmatch(condition.strip().strip("()").strip())) is None:
        return None
    indices = texts(documents.get("indices"))
    named = [each for each in sequence(documents.get("queries")) if _is(each, found[1], found[2])]
    queries = [query_of_string(text(at(each, "query")) or "") for each in named]
    return any_of([finds(query, indices, event) for query in queries]) if queries else None


def _is(query: object, by: str, name: str) -> bool:
    return name in texts(at(query, "tags")) if by == "tag" else text(at(query, by)) == name
