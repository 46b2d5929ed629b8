"""KC-RET-006: nothing is deleted before it was backed up, and a restore has been proven."""

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
from kcompliance.checks.sound_archives import (
    archive_evidence,
    archives_to_rely_on,
    ends,
    keeps,
    why_not,
)
from kcompliance.model.archive_evidence import ArchiveEvidence, archives_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind, Seen
from kcompliance.model.search.deletion_jobs import DeletionJob, deletion_jobs
from kcompliance.model.search.kept import Kept, by_mechanism, kept_by_lifecycle
from kcompliance.model.search.snapshots import covers, snapshot_policies
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "deletion_waits_for_a_backup"]

_GATED, _RESTORED = "gated", "restore-proven"
_ASPECTS: Final = (_GATED, _RESTORED)
_KINDS: Final = (*LIFECYCLE_KINDS, Kind.ELASTICSEARCH_SLM_POLICIES)
_LEVEL_OF_ALL_OBJECTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-006."""

    restore_max_age_days: int = 365
    index_patterns: tuple[str, ...] = ()


@check("KC-RET-006", params=Params)
def deletion_waits_for_a_backup(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Deletion is gated on a successful backup, and a restore has been proven

    What is deleted has to be somewhere else first, and somebody has to have tried to read it there.
    """
    archives = archives_to_rely_on(cluster)
    found = False
    for store in seen_stores(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        found = True
        gaps = unseen(store, _ASPECTS, _KINDS)
        if gaps:
            yield from gaps
            continue
        yield from _gated(cluster, store, params, archives)
        yield _restored(cluster, store.name, _store_told(store), params)
    if found:
        return
    if not archives:
        broken = tuple(each for aspect in _ASPECTS for each in why_not(cluster, aspect))
        yield from broken or no_store(cluster, _ASPECTS)
        return
    for archive in archives:
        name, told = archive.value.archive, archive_evidence(archive)
        yield Finding.manual(
            name,
            "it holds all events without a gap; what deletes them at their source was not declared",
            "Where else are this cluster's audit records, and what deletes them there, when?",
            told,
            aspect=_GATED,
        )
        yield _restored(cluster, name, told, params)


def _store_told(store: SearchStore) -> tuple[Evidence, ...]:
    return evidence(store, (Kind.ELASTICSEARCH_SETTINGS, "whole file", ""))


# --- deletion waits ------------------------------------------------------------------------------


def _gated(
    cluster: Cluster,
    store: SearchStore,
    params: Params,
    archives: Sequence[Seen[ArchiveEvidence]],
) -> Iterator[Finding]:
    indices, none = which_indices(store, params.index_patterns, (_GATED,))
    yield from none
    now = as_of(store)
    if not indices or now is None:
        return
    kept = kept_by_lifecycle(store, indices, now.origin.collected_at)
    names = [index.name for index in indices]
    jobs = [job for job in deletion_jobs(cluster) if any(d.touches(names) for d in job.deletes)]
    deleting = {
        name: each
        for name, each in by_mechanism(kept).items()
        if any(one.after is not None or one.least is None for one in each)
    }
    failed = False
    for name, each in deleting.items():
        verdict = _mechanism(store, name, each, now.origin.collected_at, archives)
        failed = failed or verdict.status.value == "fail"
        yield verdict
    for job in jobs:
        yield _job(store, job, now.origin.collected_at, archives)
    if failed:
        yield from why_not(cluster, _GATED)
    if not deleting and not jobs:
        yield _nothing_deletes(cluster, store)


def _mechanism(
    store: SearchStore,
    name: str,
    kept: Sequence[Kept],
    now: datetime,
    archives: Sequence[Seen[ArchiveEvidence]],
) -> Finding:
    """One lifecycle that deletes, with the indices that it deletes."""
    told = evidence(store, (kept[0].kind, name.rpartition(" ")[2], kept[0].because))
    unknown = [each for each in kept if each.least is None and each.after is None]
    if unknown:
        return Finding.error(store.name, unknown[0].because, told, aspect=_GATED)
    after = min((each.after for each in kept if each.after is not None), default=timedelta())
    archive = _holds_before(archives, now, after)
    if archive is not None:
        because = (
            f"{name} deletes after {after.days} days, and the archive {archive.value.archive} "
            f"holds all events until {_time(ends(archive.value))}"
        )
        return Finding.passed(
            store.name, because, (*told, *archive_evidence(archive)), aspect=_GATED
        )
    wrong = _not_waiting(store, name, kept)
    if wrong is not None:
        return Finding.failed(store.name, wrong, told, aspect=_GATED)
    how = (
        "takes a snapshot of its own before it deletes"
        if kept[0].waits_for is None
        else f"waits for the snapshot policy {kept[0].waits_for}"
    )
    return Finding.passed(store.name, f"{name} {how}", told, aspect=_GATED)


def _not_waiting(store: SearchStore, name: str, kept: Sequence[Kept]) -> str | None:
    """Why what this lifecycle deletes may be nowhere else."""
    drops = next((each for each in kept if each.drops_archive), None)
    if drops is not None:
        return f"{name} deletes the searchable snapshot together with {drops.index.name}"
    policies = {each.name: each for each in snapshot_policies(store)}
    for each in kept:
        if each.snapshots_itself:
            continue
        if each.waits_for is None:
            return f"{name} deletes {each.index.name} without waiting for a snapshot"
        policy = policies.get(each.waits_for)
        if policy is None:
            return f"{name} waits for the snapshot policy {each.waits_for}, which does not exist"
        if not covers(policy.patterns, each.index):
            return (
                f"{name} waits for the snapshot policy {each.waits_for}, which does not take "
                f"{each.index.name}"
            )
    return None


def _holds_before(
    archives: Sequence[Seen[ArchiveEvidence]], now: datetime, after: timedelta
) -> Seen[ArchiveEvidence] | None:
    """An archive that is ahead of deletion, and keeps what was deleted longer than that took."""
    for archive in archives:
        end = ends(archive.value)
        if end is not None and end > now - after and keeps(archive.value) > after.days:
            return archive
    return None


def _job(
    store: SearchStore,
    job: DeletionJob,
    now: datetime,
    archives: Sequence[Seen[ArchiveEvidence]],
) -> Finding:
    told = evidence_of(job.raw, job.name, job.deletes[0].said_by)
    ages = [each.age for each in job.deletes]
    known = [age for age in ages if age is not None]
    archive = _holds_before(archives, now, min(known)) if len(known) == len(ages) else None
    if archive is not None:
        because = f"{job.name} deletes, and the archive {archive.value.archive} is ahead of it"
        return Finding.passed(
            store.name, because, (*told, *archive_evidence(archive)), aspect=_GATED
        )
    return Finding.manual(
        store.name,
        f"{job.name} deletes indices by itself",
        f"Does {job.name} look for a successful snapshot before it deletes an index?",
        told,
        aspect=_GATED,
    )


def _nothing_deletes(cluster: Cluster, store: SearchStore) -> Finding:
    told = _store_told(store)
    listing = cluster.listed(Kind.CRON_JOBS)
    if isinstance(listing, Listing) and listing.whole:
        because = "nothing deletes its indices"
        return Finding.not_applicable(store.name, because, told, aspect=_GATED)
    return Finding.manual(
        store.name,
        "nothing of the server deletes its indices; jobs outside were not looked at",
        "What deletes records of this trail, and does it look for a snapshot first? Scan the "
        "cluster's CronJobs together with it.",
        told,
        aspect=_GATED,
    )


# --- a restore was tried -------------------------------------------------------------------------


def _restored(cluster: Cluster, name: str, told: tuple[Evidence, ...], params: Params) -> Finding:
    """No API tells; an archive whose every object was read, or is not what it was, does."""
    archives = [each for each in archives_of(cluster) if isinstance(each, Seen)]
    for archive in archives:
        if archive.value.exit_code == 1:
            because = f"the archive {archive.value.archive} is not what was written any more"
            return Finding.failed(name, because, archive_evidence(archive), aspect=_RESTORED)
    for archive in archives_to_rely_on(cluster):
        if archive.value.level >= _LEVEL_OF_ALL_OBJECTS:
            because = f"every object of the archive {archive.value.archive} was read and is right"
            return Finding.passed(name, because, archive_evidence(archive), aspect=_RESTORED)
    return Finding.manual(
        name,
        "no API tells whether a backup was ever restored",
        f"When, within the last {params.restore_max_age_days} days, was a backup of this trail "
        "restored, from which snapshot or archive, into which index, and did the number of "
        "documents agree?",
        told,
        aspect=_RESTORED,
    )


def _time(moment: datetime | None) -> str:
    return "no time" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"
