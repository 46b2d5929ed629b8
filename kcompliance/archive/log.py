"""The committed log of an archive, read from its store and judged on the way.

One reader for everybody: who writes on, lists, proves or verifies reads the log through here. A
checkpoint that no trusted key signed is a fault and is stepped over; of the batches only that one
is read whose name carries the root that was signed. After a fault the reading goes on where the
next signed root allows it, so that one fault is told once.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from kcompliance.ledger import (
    Batch,
    CommitRecord,
    Fault,
    FindingCode,
    Frontier,
    GenesisRecord,
    KeyRing,
    Leaf,
    LogName,
    SignedCheckpoint,
    TrustedKey,
    batch_fault,
    checkpoint_name,
    decode_leaves,
    faults_of,
    introduced_keys,
    log_name,
    origin_of,
    parse_checkpoint,
    parse_name,
    read_batch,
    signature_fault,
)
from kcompliance.ledger.names import CheckpointName
from kcompliance.ledger.note import MAX_NOTE_BYTES
from kcompliance.ledger.records import Record, UnsupportedRecord
from kcompliance.stores.interface import Damaged, NotThere, Store

__all__ = ["MAX_BATCH_BYTES", "Commit", "LogEnd", "LogReader", "records_under"]

MAX_BATCH_BYTES = 64 * 1024 * 1024
"""Of the records of one commit: they are read as a whole."""

_READ_AHEAD = 32
_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit whose checkpoint a trusted key signed and whose records lead to its root."""

    number: int
    checkpoint: SignedCheckpoint | None
    """None where the checkpoint is missing and a later one vouches for the records."""
    batch: Batch
    leaves: tuple[Leaf, ...]
    log_key: str
    log_size: int
    checkpoint_key: str
    checkpoint_size: int

    @property
    def records(self) -> tuple[Record | UnsupportedRecord, ...]:
        """The records that could be decoded, in their order."""
        return tuple(leaf.record for leaf in self.leaves if not isinstance(leaf.record, Fault))

    @property
    def record(self) -> CommitRecord | None:
        """The record of the commit itself; None where it is malformed."""
        for record in self.records[:2]:
            if isinstance(record, CommitRecord):
                return record
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEnd:
    """What is known after the last commit: all that is needed in order to write the next."""

    origin: str
    number: int
    """Of the last commit."""
    next_number: int
    """The first free one: above every object in `cp/`, whoever put it there."""
    checkpoint: SignedCheckpoint
    frontier: Frontier
    keys: KeyRing
    time: datetime | None
    """Of the last commit."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    number: int
    data: bytes
    checkpoint: SignedCheckpoint | Fault
    batch: bytes | None
    """None where there is none of this name."""


class LogReader:
    """Reads a log once, from its first commit to its last.

    Without `origin` and `keys` those are taken that the archive names itself: then it can only be
    found to agree with itself. Raises `StoreError` where the store gives no answer.
    """

    def __init__(
        self, store: Store, *, origin: str | None = None, keys: KeyRing | None = None
    ) -> None:
        self.faults: list[Fault] = []
        """Found so far; complete when `commits` has ended."""
        self.origin = origin
        self.end: LogEnd | None = None
        """After the last commit that was read; None while there is none."""
        self.roots: dict[int, bytes] = {}
        """The signed root of each size that was ever signed: what a pin is compared with."""
        self._store = store
        self._keys = keys
        self._given_keys = keys
        self._frontier: Frontier | None = Frontier()
        self._last: SignedCheckpoint | None = None
        self._time: datetime | None = None
        self._chain_is_known = True
        """Whether `_last` is the checkpoint that the next commit has to name."""

    def commits(self) -> Iterator[Commit]:
        """The commits in their order; what cannot be one is left out and becomes a fault."""
        checkpoints, batches = self._listing()
        if not checkpoints:
            self._fault(FindingCode.NO_CHECKPOINT, "no checkpoint is there", "cp/")
        if self._given_keys is None:
            self._believe_genesis(checkpoints, batches)
        next_number = max(checkpoints, default=-1) + 1
        before = -1
        for fetched in self._fetch(checkpoints, batches):
            opened = self._open(fetched)
            if opened is None:
                continue
            between = range(before + 1, fetched.number)
            yield from self._without_checkpoints(between, checkpoints, batches, fetched)
            before = fetched.number
            commit = self._commit(fetched, opened, checkpoints[fetched.number])
            self._advance(opened, commit, fetched.number, next_number)
            if commit is not None:
                yield commit

    # --- what is there --------------------------------------------------------------------------

    def _listing(self) -> tuple[Mapping[int, int], Mapping[int, dict[str, int]]]:
        """The sizes of all checkpoints, and of all batches by their number."""
        checkpoints: dict[int, int] = {}
        for entry in self._store.list("cp/"):
            name = parse_name(entry.key)
            if isinstance(name, CheckpointName):
                checkpoints[name.number] = entry.size
        batches: dict[int, dict[str, int]] = {}
        for entry in self._store.list("log/"):
            name = parse_name(entry.key)
            if isinstance(name, LogName):
                batches.setdefault(name.number, {})[entry.key] = entry.size
        return dict(sorted(checkpoints.items())), batches

    def _fetch(
        self, checkpoints: Mapping[int, int], batches: Mapping[int, dict[str, int]]
    ) -> Iterator[_Fetched]:
        """All checkpoints with their batches, in order; some are read ahead."""
        waiting: deque[Future[_Fetched]] = deque()
        numbers = iter(checkpoints.items())
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="log") as pool:
            try:
                while True:
                    while len(waiting) < _READ_AHEAD and (each := next(numbers, None)) is not None:
                        number, size = each
                        known = batches.get(number, {})
                        waiting.append(pool.submit(self._fetch_one, number, size, known))
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _fetch_one(self, number: int, size: int, batches: Mapping[str, int]) -> _Fetched:
        key = checkpoint_name(number)
        data = self._get(key, size, MAX_NOTE_BYTES)
        if data is None:
            return _Fetched(number, b"", _malformed("cannot be read whole", key), None)
        signed = parse_checkpoint(data)
        if isinstance(signed, Fault):
            return _Fetched(number, data, replace(signed, object=key), None)
        log_key = log_name(number, signed.checkpoint.root)
        batch = None
        if log_key in batches:
            batch = self._get(log_key, batches[log_key], MAX_BATCH_BYTES)
            batch = b"" if batch is None else batch
        return _Fetched(number, data, signed, batch)

    def _get(self, key: str, size: int, most: int) -> bytes | None:
        """The object; None where it is too large, gone, or not what its checksum was made of."""
        if size > most:
            return None
        try:
            return self._store.get(key, end=most + 1)
        except (Damaged, NotThere):
            return None

    def _believe_genesis(
        self, checkpoints: Mapping[int, int], batches: Mapping[int, dict[str, int]]
    ) -> None:
        """Take origin and keys from the first genesis that leads to the root of its checkpoint."""
        self._keys = KeyRing(())
        for number in checkpoints:
            fetched = self._fetch_one(number, checkpoints[number], batches.get(number, {}))
            if isinstance(fetched.checkpoint, Fault) or not fetched.batch:
                continue
            batch = read_batch(fetched.batch)
            if isinstance(batch, Fault) or batch.start != 0:
                continue
            genesis = decode_leaves(batch)[0].record
            if isinstance(genesis, GenesisRecord):
                self.origin = self.origin or origin_of(genesis.archive_id)
                self._keys = KeyRing(tuple(TrustedKey(key=key) for key in genesis.keys))
                return

    # --- judging --------------------------------------------------------------------------------

    def _open(self, fetched: _Fetched) -> SignedCheckpoint | None:
        """The checkpoint, if a key that is trusted here signed it; a fault where none did."""
        key = checkpoint_name(fetched.number)
        if isinstance(fetched.checkpoint, Fault):
            self.faults.append(fetched.checkpoint)
            return None
        signed = fetched.checkpoint
        fault = signature_fault(
            signed,
            origin=self.origin or signed.checkpoint.origin,
            keys=self._keys or KeyRing(()),
            introduced=introduced_keys(records_under(signed, fetched.batch)),
        )
        if fault is not None:
            self.faults.append(replace(fault, object=key))
            return None
        if self._last is not None and signed.checkpoint.size <= self._last.checkpoint.size:
            self._fault(
                FindingCode.SIZE_REGRESSION,
                f"covers {signed.checkpoint.size} records, "
                f"and the one before it {self._last.checkpoint.size}",
                key,
            )
            return None
        return signed

    def _commit(self, fetched: _Fetched, signed: SignedCheckpoint, size: int) -> Commit | None:
        """The commit of a signed checkpoint; a fault where its records are not those it signs."""
        key = log_name(fetched.number, signed.checkpoint.root)
        if fetched.batch is None:
            self._fault(FindingCode.LEAF_MISSING, "the records of this commit are missing", key)
            return None
        batch = read_batch(fetched.batch)
        if isinstance(batch, Fault):
            self.faults.append(replace(batch, object=key))
            return None
        fault = batch_fault(batch, signed.checkpoint, previous=self._frontier)
        if fault is None and self._frontier is None and self._last and self._chain_is_known:
            fault = _root_fault(batch.before, self._last)
        if fault is not None:
            self.faults.append(replace(fault, object=key))
            if batch_fault(batch, signed.checkpoint) is not None:
                return None
        commit = Commit(
            number=fetched.number,
            checkpoint=signed,
            batch=batch,
            leaves=decode_leaves(batch),
            log_key=key,
            log_size=len(fetched.batch),
            checkpoint_key=checkpoint_name(fetched.number),
            checkpoint_size=size,
        )
        self.faults += (replace(each, object=key) for each in faults_of(commit.leaves))
        self._check_chain(commit, batch_is_next=fault is None)
        return commit

    def _check_chain(self, commit: Commit, *, batch_is_next: bool) -> None:
        record = commit.record
        if record is None:
            return
        if record.n != commit.number:
            detail = f"the commit says to be number {record.n}"
            self._fault(FindingCode.CHAIN_BROKEN, detail, commit.log_key)
        elif (
            batch_is_next
            and self._chain_is_known
            and record.prev != (self._last and self._last.sha256)
        ):
            detail = "the commit does not name the checkpoint that is there before it"
            self._fault(FindingCode.CHAIN_BROKEN, detail, commit.log_key)
        if self._time is not None and record.time < self._time:
            detail = f"dated {record.time:%Y-%m-%dT%H:%M:%SZ}, before the commit that it follows"
            self._fault(FindingCode.CLOCK_ROLLBACK, detail, commit.log_key)

    def _without_checkpoints(
        self,
        numbers: range,
        checkpoints: Mapping[int, int],
        batches: Mapping[int, dict[str, int]],
        later: _Fetched,
    ) -> Iterator[Commit]:
        """Commits whose checkpoints are missing or spoiled: read where a later root covers them.

        A number at which somebody else's object lies was told already, and may never have been a
        commit.
        """
        for number in numbers:
            if number not in checkpoints:
                key = checkpoint_name(number)
                self._fault(FindingCode.CHAIN_BROKEN, "this checkpoint is missing", key)
        target = read_batch(later.batch) if later.batch and len(numbers) else None
        if target is None or isinstance(target, Fault) or target.before == self._frontier:
            return
        found = self._bridge(tuple(numbers), self._frontier, target.before, batches)
        for commit in found or ():
            self._frontier = commit.batch.after
            self._keys = (self._keys or KeyRing(())).after(commit.records, size=self._frontier.size)
            self._time = commit.record.time if commit.record is not None else self._time
            self._chain_is_known = False
            yield commit
        if not found:
            self._frontier, self._chain_is_known = None, False
            keys = [checkpoint_name(number) for number in numbers]
            self._fault(FindingCode.LEAF_MISSING, "the records of this commit are lost", keys[0])

    def _bridge(
        self,
        numbers: tuple[int, ...],
        start: Frontier | None,
        target: Frontier,
        batches: Mapping[int, dict[str, int]],
    ) -> tuple[Commit, ...] | None:
        """The commits that lead from one frontier to another, among batches of these numbers."""
        if start == target:
            return ()
        for place, number in enumerate(numbers):
            for key, size in sorted(batches.get(number, {}).items()):
                commit = self._unsigned(number, key, size, start)
                if commit is None:
                    continue
                after = commit.batch.after
                rest = self._bridge(numbers[place + 1 :], after, target, batches)
                if rest is not None:
                    return (commit, *rest)
        return None

    def _unsigned(self, number: int, key: str, size: int, start: Frontier | None) -> Commit | None:
        """A batch that goes on from here and leads where its name says."""
        data = self._get(key, size, MAX_BATCH_BYTES)
        batch = read_batch(data) if data else None
        if batch is None or isinstance(batch, Fault) or batch.before != start:
            return None
        if log_name(number, batch.after.root) != key:
            return None
        return Commit(
            number=number,
            checkpoint=None,
            batch=batch,
            leaves=decode_leaves(batch),
            log_key=key,
            log_size=size,
            checkpoint_key=checkpoint_name(number),
            checkpoint_size=0,
        )

    def _advance(
        self, signed: SignedCheckpoint, commit: Commit | None, number: int, next_number: int
    ) -> None:
        self._last = signed
        self._chain_is_known = True
        self.roots[signed.checkpoint.size] = signed.checkpoint.root
        if commit is None:
            self._frontier = None
            return
        self._frontier = commit.batch.after
        self._keys = (self._keys or KeyRing(())).after(commit.records, size=self._frontier.size)
        record = commit.record
        if record is not None:
            self._time = record.time
        self.end = LogEnd(
            origin=signed.checkpoint.origin,
            number=number,
            next_number=next_number,
            checkpoint=signed,
            frontier=self._frontier,
            keys=self._keys,
            time=self._time,
        )

    def _fault(self, code: FindingCode, detail: str, object_: str) -> None:
        self.faults.append(Fault(code=code, detail=detail, object=object_))


def records_under(
    signed: SignedCheckpoint, batch: bytes | None
) -> tuple[Record | UnsupportedRecord, ...]:
    """The records below a checkpoint that is not believed yet, if they lead to its root."""
    read = read_batch(batch) if batch else None
    if read is None or isinstance(read, Fault):
        return ()
    if batch_fault(read, signed.checkpoint) is not None:
        return ()
    return tuple(leaf.record for leaf in decode_leaves(read) if not isinstance(leaf.record, Fault))


def _root_fault(before: Frontier, last: SignedCheckpoint) -> Fault | None:
    """Records that go on after a commit whose own records are missing have to fit its root."""
    checkpoint = last.checkpoint
    if (before.size, before.root) == (checkpoint.size, checkpoint.root):
        return None
    detail = "goes on from another tree than the checkpoint before it signs"
    return Fault(code=FindingCode.ROOT_MISMATCH, detail=detail)


def _malformed(detail: str, key: str) -> Fault:
    return Fault(code=FindingCode.CHECKPOINT_MALFORMED, detail=detail, object=key)
