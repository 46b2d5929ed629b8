"""The sums that a replay tells, out of cells."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from kcompliance.model.audit_policy import Level, Stage
from kcompliance.model.replay.cells import Cell, label_of_resource, label_of_user
from kcompliance.model.replay.losses import OTHERS, Example, Losses, LossKind
from kcompliance.model.replay.outcome import Outcome, as_recorded
from kcompliance.model.replay.result import (
    DIMENSIONS,
    Disagreement,
    FileRead,
    MissingStage,
    Replayed,
    Row,
    Unread,
    Volume,
)

__all__ = ["Tally"]

MOST_NAMES: Final = 10_000
"""That are told apart in one table; what comes after them is counted together."""
_EXAMPLES: Final = 3
_Kind = tuple[Stage, int | None, str, str]
_LAST_STAGES: Final = (Stage.RESPONSE_COMPLETE, Stage.PANIC)


class Tally:
    """Sums by level, stage, verb, resource and user, losses, and what cannot be known."""

    def __init__(self) -> None:
        self._total = Row()
        self._tables: dict[str, dict[str, Row]] = {name: {} for name in DIMENSIONS}
        self._losses = Losses()
        self._disagreement = Disagreement()
        self._more_bodies = self._managed_fields = 0
        # By stage and kind of request: the events that the new policy writes of requests that have
        # ended, and how many of them the log holds.
        self._due: dict[_Kind, Volume] = {}
        self._there: dict[_Kind, int] = {}

    def add(self, cell: Cell) -> None:
        """Add what a cell has counted."""
        new, recorded = cell.outcomes[0], as_recorded(cell.level)
        against = cell.outcomes[1] if len(cell.outcomes) > 1 else None
        for number, outcome in enumerate((recorded, against, new)):
            if outcome is not None and outcome.written:
                size = cell.size if number == 0 else cell.bytes_under(outcome)
                self._count(cell, number, outcome, size)
        self._lose(cell, against or recorded, new)
        if new.more_bodies:
            self._more_bodies += cell.count
        if against is not None:
            self._compare(cell, against, new)
        self._expect(cell, new)

    def result(
        self,
        *,
        files: tuple[FileRead, ...],
        unread: tuple[Unread, ...],
        first: datetime | None,
        last: datetime | None,
    ) -> Replayed:
        """What was added so far."""
        return Replayed(
            files=files,
            unread=unread,
            first=first,
            last=last,
            total=self._total,
            tables={name: dict(sorted(t.items(), key=_rank)) for name, t in self._tables.items()},
            losses=self._losses.sorted(),
            more_bodies=self._more_bodies,
            managed_fields=self._managed_fields,
            missing=tuple(self._missing()),
            disagreement=self._disagreement,
        )

    def _count(self, cell: Cell, number: int, outcome: Outcome, size: int) -> None:
        names = (
            outcome.level.value,
            cell.stage.value,
            cell.verb,
            label_of_resource(cell.request.target),
            label_of_user(cell.request),
        )
        rows = [self._row(table, name) for table, name in zip(DIMENSIONS, names, strict=True)]
        for row in (self._total, *rows):
            (row.recorded, row.against, row.new)[number].add(cell.count, size)

    def _row(self, dimension: str, name: str) -> Row:
        table = self._tables[dimension]
        row = table.get(name)
        if row is None:
            row = table.setdefault(name if len(table) < MOST_NAMES else OTHERS, Row())
        return row

    # --- what is lost ------------------------------------------------------------------------

    def _lose(self, cell: Cell, before: Outcome, new: Outcome) -> None:
        if not before.written:
            return
        if not new.written:
            kind = LossKind.REQUEST if new.nothing_of_request else LossKind.STAGE
            self._loss(cell, kind, cell.count, cell.bytes_under(before), cell.first)
            return
        number, example = cell.with_request
        if before.request_body and not new.request_body and example is not None:
            self._loss(cell, LossKind.REQUEST_BODY, number, cell.request_bytes, example)
        number, example = cell.with_response
        if before.response_body and not new.response_body and example is not None:
            self._loss(cell, LossKind.RESPONSE_BODY, number, cell.response_bytes, example)

    def _loss(self, cell: Cell, kind: LossKind, events: int, size: int, example: Example) -> None:
        decision = cell.decisions[0]
        stage = cell.stage.value if kind is LossKind.STAGE else None
        resource = label_of_resource(cell.request.target)
        key = (kind, decision.rule, decision.line, stage, cell.verb, resource)
        self._losses.add(key, events, size, example)

    # --- what cannot be known ----------------------------------------------------------------

    def _compare(self, cell: Cell, against: Outcome, new: Outcome) -> None:
        if against.level is not cell.level:
            self._disagreement.events += cell.count
            if len(self._disagreement.examples) < _EXAMPLES:
                self._disagreement.examples.append(cell.first)
        if against.without_managed_fields and not new.without_managed_fields:
            requests = cell.with_request[0] if new.request_body and cell.verb != "patch" else 0
            responses = cell.with_response[0] if new.response_body else 0
            self._managed_fields += max(requests, responses)

    def _expect(self, cell: Cell, new: Outcome) -> None:
        """Stages that a request must have passed through before this one."""
        decision = cell.decisions[0]
        if cell.stage not in _LAST_STAGES:
            if new.written:
                kind = self._kind(cell, cell.stage)
                self._there[kind] = self._there.get(kind, 0) + cell.count
            return
        for stage in decision.stages:
            if stage not in _LAST_STAGES:
                # What was known of a request at an earlier stage is in its last event too.
                with_bodies = stage is not Stage.REQUEST_RECEIVED
                then = Outcome(level=decision.level if with_bodies else Level.METADATA)
                size = cell.bytes_under(then)
                size += cell.count * (len(decision.level.value) - len(then.level.value))
                self._due.setdefault(self._kind(cell, stage), Volume()).add(cell.count, size)

    def _kind(self, cell: Cell, stage: Stage) -> _Kind:
        resource = label_of_resource(cell.request.target)
        kind = (stage, cell.decisions[0].rule, cell.verb, resource)
        known = kind in self._due or kind in self._there
        crowded = len(self._due) + len(self._there) >= MOST_NAMES
        return (stage, None, OTHERS, OTHERS) if crowded and not known else kind

    def _missing(self) -> Iterator[MissingStage]:
        found: dict[Stage, Volume] = {}
        for kind, due in self._due.items():
            missing = due.events - self._there.get(kind, 0)
            if missing > 0:
                found.setdefault(kind[0], Volume()).add(missing, due.bytes)
        for stage in Stage:
            if stage in found:
                volume = found[stage]
                yield MissingStage(
                    stage=stage.value, events=volume.events, bytes_at_most=volume.bytes
                )


def _rank(item: tuple[str, Row]) -> tuple[int, int, str]:
    name, row = item
    return -max(row.recorded.bytes, row.new.bytes), -row.recorded.events, name
