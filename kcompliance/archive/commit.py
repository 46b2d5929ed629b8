"""Commits records to an archive's log: the one step that makes them part of it.

First the records as `log/<n>-<root>`, then `cp/<n>` by conditional create, which of any number of
writers exactly one does. Who loses reads what the winner committed and decides anew what is left
to say: the caller gives its records as a function of the log's end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.archive.log import MAX_BATCH_BYTES, LogEnd, records_under
from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.ledger import (
    Checkpoint,
    CommitRecord,
    Fault,
    Frontier,
    GenesisRecord,
    KeyRing,
    Record,
    RunReference,
    SignedCheckpoint,
    Signer,
    TrustedKey,
    checkpoint_name,
    introduced_keys,
    log_name,
    parse_checkpoint,
    sign_checkpoint,
    signature_fault,
    write_batch,
)
from kcompliance.ledger.note import MAX_NOTE_BYTES
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import AlreadyThere, NotThere, Store

__all__ = ["AnotherArchive", "ClockError", "CommitError", "Lost", "Writer"]

MAX_CLOCK_STEP = timedelta(minutes=5)
"""How far a clock may be behind the last commit, as clocks of several machines are."""


class CommitError(KcomplianceError):
    """The log cannot be written on."""

    exit_code = ExitCode.COULD_NOT_RUN

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "commit"


class AnotherArchive(CommitError):
    """Somebody made an archive there since this run began: it can be gone on with."""


class ClockError(CommitError):
    """This machine's clock is behind the archive's last commit."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Another writer has committed first: read the log anew, and say again what is left to say."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes commits into one archive, signed by these keys."""

    store: Store
    origin: str
    signers: tuple[Signer, ...]
    actor: str
    locked_until: datetime | None = None
    """Of the records and the checkpoint; None: without a lock."""

    def first(self, genesis: GenesisRecord, records: Sequence[Record], run: RunReference) -> LogEnd:
        """Make a new archive; CommitError where the store holds one already."""
        keys = KeyRing(tuple(TrustedKey(key=key) for key in genesis.keys))
        start = _Start(number=0, frontier=Frontier(), previous=None, keys=keys, time=None)
        end = self._commit(start, genesis.created, [genesis], records, run)
        if isinstance(end, Lost):
            raise AnotherArchive(
                f'"{self.store.url}" holds another archive since this run began',
                "run it again: it goes on with that one, if the key fits",
            )
        return end

    def next(
        self, end: LogEnd, records: Sequence[Record], run: RunReference, *, now: datetime
    ) -> LogEnd | Lost:
        """Append records to a log that ends so.

        A foreign object at the next checkpoint's name is stepped over. `Lost`: a key that is
        trusted here signed one there.
        """
        if end.time is not None and now < end.time - MAX_CLOCK_STEP:
            raise ClockError(
                f"the clock says {now:%Y-%m-%d %H:%M:%S}, "
                f"but the archive's last commit is of {end.time:%Y-%m-%d %H:%M:%S} UTC",
                "set the clock of this machine; nothing was committed",
            )
        start = _Start(
            number=end.next_number,
            frontier=end.frontier,
            previous=end.checkpoint,
            keys=end.keys,
            time=end.time,
        )
        return self._commit(start, now, [], records, run)

    def _commit(
        self,
        start: "_Start",
        now: datetime,
        head: Sequence[Record],
        records: Sequence[Record],
        run: RunReference,
    ) -> LogEnd | Lost:
        time = now if start.time is None else max(now, start.time)
        number = start.number
        while True:
            commit = CommitRecord(
                n=number,
                prev=start.previous.sha256 if start.previous is not None else None,
                time=time,
                clock=None,
                run=run,
                actor=self.actor,
            )
            batch, data = write_batch(start.frontier, [*head, commit, *records])
            if len(data) > MAX_BATCH_BYTES:
                raise ValueError(f"a commit of {len(data)} bytes")
            after = batch.after
            checkpoint = Checkpoint(origin=self.origin, size=after.size, root=after.root)
            key = log_name(number, after.root)
            self._put(key, data)
            note = sign_checkpoint(checkpoint, self.signers)
            there = self._put_checkpoint(number, note)
            if there is None or there == note:
                return LogEnd(
                    origin=self.origin,
                    number=number,
                    next_number=number + 1,
                    checkpoint=_own(note),
                    frontier=after,
                    keys=start.keys.after([*head, commit, *records], size=after.size),
                    time=time,
                )
            if self._is_of_this_archive(number, there, start.keys):
                return Lost(number)
            number += 1

    def _put(self, key: str, data: bytes) -> None:
        digest = sha256(data)
        try:
            self.store.put_if_absent(key, data, digest, retain_until=self.locked_until)
        except AlreadyThere as there:
            # The name carries the root over these very bytes: it is ours, from a try before.
            if not there.holds(len(data), digest):
                raise CommitError(
                    f'"{key}" in "{self.store.url}" holds other bytes than its name says',
                    "somebody wrote into the archive; see: kcompliance verify",
                ) from there

    def _put_checkpoint(self, number: int, note: bytes) -> bytes | None:
        """None where this call created it; else what is there."""
        key = checkpoint_name(number)
        try:
            self.store.put_if_absent(key, note, sha256(note), retain_until=self.locked_until)
        except AlreadyThere:
            return self.store.get(key, end=MAX_NOTE_BYTES + 1)
        return None

    def _is_of_this_archive(self, number: int, there: bytes, keys: KeyRing) -> bool:
        """Whether a key that is trusted here signed it, possibly beside one that it introduces."""
        signed = parse_checkpoint(there)
        if isinstance(signed, Fault):
            return False
        try:
            batch = self.store.get(log_name(number, signed.checkpoint.root), end=MAX_BATCH_BYTES)
        except NotThere:
            batch = b""
        introduced = introduced_keys(records_under(signed, batch))
        fault = signature_fault(signed, origin=self.origin, keys=keys, introduced=introduced)
        return fault is None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    number: int
    frontier: Frontier
    previous: SignedCheckpoint | None
    keys: KeyRing
    time: datetime | None


def _own(note: bytes) -> SignedCheckpoint:
    signed = parse_checkpoint(note)
    if isinstance(signed, Fault):
        raise TypeError(signed.detail)  # `sign_checkpoint` has read it back
    return signed
