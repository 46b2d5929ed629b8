"""Verifies a whole archive: the order of all steps, and what each takes from the others."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from kcompliance.archive.log import Commit, LogReader
from kcompliance.archive.verify.contents import Good, check_contents, missing, still_missing
from kcompliance.archive.verify.findings import Findings
from kcompliance.archive.verify.folder import irregular_in
from kcompliance.archive.verify.freshness import future_fault, stale_fault, stream_faults
from kcompliance.archive.verify.interface import (
    Checked,
    Gap,
    Meter,
    OutsideMemory,
    Request,
    Silent,
    Subset,
    Verification,
    VerifiedCheckpoint,
    VerifiedStream,
)
from kcompliance.archive.verify.inventory import (
    Expected,
    Kind,
    expected_objects,
    fault_of,
    log_objects,
)
from kcompliance.archive.verify.listing import Listing
from kcompliance.archive.verify.locks import (
    LockDemands,
    SeenCheckpoint,
    is_of_log,
    lock_fault,
    worm_memory,
)
from kcompliance.archive.verify.objects import Found, Strangers, find, size_fault
from kcompliance.archive.verify.outside import PinWatch, not_checked, unanchored
from kcompliance.archive.verify.pool import Pool
from kcompliance.archive.verify.windows import Windows
from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    Coverage,
    Fault,
    FindingCode,
    SegmentRecord,
    StreamName,
    StreamRecord,
    UnsupportedRecord,
    WindowRecord,
)
from kcompliance.stores.interface import Head, Lock, Store, StoreError

__all__ = ["verify"]

_SETTLED = ("seg/", "meta/", "run/")
"""Whose objects are read for their own sake; those of the log were read with it."""


def verify(
    store: Store, request: Request, *, meter: Meter | None = None, threads: int | None = None
) -> Verification:
    """Verify an archive. Only reads.

    What cannot be read becomes READ_FAILED, and the rest goes on. Raises `StoreError` only where
    the store does not even list anything.
    """
    with Pool[_Outcome](threads) as pool:
        return _Verifier(store, request, meter or Silent(), pool).verification()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came of looking at one object."""

    expected: Expected
    fault: Fault | None = None
    good: Good | None = None
    head: Head | None = None
    lock_fault: Fault | None = None


class _Verifier:
    def __init__(self, store: Store, request: Request, meter: Meter, pool: Pool[_Outcome]) -> None:
        trust = request.trust
        self._store = store
        self._request = request
        self._meter = meter
        self._pool = pool
        self._findings = Findings()
        self._checked = Checked()
        self._reader = LogReader(
            store,
            origin=trust.origin if trust is not None else None,
            keys=trust.ring if trust is not None else None,
            keep_going=True,
        )
        self._listing: Listing | None = None
        self._pin = PinWatch(trust.pin if trust is not None else None)
        self._memories: list[OutsideMemory] = []
        self._windows = Windows()
        least = trust.require.min_retention if trust is not None else None
        self._demands = LockDemands(as_of=request.as_of, least=least)
        self._tail: str | None = None
        """The first checkpoint that was cut off, where a pin remembers it."""
        self._abandoned: dict[str, AbandonedObject] = {}
        self._of_log: list[tuple[Expected, str | None]] = []
        self._settings: set[str] = set()
        """The names of the settings that were looked at: several commits may name one."""
        self._seen: list[SeenCheckpoint] = []
        self._checkpoints = 0
        self._newer: dict[str, str] = {}
        """Of each type of record that is unknown here, where the first one is."""

    def verification(self) -> Verification:
        stopped = self._list() if self._request.level >= 1 else None
        self._read_log(stopped)
        self._compare_pin()
        self._look_at_locks()
        self._look_at_strangers()
        self._take(self._pool.finish())
        self._findings.extend(self._reader.faults)
        if "prune" in self._newer:
            self._findings.explain(
                FindingCode.SEGMENT_MISSING,
                FindingCode.UNSUPPORTED_RECORD,
                cause=self._newer["prune"],
            )
        streams = self._judge_streams()
        self._judge_memories()
        return Verification(
            archive=self._store.url,
            origin=self._reader.origin,
            request=self._request,
            checkpoint=self._checkpoint(),
            outside_memory=tuple(self._memories),
            streams=tuple(streams),
            checked=self._checked,
            findings=self._findings.result(),
        )

    # --- what is there --------------------------------------------------------------------------

    def _list(self) -> StoreError | None:
        """List everything; what stopped that."""
        self._meter.tell("listing")
        try:
            entries = self._store.list_versions()
            self._listing = Listing.of(entries, irregular_in(self._store))
            for key, code in self._listing.irregular.items():
                detail = "it is no regular file, and was not read"
                self._findings.add(Fault(code=code, detail=detail, object=key))
        except StoreError as error:
            self._findings.add(_read_failed(error, ""))
            return error
        objects = size = 0
        for listed in self._listing if self._request.level >= 2 else ():
            if listed.key.startswith(_SETTLED) and self._is_chosen(listed.key):
                objects, size = objects + 1, size + listed.size
        self._meter.total(objects, size)
        return None

    def _is_chosen(self, key: str) -> bool:
        """Whether the content of this object is looked at."""
        if self._request.level < 2:
            return False
        return self._request.subset is None or is_in(self._request.subset, key)

    # --- the log --------------------------------------------------------------------------------

    def _read_log(self, stopped: StoreError | None) -> None:
        self._meter.tell("reading")
        try:
            for commit in self._reader.commits():
                self._add(commit)
                self._take(self._pool.results())
        except StoreError as error:
            if stopped is not None:
                raise stopped from error
            self._reader.unread = True
            self._findings.add(_read_failed(error, "log/"))

    def _compare_pin(self) -> None:
        memory, fault = self._pin.memory(self._reader)
        self._findings.add(fault)
        if memory is not None:
            self._memories.append(memory)
        if fault is not None and fault.object is not None and not self._reader.lost:
            self._tail = fault.object

    @property
    def _lost(self) -> str | None:
        """Where records are that once were committed, and with them all that they named."""
        return self._reader.lost[0] if self._reader.lost else self._tail

    def _add(self, commit: Commit) -> None:
        self._pin.see(commit)
        self._findings.add(future_fault(commit, self._request.as_of))
        self._demands.see(commit)
        for expected in log_objects(commit):
            self._look_at_log_object(expected)
        self._checked.add(
            objects=1 + (commit.checkpoint is not None),
            size=commit.log_size + commit.checkpoint_size,
        )
        for record in commit.records:
            match record:
                case StreamRecord():
                    self._windows.bind(record.stream)
                case SegmentRecord():
                    self._windows.add_segment(record)
                case WindowRecord():
                    self._windows.add(record, commit.log_key)
                case AbandonedRecord():
                    self._abandoned.update((each.key, each) for each in record.objects)
                case UnsupportedRecord():
                    self._newer.setdefault(record.type, commit.log_key)
                case _:
                    pass
        if self._request.level >= 1:
            origin = self._reader.origin or ""
            for expected in expected_objects(commit, keys=self._reader.keys, origin=origin):
                self._look_at(expected)

    def _look_at_log_object(self, expected: Expected) -> None:
        found = None if self._listing is None else find(self._listing, expected)
        if found is not None:
            self._findings.add(found.fault)
        self._checkpoints += expected.kind is Kind.CHECKPOINT
        if self._request.live:
            self._of_log.append((expected, found.version if found is not None else None))

    # --- objects --------------------------------------------------------------------------------

    def _look_at(self, expected: Expected) -> None:
        if expected.kind is Kind.METADATA:
            if expected.key in self._settings:
                return
            self._settings.add(expected.key)
        found = None if self._listing is None else find(self._listing, expected)
        if found is not None:
            self._findings.add(found.fault)
            if not found.readable:
                return
        elif self._listing is not None and (link := self._listing.link_above(expected.key)):
            self._findings.extend(_with_cause(each, link) for each in [missing(expected)] if each)
            return
        version = found.version if found is not None else None
        if self._request.live and expected.kind is Kind.RUN:
            self._of_log.append((expected, version))
        demand = None
        if self._request.live and not is_of_log(expected):
            demand = self._demands.of(expected)
        self._pool.submit(lambda: self._work(expected, found, demand))

    def _work(self, expected: Expected, found: Found | None, demand: Lock | None) -> _Outcome:
        """What a thread does for one object."""
        version = found.version if found is not None else None
        good: Good | None = None
        fault: Fault | None = None
        if self._is_chosen(expected.key):
            lines = self._request.level >= 4
            content = check_contents(
                self._store, expected, version=version, lines=lines, meter=self._meter
            )
            good = content if isinstance(content, Good) else None
            fault = content if isinstance(content, Fault) else None
            self._meter.advance(objects=1)
        elif found is not None:
            fault = size_fault(expected, found)
        else:
            fault = still_missing(self._store, expected)
        weak = None
        if demand is not None and fault is None:
            looked = self._head(expected, version)
            weak = looked if isinstance(looked, Fault) else lock_fault(expected, looked, demand)
        return _Outcome(expected=expected, fault=fault, good=good, lock_fault=weak)

    def _head(self, expected: Expected, version: str | None) -> Head | Fault:
        try:
            return self._store.head(expected.key, version=version)
        except StoreError as error:
            return fault_of(expected, FindingCode.READ_FAILED, error.message)

    def _take(self, outcomes: Iterator[_Outcome]) -> None:
        for outcome in outcomes:
            self._findings.add(outcome.fault)
            self._findings.add(outcome.lock_fault)
            if outcome.good is not None:
                self._checked.add(size=outcome.good.size, docs=outcome.good.docs)
            if outcome.head is not None and outcome.expected.kind is Kind.CHECKPOINT:
                self._seen.append(
                    SeenCheckpoint(
                        key=outcome.expected.key,
                        committed=outcome.expected.committed,
                        lock=outcome.head.lock,
                        modified=outcome.head.modified,
                    )
                )

    def _look_at_locks(self) -> None:
        """Of the log's objects, whose demands are known only at its end."""
        if self._of_log:
            self._meter.tell("asking for locks")
        for expected, version in self._of_log:
            demand = self._demands.of_log(expected)
            if demand is not None or expected.kind is Kind.CHECKPOINT:
                self._submit_lock(expected, version, demand)
                self._take(self._pool.results())

    def _submit_lock(self, expected: Expected, version: str | None, demand: Lock | None) -> None:
        def work() -> _Outcome:
            looked = self._head(expected, version)
            if isinstance(looked, Fault):
                return _Outcome(expected=expected, fault=looked)
            weak = lock_fault(expected, looked, demand)
            return _Outcome(expected=expected, head=looked, lock_fault=weak)

        self._pool.submit(work)

    # --- what no commit names -------------------------------------------------------------------

    def _look_at_strangers(self) -> None:
        """Objects that dead runs left, and those that nothing explains."""
        if self._listing is None:
            return
        for key, left in self._abandoned.items():
            expected = Expected(
                kind=Kind.ABANDONED, key=key, size=left.size, sha256=left.sha256, record=left
            )
            listed = self._listing.find(key)
            if listed is None or self._listing.is_taken(listed):
                continue
            found = find(self._listing, expected)
            if found is not None and found.readable and not listed.is_hidden:
                self._findings.add(found.fault)
                self._submit_abandoned(expected, found)
        told = {fault.object for fault in self._reader.faults if fault.object}
        strangers = Strangers(
            listing=self._listing,
            as_of=self._request.as_of,
            grace=self._request.grace,
            told=frozenset(told | self._reader.alone.keys()),
            last=-1 if self._reader.end is None else self._reader.end.number,
            lost=self._lost,
            unread=self._reader.unread,
            newer=next(iter(self._newer.values()), None),
        )
        self._findings.extend(strangers.faults())

    def _submit_abandoned(self, expected: Expected, found: Found) -> None:
        self._pool.submit(lambda: self._work(expected, found, None))

    # --- the whole ------------------------------------------------------------------------------

    def _judge_streams(self) -> Iterator[VerifiedStream]:
        """The coverage of each stream; what is wrong because records are lost says so."""
        cause = self._lost
        self._findings.extend(self._windows.faults)
        if not self._reader.unread and "segment" not in self._newer:
            self._findings.extend(_with_cause(each, cause) for each in self._windows.unmet())
        coverages: dict[StreamName, Coverage] = {}
        for name, windows in sorted(self._windows.streams.items()):
            covered = windows.coverage
            coverages[name] = replace(covered, windows=(), ranges=())
            if not self._reader.unread:
                self._findings.extend(_with_cause(each, cause) for each in covered.faults)
            yield VerifiedStream(
                name=name,
                start=covered.start,
                end=covered.end,
                windows=len(covered.windows) + windows.files,
                docs=windows.docs,
                gaps=tuple(Gap(start=g.start, end=g.end, detail=g.detail) for g in covered.gaps),
            )
        trust = self._request.trust
        if trust is not None and not self._reader.unread and self._reader.end is not None:
            faults = stream_faults(trust, coverages, self._request.as_of)
            self._findings.extend(_with_cause(each, cause) for each in faults)

    def _judge_memories(self) -> None:
        """Whether the key is the right one, and what confirms the archive from outside."""
        trust, end = self._request.trust, self._reader.end
        if end is None:
            return
        if trust is None:
            keys = ", ".join(sorted(str(each.key) for each in end.keys.keys))
            detail = f"only the archive itself vouches for {keys}"
            self._findings.add(Fault(code=FindingCode.UNTRUSTED_KEY, detail=detail))
            return
        if self._request.live:
            all_seen = len(self._seen) == self._checkpoints and not self._reader.lost
            seen = sorted(self._seen, key=lambda each: each.key)
            self._memories.append(worm_memory(seen, as_of=self._request.as_of, all_seen=all_seen))
        self._memories += not_checked(trust)
        faults = [unanchored(trust, self._memories)]
        if not self._reader.unread:
            faults.append(stale_fault(trust, end.time, self._request.as_of))
        self._findings.extend(_with_cause(each, self._lost) for each in faults if each)

    def _checkpoint(self) -> VerifiedCheckpoint | None:
        end = self._reader.end
        if end is None:
            return None
        return VerifiedCheckpoint(
            number=end.number,
            size=end.checkpoint.checkpoint.size,
            root=end.checkpoint.checkpoint.root,
            time=end.time,
        )


def is_in(subset: Subset, key: str) -> bool:
    """Whether an object is in this part: by its name alone, so that the parts stay the same."""
    return int.from_bytes(sha256(key.encode()).digest()) % subset.parts == subset.number - 1


def _read_failed(error: StoreError, place: str) -> Fault:
    what = "the objects could not be listed: " if not place else f"{place} could not be listed: "
    hint = f" ({error.hint})" if error.hint else ""
    detail = f"{what}{error.message}{hint}"
    return Fault(code=FindingCode.READ_FAILED, detail=detail, object=place or None)


def _with_cause(fault: Fault, cause: str | None) -> Fault:
    return fault if cause is None else replace(fault, caused_by=cause)
