"""Objects of S3 and Azure Blob Storage, which are only ever listed and read.

Of the rights that a store knows, s3:ListBucket and s3:GetObject, or Storage Blob Data Reader, are
enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from kcompliance.archive.files.faults import of_store
from kcompliance.archive.files.notes import Notes
from kcompliance.archive.files.places import Found, Opened, Place, shown
from kcompliance.archive.interface import NothingToArchive
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import NotThere, StoreError

__all__ = ["RemotePlace"]

_PARTS_OF_PLACE: Final = {"s3": 1, "azblob": 2}
"""How many parts of the path of a URL, its host among them, are no key."""


class RemotePlace(Place):
    """The objects below a URL, or the one object that it names."""

    def __init__(self, url: str, options: StoreOptions) -> None:
        self._options = replace(options, foreign=True)
        self._store = open_store(url, self._options)
        self._parent: Store | None = None

    @property
    def pattern(self) -> str:
        """See `Place`."""
        return shown(self._store.url)

    def find(self, notes: Notes) -> Iterator[Found]:
        """See `Place`; raises `NothingToArchive` where the bucket or container is missing."""
        count = 0
        try:
            for entry in self._store.list():
                count += 1
                yield self._found(f"{self._store.url}/{entry.key}", entry.size)
            if count == 0:
                yield from self._itself()
        except NotThere as error:
            raise NothingToArchive(error.message, error.hint) from error
        except StoreError as error:
            raise of_store(error) from error

    def near(self, location: str) -> Iterator[Found]:
        """See `Place`: objects are not renamed."""
        return iter(())

    def holds(self, location: str) -> bool:
        """See `Place`."""
        return location == self._store.url or location.startswith(f"{self._store.url}/")

    @contextmanager
    def open(self, location: str) -> Iterator[Opened]:
        """See `Place`; that it is there shows when it is read."""
        store, key = self._store, location.removeprefix(f"{self._store.url}/")
        if location == self._store.url:
            store, key = self._around(), location.rpartition("/")[2]
        yield _OpenObject(store, key)

    def close(self) -> None:
        """See `Place`."""
        self._store.close()
        if self._parent is not None:
            self._parent.close()

    def _itself(self) -> Iterator[Found]:
        scheme, _, path = self._store.url.partition("://")
        if path.count("/") < _PARTS_OF_PLACE[scheme]:
            return
        name = path.rpartition("/")[2]
        for entry in self._around().list(name):
            if entry.key == name:
                yield self._found(self._store.url, entry.size, named=True)

    def _around(self) -> Store:
        """The store that has the named object in it."""
        if self._parent is None:
            self._parent = open_store(self._store.url.rpartition("/")[0], self._options)
        return self._parent

    def _found(self, location: str, size: int, *, named: bool = False) -> Found:
        return Found(place=self, name=shown(location), location=location, size=size, named=named)


class _OpenObject(Opened):
    """An object by its key."""

    largest = 4 * 1024 * 1024

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key

    def read_at(self, start: int, end: int) -> bytes:
        """See `Opened`."""
        try:
            return self._store.get(self._key, start=start, end=end)
        except StoreError as error:
            raise of_store(error) from error
