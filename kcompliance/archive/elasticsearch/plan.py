"""Which windows a run archives: new ones, late events of old ones, events without a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from kcompliance.archive import windows as grid
from kcompliance.archive.elasticsearch.counts import Counts, Shard
from kcompliance.archive.elasticsearch.indices import Index
from kcompliance.archive.elasticsearch.late import late_parts
from kcompliance.archive.elasticsearch.lineage import missing_among
from kcompliance.archive.elasticsearch.options import ElasticsearchOptions
from kcompliance.archive.elasticsearch.queries import of_window
from kcompliance.archive.interface import (
    ArchivedStream,
    ArchivedWindow,
    IndexShard,
    Part,
    PlannedWindow,
    TimeRange,
    Window,
)
from kcompliance.errors import UsageError
from kcompliance.ledger import WindowStatus, format_time

__all__ = ["plan_windows"]

_TIMELESS = Window(start=None, end=None)


def plan_windows(
    counts: Counts,
    indices: Sequence[Index],
    options: ElasticsearchOptions,
    time_field: str,
    wanted: TimeRange,
    archived: ArchivedStream,
    now: datetime,
) -> list[PlannedWindow]:
    """New windows in the order of time, then late events, then events without a time."""
    grid.check_bounds(wanted, options.window)
    new = _new_windows(counts, indices, options.window, wanted, archived, now)
    return [
        *_planned(counts, indices, new, archived),
        *_late(counts, indices, options, time_field, archived, now),
        *_timeless(counts, indices, options, time_field, archived),
    ]


def _new_windows(
    counts: Counts,
    indices: Sequence[Index],
    length: timedelta,
    wanted: TimeRange,
    archived: ArchivedStream,
    now: datetime,
) -> list[Window]:
    end = grid.align(now, length) if wanted.end is None else wanted.end
    if end > now:
        raise UsageError(
            f'"{format_time(end)}" as --to has not come yet: windows are archived when over',
            f"the last window ended at {format_time(grid.align(now, length))}",
        )
    start = wanted.start
    if start is None:
        first = min(counts.first_times(indices).values(), default=end)
        start = min(grid.align(first, length), end)
    return grid.without_covered(grid.windows_between(start, end, length), archived.windows)


def _planned(
    counts: Counts,
    indices: Sequence[Index],
    new: Sequence[Window],
    archived: ArchivedStream,
) -> Iterator[PlannedWindow]:
    if not new:
        return
    counted = counts.by_window(indices, new)
    each = counts.mean_size(indices) if counted else None
    empty = [window for window in new if not counted.get(window)]
    times = counts.first_times(indices) if empty else {}
    missing = missing_among(empty, indices, times, archived)
    for window in new:
        parts = tuple(
            _part(window, shard, docs, each=each)
            for shard, docs in sorted(counted.get(window, {}).items())
        )
        status = WindowStatus.SOURCE_MISSING if window in missing else None
        yield PlannedWindow(window=window, parts=parts, status=status)


def _late(
    counts: Counts,
    indices: Sequence[Index],
    options: ElasticsearchOptions,
    time_field: str,
    archived: ArchivedStream,
    now: datetime,
) -> Iterator[PlannedWindow]:
    since = now - options.late
    looked_at = [(end, each) for each in archived.windows.values() if (end := _asked(each, since))]
    known = [each for _, each in sorted(looked_at, key=lambda pair: pair[0])]
    if not known:
        return
    found = late_parts(counts, indices, known, time_field=time_field, filters=options.filters)
    for each in known:
        if parts := found.get(each.window):
            yield PlannedWindow(window=each.window, rev=each.rev + 1, parts=tuple(parts))


def _asked(archived: ArchivedWindow, since: datetime) -> datetime | None:
    """The end of a window that late events are looked for in; None for others."""
    end = archived.window.end
    if end is None or end <= since or archived.status is WindowStatus.SOURCE_MISSING:
        return None
    return end


def _timeless(
    counts: Counts,
    indices: Sequence[Index],
    options: ElasticsearchOptions,
    time_field: str,
    archived: ArchivedStream,
) -> Iterator[PlannedWindow]:
    before = archived.windows.get(_TIMELESS)
    by_uuid = {index.uuid: index for index in indices}
    parts = []
    for shard, docs in sorted(counts.without_time(indices).items()):
        after = before.max_seq_no.get((shard.uuid, shard.number), -1) if before else -1
        newer = docs
        if after >= 0:
            query = of_window(_TIMELESS, time_field, options.filters, after=after)
            newer = counts.of_query(by_uuid[shard.uuid], shard.number, query)
        if newer:
            parts.append(_part(_TIMELESS, shard, newer, after=after))
    if parts:
        rev = before.rev + 1 if before else 0
        yield PlannedWindow(window=_TIMELESS, rev=rev, parts=tuple(parts))


def _part(
    window: Window, shard: Shard, docs: int, *, after: int = -1, each: int | None = None
) -> Part:
    place = IndexShard(
        index=shard.name, index_uuid=shard.uuid, shard=shard.number, after_seq_no=after
    )
    return Part(window=window, place=place, docs=docs, bytes=None if each is None else docs * each)
