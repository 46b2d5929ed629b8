"""KC-RET-002: the oldest audit record that is really there is as old as it should be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from kcompliance.checks.event_stores import EventStore, no_event_store, seen_event_stores
from kcompliance.checks.interface import check
from kcompliance.checks.sound_archives import (
    archive_evidence,
    archives_to_rely_on,
    keeps,
    reaches,
    why_not,
)
from kcompliance.model.apiserver.plain_data import at, text
from kcompliance.model.archive_evidence import ArchiveEvidence
from kcompliance.model.aws.cluster_settings import eks_cluster
from kcompliance.model.azure.trail import trails_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.timeline import unbroken_since
from kcompliance.model.finding import Evidence, Finding, Status
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind, Seen
from kcompliance.model.retention import FOREVER, reaches_back, required

__all__ = ["Params", "oldest_record_is_old_enough"]

_YOUNG: Final = timedelta(days=7)
_SLACK: Final = timedelta(days=1, hours=12)
"""With the half day of `reaches_back`, two days: as long as deletion may be ahead of its time."""
_SKEW: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-002."""

    min_hot_days: int = 180
    strict_months: bool = False
    audit_enabled_at: str = ""
    max_hole_days: int = 7


@check("KC-RET-002", params=Params)
def oldest_record_is_old_enough(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Evidence: the oldest audit record actually retained is as old as policy promises

    What is configured says what will be; the oldest record says what was.
    """
    enabled = _moment(params.audit_enabled_at)
    if params.audit_enabled_at and enabled is None:
        because = f'the parameter audit_enabled_at is no date: "{params.audit_enabled_at}"'
        yield Finding.error(cluster.name, because)
        return
    wanted = required(params.min_hot_days, strict_months=params.strict_months)
    hole = timedelta(days=params.max_hole_days)
    archives = archives_to_rely_on(cluster)
    found = [
        store
        if isinstance(store, Finding)
        else _of_store(cluster, store, hole, enabled, wanted, archives)
        for store in seen_event_stores(cluster, ("main",))
    ]
    yield from found
    if found and all(finding.status is Status.PASS for finding in found):
        return
    if archives and not found:
        yield from (_of_archive(cluster, each, enabled, wanted) for each in archives)
    if not archives:
        yield from why_not(cluster, "main")
    if not found and not archives:
        yield from no_event_store(cluster, ("main",))


def _moment(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- one place -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OldestRecord:
    """How far back one place reaches."""

    resource: str
    oldest: datetime | None
    """None: it holds no record at all."""
    unbroken_since: datetime | None
    """The same, but back from the newest record without a long hole; `oldest` where not told."""
    evidence: tuple[Evidence, ...]
    as_of: datetime
    """When it was asked."""
    deletes_after: timedelta = FOREVER
    """When the place itself deletes records, where it tells."""


def _of_store(
    cluster: Cluster,
    store: EventStore,
    hole: timedelta,
    enabled: datetime | None,
    wanted: timedelta,
    archives: Sequence[Seen[ArchiveEvidence]],
) -> Finding:
    times = store.times("main")
    if isinstance(times, Finding):
        return times
    if times.records and times.oldest is None:
        because = f"none of its {times.records} events has a time in {times.field}"
        return Finding.error(store.name, because, times.evidence_of_oldest)
    record = OldestRecord(
        resource=store.name,
        oldest=times.oldest,
        unbroken_since=unbroken_since(times.days, max(hole, times.apart)) or times.oldest,
        evidence=times.evidence_of_oldest,
        as_of=times.asked,
        deletes_after=times.deletes_after,
    )
    return _judged(cluster, record, enabled, wanted, archives)


def _judged(
    cluster: Cluster,
    record: OldestRecord,
    enabled: datetime | None,
    wanted: timedelta,
    archives: Sequence[Seen[ArchiveEvidence]],
) -> Finding:
    if record.oldest is None:
        return Finding.failed(record.resource, "it holds no audit record", record.evidence)
    if record.oldest > record.as_of + _SKEW:
        day = _day(record.oldest)
        because = f"its oldest record is of {day}, which is yet to come: whose clock is wrong?"
        return Finding.failed(record.resource, because, record.evidence)
    since = max(record.oldest, record.unbroken_since or record.oldest)
    if _reaches(since, wanted, record.as_of, enabled):
        because = f"its oldest record is of {_day(since)}{_for(record.as_of - since)}"
        return Finding.passed(record.resource, because, record.evidence)
    for archive in archives:
        start = reaches(archive.value)
        whole = keeps(archive.value) >= wanted.days
        if start is not None and whole and _reaches(start, wanted, record.as_of, enabled):
            because = (
                f"its oldest record is of {_day(since)}, and the archive {archive.value.archive} "
                f"reaches back to {_day(start)}"
            )
            told = (*record.evidence, *archive_evidence(archive))
            return Finding.passed(record.resource, because, told)
    return _too_young(cluster, record, since, enabled, wanted)


def _reaches(
    oldest: datetime, wanted: timedelta, as_of: datetime, begun: datetime | None
) -> bool | None:
    return reaches_back(oldest - _SLACK, wanted, as_of, begun=begun)


def _too_young(
    cluster: Cluster,
    record: OldestRecord,
    since: datetime,
    enabled: datetime | None,
    wanted: timedelta,
) -> Finding:
    """Why it is younger than it should be: lost, deleted, or never there, which a human knows."""
    words = f"its oldest record is of {_day(since)}, {(record.as_of - since).days} days ago"
    if record.oldest is not None and record.oldest < since - timedelta(days=1):
        first = _day(record.oldest)
        because = f"before {_day(since)} records are missing, although some of {first} are there"
        return Finding.failed(record.resource, because, record.evidence)
    if enabled is not None:
        due = max(enabled, record.as_of - wanted)
        because = f"{words}, and they should reach back to {_day(due)}"
        return Finding.failed(record.resource, because, record.evidence)
    if record.deletes_after < wanted and record.as_of - since >= record.deletes_after - _SLACK:
        because = f"{words}: what is older its own lifecycle has deleted"
        return Finding.failed(record.resource, because, record.evidence)
    born = _born(cluster)
    if born is not None and record.as_of - born < _YOUNG:
        because = f"{words}, and the cluster is of {_day(born)}: too young to tell"
    elif born is not None and born >= record.as_of - wanted:
        if since <= born + _SLACK + timedelta(hours=12):
            because = f"{words}, when the cluster was made"
            return Finding.passed(record.resource, because, record.evidence)
        because = f"{words}, and the cluster is of {_day(born)}"
    else:
        because = words
    question = (
        "When was this cluster's audit trail turned on? Set audit_enabled_at of KC-RET-002, or "
        "name the archive that holds what is older."
    )
    return Finding.manual(record.resource, because, question, record.evidence)


def _of_archive(
    cluster: Cluster,
    archive: Seen[ArchiveEvidence],
    enabled: datetime | None,
    wanted: timedelta,
) -> Finding:
    """An archive as the only place that is known."""
    value, told = archive.value, archive_evidence(archive)
    start = reaches(value)
    if start is None:
        return Finding.failed(value.archive, "it holds no audit record", told)
    if keeps(value) < wanted.days:
        because = f"some of its records are kept for {keeps(value)} days only"
        return Finding.failed(value.archive, because, told)
    record = OldestRecord(
        resource=value.archive,
        oldest=start,
        unbroken_since=start,
        evidence=told,
        as_of=archive.raw.origin.collected_at,
    )
    return _judged(cluster, record, enabled, wanted, ())


# --- since when there can be records -------------------------------------------------------------


def _born(cluster: Cluster) -> datetime | None:
    """When the cluster was made, as the objects tell that every cluster makes for itself."""
    found = [each for each in (_of_bootstrap(cluster), _of_provider(cluster)) if each is not None]
    return min(found, default=None)


def _of_bootstrap(cluster: Cluster) -> datetime | None:
    wanted = (
        (Kind.RBAC, "ClusterRole", None, "cluster-admin"),
        (Kind.SERVICES, "Service", "default", "kubernetes"),
    )
    times = []
    for kind, name, namespace, called in wanted:
        listing = cluster.listed(kind)
        for found, _ in listing.of_kind(name) if isinstance(listing, Listing) else ():
            metadata = found.get("metadata")
            if at(metadata, "name") == called and at(metadata, "namespace") == namespace:
                times.append(_moment(text(at(metadata, "creationTimestamp")) or ""))
    return min((time for time in times if time is not None), default=None)


def _of_provider(cluster: Cluster) -> datetime | None:
    eks = eks_cluster(cluster)
    if isinstance(eks, Seen):
        return eks.value.created
    aks = [trail.cluster for trail in trails_of(cluster)]
    only = aks[0] if len(aks) == 1 else None
    return only.value.created if isinstance(only, Seen) else None


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _for(age: timedelta) -> str:
    return f", {age.days:,} days ago"
