"""KC-RET-001: Elasticsearch or OpenSearch keeps audit records searchable for six months."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.checks.interface import check
from kcompliance.checks.search_sight import (
    LIFECYCLE_KINDS,
    as_of,
    evidence,
    no_store,
    seen_stores,
    unseen,
    which_indices,
)
from kcompliance.model.apiserver.plain_data import at, mapping, text
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding
from kcompliance.model.reading import Kind, Unreadable
from kcompliance.model.retention import FOREVER, days_kept, required
from kcompliance.model.search.indices import TrailIndex
from kcompliance.model.search.kept import Kept, kept_by_lifecycle
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "store_keeps_six_months"]

_ASPECTS = ("main", "lifecycle-runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-001."""

    min_hot_days: int = 180
    strict_months: bool = False
    index_patterns: tuple[str, ...] = ()


@check("KC-RET-001", params=Params)
def store_keeps_six_months(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The store keeps audit records searchable for at least six months

    Judged by what the server itself will do to each index, and when.
    """
    found = False
    for store in seen_stores(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        found = True
        gaps = unseen(store, _ASPECTS, LIFECYCLE_KINDS)
        if gaps:
            yield from gaps
            continue
        indices, none = which_indices(store, params.index_patterns, _ASPECTS)
        yield from none
        now = as_of(store)
        if indices and now is not None:
            kept = kept_by_lifecycle(store, indices, now.origin.collected_at)
            yield from _searchable(store, kept, params, now.origin.collected_at)
            yield _runs(store, kept)
    if not found:
        yield from no_store(cluster, _ASPECTS)


# --- long enough ---------------------------------------------------------------------------------


def _searchable(
    store: SearchStore, kept: Sequence[Kept], params: Params, now: datetime
) -> Iterator[Finding]:
    wanted = required(params.min_hot_days, strict_months=params.strict_months)
    unknown = [each for each in kept if each.least is None]
    short = [each for each in kept if each.least is not None and each.least < wanted]
    closed = [each for each in kept if each.index.closed and _is_young(each.index, now - wanted)]
    if short:
        worst = min(short, key=lambda each: (each.least or timedelta(), each.index.name))
        least = days_kept(worst.least or timedelta())
        because = (
            f"{worst.index.name} keeps its newest record for {least}, and it takes "
            f"{wanted.days}: {worst.because}{_more(short)}"
        )
        yield Finding.failed(store.name, because, _evidence(store, worst))
    if closed:
        because = f"{closed[0].index.name} is closed, so that nothing in it is found{_more(closed)}"
        yield Finding.failed(store.name, because, _evidence(store, closed[0]))
    if unknown:
        yield _unknown(store, unknown)
    if not (short or closed or unknown):
        yield _kept_long_enough(store, kept)


def _kept_long_enough(store: SearchStore, kept: Sequence[Kept]) -> Finding:
    worst = min(kept, key=lambda each: (each.least or FOREVER, each.index.name))
    least = worst.least or FOREVER
    because = f"{len(kept)} indices keep their newest record {_for(least)}: {worst.because}"
    notes = []
    if _stopped(store):
        notes.append(
            "index lifecycle management is stopped, so that nothing is deleted: KC-RET-003"
        )
    if least == FOREVER:
        notes.append("what jobs outside of the server delete, KC-RET-003 looks at")
    return Finding.passed(store.name, because, _evidence(store, worst), notes=tuple(notes))


def _for(least: timedelta) -> str:
    return "for ever" if least == FOREVER else f"for {days_kept(least)} or longer"


def _unknown(store: SearchStore, unknown: Sequence[Kept]) -> Finding:
    """Where the times of events would tell, what keeps them from being told."""
    first = unknown[0]
    because = f"how long {first.index.name} is kept cannot be told: {first.because}{_more(unknown)}"
    times = store.answer(Kind.ELASTICSEARCH_TIMES)
    if isinstance(times, Unreadable):
        return Finding.error(store.name, f"{because}; {times.reason}", permission=times.permission)
    return Finding.error(store.name, because, _evidence(store, first))


def _is_young(index: TrailIndex, since: datetime) -> bool:
    newest = None if index.times is None else index.times.newest
    last = newest or index.created
    return last is None or last > since


def _more(found: Sequence[Kept]) -> str:
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""


def _evidence(store: SearchStore, kept: Kept) -> tuple[Evidence, ...]:
    name = kept.mechanism.rpartition(" ")[2]
    return (
        *evidence(store, (kept.kind, name or kept.index.name, kept.because)),
        *(
            evidence(
                store,
                (
                    Kind.ELASTICSEARCH_SETTINGS,
                    kept.index.name,
                    kept.index.settings.get("index.lifecycle.name", "no lifecycle"),
                ),
            )
            if kept.kind is not Kind.ELASTICSEARCH_SETTINGS
            else ()
        ),
    )


# --- does it work --------------------------------------------------------------------------------


def _runs(store: SearchStore, kept: Sequence[Kept]) -> Finding:
    """Whether some index is stuck in its lifecycle."""
    explained = mapping(store.fields(Kind.ELASTICSEARCH_ILM_EXPLAIN).get("indices"))
    stuck = [
        f"{each.index.name} is stuck in the step {step}"
        for each in kept
        if (step := _failed_step(mapping(explained.get(each.index.name)))) is not None
    ]
    managed = mapping(store.fields(Kind.ELASTICSEARCH_ISM_EXPLAIN))
    stuck += [
        f"{each.index.name} is stuck in ISM policy {each.mechanism.rpartition(' ')[2]}"
        for each in kept
        if at(managed.get(each.index.name), "retry_info", "failed") is True
    ]
    stuck += [
        f"{each.index.name}: {each.because}" for each in kept if "does not exist" in each.because
    ]
    told = evidence(
        store,
        (Kind.ELASTICSEARCH_ILM_EXPLAIN, "indices", "; ".join(stuck[:3])),
        (Kind.ELASTICSEARCH_ISM_EXPLAIN, "whole file", "; ".join(stuck[:3])),
        (Kind.ELASTICSEARCH_SETTINGS, "index.lifecycle.name", "; ".join(stuck[:3])),
    )
    if stuck:
        more = f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else ""
        return Finding.failed(store.name, f"{stuck[0]}{more}", told, aspect="lifecycle-runs")
    if not any(each.mechanism for each in kept):
        because = "no lifecycle manages its indices"
        return Finding.not_applicable(store.name, because, told, aspect="lifecycle-runs")
    because = f"none of {len(kept)} indices is stuck"
    return Finding.passed(store.name, because, told, aspect="lifecycle-runs")


def _failed_step(explained: object) -> str | None:
    if at(explained, "step") != "ERROR" and at(explained, "failed_step") is None:
        return None
    reason = text(at(explained, "step_info", "reason")) or text(
        at(explained, "step_info", "message")
    )
    step = text(at(explained, "failed_step")) or "ERROR"
    return f"{step}: {reason[:200]}" if reason else step


def _stopped(store: SearchStore) -> bool:
    mode = store.fields(Kind.ELASTICSEARCH_ILM_STATUS).get("operation_mode")
    return mode is not None and mode != "RUNNING"
