"""Archives that were declared for a cluster, as far as other controls may rely on them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from kcompliance.model.archive_evidence import ArchiveEvidence, archives_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable

__all__ = [
    "archive_evidence",
    "archives_to_judge",
    "archives_to_rely_on",
    "ends",
    "keeps",
    "no_archive",
    "reaches",
    "why_not",
]


def archives_to_judge(
    cluster: Cluster, aspects: Sequence[str]
) -> Iterator[Seen[ArchiveEvidence] | Finding]:
    """The declared archives, and findings on those that could not be read or are not there."""
    for archive in archives_of(cluster):
        match archive:
            case Unreadable():
                for aspect in aspects:
                    yield Finding.unreadable(archive, aspect=aspect)
            case Absent():
                for aspect in aspects:
                    yield Finding.failed(archive.origin.resource, archive.reason, aspect=aspect)
            case Seen():
                yield archive


def no_archive(cluster: Cluster, question: str, aspects: Sequence[str]) -> Iterator[Finding]:
    """What is said of a cluster of which no archive is declared."""
    asked = f"{question} Name the archive and its trust file under targets in kcompliance.yaml."
    because = "no archive is declared for this cluster"
    yield from (Finding.manual(cluster.name, because, asked, aspect=aspect) for aspect in aspects)


def archives_to_rely_on(cluster: Cluster) -> tuple[Seen[ArchiveEvidence], ...]:
    """Those that verify, are vouched for, and have all their streams without a gap."""
    return tuple(
        archive
        for archive in archives_of(cluster)
        if isinstance(archive, Seen) and _why(archive.value) is None
    )


def _why(archive: ArchiveEvidence) -> str | None:
    if archive.exit_code != 0:
        codes = ", ".join(dict.fromkeys(fault.code for fault in archive.faults))
        return f"it does not verify: {codes or f'exit code {archive.exit_code}'}"
    if not archive.trusted:
        return "no trust file vouches for it"
    if archive.missing:
        return f"it lacks the stream {archive.missing[0]}"
    if not archive.streams:
        return "it holds no stream"
    if any(stream.gaps or stream.source_missing for stream in archive.streams):
        return "there are gaps in it"
    return None


def why_not(cluster: Cluster, aspect: str) -> Iterator[Finding]:
    """A finding for each declared archive that cannot be relied on."""
    for archive in archives_to_judge(cluster, (aspect,)):
        if isinstance(archive, Finding):
            yield archive
        elif (reason := _why(archive.value)) is not None:
            told = evidence_of(archive.raw, "exit_code", str(archive.value.exit_code))
            because = f"the archive cannot be relied on: {reason}"
            verdict = Finding.failed if archive.value.exit_code == 1 else Finding.error
            yield verdict(archive.value.archive, because, told, aspect=aspect)


def reaches(archive: ArchiveEvidence) -> datetime | None:
    """Since when all its streams hold events; None where one holds none."""
    starts = [stream.start for stream in archive.streams]
    known = [start for start in starts if start is not None]
    return max(known) if known and len(known) == len(starts) else None


def ends(archive: ArchiveEvidence) -> datetime | None:
    """Until when all its streams hold events; None where one holds none."""
    found = [stream.end for stream in archive.streams]
    known = [end for end in found if end is not None]
    return min(known) if known and len(known) == len(found) else None


def keeps(archive: ArchiveEvidence) -> int:
    """For how many days every event in it is kept; 0 where that is not told of some."""
    return min((stream.least_days_kept or 0 for stream in archive.streams), default=0)


def archive_evidence(archive: Seen[ArchiveEvidence]) -> tuple[Evidence, ...]:
    """What an archive tells, as evidence."""
    value = archive.value
    words = f"{reaches(value)} to {ends(value)}, kept for {keeps(value)} days"
    return evidence_of(archive.raw, "streams", words)
