"""Plans which bytes of which files to archive: those that are new, each once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from kcompliance.archive.files.content import content_of
from kcompliance.archive.files.faults import FileChanged
from kcompliance.archive.files.lines import ends_line
from kcompliance.archive.files.notes import Notes
from kcompliance.archive.files.options import FilesOptions
from kcompliance.archive.files.places import Found, Place
from kcompliance.archive.files.survey import Extent, Log, NoLog, extent_of, recognised
from kcompliance.archive.interface import (
    ArchivedFile,
    FileRange,
    NothingToArchive,
    Part,
    PlannedWindow,
    SourceError,
    Window,
)
from kcompliance.errors import UsageError
from kcompliance.model.digest import Sha256

__all__ = ["NO_TIME", "Planning", "latest_time"]

NO_TIME: Final = Window(start=None, end=None)
"""Of which times the bytes of a file are shows when they are read."""
_COMPARED: Final = 64 * 1024
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_HINT: Final = (
    "name the files that kube-apiserver writes (--audit-log-path), or the blobs of AKS's "
    "diagnostic setting: insights-logs-kube-audit"
)

_Measured = tuple[Log, Extent]


def latest_time(now: datetime) -> datetime:
    """After which no event can have happened; clocks differ, but not by a day."""
    return now + timedelta(days=1)


class Planning:
    """One plan. `notes` collects what it passes over and what goes wrong with single files."""

    def __init__(
        self,
        places: Sequence[Place],
        options: FilesOptions,
        files: Mapping[Sha256, ArchivedFile],
        now: datetime,
    ) -> None:
        self.notes = Notes()
        self._places = places
        self._options = options
        self._files = files
        self._latest = latest_time(now)

    def windows(self) -> tuple[PlannedWindow, ...]:
        """A window for each range of bytes, the files with the oldest events first.

        Raises `NothingToArchive` where there is no audit log, and what went wrong instead if
        that may be why.
        """
        with ThreadPoolExecutor(self._options.at_once) as pool:
            looked_at = pool.map(self._looked_at, self._found())
            logs = self._logs(each for each in looked_at if each is not None)
            ranges = pool.map(self._ranges, logs)
            return tuple(_window(each) for new in ranges for each in new)

    # --- which files -------------------------------------------------------------------------

    def _found(self) -> Iterator[Found]:
        """Each file once, though several locations hold it; those beside a named one last."""
        seen: set[str] = set()
        named: list[Found] = []
        for place in self._places:
            for each in self._of_place(place):
                if each.location not in seen:
                    seen.add(each.location)
                    named += [each] if each.named else []
                    yield each
        folders = {each.location.rpartition("/")[0]: each for each in named if self._files}
        for each in folders.values():
            beside = each.place.near(each.location)
            yield from (near for near in beside if near.location not in seen)

    def _of_place(self, place: Place) -> Iterator[Found]:
        try:
            yield from place.find(self.notes)
        except NothingToArchive:
            raise
        except SourceError as error:
            self.notes.troubles.append(error)

    def _looked_at(self, found: Found) -> Log | NoLog | None:
        try:
            log = recognised(found, self._options, self._latest)
        except SourceError as error:
            if not found.beside:
                self.notes.troubles.append(error)
            return None
        known = isinstance(log, Log) and log.file in self._files
        return log if known or not found.beside else None

    def _logs(self, looked_at: Iterable[Log | NoLog]) -> list[list[Log]]:
        """The audit logs, those of one identity together."""
        groups: defaultdict[Sha256, list[Log]] = defaultdict(list)
        waiting = False
        for each in looked_at:
            if isinstance(each, Log):
                groups[each.file].append(each)
            elif each.found.named and not each.not_yet:
                raise UsageError(f'not an audit log: "{each.found.name}": {each.reason}', _HINT)
            else:
                waiting = waiting or each.found.named
                self.notes.passed_over(each.found.name, each.reason)
        if not groups and not waiting:
            raise self._nothing()
        return sorted(groups.values(), key=lambda logs: (logs[0].begins or _LAST, logs[0].file))

    def _nothing(self) -> SourceError:
        if self.notes.troubles:
            return self.notes.troubles[0]
        where = ", ".join(f'"{place.pattern}"' for place in self._places)
        looked = f"{self.notes.count} files were looked at" if self.notes.count else _HINT
        links = f", {self.notes.links} links not followed" if self.notes.links else ""
        return NothingToArchive(f"no audit log in {where}", f"{looked}{links}")

    # --- which bytes -------------------------------------------------------------------------

    def _ranges(self, logs: list[Log]) -> tuple[FileRange, ...]:
        """What is new of one file, of which there may be copies."""
        archived = self._files.get(logs[0].file)
        start = 0 if archived is None else archived.end
        try:
            measured = self._measured(logs, start)
            if not measured:
                return ()
            log, extent = max(measured, key=_best)
            self._must_agree((log, extent), measured)
            _must_continue(log, extent, start)
        except SourceError as error:
            self.notes.troubles.append(error)
            return ()
        self._note(log, extent)
        bounds = (start, *extent.cuts, extent.end) if extent.end > start else ()
        return tuple(
            FileRange(
                file=log.file,
                name=log.found.name,
                location=log.found.location,
                start=first,
                end=last,
            )
            for first, last in pairwise(bounds)
        )

    def _measured(self, logs: Iterable[Log], start: int) -> list[_Measured]:
        """A copy that is damaged spoils none of the others."""
        measured = []
        for log in logs:
            try:
                measured.append((log, extent_of(log, start, self._options)))
            except SourceError as error:
                self.notes.troubles.append(error)
        return measured

    def _must_agree(self, best: _Measured, measured: Iterable[_Measured]) -> None:
        for log, extent in measured:
            if log is best[0]:
                continue
            part = (max(0, extent.end - _COMPARED), extent.end)
            if _bytes_of(log, *part) != _bytes_of(best[0], *part):
                raise FileChanged(
                    f'"{log.found.name}" and "{best[0].found.name}" begin with the same line, but '
                    f"they differ before byte {extent.end}",
                    "find out which of them was changed, and take it out of what is archived",
                )
            self.notes.passed_over(log.found.name, f'a copy of "{best[0].found.name}"')

    def _note(self, log: Log, extent: Extent) -> None:
        if extent.breaks_off:
            reason = "it is compressed and breaks off: the rest waits until it is complete"
            self.notes.passed_over(log.found.name, reason)
        if extent.rest:
            reason = f"{extent.rest} bytes after its last whole line wait for the end of theirs"
            self.notes.passed_over(log.found.name, reason)


def _best(measured: _Measured) -> tuple[int, bool, str]:
    """The longest; of equal ones the one that is read at less cost."""
    log, extent = measured
    return extent.end, not extent.compressed, log.found.location


def _must_continue(log: Log, extent: Extent, start: int) -> None:
    name = log.found.name
    if extent.end < start:
        raise FileChanged(
            f'"{name}" was cut: {start} bytes of it are archived, but only {extent.end} are there',
            "what was archived stays; find out who cut the file, or remove it if it is a copy",
        )
    if extent.end > start and not _line_begins(log, start):
        raise FileChanged(
            f'"{name}" was changed: {start} bytes of it are archived, but no line ends there now',
            "what was archived stays; find out who changed the file",
        )


def _line_begins(log: Log, offset: int) -> bool:
    with log.found.place.open(log.found.location) as file:
        return ends_line(content_of(file, log.found.name), offset)


def _bytes_of(log: Log, start: int, end: int) -> bytes:
    with log.found.place.open(log.found.location) as file:
        return b"".join(content_of(file, log.found.name).pieces(start, end))


def _window(place: FileRange) -> PlannedWindow:
    part = Part(window=NO_TIME, place=place, bytes=place.end - place.start)
    return PlannedWindow(window=NO_TIME, parts=(part,))
