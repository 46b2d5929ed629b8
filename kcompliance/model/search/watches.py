"""Whether watches of Elasticsearch raise an alarm on what its access audit records.

A watch's query is tried with made events, written as the two shippers of the audit write them:
the log's own JSON, and Elastic's fields. What is not understood is unknown, never a match.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.search.view import Fields

__all__ = ["REQUIRED_ACTIONS", "Watched", "watched"]

REQUIRED_ACTIONS: Final = (
    "indices:admin/delete",
    "cluster:admin/ilm/put",
    "cluster:admin/ilm/delete",
    "cluster:admin/slm/delete",
    "cluster:admin/ingest/pipeline/put",
)
"""What turns the store's memory off, shortens or deletes it."""

_TELLS_SOMEBODY: Final = {"email", "webhook", "slack", "pagerduty", "jira"}
"""Sorts of actions; the others write to a log or an index, or are settings of an action."""
_ALWAYS_THERE: Final = ("@timestamp", "timestamp", "event.ingested")

Event = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Of each action: the watches that tell somebody, and those of which it is not known."""

    by: Mapping[str, tuple[str, ...]]
    perhaps: Mapping[str, tuple[str, ...]]

    @property
    def unwatched(self) -> tuple[str, ...]:
        """The actions for which no watch surely raises an alarm."""
        return tuple(action for action in REQUIRED_ACTIONS if not self.by[action])


def watched(answer: Fields, index: str) -> Watched | str:
    """What the watches do when somebody acts on this index; or why the answer is none."""
    watches = sequence(answer.get("watches"))
    count = answer.get("count")
    if not isinstance(answer.get("watches"), list) or not isinstance(count, int):
        return "no watches in it"
    if count > len(watches):
        return f"only {len(watches)} of {count} watches are in it"
    surely: dict[str, tuple[str, ...]] = dict.fromkeys(REQUIRED_ACTIONS, ())
    perhaps: dict[str, tuple[str, ...]] = dict.fromkeys(REQUIRED_ACTIONS, ())
    for each in watches:
        name, watch = text(at(each, "_id")) or "without a name", at(each, "watch")
        if at(each, "status", "state", "active") is not True or not _tells_somebody(watch):
            continue
        for action in REQUIRED_ACTIONS:
            answers = [_raises(watch, event) for event in _made(action, index)]
            if True in answers:
                surely[action] += (name,)
            elif None in answers:
                perhaps[action] += (name,)
    return Watched(by=surely, perhaps=perhaps)


def _tells_somebody(watch: object) -> bool:
    sorts = {sort for each in mapping(at(watch, "actions")).values() for sort in mapping(each)}
    return bool(sorts & _TELLS_SOMEBODY) and isinstance(at(watch, "trigger", "schedule"), Mapping)


def _made(action: str, index: str) -> Iterator[Event]:
    """The same request as the audit log's own JSON and as Elastic's module ships it."""
    common = {"user.name": ["somebody"], "event.action": ["access_granted"]}
    yield {
        **common,
        "type": ["audit"],
        "event.type": ["transport"],
        "action": [action],
        "indices": [index],
    }
    yield {
        **common,
        "event.dataset": ["elasticsearch.audit"],
        "event.module": ["elasticsearch"],
        "event.kind": ["event"],
        "elasticsearch.audit.layer": ["transport"],
        "elasticsearch.audit.action": [action],
        "elasticsearch.audit.indices": [index],
    }


def _raises(watch: object, event: Event) -> bool | None:
    request = at(watch, "input", "search", "request")
    query = at(request, "body", "query")
    if not isinstance(query, Mapping) or not texts(at(request, "indices")):
        return None
    return _all([_matches(query, event), _condition(at(watch, "condition"))])


def _condition(condition: object) -> bool | None:
    """Whether one hit is enough."""
    if condition is None or at(condition, "always") is not None:
        return True
    for path, compared in mapping(at(condition, "compare")).items():
        if path not in ("ctx.payload.hits.total", "ctx.payload.hits.total.value"):
            return None
        for operator, value in mapping(compared).items():
            if not isinstance(value, int):
                return None
            return {"gt": value < 1, "gte": value <= 1, "not_eq": value == 0}.get(operator)
    return False if at(condition, "never") is not None else None


# --- the query language, as far as such watches need it ------------------------------------------


def _all(answers: Sequence[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _any(answers: Sequence[bool | None]) -> bool | None:
    if True in answers:
        return True
    return None if None in answers else False


def _not(answer: bool | None) -> bool | None:  # noqa: FBT001
    return None if answer is None else not answer


def _matches(query: object, event: Event, depth: int = 0) -> bool | None:
    clauses = mapping(query)
    if len(clauses) != 1 or depth > _DEEPEST:
        return None
    [(word, told)] = clauses.items()
    if word == "bool":
        return _bool(mapping(told), event, depth + 1)
    if word == "match_all":
        return True
    if word == "exists":
        field = text(at(told, "field")) or ""
        return True if field in _ALWAYS_THERE or _values(event, field) else None
    if word in ("constant_score", "nested"):
        return _matches(at(told, "filter"), event, depth + 1) if word[0] == "c" else None
    if word == "range":
        return True if set(mapping(told)) <= set(_ALWAYS_THERE) else None
    compare = _COMPARISONS.get(word)
    fields = mapping(told)
    if compare is None or len(fields) != 1:
        return None
    [(field, wanted)] = fields.items()
    values = _values(event, field)
    if values is None:
        return None  # a field of which nobody knows what is in it
    return any(compare(value, each) for value in values for each in _wanted(wanted))


_DEEPEST: Final = 20


def _bool(told: Mapping[str, object], event: Event, depth: int) -> bool | None:
    def each(name: str) -> list[bool | None]:
        clauses = told.get(name)
        listed: list[Any] = clauses if isinstance(clauses, list) else [clauses]
        return [_matches(c, event, depth) for c in listed] if clauses is not None else []

    needed = [*each("must"), *each("filter"), *map(_not, each("must_not"))]
    should = each("should")
    least = told.get("minimum_should_match", 0 if needed else 1)
    if set(told) - {"must", "filter", "must_not", "should", "minimum_should_match", "boost"}:
        return None
    if should and least not in (0, "0"):
        needed.append(_any(should) if least in (1, "1") else None)
    return _all(needed)


def _values(event: Event, field: str) -> Sequence[str] | None:
    return event.get(field.removesuffix(".keyword"))


def _wanted(wanted: object) -> list[str]:
    if isinstance(wanted, Mapping):
        wanted = wanted.get("value", wanted.get("query", wanted.get("wildcard")))
    return texts(wanted) if isinstance(wanted, list) else texts([wanted])


_COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "term": str.__eq__,
    "terms": str.__eq__,
    "match": str.__eq__,
    "match_phrase": str.__eq__,
    "prefix": str.startswith,
    "wildcard": lambda value, each: fnmatchcase(value, each.replace("[", "[[]")),
}
