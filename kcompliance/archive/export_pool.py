"""Where export jobs run: threads of this process, or processes for more cores.

Hashing lines below 2 KB holds the interpreter's lock, so threads serve the network, compression
and large hashes, and more than about two cores are only used by processes.
"""

import io
import multiprocessing
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from kcompliance.archive.export import Job, JobResult, Meter, export_job
from kcompliance.archive.interface import Source
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import StreamName
from kcompliance.stores.interface import Store

__all__ = ["JobPool", "ProcessPool", "Stopped", "ThreadPool"]


class Stopped(Exception):
    """A job was told to stop because another one failed; never leaves this module."""


Work = tuple[Job, "datetime | None"]
"""A job, and until when its segments are locked."""


class JobPool(Protocol):
    """Runs jobs side by side."""

    def run(self, jobs: Iterable[Work]) -> Iterator[JobResult]:
        """The results as they come. When this raises or is closed, no job runs any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop what runs, and wait until it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    source: Source
    store: Store
    stream: StreamName
    spool: Path


class ThreadPool(JobPool):
    """Threads that share a source and a store."""

    def __init__(
        self,
        threads: int,
        *,
        source: Source,
        store: Store,
        stream: StreamName,
        spool: Path,
        meter: Meter,
    ) -> None:
        self._place = _Place(source=source, store=store, stream=stream, spool=spool)
        self._stop = threading.Event()
        self._meter = meter
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="export")

    def run(self, jobs: Iterable[Work]) -> Iterator[JobResult]:
        """The results as they come."""
        self._stop.clear()
        meter = Meter(read=self._read, stored=self._meter.stored)

        def work(job: Job, retain_until: datetime | None) -> JobResult:
            return _work(self._place, job, retain_until, meter)

        yield from _results(self._executor, work, jobs, self._stop.set)

    def _read(self, docs: int, size: int) -> None:
        if self._stop.is_set():
            raise Stopped
        self._meter.read(docs, size)

    def __exit__(self, *exception: object) -> None:
        """Stop what runs, and wait until it has."""
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)


class ProcessPool(JobPool):
    """Processes, each of which opens source and store for itself."""

    def __init__(
        self,
        processes: int,
        *,
        open_source: Callable[[], Source],
        open_store: Callable[[], Store],
        stream: StreamName,
        spool: Path,
        meter: Meter,
    ) -> None:
        self._meter = meter
        # A fork would take over connections and locks of threads.
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._executor = ProcessPoolExecutor(
            processes,
            mp_context=context,
            initializer=_begin,
            initargs=(_Opener(open_source, open_store, stream, spool), self._stop),
        )

    def run(self, jobs: Iterable[Work]) -> Iterator[JobResult]:
        """The results as they come."""
        self._stop.clear()
        for packed in _results(self._executor, _work_in_process, jobs, self._stop.set):
            result = pickle.loads(packed)  # noqa: S301 - of a process of ours
            if isinstance(result, KcomplianceError):
                raise result
            docs = sum(part.written for part in result.partitions)
            self._meter.read(docs, sum(each.spooled.content_size for each in result.segments))
            self._meter.stored(sum(each.spooled.size for each in result.segments))
            yield result

    def __exit__(self, *exception: object) -> None:
        """Stop what runs, and wait until it has."""
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)


Result = TypeVar("Result")


def _results(
    executor: Executor,
    work: Callable[[Job, "datetime | None"], Result],
    jobs: Iterable[Work],
    stop: Callable[[], None],
) -> Iterator[Result]:
    futures: list[Future[Result]] = []
    try:
        futures += (executor.submit(work, *each) for each in jobs)
        for future in as_completed(futures):
            yield future.result()
    except BrokenExecutor as error:
        raise KcomplianceError(
            "a process that exports was ended from outside",
            "is there enough memory? try fewer --jobs",
        ) from error
    finally:
        for future in futures:
            future.cancel()
        if not all(future.done() for future in futures):
            stop()
        for future in futures:
            if not future.cancelled():
                future.exception()


def _work(place: _Place, job: Job, retain_until: datetime | None, meter: Meter) -> JobResult:
    return export_job(
        job,
        source=place.source,
        store=place.store,
        stream=place.stream,
        spool=place.spool,
        retain_until=retain_until,
        meter=meter,
    )


# --- in a process of the pool -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opener:
    open_source: Callable[[], Source]
    open_store: Callable[[], Store]
    stream: StreamName
    spool: Path

    def open(self) -> _Place:
        return _Place(
            source=self.open_source(),
            store=self.open_store(),
            stream=self.stream,
            spool=self.spool,
        )


_opener_of_process: _Opener | None = None
_stop_of_process: Event | None = None


def _begin(opener: _Opener, stop: Event) -> None:
    global _opener_of_process, _stop_of_process
    _opener_of_process, _stop_of_process = opener, stop
    # Ctrl-C reaches all processes of a terminal: the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def _place_of_process() -> _Place:
    if _opener_of_process is None:
        raise RuntimeError("the process was not begun")
    return _opener_of_process.open()


def _work_in_process(job: Job, retain_until: datetime | None) -> bytes:
    """The `JobResult`, or the error that ended it."""
    try:
        return _packed(_work(_place_of_process(), job, retain_until, Meter(read=_read_in_process)))
    except KcomplianceError as error:
        return _packed(error)


def _read_in_process(docs: int, size: int) -> None:
    if _stop_of_process is not None and _stop_of_process.is_set():
        raise Stopped


class _Pickler(pickle.Pickler):
    """Errors as they are: Python would make them anew of their message alone."""

    def reducer_override(self, value: object) -> Any:
        if isinstance(value, KcomplianceError):
            return _same_error, (type(value), value.args, vars(value))
        return NotImplemented


def _packed(value: JobResult | KcomplianceError) -> bytes:
    packed = io.BytesIO()
    _Pickler(packed).dump(value)
    return packed.getvalue()


def _same_error(
    kind: type[KcomplianceError], args: tuple[object, ...], fields: dict[str, object]
) -> KcomplianceError:
    error = kind.__new__(kind, *args)
    vars(error).update(fields)
    return error
