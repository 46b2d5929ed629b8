"""What a run has done so far."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kcompliance.archive.interface import PlannedWindow
from kcompliance.archive.log import LogEnd
from kcompliance.errors import ExitCode, KcomplianceError
from kcompliance.ledger import AbandonedRecord, Record, SegmentRecord, WindowRecord, WindowStatus

__all__ = ["NotArchived", "RunResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotArchived:
    """A window that was not sealed, and why; the next run tries it again."""

    window: PlannedWindow
    error: KcomplianceError


@dataclass(slots=True, kw_only=True)
class RunResult:
    """What a run has done so far."""

    end: LogEnd | None = None
    runs: list[str] = field(default_factory=list)
    """The ids of its units."""
    sealed: int = 0
    empty: int = 0
    late: int = 0
    missing: int = 0
    docs: int = 0
    content_bytes: int = 0
    bytes: int = 0
    segments: int = 0
    abandoned: int = 0
    """Objects of dead runs that it has explained."""
    extended: int = 0
    """Objects of the log that it has locked for longer."""
    not_archived: list[NotArchived] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """3 where a window could not be sealed or a source was gone."""
        incomplete = self.missing or self.not_archived
        return ExitCode.INCOMPLETE if incomplete else ExitCode.GOOD

    def count(self, records: Iterable[Record]) -> None:
        """Take these records of a commit into account."""
        for record in records:
            match record:
                case WindowRecord():
                    self._count_window(record)
                case SegmentRecord():
                    self.segments += 1
                    self.bytes += record.size
                    self.content_bytes += record.content_size
                case AbandonedRecord():
                    self.abandoned += len(record.objects)
                case _:
                    pass

    def _count_window(self, record: WindowRecord) -> None:
        self.sealed += record.status is WindowStatus.SEALED
        self.empty += record.status is WindowStatus.EMPTY
        self.missing += record.status is WindowStatus.SOURCE_MISSING
        self.late += record.rev > 0 and record.docs > 0
        self.docs += record.docs
