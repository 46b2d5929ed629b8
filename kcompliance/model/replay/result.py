"""What a replay tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kcompliance.model.replay.losses import Example, Loss

__all__ = [
    "DIMENSIONS",
    "Disagreement",
    "FileRead",
    "MissingStage",
    "Replayed",
    "Row",
    "Unread",
    "Volume",
]

DIMENSIONS = ("level", "stage", "verb", "resource", "user")


@dataclass(slots=True)
class Volume:
    """Events and their bytes, each with its line feed."""

    events: int = 0
    bytes: int = 0

    def add(self, events: int, size: int) -> None:
        """Count more."""
        self.events += events
        self.bytes += size


@dataclass(slots=True)
class Row:
    """One line of a table: as recorded, under the policy that is compared with, under the new."""

    recorded: Volume = field(default_factory=Volume)
    against: Volume = field(default_factory=Volume)
    new: Volume = field(default_factory=Volume)


@dataclass(slots=True, kw_only=True)
class FileRead:
    """One log; `unread` are its documents that are no events."""

    name: str
    events: int = 0
    bytes: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Something in a log that is no audit event; `line` from 1, None for the rest of the file."""

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingStage:
    """Events that the new policy writes too and the log does not hold; at most so many bytes."""

    stage: str
    events: int
    bytes_at_most: int


@dataclass(slots=True)
class Disagreement:
    """Events that the policy compared with would not have written as they were recorded."""

    events: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The whole result. Bytes under a policy are what is known: see `more_bodies` and `missing`."""

    files: tuple[FileRead, ...]
    total: Row
    tables: Mapping[str, Mapping[str, Row]]
    """By each of `DIMENSIONS`, then by name; the largest first."""
    first: datetime | None
    last: datetime | None
    losses: tuple[Loss, ...]
    more_bodies: int
    """Events that the new policy writes with bodies that nobody can know the size of."""
    managed_fields: int
    """Events that the policy compared with writes without managedFields and the new one with."""
    missing: tuple[MissingStage, ...]
    disagreement: Disagreement
    unread: tuple[Unread, ...]
    """The first ones; how many there are is told by file."""

    @property
    def days(self) -> float | None:
        """Between the first and the last event; None where that is no time at all."""
        if self.first is None or self.last is None or self.last <= self.first:
            return None
        return (self.last - self.first).total_seconds() / 86400

    @property
    def events_at_most(self) -> int:
        """That the new policy writes."""
        return self.total.new.events + sum(each.events for each in self.missing)

    @property
    def bytes_at_most(self) -> int | None:
        """That the new policy writes; None where there is no bound."""
        if self.more_bodies or self.managed_fields:
            return None
        return self.total.new.bytes + sum(each.bytes_at_most for each in self.missing)
