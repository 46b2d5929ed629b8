"""Reads files, folders and standard input, and recognises them by content."""

import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kcompliance.collect.interface import Progress
from kcompliance.collect.kubeconfig import without_credentials
from kcompliance.collect.recognise import Recognised, recognise
from kcompliance.model.apiserver import audit_settings
from kcompliance.model.approval.approved import APPROVED_FILE
from kcompliance.model.assemble import assemble
from kcompliance.model.documents import Malformed, Unsure
from kcompliance.model.in_force import is_copy_of
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable

__all__ = ["STDIN", "collect_files"]

STDIN = "-"
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_FILES = 50_000
_SKIPPED_FOLDERS = frozenset({".git", ".venv", "node_modules", "__pycache__"})
_MANIFESTS = (".yaml", ".yml", ".json")
_PROSE = frozenset({".md", ".rst", ".txt", ".log", ".html", ".j2", ".tmpl", ".tpl", ".sh", ".py"})
"""What a server never reads as a manifest or policy: not understanding it hides nothing."""
_STRUCTURED = (".yaml", ".yml", ".json", ".conf", ".txt", "")


def collect_files(paths: Iterable[str], now: datetime, progress: Progress) -> tuple[Capture, ...]:
    """Everything recognised below these paths; a folder's other files are passed over.

    A file named on its own that is nothing known is a gap: somebody meant something by it.
    """
    captures: list[Capture] = []
    passed_over: list[_File] = []
    for found in _files(paths):
        progress(found.name)
        capture = _kubeconfig(found, now) or _capture(found, now)
        if capture is not None:
            captures.append(capture)
        elif found.path is not None:
            passed_over.append(found)
    return (
        *captures,
        *_policies_by_path(captures, passed_over, now),
        *_webhooks_by_path(captures, passed_over, now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file to look at; `problem` where even that much cannot be done."""

    name: str
    path: Path | None
    """None: standard input."""
    named: bool = False
    """Whether the user named this very file, rather than a folder around it."""
    problem: str | None = None


def _files(paths: Iterable[str]) -> Iterator[_File]:
    for text in paths:
        path = Path(text)
        if text == STDIN:
            yield _File(name="standard input", path=None, named=True)
        elif path.is_dir():
            yield from _folder(path)
        else:
            yield _File(name=text, path=path, named=True)


def _folder(root: Path) -> Iterator[_File]:
    """In a fixed order, without following links to folders, so loops cannot happen."""
    unread: list[OSError] = []
    count = 0
    for folder, folders, names in os.walk(root, onerror=unread.append, followlinks=False):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for path in (Path(folder, name) for name in sorted(names)):
            count += 1
            if count > MAX_FILES:
                problem = f"not read beyond {MAX_FILES} files: name a smaller folder"
                yield _File(name=str(root), path=root, problem=problem)
                return
            yield _File(name=str(path), path=path)
    for error in unread:
        yield _File(name=str(error.filename), path=None, problem=_os_reason(error))


def _capture(found: _File, now: datetime) -> Capture | None:
    problem = found.problem
    try:
        data = b"" if problem else _read(found)
        recognised = recognise(data) if data else None
    except OSError as error:
        problem = _os_reason(error)
    except (Malformed, Unsure) as error:
        if not found.named and found.path is not None and found.path.suffix.lower() in _PROSE:
            return None
        problem = f"could not be read: {error}"
    else:
        if recognised is not None:
            return _raw(found.name, recognised, now)
        if found.named:
            problem = "nothing that kcompliance knows is in it" if data else "it is empty"
    origin = _origin(Kind.FILE, found.name, now)
    return Unreadable(origin=origin, reason=problem) if problem else None


def _read(found: _File) -> bytes | None:
    """At most `MAX_FILE_BYTES`; None for what a folder holds besides files of any interest."""
    if found.path is None:
        return _bounded(sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
    if not found.named and not _worth_opening(found.path):
        return None
    with found.path.open("rb") as file:
        return _bounded(file.read(MAX_FILE_BYTES + 1))


def _worth_opening(path: Path) -> bool:
    """A regular file with a likely ending; logs of any size lie in such folders too."""
    if path.name == APPROVED_FILE:
        return False  # what was approved is no part of what runs
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
    return f"could not be read: {error.strerror or type(error).__name__}"


def _origin(kind: Kind, name: str, now: datetime) -> Origin:
    """A name that is not UTF-8 is shown as one that is: reports and bundles are."""
    name = os.fsencode(name).decode("utf-8", "backslashreplace")
    return Origin(kind=kind, resource=name, collector="files", collected_at=now)


def _raw(name: str, found: Recognised, now: datetime) -> Raw:
    return Raw(
        origin=_origin(found.kind, name, now), content=found.content, redactions=found.redactions
    )


def _kubeconfig(found: _File, now: datetime) -> Capture | None:
    """A kubeconfig that was named, or that a folder calls one for audit; None for all else.

    Others, such as admin.conf, are nobody's business.
    """
    called_so = found.path is not None and _CALLED_WEBHOOK.search(found.path.name)
    if found.problem or found.path is None or not (found.named or called_so):
        return None
    try:
        data = _read(found)
    except (OSError, Unsure):
        return None  # to be told by whoever reads it next
    kept = without_credentials(data) if data and _LIKE_KUBECONFIG.search(data) else None
    if kept is None:
        return None
    origin = _origin(Kind.WEBHOOK_CONFIG, found.name, now)
    return Raw(origin=origin, content=kept[0], redactions=kept[1])


_CALLED_WEBHOOK = re.compile(r"audit|webhook", re.IGNORECASE)
_LIKE_KUBECONFIG = re.compile(rb"clusters[\"']?\s*:")


def _webhooks_by_path(
    captures: list[Capture], passed_over: list[_File], now: datetime
) -> Iterator[Capture]:
    """Files that a server's flags call the kubeconfig of its audit webhook."""
    wanted = []
    for seen in assemble("files", captures).api_servers:
        server = seen.value
        path = audit_settings(server.arguments, server.version).webhook_config_file
        if path:
            wanted.append(server.host_path(path) or path)
    for found in passed_over:
        if not any(is_copy_of(found.name, path) for path in wanted):
            continue
        origin = _origin(Kind.WEBHOOK_CONFIG, found.name, now)
        try:
            data = _read(found)
        except (OSError, Unsure) as error:
            reason = _os_reason(error) if isinstance(error, OSError) else str(error)
            yield Unreadable(origin=origin, reason=reason)
            continue
        kept = without_credentials(data) if data else None
        if kept is None:
            reason = "not read: no regular file, a link that leads out, or no kubeconfig"
            yield Unreadable(origin=origin, reason=reason)
        else:
            yield Raw(origin=origin, content=kept[0], redactions=kept[1])


def _policies_by_path(
    captures: list[Capture], passed_over: list[_File], now: datetime
) -> Iterator[Capture]:
    """Files that a server's flags call its audit policy, although nothing in them says so."""
    wanted = []
    for seen in assemble("files", captures).api_servers:
        server = seen.value
        path = audit_settings(server.arguments, server.version).policy_file
        if path:
            wanted.append(server.host_path(path) or path)
    for found in passed_over:
        if any(is_copy_of(found.name, path) for path in wanted):
            origin = _origin(Kind.AUDIT_POLICY, found.name, now)
            try:
                data = _read(found)  # never a pipe, and no link that leads out
            except (OSError, Unsure) as error:
                reason = _os_reason(error) if isinstance(error, OSError) else str(error)
                yield Unreadable(origin=origin, reason=reason)
                continue
            if data is None:
                reason = (
                    "not read: no regular file, a link that leads out, or too large for a policy"
                )
                yield Unreadable(origin=origin, reason=reason)
            else:
                yield Raw(origin=origin, content=data)
