"""Commits records to an archive's log: the one step that makes them part of it.

First the records as `log/<n>-<root>`, then `cp/<n>` by conditional create, which of any number of
writers exactly one does. Who loses reads what the winner committed and decides anew what is left
to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.archive.log import MAX_BATCH_BYTES, LogEnd
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
from kcompliance.ledger.names import MAX_NUMBER
from kcompliance.ledger.note import MAX_NOTE_BYTES
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import AlreadyThere, Store

__all__ = ["AnotherArchive", "ClockError", "CommitError", "Lost", "Writer", "require_clock"]

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
    """Something lies at this number: read the log anew, and say again what is left to say.

    It is another writer's commit, or an object that is none and that the reader will step over.
    """

    number: int
    log_key: str
    """The records that this writer has put for nothing."""


def require_clock(end: LogEnd, now: datetime) -> None:
    """Raise `ClockError` where this machine's clock is far behind the last commit."""
    if end.time is not None and now < end.time - MAX_CLOCK_STEP:
        raise ClockError(
            f"the clock says {now:%Y-%m-%d %H:%M:%S}, "
            f"but the archive's last commit is of {end.time:%Y-%m-%d %H:%M:%S} UTC",
            "set the clock of this machine; nothing was committed",
        )


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
        """Make a new archive; `AnotherArchive` where there is any checkpoint already."""
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

        `Lost` where anything lies at the next checkpoint's name. Raises `ClockError`, and
        `CommitError` where the signers may not sign (any more): nobody would believe such a commit.
        """
        require_clock(end, now)
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
        number = start.number
        if number > MAX_NUMBER:
            raise CommitError(
                f'"{self.store.url}" has no free number for a commit',
                f"somebody put an object at {checkpoint_name(MAX_NUMBER)}: remove it",
            )
        time = now if start.time is None else max(now, start.time)
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
        note = sign_checkpoint(checkpoint, self.signers)
        self._require_trusted(note, start.keys, records)
        log_key = log_name(number, after.root)
        self._put(log_key, data)
        if not self._put_checkpoint(number, note):
            return Lost(number, log_key)
        return LogEnd(
            origin=self.origin,
            number=number,
            next_number=number + 1,
            checkpoint=_own(note),
            frontier=after,
            keys=start.keys.after([*head, commit, *records], size=after.size),
            time=time,
        )

    def _require_trusted(self, note: bytes, keys: KeyRing, records: Sequence[Record]) -> None:
        """Nobody may take a commit for done that readers will step over."""
        introduced = introduced_keys(records)
        fault = signature_fault(_own(note), origin=self.origin, keys=keys, introduced=introduced)
        if fault is not None:
            raise CommitError(
                f'the key may not sign for "{self.store.url}" any more: {fault.detail}',
                "it was replaced or revoked; nothing was committed",
            )

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

    def _put_checkpoint(self, number: int, note: bytes) -> bool:
        """Whether the checkpoint is there; not, if anything else is."""
        key = checkpoint_name(number)
        try:
            self.store.put_if_absent(key, note, sha256(note), retain_until=self.locked_until)
        except AlreadyThere:
            # It may be our own, of a call whose answer was lost for good.
            return self.store.get(key, end=MAX_NOTE_BYTES + 1) == note
        return True


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
