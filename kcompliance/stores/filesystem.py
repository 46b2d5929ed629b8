"""A store in a folder: one read-only file for each object.

An object is written into a file of another name beside its place, brought to the disk, and given
its own name by link(2), which creates a name or fails, in one step. So a file that has the name of
an object is whole, whenever the process or the machine stops; what a process that was killed leaves
behind begins with `.partial-`, is never listed, and is swept away a day later. The folder must be
on a file system with hard links.

Below the folder no symbolic link is followed, by nothing, whoever made it.
"""

import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from kcompliance.errors import UsageError
from kcompliance.model.digest import Sha256
from kcompliance.stores.content import PIECE, not_this_content, opened, pieces
from kcompliance.stores.interface import (
    AlreadyThere,
    Capabilities,
    Damaged,
    Entry,
    Head,
    Lock,
    NoSpace,
    NotThere,
    Refused,
    Source,
    Store,
    Stored,
    StoreError,
    Unreachable,
    Unsupported,
)
from kcompliance.stores.keys import MAX_PARTS, checked_key, checked_prefix

__all__ = ["FilesystemStore"]

_PARTIAL: Final = ".partial-"
_SECONDS_TO_SWEEP: Final = 24 * 60 * 60
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe that lies at an object's place would wait for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_ONLY: Final = 0o444
_READ: Final = "read"
_WRITE: Final = "write"


class FilesystemStore(Store):
    """The objects below a folder, which is created when the first object is put."""

    def __init__(self, root: Path) -> None:
        try:
            # The way to the folder is the user's own and may lead over links; below it none may.
            self._shown = str(root)
            self._root = root.resolve()
            fits = self._root.is_dir() or not self._root.exists()
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f'cannot look at "{root}": {error}') from error
        if not fits:
            raise UsageError(f'"{root}" is not a folder', "name the folder of an archive")
        self._prepared: set[str] = set()

    @property
    def url(self) -> str:
        """The folder as its user wrote it: reports are compared between machines."""
        return self._shown

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
        folder, _, name = checked_key(key).rpartition("/")
        if retain_until is not None or legal_hold:
            raise _no_locks(key)
        with (
            opened(source) as file,
            _faults(key, _WRITE, self._root),
            self._made_folder(folder) as place,
        ):
            if not _is_there(name, place):
                with _partial(place) as partial:
                    size = _write(partial, place, file, sha256, key)
                    created = _created(partial, name, place)
                os.fsync(place)
                if created:
                    return Stored(version_id=None, size=size)
            raise _taken(key, name, place)

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
    ) -> bytes:
        """See `Store`."""
        with _faults(key, _READ, self._root), self._object(key, version) as file:
            file.seek(start)
            return file.read() if end is None else file.read(max(0, end - start))

    def read(self, key: str, *, version: str | None = None) -> Iterator[bytes]:
        """See `Store`."""
        with _faults(key, _READ, self._root), self._object(key, version) as file:
            yield from pieces(file)

    def head(self, key: str, *, version: str | None = None) -> Head:
        """See `Store`."""
        with _faults(key, _READ, self._root), self._object(key, version) as file:
            info = os.fstat(file.fileno())
        return Head(
            size=info.st_size, sha256=None, version_id=None, modified=_modified(info), lock=None
        )

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        folder, slash, _ = checked_prefix(prefix).rpartition("/")
        with _faults(prefix, _READ, self._root):
            if not self._root.is_dir():
                raise NotThere(f'there is no folder "{self._root}"')
            with suppress(FileNotFoundError, NotADirectoryError), self._folder(folder) as place:
                yield from _listed(place, folder + slash, prefix)

    def list_versions(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        return self.list(prefix)

    def delete(self, key: str, version: str | None) -> None:
        """See `Store`."""
        folder, _, name = checked_key(key).rpartition("/")
        if version is not None:
            return
        with (
            _faults(key, _WRITE, self._root),
            suppress(FileNotFoundError),
            self._folder(folder) as place,
        ):
            os.unlink(name, dir_fd=place)
            os.fsync(place)

    def retain(self, key: str, version: str | None, until: datetime) -> Lock:
        """See `Store`."""
        raise _no_locks(checked_key(key))

    def capabilities(self) -> Capabilities:
        """See `Store`."""
        return Capabilities(versions=False, locks=False, default_retention=None, encryption=None)

    def close(self) -> None:
        """See `Store`."""

    @contextmanager
    def _object(self, key: str, version: str | None) -> Iterator[BinaryIO]:
        folder, _, name = checked_key(key).rpartition("/")
        if version is not None:
            raise NotThere(f"{key} has no versions here: {self._root} is a folder")
        with self._folder(folder) as place:
            descriptor = os.open(name, _FILE, dir_fd=place)
        try:
            _must_be_an_object(descriptor, key)
            with open(descriptor, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(descriptor)

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """A descriptor of the folder; no part of the way to it is a symbolic link."""
        place = os.open(self._root, _FOLDER)
        try:
            for part in _parts(path):
                place = _entered(part, place)
            yield place
        finally:
            os.close(place)

    @contextmanager
    def _made_folder(self, path: str) -> Iterator[int]:
        """As `_folder`, made where it is missing, and on the disk in any case."""
        if path not in self._prepared:
            _make_folders(self._root)
        place = os.open(self._root, _FOLDER)
        try:
            for part in _parts(path):
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=place)
                if path not in self._prepared:
                    os.fsync(place)  # another process may have made it and not got this far
                place = _entered(part, place)
            if path not in self._prepared:
                _sweep(place)
                self._prepared.add(path)
            yield place
        finally:
            os.close(place)


# --- folders ---------------------------------------------------------------------------------


def _parts(path: str) -> list[str]:
    return path.split("/") if path else []


def _entered(part: str, place: int) -> int:
    """The folder inside the folder, which is closed."""
    inner = os.open(part, _FOLDER, dir_fd=place)
    os.close(place)
    return inner


def _make_folders(path: Path) -> None:
    if path.is_dir():
        return
    _make_folders(path.parent)
    path.mkdir(exist_ok=True)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _sweep(place: int) -> None:
    """Delete what processes that were killed have left behind long ago."""
    with os.scandir(place) as entries:
        partials = [each for each in entries if each.name.startswith(_PARTIAL)]
    for each in partials:
        with suppress(OSError):
            if time.time() - each.stat(follow_symlinks=False).st_mtime > _SECONDS_TO_SWEEP:
                os.unlink(each.name, dir_fd=place)


def _must_be_an_object(descriptor: int, key: str) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise NotThere(f"{key} is a folder, not an object")
    if not stat.S_ISREG(mode):
        raise Damaged(f"{key} is not a regular file")


# --- writing ---------------------------------------------------------------------------------


@contextmanager
def _partial(place: int) -> Iterator[str]:
    """A name for a file that is not to outlive this."""
    name = f"{_PARTIAL}{secrets.token_hex(8)}"
    try:
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)


def _write(name: str, place: int, file: BinaryIO, sha256: Sha256, key: str) -> int:
    """The size of the new file, whose content is on the disk."""
    digest = hashlib.sha256()
    descriptor = os.open(name, _NEW, _READ_ONLY, dir_fd=place)
    with os.fdopen(descriptor, "wb", buffering=0) as new:
        for piece in pieces(file):
            digest.update(piece)
            _write_all(descriptor, piece)
        if digest.hexdigest() != sha256:
            raise not_this_content(key, sha256, digest.hexdigest())
        os.fsync(descriptor)
        return new.tell()


def _write_all(descriptor: int, piece: bytes) -> None:
    # The disk may take a part of what it is given before it says that it is full.
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _created(partial: str, name: str, place: int) -> bool:
    """Whether the file has got its name, which nothing had before."""
    try:
        os.link(partial, name, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=False)
    except FileExistsError:
        # NFS may say so where the first answer was lost and its client has asked again.
        ours = os.stat(partial, dir_fd=place, follow_symlinks=False)
        return os.path.samestat(ours, os.stat(name, dir_fd=place, follow_symlinks=False))
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise Unsupported(
                f"{name} was not stored: the file system has no hard links",
                "keep the archive on a local file system or NFS, or in S3 or Azure Blob",
            ) from error
        raise
    return True


def _is_there(name: str, place: int) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _taken(key: str, name: str, place: int) -> AlreadyThere:
    """What to say of a name that something has, whatever it is."""
    size: int | None = None
    sha256: Sha256 | None = None
    with suppress(OSError):
        descriptor = os.open(name, _FILE, dir_fd=place)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                size, sha256 = _measured(descriptor)
        finally:
            os.close(descriptor)
        os.fsync(place)  # what may count as success has to be on the disk
    return AlreadyThere(f"{key} is there already", size=size, sha256=sha256)


def _measured(descriptor: int) -> tuple[int, Sha256]:
    digest = hashlib.sha256()
    size = 0
    while piece := os.read(descriptor, PIECE):
        digest.update(piece)
        size += len(piece)
    return size, Sha256(digest.hexdigest())


# --- listing ---------------------------------------------------------------------------------


def _listed(place: int, path: str, prefix: str) -> Iterator[Entry]:
    """What is below a folder whose path ends with a slash, if it begins with the prefix."""
    with os.scandir(place) as found:
        entries = sorted(found, key=_order)
    for entry in entries:
        key = path + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        is_folder = entry.is_dir(follow_symlinks=False)
        if not key.startswith(prefix) and not (is_folder and prefix.startswith(f"{key}/")):
            continue
        with suppress(FileNotFoundError):
            info = entry.stat(follow_symlinks=False)
            if is_folder and path.count("/") < MAX_PARTS - 1:
                yield from _listed_folder(entry.name, place, f"{key}/", prefix)
            elif is_folder:
                yield Entry(key=f"{key}/", size=0, version_id=None, modified=_modified(info))
            elif not entry.name.startswith(_PARTIAL):
                yield Entry(key=key, size=info.st_size, version_id=None, modified=_modified(info))


def _listed_folder(name: str, place: int, path: str, prefix: str) -> Iterator[Entry]:
    inner = os.open(name, _FOLDER, dir_fd=place)
    try:
        yield from _listed(inner, path, prefix)
    finally:
        os.close(inner)


def _order(entry: os.DirEntry[str]) -> bytes:
    """Such that whole keys come in order: `a-b` before `a/b`, and `a.b` too."""
    name = os.fsencode(entry.name)
    return name + b"/" if entry.is_dir(follow_symlinks=False) else name


def _modified(info: os.stat_result) -> datetime:
    return datetime.fromtimestamp(info.st_mtime, UTC)


# --- errors ----------------------------------------------------------------------------------

_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FILE: Final = {errno.ELOOP, errno.ENXIO, errno.EISDIR}


def _no_locks(key: str) -> Unsupported:
    return Unsupported(
        f"{key} cannot be locked: a folder keeps nothing from being deleted",
        "take an S3 bucket with Object Lock or an Azure container with version-level immutability",
    )


@contextmanager
def _faults(key: str, permission: str, root: Path) -> Iterator[None]:
    """Tells what the operating system says in the words of a store."""
    try:
        yield
    except OSError as error:
        raise _told(error, key, permission, root) from error


def _told(error: OSError, key: str, permission: str, root: Path) -> StoreError:
    what = f'"{key}" in "{root}"' if key else f'"{root}"'
    reason = error.strerror or type(error).__name__
    if error.errno in _FORBIDDEN:
        return Refused(
            f"may not {permission} {what}: {reason}",
            f"give this user the right to {permission} there",
            permission=permission,
        )
    if error.errno in _FULL:
        return NoSpace(f"no space for {what}: {reason}", "free some space or raise the quota")
    if error.errno in _NO_FILE:
        return Damaged(f"{what} is not a regular file")
    if error.errno == errno.ENOTDIR and permission == _WRITE:
        return Refused(
            f"cannot create {what}: something that is not a folder is in its way", permission=None
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return NotThere(f"there is no {what}")
    return Unreachable(f"cannot {permission} {what}: {reason}")
