"""KC-RET-005: every record of the trail survives for two years in an archive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from kcompliance.checks.interface import check
from kcompliance.checks.sound_archives import archives_to_judge, no_archive
from kcompliance.model.archive_evidence import ArchivedStreamEvidence, ArchiveEvidence
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Raw

__all__ = ["Params", "archive_is_kept_two_years"]

_ASPECTS = ("kept", "complete", "current", "reaches-back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-005."""

    archive_days: int = 730
    max_lag_hours: int = 48


@check("KC-RET-005", params=Params)
def archive_is_kept_two_years(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Two-year archive: every record survives for two years

    Judged by what `kcompliance archive` has sealed, and whether that still verifies.
    """
    archives = tuple(archives_to_judge(cluster, _ASPECTS))
    for archive in archives:
        if isinstance(archive, Finding):
            yield archive
        else:
            yield from _of_archive(archive.value, archive.raw, params)
    if not archives:
        asked = "Where are this cluster's audit records kept for two years?"
        yield from no_archive(cluster, asked, _ASPECTS)


def _of_archive(archive: ArchiveEvidence, raw: Raw, params: Params) -> Iterator[Finding]:
    unsound = _unsound(archive, raw)
    if unsound is not None:
        yield unsound
    for name in archive.missing:
        for aspect in _ASPECTS:
            because = f"the archive has no stream {name}"
            yield Finding.failed(f"{archive.archive} {name}", because, _all(raw), aspect=aspect)
    if not archive.streams and not archive.missing:
        for aspect in _ASPECTS:
            because = "the archive holds no stream that can be trusted"
            yield Finding.failed(archive.archive, because, _all(raw), aspect=aspect)
    for stream in archive.streams:
        yield _kept(archive, stream, raw, params)
        if unsound is None:
            yield _complete(archive, stream, raw)
        yield _current(archive, stream, raw, params)
        yield _reaches_back(archive, stream, raw, params)


def _unsound(archive: ArchiveEvidence, raw: Raw) -> Finding | None:
    """What `verify` found; the archive's own gaps and weak locks are judged elsewhere."""
    told = [fault for fault in archive.faults if fault.code not in _JUDGED_ELSEWHERE]
    codes = ", ".join(dict.fromkeys(fault.code for fault in told))
    evidence = evidence_of(raw, "faults", "; ".join(f"{f.code}: {f.detail}" for f in told[:3]))
    if archive.exit_code == 1:
        because = f"the archive was tampered with or is corrupt: {codes}"
        return Finding.failed(archive.archive, because, evidence, aspect="complete")
    if not archive.trusted:
        because = "no trust file vouches for the archive: nobody knows who signed it"
        return Finding.error(archive.archive, because, _all(raw), aspect="complete")
    if told or archive.faults_in_all > len(archive.faults):
        because = f"the archive could not be verified: {codes or 'too many findings'}"
        return Finding.error(archive.archive, because, evidence, aspect="complete")
    return None


_JUDGED_ELSEWHERE = ("WINDOW_GAP", "WORM_WEAK", "STREAM_STALE")


def _kept(
    archive: ArchiveEvidence, stream: ArchivedStreamEvidence, raw: Raw, params: Params
) -> Finding:
    days, resource = stream.least_days_kept, _resource(archive, stream)
    evidence = evidence_of(raw, f"streams[{stream.name}].least_days_kept", str(days))
    if days is None:
        because = "it holds no events, or some of which the log does not say how long they are kept"
        return Finding.failed(resource, because, evidence, aspect="kept")
    if days < params.archive_days:
        because = f"some events are kept for {days} days only, and it takes {params.archive_days}"
        return Finding.failed(resource, because, evidence, aspect="kept")
    notes = () if stream.lock == "compliance" else (f"its lock is {stream.lock}: see KC-PRO-009",)
    because = f"every segment is to be kept for {days} days or more"
    return Finding.passed(resource, because, evidence, aspect="kept", notes=notes)


def _complete(archive: ArchiveEvidence, stream: ArchivedStreamEvidence, raw: Raw) -> Finding:
    resource = _resource(archive, stream)
    words = f"{stream.gaps} gaps, {stream.source_missing} lost windows"
    evidence = evidence_of(raw, f"streams[{stream.name}]", words)
    if stream.gaps or stream.source_missing:
        because = f"between its windows are {words}: kcompliance archive list shows where"
        return Finding.failed(resource, because, evidence, aspect="complete")
    because = f"{stream.windows:,} windows without a gap, and the archive verifies"
    return Finding.passed(resource, because, evidence, aspect="complete")


def _current(
    archive: ArchiveEvidence, stream: ArchivedStreamEvidence, raw: Raw, params: Params
) -> Finding:
    resource, now = _resource(archive, stream), raw.origin.collected_at
    evidence = evidence_of(raw, f"streams[{stream.name}].to", str(stream.end))
    if stream.end is None or now - stream.end > timedelta(hours=params.max_lag_hours):
        because = (
            f"it ends at {_time(stream.end)}, more than {params.max_lag_hours} hours before "
            f"{_time(now)}"
        )
        return Finding.failed(resource, because, evidence, aspect="current")
    return Finding.passed(resource, f"it reaches {_time(stream.end)}", evidence, aspect="current")


def _reaches_back(
    archive: ArchiveEvidence, stream: ArchivedStreamEvidence, raw: Raw, params: Params
) -> Finding:
    resource, now = _resource(archive, stream), raw.origin.collected_at
    evidence = evidence_of(raw, f"streams[{stream.name}].from", str(stream.start))
    if stream.start is not None and stream.start <= now - timedelta(days=params.archive_days):
        because = f"it begins at {_time(stream.start)}"
        return Finding.passed(resource, because, evidence, aspect="reaches-back")
    return Finding.manual(
        resource,
        f"it begins at {_time(stream.start)}, less than {params.archive_days} days ago",
        f"Is {_time(stream.start)} when this cluster's audit trail began, or where else is what "
        "is older?",
        evidence,
        aspect="reaches-back",
    )


def _resource(archive: ArchiveEvidence, stream: ArchivedStreamEvidence) -> str:
    return f"{archive.archive} {stream.name}"


def _all(raw: Raw) -> tuple[Evidence, ...]:
    return evidence_of(raw, "whole file")


def _time(moment: object) -> str:
    return "no time" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"
