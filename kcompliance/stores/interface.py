"""What a store is: a place for objects that are created once and never changed.

Promises of every store:

* Creation is conditional and whole. Of any number of `put_if_absent` of one key, by whatever
  processes and machines, exactly one returns; nobody ever sees a part of an object.
* Every call is retried within a bounded time where trying again can help, and trying again never
  writes a second object or a second version: an answer that was lost on the way is found out by
  looking at what is there.
* What a store can do is read back from it, never assumed (`capabilities`, and the lock of each
  object after it was put).
* Nothing that was not read is told as if it had been: what may not be looked at raises `Refused`
  or is `Unknown`.
* Memory stays flat, whatever the size of an object or the number of them, except in `get`.
* No message, hint or cause of an error holds a credential.
* All methods may be called by several threads at once.

A store trusts nobody: what it hands out is what lies there. Whether that is what was once put is
for the ledger to say, by its own digests; a store's own checksums only find damage earlier.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.model.digest import Sha256

__all__ = [
    "AlreadyThere",
    "Capabilities",
    "Damaged",
    "DefaultRetention",
    "Entry",
    "Head",
    "Lock",
    "LockMode",
    "Locked",
    "NoSpace",
    "NotThere",
    "Refused",
    "Source",
    "Store",
    "StoreError",
    "Stored",
    "Unknown",
    "Unreachable",
    "UnsafeKey",
    "Unsupported",
]

Source = bytes | Path | BinaryIO
"""What is put: bytes, the path of a file, or an open file that can be rewound. Of a file the whole
is put, wherever it stands, and possibly read several times; it is not closed."""


class LockMode(Enum):
    """How firmly an object is kept until its date."""

    GOVERNANCE = "governance"
    """Those with a special permission can shorten it (S3 GOVERNANCE, Azure Unlocked)."""
    COMPLIANCE = "compliance"
    """Nobody can shorten it (S3 COMPLIANCE, Azure Locked)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What keeps an object from being deleted; all empty: nothing does."""

    mode: LockMode | None = None
    until: datetime | None = None
    hold: bool = False

    def covers(self, wanted: "Lock") -> bool:
        """Whether this is at least as much as is wanted."""
        return wanted.hold <= self.hold and (
            wanted.until is None
            or (
                self.until is not None
                and wanted.until <= self.until
                and self.mode in {wanted.mode, LockMode.COMPLIANCE}
            )
        )

    def joined(self, other: "Lock") -> "Lock":
        """What is at least as much as both."""
        dated = [each for each in (self, other) if each.until is not None]
        strict = [each for each in dated if each.mode is LockMode.COMPLIANCE]
        return Lock(
            mode=(strict or dated or [self])[0].mode,
            until=max((each.until for each in dated if each.until is not None), default=None),
            hold=self.hold or other.hold,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object that this call has created; `version_id` where the store keeps versions."""

    version_id: str | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a store says of an object without handing it over."""

    size: int
    sha256: Sha256 | None
    """What the store, or else the writer, recorded when it was put; None where nobody did."""
    version_id: str | None
    modified: datetime
    lock: Lock | None
    """None: this store has no locks at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a listing; `key` is the name as found, which may be one that no key can have."""

    key: str
    size: int
    version_id: str | None
    modified: datetime
    is_latest: bool = True
    is_delete_marker: bool = False
    """The key was deleted without naming a version: older versions of it are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A capability that could not be read back; `permission` is the one that is missing."""

    reason: str
    permission: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRetention:
    """How long a store keeps objects for which nothing was asked."""

    mode: LockMode
    days: int | None = None
    years: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the store itself says it does."""

    versions: bool | Unknown
    """Whether what is overwritten or deleted is kept as an older version."""
    locks: bool | Unknown
    """Whether an object can be locked until a date, and put on legal hold."""
    default_retention: DefaultRetention | Unknown | None
    encryption: str | Unknown | None
    """How objects are encrypted at rest unless they ask for something else."""


class StoreError(KcomplianceError):
    """Something that a store could not or would not do. The subclasses say which.

    * NotThere      there is no such object, bucket or folder
    * AlreadyThere  the key is taken
    * UnsafeKey     no object of ours can have this name
    * Refused       the store's answer is no; `permission` is what would be needed
    * Locked        the object may not be deleted yet
    * Unsupported   this store has no such feature: asking somebody for a permission is no use
    * NoSpace       the disk or the quota is full
    * Unreachable   no usable answer, after all tries; see `put_if_absent`
    * Damaged       the bytes are not those that the checksum was made of
    """

    _name = "store"

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return self._name


class NotThere(StoreError):
    """There is no such object, version, bucket or folder."""

    _name = "store-not-there"


class AlreadyThere(StoreError):
    """The key is taken. `size` and `sha256` are those of what is there, None if not to be had."""

    _name = "store-already-there"

    def __init__(self, message: str, *, size: int | None, sha256: Sha256 | None) -> None:
        super().__init__(message)
        self.size = size
        self.sha256 = sha256

    def holds(self, size: int, sha256: Sha256) -> bool:
        """Whether what is there is known to be the same content."""
        return self.size == size and self.sha256 == sha256


class UnsafeKey(StoreError):
    """A name that no object of ours can have: see `kcompliance.stores.keys`."""

    _name = "store-unsafe-key"
    exit_code = ExitCode.USAGE


class Refused(StoreError):
    """The store says no. `permission` is the one that is missing, as its administrators call it."""

    _name = "store-refused"

    def __init__(self, message: str, hint: str | None = None, *, permission: str | None) -> None:
        super().__init__(message, hint)
        self.permission = permission


class Locked(StoreError):
    """A date or a legal hold keeps the object from being deleted."""

    _name = "store-locked"


class Unsupported(StoreError):
    """The store has no such feature."""

    _name = "store-unsupported"


class NoSpace(StoreError):
    """The disk or the quota is full; nothing half-written is left."""

    _name = "store-no-space"


class Unreachable(StoreError):
    """There was no usable answer after all tries."""

    _name = "store-unreachable"


class Damaged(StoreError):
    """The bytes are not those that their checksum was made of."""

    _name = "store-damaged"


class Store(Protocol):
    """One place that keeps objects by key. Keys: see `kcompliance.stores.keys`.

    Any method raises `Refused`, `Unreachable` or `UnsafeKey`, and `NotThere` where the bucket or
    the folder of the whole store is missing; only what else it raises is said below.
    """

    @property
    def url(self) -> str:
        """The store in messages, as the user would name it; without credentials."""

    def put_if_absent(
        self,
        key: str,
        source: Source,
        sha256: Sha256,
        *,
        retain_until: datetime | None = None,
        legal_hold: bool = False,
    ) -> Stored:
        """Create the object, durably and whole, unless anything has this key.

        When it returns, this very call has created the object, also where the answer to its first
        request was lost. The lock that was asked for has been read back and is on the object.

        `AlreadyThere`: it was created by somebody else, or by an earlier call of ours that ended
        in `Unreachable`; nothing was changed. Where the key names the content, an error that
        `holds` this size and sha256 is as good as success.
        `Unreachable`: the object may have been created, and may yet be; it is never there in part.
        The same call again settles it, in `Stored` or in `AlreadyThere`.
        `Damaged`: the source does not have this sha256, or did not arrive as it was sent: nothing
        was created.
        `Unsupported`: a lock was asked for and this store has none; nothing was created, unless
        the message says that the object is there without the lock.
        `NoSpace`: nothing was created.
        """

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
    ) -> bytes:
        """The bytes from `start` to before `end`, fewer where the object ends earlier.

        A whole object is checked against the checksum that the store keeps of it, if it keeps
        one: `Damaged`. A part is not checked. A response that breaks off is resumed with the same
        version of the object. Raises `NotThere`.
        """

    def read(self, key: str, *, version: str | None = None) -> Iterator[bytes]:
        """The object in pieces of at most a few MB, as `get` in all else.

        What is damaged shows only at the end: nobody may act on the pieces before. Closing the
        iterator early is allowed.
        """

    def head(self, key: str, *, version: str | None = None) -> Head:
        """What the store says of the object and of its lock. Raises `NotThere`."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """The objects whose keys begin so, in the order of their UTF-8 bytes, each once.

        Somebody else's objects too. What is created or deleted meanwhile may be missing or not.
        """

    def list_versions(self, prefix: str = "") -> Iterator[Entry]:
        """As `list`, with all versions and delete markers: of one key the newest first.

        In a store without versions the same as `list`.
        """

    def delete(self, key: str, version: str | None) -> None:
        """Remove this version for good, never leaving a delete marker.

        `version` is what `list_versions` says, None where it says None. When it returns, that
        version is not there any more, also if it was not there before. Raises `Locked`.
        """

    def retain(self, key: str, version: str | None, until: datetime) -> Lock:
        """Keep the object until this date at least; the lock that is then on it, read back.

        Never shortens a lock: an object that is kept longer stays as it is. Raises `NotThere`,
        and `Unsupported` where the store has no locks.
        """

    def capabilities(self) -> Capabilities:
        """What the store says it can do, asked anew each time."""

    def close(self) -> None:
        """Let go of connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
