"""The folder in which segments are written before they are stored.

Each run has a folder of its own in the one that the user names, or in the system's temporary one.
Its owner holds a lock on a file in it; a folder whose lock is free belongs to nobody any more, so
the next run sweeps it away. What lies there are audit events: nobody else may read it.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from kcompliance.errors import KcomplianceError, UsageError

__all__ = ["PARTIAL_PREFIX", "PARTIAL_SUFFIX", "Spool", "SpoolError", "SpoolFull", "spool_faults"]

PARTIAL_PREFIX: Final = ".kcompliance-"
PARTIAL_SUFFIX: Final = ".partial"
"""Of every file in a spool: what has another name is not ours, and is left alone."""

_FOLDER_PREFIX: Final = ".kcompliance-spool-"
_LOCK: Final = ".kcompliance-lock"
_OWN: Final = re.compile(
    rf"{re.escape(_LOCK)}|{re.escape(PARTIAL_PREFIX)}.*{re.escape(PARTIAL_SUFFIX)}", re.DOTALL
)
_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TRIES: Final = 100
_ELSEWHERE: Final = "name another folder with --spool"


class SpoolError(KcomplianceError):
    """The folder for files in the making cannot be used."""

    _name = "spool"

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return self._name


class SpoolFull(SpoolError):
    """There is not enough space, or the quota is used up."""

    _name = "spool-full"


class Spool:
    """A folder for one run, inside `folder` or the system's temporary folder.

    As a context manager: entering sweeps away what dead runs have left and makes `path`, leaving
    removes it. Raises `SpoolError`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._base = Path(tempfile.gettempdir()) if folder is None else folder
        self._path: Path | None = None
        self._lock: int | None = None

    @property
    def path(self) -> Path:
        """This run's own folder, while the spool is entered."""
        if self._path is None:
            raise ValueError("the spool is not entered")
        return self._path

    def require(self, needed: int) -> None:
        """Raise `SpoolFull` unless this many bytes are free."""
        with spool_faults(self._base):
            free = shutil.disk_usage(self._base).free
        if free < needed:
            raise SpoolFull(
                f'"{self._base}" has {_shown(free)} free, and about {_shown(needed)} are needed',
                f"free some space there, or {_ELSEWHERE}",
            )

    def __enter__(self) -> Self:
        if not self._base.is_dir():
            raise UsageError(f'"{self._base}" is not a folder', f"create it, or {_ELSEWHERE}")
        with spool_faults(self._base):
            _sweep(self._base)
            self._path, self._lock = _claim(self._base)
        return self

    def __exit__(self, *exception: object) -> None:
        # What cannot be removed now is swept away by the next run, as the lock is let go.
        with suppress(OSError):
            _remove(self.path)
        if self._lock is not None:
            os.close(self._lock)
        self._path = self._lock = None


@contextmanager
def spool_faults(folder: Path) -> Iterator[None]:
    """Tells what the operating system says of files in a spool as `SpoolError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _FULL:
            raise SpoolFull(
                f'no space in "{folder}": {reason}', f"free some space there, or {_ELSEWHERE}"
            ) from error
        failed = SpoolError(f'cannot write files in "{folder}": {reason}', _ELSEWHERE)
        raise failed from error


# --- owners ----------------------------------------------------------------------------------


def _claim(base: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor that holds its lock.

    A run that sweeps may take the folder for a dead one's before it is locked: then it is gone,
    or its lock is another file, and the next name is tried.
    """
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=base))
        lock = None
        try:
            lock = os.open(path / _LOCK, _OPEN_LOCK, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock), (path / _LOCK).stat()):
                return path, lock
        except FileNotFoundError:
            pass
        except BaseException:
            _abandon(path, lock)
            raise
        _abandon(path, lock)
    raise SpoolError(f'no folder in "{base}" stays: something else removes them', _ELSEWHERE)


def _abandon(path: Path, lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
    with suppress(OSError):
        _remove(path)


def _sweep(base: Path) -> None:
    """Remove what runs have left that are dead."""
    with os.scandir(base) as entries:
        names = [each.name for each in entries if each.name.startswith(_FOLDER_PREFIX)]
    for name in names:
        # Another run that sweeps, or one that ends, may be faster; that is as good.
        with suppress(OSError):
            _sweep_one(base / name)


def _sweep_one(path: Path) -> None:
    place = os.open(path, _OPEN_FOLDER)
    try:
        if not _is_own(place):
            return
        lock = os.open(_LOCK, _OPEN_LOCK, 0o600, dir_fd=place)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        finally:
            os.close(lock)
    finally:
        os.close(place)


def _is_own(place: int) -> bool:
    """Whether nobody else can have put anything into this folder."""
    info = os.fstat(place)
    return info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _remove(path: Path) -> None:
    """Remove a run's folder, unless it holds what is not ours; the lock goes last."""
    place = os.open(path, _OPEN_FOLDER)
    try:
        with os.scandir(place) as entries:
            names = [each.name for each in entries if _OWN.fullmatch(each.name)]
        for name in sorted(names, key=lambda name: name == _LOCK):
            os.unlink(name, dir_fd=place)
    finally:
        os.close(place)
    path.rmdir()


def _shown(size: int) -> str:
    """A size for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
