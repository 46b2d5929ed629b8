"""Finds out what files are: whether they are audit logs, which ones, and how far they go."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from kcompliance.archive.files.content import Content, Gzipped, Plain, content_of
from kcompliance.archive.files.faults import FileChanged
from kcompliance.archive.files.lines import first_line, too_long
from kcompliance.archive.files.options import FilesOptions
from kcompliance.archive.files.places import Found
from kcompliance.archive.files.times import span_of
from kcompliance.model.audit_event import AuditEvent, NotAnEvent, events_in
from kcompliance.model.digest import Sha256, sha256

__all__ = ["Extent", "Log", "NoLog", "extent_of", "identity_of", "recognised"]

_LF: Final = b"\n"
_MARK: Final = b"\xef\xbb\xbf"
_BACKWARD: Final = 64 * 1024
_AKS_CATEGORIES: Final = frozenset({"kube-audit", "kube-audit-admin"})
_MOST_DECODED: Final = 4 * 1024 * 1024
"""Of a line whose nature does not show at once: what it decodes to takes many times its size."""


class _Marks(msgspec.Struct, gc=False):
    """What tells most events at once."""

    version: str = msgspec.field(default="", name="apiVersion")
    verb: str = ""
    category: str = ""


_MARKS: Final = msgspec.json.Decoder(_Marks)
_JUNK: Final = (ValueError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A file that is an audit log."""

    found: Found
    file: Sha256
    """Of its first line."""
    begins: datetime | None
    """The time of its first event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLog:
    """A file that is none, and why; or `not_yet`, for it has no whole line."""

    found: Found
    reason: str
    not_yet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far a file goes that is an audit log. Offsets are those of its decompressed bytes."""

    end: int
    """After the last whole line."""
    cuts: tuple[int, ...]
    """Where windows of what is new end and begin, each after a line; without `end`."""
    rest: int
    """Bytes after the last whole line."""
    compressed: bool
    breaks_off: bool = False
    """Whether it is compressed and not complete."""


# --- what it is -------------------------------------------------------------------------------


def recognised(found: Found, options: FilesOptions, latest: datetime) -> Log | NoLog:
    """What a file is by its first line. Raises `SourceError` where it cannot be read."""
    if found.size == 0:
        return NoLog(found=found, reason="it is empty", not_yet=True)
    with found.place.open(found.location) as file:
        content = content_of(file, found.name)
        start = next(content.pieces(0, None), b"").removeprefix(_MARK).lstrip()
        if start and not start.startswith(b"{"):
            return NoLog(found=found, reason="its first line is no JSON object")
        line = first_line(content, options.line_bytes)
    if line is None:
        return NoLog(found=found, reason="it has no whole line yet", not_yet=True)
    reason = _why_no_event(line)
    if reason is not None:
        return NoLog(found=found, reason=reason)
    begins, _ = span_of(line + _LF, 1, latest)
    return Log(found=found, file=sha256(line), begins=begins)


def identity_of(content: Content, options: FilesOptions) -> Sha256 | None:
    """What a file is known by; None where it has no whole line."""
    line = first_line(content, options.line_bytes)
    return None if line is None else sha256(line)


def _why_no_event(line: bytes) -> str | None:
    text = line.removeprefix(_MARK)
    try:
        marks = _MARKS.decode(text)
    except _JUNK:
        marks = _Marks()
    if marks.category in _AKS_CATEGORIES or (
        marks.version.startswith("audit.k8s.io/") and marks.verb
    ):
        return None
    if len(text) > _MOST_DECODED:
        return "its first line is long, and no event of kube-apiserver or AKS"
    try:
        first = next(events_in(msgspec.json.decode(text)), None)
    except _JUNK:
        return "its first line is no JSON object"
    match first:
        case AuditEvent():
            return None
        case NotAnEvent(reason=reason):
            return f"its first line is {reason}"
        case None:
            return "its first line holds no audit event"


# --- how far it goes --------------------------------------------------------------------------


def extent_of(log: Log, start: int, options: FilesOptions) -> Extent:
    """How far a file goes that was archived up to `start`. Raises `SourceError`."""
    with log.found.place.open(log.found.location) as file:
        content = content_of(file, log.found.name)
        if identity_of(content, options) != log.file:
            raise FileChanged(f'"{log.found.name}" was written anew while it was looked at')
        if isinstance(content, Gzipped):
            return _of_gzip(content, log.found.size, start, options)
        if isinstance(content, Plain):
            return _of_plain(content, log.found.size, start, options)
    raise TypeError(content)


def _of_plain(content: Plain, size: int, start: int, options: FilesOptions) -> Extent:
    if size == start:
        return Extent(end=start, cuts=(), rest=0, compressed=False)
    end = _last_line_end(content, size, options.line_bytes)
    cuts: list[int] = []
    target = start + options.window_bytes
    while target < end:
        cut = _next_line_end(content, target, options.line_bytes)
        if cut < end:
            cuts.append(cut)
        target = cut + options.window_bytes
    return Extent(end=end, cuts=tuple(cuts), rest=size - end, compressed=False)


def _last_line_end(content: Plain, size: int, longest: int) -> int:
    """Searched from the end, as the file may be very large."""
    end = size
    while end > 0:
        start = max(0, end - _BACKWARD)
        block = content.at(start, end)
        if len(block) < end - start:
            raise FileChanged(f'"{content.name}" became shorter while it was looked at')
        if (last := block.rfind(_LF)) >= 0:
            return start + last + 1
        if size - start > longest:
            raise too_long(content.name, start, longest)
        end = start
    return 0


def _next_line_end(content: Plain, target: int, longest: int) -> int:
    """The first at or after `target`."""
    position = target - 1
    for piece in content.pieces(position, None):
        if (at := piece.find(_LF)) >= 0:
            return position + at + 1
        position += len(piece)
        if position - target > longest:
            raise too_long(content.name, target, longest)
    raise FileChanged(f'"{content.name}" became shorter while it was looked at')


def _of_gzip(content: Gzipped, size: int, start: int, options: FilesOptions) -> Extent:
    if start and _unpacked_size(content, size) == start % 2**32:
        # Archived to its end: no need to decompress it again in each run.
        return Extent(end=start, cuts=(), rest=0, compressed=True)
    position = end = 0
    cuts: list[int] = []
    target = start + options.window_bytes
    for piece in content.pieces(0, None):
        while (at := piece.find(_LF, max(0, target - 1 - position))) >= 0:
            cuts.append(position + at + 1)
            target = cuts[-1] + options.window_bytes
        end = position + piece.rfind(_LF) + 1 if _LF in piece else end
        position += len(piece)
        if position - end > options.line_bytes:
            raise too_long(content.name, end, options.line_bytes)
    inner = tuple(cut for cut in cuts if cut < end)
    return Extent(
        end=end,
        cuts=inner,
        rest=position - end,
        compressed=True,
        breaks_off=content.breaks_off,
    )


def _unpacked_size(content: Gzipped, size: int) -> int:
    """As a gzip file of one member says at its end, modulo 2^32."""
    return int.from_bytes(content.packed.at(max(0, size - 4), size), "little")
