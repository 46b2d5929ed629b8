"""One run of `archive run`: from the plan to the last commit.

The windows of a run are divided into units. Each unit has a signed intent, put before its first
upload, and one commit: a run that is killed loses at most the unit it was at, and what that has
left is explained by the next run.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from kcompliance.archive.commit import Lost, Writer, require_clock
from kcompliance.archive.export import Job, JobResult, divide
from kcompliance.archive.export_pool import JobPool
from kcompliance.archive.interface import PlannedWindow, Source
from kcompliance.archive.leftovers import abandoned_records
from kcompliance.archive.log import LogEnd, LogReader
from kcompliance.archive.metadata import StoredMetadata, put_metadata
from kcompliance.archive.opening import (
    AnotherSource,
    ArchiveNotSound,
    OpenedArchive,
    require_signer,
    require_sound,
)
from kcompliance.archive.outcome import NotArchived, RunResult
from kcompliance.archive.pending import pending
from kcompliance.archive.records import (
    ArchivedResult,
    joined,
    segment_records,
    window_records,
)
from kcompliance.archive.retention import Locks, due_keys, extend, lengthen
from kcompliance.archive.run_object import Intent, ranges_of, reference_to, write_intent
from kcompliance.archive.state import ArchiveState, read_state
from kcompliance.archive.units import units_of
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import (
    AbandonedRecord,
    GenesisRecord,
    LockMode,
    Period,
    Record,
    RetentionRecord,
    RunReference,
    SegmentRecord,
    StreamName,
    StreamRecord,
    WindowRecord,
    checkpoint_name,
    log_name,
    run_name,
)
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import Store

__all__ = ["ArchiveRun", "NotArchived", "RunOptions", "RunResult", "Watcher"]


class Watcher(Protocol):
    """Is told what a run has done; the default does nothing."""

    def sealed(self, windows: Sequence[WindowRecord]) -> None:
        """These windows were committed."""

    def committed(self, end: LogEnd) -> None:
        """The archive has a new checkpoint: who keeps a pin moves it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the user chose."""

    stream: StreamName
    retain: Period
    lock: LockMode = LockMode.NONE
    rebind: bool = False
    actor: str
    tool: str


@dataclass(slots=True, kw_only=True)
class ArchiveRun:
    """Archives planned windows of one stream."""

    store: Store
    source: Source
    pool: JobPool
    opened: OpenedArchive
    options: RunOptions
    clock: Callable[[], datetime]
    watcher: Watcher
    result: RunResult = field(default_factory=RunResult)

    def execute(self, planned: Sequence[PlannedWindow]) -> RunResult:
        """Archive these windows; without any, commit that there was nothing (a heartbeat).

        Raises what cannot be helped; the windows that were committed before stay so, and
        `result` tells them.
        """
        binding = self.binding()
        before, retention = self.opened.state.end, self.opened.state.retention
        if before is None:
            self._make_archive()
        require_clock(self._end, self._now())
        described = planned
        for unit in tuple(units_of(planned)) or ((),):
            self._archive(unit, binding, described)
            described = ()
        same_lock = retention is not None and retention.mode is self.options.lock
        self._extend_locks(since=before.time if before is not None and same_lock else None)
        return self.result

    # --- before the first window ----------------------------------------------------------------

    def binding(self) -> StreamRecord:
        """What the stream is bound to; `AnotherSource` where it is bound to something else."""
        binding = self.source.binding(self.options.stream)
        bound = self.opened.state.binding
        if bound is not None and bound != binding and not self.options.rebind:
            raise AnotherSource(bound, binding)
        return binding

    def _make_archive(self) -> None:
        """Commit 0, which says which archive this is."""
        now = self._now()
        # Of no stream: should this die, the first run of any stream has to explain it.
        intent, run = self._announce((), now, of_stream=False)
        genesis = GenesisRecord(
            archive_id=self.opened.archive_id,
            created=now,
            keys=(self.opened.signer.key,),
            tool=self.options.tool,
        )
        left = self._left(intent, keep=(), lost=False)
        end = self._writer(now).first(genesis, left, run)
        self._committed(end, [genesis, *left], run)

    def _put_metadata(self, planned: Sequence[PlannedWindow]) -> StoredMetadata | None:
        content = self.source.metadata(planned) if planned else None
        if content is None:
            return None
        return put_metadata(
            self.store,
            content,
            known=lambda digest: digest in self._state.metadata,
            retain_until=self._log_kept_until(self._now()),
        )

    # --- a unit ---------------------------------------------------------------------------------

    def _archive(
        self,
        unit: Sequence[PlannedWindow],
        binding: StreamRecord,
        described: Sequence[PlannedWindow],
    ) -> None:
        """Archive one unit, and with it the settings of what these windows are read from."""
        begun = self._now()
        intent, run = self._announce(unit, begun)
        metadata = self._put_metadata(described)
        results, error = self._export(unit, begun)
        done = [each for each in results if each.error is None]
        self.result.not_archived += (
            NotArchived(window=each.planned, error=each.error) for each in results if each.error
        )
        if error is None:
            self._commit(intent, run, done, binding, metadata, begun=begun, exported=len(unit))
            return
        if done:
            # What this unit has put, or sent without an answer, besides these windows is left for
            # the next runs to explain; so its intent must not count as that of a commit.
            intent, run = self._announce([each.planned for each in done], self._now())
            self._commit(intent, run, done, binding, metadata, begun=begun, exported=len(done))
        raise error

    def _export(
        self, unit: Sequence[PlannedWindow], begun: datetime
    ) -> tuple[list[ArchivedResult], KcomplianceError | None]:
        """The windows that were dealt with, and what ended that early."""
        jobs: list[tuple[Job, datetime | None]] = []
        expected: list[int] = []
        for number, planned in enumerate(unit):
            until = self._locks.of_segment(planned.window.end, begun)
            of_window = [(job, until) for job in divide(number, planned)]
            expected.append(len(of_window))
            jobs += of_window
        results: list[list[JobResult]] = [[] for _ in unit]
        error = None
        try:
            for result in self.pool.run(jobs):
                results[result.job.number].append(result)
        except KcomplianceError as stopped:
            error = stopped
        finished = [
            joined(planned, results[number])
            for number, planned in enumerate(unit)
            if len(results[number]) == expected[number]
        ]
        return finished, error

    def _commit(
        self,
        intent: Intent,
        run: RunReference,
        results: Sequence[ArchivedResult],
        binding: StreamRecord,
        metadata: StoredMetadata | None,
        *,
        begun: datetime,
        exported: int,
    ) -> None:
        """Commit what was archived, less what another writer has committed meanwhile.

        Where that is less than what was `exported`, there are objects left to be explained.
        """
        lost = False
        while True:
            now = self._now()
            committed = now if self._end.time is None else max(now, self._end.time)
            fitting = pending(results, self._state)
            keep = {each.key for result in fitting.results for each in result.segments}
            if metadata is not None:
                keep.add(metadata.key)
            records: list[Record] = [
                *self._left(intent, keep=keep, lost=lost or len(fitting.results) < exported),
                *self._head_records(binding, committed),
                *self._metadata_records(metadata, committed, intent),
                *self._window_records(fitting.results, binding, committed, intent),
            ]
            if self.options.lock is not LockMode.NONE:
                segments = (each for each in records if isinstance(each, SegmentRecord))
                lengthen(self.store, segments, begun=begun, committed=committed)
            end = self._writer(now).next(self._end, records, run, now=now)
            if not isinstance(end, Lost):
                break
            lost = True
            self._read_again(end)
            self.binding()
        self.result.not_archived += (
            NotArchived(window=planned, error=error) for planned, error in fitting.waiting
        )
        self._committed(end, records, run)
        self.watcher.sealed([each for each in records if isinstance(each, WindowRecord)])

    def _extend_locks(self, *, since: datetime | None) -> None:
        """Lock those objects of the log for longer that would lapse soon."""
        now = self._now()
        until = self._log_kept_until(now)
        if until is None:
            return
        anchors = (each.key for each in self.store.list("anchor/"))
        mode = self.options.lock
        keys = due_keys(self._state, anchors, mode=mode, since=since, now=now)
        self.result.extended += extend(self.store, keys, mode=mode, until=until, now=now)

    # --- records --------------------------------------------------------------------------------

    def _left(self, intent: Intent, *, keep: Collection[str], lost: bool) -> list[AbandonedRecord]:
        return abandoned_records(
            self.store,
            self._state,
            keys=self.opened.keys,
            own=intent,
            keep=keep,
            lost=lost,
            again=not self.result.runs,
        )

    def _head_records(self, binding: StreamRecord, now: datetime) -> Iterator[Record]:
        if self._state.binding != binding:
            yield binding
        retention = self._state.retention
        wanted = (self.options.retain, self.options.lock)
        if retention is None or (retention.retain, retention.mode) != wanted:
            yield RetentionRecord(
                stream=self.options.stream,
                retain=self.options.retain,
                mode=self.options.lock,
                time=now,
            )

    def _metadata_records(
        self, metadata: StoredMetadata | None, now: datetime, intent: Intent
    ) -> Iterator[Record]:
        if metadata is not None and metadata.sha256 not in self._state.metadata:
            yield metadata.record(
                self.options.stream,
                retain_until=self.options.retain.after(now),
                tool=self.options.tool,
                run=intent.id,
            )

    def _window_records(
        self,
        results: Sequence[ArchivedResult],
        binding: StreamRecord,
        now: datetime,
        intent: Intent,
    ) -> Iterator[Record]:
        for result in results:
            yield from segment_records(
                binding,
                result,
                query_sha256=self.source.query_sha256(result.planned.window),
                committed=now,
                retain=self.options.retain,
                tool=self.options.tool,
                run=intent.id,
            )
            yield from window_records(self.options.stream, result)

    # --- the log --------------------------------------------------------------------------------

    @property
    def _state(self) -> ArchiveState:
        return self.opened.state

    @property
    def _end(self) -> LogEnd:
        if self._state.end is None:
            raise ValueError("the archive has no commit yet")
        return self._state.end

    @property
    def _locks(self) -> Locks:
        return Locks(retain=self.options.retain, mode=self.options.lock)

    def _log_kept_until(self, now: datetime) -> datetime | None:
        return self._locks.of_log(self._state.latest_retention, now)

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def _writer(self, now: datetime) -> Writer:
        return Writer(
            store=self.store,
            origin=self.opened.origin,
            signers=(self.opened.signer,),
            actor=self.options.actor,
            locked_until=self._log_kept_until(now),
        )

    def _announce(
        self, unit: Sequence[PlannedWindow], now: datetime, *, of_stream: bool = True
    ) -> tuple[Intent, RunReference]:
        """Put the signed intent of a unit, before anything else of it."""
        intent = Intent(
            id=uuid4(),
            origin=self.opened.origin,
            stream=self.options.stream if of_stream else None,
            windows=ranges_of([planned.window for planned in unit]),
            time=now,
            actor=self.options.actor,
            tool=self.options.tool,
        )
        data = write_intent(intent, (self.opened.signer,))
        self.store.put_if_absent(
            run_name(intent.id), data, sha256(data), retain_until=self._log_kept_until(now)
        )
        return intent, reference_to(intent, data)

    def _committed(self, end: LogEnd, records: Sequence[Record], run: RunReference) -> None:
        """Take an own commit into account without reading it back."""
        self._state.add(records, log_name(end.number, end.frontier.root))
        self._state.runs.add(run.id)
        self._state.end = end
        self.result.end = end
        self.result.count(records)
        self.result.runs.append(str(run.id))
        self.watcher.committed(end)

    def _read_again(self, lost: Lost) -> None:
        """The log has grown by somebody else's commit, or an object lies in the way of ours.

        Such an object might be what somebody put over a commit. Not this one, where the only
        records of its number are those that this run itself did not get to commit.
        """
        reader = LogReader(self.store, origin=self.opened.origin, keys=self.opened.first_keys)
        state = read_state(reader, self.options.stream)
        if state.end is None:
            raise ArchiveNotSound(
                f'"{self.store.url}" is empty all at once', "somebody has deleted the archive"
            )
        records = self.store.list(f"{lost.log_key.rpartition('-')[0]}-")
        if all(entry.key == lost.log_key for entry in records):
            state.lost -= {checkpoint_name(lost.number)}
        require_sound(self.store, state)
        require_signer(self.store, self.opened.signer, state.end)
        self.opened = replace(self.opened, state=state)
