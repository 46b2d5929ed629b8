"""Whether a window without events is empty, or its events were deleted before. Pure.

A window is empty where what would have held its events is there. Where that is known to be gone,
nobody knows whether there were any. It is known in two cases:

* a data stream whose first backing indices are gone, for the time before its oldest event and
  before the oldest of its indices was made;
* a stream that was archived before from indices that are all gone, for the time from then until
  the oldest event or index that there is now.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from kcompliance.archive.elasticsearch.indices import Index
from kcompliance.archive.interface import ArchivedStream, Window

__all__ = ["missing_among"]


def missing_among(
    empty: Iterable[Window],
    indices: Sequence[Index],
    first_times: Mapping[str, datetime],
    archived: ArchivedStream,
) -> set[Window]:
    """Those of the windows without events whose source is known to be gone."""
    begins = [*_cut_streams(indices, first_times)]
    missing = {window for window in empty if any(_before(window, begin) for begin in begins)}
    if _all_gone(indices, archived):
        begin = _begin(indices, first_times)
        since = min((each.end for each in archived.windows if each.end), default=None)
        missing |= {
            window
            for window in empty
            if since and window.start and window.start >= since and _before(window, begin)
        }
    return missing


def _cut_streams(
    indices: Sequence[Index], first_times: Mapping[str, datetime]
) -> Iterable[datetime | None]:
    """Since when each data stream is there whose first backing indices are not."""
    streams: defaultdict[str, list[tuple[int, Index]]] = defaultdict(list)
    for index in indices:
        if index.generation is not None:
            streams[index.generation[0]].append((index.generation[1], index))
    for members in streams.values():
        if min(number for number, _ in members) > 1:
            yield _begin([index for _, index in members], first_times)


def _begin(indices: Sequence[Index], first_times: Mapping[str, datetime]) -> datetime | None:
    """The least sign of any of these indices; None where one does not tell when it was made."""
    if any(index.created is None for index in indices):
        return None
    signs = [index.created for index in indices if index.created is not None]
    signs += [first_times[index.name] for index in indices if index.name in first_times]
    return min(signs, default=None)


def _all_gone(indices: Sequence[Index], archived: ArchivedStream) -> bool:
    known = {uuid for window in archived.windows.values() for uuid, _ in window.max_seq_no}
    return bool(known) and known.isdisjoint(index.uuid for index in indices)


def _before(window: Window, begin: datetime | None) -> bool:
    return begin is not None and window.end is not None and window.end <= begin
