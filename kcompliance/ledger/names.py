"""The names of all objects in an archive: one way to write each, and the way back for listings.

A name that `parse_name` knows is safe to use on any store and file system: relative, in lower-case
ASCII, without a part that some system reads as something else.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

from kcompliance.model.digest import Sha256, parse_sha256

__all__ = [
    "MAX_NUMBER",
    "AnchorName",
    "CheckpointName",
    "LogName",
    "MetadataName",
    "Name",
    "RunName",
    "SegmentName",
    "StreamName",
    "anchor_name",
    "checkpoint_name",
    "log_name",
    "metadata_name",
    "parse_name",
    "parse_stream_name",
    "parse_uuid",
    "run_name",
    "segment_name",
    "unsafe_because",
]

StreamName = NewType("StreamName", str)
"""Two parts, `cluster/dataset`."""

MAX_NUMBER = 10**12 - 1
"""The highest commit number: names carry twelve digits, so that they sort."""


@dataclass(frozen=True, slots=True)
class RunName:
    """`run/<run uuid>.json`: the signed intent of a run."""

    run: UUID


@dataclass(frozen=True, slots=True)
class SegmentName:
    """`seg/<stream>/<YYYY>/<MM>/<DD>/<HH>/<sha256>.ndjson.zst`: archived events.

    The hour is the one in which the window begins, in UTC; 0000/00/00/00 for events without a
    time.
    """

    stream: StreamName
    hour: datetime | None
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class MetadataName:
    """`meta/<sha256>.json.zst`: settings, mappings, templates of what was archived."""

    sha256: Sha256


@dataclass(frozen=True, slots=True)
class LogName:
    """`log/<n:012d>-<root hex>.ndjson`: the records of commit n."""

    number: int
    root: bytes


@dataclass(frozen=True, slots=True)
class CheckpointName:
    """`cp/<n:012d>.ckpt`: the signed checkpoint n."""

    number: int


@dataclass(frozen=True, slots=True)
class AnchorName:
    """`anchor/<n:012d>.<kind>`: memory outside the archive for checkpoint n."""

    number: int
    kind: str


Name = RunName | SegmentName | MetadataName | LogName | CheckpointName | AnchorName


def run_name(run: UUID) -> str:
    """The name of a run's intent."""
    return f"run/{run}.json"


def segment_name(stream: StreamName, start: datetime | None, sha256: Sha256) -> str:
    """The name of a segment of the window that begins then."""
    hour = "0000/00/00/00"
    if start is not None:
        utc = start.astimezone(UTC)
        hour = f"{utc.year:04d}/{utc:%m/%d/%H}"
    return f"seg/{stream}/{hour}/{sha256}.ndjson.zst"


def metadata_name(sha256: Sha256) -> str:
    """The name of an object of index settings and mappings."""
    return f"meta/{sha256}.json.zst"


def log_name(number: int, root: bytes) -> str:
    """The name of the records of a commit, which carries the root that they lead to."""
    return f"log/{_twelve_digits(number)}-{root.hex()}.ndjson"


def checkpoint_name(number: int) -> str:
    """The name of a checkpoint: the only one that two writers compete for."""
    return f"cp/{_twelve_digits(number)}.ckpt"


def anchor_name(number: int, kind: str) -> str:
    """The name of a token or cosignature of a checkpoint."""
    return f"anchor/{_twelve_digits(number)}.{kind}"


def parse_name(key: str) -> Name | None:
    """What an object is by its name; None for names that no archive has."""
    for pattern, make in _FORMS:
        found = pattern.fullmatch(key)
        if found is not None:
            return make(found)
    return None


def parse_stream_name(text: str) -> StreamName | None:
    """The stream name that a text is, or None.

    `con/x`, `a./b` and the like are none: an auditor could not copy such an archive to Windows.
    """
    parts = text.split("/")
    if len(parts) != 2 or not all(_STREAM_PART.fullmatch(part) for part in parts):
        return None
    return StreamName(text) if unsafe_because(text) is None else None


def parse_uuid(text: str) -> UUID | None:
    """The UUID whose canonical text (RFC 9562: lower case, hyphens) this is, or None."""
    return UUID(text) if _UUID.fullmatch(text) else None


def unsafe_because(key: str) -> str | None:
    """Why a path may lead elsewhere on some store or file system, or None where it may not."""
    if not key or len(key) > _MAX_KEY:
        return f"empty or longer than {_MAX_KEY} characters"
    if key.startswith("/"):
        return "absolute"
    if "\\" in key or ":" in key:
        return "a backslash or a colon: a drive, a share or a stream of Windows"
    if any(unicodedata.category(character).startswith("C") for character in key):
        return "a control character, NUL, or half a character"
    for part in key.split("/"):
        if part in ("", ".", ".."):
            return f"the part {part!r}"
        if part[-1] in ". " or part[0] == " ":
            return f"the part {part!r}: Windows would drop its end"
        # NOTE: a device with any extension, https://learn.microsoft.com/windows/win32/fileio/naming-a-file
        if part.split(".")[0].rstrip(" ").lower() in _DEVICES:
            return f"the part {part!r}: a device of Windows"
    return None


_MAX_KEY = 1024
_STREAM_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"]
)

_HEX = "[0-9a-f]{64}"
_NUMBER = "([0-9]{12})"
_HOUR = "([0-9]{4}(?:/[0-9]{2}){3})"
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _run(found: re.Match[str]) -> RunName | None:
    run = parse_uuid(found[1])
    return None if run is None else RunName(run)


def _segment(found: re.Match[str]) -> SegmentName | None:
    stream, sha256 = parse_stream_name(found[1]), parse_sha256(found[3])
    if stream is None or sha256 is None:
        return None
    if found[2] == "0000/00/00/00":
        return SegmentName(stream, None, sha256)
    year, month, day, hour = map(int, found[2].split("/"))
    try:
        return SegmentName(stream, datetime(year, month, day, hour, tzinfo=UTC), sha256)
    except ValueError:
        return None


def _metadata(found: re.Match[str]) -> MetadataName | None:
    sha256 = parse_sha256(found[1])
    return None if sha256 is None else MetadataName(sha256)


_FORMS = (
    (re.compile(r"run/([^/]*)\.json"), _run),
    (
        re.compile(rf"seg/([^/]*/[^/]*)/{_HOUR}/({_HEX})\.ndjson\.zst"),
        _segment,
    ),
    (re.compile(rf"meta/({_HEX})\.json\.zst"), _metadata),
    (
        re.compile(rf"log/{_NUMBER}-({_HEX})\.ndjson"),
        lambda found: LogName(int(found[1]), bytes.fromhex(found[2])),
    ),
    (re.compile(rf"cp/{_NUMBER}\.ckpt"), lambda found: CheckpointName(int(found[1]))),
    (
        re.compile(rf"anchor/{_NUMBER}\.([a-z][a-z0-9.-]{{0,30}}[a-z0-9])"),
        lambda found: AnchorName(int(found[1]), found[2]),
    ),
)


def _twelve_digits(number: int) -> str:
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"no commit number: {number}")
    return f"{number:012d}"
