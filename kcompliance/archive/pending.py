"""Which results of a run are still to be committed, by what the log says now. Pure.

Another writer may have committed the same windows, or some bytes of the same file, since the run
was planned; and a part of a file that failed leaves what comes after it for later, because a hole
in a file would never be looked at again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kcompliance.archive.interface import FileRange, PlannedWindow, Window
from kcompliance.archive.records import ArchivedResult
from kcompliance.archive.state import ArchiveState
from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.ledger import FilePartition
from kcompliance.model.digest import Sha256

__all__ = ["NotNext", "Pending", "pending"]

_NO_TIME = Window(start=None, end=None)


class NotNext(KcomplianceError):
    """A part of a file does not begin where its archive ends: the next run plans it anew."""

    exit_code = ExitCode.INCOMPLETE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "not-next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What is to be committed; what has to wait; what is archived already is in neither."""

    results: tuple[ArchivedResult, ...]
    waiting: tuple[tuple[PlannedWindow, NotNext], ...]


def pending(results: Sequence[ArchivedResult], state: ArchiveState) -> Pending:
    """What of these results, in the order of the plan, the log takes as it is."""
    ends = {file: known.end for file, known in state.files.items()}
    taken: list[ArchivedResult] = []
    waiting: list[tuple[PlannedWindow, NotNext]] = []
    gone_before = state.windows.get(_NO_TIME)
    next_gone = 0 if gone_before is None else gone_before.rev + 1
    for result in results:
        place = _place_of(result.planned)
        if place is None:
            if not _is_archived(result.planned, state):
                taken.append(result)
            continue
        if place.end <= ends.get(place.file, 0):
            continue
        if not result.partitions:  # the file is gone: its record names no bytes
            taken.append(replace(result, planned=replace(result.planned, rev=next_gone)))
            next_gone += 1
        elif (error := _not_next(result.partitions, ends)) is not None:
            waiting.append((result.planned, error))
        else:
            taken.append(result)
            ends.update((part.file, part.end) for part in _files(result))
    return Pending(results=tuple(taken), waiting=tuple(waiting))


def _place_of(planned: PlannedWindow) -> FileRange | None:
    """The bytes of a file that a window is, or None for one of time."""
    place = planned.parts[0].place if planned.parts else None
    return place if isinstance(place, FileRange) else None


def _files(result: ArchivedResult) -> list[FilePartition]:
    return [part for part in result.partitions if isinstance(part, FilePartition)]


def _not_next(partitions: Sequence[object], ends: Mapping[Sha256, int]) -> NotNext | None:
    for part in partitions:
        if isinstance(part, FilePartition) and part.start != (end := ends.get(part.file, 0)):
            return NotNext(
                f'"{part.name}" from byte {part.start}: its archive ends at byte {end} as yet',
                "run it again",
            )
    return None


def _is_archived(planned: PlannedWindow, state: ArchiveState) -> bool:
    archived = state.windows.get(planned.window)
    return archived is not None and archived.rev >= planned.rev
