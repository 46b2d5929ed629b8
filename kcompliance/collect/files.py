"""Reads files, folders and standard input, and recognises them by content."""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from kcompliance.collect.interface import Progress
from kcompliance.collect.recognise import Recognised, recognise
from kcompliance.model.apiserver import audit_settings
from kcompliance.model.assemble import assemble
from kcompliance.model.documents import Malformed, Unsure
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable

__all__ = ["STDIN", "collect_files"]

STDIN = "-"
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_FILES = 50_000
_SKIPPED_FOLDERS = frozenset({".git", ".venv", "node_modules", "__pycache__"})
_MANIFESTS = (".yaml", ".yml", ".json")
_STRUCTURED = (".yaml", ".yml", ".json", ".conf", ".txt", "")


def collect_files(paths: Iterable[str], now: datetime, progress: Progress) -> tuple[Capture, ...]:
    """Everything recognised below these paths; a folder's other files are passed over.

    A file named on its own that is nothing known is a gap: somebody meant something by it.
    """
    captures: list[Capture] = []
    passed_over: dict[str, Path] = {}
    for name, path, named in _files(paths):
        progress(name)
        capture = _capture(name, path, now, named=named)
        if capture is not None:
            captures.append(capture)
        elif path is not None:
            passed_over[name] = path
    return (*captures, *_policies_by_path(captures, passed_over, now))


_Found = tuple[str, Path | None, bool]
"""Name, path (None: standard input), and whether the user named this very file."""


def _files(paths: Iterable[str]) -> Iterator[_Found]:
    for text in paths:
        path = Path(text)
        if text == STDIN:
            yield "standard input", None, True
        elif path.is_dir():
            yield from _folder(path)
        else:
            yield text, path, True


def _folder(root: Path) -> Iterator[_Found]:
    """In a fixed order, without following links to folders, so loops cannot happen."""
    count = 0
    for folder, folders, names in os.walk(root, onerror=None, followlinks=False):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        if not os.access(folder, os.R_OK | os.X_OK):
            yield folder, Path(folder), True
        folders_unread = [f for f in folders if not os.access(Path(folder, f), os.R_OK | os.X_OK)]
        for unread in folders_unread:
            yield str(Path(folder, unread)), Path(folder, unread), True
        folders[:] = [f for f in folders if f not in folders_unread]
        for name in sorted(names):
            count += 1
            path = Path(folder, name)
            if count > MAX_FILES:
                yield f"{root} (after {MAX_FILES} files)", root, True
                return
            yield str(path), path, False


def _capture(name: str, path: Path | None, now: datetime, *, named: bool) -> Capture | None:
    origin = _origin(Kind.FILE, name, now)
    try:
        data = _read(path, named=named)
        found = None if data is None else recognise(data)
    except OSError as error:
        return Unreadable(origin=origin, reason=f"could not be read: {_os_reason(error)}")
    except (Malformed, Unsure) as error:
        return Unreadable(origin=origin, reason=f"could not be read: {error}")
    if found is not None:
        return _raw(name, found, now)
    if named:
        size = "empty" if data == b"" else "nothing that kcompliance knows is in it"
        return Unreadable(origin=origin, reason=size)
    return None


def _read(path: Path | None, *, named: bool) -> bytes | None:
    """At most `MAX_FILE_BYTES`; None for what a folder holds besides files of any interest."""
    if path is None:
        return _bounded(sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
    if not named and not _worth_opening(path):
        return None
    if path.is_dir():
        raise PermissionError(13, "Permission denied or too many files")
    with path.open("rb") as file:
        return _bounded(file.read(MAX_FILE_BYTES + 1))


def _worth_opening(path: Path) -> bool:
    """A regular file with a likely ending; logs of any size lie in such folders too."""
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        if _link_stays_inside(path):
            return True
        if path.suffix.lower() in _MANIFESTS:
            raise OSError(
                errno.ELOOP, "a link out of its folder or to nothing: name the file itself"
            )
        return False
    if not stat.S_ISREG(info.st_mode):
        return False
    return path.suffix.lower() in _STRUCTURED or info.st_size <= 1024 * 1024


def _link_stays_inside(path: Path) -> bool:
    """Links within their own folder are how Kubernetes mounts ConfigMaps; others lead astray."""
    target = Path(os.path.realpath(path))
    return target.is_file() and target.is_relative_to(path.parent.resolve())


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise Unsure(f"larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
    return data


def _os_reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _origin(kind: Kind, name: str, now: datetime) -> Origin:
    """A name that is not UTF-8 is shown as one that is: reports and bundles are."""
    name = os.fsencode(name).decode("utf-8", "backslashreplace")
    return Origin(kind=kind, resource=name, collector="files", collected_at=now)


def _raw(name: str, found: Recognised, now: datetime) -> Raw:
    return Raw(
        origin=_origin(found.kind, name, now), content=found.content, redactions=found.redactions
    )


def _policies_by_path(
    captures: list[Capture], passed_over: dict[str, Path], now: datetime
) -> Iterator[Capture]:
    """Files that a server's flags call its audit policy, although nothing in them says so."""
    cluster = assemble("files", captures)
    wanted = set()
    for seen in cluster.api_servers:
        server = seen.value
        path = audit_settings(server.arguments, server.version).policy_file
        if path:
            wanted.add(PurePosixPath(server.host_path(path) or path).parts[1:])
    for name, file in passed_over.items():
        if any(
            len(parts) > 1 and PurePosixPath(name).parts[-len(parts) :] == parts for parts in wanted
        ):
            origin = _origin(Kind.AUDIT_POLICY, name, now)
            try:
                data = _read(file, named=False)
            except (OSError, Unsure) as error:
                reason = _os_reason(error) if isinstance(error, OSError) else str(error)
                yield Unreadable(origin=origin, reason=f"could not be read: {reason}")
                continue
            if data is None:
                reason = "could not be read: too large, no regular file, or a link that leads out"
                yield Unreadable(origin=origin, reason=reason)
            else:
                yield Raw(origin=origin, content=data)
