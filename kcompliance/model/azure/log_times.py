"""When the audit records of a cluster in a workspace are of, as queries told."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.azure.log_records import Row, count_of, rows_of, source_of
from kcompliance.model.event_store.events import read_time
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.reading import Raw

__all__ = ["EVENT_TIME", "RECORD_TIME", "Days", "days_of", "newest_of", "timeline_of"]

EVENT_TIME = "StageReceivedTime"
RECORD_TIME = "TimeGenerated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """All records of some sources, by TimeGenerated; aware, UTC."""

    records: int
    oldest: datetime | None
    newest: datetime | None
    begins: tuple[datetime, ...]
    """Of the days of which there are records."""


def days_of(raw: Raw, sources: Collection[str]) -> Days:
    """The records by day. Raises WrongAnswer."""
    rows = [row for row in _of_sources(raw, sources) if count_of(row)]
    return Days(
        records=sum(map(count_of, rows)),
        oldest=min((_time(row, "Oldest") for row in rows), default=None),
        newest=max((_time(row, "Newest") for row in rows), default=None),
        begins=tuple(sorted({_time(row, "Day") for row in rows})),
    )


def newest_of(raw: Raw, sources: Collection[str]) -> datetime | None:
    """When the newest event of the last day happened; None: there is none. Raises WrongAnswer."""
    return max((_time(row, "Newest") for row in _of_sources(raw, sources)), default=None)


def timeline_of(raw: Raw, sources: Collection[str]) -> Timeline:
    """How many events happened in each five minutes. Raises WrongAnswer."""
    bins: dict[datetime, int] = {}
    for row in _of_sources(raw, sources):
        if count := count_of(row):
            start = _time(row, "Start")
            bins[start] = bins.get(start, 0) + count
    return Timeline(field=EVENT_TIME, bins=bins, place="tables[0].rows")


def _of_sources(raw: Raw, sources: Collection[str]) -> Iterable[Row]:
    return [row for row in rows_of(raw) if source_of(row) in sources]


def _time(row: Row, name: str) -> datetime:
    found = read_time(row.get(name))
    if isinstance(found, str):
        raise WrongAnswer(f"{name}: {found}")
    return found
