"""A store in memory: what the others are in all but durability, for tests and for trying out."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kcompliance.model.digest import Sha256, sha256
from kcompliance.stores.content import PIECE, checked_content, opened
from kcompliance.stores.interface import (
    AlreadyThere,
    Capabilities,
    Damaged,
    Entry,
    Head,
    Lock,
    Locked,
    LockMode,
    NotThere,
    Source,
    Store,
    Stored,
    Unsupported,
)
from kcompliance.stores.keys import checked_key, checked_prefix
from kcompliance.stores.options import wanted_lock

__all__ = ["MemoryStore"]


@dataclass(slots=True, kw_only=True)
class _Object:
    content: bytes
    digest: Sha256
    version: str | None
    modified: datetime
    lock: Lock = field(default_factory=Lock)


class MemoryStore(Store):
    """Objects in a dictionary; with `locks` they can be locked and have version ids."""

    def __init__(
        self,
        *,
        locks: bool = False,
        lock_mode: LockMode = LockMode.COMPLIANCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._locks = locks
        self._lock_mode = lock_mode
        self._clock = clock
        self._objects: dict[str, _Object] = {}
        self._mutex = threading.Lock()
        self._versions = 0

    @property
    def url(self) -> str:
        """See `Store`."""
        return "memory"

    def put_if_absent(
        self,
        key: str,
        source: Source,
        sha256: Sha256,
        *,
        retain_until: datetime | None = None,
        legal_hold: bool = False,
    ) -> Stored:
        """See `Store`."""
        checked_key(key)
        lock = wanted_lock(self._lock_mode, retain_until, hold=legal_hold)
        if lock != Lock():
            self._must_lock(key)
        with opened(source) as file:
            checked_content(file, sha256, key)
            content = file.read()
        with self._mutex:
            there = self._objects.get(key)
            if there is not None:
                raise AlreadyThere(
                    f"{key} is in the store already", size=len(there.content), sha256=there.digest
                )
            self._versions += 1
            version = f"{self._versions:08d}" if self._locks else None
            self._objects[key] = _Object(
                content=content,
                digest=sha256,
                version=version,
                modified=self._clock(),
                lock=lock,
            )
        return Stored(version_id=version, size=len(content))

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
    ) -> bytes:
        """See `Store`."""
        found = self._found(key, version)
        if start == 0 and end is None and sha256(found.content) != found.digest:
            raise Damaged(f"{key} in the store is damaged: its sha256 is not {found.digest}")
        return found.content[start:end]

    def read(self, key: str, *, version: str | None = None) -> Iterator[bytes]:
        """See `Store`."""
        content = self.get(key, version=version)
        for start in range(0, len(content), PIECE):
            yield content[start : start + PIECE]

    def head(self, key: str, *, version: str | None = None) -> Head:
        """See `Store`."""
        found = self._found(key, version)
        return Head(
            size=len(found.content),
            sha256=found.digest,
            version_id=found.version,
            modified=found.modified,
            lock=found.lock if self._locks else None,
        )

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        checked_prefix(prefix)
        with self._mutex:
            found = sorted(each for each in self._objects.items() if each[0].startswith(prefix))
        for key, each in found:
            yield Entry(
                key=key, size=len(each.content), version_id=each.version, modified=each.modified
            )

    def list_versions(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        return self.list(prefix)

    def delete(self, key: str, version: str | None) -> None:
        """See `Store`."""
        checked_key(key)
        with self._mutex:
            there = self._objects.get(key)
            if there is None or there.version != version:
                return
            kept = there.lock.until is not None and there.lock.until > self._clock()
            if kept or there.lock.hold:
                raise Locked(f"{key} is locked and cannot be deleted")
            del self._objects[key]

    def retain(self, key: str, version: str | None, until: datetime) -> Lock:
        """See `Store`."""
        found = self._found(key, version)
        self._must_lock(key)
        with self._mutex:
            found.lock = found.lock.joined(wanted_lock(self._lock_mode, until, hold=False))
            return found.lock

    def capabilities(self) -> Capabilities:
        """See `Store`."""
        return Capabilities(
            versions=self._locks, locks=self._locks, default_retention=None, encryption=None
        )

    def close(self) -> None:
        """See `Store`."""

    def _found(self, key: str, version: str | None) -> _Object:
        checked_key(key)
        with self._mutex:
            there = self._objects.get(key)
        if there is None or version not in {None, there.version}:
            raise NotThere(f"{key} is not in the store")
        return there

    def _must_lock(self, key: str) -> None:
        if not self._locks:
            raise Unsupported(f"{key} cannot be locked: this store has no locks")
