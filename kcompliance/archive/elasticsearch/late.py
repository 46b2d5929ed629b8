"""Events that came after their window was archived, found by `_seq_no`.

Each window's record says, for each shard of each index, the highest `_seq_no` at the time; what is
above came later, or was changed later. A shard that no record names held nothing: all its events
are late.

One gap is known: an event is not found whose `_seq_no` is lower than one of the same window and
shard that was visible when it was read, while itself it was not. That takes two events that come
late for one window, in the milliseconds in which it is read.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from kcompliance.archive.elasticsearch.counts import Counts
from kcompliance.archive.elasticsearch.indices import Index
from kcompliance.archive.elasticsearch.queries import JsonObject, of_any, of_window
from kcompliance.archive.interface import ArchivedWindow, IndexShard, Part, Window

__all__ = ["late_parts"]

MOST_CLAUSES: Final = 200
"""In one request: servers allow 1024 or more, but answer slowly."""


def late_parts(
    counts: Counts,
    indices: Sequence[Index],
    archived: Sequence[ArchivedWindow],
    *,
    time_field: str,
    filters: Sequence[tuple[str, str]],
) -> dict[Window, list[Part]]:
    """What came late for these windows, which have bounds and are sorted; by window."""
    found: dict[Window, list[Part]] = {}
    for index in indices:
        for number in range(index.shards):
            known = [
                (each.window, each.max_seq_no.get((index.uuid, number), -1)) for each in archived
            ]
            for window, after, docs in _late(counts, index, number, known, time_field, filters):
                place = IndexShard(
                    index=index.name, index_uuid=index.uuid, shard=number, after_seq_no=after
                )
                found.setdefault(window, []).append(Part(window=window, place=place, docs=docs))
    return found


def _late(
    counts: Counts,
    index: Index,
    shard: int,
    known: Sequence[tuple[Window, int]],
    time_field: str,
    filters: Sequence[tuple[str, str]],
) -> Iterator[tuple[Window, int, int]]:
    """Windows of one shard with late events: the `_seq_no` to read from, and how many."""

    def select(window: Window, after: int) -> JsonObject:
        return of_window(window, time_field, filters, after=after)

    # Most shards hold nothing late at all: asked first, with few clauses.
    joined = [select(window, after) for window, after in _joined(known)]
    if not any(counts.of_query(index, shard, of_any(some)) for some in _chunks(joined)):
        return
    for some in _chunks(known):
        each = counts.of_each(index, shard, [select(window, after) for window, after in some])
        for (window, after), docs in zip(some, each, strict=True):
            if docs:
                yield window, after, docs


def _joined(known: Sequence[tuple[Window, int]]) -> Iterator[tuple[Window, int]]:
    """Windows that follow each other and have the same `_seq_no` as one window."""
    run: Window | None = None
    for after, group in groupby(known, key=lambda each: each[1]):
        for window, _ in group:
            if run is not None and run.end == window.start:
                run = Window(start=run.start, end=window.end)
            else:
                if run is not None:
                    yield run, after
                run = window
        if run is not None:
            yield run, after
        run = None


def _chunks(some: Sequence[JsonObject] | Sequence[tuple[Window, int]]) -> Iterator[list]:  # type: ignore[type-arg]
    for start in range(0, len(some), MOST_CLAUSES):
        yield list(some[start : start + MOST_CLAUSES])
