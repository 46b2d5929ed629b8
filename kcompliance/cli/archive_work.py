"""What `archive run` does between the command line and the report."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from kcompliance import __version__
from kcompliance.archive.commit import AnotherArchive
from kcompliance.archive.export import Meter
from kcompliance.archive.export_pool import JobPool, ProcessPool, ThreadPool
from kcompliance.archive.interface import Source, TimeRange
from kcompliance.archive.key_files import signer
from kcompliance.archive.log import LogEnd
from kcompliance.archive.opening import OpenedArchive, SignAs, open_archive
from kcompliance.archive.run import ArchiveRun, RunOptions, RunResult, Watcher
from kcompliance.archive.spool import Spool
from kcompliance.archive.trust_files import create_trust, move_pin, new_trust, read_trust
from kcompliance.archive.wanted import TimeOptions, wanted_range
from kcompliance.cli.archive_reading import moment
from kcompliance.cli.passphrase import passphrase_for
from kcompliance.cli.terminal import note
from kcompliance.errors import UsageError
from kcompliance.ledger import (
    LockMode,
    Period,
    Pin,
    StreamName,
    Trust,
    WindowRecord,
    parse_period,
    parse_stream_name,
)
from kcompliance.model.duration import parse_elastic_duration
from kcompliance.report.json_run import RunReport
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import LockMode as StoreLock
from kcompliance.stores.interface import Unknown

if TYPE_CHECKING:
    from kcompliance.archive.elasticsearch import ElasticsearchOptions

__all__ = [
    "RunChoices",
    "SourceChoices",
    "TimeChoices",
    "duration",
    "moment",
    "period",
    "run",
    "stream_name",
]

_API_KEY = "KCOMPLIANCE_ELASTICSEARCH_API_KEY"
_USERNAME = "KCOMPLIANCE_ELASTICSEARCH_USERNAME"
_PASSWORD = "KCOMPLIANCE_ELASTICSEARCH_PASSWORD"  # noqa: S105 - the name of a variable
_BEARER = "KCOMPLIANCE_ELASTICSEARCH_BEARER_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChoices:
    """Where the events are."""

    elasticsearch: tuple[str, ...] = ()
    cloud_id: str | None = None
    patterns: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    time_field: str | None = None
    window: timedelta
    late: timedelta
    copy_primary: bool = False
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    max_docs_per_second: float | None = None
    max_bytes_per_second: float | None = None


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


def run(choices: RunChoices, sources: SourceChoices, times: TimeChoices, meter: Meter) -> RunReport:
    """Archive, or with `dry_run` only plan; what is wrong for good raises."""
    sign_as = _sign_as(choices.key)
    open_source = _source_opener(sources, choices.store)
    with ExitStack() as opened:
        opened.enter_context(_terminated_as_interrupted())
        store = opened.enter_context(open_store(choices.archive, choices.store))
        _refuse_missing_lock(store, choices.lock)
        source = opened.enter_context(open_source())
        spool = opened.enter_context(Spool(choices.spool))
        pool = opened.enter_context(_pool(choices, source, store, open_source, spool, meter))
        for tries_left in (True, False):
            try:
                return _run(choices, sources, times, sign_as, store, source, pool)
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
    source: Source,
    pool: JobPool,
) -> RunReport:
    trust = _trust(choices)
    archive = open_archive(store, sign_as, choices.stream, trust=trust)
    watcher = TrustKeeper(choices.write_trust, trust, archive)
    work = ArchiveRun(
        store=store,
        source=source,
        pool=pool,
        opened=archive,
        options=RunOptions(
            stream=choices.stream,
            retain=choices.retain,
            lock=choices.lock,
            rebind=choices.rebind,
            actor=choices.actor,
            tool=f"kcompliance/{__version__}",
        ),
        clock=lambda: datetime.now(UTC),
        watcher=watcher,
    )
    work.binding()
    now = datetime.now(UTC)
    planned = source.plan(_wanted(sources, times, archive, now), archive.state.archived, now=now)
    result = RunResult(end=archive.state.end) if choices.dry_run else work.execute(planned)
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
        window=sources.window,
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
        size, root = end.frontier.size, end.frontier.root
        if self._trust is not None:
            move_pin(self._path, self._trust, size, root)
            return
        genesis = self._archive.state.genesis
        keys = genesis.keys if genesis is not None else (self._archive.signer.key,)
        self._trust = new_trust(self._archive.origin, keys, Pin(size=size, root=root))
        create_trust(self._path, self._trust)
        note(f'wrote the trust file "{self._path}": give it to those who verify')


# --- parts ------------------------------------------------------------------------------------


def _sign_as(place: str) -> SignAs:
    """Opens the key once, and refuses it before anything is asked of a server."""
    passphrase = cache(passphrase_for(place))
    signer(place, "kcompliance", passphrase, lambda warning: note(f"warning: {warning}"))
    return lambda name: signer(place, name, passphrase)


def _trust(choices: RunChoices) -> Trust | None:
    """What is known of the archive: the file that is kept up, or one that is only read."""
    if choices.write_trust is not None and os.path.lexists(choices.write_trust):
        return read_trust(choices.write_trust)
    return None if choices.trust is None else read_trust(choices.trust)


def _refuse_missing_lock(store: Store, lock: LockMode) -> None:
    """Capability is read back from the bucket, never assumed."""
    if lock is LockMode.NONE:
        return
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
        "or leave out --lock",
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


def _source_opener(sources: SourceChoices, store: StoreOptions) -> Callable[[], Source]:
    wants_files = bool(sources.files)
    wants_search = bool(sources.elasticsearch or sources.cloud_id)
    if wants_files == wants_search:
        raise UsageError(
            "a stream has one source" if wants_files else "nothing says where the events are",
            "give --elasticsearch URL with --index PATTERN, or --files PATH",
        )
    if wants_files:
        from kcompliance.archive.files import FilesOptions, FileSource

        return partial(FileSource, FilesOptions(locations=sources.files, store=store))
    if not sources.patterns:
        raise UsageError("no index is named", "give --index PATTERN, such as 'logs-*'")
    from kcompliance.archive.elasticsearch import open_elasticsearch

    return partial(open_elasticsearch, _search_options(sources))


def _search_options(sources: SourceChoices) -> "ElasticsearchOptions":
    from kcompliance.archive.elasticsearch import ElasticsearchOptions

    return ElasticsearchOptions(
        urls=sources.elasticsearch,
        cloud_id=sources.cloud_id,
        api_key=os.environ.get(_API_KEY),
        username=os.environ.get(_USERNAME),
        password=os.environ.get(_PASSWORD),
        bearer=os.environ.get(_BEARER),
        ca_cert=sources.ca_cert,
        client_cert=sources.client_cert,
        client_key=sources.client_key,
        patterns=sources.patterns,
        time_field=sources.time_field,
        filters=_filters(sources.filters),
        window=sources.window,
        late=sources.late,
        copy="primary" if sources.copy_primary else "any",
        max_docs_per_second=sources.max_docs_per_second,
        max_bytes_per_second=sources.max_bytes_per_second,
    )


def _filters(texts: Sequence[str]) -> dict[str, str]:
    filters = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not field or not equals:
            raise UsageError(f'--filter "{text}" is not FIELD=VALUE')
        filters[field] = value
    return filters


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


# --- words of the command line ----------------------------------------------------------------


def stream_name(text: str) -> StreamName:
    """The name of a stream."""
    name = parse_stream_name(text)
    if name is None:
        raise UsageError(
            f'"{text}" is not the name of a stream',
            "two parts of lower-case letters, digits, . _ -: CLUSTER/DATASET, such as prod/audit",
        )
    return name


def duration(option: str, text: str) -> timedelta:
    """A duration of at least a second, such as 15m, 1h, 30d."""
    value = parse_elastic_duration(text)
    if not value or value < timedelta() or value.microseconds:
        raise UsageError(f'{option} "{text}" is not a duration', "such as 15m, 1h or 30d")
    return value


def period(text: str) -> Period:
    """A period in years or days."""
    value = parse_period(text)
    if value is None:
        raise UsageError(f'--retain "{text}" is not a period', "such as 2y or 730d")
    return value


def store_options(
    endpoint: str | None,
    region: str | None,
    lock: LockMode,
    kms_key: str | None,
    encryption_scope: str | None,
) -> StoreOptions:
    """How to write to the archive's store."""
    mode = StoreLock.GOVERNANCE if lock is LockMode.GOVERNANCE else StoreLock.COMPLIANCE
    return StoreOptions(
        endpoint_url=endpoint,
        region=region,
        lock_mode=mode,
        kms_key=kms_key,
        encryption_scope=encryption_scope,
    )
