"""The objects of an archive's log as they lie in its store: listed, and read ahead in bounds.

Nothing is judged here but whether an object can be read at all.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from kcompliance.ledger import (
    Batch,
    CheckpointName,
    Fault,
    FindingCode,
    LogName,
    SignedCheckpoint,
    checkpoint_name,
    log_name,
    parse_checkpoint,
    parse_name,
    read_batch,
)
from kcompliance.ledger.note import MAX_NOTE_BYTES
from kcompliance.stores.interface import Damaged, NotThere, Store, StoreError

__all__ = ["MAX_BATCH_BYTES", "FetchedBatch", "FetchedCommit", "LogObjects"]

MAX_BATCH_BYTES = 64 * 1024 * 1024
"""Of the records of one commit: they are read as a whole."""

_LEAST_LEAF = len(b'{"type":"","v":1}')
_THREADS = 16
_COMMITS_AHEAD = 32
_BYTES_AHEAD = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedBatch:
    """The records of a commit as they were found."""

    batch: Batch
    key: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedCommit:
    """A checkpoint, and the batch whose name carries its root; or what was there instead."""

    number: int
    key: str
    size: int
    checkpoint: SignedCheckpoint | Fault
    batch: FetchedBatch | Fault | None
    """None where the checkpoint names none."""


class LogObjects:
    """The checkpoints and batches of an archive.

    Where `keep_going`, what could not be read is a READ_FAILED; else it raises `StoreError`.
    Listing always raises.
    """

    def __init__(self, store: Store, *, keep_going: bool) -> None:
        self._store = store
        self._keep_going = keep_going
        self._checkpoints: dict[int, int] = {}
        self._batches: dict[int, dict[str, int]] = {}
        self._batch_numbers: list[int] = []

    def look(self) -> None:
        """Look at what is there, and forget what was seen before."""
        self._checkpoints, self._batches = {}, {}
        for entry in self._store.list("cp/"):
            name = parse_name(entry.key)
            if isinstance(name, CheckpointName):
                self._checkpoints[name.number] = entry.size
        for entry in self._store.list("log/"):
            name = parse_name(entry.key)
            if isinstance(name, LogName):
                self._batches.setdefault(name.number, {})[entry.key] = entry.size
        self._checkpoints = dict(sorted(self._checkpoints.items()))
        self._batch_numbers = sorted(self._batches)

    @property
    def numbers(self) -> list[int]:
        """Of the objects at checkpoints' names, ascending."""
        return list(self._checkpoints)

    def has_batch(self, number: int) -> bool:
        """Whether anything lies there that may be the records of this commit."""
        return number in self._batches

    def holes(self, numbers: range) -> Iterator[tuple[int, int]]:
        """The first and last of each row of numbers at which there is no checkpoint."""
        present = self.numbers
        low = bisect_left(present, numbers.start)
        high = bisect_left(present, numbers.stop)
        before = numbers.start - 1
        for number in (*present[low:high], numbers.stop):
            if number > before + 1:
                yield before + 1, number - 1
            before = number

    def batches_named(self, root: bytes, numbers: range) -> Iterator[tuple[int, str, int]]:
        """Number, name and size of those whose name carries this root; the last first."""
        low = bisect_left(self._batch_numbers, numbers.start)
        high = bisect_left(self._batch_numbers, numbers.stop)
        for number in reversed(self._batch_numbers[low:high]):
            key = log_name(number, root)
            if key in self._batches[number]:
                yield number, key, self._batches[number][key]

    # --- reading --------------------------------------------------------------------------------

    def commits(self) -> Iterator[FetchedCommit]:
        """All checkpoints with their batches, in order; some are read ahead."""
        waiting: deque[tuple[Future[FetchedCommit], int]] = deque()
        numbers = iter(self._checkpoints)
        bytes_ahead, next_number = 0, next(numbers, None)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="log") as pool:
            try:
                while waiting or next_number is not None:
                    while next_number is not None and (
                        not waiting
                        or (len(waiting) < _COMMITS_AHEAD and bytes_ahead < _BYTES_AHEAD)
                    ):
                        most = max(self._batches.get(next_number, {}).values(), default=0)
                        waiting.append((pool.submit(self.commit, next_number), most))
                        bytes_ahead, next_number = bytes_ahead + most, next(numbers, None)
                    future, most = waiting.popleft()
                    bytes_ahead -= most
                    yield future.result()
            finally:
                for future, _ in waiting:
                    future.cancel()

    def commit(self, number: int) -> FetchedCommit:
        """The checkpoint of this number, which was listed, with its batch."""
        key = checkpoint_name(number)
        malformed = FindingCode.CHECKPOINT_MALFORMED
        data = self._get(key, self._checkpoints[number], MAX_NOTE_BYTES, malformed)
        checkpoint = data if isinstance(data, Fault) else parse_checkpoint(data)
        if isinstance(checkpoint, Fault):
            checkpoint = replace(checkpoint, object=key)
        batch: FetchedBatch | Fault | None = None
        if isinstance(checkpoint, SignedCheckpoint):
            batch_key = log_name(number, checkpoint.checkpoint.root)
            size = self._batches.get(number, {}).get(batch_key)
            batch = _missing(batch_key) if size is None else self.batch(batch_key, size)
        size = len(data) if isinstance(data, bytes) else 0
        return FetchedCommit(number=number, key=key, size=size, checkpoint=checkpoint, batch=batch)

    def batch(self, key: str, size: int) -> FetchedBatch | Fault:
        """The records under this name; nobody has looked yet where they lead."""
        data = self._get(key, size, MAX_BATCH_BYTES, FindingCode.LEAF_MALFORMED)
        if isinstance(data, Fault):
            return data
        if data.count(b"\n") > len(data) // _LEAST_LEAF + 1:
            # Millions of lines that are no records would take much memory for nothing.
            detail = "lines that are too short for records"
            return Fault(code=FindingCode.LEAF_MALFORMED, detail=detail, object=key)
        batch = read_batch(data)
        if isinstance(batch, Fault):
            return replace(batch, object=key)
        return FetchedBatch(batch=batch, key=key, size=len(data))

    def _get(self, key: str, size: int, most: int, damaged: FindingCode) -> bytes | Fault:
        if size <= most:
            try:
                data = self._store.get(key, end=most + 1)
            except NotThere:
                return _missing(key) if damaged is FindingCode.LEAF_MALFORMED else _gone(key)
            except Damaged as error:
                return Fault(code=damaged, detail=error.message, object=key)
            except StoreError as error:
                if not self._keep_going:
                    raise
                return Fault(code=FindingCode.READ_FAILED, detail=error.message, object=key)
            size = len(data)
            if size <= most:
                return data
        detail = f"more than {most} bytes"
        return Fault(code=damaged, detail=detail, object=key)


def _missing(key: str) -> Fault:
    detail = "the records of this commit are missing"
    return Fault(code=FindingCode.LEAF_MISSING, detail=detail, object=key)


def _gone(key: str) -> Fault:
    detail = "it was there a moment ago and is gone"
    return Fault(code=FindingCode.CHECKPOINT_MALFORMED, detail=detail, object=key)
