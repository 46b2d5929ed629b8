"""Files and folders of this machine.

The way to what the user named may lead over symbolic links; below it none is followed, not even
one that takes the place of a folder while this reads.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from kcompliance.archive.files.faults import of_system
from kcompliance.archive.files.notes import Notes
from kcompliance.archive.files.places import Found, Opened, Place, shown
from kcompliance.archive.interface import NothingToArchive, SourceError
from kcompliance.errors import UsageError

__all__ = ["LocalPlace"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_FILES: Final = 200_000


class LocalPlace(Place):
    """A file, or a folder with all that is below it."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    @property
    def pattern(self) -> str:
        """See `Place`."""
        return shown(str(self._path))

    def find(self, notes: Notes) -> Iterator[Found]:
        """See `Place`; raises `NothingToArchive` where nothing has this path."""
        path = self._resolved()
        try:
            info = path.stat()
        except FileNotFoundError as error:
            hint = "name audit log files, or the folder that holds them"
            raise NothingToArchive(f'there is no "{self.pattern}"', hint) from error
        except OSError as error:
            raise of_system(error, str(path)) from error
        if stat.S_ISDIR(info.st_mode):
            yield from self._below(path, notes)
        elif stat.S_ISREG(info.st_mode):
            yield self._found(path, info.st_size, named=True)
        else:
            raise UsageError(f'neither a file nor a folder: "{self.pattern}"')

    def near(self, location: str) -> Iterator[Found]:
        """See `Place`; renamed files stay in their folder."""
        folder = Path(location).parent
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda each: each.name):
                    if entry.is_file(follow_symlinks=False):
                        size = entry.stat(follow_symlinks=False).st_size
                        yield replace(self._found(folder / entry.name, size), beside=True)
        except OSError:
            return  # what cannot be looked at is not found

    def holds(self, location: str) -> bool:
        """See `Place`."""
        return Path(location).is_relative_to(self._root())

    @contextmanager
    def open(self, location: str) -> Iterator[Opened]:
        """See `Place`."""
        root = self._root()
        try:
            descriptor = _opened(root, Path(location).relative_to(root).parts)
        except OSError as error:
            raise of_system(error, location) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError(f'"{shown(location)}" is not a regular file any more')
            yield _OpenFile(descriptor, location)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """See `Place`."""

    def _resolved(self) -> Path:
        try:
            return self._path.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL
            raise UsageError(f'not a usable path: "{self.pattern}"') from error

    def _root(self) -> Path:
        """The folder below which no link is followed."""
        path = self._resolved()
        return path if path.is_dir() else path.parent

    def _below(self, root: Path, notes: Notes) -> Iterator[Found]:
        def unread(error: OSError) -> None:
            notes.troubles.append(of_system(error, error.filename or str(root)))

        count = 0
        for folder, folders, names, place in os.fwalk(root, onerror=unread):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                try:
                    info = os.stat(name, dir_fd=place, follow_symlinks=False)
                except OSError:
                    continue  # deleted since
                if stat.S_ISLNK(info.st_mode):
                    notes.link(shown(str(path)))
                elif stat.S_ISREG(info.st_mode):
                    yield self._found(path, info.st_size)
                count += 1
            if count > _MOST_FILES:
                raise UsageError(
                    f'more than {_MOST_FILES} files below "{self.pattern}"',
                    "name the folder that holds audit logs only",
                )

    def _found(self, path: Path, size: int, *, named: bool = False) -> Found:
        text = str(path)
        return Found(place=self, name=shown(text), location=text, size=size, named=named)


class _OpenFile(Opened):
    """A file by its descriptor, which stays the same file whatever it is renamed to."""

    largest = 1024 * 1024

    def __init__(self, descriptor: int, location: str) -> None:
        self._descriptor = descriptor
        self._location = location

    def read_at(self, start: int, end: int) -> bytes:
        """See `Opened`."""
        try:
            return os.pread(self._descriptor, end - start, start)
        except OSError as error:
            raise of_system(error, self._location) from error


def _opened(root: Path, parts: tuple[str, ...]) -> int:
    """A descriptor of the file; no part of the way to it from `root` is a link."""
    if not parts or ".." in parts:
        raise ValueError(f"not below {root}: {parts}")
    place = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(parts[-1], _FILE, dir_fd=place)
    finally:
        os.close(place)
