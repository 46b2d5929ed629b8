"""The source itself: what `kcompliance.archive.interface.Source` asks, for files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kcompliance.archive.files.content import Content, content_of
from kcompliance.archive.files.faults import FileChanged
from kcompliance.archive.files.lines import LineCount, chunks, ends_line, without_blanks
from kcompliance.archive.files.local import LocalPlace
from kcompliance.archive.files.notes import FileNote
from kcompliance.archive.files.options import FilesOptions
from kcompliance.archive.files.places import Opened, Place, shown
from kcompliance.archive.files.planning import Planning, latest_time
from kcompliance.archive.files.remote import RemotePlace
from kcompliance.archive.files.survey import identity_of
from kcompliance.archive.files.times import span_of
from kcompliance.archive.interface import (
    ArchivedStream,
    FileRange,
    Page,
    Part,
    PartLost,
    PlannedWindow,
    Source,
    SourceError,
    SourceGone,
    TimeRange,
    Window,
)
from kcompliance.errors import UsageError
from kcompliance.ledger import FilePartition, SourceKind, StreamName, StreamRecord, StreamSource
from kcompliance.model.digest import Sha256

__all__ = ["FileSource"]


class FileSource(Source):
    """Audit log files. Nothing is read before the first plan.

    Raises `UsageError` for locations that are none.
    """

    def __init__(self, options: FilesOptions) -> None:
        if not options.locations:
            raise UsageError("no file is named", "name audit log files, folders, or URLs of them")
        self._options = options
        self._notes: tuple[FileNote, ...] = ()
        self._passed_over = 0
        self._troubles: tuple[SourceError, ...] = ()
        with ExitStack() as opened:
            places = []
            for location in options.locations:
                places.append(_place(location, options))
                opened.callback(places[-1].close)
            self._places: tuple[Place, ...] = tuple(places)
            self._open = opened.pop_all()

    @property
    def url(self) -> str:
        """See `Source`."""
        return ", ".join(self._patterns())

    @property
    def notes(self) -> tuple[FileNote, ...]:
        """What the last plan passed over although nothing is wrong with it; a thousand at most."""
        return self._notes

    @property
    def passed_over(self) -> int:
        """How many notes there would be without a bound."""
        return self._passed_over

    @property
    def troubles(self) -> tuple[SourceError, ...]:
        """What went wrong with single files, which the last plan has left out.

        A run that archives all the rest is not complete where there are any.
        """
        return self._troubles

    def binding(self, stream: StreamName) -> StreamRecord:
        """See `Source`."""
        source = StreamSource(kind=SourceKind.FILES, cluster_uuid=None, patterns=self._patterns())
        return StreamRecord(
            stream=stream, source=source, time_field=None, filter=None, window_seconds=None
        )

    def plan(
        self, wanted: TimeRange, archived: ArchivedStream, *, now: datetime
    ) -> Sequence[PlannedWindow]:
        """See `Source`; the windows have no times before they are read.

        What cannot be read of all this is in `troubles` afterwards. Raises `UsageError` for bounds
        in time, and for a file that was named and is no audit log.
        """
        if wanted.start is not None or wanted.end is not None:
            raise UsageError(
                "files are archived from their beginning to their end, not by time",
                "leave out --from and --to, or name the files that hold the time",
            )
        planning = Planning(self._places, self._options, archived.files, now)
        try:
            return planning.windows()
        finally:
            self._notes = tuple(planning.notes.notes)
            self._passed_over = planning.notes.count
            self._troubles = tuple(planning.notes.troubles)

    def read(self, part: Part, write: Callable[[Page], None]) -> FilePartition:
        """See `Source`; of a file that was renamed since the plan, under its new name.

        Raises `PartLost` where the file was truncated and written anew meanwhile, `SourceGone`
        where it is nowhere any more, `FileChanged` where it is shorter than planned.
        """
        wanted = part.place
        if not isinstance(wanted, FileRange):
            raise TypeError(wanted)
        with self._located(wanted) as (file, content):
            expected, written = self._copied(wanted, content, write)
            self._must_be_whole(wanted, file, content.name, expected)
        return FilePartition(
            file=wanted.file,
            name=content.name,
            start=wanted.start,
            end=wanted.end,
            expected=expected or 0,
            written=written,
        )

    def query_sha256(self, window: Window) -> Sha256 | None:
        """See `Source`: there is no query."""
        return None

    def metadata(self, planned: Iterable[PlannedWindow]) -> bytes | None:
        """See `Source`: files have none."""
        return None

    def close(self) -> None:
        """See `Source`."""
        self._open.close()

    def _patterns(self) -> tuple[str, ...]:
        return tuple(sorted({place.pattern for place in self._places}))

    # --- reading -----------------------------------------------------------------------------

    def _copied(
        self, wanted: FileRange, content: Content, write: Callable[[Page], None]
    ) -> tuple[int | None, int]:
        """How many lines were counted, None where bytes are missing, and how many were written."""
        if not ends_line(content, wanted.start):
            raise FileChanged(f'"{content.name}" was changed: no line ends at byte {wanted.start}')
        counted = LineCount()
        latest = latest_time(datetime.now(UTC))
        position, written = wanted.start, 0
        options = self._options
        pieces = _counting(content.pieces(wanted.start, wanted.end), counted)
        for chunk in chunks(pieces, content.name, position, options.page_bytes, options.line_bytes):
            position += len(chunk)
            lines, docs = without_blanks(chunk)
            if docs:
                first, last = span_of(lines, docs, latest)
                write(Page(lines=lines, docs=docs, first=first, last=last))
                written += docs
        return (counted.lines if position == wanted.end else None), written

    def _must_be_whole(
        self, wanted: FileRange, file: Opened, name: str, expected: int | None
    ) -> None:
        """Looked at only now: what was read may have been cut off and written anew meanwhile."""
        if identity_of(content_of(file, name), self._options) != wanted.file:
            raise PartLost(f'"{name}" was written anew while it was read', "run it again")
        if expected is None:
            raise FileChanged(
                f'"{name}" was cut while it was read: it ends before byte {wanted.end}',
                "find out who cut the file",
            )

    @contextmanager
    def _located(self, wanted: FileRange) -> Iterator[tuple[Opened, Content]]:
        """The file where it was planned, or where it is now."""
        place = next(each for each in self._places if each.holds(wanted.location))
        renamed = (each.location for each in place.near(wanted.location))
        for location in chain([wanted.location], renamed):
            with ExitStack() as opened:
                try:
                    file = opened.enter_context(place.open(location))
                    content = content_of(file, shown(location))
                    fits = identity_of(content, self._options) == wanted.file and (
                        location == wanted.location or ends_line(content, wanted.end)
                    )
                except SourceError as error:
                    if location == wanted.location and not isinstance(error, SourceGone):
                        raise
                    continue
                if fits:
                    yield file, content
                    return
        raise SourceGone(
            f'"{wanted.name}" is gone: bytes {wanted.start} to {wanted.end} are not archived',
            "keep rotated files for longer than the pause between two runs, and name their folder",
        )


def _place(location: str, options: FilesOptions) -> Place:
    if location.startswith("file://"):
        parts = urlsplit(location)
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            raise UsageError(f'not a file of this machine: "{shown(location)}"', "file:///PATH")
        return LocalPlace(Path(unquote(parts.path)))
    if "://" in location:
        return RemotePlace(location, options.store)
    if not location:
        raise UsageError("a location is empty", "name a file or a folder")
    return LocalPlace(Path(location))


def _counting(pieces: Iterable[bytes], count: LineCount) -> Iterator[bytes]:
    for piece in pieces:
        count.add(piece)
        yield piece
