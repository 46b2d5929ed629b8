"""Reads logs and keeps the sums."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from kcompliance.model.audit_event import NotAnEvent
from kcompliance.model.audit_policy import AuditPolicy, PolicyEvaluator
from kcompliance.model.replay.cells import MOST_CELLS, Cell, Key, signature_for
from kcompliance.model.replay.lines import batches
from kcompliance.model.replay.losses import Example
from kcompliance.model.replay.native import LEVELS, STAGES, Native, audit_event, decode_native
from kcompliance.model.replay.outcome import outcome_of
from kcompliance.model.replay.result import FileRead, Replayed, Unread
from kcompliance.model.replay.tally import Tally
from kcompliance.model.replay.wrapped import opens_document, wrapped_documents, wrapped_line

__all__ = ["Replay"]

_UNREAD_TOLD: Final = 20


class Replay:
    """One replay of any number of logs, one after the other.

    Of `most_cells` kinds of events the sums are held at once, whatever that costs in time.
    """

    def __init__(
        self, new: AuditPolicy, against: AuditPolicy | None = None, *, most_cells: int = MOST_CELLS
    ) -> None:
        policies = [new] if against is None else [new, against]
        self._evaluators = [PolicyEvaluator(policy) for policy in policies]
        self._signature = signature_for(policies)
        self._cells: dict[Key, Cell] = {}
        self._most_cells = most_cells
        self._tally = Tally()
        self._files: list[FileRead] = []
        self._unread: list[Unread] = []
        self._earliest = self._latest = ""

    def read(self, name: str, pieces: Iterable[bytes]) -> FileRead:
        """Count the events of one log, given as pieces of its bytes as they come.

        Its sums are kept also where `pieces` raises.
        """
        self._files.append(file := FileRead(name=name))
        every = batches(pieces)
        for first, lines in every:
            for number, line in enumerate(lines, start=first):
                event = decode_native(line)
                if event is not None:
                    self._add(event, len(line) + 1, number, file)
                elif opens_document(line):
                    rest = chain(
                        lines[number - first :], (each for _, more in every for each in more)
                    )
                    self._documents(rest, number, file)
                    return file
                else:
                    for found in wrapped_line(line):
                        self._add_found(found, number, file)
        return file

    def breaks_off(self, reason: str) -> None:
        """Tell of the log that was read last that it could not be read to its end."""
        self._tell_unread(self._files[-1], None, reason)

    def result(self) -> Replayed:
        """What was counted so far."""
        self._fold()
        return self._tally.result(
            files=tuple(self._files),
            unread=tuple(self._unread),
            first=_instant(self._earliest),
            last=_instant(self._latest),
        )

    def _documents(self, lines: Iterator[bytes], start: int, file: FileRead) -> None:
        for number, found in wrapped_documents(lines):
            self._add_found(found, start + number - 1, file)

    def _add_found(self, found: tuple[Native, int] | NotAnEvent, line: int, file: FileRead) -> None:
        if not isinstance(found, NotAnEvent):
            self._add(*found, line, file)
            return
        self._tell_unread(file, line, found.reason)

    def _tell_unread(self, file: FileRead, line: int | None, reason: str) -> None:
        file.unread += 1
        if len(self._unread) < _UNREAD_TOLD:
            self._unread.append(Unread(file=file.name, line=line, reason=reason))

    def _add(self, event: Native, size: int, line: int, file: FileRead) -> None:
        """One event. This is done for each of them: it decides how long a replay takes."""
        key = self._signature(event)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._new_cell(key, event, line, file)
        cell.count += 1
        cell.size += size
        file.events += 1
        file.bytes += size
        if len(event.requestObject) or len(event.responseObject):
            cell.add_bodies(event, lambda: _example(event, line, file))
        time = event.stageTimestamp or event.requestReceivedTimestamp
        if time > self._latest:
            if _instant(time) is not None:
                self._latest = time
                self._earliest = self._earliest or time
        elif time < self._earliest and _instant(time) is not None:
            self._earliest = time

    def _new_cell(self, key: Key, event: Native, line: int, file: FileRead) -> Cell:
        if len(self._cells) >= self._most_cells:
            self._fold()
        request = audit_event(event).request
        level, stage = LEVELS[event.level], STAGES[event.stage]
        decisions = tuple(each.decide(request) for each in self._evaluators)
        cell = Cell(
            level=level,
            stage=stage,
            request=request,
            decisions=decisions,
            outcomes=tuple(outcome_of(each, request, level, stage) for each in decisions),
            first=_example(event, line, file),
        )
        self._cells[key] = cell
        return cell

    def _fold(self) -> None:
        for cell in self._cells.values():
            self._tally.add(cell)
        self._cells.clear()


def _example(event: Native, line: int, file: FileRead) -> Example:
    request = audit_event(event).request
    return Example(
        file=file.name,
        line=line,
        audit_id=event.auditID,
        time=event.stageTimestamp or event.requestReceivedTimestamp,
        user=None if request.user is None else request.user.name,
        request=str(request),
    )


def _instant(text: str) -> datetime | None:
    """A time as the server writes it; stores leave out what is zero, or the zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
