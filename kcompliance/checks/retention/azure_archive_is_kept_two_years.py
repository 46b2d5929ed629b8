"""KC-RET-008: Azure keeps the audit log for two years, by what really deletes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from kcompliance.checks.azure_sight import (
    group_unknown,
    of_settings,
    settings_partly,
    trails_to_judge,
)
from kcompliance.checks.interface import check
from kcompliance.checks.retention.azure_copies import Copy, audit_categories, copies_of
from kcompliance.model.archive_evidence import ArchiveEvidence, archives_of
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Seen
from kcompliance.model.retention import at_least, days_kept, required

__all__ = ["Params", "azure_archive_is_kept_two_years"]

_ASPECTS = ("main", "dead-retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-008."""

    archive_days: int = 730
    strict_months: bool = False


@check("KC-RET-008", params=Params)
def azure_archive_is_kept_two_years(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Azure archive for two years, without the dead retention of diagnostic settings

    Of each audit category that is shipped the copy that lives longest counts: a table, or blobs
    until a lifecycle rule deletes them.
    """
    for found in trails_to_judge(cluster, _ASPECTS):
        if isinstance(found, Finding):
            yield found
            continue
        yield from _main(cluster, found, params)
        yield _dead_retention(found)


def _main(cluster: Cluster, trail: Trail, params: Params) -> Iterator[Finding]:
    wanted = required(params.archive_days, strict_months=params.strict_months)
    categories = audit_categories(trail)
    for category in categories:
        copies = (*copies_of(trail, category), *_archives(cluster))
        yield _of_category(trail, category, copies, wanted)
    unknown = group_unknown(trail, "an audit category")
    if unknown is not None:
        yield unknown
    elif not categories:
        because = "no audit category is shipped, so nothing is kept: see KC-AUD-001"
        if trail.settings_whole:
            yield Finding.failed(trail.id, because, of_settings(trail))
        else:
            yield settings_partly(trail, because)


def _archives(cluster: Cluster) -> Iterator[Copy]:
    """What kcompliance itself archived of this cluster."""
    for archive in archives_of(cluster):
        if isinstance(archive, Seen):
            days = _days(archive.value)
            if days is not None:
                kept = timedelta(days=days)
                words = f"the archive {archive.value.archive} keeps it for {days_kept(kept)}"
                evidence = evidence_of(archive.raw, "streams[].least_days_kept", str(days))
                yield Copy(words=words, kept=kept, evidence=evidence)


def _days(archive: ArchiveEvidence) -> int | None:
    """The least of its streams; None where that cannot be relied on."""
    days = [stream.least_days_kept for stream in archive.streams]
    sound = archive.trusted and archive.exit_code == 0 and not archive.missing
    if not sound or not days or any(each is None for each in days):
        return None
    return min(each for each in days if each is not None)


def _of_category(
    trail: Trail, category: str, copies: tuple[Copy, ...], wanted: timedelta
) -> Finding:
    resource = f"{trail.id} {category}"
    evidence = of_settings(trail) + tuple(e for copy in copies for e in copy.evidence)
    notes = tuple(copy.note for copy in copies if copy.note)
    kept = [copy for copy in copies if copy.kept is not None]
    best = max(kept, key=lambda copy: copy.kept or timedelta(), default=None)
    if best is not None and best.kept is not None and at_least(best.kept, wanted):
        return Finding.passed(resource, best.words, evidence, notes=notes)
    words = "; ".join(copy.words for copy in copies)
    asked = f"{days_kept(wanted)} are asked for"
    gap = next((copy.gap for copy in copies if copy.gap is not None), None)
    if gap is not None:
        because = f"{asked}, and whether a copy is kept so long cannot be told: {words}"
        return Finding.error(resource, because, evidence, permission=gap.permission, notes=notes)
    if any(copy.kept is None for copy in copies):
        return Finding.manual(
            resource,
            f"{asked}, and no copy that was seen is kept so long: {words}",
            f"Where is {category} kept for {days_kept(wanted)}?",
            evidence,
            notes=notes,
        )
    because = f"no copy is kept for {days_kept(wanted)}: {words}"
    if not trail.settings_whole:
        return settings_partly(trail, because)
    return Finding.failed(resource, because, evidence, notes=notes)


def _dead_retention(trail: Trail) -> Finding:
    settings = trail.settings if isinstance(trail.settings, tuple) else ()
    evidence: tuple[Evidence, ...] = ()
    told: list[str] = []
    for setting in settings:
        for rule in setting.logs:
            if rule.dead_retention_days > 0:
                days = rule.dead_retention_days
                name = rule.category or f"group {rule.group}"
                told.append(f"{setting.name} asks for {days} days of {name}")
                place = f"value[{setting.name}].logs[].retentionPolicy"
                evidence += evidence_of(trail.raw_of(setting), place, f"{name}: {days} days")
    if told:
        because = (
            f"{'; '.join(told)}, which Azure ignores since 2025-09-30: the lifecycle rules of the "
            "storage account decide"
        )
        return Finding.failed(trail.id, because, evidence, aspect="dead-retention")
    because = "no diagnostic setting relies on a retention of its own"
    if not trail.settings_whole:
        return settings_partly(trail, because, "dead-retention")
    return Finding.passed(trail.id, because, of_settings(trail), aspect="dead-retention")
