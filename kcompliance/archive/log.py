"""The committed log of an archive, read from its store and judged on the way.

One reader for everybody: who writes on, lists, proves or verifies reads the log through here. A
checkpoint that no trusted key signed is a fault and is stepped over; of the batches only that one
is read whose name carries the root that was signed. After a fault the reading goes on where the
next signed root allows it, so that one fault is told once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from kcompliance.archive.log_objects import (
    MAX_BATCH_BYTES,
    FetchedBatch,
    FetchedCommit,
    LogObjects,
)
from kcompliance.archive.log_records import (
    all_faults_of,
    introduced_by,
    records_of,
    records_under,
)
from kcompliance.ledger import (
    EMPTY_ROOT,
    Batch,
    CommitRecord,
    Fault,
    FindingCode,
    Frontier,
    GenesisRecord,
    KeyRing,
    Leaf,
    SignedCheckpoint,
    TrustedKey,
    checkpoint_name,
    decode_leaves,
    decode_record,
    faults_of,
    log_name,
    origin_of,
    signature_fault,
)
from kcompliance.ledger.records import Record, UnsupportedRecord
from kcompliance.stores.interface import Store

__all__ = ["MAX_BATCH_BYTES", "Commit", "LogEnd", "LogReader", "records_under"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit whose checkpoint a trusted key signed and whose records lead to its root."""

    number: int
    checkpoint: SignedCheckpoint | None
    """None where the checkpoint is missing and a later one vouches for the records."""
    batch: Batch
    after: Frontier
    """The frontier over all leaves up to this commit's last."""
    leaves: tuple[Leaf, ...]
    log_key: str
    log_size: int
    checkpoint_key: str
    checkpoint_size: int
    """0 where it is missing."""

    @property
    def records(self) -> tuple[Record | UnsupportedRecord, ...]:
        """The records that could be decoded, in their order."""
        return tuple(leaf.record for leaf in self.leaves if not isinstance(leaf.record, Fault))

    @property
    def record(self) -> CommitRecord | None:
        """The record of the commit itself; None where it is malformed."""
        for leaf in self.leaves[:2]:
            if isinstance(leaf.record, CommitRecord):
                return leaf.record
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A batch without a checkpoint that is known to lead to a signed root."""

    number: int
    key: str
    size: int
    after: Frontier


class LogReader:
    """Reads a log once, from its first commit to its last.

    Without `origin` and `keys` those are taken that the archive names itself: then it can only be
    found to agree with itself. Raises `StoreError` where the store gives no answer; with
    `keep_going` an object that could not be read becomes a READ_FAILED instead, for who only
    looks. A listing always raises.
    """

    def __init__(
        self,
        store: Store,
        *,
        origin: str | None = None,
        keys: KeyRing | None = None,
        keep_going: bool = False,
    ) -> None:
        self.faults: list[Fault] = []
        """Found so far; complete when `commits` has ended."""
        self.origin = origin
        self.end: LogEnd | None = None
        """After the last commit that was read; None while there is none."""
        self.signed_size = 0
        """Of the largest tree that a checkpoint which was believed covers."""
        self.alone: dict[str, SignedCheckpoint] = {}
        """The checkpoints that were believed and whose records are lost, by name."""
        self.lost: list[str] = []
        """The objects through whose faults records are lost that were once committed."""
        self.unread = False
        """Whether records may be missing only because something could not be read."""
        self._objects = LogObjects(store, keep_going=keep_going)
        self._keys = keys
        self._frontier: Frontier | None = Frontier()
        self._last: SignedCheckpoint | None = None
        self._time: datetime | None = None
        self._chain_is_known = True
        """Whether `_last` is the checkpoint that the next commit has to name."""
        self._doubtful: list[Fault] = []
        """Of the checkpoints since the last good one, at whose numbers there may be a commit."""

    @property
    def keys(self) -> KeyRing:
        """The keys that are trusted after the commits that were read so far."""
        return self._keys or KeyRing(())

    def commits(self) -> Iterator[Commit]:
        """The commits in their order; what cannot be one is left out and becomes a fault."""
        self._objects.look()
        if not self._objects.numbers:
            self._fault(FindingCode.NO_CHECKPOINT, "no checkpoint is there", "cp/")
        if self._keys is None:
            self._believe_genesis()
        next_number = max(self._objects.numbers, default=-1) + 1
        before = -1
        for fetched in self._objects.commits():
            signed = self._open(fetched)
            if signed is None:
                continue
            records = records_of(fetched, signed)
            yield from self._between(range(before + 1, fetched.number), records)
            before = fetched.number
            commit = self._commit(fetched, signed, records)
            self._advance(signed, commit, fetched.number, next_number)
            if commit is not None:
                yield commit
        self._lose(*self._doubtful)

    def _believe_genesis(self) -> None:
        """Take origin and keys from the first genesis that leads to the root of its checkpoint."""
        self._keys = KeyRing(())
        for number in self._objects.numbers:
            fetched = self._objects.commit(number)
            if isinstance(fetched.checkpoint, Fault):
                continue
            records = records_of(fetched, fetched.checkpoint)
            if isinstance(records, Fault) or records.batch.start != 0:
                continue
            genesis = decode_record(records.batch.leaves[0])
            if isinstance(genesis, GenesisRecord):
                self.origin = self.origin or origin_of(genesis.archive_id)
                self._keys = KeyRing(tuple(TrustedKey(key=key) for key in genesis.keys))
                return

    # --- a checkpoint ---------------------------------------------------------------------------

    def _open(self, fetched: FetchedCommit) -> SignedCheckpoint | None:
        """The checkpoint, if a key that is trusted here signed it; a fault where none did."""
        fault = (
            fetched.checkpoint
            if isinstance(fetched.checkpoint, Fault)
            else self._checkpoint_fault(fetched, fetched.checkpoint)
        )
        if fault is None and isinstance(fetched.checkpoint, SignedCheckpoint):
            return fetched.checkpoint
        if fault is not None:
            fault = replace(fault, object=fetched.key)
            self.faults.append(fault)
            if self._objects.has_batch(fetched.number):
                self._doubtful.append(fault)
        return None

    def _checkpoint_fault(self, fetched: FetchedCommit, signed: SignedCheckpoint) -> Fault | None:
        origin = self.origin or signed.checkpoint.origin
        fault = signature_fault(signed, origin=origin, keys=self.keys)
        if fault is None or fault.code is FindingCode.CHECKPOINT_MALFORMED:
            # A trusted key signed: only now it is worth while to look what the records bring in.
            introduced = introduced_by(fetched, signed)
            fault = signature_fault(signed, origin=origin, keys=self.keys, introduced=introduced)
        if fault is not None:
            return fault
        before = self._last.checkpoint.size if self._last is not None else 0
        size = signed.checkpoint.size
        if size > before:
            return None
        detail = f"covers {size} records, and the one before it {before}"
        return Fault(code=FindingCode.SIZE_REGRESSION, detail=detail)

    # --- the records of a checkpoint ------------------------------------------------------------

    def _commit(
        self, fetched: FetchedCommit, signed: SignedCheckpoint, records: FetchedBatch | Fault
    ) -> Commit | None:
        """The commit of a signed checkpoint; a fault where its records are not those it signs."""
        if isinstance(records, Fault):
            self.faults += all_faults_of(records, fetched, signed)
            self.alone[fetched.key] = signed
            self._lose(records)
            return None
        goes_on = self._goes_on(records.batch)
        if not goes_on:
            detail = "goes on from another tree than that of the commit before it"
            self._fault(FindingCode.CHAIN_BROKEN, detail, records.key)
        commit = Commit(
            number=fetched.number,
            checkpoint=signed,
            batch=records.batch,
            after=records.batch.after,
            leaves=decode_leaves(records.batch),
            log_key=records.key,
            log_size=records.size,
            checkpoint_key=fetched.key,
            checkpoint_size=fetched.size,
        )
        self._judge(commit, chain_is_known=goes_on and self._chain_is_known)
        return commit

    def _goes_on(self, batch: Batch) -> bool:
        """Whether these leaves follow those that were there; True where that is not known."""
        if self._frontier is not None:
            return batch.before == self._frontier
        return not self._chain_is_known or self._place == (batch.before.size, batch.before.root)

    @property
    def _place(self) -> tuple[int, bytes]:
        """Size and root of the last checkpoint that was believed."""
        if self._last is None:
            return 0, EMPTY_ROOT
        return self._last.checkpoint.size, self._last.checkpoint.root

    def _judge(self, commit: Commit, *, chain_is_known: bool) -> None:
        self.faults += (replace(each, object=commit.log_key) for each in faults_of(commit.leaves))
        genesis = commit.leaves[0].record
        if isinstance(genesis, GenesisRecord) and origin_of(genesis.archive_id) != self.origin:
            detail = f"genesis is that of {origin_of(genesis.archive_id)!r}"
            self._fault(FindingCode.WRONG_ORIGIN, detail, commit.log_key)
        record = commit.record
        if record is None:
            return
        if record.n != commit.number:
            detail = f"the commit says to be number {record.n}"
            self._fault(FindingCode.CHAIN_BROKEN, detail, commit.log_key)
        elif chain_is_known and record.prev != (self._last and self._last.sha256):
            detail = "the commit does not name the checkpoint that is there before it"
            self._fault(FindingCode.CHAIN_BROKEN, detail, commit.log_key)
        if self._time is not None and record.time < self._time:
            detail = f"dated {record.time:%Y-%m-%dT%H:%M:%SZ}, before the commit that it follows"
            self._fault(FindingCode.CLOCK_ROLLBACK, detail, commit.log_key)

    # --- commits whose checkpoints are gone -----------------------------------------------------

    def _between(self, numbers: range, later: FetchedBatch | Fault) -> Iterator[Commit]:
        """Commits whose checkpoints are missing or spoiled: read where a later root covers them.

        A number at which somebody else's object lies, or lay, was never a commit where the later
        records go on directly from those that are known.
        """
        doubtful, self._doubtful = self._doubtful, []
        if isinstance(later, Fault):
            if later.code is not FindingCode.READ_FAILED:
                self._tell_holes(numbers)
            self._lose(*doubtful)
            return
        target = later.batch.before
        if (target.size, target.root) == self._place or target.size <= self._place[0]:
            return
        self._tell_holes(numbers)
        steps = self._way_to(target, numbers)
        if isinstance(steps, Fault):
            unread = FindingCode.READ_FAILED
            # Where a checkpoint could not be read nobody can say that its records are lost.
            if steps.code is unread or all(fault.code is not unread for fault in doubtful):
                self.faults.append(steps)
                doubtful.append(steps)
            self._frontier, self._chain_is_known = None, False
            self._lose(*doubtful)
            return
        for step in steps:
            commit = self._taken(step)
            if commit is not None:
                yield commit

    def _tell_holes(self, numbers: range) -> None:
        for first, last in self._objects.holes(numbers):
            others = f", and the {last - first} after it are" if last > first else " is"
            detail = f"this checkpoint{others} missing"
            self._fault(FindingCode.CHAIN_BROKEN, detail, checkpoint_name(first))

    def _way_to(self, target: Frontier, numbers: range) -> list[_Step] | Fault:
        """The batches that lead from what is known to a frontier that a signed root covers.

        Found from its end, since the name of each carries the root to which it leads: so nobody
        can lead the search astray. Nothing of them is kept.
        """
        steps: list[_Step] = []
        wanted, high = target, numbers.stop
        while (wanted.size, wanted.root) != self._place:
            found = None
            if wanted.size > self._place[0]:
                found = self._leading_to(wanted, range(numbers.start, high))
            if not isinstance(found, tuple):
                return found or Fault(
                    code=FindingCode.LEAF_MISSING,
                    detail="the records of this commit are missing",
                    object=log_name(max(high - 1, 0), wanted.root),
                )
            step, wanted = found
            steps.append(step)
            high = step.number
        return steps[::-1]

    def _leading_to(
        self, wanted: Frontier, numbers: range
    ) -> tuple[_Step, Frontier] | Fault | None:
        """The batch that leads to this frontier, and the frontier before it."""
        fault: Fault | None = None
        for number, key, size in self._objects.batches_named(wanted.root, numbers):
            found = self._objects.batch(key, size)
            if isinstance(found, Fault):
                fault = fault or found
            elif found.batch.after == wanted:
                return _Step(number=number, key=key, size=size, after=wanted), found.batch.before
        return fault

    def _taken(self, step: _Step) -> Commit | None:
        """A commit without its checkpoint, which counts from now on."""
        found = self._objects.batch(step.key, step.size)
        if isinstance(found, FetchedBatch) and found.batch.after != step.after:
            detail = "it has changed while it was read"
            found = Fault(code=FindingCode.ROOT_MISMATCH, detail=detail, object=step.key)
        self._frontier, self._chain_is_known = step.after, False
        if isinstance(found, Fault):
            self.faults.append(found)
            self._lose(found)
            return None
        commit = Commit(
            number=step.number,
            checkpoint=None,
            batch=found.batch,
            after=step.after,
            leaves=decode_leaves(found.batch),
            log_key=step.key,
            log_size=found.size,
            checkpoint_key=checkpoint_name(step.number),
            checkpoint_size=0,
        )
        self._judge(commit, chain_is_known=False)
        self._take_over(commit)
        return commit

    # --- going on -------------------------------------------------------------------------------

    def _take_over(self, commit: Commit) -> None:
        self._frontier = commit.after
        self._keys = self.keys.after(commit.records, size=commit.after.size)
        self._time = commit.record.time if commit.record is not None else self._time

    def _advance(
        self, signed: SignedCheckpoint, commit: Commit | None, number: int, next_number: int
    ) -> None:
        self._last = signed
        self._chain_is_known = True
        self.signed_size = signed.checkpoint.size
        if commit is None:
            self._frontier = None
            return
        self._take_over(commit)
        self.end = LogEnd(
            origin=signed.checkpoint.origin,
            number=number,
            next_number=next_number,
            checkpoint=signed,
            frontier=commit.after,
            keys=self.keys,
            time=self._time,
        )

    def _lose(self, *faults: Fault) -> None:
        for fault in faults:
            if fault.code is FindingCode.READ_FAILED:
                self.unread = True
            elif fault.object is not None:
                self.lost.append(fault.object)

    def _fault(self, code: FindingCode, detail: str, object_: str) -> None:
        self.faults.append(Fault(code=code, detail=detail, object=object_))
