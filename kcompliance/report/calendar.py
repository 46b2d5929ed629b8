"""The coverage of a stream as a calendar of characters: a row a day or a month. Pure.

Every state has a character of its own, all of them ASCII, so that no colour and no font is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from kcompliance.ledger import Coverage, CoveredWindow, WindowStatus, parse_time

__all__ = ["Calendar", "Cell", "calendar_of"]

LABEL_WIDTH: Final = 12
"""Of the name of a row, with what separates it from its cells."""

_DAY: Final = timedelta(days=1)
_MOST_DAYS: Final = 62
"""As rows; a longer time is shown by months."""
_MOST_ROWS: Final = 120
_CELLS_A_DAY: Final = (1440, 720, 288, 144, 96, 48, 24, 12, 8, 6, 4, 3, 2, 1)
_MICROSECOND: Final = timedelta(microseconds=1)


class Cell(StrEnum):
    """What is known of a stretch of time; the worst of several counts."""

    OUTSIDE = " "
    EMPTY = "."
    SEALED = "#"
    LATE = "+"
    GAP = "!"

    @property
    def meaning(self) -> str:
        """For the legend."""
        return _MEANINGS[self]


_MEANINGS = {
    Cell.OUTSIDE: "not archived, before or after",
    Cell.EMPTY: "looked at, no event",
    Cell.SEALED: "sealed",
    Cell.LATE: "sealed, late events added",
    Cell.GAP: "gap",
}
_RANK = {cell: rank for rank, cell in enumerate(Cell)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Rows in the order of time, each with its label and its cells."""

    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    cell: str
    """How long a cell is, in words."""
    header: str
    """Stands above the cells."""
    left_out: int
    """Rows before the first one that is shown."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cells of equal length since the beginning; in a month's row those of the month."""

    start: datetime
    cell: timedelta
    cells: list[Cell]

    def mark(self, start: datetime, end: datetime, cell: Cell) -> None:
        first = max(0, (start - self.start) // self.cell)
        last = min(len(self.cells) - 1, (end - _MICROSECOND - self.start) // self.cell)
        for place in range(first, last + 1):
            if _RANK[cell] > _RANK[self.cells[place]]:
                self.cells[place] = cell


def calendar_of(coverage: Coverage, window_seconds: int, width: int) -> Calendar | None:
    """The calendar in so many columns; None where no window has a time."""
    bounded = [each for each in coverage.windows if each.start and each.end]
    starts = [each.start for each in bounded if each.start]
    ends = [each.end for each in bounded if each.end]
    if not starts or width < LABEL_WIDTH + 8:
        return None
    first, last = _day_of(min(starts)), max(ends)
    days = -((first - last) // _DAY)
    by_day = window_seconds < 86400 and days <= _MOST_DAYS
    if by_day:
        cells_a_day = _cells_a_day(window_seconds, width - LABEL_WIDTH)
        left_out = 0
    else:
        cells_a_day = 1
        first, left_out = _first_month(first, last)
        days = -((first - last) // _DAY)
    grid = _Grid(first, _DAY / cells_a_day, [Cell.OUTSIDE] * (days * cells_a_day))
    for window in bounded:
        _mark_window(grid, window)
    for gap in coverage.gaps:
        start, end = parse_time(gap.start or ""), parse_time(gap.end or "")
        if start is not None and end is not None:
            grid.mark(start, end, Cell.GAP)
    return Calendar(
        rows=tuple(_day_rows(grid, cells_a_day) if by_day else _month_rows(grid)),
        cell=_length(_DAY / cells_a_day),
        header=_hours(cells_a_day) if by_day else _days(),
        left_out=left_out,
    )


def _mark_window(grid: _Grid, window: CoveredWindow) -> None:
    if window.start is None or window.end is None:
        return
    if window.status is WindowStatus.SEALED:
        cell = Cell.LATE if window.late else Cell.SEALED
    else:
        cell = Cell.EMPTY if window.status is WindowStatus.EMPTY else Cell.GAP
    grid.mark(window.start, window.end, cell)


def _day_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _cells_a_day(window_seconds: int, room: int) -> int:
    """As many as there are windows, or the most for which there is room."""
    fitting = [count for count in _CELLS_A_DAY if count <= room]
    return next((count for count in fitting if count * window_seconds <= 86400), 1)


def _first_month(first: datetime, last: datetime) -> tuple[datetime, int]:
    """The first of the months that are shown, and how many before it are not."""
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    left_out = max(0, months - _MOST_ROWS)
    month = first.year * 12 + first.month - 1 + left_out
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC), left_out


def _day_rows(grid: _Grid, cells_a_day: int) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for place in range(0, len(grid.cells), cells_a_day):
        day = grid.start + place // cells_a_day * _DAY
        yield f"{day:%Y-%m-%d}", tuple(grid.cells[place : place + cells_a_day])


def _month_rows(grid: _Grid) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """The grid begins with a month."""
    row: list[Cell] = []
    label = ""
    for place, cell in enumerate(grid.cells):
        day = grid.start + place * _DAY
        if day.day == 1 and row:
            yield label, tuple(row)
            row = []
        label = f"{day.year:04d}-{day:%m}"
        row.append(cell)
    if row:
        yield label, tuple(row)


def _hours(cells_a_day: int) -> str:
    """00, 06, 12, 18 above the cells in which these hours begin, if there is room."""
    if cells_a_day < 12:
        return ""
    quarter = cells_a_day // 4
    return "".join(f"{hour:02d}".ljust(quarter) for hour in (0, 6, 12, 18)).rstrip()


def _days() -> str:
    return "".join(f"{day:02d}".ljust(10) for day in (1, 11, 21)) + "31"


def _length(cell: timedelta) -> str:
    minutes = cell // timedelta(minutes=1)
    if minutes >= 1440:
        return "a day"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
