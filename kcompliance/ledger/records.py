"""The records of an archive's log: what each type says, in format 1.

How they stand in bytes, and what makes one malformed, is in `record_codecs.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kcompliance.ledger.canonical import JsonObject
from kcompliance.ledger.findings import Fault, FindingCode
from kcompliance.ledger.names import StreamName
from kcompliance.ledger.note import VerifierKey
from kcompliance.ledger.times import Period
from kcompliance.model.digest import Sha256

__all__ = [
    "FORMAT",
    "AbandonedObject",
    "AbandonedRecord",
    "Clock",
    "CommitRecord",
    "FilePartition",
    "FileShare",
    "GenesisRecord",
    "IndexPartition",
    "IndexShare",
    "KeyRevocationRecord",
    "KeyRotationRecord",
    "LockMode",
    "MetadataRecord",
    "Record",
    "RetentionRecord",
    "RunReference",
    "SegmentRecord",
    "SegmentSource",
    "SourceKind",
    "StreamRecord",
    "StreamSource",
    "UnsupportedRecord",
    "WindowRecord",
    "WindowStatus",
]

FORMAT = 1
"""Of the archive, as its genesis states it."""


# --- genesis and commit -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisRecord:
    """Leaf 0: which archive this is."""

    archive_id: UUID
    created: datetime
    keys: tuple[VerifierKey, ...]
    """That signed at first. They show that an archive agrees with itself; they earn no trust."""
    tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReference:
    """The signed intent of a run, `run/<id>.json`, as it was when the run committed."""

    id: UUID
    size: int
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the writer's clock was set by."""

    source: str
    offset_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRecord:
    """The first record of each commit (after genesis in the first): it chains the checkpoints."""

    n: int
    prev: Sha256 | None
    """Of the checkpoint before, whole; None in the first commit only."""
    time: datetime
    clock: Clock | None
    run: RunReference
    actor: str


# --- streams ----------------------------------------------------------------------------------


class SourceKind(StrEnum):
    """What a stream is read from."""

    ELASTICSEARCH = "elasticsearch"
    OPENSEARCH = "opensearch"
    FILES = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSource:
    """Where a stream comes from."""

    kind: SourceKind
    cluster_uuid: str | None
    patterns: tuple[str, ...]
    """Index patterns, or paths and prefixes of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRecord:
    """What a stream's name is bound to. A later one for the same name binds it anew."""

    stream: StreamName
    source: StreamSource
    time_field: str | None
    filter: JsonObject | None
    """The whole query; None for all events."""
    window_seconds: int | None
    """None for files, whose windows are ranges of bytes."""


# --- windows ----------------------------------------------------------------------------------


class WindowStatus(StrEnum):
    """How a window was found when it was archived."""

    SEALED = "sealed"
    """All its events are archived: in every partition as many were written as were counted."""
    EMPTY = "empty"
    """It was looked at, and there was no event in it."""
    SOURCE_MISSING = "source-missing"
    """What should have held its events was gone: nobody knows whether there were any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPartition:
    """A shard of an index within a window."""

    index: str
    index_uuid: str
    shard: int
    expected: int
    written: int
    max_seq_no: int | None
    """The highest at the time, from which late events are found; -1 for a shard without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePartition:
    """A range of bytes of a file, which ends after a line."""

    file: Sha256
    """Of its first line, which stays when the file is rotated."""
    name: str
    start: int
    end: int
    expected: int
    written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRecord:
    """A window all of whose partitions counted out. Coverage is judged on these alone."""

    stream: StreamName
    start: datetime | None
    """`from` in JSON. None, with `end`: the events that have no time."""
    end: datetime | None
    """`to` in JSON. Of files: the time of the last event, which is inside."""
    rev: int
    """0 at first; every later search for late events that finds any adds one."""
    status: WindowStatus
    docs: int
    segments: tuple[Sha256, ...]
    partitions: tuple[IndexPartition | FilePartition, ...]


# --- objects ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShare:
    """How many of a segment's events are of this shard of an index."""

    index: str
    index_uuid: str
    shard: int
    docs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileShare:
    """How many of a segment's events are of this range of bytes of a file."""

    file: Sha256
    start: int
    end: int
    docs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSource:
    """Where a segment's events were read, and by which query."""

    cluster_uuid: str | None
    query_sha256: Sha256 | None
    shares: tuple[IndexShare | FileShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRecord:
    """One immutable object of archived events."""

    stream: StreamName
    start: datetime | None
    """`from` in JSON: of the window."""
    end: datetime | None
    """`to` in JSON: of the window."""
    time_field: str | None
    key: str
    size: int
    sha256: Sha256
    version_id: str | None
    content_size: int
    content_sha256: Sha256
    frames: tuple[tuple[int, int], ...]
    """Of each zstd frame: its size, and the size of what it holds."""
    docs: int
    events_root: Sha256
    """The root of the Merkle tree over the lines, in hex like a digest."""
    first_event: datetime | None
    last_event: datetime | None
    source: SegmentSource
    retain_until: datetime | None
    tool: str
    run: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRecord:
    """An object of index settings, mappings, templates and the like."""

    stream: StreamName
    key: str
    size: int
    sha256: Sha256
    version_id: str | None
    content_size: int
    content_sha256: Sha256
    retain_until: datetime | None
    tool: str
    run: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedObject:
    """An object that a dead run left."""

    key: str
    size: int
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedRecord:
    """What a dead run left behind: explained, and never read as data."""

    stream: StreamName
    run: UUID
    objects: tuple[AbandonedObject, ...]


# --- keys and retention -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotationRecord:
    """A new key. The checkpoint over this record is signed by it and by one trusted before."""

    vkey: VerifierKey
    replaces: VerifierKey | None
    """Signs that checkpoint for the last time. None: the new key joins the others."""
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevocationRecord:
    """A key that must not be trusted any more."""

    vkey: VerifierKey
    compromised: datetime | None
    """Since when others may have held it; None: it is not known to be."""
    reason: str
    time: datetime


class LockMode(StrEnum):
    """How firmly objects are locked; Azure's unlocked and locked policies are the last two."""

    NONE = "none"
    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"

    @property
    def strictness(self) -> int:
        """The higher, the fewer people can take such a lock off."""
        return list(LockMode).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRecord:
    """How long the objects that later records name are kept. It changes no earlier record's."""

    stream: StreamName | None
    """None: all streams without a record of their own."""
    retain: Period
    mode: LockMode
    time: datetime


Record = (
    GenesisRecord
    | CommitRecord
    | StreamRecord
    | WindowRecord
    | SegmentRecord
    | MetadataRecord
    | AbandonedRecord
    | KeyRotationRecord
    | KeyRevocationRecord
    | RetentionRecord
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedRecord:
    """A record of a type or version that a later kcompliance writes; its content is unknown."""

    type: str
    version: int

    @property
    def fault(self) -> Fault:
        """UNSUPPORTED_RECORD."""
        return Fault(
            code=FindingCode.UNSUPPORTED_RECORD,
            detail=f"this kcompliance knows no {self.type!r} records of version {self.version}",
        )
