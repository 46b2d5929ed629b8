"""Gives archived events back, each segment checked against its signed record before a line of it.

Checked are the segment's size and hash, its frames, its content and the root over its lines. The
record itself is as good as the log, which who calls has to have judged.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from kcompliance.archive.catalogue import ArchivedSegment, NotAsSigned
from kcompliance.archive.segment_reader import check_object
from kcompliance.archive.spool import SpoolError, spool_faults
from kcompliance.archive.zstd_frames import BadFrame, read_frame
from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.ledger import Fault, FileShare, FindingCode, SegmentRecord, format_time
from kcompliance.stores.interface import Damaged, NotThere, Store

__all__ = ["NoSource", "checked_contents", "sources"]


class NoSource(KcomplianceError):
    """An event of an index has no `_source` that could be given back alone."""

    exit_code = ExitCode.INCOMPLETE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "no-source"


def checked_contents(
    store: Store, segment: ArchivedSegment, *, folder: Path | None = None
) -> Iterator[bytes]:
    """What a segment holds, some whole lines at a time, once all of it has been found good.

    Until then it lies in a file without a name in `folder` (None: the temporary folder). Raises
    `NotAsSigned`, which says what of which segment is wrong, `SpoolError` and `StoreError`.
    """
    record = segment.record
    place = Path(tempfile.gettempdir()) if folder is None else folder
    with spool_faults(place):
        file = tempfile.TemporaryFile(dir=place)  # noqa: SIM115 - closed below
    with file:
        found = check_object(record, _copied(_read(store, record), file, place), lines=True)
        if isinstance(found, Fault):
            raise _faulty(found)
        with spool_faults(place):
            file.seek(0)
        for size, content_size in record.frames:
            with spool_faults(place):
                data = file.read(size)
            content = read_frame(data, content_size)
            if isinstance(content, BadFrame):
                raise SpoolError(f'"{place}" gives back other bytes than it was given')
            yield content


def sources(record: SegmentRecord, content: bytes) -> bytes:
    """The same events without what the archive has put around each: `_source`, byte for byte.

    Lines of files are archived as they are, and stay so. Raises `NoSource`.
    """
    if any(isinstance(share, FileShare) for share in record.source.shares):
        return content
    lines = []
    for line in content.removesuffix(b"\n").split(b"\n"):
        source = _source(line)
        if source is None:
            raise NoSource(
                f'"{record.key}" holds an event without a _source', "give the lines as they are"
            )
        lines.append(source)
    return b"".join(line + b"\n" for line in lines)


def _source(line: bytes) -> bytes | None:
    try:
        return bytes(_LINE.decode(line).source)
    except (msgspec.DecodeError, RecursionError):
        # Servers take half a surrogate pair and any depth; what an archiver writes ends with it.
        _, key, rest = line.partition(b',"_source":')
        return rest[:-1] if key and rest.endswith(b"}") else None


class _Line(msgspec.Struct):
    source: msgspec.Raw = msgspec.field(name="_source")


_LINE = msgspec.json.Decoder(_Line)


def _read(store: Store, record: SegmentRecord) -> Iterator[bytes]:
    try:
        yield from _any_version(store, record)
    except NotThere as error:
        raise _faulty(
            _fault(record, FindingCode.SEGMENT_MISSING, "a recorded segment is not there")
        ) from error
    except Damaged as error:
        raise _faulty(_fault(record, FindingCode.SEGMENT_MODIFIED, error.message)) from error


def _any_version(store: Store, record: SegmentRecord) -> Iterator[bytes]:
    """The version that was recorded; of a copy of the archive, which has others, what is there."""
    begun = False
    try:
        for piece in store.read(record.key, version=record.version_id):
            begun = True
            yield piece
    except NotThere:
        if begun or record.version_id is None:
            raise
        yield from store.read(record.key)


def _copied(pieces: Iterable[bytes], file: BinaryIO, folder: Path) -> Iterator[bytes]:
    for piece in pieces:
        with spool_faults(folder):
            file.write(piece)
        yield piece


def _fault(record: SegmentRecord, code: FindingCode, detail: str) -> Fault:
    return Fault(
        code=code,
        detail=detail,
        object=record.key,
        stream=record.stream,
        start=None if record.start is None else format_time(record.start),
        end=None if record.end is None else format_time(record.end),
    )


def _faulty(fault: Fault) -> NotAsSigned:
    return NotAsSigned(
        fault,
        f'{fault.code}: "{fault.object}": {fault.detail}',
        "nothing of this segment was given out; see: kcompliance verify",
    )
