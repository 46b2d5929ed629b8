"""KC-RET-003: what deletes audit records does so, and never before nine months."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

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
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.timeline import unbroken_since
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind, Raw, Seen
from kcompliance.model.retention import FOREVER, days_kept, required
from kcompliance.model.search.cron import period_of
from kcompliance.model.search.deletion_jobs import DeletionJob, deletion_jobs
from kcompliance.model.search.indices import TrailIndex
from kcompliance.model.search.kept import Kept, by_mechanism, kept_by_lifecycle
from kcompliance.model.search.times import TrailTimes, read_times
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "deletion_is_not_too_early"]

_HOT, _DUE, _RUNS = "not-before-six-months", "not-before-nine-months", "runs"
_ASPECTS: Final = (_HOT, _DUE, _RUNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-003."""

    min_hot_days: int = 180
    delete_not_before_days: int = 270
    grace_days: int = 31
    strict_months: bool = False
    index_patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deleting:
    """Something that deletes: after `age`, None where that is not to be told."""

    who: str
    words: str
    age: timedelta | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """One store, with all that deletes in it."""

    store: SearchStore
    asked_at: datetime
    kept: tuple[Kept, ...]
    jobs: tuple[DeletionJob, ...]
    deleting: tuple[_Deleting, ...]
    jobs_seen: bool
    """Every CronJob of the cluster was listed."""
    times: TrailTimes | None


@check("KC-RET-003", params=Params)
def deletion_is_not_too_early(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Deletion jobs run, and never before nine months

    Of several that delete the same indices, the earliest decides.
    """
    found = False
    for store in seen_stores(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        found = True
        kinds = (*LIFECYCLE_KINDS, *_times_too(store))
        gaps = (*unseen(store, _ASPECTS, kinds), *_jobs_unseen(cluster))
        if gaps:
            yield from gaps
            continue
        indices, none = which_indices(store, params.index_patterns, _ASPECTS)
        yield from none
        now = as_of(store)
        if indices and now is not None:
            sight = _look(cluster, store, indices, now.origin.collected_at)
            yield from _not_too_early(sight, params)
            yield from _running(sight, params)
    if not found:
        yield from no_store(cluster, _ASPECTS)


def _times_too(store: SearchStore) -> tuple[Kind, ...]:
    """The oldest event tells whether deletion works; of files it is not asked for."""
    return () if store.declared is None else (Kind.ELASTICSEARCH_TIMES,)


def _jobs_unseen(cluster: Cluster) -> Iterator[Finding]:
    for gap in cluster.gaps:
        if gap.origin.kind in (Kind.CRON_JOBS, Kind.ENDPOINT):
            yield from (Finding.unreadable(gap, aspect=aspect) for aspect in _ASPECTS)


# --- what deletes --------------------------------------------------------------------------------


def _look(
    cluster: Cluster, store: SearchStore, indices: Sequence[TrailIndex], now: datetime
) -> _Sight:
    names = [index.name for index in indices]
    kept = kept_by_lifecycle(store, indices, now)
    jobs = tuple(
        job for job in deletion_jobs(cluster) if any(each.touches(names) for each in job.deletes)
    )
    listing = cluster.listed(Kind.CRON_JOBS)
    answer = store.answer(Kind.ELASTICSEARCH_TIMES)
    times = read_times(answer.value) if isinstance(answer, Seen) else None
    return _Sight(
        store=store,
        asked_at=now,
        kept=kept,
        jobs=jobs,
        deleting=(*_by_lifecycle(store, kept), *_by_jobs(jobs, names)),
        jobs_seen=isinstance(listing, Listing) and listing.whole,
        times=times if isinstance(times, TrailTimes) else None,
    )


def _by_lifecycle(store: SearchStore, kept: Sequence[Kept]) -> Iterator[_Deleting]:
    for name, each in by_mechanism(kept).items():
        first = min(each, key=lambda one: (one.least or timedelta(), one.index.name))
        if name and (first.least is None or first.least != FOREVER):
            told = evidence(store, (first.kind, name.rpartition(" ")[2], first.because))
            yield _Deleting(who=name, words=first.because, age=first.least, evidence=told)


def _by_jobs(jobs: Sequence[DeletionJob], names: Sequence[str]) -> Iterator[_Deleting]:
    for job in jobs:
        for each in job.deletes:
            if not each.touches(names):
                continue
            told = evidence_of(job.raw, job.name, each.said_by)
            if each.by_size and not each.age:
                words = f"{job.name} deletes by size, whatever the age: {each.said_by}"
                yield _Deleting(who=job.name, words=words, age=timedelta(), evidence=told)
            elif each.age is None:
                words = f"{job.name} deletes, and after which age cannot be told: {each.said_by}"
                yield _Deleting(who=job.name, words=words, age=None, evidence=told)
            else:
                words = f"{job.name} deletes after {days_kept(each.age)}: {each.said_by}"
                yield _Deleting(who=job.name, words=words, age=each.age, evidence=told)


# --- not too early -------------------------------------------------------------------------------


def _not_too_early(sight: _Sight, params: Params) -> Iterator[Finding]:
    for aspect, days in ((_HOT, params.min_hot_days), (_DUE, params.delete_not_before_days)):
        wanted = required(days, strict_months=params.strict_months)
        early = [each for each in sight.deleting if each.age is not None and each.age < wanted]
        for each in early:
            because = f"{each.words}, and records are to be there for {wanted.days} days"
            yield Finding.failed(sight.store.name, because, each.evidence, aspect=aspect)
        unknown = [each for each in sight.deleting if each.age is None]
        for each in unknown:
            question = f"After how many days does {each.who} delete audit records?"
            yield Finding.manual(
                sight.store.name, each.words, question, each.evidence, aspect=aspect
            )
        if not early and not unknown:
            yield _late_enough(sight, wanted, aspect)


def _late_enough(sight: _Sight, wanted: timedelta, aspect: str) -> Finding:
    """A pass, where nothing that was not looked at can have deleted before."""
    told = _told(sight)
    words = "; ".join(each.words for each in sight.deleting) or "nothing deletes its indices"
    if sight.jobs_seen:
        notes = ("a crontab on some host would not be seen",)
        return Finding.passed(sight.store.name, words, told, aspect=aspect, notes=notes)
    oldest = None if sight.times is None else unbroken_since(sight.times.days, timedelta(days=7))
    if oldest is not None and sight.asked_at - oldest >= wanted:
        because = f"{words}, and records of {oldest:%Y-%m-%d} are there still"
        raw = sight.store.raw(Kind.ELASTICSEARCH_TIMES)
        more = () if raw is None else evidence_of(raw, "aggregations.oldest", str(oldest))
        return Finding.passed(sight.store.name, because, (*told, *more), aspect=aspect)
    return Finding.manual(
        sight.store.name,
        f"{words}; whether a job outside of the server does was not looked at",
        "Which jobs delete indices of this trail? Scan the cluster's CronJobs together with it: "
        "name kube beside stores of a target in kcompliance.yaml.",
        told,
        aspect=aspect,
    )


def _told(sight: _Sight) -> tuple[Evidence, ...]:
    if sight.deleting:
        return tuple(piece for each in sight.deleting for piece in each.evidence)
    return evidence(
        sight.store, (Kind.ELASTICSEARCH_SETTINGS, "index.lifecycle.name", "no lifecycle")
    )


# --- running -------------------------------------------------------------------------------------


def _running(sight: _Sight, params: Params) -> Iterator[Finding]:
    idle = [*_stopped(sight), *_idle_jobs(sight)]
    due = required(params.delete_not_before_days, strict_months=params.strict_months)
    longest = max([due, *(each.age for each in sight.deleting if each.age is not None)])
    if sight.times is not None and sight.times.oldest is not None:
        age = sight.asked_at - sight.times.oldest
        if age > longest + timedelta(days=params.grace_days):
            raw = sight.store.raw(Kind.ELASTICSEARCH_TIMES)
            because = (
                f"records of {sight.times.oldest:%Y-%m-%d} are there still, {age.days:,} days old"
            )
            idle.append((because, () if raw is None else _oldest(raw)))
    for because, told in idle:
        yield Finding.failed(sight.store.name, because, told, aspect=_RUNS)
    if idle:
        return
    if sight.deleting:
        words = "; ".join(each.words for each in sight.deleting)
        yield Finding.passed(sight.store.name, words, _told(sight), aspect=_RUNS)
    elif sight.jobs_seen:
        because = "nothing deletes its indices: they grow until the disks are full"
        yield Finding.failed(sight.store.name, because, _told(sight), aspect=_RUNS)
    else:
        because = "nothing of the server deletes its indices"
        question = "What deletes records that are no longer to be kept?"
        yield Finding.manual(sight.store.name, because, question, _told(sight), aspect=_RUNS)


def _oldest(raw: Raw) -> tuple[Evidence, ...]:
    return evidence_of(raw, "aggregations.oldest")


def _stopped(sight: _Sight) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
    mode = sight.store.fields(Kind.ELASTICSEARCH_ILM_STATUS).get("operation_mode")
    uses = any(each.mechanism.startswith("ILM") and each.after is not None for each in sight.kept)
    if uses and mode is not None and mode != "RUNNING":
        told = evidence(sight.store, (Kind.ELASTICSEARCH_ILM_STATUS, "operation_mode", str(mode)))
        yield f"index lifecycle management is {str(mode)[:40]}, so that it deletes nothing", told


def _idle_jobs(sight: _Sight) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
    for job in sight.jobs:
        told = evidence_of(job.raw, job.name, job.schedule)
        period = period_of(job.schedule)
        if job.suspended:
            yield f"{job.name} is suspended", told
        elif job.last_success is None and sight.jobs_seen:
            yield f"{job.name} has never succeeded", told
        elif job.last_success is not None and period is not None:
            late = sight.asked_at - job.last_success > 2 * period
            yield from [(f"{job.name} last succeeded on {job.last_success:%Y-%m-%d}", told)] * late
