"""A node's file tree below a root folder: paths mean what they mean on the node, and stay inside.

Each step of a path is opened by itself and never followed by the kernel (`O_NOFOLLOW`); links are
worked out here as chroot does, so that none leads out of the root, however the tree changes
meanwhile. A file is opened only after it was seen to be a regular one, and as that very inode.
"""

import contextlib
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

from kcompliance.errors import UsageError
from kcompliance.model.node_facts import FileFacts, FileType

__all__ = ["Found", "NodeRoot", "shown"]

MOST_LINKS: Final = 40
"""As the kernel has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a path led to, and the links on the way."""

    facts: FileFacts
    """Of the last step, by its own path without links."""
    links: tuple[FileFacts, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether nothing is there."""
        return self.facts.type is FileType.MISSING

    @property
    def refused(self) -> str | None:
        """Why it could not be looked at, if that is so."""
        unreadable = self.facts.type is FileType.UNREADABLE
        return (self.facts.problem or "could not be read") if unreadable else None


class NodeRoot:
    """The tree below `root`; a context manager. Raises UsageError where that is no folder."""

    def __init__(self, root: Path) -> None:
        if not sys.platform.startswith("linux"):
            raise UsageError("--node-root needs Linux", "run it on the node, or in a pod there")
        try:
            self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f'--node-root "{root}" is no folder that can be opened: {reason}',
                "name the folder at which the node's / is mounted, such as /host",
            ) from None

    def __enter__(self) -> "NodeRoot":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def look(self, path: str, *, free: bool = False) -> Found:
        """What is at an absolute path; `free`: with the room on a folder's file system."""
        with self._opened(path) as (found, fd):
            if fd is None or not free or found.facts.type is not FileType.FOLDER:
                return found
            return Found(facts=_with_free(found.facts, fd), links=found.links)

    def read(self, path: str, most: int) -> tuple[Found, bytes | None]:
        """A regular file's bytes; None where it is none, or what was found says why not."""
        with self._opened(path) as (found, fd):
            if fd is None or found.facts.type is not FileType.FILE:
                return found, None
            try:
                data = _content(fd, most)
            except OSError as error:
                return Found(facts=_unread(found.facts, error), links=found.links), None
            if len(data) > most:
                problem = f"larger than {most // 1024} KiB"
                return Found(facts=_problem(found.facts, problem), links=found.links), None
            return found, data

    def names(self, path: str, most: int) -> tuple[Found, tuple[str, ...]]:
        """What a folder holds, sorted, `most` names at most; nothing where it is none."""
        with self._opened(path) as (found, fd):
            if fd is None or found.facts.type is not FileType.FOLDER:
                return found, ()
            try:
                names = _names(fd)
            except OSError as error:
                return Found(facts=_unread(found.facts, error), links=found.links), ()
            if len(names) > most:
                problem = f"it holds {len(names)} names, and {most} were looked at"
                found = Found(facts=_problem(found.facts, problem), links=found.links)
            return found, names[:most]

    @contextlib.contextmanager
    def _opened(self, path: str) -> Iterator[tuple[Found, int | None]]:
        """The way to a path, and a handle of its last step where there is one."""
        walk = _Walk(self._root)
        try:
            facts = walk.to(path)
            yield Found(facts=facts, links=tuple(walk.links)), walk.last
        finally:
            walk.close()


class _Walk:
    """One way through the tree, with a handle of each folder on it, so that `..` is a step back."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._folders: list[int] = []
        self._names: list[str] = []
        self.links: list[FileFacts] = []
        self.last: int | None = None

    def close(self) -> None:
        for fd in {*self._folders, *(() if self.last is None else (self.last,))}:
            os.close(fd)

    def to(self, path: str) -> FileFacts:
        left = _parts(path)
        while left:
            name = left.pop(0)
            if name == "..":
                self._back()
                continue
            here = self._path(name)
            try:
                fd = os.open(
                    name,
                    os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC,
                    dir_fd=self._folders[-1] if self._folders else self._root,
                )
            except (OSError, ValueError) as error:
                return self._ended(here, left, error)
            info = os.fstat(fd)
            if stat.S_ISLNK(info.st_mode):
                target = self._link(here, fd, info)
                if len(self.links) > MOST_LINKS:
                    return _nothing(here, "too many links, or links in a circle")
                if target.startswith("/"):
                    self._restart()
                left = [*_parts(target), *left]
            elif stat.S_ISDIR(info.st_mode):
                self._folders.append(fd)
                self._names.append(name)
            else:
                self.last = fd
                return _nothing(self._below(here, left)) if left else _facts(here, fd, info)
        self.last = os.dup(self._folders[-1] if self._folders else self._root)
        return _facts("/" + "/".join(map(shown, self._names)), self.last, os.fstat(self.last))

    def _ended(self, here: str, left: list[str], error: OSError | ValueError) -> FileFacts:
        number = error.errno if isinstance(error, OSError) else errno.ENOENT
        path = self._below(here, left)
        if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ESRCH):
            return _nothing(path)
        return FileFacts(path=path, type=FileType.UNREADABLE, problem=_reason(error))

    def _link(self, here: str, fd: int, info: os.stat_result) -> str:
        try:
            target = os.readlink("", dir_fd=fd)
        finally:
            os.close(fd)
        self.links.append(_facts(here, None, info, target=shown(target)))
        return target

    def _back(self) -> None:
        """One folder up; above the root is the root."""
        if self._folders:
            os.close(self._folders.pop())
            self._names.pop()

    def _restart(self) -> None:
        while self._folders:
            self._back()

    def _path(self, name: str) -> str:
        return "/" + "/".join(map(shown, [*self._names, name]))

    @staticmethod
    def _below(here: str, left: list[str]) -> str:
        return "/".join([here, *map(shown, left)])


def _parts(path: str) -> list[str]:
    return [part for part in PurePosixPath(path).parts if part.strip("/")]


def shown(name: str) -> str:
    """A name that is not UTF-8 as one that is: reports and bundles are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


# --- one inode -----------------------------------------------------------------------------------


def _facts(path: str, fd: int | None, info: os.stat_result, target: str | None = None) -> FileFacts:
    kinds = {
        stat.S_IFREG: FileType.FILE,
        stat.S_IFDIR: FileType.FOLDER,
        stat.S_IFLNK: FileType.LINK,
    }
    type_ = kinds.get(stat.S_IFMT(info.st_mode), FileType.OTHER)
    return FileFacts(
        path=path,
        type=type_,
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        size=info.st_size if type_ is FileType.FILE else None,
        modified=_moment(info.st_mtime_ns),
        changed=_moment(info.st_ctime_ns),
        acl=None if fd is None else _acl(fd),
        target=target,
    )


def _nothing(path: str, problem: str | None = None) -> FileFacts:
    return FileFacts(path=path, type=FileType.MISSING, problem=problem)


def _unread(facts: FileFacts, error: OSError) -> FileFacts:
    return FileFacts(
        path=facts.path,
        type=FileType.UNREADABLE,
        mode=facts.mode,
        uid=facts.uid,
        gid=facts.gid,
        problem=_reason(error),
    )


def _problem(facts: FileFacts, problem: str) -> FileFacts:
    return _changed(facts, problem=problem)


def _with_free(facts: FileFacts, fd: int) -> FileFacts:
    try:
        room = os.fstatvfs(fd)
    except OSError:
        return facts
    return _changed(facts, free=room.f_bfree * room.f_frsize)


def _changed(facts: FileFacts, *, problem: str | None = None, free: int | None = None) -> FileFacts:
    return replace(
        facts, problem=problem or facts.problem, free=facts.free if free is None else free
    )


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return f"could not be read: {text or type(error).__name__}"


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(nanoseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None


def _again(fd: int) -> str:
    """The path at which the kernel opens exactly the inode of a handle."""
    return f"/proc/self/fd/{fd}"


def _content(fd: int, most: int) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    with open(os.open(_again(fd), flags), "rb", buffering=0) as file:  # noqa: PTH123 - a handle
        data = bytearray()
        while len(data) <= most and (piece := file.read(most + 1 - len(data))):
            data += piece
        return bytes(data)


def _names(fd: int) -> tuple[str, ...]:
    handle = os.open(_again(fd), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return tuple(sorted(os.listdir(handle)))  # noqa: PTH208 - of a handle, not of a path
    finally:
        os.close(handle)


# --- access control lists ------------------------------------------------------------------------

_ACL: Final = "system.posix_acl_access"
_NAMED_USER, _NAMED_GROUP, _MASK = 0x02, 0x08, 0x10
_ENTRY: Final = struct.Struct("<HHI")


def _acl(fd: int) -> bool | None:
    """Whether a list lets anybody but root in who is not named by the owner, group or mode."""
    try:
        data = os.getxattr(_again(fd), _ACL)
    except OSError as error:
        none_there = error.errno in (errno.ENODATA, errno.ENOTSUP)
        return False if none_there else None
    if len(data) < 4 or (len(data) - 4) % _ENTRY.size:
        return True
    entries = list(_ENTRY.iter_unpack(data[4:]))
    mask = next((allowed for tag, allowed, _ in entries if tag == _MASK), 0o7)
    return any(
        allowed & mask and who != 0
        for tag, allowed, who in entries
        if tag in (_NAMED_USER, _NAMED_GROUP)
    )
