"""Whether watches of Elasticsearch raise an alarm on what its access audit records.

A watch's query is tried with made events, written as the two shippers of the audit write them:
the log's own JSON, and Elastic's fields. What is not understood is unknown, never a match.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.search.event_query import Event, all_of, finds
from kcompliance.model.search.view import Fields

__all__ = ["REQUIRED_ACTIONS", "Watched", "by_action", "watched"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Of each action: the watches that tell somebody, and those of which it is not known."""

    by: Mapping[str, tuple[str, ...]]
    perhaps: Mapping[str, tuple[str, ...]]

    @property
    def unwatched(self) -> tuple[str, ...]:
        """The actions for which nothing surely raises an alarm."""
        return tuple(action for action, names in self.by.items() if not names)


def by_action(
    actions: Iterable[str],
    watching: Sequence[tuple[str, object]],
    answers: Callable[[object, str], Iterable[bool | None]],
) -> Watched:
    """Which of those that are `watching`, with their names, see an action.

    `answers` tries one of them with the records of an action.
    """
    by: dict[str, tuple[str, ...]] = {}
    perhaps: dict[str, tuple[str, ...]] = {}
    for action in actions:
        tried = [(name, list(answers(each, action))) for name, each in watching]
        by[action] = tuple(name for name, found in tried if True in found)
        perhaps[action] = tuple(
            name for name, found in tried if None in found and True not in found
        )
    return Watched(by=by, perhaps=perhaps)


def watched(answer: Fields, index: str) -> Watched | str:
    """What the watches do when somebody acts on this index; or why the answer is none."""
    watches = sequence(answer.get("watches"))
    count = answer.get("count")
    if not isinstance(answer.get("watches"), list) or not isinstance(count, int):
        return "no watches in it"
    if count > len(watches):
        return f"only {len(watches)} of {count} watches are in it"
    watching = [
        (text(at(each, "_id")) or "without a name", at(each, "watch"))
        for each in watches
        if at(each, "status", "state", "active") is True and _tells_somebody(at(each, "watch"))
    ]
    return by_action(
        REQUIRED_ACTIONS,
        watching,
        lambda watch, action: [_raises(watch, event) for event in _made(action, index)],
    )


def _tells_somebody(watch: object) -> bool:
    sorts = {sort for each in mapping(at(watch, "actions")).values() for sort in mapping(each)}
    return bool(sorts & _TELLS_SOMEBODY) and isinstance(at(watch, "trigger", "schedule"), Mapping)


def _made(action: str, index: str) -> Iterator[Event]:
    """The same request as the audit log's own JSON and as Elastic's module ships it."""
    indices = [index] if action.startswith("indices:") else []
    common = {"user.name": ["somebody"], "event.action": ["access_granted"]}
    yield {
        **common,
        "type": ["audit"],
        "event.type": ["transport"],
        "action": [action],
        "indices": indices,
    }
    yield {
        **common,
        "event.dataset": ["elasticsearch.audit"],
        "event.module": ["elasticsearch"],
        "event.kind": ["event"],
        "elasticsearch.audit.layer": ["transport"],
        "elasticsearch.audit.action": [action],
        "elasticsearch.audit.indices": indices,
    }


def _raises(watch: object, event: Event) -> bool | None:
    request = at(watch, "input", "search", "request")
    query, indices = at(request, "body", "query"), texts(at(request, "indices"))
    if not isinstance(query, Mapping) or not indices:
        return None
    return all_of([finds(query, indices, event), _condition(at(watch, "condition"))])


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
