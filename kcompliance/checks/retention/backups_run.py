"""KC-RET-004: backups of the audit indices run and succeed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.checks.interface import check
from kcompliance.checks.search_sight import (
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
from kcompliance.model.archive_evidence import ArchiveEvidence
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Seen, Unreadable
from kcompliance.model.search.indices import TrailIndex
from kcompliance.model.search.snapshots import (
    Snapshot,
    SnapshotPolicy,
    covers,
    lacking,
    repositories,
    snapshot_policies,
    snapshots,
)
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "backups_run"]

_KINDS = (
    Kind.ELASTICSEARCH_SETTINGS,
    Kind.ELASTICSEARCH_DATA_STREAMS,
    Kind.ELASTICSEARCH_SLM_POLICIES,
    Kind.ELASTICSEARCH_SLM_STATUS,
    Kind.ELASTICSEARCH_SM_POLICIES,
    Kind.ELASTICSEARCH_REPOSITORIES,
)


_SKEW = timedelta(minutes=5)
"""How far the clock of a server may be ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-004."""

    max_backup_age_hours: int = 26
    index_patterns: tuple[str, ...] = ()


@check("KC-RET-004", params=Params)
def backups_run(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Backups of audit indices run and succeed

    By a snapshot policy, by whatever else takes snapshots, or by an archive of kcompliance.
    """
    archives = archives_to_rely_on(cluster)
    found = False
    for store in seen_stores(cluster, ("main",)):
        if isinstance(store, Finding):
            yield store
            continue
        found = True
        yield from _of_store(cluster, store, params, archives)
    if not found and archives:
        yield from (_of_archive(each, params) for each in archives)
    if not found and not archives:
        broken = tuple(why_not(cluster, "main"))
        yield from broken or no_store(cluster, ("main",))


def _of_store(
    cluster: Cluster,
    store: SearchStore,
    params: Params,
    archives: Sequence[Seen[ArchiveEvidence]],
) -> Iterator[Finding]:
    gaps = (*unseen(store, ("main",), _KINDS), *_unlisted(store))
    current = [each for each in archives if _is_current(each, params)]
    if gaps:
        yield from gaps
        return
    if current:
        yield _by_archive(store, current[0])
        return
    indices, none = which_indices(store, params.index_patterns, ("main",))
    yield from none
    now = as_of(store)
    if not indices or now is None:
        return
    verdict = _backed_up(store, indices, now.origin.collected_at, params)
    yield verdict
    if verdict.status.value == "fail":
        yield from why_not(cluster, "main")


# --- archives ------------------------------------------------------------------------------------


def _is_current(archive: Seen[ArchiveEvidence], params: Params) -> bool:
    end = ends(archive.value)
    age = timedelta(hours=params.max_backup_age_hours)
    now = archive.raw.origin.collected_at
    return end is not None and now - end <= age and keeps(archive.value) > 0


def _by_archive(store: SearchStore, archive: Seen[ArchiveEvidence]) -> Finding:
    because = (
        f"the archive {archive.value.archive} holds its events until {_time(ends(archive.value))}"
    )
    return Finding.passed(store.name, because, archive_evidence(archive))


def _of_archive(archive: Seen[ArchiveEvidence], params: Params) -> Finding:
    value, told = archive.value, archive_evidence(archive)
    if _is_current(archive, params):
        because = f"it holds all events until {_time(ends(value))}"
        return Finding.passed(value.archive, because, told)
    because = (
        f"it ends at {_time(ends(value))}, more than {params.max_backup_age_hours} hours before "
        f"{_time(archive.raw.origin.collected_at)}"
    )
    return Finding.failed(value.archive, because, told)


# --- snapshots -----------------------------------------------------------------------------------


def _unlisted(store: SearchStore) -> Iterator[Finding]:
    """Repositories whose snapshots could not be listed."""
    for answer in store.answers(Kind.ELASTICSEARCH_SNAPSHOTS):
        if isinstance(answer, Unreadable):
            yield Finding.unreadable(answer)


def _backed_up(
    store: SearchStore, indices: Sequence[TrailIndex], now: datetime, params: Params
) -> Finding:
    policies = snapshot_policies(store)
    faults = []
    for policy in policies:
        wrong = _wrong_with(store, policy, indices, now, params)
        if wrong is None:
            return _policy_runs(store, policy)
        faults.append((wrong, _of_policy(store, policy)))
    taken = _taken_otherwise(store, indices, now, params)
    if taken is not None:
        return taken
    if faults:
        wrong, told = min(faults, key=lambda fault: "does not take" in fault[0])
        more = f" (and {len(faults) - 1} more policies)" if len(faults) > 1 else ""
        return Finding.failed(store.name, f"{wrong}{more}", told)
    told = evidence(
        store,
        (Kind.ELASTICSEARCH_SLM_POLICIES, "whole file", "no policy"),
        (Kind.ELASTICSEARCH_SM_POLICIES, "whole file", "no policy"),
        (Kind.ELASTICSEARCH_REPOSITORIES, "whole file", f"{len(repositories(store))} repositories"),
    )
    because = "no snapshot policy, and no recent snapshot that holds its indices"
    return Finding.failed(store.name, because, told)


def _wrong_with(
    store: SearchStore,
    policy: SnapshotPolicy,
    indices: Sequence[TrailIndex],
    now: datetime,
    params: Params,
) -> str | None:
    """Why a policy is no backup of these indices; None where it is one."""
    name = f"the snapshot policy {policy.name}"
    left_out = [index.name for index in indices if not covers(policy.patterns, index)]
    if left_out:
        return f"{name} does not take {left_out[0]}"
    if not policy.enabled:
        return f"{name} is disabled"
    mode = store.fields(Kind.ELASTICSEARCH_SLM_STATUS).get("operation_mode")
    if policy.kind is Kind.ELASTICSEARCH_SLM_POLICIES and mode not in (None, "RUNNING"):
        return f"snapshot lifecycle management is {str(mode)[:40]}"
    place = {each.name: each for each in repositories(store)}.get(policy.repository)
    if place is None:
        return f"{name} writes to the repository {policy.repository}, which does not exist"
    if place.readonly:
        return f"{name} writes to the repository {policy.repository}, which can only be read"
    if policy.last_success is None:
        return f"{name} has never succeeded"
    if policy.last_failure is not None and policy.last_failure > policy.last_success:
        return f"{name} failed at {_time(policy.last_failure)}"
    if now - policy.last_success > timedelta(hours=params.max_backup_age_hours):
        return f"{name} last succeeded at {_time(policy.last_success)}"
    if policy.last_success - now > _SKEW:
        return f"{name} succeeded at {_time(policy.last_success)}, which is yet to come"
    return _wrong_in(store, policy, indices)


def _wrong_in(
    store: SearchStore, policy: SnapshotPolicy, indices: Sequence[TrailIndex]
) -> str | None:
    """What its last snapshot lacks, where that one is among those that were listed."""
    last = next(
        (
            each
            for each in reversed(snapshots(store))
            if each.name == policy.last_success_name and each.repository == policy.repository
        ),
        None,
    )
    if last is None:
        if any(each.repository == policy.repository for each in snapshots(store)):
            gone = f"its last snapshot {policy.last_success_name}"
            return f"{gone} is not in {policy.repository} any more"
        return None
    if not last.whole:
        return f"the snapshot {last.name} is {last.state}, {last.failed_shards} shards failed"
    missing = lacking(last, indices)
    return f"the snapshot {last.name} does not hold {missing[0]}" if missing else None


def _policy_runs(store: SearchStore, policy: SnapshotPolicy) -> Finding:
    because = (
        f"the snapshot policy {policy.name} took all of its indices to {policy.repository} at "
        f"{_time(policy.last_success)}"
    )
    notes = ["whether all nodes reach the repository was not tried: that would write to it"]
    place = {each.name: each for each in repositories(store)}[policy.repository]
    if place.type == "fs":
        notes.append("a repository on a file system may be lost together with the nodes")
    return Finding.passed(store.name, because, _of_policy(store, policy), notes=tuple(notes))


def _of_policy(store: SearchStore, policy: SnapshotPolicy) -> tuple[Evidence, ...]:
    words = f"last success {_time(policy.last_success)}, last failure {_time(policy.last_failure)}"
    return evidence(store, (policy.kind, policy.name, words))


def _taken_otherwise(
    store: SearchStore, indices: Sequence[TrailIndex], now: datetime, params: Params
) -> Finding | None:
    """A recent snapshot that no policy of the server accounts for."""
    age = timedelta(hours=params.max_backup_age_hours)
    for each in reversed(snapshots(store)):
        if _is_good(each, indices, now, age):
            because = f"the snapshot {each.name} of {_time(each.started)} holds all of its indices"
            notes = ("it was taken by something other than a snapshot policy of the server",)
            told = evidence_of(each.raw, each.name, each.state)
            return Finding.passed(store.name, because, told, notes=notes)
    return None


def _is_good(found: Snapshot, indices: Sequence[TrailIndex], now: datetime, age: timedelta) -> bool:
    if found.started is None or not found.whole or not -_SKEW <= now - found.started <= age:
        return False
    older = [each for each in indices if each.created is not None and each.created < found.started]
    return bool(older) and not lacking(found, indices)


def _time(moment: datetime | None) -> str:
    return "no time" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"
