"""Holds what a result is made of until it is written, in the order in which it is written.

Records come cluster by cluster and are read back sorted by their keys, from a file without a name
as soon as they are many: memory does not grow with them. The operating system removes the file,
also after kill -9.
"""

import tempfile
import weakref
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kcompliance.errors import OutputError

__all__ = ["SortedRecords"]

IN_MEMORY: Final = 4 * 1024 * 1024
"""Bytes. A scan of one cluster stays below, so that it needs no folder that can be written to."""


class SortedRecords:
    """Records by key; those of one key in the order in which they came."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._places: dict[tuple[int, ...], array[int]] = {}
        self._end = 0

    def put(self, key: tuple[int, ...], record: bytes) -> None:
        """Keep a record. Raises OutputError where the disk refuses."""
        with _told():
            self._file.write(record)
        self._places.setdefault(key, array("Q")).extend((self._end, len(record)))
        self._end += len(record)

    def __iter__(self) -> Iterator[bytes]:
        """All records, sorted by key; for use after the last one was put."""
        for key in sorted(self._places):
            places = self._places[key]
            for start, size in zip(places[::2], places[1::2], strict=True):
                with _told():
                    self._file.seek(start)
                    record = self._file.read(size)
                yield record


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot hold what was found in a temporary file: {error.strerror}",
            "set TMPDIR to a folder that can be written to and has room",
        ) from error
