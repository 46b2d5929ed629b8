"""How long the newest record of each index is kept, by whatever the server itself does to it.

* ILM counts the age from the rollover where one happens, else from the creation of the index, or
  from `index.lifecycle.origination_date`, which wins over both. A delete phase without `min_age`
  deletes at once, one without the action `delete` never.
* A data stream's own lifecycle counts from the rollover.
* OpenSearch's ISM: see ism.py.

Elasticsearch guide, "Index lifecycle", "Data stream lifecycle settings" and the REST reference.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, text
from kcompliance.model.duration import parse_elastic_duration
from kcompliance.model.moment import moment
from kcompliance.model.reading import Kind
from kcompliance.model.retention import FOREVER, days_kept
from kcompliance.model.search.indices import TrailIndex, flat, named_span
from kcompliance.model.search.ism import Deletion, ism_policies, ism_policy_of
from kcompliance.model.search.view import Fields, SearchStore

__all__ = ["Kept", "by_mechanism", "kept_by_lifecycle", "write_span"]

_STILL_WRITTEN: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What becomes of one index."""

    index: TrailIndex
    mechanism: str
    """`ILM policy x`, `the lifecycle of data stream x`, `ISM policy x`; "" where nothing is."""
    least: timedelta | None
    """How long its newest record is kept; None: not to be told, which `because` explains."""
    because: str
    after: timedelta | None = None
    """The age at which the index is deleted, whatever that counts from; None: never, unknown."""
    waits_for: str | None = None
    """The snapshot policy that a deletion waits for."""
    snapshots_itself: bool = False
    """The policy takes a snapshot before it deletes."""
    drops_archive: bool = False
    """Deletes the searchable snapshot together with the index."""
    kind: Kind = Kind.ELASTICSEARCH_SETTINGS
    """Of the answer that tells."""


def kept_by_lifecycle(
    store: SearchStore, indices: Sequence[TrailIndex], now: datetime
) -> tuple[Kept, ...]:
    """One answer for each index."""
    policies = store.fields(Kind.ELASTICSEARCH_ILM_POLICIES)
    explained = mapping(store.fields(Kind.ELASTICSEARCH_ILM_EXPLAIN).get("indices"))
    ism = ism_policies(store)
    managed = store.fields(Kind.ELASTICSEARCH_ISM_EXPLAIN)
    longest = _longest_retention(store)
    found = []
    for index in indices:
        span = write_span(index, indices, now)
        by_ism = ism_policy_of(managed, index.name)
        if by_ism is not None:
            found.append(_by_ism(index, by_ism, ism.get(by_ism), span))
        elif _is_under_ilm(index):
            phase = at(explained.get(index.name), "phase_execution", "phase_definition")
            now_in = text(at(explained.get(index.name), "phase"))
            cached = phase if now_in == "delete" else None
            rolled = _rolls_over(
                index, moment(at(explained.get(index.name), "lifecycle_date_millis"))
            )
            found.append(_by_ilm(index, policies, mapping(cached), span, rolled=rolled))
        elif index.stream is not None and _enabled(index.stream.lifecycle):
            found.append(_by_stream(index, longest))
        else:
            found.append(_unmanaged(index))
    return tuple(found)


def _is_under_ilm(index: TrailIndex) -> bool:
    """With a lifecycle of the data stream beside it, `prefer_ilm` decides."""
    if index.ilm_policy is None:
        return False
    stream = index.stream
    if stream is None or not _enabled(stream.lifecycle):
        return True
    told = stream.managed_by.get(index.name)
    if told is not None:
        return told == "Index Lifecycle Management"
    return index.settings.get("index.lifecycle.prefer_ilm", "true") == "true"


def _enabled(lifecycle: Fields | None) -> bool:
    return lifecycle is not None and lifecycle.get("enabled") is not False


def write_span(
    index: TrailIndex, siblings: Sequence[TrailIndex], now: datetime
) -> timedelta | None:
    """How much younger than an index its newest record is, or will be; None: not to be told.

    By a date in its name, else as it was seen. An index that is still written to will grow as old
    as its siblings did; one that has none is written to until it is deleted, which is FOREVER.
    """
    start = index.originated or index.created
    if index.stream is None and index.originated is None:
        named = named_span(index.name)
        if named is not None:
            return named
    own = _seen_span(index)
    if start is None or own is None:
        return None
    if index.times is None or index.times.newest is None:
        return None
    if now - index.times.newest > _STILL_WRITTEN:
        return own
    group = re.sub(r"\d", "", index.name)
    finished = [
        span
        for each in siblings
        if each is not index and re.sub(r"\d", "", each.name) == group
        if each.times is not None and each.times.newest is not None
        if now - each.times.newest > _STILL_WRITTEN and (span := _seen_span(each)) is not None
    ]
    return max([own, *finished]) if finished else FOREVER


def _seen_span(index: TrailIndex) -> timedelta | None:
    start = index.originated or index.created
    if start is None or index.times is None or index.times.newest is None:
        return None
    return max(timedelta(), index.times.newest - start)


# --- ILM -----------------------------------------------------------------------------------------


def _rolls_over(index: TrailIndex, counted_from: datetime | None) -> bool:
    """Whether its age counts from a rollover. `counted_from`: as the server explains it, if so."""
    if not index.can_roll_over or index.originated is not None:
        return False
    if not index.indexing_complete or counted_from is None or index.created is None:
        return True
    return counted_from > index.created


def _by_ilm(
    index: TrailIndex, policies: Fields, cached: Fields, span: timedelta | None, *, rolled: bool
) -> Kept:
    """`cached`: the delete phase that an index is in already; later changes do not touch it."""
    name = index.ilm_policy or ""
    mechanism = f"ILM policy {name}"
    kind = Kind.ELASTICSEARCH_ILM_POLICIES
    policy = policies.get(name)
    phases = mapping(at(policy, "policy", "phases"))
    if not cached and not isinstance(policy, Mapping):
        return Kept(
            index=index,
            mechanism=mechanism,
            least=FOREVER,
            because=f"its ILM policy {name} does not exist, so that nothing deletes it",
        )
    delete = cached or mapping(phases.get("delete"))
    actions = mapping(delete.get("actions"))
    if "delete" not in actions:
        because = f"ILM policy {name} deletes nothing"
        return Kept(index=index, mechanism=mechanism, least=FOREVER, because=because, kind=kind)
    written = text(delete.get("min_age"))
    age = timedelta() if written is None else parse_elastic_duration(written)
    if age is None:
        because = f'ILM policy {name} deletes at "{written}", which is no duration'
        return Kept(index=index, mechanism=mechanism, least=None, because=because, kind=kind)
    rolled = rolled and "rollover" in mapping(at(phases.get("hot"), "actions"))
    least, since = _least(age, span, rolled=rolled)
    frozen = any(
        "searchable_snapshot" in mapping(at(phase, "actions")) for phase in phases.values()
    )
    drops = at(actions.get("delete"), "delete_searchable_snapshot") is not False
    return Kept(
        index=index,
        mechanism=mechanism,
        least=least,
        because=f"ILM policy {name} deletes {days_kept(age)} after {since}",
        after=age,
        waits_for=text(at(actions.get("wait_for_snapshot"), "policy")),
        drops_archive=frozen and drops,
        kind=kind,
    )


def _least(age: timedelta, span: timedelta | None, *, rolled: bool) -> tuple[timedelta | None, str]:
    """How long the newest record is kept, and since when that counts."""
    if rolled:
        return age, "its rollover"
    if span is None:
        return None, "its creation, and until when it was written to is not told"
    if span == FOREVER:
        return timedelta(), "its creation, although it is written to without ever rolling over"
    since = "its creation"
    if span:
        since += f" and up to {days_kept(span + timedelta(hours=23))} less after its newest record"
    return max(timedelta(), age - span), since


# --- data streams, ISM, nothing ------------------------------------------------------------------


def _by_stream(index: TrailIndex, longest: timedelta) -> Kept:
    assert index.stream is not None  # noqa: S101 - the caller has looked
    lifecycle = index.stream.lifecycle or {}
    mechanism = f"the lifecycle of data stream {index.stream.name}"
    kind = Kind.ELASTICSEARCH_DATA_STREAMS
    effective = text(lifecycle.get("effective_retention"))
    written = effective or text(lifecycle.get("data_retention"))
    if written is None:
        least: timedelta | None = longest if effective is None else FOREVER
    else:
        least = parse_elastic_duration(written)
        if least is not None and effective is None:
            least = min(least, longest)
    if least is None:
        because = f'{mechanism} keeps for "{written}", which is no duration'
    elif least == FOREVER:
        because = f"{mechanism} deletes nothing"
    else:
        because = f"{mechanism} deletes {days_kept(least)} after its rollover"
        determined = text(lifecycle.get("retention_determined_by"))
        if determined in {"max_global_retention", "default_global_retention"}:
            because += f" ({determined} of the whole server)"
    return Kept(
        index=index,
        mechanism=mechanism,
        least=least,
        because=because,
        after=None if least in (None, FOREVER) else least,
        kind=kind,
    )


def _longest_retention(store: SearchStore) -> timedelta:
    """The most that the whole server lets data streams keep, where it tells."""
    settings = store.fields(Kind.ELASTICSEARCH_CLUSTER_SETTINGS)
    for group in ("transient", "persistent", "defaults"):
        told = flat(settings.get(group)).get("data_streams.lifecycle.retention.max")
        found = parse_elastic_duration(told or "")
        if found is not None:
            return found
    return FOREVER


def _by_ism(
    index: TrailIndex, name: str, policy: Deletion | str | None, span: timedelta | None
) -> Kept:
    mechanism = f"ISM policy {name}"
    kind = Kind.ELASTICSEARCH_ISM_POLICIES
    if policy is None:
        because = f"its ISM policy {name} is not among those that could be read"
        return Kept(index=index, mechanism=mechanism, least=None, because=because, kind=kind)
    if isinstance(policy, str):
        because = f"ISM policy {name} cannot be understood: {policy}"
        return Kept(index=index, mechanism=mechanism, least=None, because=because, kind=kind)
    if policy.never:
        because = f"ISM policy {name} deletes nothing"
        return Kept(index=index, mechanism=mechanism, least=FOREVER, because=because, kind=kind)
    if policy.since_rollover >= policy.since_creation:
        least: timedelta | None = policy.since_rollover
        since, age = "its rollover", policy.since_rollover
    else:
        age = policy.since_creation
        least, since = _least(age, span, rolled=False)
        if least is not None:
            least = max(least, policy.since_rollover)
    return Kept(
        index=index,
        mechanism=mechanism,
        least=least,
        because=f"ISM policy {name} deletes {days_kept(age)} after {since}",
        after=age,
        snapshots_itself=policy.after_snapshot,
        kind=kind,
    )


def _unmanaged(index: TrailIndex) -> Kept:
    return Kept(
        index=index, mechanism="", least=FOREVER, because="no lifecycle of the server deletes it"
    )


def by_mechanism(kept: Sequence[Kept]) -> Mapping[str, tuple[Kept, ...]]:
    """Grouped by what deletes, in the order of names."""
    found: dict[str, list[Kept]] = {}
    for each in kept:
        found.setdefault(each.mechanism, []).append(each)
    return {name: tuple(found[name]) for name in sorted(found)}
