"""Which time a run is to archive, from what the user said and what is archived already. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kcompliance.archive.interface import ArchivedStream, TimeRange, Window
from kcompliance.archive.windows import align
from kcompliance.errors import UsageError

__all__ = ["TimeOptions", "archived_up_to", "wanted_range"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOptions:
    """What the user said of time."""

    start: datetime | None = None
    end: datetime | None = None
    last: timedelta | None = None
    """At least the last of it; more where the archive ends before."""
    window: timedelta
    settle: timedelta
    """How long events may take to arrive: a younger window is left for later."""


def wanted_range(options: TimeOptions, archived: ArchivedStream, *, now: datetime) -> TimeRange:
    """The half-open range to archive, on the grid of the windows; it may be empty.

    Without a start it begins where the stream's archive has its first hole, or ends. Raises
    `UsageError` for bounds that cannot be.
    """
    window = options.window
    newest = align(_before(now, "--settle", options.settle), window)
    end = options.end or newest
    _require_grid("--to", end, window)
    if end > newest:
        raise UsageError(
            f"--to {_shown(end)} is in the future or too young: events may still arrive",
            f"the newest window that is settled ends at {_shown(newest)} (see --settle)",
        )
    start = options.start
    if start is not None:
        _require_grid("--from", start, window)
        if start >= end:
            raise UsageError(
                f"--from {_shown(start)} is not before --to {_shown(end)}", "swap them?"
            )
        return TimeRange(start=start, end=end)
    known = archived_up_to(archived.windows)
    if options.last is not None:
        start = align(_before(end, "--last", options.last), window)
        start = start if known is None else min(start, known)
    elif known is not None:
        start = known
    else:
        raise UsageError(
            f'nothing of the stream "{archived.stream}" is archived yet: since when shall it be?',
            "give --from 2026-01-01T00:00:00Z, or --last 24h; later runs go on from there",
        )
    return TimeRange(start=min(start, end), end=end)


def archived_up_to(windows: Iterable[Window]) -> datetime | None:
    """The end of what is archived without a hole from the first window on."""
    bounded = sorted(
        (each.start, each.end) for each in windows if each.start is not None and each.end
    )
    reach = None
    for start, end in bounded:
        if reach is not None and start > reach:
            break
        reach = end if reach is None else max(reach, end)
    return reach


def _before(moment: datetime, option: str, duration: timedelta) -> datetime:
    try:
        return moment - duration
    except OverflowError:
        raise UsageError(
            f"{option} of {duration.days} days goes back further than the calendar", "such as 365d"
        ) from None


def _require_grid(option: str, moment: datetime, window: timedelta) -> None:
    below = align(moment, window)
    if below != moment:
        raise UsageError(
            f"{option} {_shown(moment)} is not a bound of windows of {window}",
            f"the nearest are {_shown(below)} and {_shown(below + window)}",
        )


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
