"""Bytes of files: nothing is left out for ever when a run can archive only a part of them."""

import dataclasses
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from kcompliance.archive.files import FilesOptions, FileSource
from kcompliance.archive.interface import FileRange, Page, Part, SourceError
from kcompliance.errors import ExitCode
from kcompliance.ledger import FilePartition, WindowStatus
from kcompliance.stores.memory import MemoryStore
from tests.archive.files.trail import ALWAYS, events
from tests.archive.runs import NOW, Archiver

A_WINDOW = 2000
"""Bytes: a few events."""


class InterruptedSource(FileSource):
    """Audit log files; `before_read` is called with each part that is going to be read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FilesOptions(locations=(str(folder),), window_bytes=A_WINDOW))
        self.before_read: Callable[[FileRange], object] = lambda place: None

    def read(self, part: Part, write: Callable[[Page], None]) -> FilePartition:
        assert isinstance(part.place, FileRange)
        self.before_read(part.place)
        return super().read(part, write)


@pytest.fixture
def archiver() -> Archiver:
    return Archiver(store=MemoryStore(), threads=1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "audit.log"
    path.parent.mkdir()
    path.write_bytes(events(0, 29))
    return path


def lines(*paths: Path) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines() if line]


def failing(numbers: Collection[int]) -> Callable[[FileRange], None]:
    """Fails at these windows of a run, counted from 0."""
    seen: list[FileRange] = []

    def before(place: FileRange) -> None:
        seen.append(place)
        if len(seen) - 1 in numbers:
            raise SourceError(f"nobody can read {place.name} now")

    return before


def test_a_file_is_archived_up_to_the_part_that_failed(archiver: Archiver, log: Path) -> None:
    source = InterruptedSource(log.parent)
    source.before_read = failing([2])

    first = archiver.run(source)

    assert (first.sealed, first.exit_code) == (2, ExitCode.INCOMPLETE)
    failed, *waiting = first.not_archived
    assert failed.error.code == "source"
    assert {each.error.code for each in waiting} == {"not-next"}
    assert len(waiting) == 2
    source.before_read = lambda place: None
    assert archiver.run(source).sealed == 1 + len(waiting)
    archiver.check(lines(log))


def test_another_file_is_archived_though_one_failed(archiver: Archiver, log: Path) -> None:
    other = log.with_name("audit-2.log")
    other.write_bytes(events(100, 129))
    source = InterruptedSource(log.parent)
    source.before_read = failing([0])

    assert archiver.run(source).docs == 30

    archiver.check(lines(other))


@pytest.mark.parametrize("theirs", [6, 12, 33])
def test_another_run_archives_another_part_of_the_file_meanwhile(
    archiver: Archiver, log: Path, theirs: int
) -> None:
    """It has planned when the file was shorter, or longer, and so has cut it in other places."""
    archiver.run(InterruptedSource(log.parent))
    source, other = InterruptedSource(log.parent), dataclasses.replace(archiver)
    log.write_bytes(events(0, 30 + theirs))
    run = other.prepare(source, log.parent)
    planned = source.plan(ALWAYS, run.opened.state.archived, now=NOW)
    log.write_bytes(events(0, 49))
    mine = InterruptedSource(log.parent)

    def overtake(place: FileRange) -> None:
        mine.before_read = lambda place: None
        log.write_bytes(events(0, max(49, 30 + theirs)))
        with run.pool:
            run.execute(planned)

    mine.before_read = overtake
    first = archiver.run(mine)

    assert {each.error.code for each in first.not_archived} <= {"not-next"}
    assert archiver.run(mine).exit_code is ExitCode.GOOD
    assert archiver.run(mine).docs == 0
    archiver.check(lines(log))


def test_what_another_run_has_archived_meanwhile_is_nothing_to_tell(
    archiver: Archiver, log: Path
) -> None:
    source, other = InterruptedSource(log.parent), dataclasses.replace(archiver)
    archiver.run(source)
    log.write_bytes(events(0, 49))

    def overtake(place: FileRange) -> None:
        source.before_read = lambda place: None
        other.run(InterruptedSource(log.parent))

    source.before_read = overtake
    result = archiver.run(source)

    assert (result.docs, result.not_archived, result.exit_code) == (0, [], ExitCode.GOOD)
    archiver.check(lines(log))


def test_files_that_go_before_they_are_read_are_each_told(archiver: Archiver, log: Path) -> None:
    archiver.run(InterruptedSource(log.parent))
    more = [log.with_name(f"audit-{number}.log") for number in range(4)]
    for number, path in enumerate(more):
        path.write_bytes(events(100 * (number + 1), 100 * (number + 1) + 3))
    source = InterruptedSource(log.parent)

    def delete(place: FileRange) -> None:
        for path in more[2:]:
            path.unlink(missing_ok=True)

    source.before_read = delete

    first = archiver.run(source)

    assert (first.docs, first.missing, first.exit_code) == (8, 2, ExitCode.INCOMPLETE)
    again = archiver.run(source)
    assert (again.docs, again.missing, again.exit_code) == (0, 0, ExitCode.GOOD)
    checked = archiver.check(lines(log, *more[:2]), gaps=1)
    assert [each.rev for each in checked.windows if not each.partitions] == [0, 1]


def test_bytes_without_events_are_a_window_all_the_same(archiver: Archiver, log: Path) -> None:
    blank = b"\n" * (2 * A_WINDOW)
    log.write_bytes(events(0, 2) + blank + events(3, 5))
    source = InterruptedSource(log.parent)

    first = archiver.run(source)

    assert (first.docs, first.exit_code) == (6, ExitCode.GOOD)
    windows = archiver.check(lines(log)).windows
    assert WindowStatus.EMPTY in {each.status for each in windows}
    assert archiver.run(source).sealed == 0
