"""Where export jobs run: threads of this process, or processes for more cores.

Hashing lines below 2 KB holds the interpreter's lock, so threads serve the network, compression
and large hashes, and more than about two cores are only used by processes.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from kcompliance.archive.export import Job, JobResult, Meter, export_job
from kcompliance.archive.interface import Source
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
        self._executor = ProcessPoolExecutor(
            processes,
            # A fork would take over connections and locks of threads.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_open_place,
            initargs=(open_source, open_store, stream, spool),
        )

    def run(self, jobs: Iterable[Work]) -> Iterator[JobResult]:
        """The results as they come."""
        for result in _results(self._executor, _work_in_process, jobs, lambda: None):
            docs = sum(part.written for part in result.partitions)
            self._meter.read(docs, sum(each.spooled.content_size for each in result.segments))
            self._meter.stored(sum(each.spooled.size for each in result.segments))
            yield result

    def __exit__(self, *exception: object) -> None:
        """Stop what runs, and wait until it has."""
        self._executor.shutdown(cancel_futures=True)


def _results(
    executor: Executor,
    work: Callable[[Job, "datetime | None"], JobResult],
    jobs: Iterable[Work],
    stop: Callable[[], None],
) -> Iterator[JobResult]:
    futures = [executor.submit(work, *each) for each in jobs]
    try:
        for future in as_completed(futures):
            yield future.result()
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


_place_of_process: _Place | None = None


def _open_place(
    open_source: Callable[[], Source],
    open_store: Callable[[], Store],
    stream: StreamName,
    spool: Path,
) -> None:
    global _place_of_process
    _place_of_process = _Place(source=open_source(), store=open_store(), stream=stream, spool=spool)


def _work_in_process(job: Job, retain_until: datetime | None) -> JobResult:
    if _place_of_process is None:
        raise RuntimeError("the process was not opened")
    return _work(_place_of_process, job, retain_until, Meter())
