"""Locks as the store itself tells them: whether what has to be kept can be deleted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kcompliance.archive.log import Commit
from kcompliance.archive.verify.interface import OutsideMemory, OutsideResult
from kcompliance.archive.verify.inventory import Expected, Kind, fault_of
from kcompliance.ledger import (
    Fault,
    FindingCode,
    LockMode,
    MetadataRecord,
    Period,
    RetentionRecord,
    SegmentRecord,
    StreamName,
    format_time,
)
from kcompliance.stores.interface import Head, Lock
from kcompliance.stores.interface import LockMode as StoreMode

__all__ = ["LockDemands", "SeenCheckpoint", "is_of_log", "lock_fault", "worm_memory"]

LAPSES_SOON = timedelta(days=30)
"""Runs extend the locks of the log that lapse within 90 days: one that lapses within these was
not extended."""

STORED_WITH_COMMIT = timedelta(days=1)
"""How long after its commit a checkpoint may have been stored: what is older in the store than
this can be was not written later."""

_STORE_MODES = {
    LockMode.GOVERNANCE: StoreMode.GOVERNANCE,
    LockMode.COMPLIANCE: StoreMode.COMPLIANCE,
}


@dataclass(slots=True, kw_only=True)
class LockDemands:
    """What records and the trust file ask of the locks."""

    as_of: datetime
    least: Period | None
    """Of the trust file: how long every object has to be locked."""
    _modes: dict[StreamName | None, LockMode] = field(default_factory=dict, init=False)
    _latest: datetime | None = field(default=None, init=False)
    """Until when any locked object is kept."""

    def see(self, commit: Commit) -> None:
        """Take what a commit says of locks into account: before its objects are asked about."""
        for leaf in commit.leaves:
            if isinstance(leaf.record, RetentionRecord):
                self._modes[leaf.record.stream] = leaf.record.mode
        for leaf in commit.leaves:
            record = leaf.record
            if (
                isinstance(record, SegmentRecord | MetadataRecord)
                and record.retain_until is not None
                and self._mode_of(record.stream) is not LockMode.NONE
            ):
                self._latest = max(self._latest or record.retain_until, record.retain_until)

    def of(self, expected: Expected) -> Lock | None:
        """The lock that a segment or an object of settings has to have now; None: none."""
        record = expected.record
        if not isinstance(record, SegmentRecord | MetadataRecord):
            raise TypeError(f"{expected.key} is of the log")
        mode = self._mode_of(record.stream)
        until = record.retain_until if mode is not LockMode.NONE else None
        end = record.end if isinstance(record, SegmentRecord) else None
        return self._demand(mode, until, end, expected.committed)

    def of_log(self, expected: Expected) -> Lock | None:
        """The same of the log's own objects and intents, once the whole log was read."""
        mode = max(self._modes.values(), key=lambda mode: mode.strictness, default=LockMode.NONE)
        until = self._latest and min(self._latest, self.as_of + LAPSES_SOON)
        return self._demand(mode, until, None, expected.committed)

    def _mode_of(self, stream: StreamName) -> LockMode:
        return self._modes.get(stream, self._modes.get(None, LockMode.NONE))

    def _demand(
        self,
        mode: LockMode,
        until: datetime | None,
        end: datetime | None,
        committed: datetime | None,
    ) -> Lock | None:
        dates = [] if until is None else [until]
        if self.least is not None and committed is not None:
            dates.append(self.least.after(committed if end is None else max(end, committed)))
        latest = max(dates, default=None)
        if latest is None or latest <= self.as_of:
            return None
        return Lock(mode=_STORE_MODES.get(mode, StoreMode.GOVERNANCE), until=latest)


def lock_fault(expected: Expected, head: Head, demand: Lock | None) -> Fault | None:
    """WORM_WEAK where the lock is less than it has to be."""
    if demand is None or demand.until is None:
        return None
    if head.lock is None:
        return Fault(code=FindingCode.WORM_WEAK, detail="this place has no locks at all")
    # A date of a second's fraction is cut off by stores.
    wanted = Lock(mode=demand.mode, until=demand.until.replace(microsecond=0))
    if head.lock.covers(wanted):
        return None
    detail = f"its lock is {_shown(head.lock)}; it has to be {_shown(demand)}"
    return fault_of(expected, FindingCode.WORM_WEAK, detail)


@dataclass(frozen=True, slots=True)
class SeenCheckpoint:
    """A checkpoint as its store tells of it."""

    key: str
    committed: datetime | None
    lock: Lock | None
    modified: datetime


def worm_memory(
    checkpoints: Iterable[SeenCheckpoint], *, as_of: datetime, all_seen: bool
) -> OutsideMemory:
    """Whether the store itself remembers the checkpoints: locked, and stored when they say.

    Who holds the key, but not the store's clock, cannot write such ones later.
    """
    least: datetime | None = None
    for seen in checkpoints:
        lock = seen.lock
        if lock is None:
            return _memory(OutsideResult.NOT_COMPARED, "this place has no locks")
        if lock.mode is not StoreMode.COMPLIANCE or lock.until is None:
            return _memory(OutsideResult.NOT_COMPARED, f"{seen.key}: its lock can be taken off")
        if lock.until <= as_of:
            return _memory(OutsideResult.NOT_COMPARED, f"{seen.key}: its lock has ended")
        if seen.committed is None or seen.modified - seen.committed > STORED_WITH_COMMIT:
            when = format_time(seen.modified.replace(microsecond=0))
            return _memory(
                OutsideResult.NOT_COMPARED, f"{seen.key}: stored at {when}, long after its commit"
            )
        least = lock.until if least is None else min(least, lock.until)
    if least is None or not all_seen:
        return _memory(OutsideResult.NOT_COMPARED, "not all checkpoints could be looked at")
    detail = f"all checkpoints are locked against everybody until {format_time(least)} at least"
    return _memory(OutsideResult.FITS, detail)


def is_of_log(expected: Expected) -> bool:
    """Whether an object is kept as long as the log, not as long as a window."""
    return expected.kind in {Kind.RUN, Kind.LOG, Kind.CHECKPOINT}


def _memory(result: OutsideResult, detail: str) -> OutsideMemory:
    return OutsideMemory(kind="worm", result=result, detail=detail)


def _shown(lock: Lock) -> str:
    if lock.until is None:
        return "a legal hold only" if lock.hold else "none"
    mode = lock.mode.value if lock.mode is not None else "of no kind"
    return f"{mode} until {format_time(lock.until)}"
