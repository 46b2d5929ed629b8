"""One run of `archive run`: from the plan to the last commit.

The windows of a run are divided into units. Each unit has a signed intent, put before its first
upload, and one commit: a run that is killed loses at most the unit it was at, and what that has
left is explained by the next run.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from kcompliance.archive.commit import Lost, Writer
from kcompliance.archive.export import Job, JobResult, divide
from kcompliance.archive.export_pool import JobPool
from kcompliance.archive.interface import PlannedWindow, Source
from kcompliance.archive.leftovers import abandoned_records
from kcompliance.archive.log import LogEnd, LogReader
from kcompliance.archive.metadata import StoredMetadata, put_metadata
from kcompliance.archive.opening import ArchiveNotSound, OpenedArchive
from kcompliance.archive.records import (
    ArchivedResult,
    joined,
    retained_until,
    segment_records,
    window_records,
)
from kcompliance.archive.run_object import Intent, ranges_of, reference_to, write_intent
from kcompliance.archive.state import ArchiveState, read_state, stops_writing
from kcompliance.archive.units import units_of
from kcompliance.errors import ExitCode, KcomplianceError, UsageError
from kcompliance.ledger import (
    AbandonedRecord,
    FilePartition,
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
    WindowStatus,
    log_name,
    run_name,
)
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import Store

__all__ = ["ArchiveRun", "NotArchived", "RunOptions", "RunResult", "Watcher"]

_LOG_IS_KEPT_LONGER = Period(years=1)
_LONGEST_UNIT = timedelta(days=1)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NotArchived:
    """A window that was not sealed, and why; the next run tries it again."""

    window: PlannedWindow
    error: KcomplianceError


@dataclass(slots=True, kw_only=True)
class RunResult:
    """What a run has done so far."""

    end: LogEnd | None = None
    runs: list[str] = field(default_factory=list)
    """The ids of its units."""
    sealed: int = 0
    empty: int = 0
    late: int = 0
    missing: int = 0
    docs: int = 0
    content_bytes: int = 0
    bytes: int = 0
    segments: int = 0
    abandoned: int = 0
    """Objects of dead runs that it has explained."""
    not_archived: list[NotArchived] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """3 where a window could not be sealed or a source was gone."""
        incomplete = self.missing or self.not_archived
        return ExitCode.INCOMPLETE if incomplete else ExitCode.GOOD


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
        if self.opened.state.end is None:
            self._make_archive()
        metadata = self._put_metadata(planned)
        for unit in tuple(units_of(planned)) or ((),):
            self._archive(unit, binding, metadata)
            metadata = None
        return self.result

    # --- before the first window ----------------------------------------------------------------

    def binding(self) -> StreamRecord:
        """What the stream is bound to; `UsageError` where it is bound to something else."""
        binding = self.source.binding(self.options.stream)
        bound = self.opened.state.binding
        if bound is not None and bound != binding and not self.options.rebind:
            raise UsageError(
                f'the stream "{self.options.stream}" is bound to another source: '
                f"{_difference(bound, binding)}",
                "give another --stream, or --rebind if it is the same trail all the same",
            )
        return binding

    def _make_archive(self) -> None:
        """Commit 0, which says which archive this is."""
        now = self._now()
        intent, run = self._announce((), now)
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
        metadata: StoredMetadata | None,
    ) -> None:
        begun = self._now()
        intent, run = self._announce(unit, begun)
        results, error = self._export(unit, begun)
        done = [each for each in results if each.error is None]
        self.result.not_archived += (
            NotArchived(window=each.planned, error=each.error) for each in results if each.error
        )
        if done or error is None:
            unit_is_done = len(done) == len(unit)
            self._commit(intent, run, done, binding, metadata, unit_is_done=unit_is_done)
        if error is not None:
            raise error

    def _export(
        self, unit: Sequence[PlannedWindow], begun: datetime
    ) -> tuple[list[ArchivedResult], KcomplianceError | None]:
        """The windows that were dealt with, and what ended that early."""
        jobs: list[tuple[Job, datetime | None]] = []
        expected: list[int] = []
        for number, planned in enumerate(unit):
            until = self._locked_until(planned.window.end, begun)
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
        unit_is_done: bool,
    ) -> None:
        """Commit what was archived, less what another writer has committed meanwhile."""
        lost = False
        while True:
            now = self._now()
            results = [each for each in results if not self._is_archived(each)]
            keep = {each.key for result in results for each in result.segments}
            if metadata is not None:
                keep.add(metadata.key)
            records: list[Record] = [
                *self._left(intent, keep=keep, lost=lost or not unit_is_done),
                *self._head_records(binding, now),
                *self._metadata_records(metadata, now, intent),
                *self._window_records(results, binding, now, intent),
            ]
            end = self._writer(now).next(self._end, records, run, now=now)
            if not isinstance(end, Lost):
                break
            lost = True
            self._read_again()
            self.binding()
        self._committed(end, records, run)
        self._count(records)

    def _is_archived(self, result: ArchivedResult) -> bool:
        for part in result.partitions:
            if isinstance(part, FilePartition):
                known = self._state.files.get(part.file)
                return known is not None and known.end > part.start
        archived = self._state.windows.get(result.planned.window)
        return archived is not None and archived.rev >= result.planned.rev

    # --- records --------------------------------------------------------------------------------

    def _left(self, intent: Intent, *, keep: Collection[str], lost: bool) -> list[AbandonedRecord]:
        return abandoned_records(
            self.store,
            self._state,
            keys=self.opened.keys,
            own=intent,
            keep=keep,
            lost=lost,
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
        self, unit: Sequence[PlannedWindow], now: datetime
    ) -> tuple[Intent, RunReference]:
        """Put the signed intent of a unit, before anything else of it."""
        intent = Intent(
            id=uuid4(),
            origin=self.opened.origin,
            stream=self.options.stream,
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
        self.result.runs.append(str(run.id))
        self.watcher.committed(end)

    def _read_again(self) -> None:
        """The log has grown by somebody else's commit."""
        reader = LogReader(self.store, origin=self.opened.origin, keys=self.opened.first_keys)
        state = read_state(reader, self.options.stream)
        fault = stops_writing(state)
        if state.end is None or fault is not None:
            raise ArchiveNotSound(
                f'"{self.store.url}" is not sound any more: {fault.detail if fault else "empty"}',
                "somebody wrote into it while this run went on; see: kcompliance verify",
            )
        self.opened = replace(self.opened, state=state)

    # --- retention ------------------------------------------------------------------------------

    def _locked_until(self, end: datetime | None, begun: datetime) -> datetime | None:
        """A date that is not before the record's, whose commit comes a little later."""
        if self.options.lock is LockMode.NONE:
            return None
        return retained_until(self.options.retain, end, begun + _LONGEST_UNIT)

    def _log_kept_until(self, now: datetime) -> datetime | None:
        """The latest date of any object of the archive, and one year."""
        if self.options.lock is LockMode.NONE:
            return None
        own = self.options.retain.after(now + _LONGEST_UNIT)
        latest = self._state.latest_retention
        return _LOG_IS_KEPT_LONGER.after(own if latest is None else max(own, latest))

    # --- what is told ---------------------------------------------------------------------------

    def _count(self, records: Sequence[Record]) -> None:
        result = self.result
        windows = [record for record in records if isinstance(record, WindowRecord)]
        segments = [record for record in records if isinstance(record, SegmentRecord)]
        result.sealed += sum(each.status is WindowStatus.SEALED for each in windows)
        result.empty += sum(each.status is WindowStatus.EMPTY for each in windows)
        result.missing += sum(each.status is WindowStatus.SOURCE_MISSING for each in windows)
        result.late += sum(each.rev > 0 and each.docs > 0 for each in windows)
        result.docs += sum(each.docs for each in windows)
        result.segments += len(segments)
        result.bytes += sum(each.size for each in segments)
        result.content_bytes += sum(each.content_size for each in segments)
        result.abandoned += sum(
            len(each.objects) for each in records if isinstance(each, AbandonedRecord)
        )
        self.watcher.sealed(windows)


def _difference(bound: StreamRecord, wanted: StreamRecord) -> str:
    """The first field that is not the same, in words."""
    for name, before, after in (
        ("kind", bound.source.kind, wanted.source.kind),
        ("cluster", bound.source.cluster_uuid, wanted.source.cluster_uuid),
        ("patterns", ", ".join(bound.source.patterns), ", ".join(wanted.source.patterns)),
        ("time field", bound.time_field, wanted.time_field),
        ("filter", bound.filter, wanted.filter),
        ("window in seconds", bound.window_seconds, wanted.window_seconds),
    ):
        if before != after:
            return f"its {name} is {before}, not {after}"
    return "not the same"
