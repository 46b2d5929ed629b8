"""Work on many objects at once: bounded, and its results taken as they come."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Semaphore
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Pool"]

Result = TypeVar("Result")

_WAITING_A_THREAD = 8


class Pool(Generic[Result]):
    """Threads: hashing and zstd let go of the interpreter's lock, and so does waiting for a store.

    `submit` waits where too much is under way, so that memory stays flat.
    """

    def __init__(self, threads: int | None = None) -> None:
        threads = threads or min(32, (os.cpu_count() or 1) + 4)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._free = Semaphore(threads * _WAITING_A_THREAD)
        self._done: SimpleQueue[Future[Result]] = SimpleQueue()

    def submit(self, work: Callable[[], Result]) -> None:
        """Do this soon."""
        self._free.acquire()
        self._threads.submit(work).add_done_callback(self._finished)

    def results(self) -> Iterator[Result]:
        """What is done by now, in any order; raises what a piece of work has raised."""
        while True:
            try:
                future = self._done.get_nowait()
            except Empty:
                return
            yield future.result()

    def finish(self) -> Iterator[Result]:
        """Wait for all of it; nothing can be submitted after that."""
        self._threads.shutdown(wait=True)
        yield from self.results()

    def _finished(self, future: Future[Result]) -> None:
        self._done.put(future)
        self._free.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
