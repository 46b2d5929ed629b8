"""OpenSearch's index state management: when a policy deletes an index.

A policy is a graph of states. Of all ways to a state that deletes, the shortest decides. A
condition on size or number of documents may hold at any age, so that it keeps nothing by itself.
OpenSearch documentation, "Index State Management: policies".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.duration import parse_elastic_duration
from kcompliance.model.reading import Kind
from kcompliance.model.search.view import Fields, SearchStore

__all__ = ["Deletion", "deletion_of", "ism_policies", "ism_policy_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The earliest that a policy deletes: both ages have to be reached."""

    never: bool = False
    since_creation: timedelta = timedelta()
    since_rollover: timedelta = timedelta()
    after_snapshot: bool = False
    """Every way to a deletion takes a snapshot first."""


def ism_policies(store: SearchStore) -> Mapping[str, Deletion | str]:
    """By name: when each deletes, or why that cannot be told."""
    found: dict[str, Deletion | str] = {}
    for each in sequence(store.fields(Kind.ELASTICSEARCH_ISM_POLICIES).get("policies")):
        policy = mapping(at(each, "policy"))
        name = text(policy.get("policy_id")) or text(at(each, "_id"))
        if name is not None:
            found[name] = deletion_of(policy)
    return found


def ism_policy_of(explained: Fields, index: str) -> str | None:
    """The policy that manages an index, where one does."""
    told = mapping(explained.get(index))
    if told.get("enabled") is False:
        return None
    for name in (
        "policy_id",
        "index.plugins.index_state_management.policy_id",
        "index.opendistro.index_state_management.policy_id",
    ):
        found = text(told.get(name))
        if found:
            return found
    return None


def deletion_of(policy: Fields) -> Deletion | str:
    """When a policy deletes, or why that cannot be told."""
    states = {text(at(state, "name")): mapping(state) for state in sequence(policy.get("states"))}
    first = text(policy.get("default_state"))
    if first not in states:
        return f'it begins in the state "{first}", which it does not have'
    ends: list[Deletion] = []
    pending = [(first, Deletion(), frozenset[str | None]())]
    while pending:
        name, so_far, seen = pending.pop()
        if name in seen:
            continue
        if name not in states:
            return f'it goes on to the state "{name}", which it does not have'
        if len(seen) > _DEEPEST or len(ends) > _MOST:
            return "it has too many states"
        deletes, snapshot = _acts(states[name])
        so_far = _with(so_far, snapshot=snapshot)
        if deletes:
            ends.append(so_far)
            continue
        for transition in sequence(states[name].get("transitions")):
            later = _later(so_far, mapping(at(transition, "conditions")))
            if isinstance(later, str):
                return later
            pending.append((text(at(transition, "state_name")), later, seen | {name}))
    if not ends:
        return Deletion(never=True)
    return _earliest(ends)


_DEEPEST, _MOST = 50, 1000


def _acts(state: Fields) -> tuple[bool, bool]:
    """Whether a state deletes, and whether it takes a snapshot before that."""
    snapshot = False
    for action in sequence(state.get("actions")):
        if "delete" in mapping(action):
            return True, snapshot
        snapshot = snapshot or "snapshot" in mapping(action)
    return False, snapshot


def _with(found: Deletion, *, snapshot: bool) -> Deletion:
    return Deletion(
        since_creation=found.since_creation,
        since_rollover=found.since_rollover,
        after_snapshot=found.after_snapshot or snapshot,
    )


def _later(so_far: Deletion, conditions: Fields) -> Deletion | str:
    ages = {}
    for name in ("min_index_age", "min_rollover_age"):
        written = text(conditions.get(name))
        age = timedelta() if written is None else parse_elastic_duration(written)
        if age is None:
            return f'"{written}" is no duration'
        ages[name] = age
    return Deletion(
        since_creation=max(so_far.since_creation, ages["min_index_age"]),
        since_rollover=max(so_far.since_rollover, ages["min_rollover_age"]),
        after_snapshot=so_far.after_snapshot,
    )


def _earliest(ends: list[Deletion]) -> Deletion:
    """The first of all ways; a snapshot counts only where none goes without."""
    first = min(ends, key=lambda end: max(end.since_creation, end.since_rollover))
    return Deletion(
        since_creation=first.since_creation,
        since_rollover=first.since_rollover,
        after_snapshot=all(end.after_snapshot for end in ends),
    )
