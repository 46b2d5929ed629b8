"""Whether a query finds a made event, as far as the query language is understood.

What is not understood is unknown (None), never a match: a field of which nobody knows what is in
it, a script, a word of the language that is not here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import at, mapping, text, texts

__all__ = ["Event", "all_of", "any_of", "finds", "matches", "query_of_string"]

_ALWAYS_THERE: Final = ("@timestamp", "timestamp", "event.ingested")
_DEEPEST: Final = 20
_WHOLE: Final = {"term", "terms", "prefix", "wildcard"}
"""These compare the whole value, which a field of words does not hold."""

Event = Mapping[str, Sequence[str]]
"""Fields and their values; one that has a twin NAME.keyword is itself a field of words."""


def finds(query: object, indices: Sequence[str], event: Event) -> bool | None:
    """Whether a search finds the event.

    One that would find any record is a search of an audit log only where its indices say so.
    """
    found = matches(query, event)
    if found and not any("audit" in each for each in indices):
        return None if matches(query, dict.fromkeys(event, ("-",))) else found
    return found


def all_of(answers: Sequence[bool | None]) -> bool | None:
    """Whether all are so; unknown where that depends on one that is."""
    if False in answers:
        return False
    return None if None in answers else True


def any_of(answers: Sequence[bool | None]) -> bool | None:
    """Whether one of them is so; unknown where that depends on one that is."""
    if True in answers:
        return True
    return None if None in answers else False


def _not(answer: bool | None) -> bool | None:  # noqa: FBT001
    return None if answer is None else not answer


def matches(query: object, event: Event, depth: int = 0) -> bool | None:
    """Whether a record with these fields is found, in whatever index it is."""
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
        return True if field in _ALWAYS_THERE or _values(event, field, whole=False) else None
    if word in ("constant_score", "nested"):
        return matches(at(told, "filter"), event, depth + 1) if word[0] == "c" else None
    if word == "range":
        return True if set(mapping(told)) <= set(_ALWAYS_THERE) else None
    compare = _COMPARISONS.get(word)
    fields = {field: wanted for field, wanted in mapping(told).items() if field != "boost"}
    if compare is None or len(fields) != 1:
        return None
    [(field, wanted)] = fields.items()
    values = _values(event, field, whole=word in _WHOLE)
    if values is None:
        return None  # a field of which nobody knows what is in it
    return any(compare(value, each) for value in values for each in _wanted(wanted))


def _bool(told: Mapping[str, object], event: Event, depth: int) -> bool | None:
    def each(name: str) -> list[bool | None]:
        clauses = told.get(name)
        listed: list[Any] = clauses if isinstance(clauses, list) else [clauses]
        return [matches(c, event, depth) for c in listed] if clauses is not None else []

    needed = [*each("must"), *each("filter"), *map(_not, each("must_not"))]
    should = each("should")
    least = told.get("minimum_should_match", 0 if needed else 1)
    if set(told) - _WORDS_OF_BOOL:
        return None
    if should and least not in (0, "0"):
        needed.append(any_of(should) if least in (1, "1") else None)
    return all_of(needed)


_WORDS_OF_BOOL: Final = {
    *("must", "filter", "must_not", "should", "minimum_should_match"),
    *("boost", "adjust_pure_negative"),
}


def _values(event: Event, field: str, *, whole: bool) -> Sequence[str] | None:
    if whole and f"{field}.keyword" in event:
        return None  # a field of words is compared word by word
    return event.get(field, event.get(field.removesuffix(".keyword")))


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


# --- a query as a text ---------------------------------------------------------------------------

_CLAUSE: Final = re.compile(r'([\w.@]+):(?:"([^"\\*?]+)"|([\w.-]+))')


def query_of_string(query: str) -> object:
    """FIELD:"VALUE", several with AND or with OR between; {}, which is unknown, for all else."""
    for between, name in ((" AND ", "must"), (" OR ", "should")):
        clauses = [_CLAUSE.fullmatch(each.strip()) for each in query.split(between)]
        found = [each for each in clauses if each is not None]
        if len(found) == len(clauses):
            return {"bool": {name: [{"match_phrase": {f[1]: f[2] or f[3]}} for f in found]}}
    return {}
