"""Reads segments and metadata back: hostile bytes, judged by the record that was signed for them.

Nothing that an object holds raises: the answer is what was found good, or the one `Fault` that all
else follows from.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from kcompliance.archive.object_check import Found, Recorded, What, examine
from kcompliance.archive.spool import SpoolError, spool_faults
from kcompliance.archive.zstd_frames import BadFrame, read_frame
from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.ledger import (
    EventsRoot,
    Fault,
    FindingCode,
    IndexShare,
    MetadataRecord,
    SegmentRecord,
    format_time,
)

__all__ = [
    "ObjectCheck",
    "ObjectDamaged",
    "check_object",
    "contents",
    "events",
    "read_metadata",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCheck:
    """What was read and found to be as it was recorded."""

    size: int
    content_size: int
    docs: int | None
    """Lines, where they were looked at."""


class ObjectDamaged(KcomplianceError):
    """An object is not what its record says, so nothing of it is handed out."""

    exit_code = ExitCode.FINDINGS

    def __init__(self, fault: Fault) -> None:
        super().__init__(
            f"{fault.object}: {fault.code}: {fault.detail}",
            "see what else is wrong with kcompliance verify",
        )
        self.fault = fault

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "object-damaged"


def check_object(
    record: SegmentRecord, pieces: Iterable[bytes], *, lines: bool = False
) -> ObjectCheck | Fault:
    """Whether a segment is what its record says.

    `pieces` are its bytes in order; what reading them raises is passed on. More of them than were
    recorded are not read to their end. With `lines` every line is looked at too (level 4). Faults:
    SEGMENT_MODIFIED, SEGMENT_TRUNCATED, SEGMENT_TRAILING_DATA, EVENTS_ROOT, BOMB.
    """
    content = _Lines(record)
    found = examine(_recorded(record), pieces, content.add if lines else _whole_lines)
    if found is None and lines:
        found = content.problem()
    if found is not None:
        return _fault(record, _SEGMENT_CODES[found.what], found.detail)
    return ObjectCheck(
        size=record.size, content_size=record.content_size, docs=record.docs if lines else None
    )


def read_metadata(record: MetadataRecord, pieces: Iterable[bytes]) -> bytes | Fault:
    """What an object of settings and mappings holds. Faults: METADATA_MODIFIED, BOMB."""
    content: list[bytes] = []

    def keep(frame: bytes) -> None:
        content.append(frame)

    found = examine(_recorded(record), pieces, keep)
    if found is None:
        return b"".join(content)
    is_bomb = _SEGMENT_CODES[found.what] is FindingCode.BOMB
    code = FindingCode.BOMB if is_bomb else FindingCode.METADATA_MODIFIED
    return _fault(record, code, found.detail)


def events(
    record: SegmentRecord, pieces: Iterable[bytes], *, folder: Path | None = None
) -> Iterator[bytes]:
    """The lines of a segment without their line feeds; otherwise as `contents`."""
    for content in contents(record, pieces, folder=folder):
        start = 0
        while (end := content.find(b"\n", start)) >= 0:
            yield content[start:end]
            start = end + 1


def contents(
    record: SegmentRecord, pieces: Iterable[bytes], *, folder: Path | None = None
) -> Iterator[bytes]:
    """What a segment holds, whole lines at a time: some MB, never more than `MAX_FRAME_CONTENT`.

    Nothing comes before the whole segment has been found good: only its end shows that it is. So
    it is first copied into a file without a name in `folder` (None: the temporary folder), then
    read once more from there. Raises `ObjectDamaged`, or `SpoolError`.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    with spool_faults(place):
        file = tempfile.TemporaryFile(dir=place)  # noqa: SIM115 - closed below
    with file:
        found = check_object(record, _copied(pieces, file, place))
        if isinstance(found, Fault):
            raise ObjectDamaged(found)
        with spool_faults(place):
            file.seek(0)
        for size, content_size in record.frames:
            with spool_faults(place):
                data = file.read(size)
            frame = read_frame(data, content_size)
            if isinstance(frame, BadFrame):
                raise SpoolError(f'"{place}" gives back other bytes than it was given')
            yield frame


def _copied(pieces: Iterable[bytes], file: BinaryIO, folder: Path) -> Iterator[bytes]:
    for piece in pieces:
        with spool_faults(folder):
            file.write(piece)
        yield piece


# --- lines --------------------------------------------------------------------------------------


class _Event(msgspec.Struct):
    """Any JSON object: what it holds is skipped, as JSON."""


_EVENT: Final = msgspec.json.Decoder(_Event)


def _whole_lines(content: bytes) -> str | None:
    return None if content.endswith(b"\n") else "the last line has no line feed"


class _Lines:
    """The lines of a segment, each looked at."""

    def __init__(self, record: SegmentRecord) -> None:
        self._record = record
        self._root = EventsRoot()
        # A line of a file is archived as it is, even where a crash has left half of one.
        self._are_json = any(isinstance(each, IndexShare) for each in record.source.shares)

    def add(self, content: bytes) -> str | None:
        """Take a frame's content; what is wrong with it as lines, if anything."""
        if (reason := _whole_lines(content)) is not None:
            return reason
        before = self._root.size
        self._root.update_content(content)
        if self._are_json and (number := _no_object(content)) is not None:
            return f"line {before + number} of the segment is no JSON object"
        return None

    def problem(self) -> Found | None:
        """What is wrong with all of them together."""
        if self._root.size != self._record.docs:
            detail = f"it has {self._root.size} lines, and {self._record.docs} are recorded"
            return Found(What.USE, detail)
        if self._root.root.hex() != self._record.events_root:
            return Found(What.USE, "its lines do not hash to the recorded root")
        return None


def _no_object(content: bytes) -> int | None:
    """The number, from 1, of the first line that is no JSON object."""
    view, start, number = memoryview(content), 0, 0
    while (end := content.find(b"\n", start)) >= 0:
        number += 1
        try:
            _EVENT.decode(view[start:end])
        except msgspec.DecodeError:
            if not _is_odd_object(content[start:end]):
                return number
        except RecursionError:
            pass  # deeper than can be looked at here is no proof of anything
        start = end + 1
    return None


def _is_odd_object(line: bytes) -> bool:
    """Whether it is an object all the same: half a surrogate pair is JSON, and servers take it."""
    try:
        return isinstance(json.loads(line.decode(errors="replace")), dict)
    except RecursionError:
        return True
    except ValueError:
        return False


# --- records and faults -------------------------------------------------------------------------

_SEGMENT_CODES: Final = {
    What.MODIFIED: FindingCode.SEGMENT_MODIFIED,
    What.TRUNCATED: FindingCode.SEGMENT_TRUNCATED,
    What.TRAILING: FindingCode.SEGMENT_TRAILING_DATA,
    What.BOMB: FindingCode.BOMB,
    What.WINDOW: FindingCode.BOMB,
    What.USE: FindingCode.EVENTS_ROOT,
}


def _fault(record: SegmentRecord | MetadataRecord, code: FindingCode, detail: str) -> Fault:
    start = record.start if isinstance(record, SegmentRecord) else None
    end = record.end if isinstance(record, SegmentRecord) else None
    return Fault(
        code=code,
        detail=detail,
        object=record.key,
        stream=record.stream,
        start=None if start is None else format_time(start),
        end=None if end is None else format_time(end),
    )


def _recorded(record: SegmentRecord | MetadataRecord) -> Recorded:
    frames = (
        record.frames
        if isinstance(record, SegmentRecord)
        else ((record.size, record.content_size),)
    )
    return Recorded(
        size=record.size,
        sha256=record.sha256,
        content_size=record.content_size,
        content_sha256=record.content_sha256,
        frames=frames,
    )
