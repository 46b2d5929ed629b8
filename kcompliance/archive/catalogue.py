"""What an archive holds, out of its log alone: streams, windows, segments and where they stand.

One fold for all who look at an archive without writing events: `list`, `show`, `cat`, `prove` and
the changes of keys. Nothing of the objects themselves is read here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kcompliance.archive.log import Commit, LogEnd, LogReader
from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.ledger import (
    CommitRecord,
    Coverage,
    Fault,
    FindingCode,
    GenesisRecord,
    KeyRevocationRecord,
    KeyRotationRecord,
    LockMode,
    MetadataRecord,
    Pin,
    RetentionRecord,
    SegmentRecord,
    SignedCheckpoint,
    StreamName,
    StreamRecord,
    Trust,
    WindowRecord,
    coverage,
    leaf_hash,
)
from kcompliance.stores.interface import NotThere, Store

__all__ = [
    "ArchivedCommit",
    "ArchivedSegment",
    "Catalogue",
    "CataloguedStream",
    "NoArchive",
    "NotAsSigned",
    "read_catalogue",
]


class NoArchive(KcomplianceError):
    """Where an archive was looked for there is none."""

    exit_code = ExitCode.USAGE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "no-archive"


class NotAsSigned(KcomplianceError):
    """Something in an archive, or in a proof, is not what was signed."""

    def __init__(self, fault: Fault, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.fault = fault
        self.exit_code = fault.code.exit_code

    @property
    def code(self) -> str:
        """The finding's own code, as `verify` names it."""
        return self.fault.code.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedCommit:
    """A commit, and where its leaves are: `[start, start + leaves)`."""

    number: int
    checkpoint_key: str
    checkpoint: SignedCheckpoint | None
    """None where it is lost and a later one vouches for the records."""
    start: int
    leaves: int
    record: CommitRecord | None
    """None where it is malformed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedSegment:
    """A segment's record and its place in the log."""

    record: SegmentRecord
    leaf: int
    """The index of the record among all leaves of the log."""
    commit: int


@dataclass(slots=True, kw_only=True)
class CataloguedStream:
    """All that the log says of one stream."""

    name: StreamName
    binding: StreamRecord | None = None
    """The last; None where the log lacks it."""
    bindings: int = 0
    windows: list[WindowRecord] = field(default_factory=list)
    """In the order of the log, all revisions."""
    segments: dict[str, ArchivedSegment] = field(default_factory=dict)
    """By the name of the object."""
    locks: set[LockMode] = field(default_factory=set)
    """What the log asked for when each of its segments was committed."""

    @property
    def coverage(self) -> Coverage:
        """Judged anew each time."""
        return coverage(self.name, self.windows)

    @property
    def of_files(self) -> bool:
        """Whether its windows are ranges of files, which have no grid of time."""
        return self.binding is not None and self.binding.window_seconds is None


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """An archive as its log tells it."""

    url: str
    origin: str
    genesis: GenesisRecord | None = None
    end: LogEnd
    trusted: bool
    """Whether a trust file's keys signed; else it only agrees with itself."""
    faults: list[Fault] = field(default_factory=list)
    """Of the log, and of the trust file's pin."""
    commits: dict[int, ArchivedCommit] = field(default_factory=dict)
    streams: dict[StreamName, CataloguedStream] = field(default_factory=dict)
    rotations: list[KeyRotationRecord] = field(default_factory=list)
    revocations: list[KeyRevocationRecord] = field(default_factory=list)
    latest_retention: datetime | None = None
    """The latest date until which a record says that an object is kept."""
    lock_mode: LockMode = LockMode.NONE
    """The strictest that a retention record of any stream asks for."""
    leaf_hashes: list[bytes] = field(default_factory=list)
    """Of all leaves, where they were asked for and none is missing."""
    lost: frozenset[str] = frozenset()
    """The objects through whose faults records are lost that were once committed."""

    @property
    def segments(self) -> Iterator[ArchivedSegment]:
        """Those of all streams."""
        for stream in self.streams.values():
            yield from stream.segments.values()

    @property
    def doubts(self) -> tuple[Fault, ...]:
        """The faults that leave open what was committed.

        Not among them: an object at a checkpoint's name that no trusted key signed and where no
        commit is missing. It is stepped over, and is in nobody's way.
        """
        return tuple(
            fault
            for fault in self.faults
            if fault.code not in _STEPPED_OVER or fault.object in self.lost
        )

    def require_sound(self) -> None:
        """Raise `NotAsSigned` unless what was committed is beyond doubt, as far as it is known.

        Records that only a later kcompliance knows are told by `faults`.
        """
        self._require(
            (each for each in self.doubts if each.code.exit_code is not ExitCode.INCOMPLETE),
            "see: kcompliance verify",
        )

    def require_writable(self) -> None:
        """Raise `NotAsSigned` unless all that was committed is beyond doubt and known."""
        self._require(self.doubts, "nothing was written; see: kcompliance verify")

    def _require(self, none_of: Iterable[Fault], hint: str) -> None:
        for fault in none_of:
            place = f"{fault.object}: " if fault.object else ""
            raise NotAsSigned(
                fault,
                f'the log of "{self.url}" is not sound: {fault.code}: {place}{fault.detail}',
                hint,
            )


def read_catalogue(store: Store, trust: Trust | None, *, leaf_hashes: bool = False) -> Catalogue:
    """Read the log of an archive to its end.

    Faults of the log are in the catalogue, not raised. Raises `NoArchive` where there is nothing,
    `NotAsSigned` where there are checkpoints and none of them is the archive's, and `StoreError`.
    """
    reader = LogReader(
        store,
        origin=trust.origin if trust is not None else None,
        keys=trust.ring if trust is not None else None,
    )
    fold = _Fold(pin=trust.pin if trust is not None else None, keep_hashes=leaf_hashes)
    try:
        for commit in reader.commits():
            fold.add(commit)
    except NotThere as error:
        raise NoArchive(f'no archive at "{store.url}": {error.message}', _WHERE) from error
    if reader.end is None:
        raise _nothing(store, trust, reader.faults)
    catalogue = fold.catalogue(store.url, reader.end, trusted=trust is not None)
    catalogue.faults = [*reader.faults, *fold.pin_faults(reader.end)]
    catalogue.lost = frozenset(reader.lost)
    if len(catalogue.leaf_hashes) != reader.end.frontier.size:
        catalogue.leaf_hashes = []
    return catalogue


_WHERE = "an archive is a folder, file:///FOLDER, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER"
_STEPPED_OVER = frozenset(
    {
        FindingCode.CHECKPOINT_MALFORMED,
        FindingCode.SIG_INVALID,
        FindingCode.WRONG_ORIGIN,
        FindingCode.KEY_OUT_OF_RANGE,
        FindingCode.SIZE_REGRESSION,
    }
)


def _nothing(store: Store, trust: Trust | None, faults: Iterable[Fault]) -> KcomplianceError:
    first = next((each for each in faults if each.code is not FindingCode.NO_CHECKPOINT), None)
    if first is not None:
        return NotAsSigned(
            first,
            f'no checkpoint of "{store.url}" can be trusted: {first.code}: {first.detail}',
            "give the trust file of this archive" if trust is not None else "kcompliance verify",
        )
    if trust is not None:
        return NotAsSigned(
            Fault(code=FindingCode.NO_CHECKPOINT, detail="no checkpoint is there", object="cp/"),
            f'"{store.url}" holds no checkpoint, and the trust file says that there is one',
            "another place was meant, or the archive was deleted",
        )
    return NoArchive(f'no archive at "{store.url}": it holds no checkpoint', _WHERE)


class _Fold:
    """Takes commit after commit; what it has is a catalogue once there was one."""

    def __init__(self, *, pin: Pin | None, keep_hashes: bool) -> None:
        self._pin = pin
        self._root_at_pin: bytes | None = None
        self._keep_hashes = keep_hashes
        self._hashes: list[bytes] = []
        self._genesis: GenesisRecord | None = None
        self._commits: dict[int, ArchivedCommit] = {}
        self._streams: dict[StreamName, CataloguedStream] = {}
        self._rotations: list[KeyRotationRecord] = []
        self._revocations: list[KeyRevocationRecord] = []
        self._latest: datetime | None = None
        self._modes: dict[StreamName | None, LockMode] = {}

    def add(self, commit: Commit) -> None:
        start, leaves = commit.batch.start, commit.batch.leaves
        self._commits[commit.number] = ArchivedCommit(
            number=commit.number,
            checkpoint_key=commit.checkpoint_key,
            checkpoint=commit.checkpoint,
            start=start,
            leaves=len(leaves),
            record=commit.record,
        )
        if self._keep_hashes and start == len(self._hashes):
            self._hashes += map(leaf_hash, leaves)
        if self._pin is not None and start < self._pin.size <= start + len(leaves):
            first = map(leaf_hash, leaves[: self._pin.size - start])
            self._root_at_pin = commit.batch.before.extended(first).root
        for leaf in commit.leaves:
            self._add(leaf.record, leaf.index, commit.number)
        for leaf in commit.leaves:
            if isinstance(leaf.record, SegmentRecord):
                stream = leaf.record.stream
                mode = self._modes.get(stream, self._modes.get(None, LockMode.NONE))
                self._stream(stream).locks.add(mode)

    def _add(self, record: object, leaf: int, commit: int) -> None:
        match record:
            case GenesisRecord():
                self._genesis = record
            case StreamRecord():
                stream = self._stream(record.stream)
                stream.binding = record
                stream.bindings += 1
            case WindowRecord():
                self._stream(record.stream).windows.append(record)
            case SegmentRecord():
                entry = ArchivedSegment(record=record, leaf=leaf, commit=commit)
                self._stream(record.stream).segments.setdefault(record.key, entry)
                self._keep(record.retain_until)
            case MetadataRecord():
                self._keep(record.retain_until)
            case RetentionRecord():
                self._modes[record.stream] = record.mode
            case KeyRotationRecord():
                self._rotations.append(record)
            case KeyRevocationRecord():
                self._revocations.append(record)
            case _:
                pass

    def _stream(self, name: StreamName) -> CataloguedStream:
        return self._streams.setdefault(name, CataloguedStream(name=name))

    def _keep(self, until: datetime | None) -> None:
        if until is not None and (self._latest is None or until > self._latest):
            self._latest = until

    def catalogue(self, url: str, end: LogEnd, *, trusted: bool) -> Catalogue:
        return Catalogue(
            url=url,
            origin=end.origin,
            genesis=self._genesis,
            end=end,
            trusted=trusted,
            commits=self._commits,
            streams=dict(sorted(self._streams.items())),
            rotations=self._rotations,
            revocations=self._revocations,
            latest_retention=self._latest,
            lock_mode=_strictest(self._modes),
            leaf_hashes=self._hashes,
        )

    def pin_faults(self, end: LogEnd) -> Iterator[Fault]:
        """What the pin remembers otherwise."""
        pin = self._pin
        if pin is None or self._root_at_pin == pin.root:
            return
        size = end.checkpoint.checkpoint.size
        if size < pin.size:
            detail = f"{size} records, where the trust file remembers {pin.size}"
            yield Fault(code=FindingCode.ROLLBACK_VS_PIN, detail=detail)
        else:
            detail = f"another root at size {pin.size} than the trust file remembers"
            yield Fault(code=FindingCode.FORK_VS_PIN, detail=detail)


def _strictest(modes: Mapping[StreamName | None, LockMode]) -> LockMode:
    return max(modes.values(), key=lambda mode: mode.strictness, default=LockMode.NONE)
