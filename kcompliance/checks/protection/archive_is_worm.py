"""KC-PRO-009: the archive copy is WORM."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.archives_in_aws import worm_in_aws
from kcompliance.checks.protection.archives_in_azure import (
    containers_that_refuse_appends,
    worm_in_azure,
)
from kcompliance.checks.sound_archives import archives_to_judge, no_archive
from kcompliance.model.archive_evidence import ArchivedStreamEvidence, ArchiveEvidence
from kcompliance.model.azure.trail import trails_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Raw

__all__ = ["Params", "archive_is_worm"]

_ASPECTS = ("locked", "compliance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-009."""

    worm_days: int = 730


@check("KC-PRO-009", params=Params)
def archive_is_worm(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The archive copy is WORM

    Asked of declared archives: what their log promises, against the locks that the store holds.
    Where none is declared, of the containers and buckets that the provider ships the log to.
    """
    archives = tuple(archives_to_judge(cluster, _ASPECTS))
    if archives:
        yield from containers_that_refuse_appends(cluster)
    else:
        yield from _without_archive(cluster, params)
    for archive in archives:
        if isinstance(archive, Finding):
            yield archive
        else:
            yield from _of_archive(archive.value, archive.raw, params)


def _without_archive(cluster: Cluster, params: Params) -> Iterator[Finding]:
    found: tuple[Finding, ...] = ()
    if cluster.platform is Platform.AKS or trails_of(cluster):
        found += tuple(worm_in_azure(cluster, params.worm_days))
    if cluster.platform is Platform.EKS:
        found += tuple(worm_in_aws(cluster, params.worm_days))
    asked = "Where is the copy of this cluster's audit records that nobody can alter?"
    yield from found or no_archive(cluster, asked, _ASPECTS)


def _of_archive(archive: ArchiveEvidence, raw: Raw, params: Params) -> Iterator[Finding]:
    for name in archive.missing:
        for aspect in _ASPECTS:
            because = f"the archive has no stream {name}"
            evidence = evidence_of(raw, "missing", name)
            yield Finding.failed(f"{archive.archive} {name}", because, evidence, aspect=aspect)
    if not archive.streams and not archive.missing:
        for aspect in _ASPECTS:
            because = "the archive holds no stream that can be trusted"
            evidence = evidence_of(raw, "streams", "none")
            yield Finding.failed(archive.archive, because, evidence, aspect=aspect)
    for stream in archive.streams:
        yield _locked(archive, stream, raw, params)
        yield _compliance(archive, stream, raw)


def _locked(
    archive: ArchiveEvidence, stream: ArchivedStreamEvidence, raw: Raw, params: Params
) -> Finding:
    resource = f"{archive.archive} {stream.name}"
    evidence = evidence_of(raw, f"streams[{stream.name}].lock", stream.lock)
    if stream.lock == "none":
        because = "some of its objects have no lock: whoever may delete there can delete them"
        return Finding.failed(resource, because, evidence, aspect="locked")
    weak = [fault for fault in archive.faults if fault.code == "WORM_WEAK"]
    if weak:
        evidence += evidence_of(raw, "faults", weak[0].detail)
        because = f"the store holds weaker locks than the log asks for: {weak[0].detail}"
        return Finding.failed(resource, because, evidence, aspect="locked")
    if archive.exit_code not in (0, 3) or archive.faults_in_all > len(archive.faults):
        because = "its locks were not all confirmed: see what kcompliance verify --live says"
        return Finding.error(resource, because, evidence, aspect="locked")
    if not archive.trusted:
        because = "what is to be locked is not known: no trust file vouches for the log"
        return Finding.error(resource, because, evidence, aspect="locked")
    days = stream.least_days_kept
    evidence += evidence_of(raw, f"streams[{stream.name}].least_days_kept", str(days))
    if days is None:
        because = "it holds no events, or some of which the log does not say how long they are kept"
        return Finding.failed(resource, because, evidence, aspect="locked")
    if days < params.worm_days:
        because = f"some events are locked for {days} days only, and it takes {params.worm_days}"
        return Finding.failed(resource, because, evidence, aspect="locked")
    because = f"every object is locked, no segment for less than {days} days"
    return Finding.passed(resource, because, evidence, aspect="locked")


def _compliance(archive: ArchiveEvidence, stream: ArchivedStreamEvidence, raw: Raw) -> Finding:
    resource = f"{archive.archive} {stream.name}"
    evidence = evidence_of(raw, f"streams[{stream.name}].lock", stream.lock)
    if stream.lock == "compliance":
        because = "its locks are of the kind that nobody lifts before their date"
        return Finding.passed(resource, because, evidence, aspect="compliance")
    if stream.lock == "none":
        because = "there is no lock whose mode could be judged: see the aspect locked"
        return Finding.not_applicable(resource, because, evidence, aspect="compliance")
    because = f"its mode is {stream.lock}: who has the right to bypass it can delete"
    return Finding.failed(resource, because, evidence, aspect="compliance")
