"""What `archive run` does between the command line and the report."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from kcompliance import __version__
from kcompliance.archive.commit import AnotherArchive
from kcompliance.archive.export import Meter
from kcompliance.archive.export_pool import JobPool, ProcessPool, ThreadPool
from kcompliance.archive.interface import PlannedWindow, Source, TimeRange
from kcompliance.archive.key_files import signer
from kcompliance.archive.log import LogEnd
from kcompliance.archive.opening import OpenedArchive, SignAs, open_archive
from kcompliance.archive.run import ArchiveRun, RunOptions, RunResult, Watcher
from kcompliance.archive.spool import Spool
from kcompliance.archive.trust_files import (
    TrustFileError,
    create_trust,
    move_pin,
    new_trust,
    read_trust,
)
from kcompliance.archive.wanted import TimeOptions, wanted_range
from kcompliance.cli.archive_source import DEFAULT_WINDOW, SourceChoices, as_bound, source_opener
from kcompliance.cli.passphrase import passphrase_for
from kcompliance.cli.progress import Meter as Telling
from kcompliance.cli.terminal import note
from kcompliance.errors import KcomplianceError, OutputError, UsageError
from kcompliance.ledger import (
    LockMode,
    Period,
    Pin,
    StreamName,
    Trust,
    WindowRecord,
    format_time,
)
from kcompliance.report.json_run import RunReport
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import Unknown

if TYPE_CHECKING:
    pass

__all__ = ["RunChoices", "TimeChoices", "run"]

_LEAST_RATIO = 4
"""Audit events compress better than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChoices:
    """Which time is wanted."""

    start: datetime | None = None
    end: datetime | None = None
    last: timedelta | None = None
    settle: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChoices:
    """Where to, by whom, and how."""

    archive: str
    stream: StreamName
    key: str
    trust: Path | None
    write_trust: Path | None
    retain: Period
    lock: LockMode
    store: StoreOptions
    connections: int
    jobs: int
    spool: Path | None
    actor: str
    rebind: bool
    dry_run: bool


def run(
    choices: RunChoices, sources: SourceChoices, times: TimeChoices, telling: Telling
) -> RunReport:
    """Archive, or with `dry_run` only plan; what is wrong for good raises."""
    sign_as = _sign_as(choices.key)
    source_opener(sources)
    with _terminated_as_interrupted(), open_store(choices.archive, choices.store) as store:
        if choices.lock is not LockMode.NONE or choices.store.legal_hold:
            _refuse_missing_lock(store)
        for tries_left in (True, False):
            try:
                return _run(choices, sources, times, sign_as, store, telling)
            except AnotherArchive:
                if not tries_left:
                    raise
    raise AssertionError("the second try returns or raises")


def _run(
    choices: RunChoices,
    sources: SourceChoices,
    times: TimeChoices,
    sign_as: SignAs,
    store: Store,
    telling: Telling,
) -> RunReport:
    trust = _trust(choices)
    archive = open_archive(store, sign_as, choices.stream, trust=trust)
    sources = as_bound(sources, archive.state.binding)
    open_source = source_opener(sources, max(choices.jobs, 1))
    with ExitStack() as opened:
        source = opened.enter_context(open_source())
        spool = opened.enter_context(Spool(choices.spool))
        meter = Meter(read=lambda docs, size: telling.advance(objects=docs, size=size))
        pool = opened.enter_context(_pool(choices, source, store, open_source, spool, meter))
        work = ArchiveRun(
            store=store,
            source=source,
            pool=pool,
            opened=archive,
            options=_run_options(choices),
            clock=lambda: datetime.now(UTC),
            watcher=TrustKeeper(choices.write_trust, trust, archive),
        )
        work.binding()
        telling.tell("counting")
        now = datetime.now(UTC)
        wanted = _wanted(sources, times, archive, now)
        planned = source.plan(wanted, archive.state.archived, now=now)
        _note_beginning(wanted, planned)
        telling.total(*_estimate(planned))
        telling.tell("archiving")
        spool.require(_spool_need(planned, choices.jobs or choices.connections))
        result = RunResult(end=archive.state.end) if choices.dry_run else _execute(work, planned)
        return RunReport(
            archive=store.url,
            origin=None if choices.dry_run and archive.state.end is None else archive.origin,
            stream=choices.stream,
            source=source.url,
            dry_run=choices.dry_run,
            planned=planned,
            troubles=source.troubles,
            result=result,
        )


def _execute(work: ArchiveRun, planned: Sequence[PlannedWindow]) -> RunResult:
    try:
        return work.execute(planned)
    except KcomplianceError:
        done = work.result
        if windows := done.sealed + done.empty:
            note(f"before that {windows} windows with {done.docs:,} events were archived for good")
        raise


def _run_options(choices: RunChoices) -> RunOptions:
    return RunOptions(
        stream=choices.stream,
        retain=choices.retain,
        lock=choices.lock,
        rebind=choices.rebind,
        actor=choices.actor,
        tool=f"kcompliance/{__version__}",
    )


def _note_beginning(wanted: TimeRange, planned: Sequence[PlannedWindow]) -> None:
    """Empty windows before the first event show that it was looked, not that nothing ever was."""
    empty = 0
    for each in planned:
        if each.parts or each.rev or each.window.start is None:
            break
        empty += 1
    if empty and planned[0].window.start == wanted.start:
        until = format_time(planned[empty - 1].window.end or wanted.end or datetime.now(UTC))
        note(
            f"warning: the source has no event before {until}: {empty} windows are archived as "
            "empty, which does not show that nothing was deleted there before"
        )


def _wanted(
    sources: SourceChoices, times: TimeChoices, archive: OpenedArchive, now: datetime
) -> TimeRange:
    if sources.files:
        if times.last is not None:
            raise UsageError(
                "--last is for Elasticsearch: files are archived from their beginning to their end",
                "leave it out",
            )
        return TimeRange(start=times.start, end=times.end)
    options = TimeOptions(
        start=times.start,
        end=times.end,
        last=times.last,
        window=sources.window or DEFAULT_WINDOW,
        settle=times.settle,
    )
    return wanted_range(options, archive.state.archived, now=now)


class TrustKeeper(Watcher):
    """Keeps the pin of a trust file at the archive's last commit."""

    def __init__(self, path: Path | None, trust: Trust | None, archive: OpenedArchive) -> None:
        self._path = path
        self._trust = trust
        self._archive = archive

    def sealed(self, windows: Sequence[WindowRecord]) -> None:
        """These windows were committed."""

    def committed(self, end: LogEnd) -> None:
        """Make the file at the first commit of an archive, and move its pin at every other."""
        if self._path is None:
            return
        pin = Pin(size=end.frontier.size, root=end.frontier.root)
        trust = replace(self._trust or self._new_trust(), pin=pin)
        if not os.path.lexists(self._path) and self._created(self._path, trust):
            note(f'wrote the trust file "{self._path}": give it to those who verify')
        else:
            move_pin(self._path, trust, pin.size, pin.root)
        self._trust = trust

    def _new_trust(self) -> Trust:
        genesis = self._archive.state.genesis
        keys = genesis.keys if genesis is not None else (self._archive.signer.key,)
        return new_trust(self._archive.origin, keys, None)

    @staticmethod
    def _created(path: Path, trust: Trust) -> bool:
        """Whether it was made; another run of the same archive may be faster."""
        try:
            create_trust(path, trust)
        except (OutputError, TrustFileError):
            if os.path.lexists(path):
                return False
            raise
        return True


# --- parts ------------------------------------------------------------------------------------


def _sign_as(place: str) -> SignAs:
    """Opens the key once, and refuses it before anything is asked of a server."""
    passphrase = cache(passphrase_for(place))
    signer(place, "kcompliance", passphrase, lambda warning: note(f"warning: {warning}"))
    return lambda name: signer(place, name, passphrase)


def _trust(choices: RunChoices) -> Trust | None:
    """What is known of the archive: the file that is kept up, or one that is only read."""
    if choices.write_trust is not None:
        if os.path.lexists(choices.write_trust):
            return read_trust(choices.write_trust)
        if not os.access(choices.write_trust.parent, os.W_OK | os.X_OK):
            raise UsageError(
                f'the trust file "{choices.write_trust}" cannot be made there',
                "name a folder that is there and may be written",
            )
    return None if choices.trust is None else read_trust(choices.trust)


def _refuse_missing_lock(store: Store) -> None:
    """Capability is read back from the bucket, never assumed."""
    locks = store.capabilities().locks
    if locks is True:
        return
    why = f": {locks.reason}" if isinstance(locks, Unknown) else ""
    needed = (
        f"grant {locks.permission}" if isinstance(locks, Unknown) and locks.permission else None
    )
    raise UsageError(
        f'"{store.url}" cannot lock objects{why}',
        needed
        or "make the bucket with Object Lock (or Azure version-level immutability), "
        "or leave out --lock and --legal-hold",
    )


def _pool(
    choices: RunChoices,
    source: Source,
    store: Store,
    open_source: Callable[[], Source],
    spool: Spool,
    meter: Meter,
) -> JobPool:
    if choices.jobs:
        return ProcessPool(
            choices.jobs,
            open_source=open_source,
            open_store=partial(open_store, choices.archive, choices.store),
            stream=choices.stream,
            spool=spool.path,
            meter=meter,
        )
    return ThreadPool(
        choices.connections,
        source=source,
        store=store,
        stream=choices.stream,
        spool=spool.path,
        meter=meter,
    )


def _estimate(planned: Sequence[PlannedWindow]) -> tuple[int, int]:
    """Events and bytes."""
    parts = [part for window in planned for part in window.parts]
    return sum(part.docs or 0 for part in parts), sum(part.bytes or 0 for part in parts)


def _spool_need(planned: Sequence[PlannedWindow], at_once: int) -> int:
    """Bytes, roughly: the largest parts that may lie there at the same time, compressed."""
    sizes = sorted((part.bytes or 0 for window in planned for part in window.parts), reverse=True)
    return sum(sizes[:at_once]) // _LEAST_RATIO


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A pod that is told to end stops as with Ctrl-C, and leaves no spool."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
