"""What a writer has to know of an archive: the log, folded commit by commit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kcompliance.archive.interface import ArchivedFile, ArchivedStream, ArchivedWindow, Window
from kcompliance.archive.log import LogEnd, LogReader
from kcompliance.ledger import (
    AbandonedRecord,
    CommitRecord,
    Fault,
    FilePartition,
    FindingCode,
    GenesisRecord,
    IndexPartition,
    LockMode,
    MetadataRecord,
    Record,
    RetentionRecord,
    SegmentRecord,
    StreamName,
    StreamRecord,
    UnsupportedRecord,
    WindowRecord,
    checkpoint_name,
    leaf_hash,
    run_name,
)
from kcompliance.model.digest import Sha256

__all__ = ["ArchiveState", "CommittedObjects", "read_state", "stops_writing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedObjects:
    """What belongs to the log of one commit, and is kept a year longer than what it speaks of."""

    keys: tuple[str, ...]
    latest_retention: datetime | None
    """The latest date of any object of the archive at that time."""
    mode: LockMode
    """The least that any stream of the archive asked for at that time."""


@dataclass(slots=True, kw_only=True)
class ArchiveState:
    """The log as far as it was read, seen by who archives one stream."""

    stream: StreamName
    genesis: GenesisRecord | None = None
    end: LogEnd | None = None
    faults: list[Fault] = field(default_factory=list)
    lost: frozenset[str] = frozenset()
    """The objects through whose faults records are lost that were once committed."""
    binding: StreamRecord | None = None
    retention: RetentionRecord | None = None
    windows: dict[Window, ArchivedWindow] = field(default_factory=dict)
    files: dict[Sha256, ArchivedFile] = field(default_factory=dict)
    segments: set[Sha256] = field(default_factory=set)
    """Of this stream, those that a record names."""
    metadata: set[Sha256] = field(default_factory=set)
    runs: set[UUID] = field(default_factory=set)
    """Those that committed."""
    batches: set[str] = field(default_factory=set)
    """The names of the committed ones."""
    abandoned: set[str] = field(default_factory=set)
    """The names of objects that are explained as left by dead runs."""
    commits: list[CommittedObjects] = field(default_factory=list)
    latest_retention: datetime | None = None
    """The latest date until which any object of the archive is kept."""
    modes: dict[StreamName | None, LockMode] = field(default_factory=dict)
    """How firmly the objects of each stream are locked."""
    root_at_pin: bytes | None = None
    """The root at the size that was asked for, once the log has reached it."""

    @property
    def archived(self) -> ArchivedStream:
        """What a source wants to know."""
        return ArchivedStream(
            stream=self.stream, binding=self.binding, windows=self.windows, files=self.files
        )

    def add(self, records: Iterable[Record | UnsupportedRecord], log_key: str) -> None:
        """Take the records of one more commit into account."""
        self.batches.add(log_key)
        keys = [log_key]
        for record in records:
            match record:
                case GenesisRecord():
                    self.genesis = record
                case CommitRecord():
                    self.runs.add(record.run.id)
                    keys += [checkpoint_name(record.n), run_name(record.run.id)]
                case RetentionRecord():
                    self._add_retention(record)
                case StreamRecord() if record.stream == self.stream:
                    self.binding = record
                case WindowRecord() if record.stream == self.stream:
                    self._add_window(record)
                case SegmentRecord():
                    if record.stream == self.stream:
                        self.segments.add(record.sha256)
                    self._keep(record.retain_until)
                case MetadataRecord():
                    self.metadata.add(record.sha256)
                    keys.append(record.key)
                    self._keep(record.retain_until)
                case AbandonedRecord():
                    self.abandoned.update(each.key for each in record.objects)
                case _:
                    pass
        self.commits.append(
            CommittedObjects(
                keys=tuple(keys),
                latest_retention=self.latest_retention,
                mode=min(
                    self.modes.values(), key=lambda mode: mode.strictness, default=LockMode.NONE
                ),
            )
        )

    def _add_retention(self, record: RetentionRecord) -> None:
        self.modes[record.stream] = record.mode
        if record.stream == self.stream or (record.stream is None and self.retention is None):
            self.retention = record

    def _keep(self, until: datetime | None) -> None:
        if until is not None and (self.latest_retention is None or until > self.latest_retention):
            self.latest_retention = until

    def _add_window(self, record: WindowRecord) -> None:
        files = [part for part in record.partitions if isinstance(part, FilePartition)]
        for part in files:
            known = self.files.get(part.file)
            if known is None or known.end < part.end:
                self.files[part.file] = ArchivedFile(file=part.file, name=part.name, end=part.end)
        if files:
            return
        window = Window(start=record.start, end=record.end)
        before = self.windows.get(window)
        highest = dict(before.max_seq_no) if before is not None else {}
        for each in record.partitions:
            if isinstance(each, IndexPartition) and each.max_seq_no is not None:
                place = (each.index_uuid, each.shard)
                highest[place] = max(highest.get(place, -1), each.max_seq_no)
        is_last = before is None or record.rev >= before.rev
        self.windows[window] = ArchivedWindow(
            window=window,
            rev=record.rev if before is None else max(before.rev, record.rev),
            status=record.status if before is None or is_last else before.status,
            docs=record.docs + (before.docs if before is not None else 0),
            max_seq_no=highest,
        )


def read_state(
    reader: LogReader, stream: StreamName, *, pin_size: int | None = None
) -> ArchiveState:
    """Read a log to its end; `faults` holds what is wrong with it."""
    state = ArchiveState(stream=stream)
    for commit in reader.commits():
        state.add(commit.records, commit.log_key)
        start = commit.batch.start
        if pin_size is not None and start < pin_size <= start + len(commit.leaves):
            hashes = map(leaf_hash, commit.batch.leaves[: pin_size - start])
            state.root_at_pin = commit.batch.before.extended(hashes).root
    state.end = reader.end
    state.faults = reader.faults
    state.lost = frozenset(reader.lost)
    return state


_STEPPED_OVER = {
    FindingCode.CHECKPOINT_MALFORMED,
    FindingCode.SIG_INVALID,
    FindingCode.WRONG_ORIGIN,
    FindingCode.KEY_OUT_OF_RANGE,
    FindingCode.SIZE_REGRESSION,
}
"""What an object at a free checkpoint's name can be: no commit, and so in nobody's way."""


def stops_writing(state: ArchiveState) -> Fault | None:
    """The first fault for which nothing may be added to this log before a human has looked."""
    return next(
        (
            each
            for each in state.faults
            if each.code not in _STEPPED_OVER or each.object in state.lost
        ),
        None,
    )
