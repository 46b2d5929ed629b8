"""What a scan sees of an archive that belongs to a cluster: how far it reaches, and how well kept.

The document is made where archives are read and saved in bundles, so that a scan of a bundle
judges what was seen then.
"""

from datetime import datetime
from typing import Final

import msgspec

from kcompliance.model.cluster import Cluster
from kcompliance.model.reading import Kind, Raw, Reading, Seen, Unreadable

__all__ = [
    "ARCHIVE_EVIDENCE_SCHEMA",
    "ArchiveEvidence",
    "ArchiveFault",
    "ArchivedStreamEvidence",
    "archives_of",
    "parse_archive_evidence",
]

ARCHIVE_EVIDENCE_SCHEMA: Final = "kcompliance/archive-evidence/v1"
_MAX_BYTES: Final = 16 * 1024 * 1024


class ArchivedStreamEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the archive, as its log tells it."""

    name: str
    start: datetime | None = msgspec.field(name="from")
    """The begin of its first window; None where it has none."""
    end: datetime | None = msgspec.field(name="to")
    windows: int
    docs: int
    lock: str
    """The weakest that the log asks for any of its segments: none, governance or compliance."""
    gaps: int
    """Times between its windows that no window covers."""
    source_missing: int
    """Windows whose source was gone before they could be read."""
    least_days_kept: int | None
    """Of all its segments, the least whole days between the end of what one holds and the date
    until which the log says that it is kept; None where there is no segment, or one without."""
    last_commit: datetime | None


class ArchiveFault(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of `verify`."""

    code: str
    severity: str
    detail: str


class ArchiveEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One archive."""

    schema: str
    archive: str
    origin: str | None
    trusted: bool
    """A trust file vouched for its keys."""
    level: int
    """Of `verify`."""
    exit_code: int
    """Of `verify`, lock state included."""
    faults: list[ArchiveFault]
    """The gravest first, but not all where there are many."""
    faults_in_all: int
    streams: list[ArchivedStreamEvidence]
    """Those that belong to the cluster."""
    missing: list[str]
    """Streams that were declared and that the archive does not have."""


def parse_archive_evidence(data: bytes) -> ArchiveEvidence | str:
    """What a capture holds, or why it cannot be read."""
    if len(data) > _MAX_BYTES:
        return "too large"
    try:
        found = msgspec.json.decode(data, type=ArchiveEvidence)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    if found.schema != ARCHIVE_EVIDENCE_SCHEMA:
        return f"not {ARCHIVE_EVIDENCE_SCHEMA}"
    moments = (moment for each in found.streams for moment in (each.start, each.end))
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        return "a time without a zone"
    return found


def archives_of(cluster: Cluster) -> tuple[Reading[ArchiveEvidence], ...]:
    """The archives that were declared for the cluster, also if not there or not readable."""
    return (
        *(gap for gap in cluster.gaps if gap.origin.kind is Kind.ARCHIVE),
        *(each for each in cluster.absents if each.origin.kind is Kind.ARCHIVE),
        *(_seen(raw) for raw in cluster.texts.get(Kind.ARCHIVE, ())),
    )


def _seen(raw: Raw) -> Reading[ArchiveEvidence]:
    value = parse_archive_evidence(raw.content)
    if isinstance(value, str):
        return Unreadable(origin=raw.origin, reason=f"could not be read: {value}")
    return Seen(value=value, raw=raw)
