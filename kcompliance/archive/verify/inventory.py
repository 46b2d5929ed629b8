"""What a commit says has to be there: each object with its size, its digest and its record."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from kcompliance.archive.log import Commit
from kcompliance.ledger import (
    AbandonedObject,
    Fault,
    FindingCode,
    KeyRing,
    MetadataRecord,
    RunReference,
    SegmentRecord,
    format_time,
    run_name,
)
from kcompliance.model.digest import Sha256

__all__ = ["Expected", "ExpectedRun", "Kind", "expected_objects", "fault_of", "log_objects"]


class Kind(Enum):
    """What an object is."""

    SEGMENT = auto()
    METADATA = auto()
    RUN = auto()
    LOG = auto()
    CHECKPOINT = auto()
    ABANDONED = auto()


@dataclass(frozen=True, slots=True)
class ExpectedRun:
    """The intent of a committed run, and the keys that may have signed it."""

    reference: RunReference
    keys: KeyRing
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An object that has to be there."""

    kind: Kind
    key: str
    size: int | None = None
    """None: whoever read the log has read it whole."""
    sha256: Sha256 | None = None
    version_id: str | None = None
    record: SegmentRecord | MetadataRecord | ExpectedRun | AbandonedObject | None = None
    committed: datetime | None = None
    """When the commit that names it was made."""


def expected_objects(commit: Commit, *, keys: KeyRing, origin: str) -> Iterator[Expected]:
    """What the records of a commit name, besides the log's own objects."""
    record = commit.record
    time = record.time if record is not None else None
    if record is not None:
        yield Expected(
            kind=Kind.RUN,
            key=run_name(record.run.id),
            size=record.run.size,
            sha256=record.run.sha256,
            record=ExpectedRun(record.run, keys, origin),
            committed=time,
        )
    for leaf in commit.leaves:
        each = leaf.record
        if isinstance(each, SegmentRecord | MetadataRecord):
            yield Expected(
                kind=Kind.SEGMENT if isinstance(each, SegmentRecord) else Kind.METADATA,
                key=each.key,
                size=each.size,
                sha256=each.sha256,
                version_id=each.version_id,
                record=each,
                committed=time,
            )


def log_objects(commit: Commit) -> Iterator[Expected]:
    """The objects that make up the commit itself; they have been read."""
    record = commit.record
    time = record.time if record is not None else None
    yield Expected(kind=Kind.LOG, key=commit.log_key, committed=time)
    if commit.checkpoint is not None:
        yield Expected(kind=Kind.CHECKPOINT, key=commit.checkpoint_key, committed=time)


def fault_of(expected: Expected, code: FindingCode, detail: str) -> Fault:
    """A finding about an object, with its stream and window where it has those."""
    record = expected.record
    start = record.start if isinstance(record, SegmentRecord) else None
    end = record.end if isinstance(record, SegmentRecord) else None
    return Fault(
        code=code,
        detail=detail,
        object=expected.key,
        stream=record.stream if isinstance(record, SegmentRecord | MetadataRecord) else None,
        start=None if start is None else format_time(start),
        end=None if end is None else format_time(end),
    )
