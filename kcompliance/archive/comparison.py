"""Compares an archived stream with the source that it was read from, while that is still there.

Counts are compared for each window, or with `events` the multiset of SHA-256 over id, routing and
source of every event, from both sides. An index that is gone at the source is left out: what it
held can only be proven by the archive.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol

import msgspec

from kcompliance.archive.catalogue import CataloguedStream
from kcompliance.archive.interface import (
    ArchivedStream,
    Page,
    PlannedWindow,
    Source,
    TimeRange,
    Window,
)
from kcompliance.archive.segment_reader import events as events_of
from kcompliance.ledger import (
    Fault,
    FindingCode,
    IndexPartition,
    IndexShare,
    SegmentRecord,
    WindowRecord,
    format_time,
)
from kcompliance.stores.interface import Store

__all__ = ["Comparison", "EventSet", "LiveSource", "compare_with_source"]


class LiveSource(Source, Protocol):
    """A source that can say which indices it has."""

    @property
    def index_uuids(self) -> frozenset[str]:
        """Of all indices that the patterns mean now."""


@dataclass(slots=True)
class EventSet:
    """A multiset of events in constant memory: how many, and the sum of their hashes.

    Good against mistakes; somebody who can choose very many events could find another set with
    the same sum.
    """

    docs: int = 0
    sum: int = 0

    def add(self, line: bytes) -> None:
        """One more event, as a line of a segment."""
        event = _EVENT.decode(line)
        text = b"\x00".join((event.id.encode(), event.routing.encode(), bytes(event.source)))
        self.docs += 1
        self.sum = (self.sum + int.from_bytes(sha256(text).digest())) % 2**256


class _Event(msgspec.Struct, rename={"id": "_id", "routing": "_routing", "source": "_source"}):
    id: str
    source: msgspec.Raw
    routing: str = ""


_EVENT = msgspec.json.Decoder(_Event)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What came of it."""

    windows: int = 0
    """That could be compared, wholly or for the indices that are still there."""
    docs: int = 0
    """Events of them in the archive."""
    gone: int = 0
    """Windows of which nothing is at the source any more."""
    faults: list[Fault] = field(default_factory=list)


def compare_with_source(
    stream: CataloguedStream, store: Store, source: LiveSource, *, events: bool, now: datetime
) -> Comparison:
    """Compare all windows of a stream. Raises `SourceError`, `StoreError` and `ObjectDamaged`."""
    result = Comparison()
    archived = _by_window(stream.windows)
    there = _planned(stream, source, now)
    alive = source.index_uuids
    for window, records in archived.items():
        parts = [part for record in records for part in _index_partitions(record)]
        known = {part.index_uuid for part in parts}
        planned = there.get(window)
        if known and not known & alive:
            result.gone += 1
            continue
        result.windows += 1
        docs = sum(part.written for part in parts if part.index_uuid in alive)
        result.docs += docs
        found = sum(part.docs or 0 for part in planned.parts) if planned is not None else 0
        detail = None
        if found != docs:
            detail = f"the source counts {found} events, and {docs} of its indices are archived"
        elif events and docs and planned is not None and known <= alive:
            detail = _difference(stream, records, store, source, planned)
        if detail is not None:
            result.faults.append(_fault(stream, window, detail))
    return result


def _by_window(records: Iterable[WindowRecord]) -> Mapping[Window, list[WindowRecord]]:
    windows: defaultdict[Window, list[WindowRecord]] = defaultdict(list)
    for record in records:
        windows[Window(start=record.start, end=record.end)].append(record)
    return windows


def _index_partitions(record: WindowRecord) -> Iterator[IndexPartition]:
    return (part for part in record.partitions if isinstance(part, IndexPartition))


def _planned(
    stream: CataloguedStream, source: Source, now: datetime
) -> Mapping[Window, PlannedWindow]:
    """What a run would archive that knew nothing: the counts of all windows."""
    coverage = stream.coverage
    if coverage.start is None or coverage.end is None:
        return {}
    wanted = TimeRange(start=coverage.start, end=coverage.end)
    nothing = ArchivedStream(stream=stream.name)
    return {each.window: each for each in source.plan(wanted, nothing, now=now)}


def _difference(
    stream: CataloguedStream,
    records: Iterable[WindowRecord],
    store: Store,
    source: Source,
    planned: PlannedWindow,
) -> str | None:
    archived, live = EventSet(), EventSet()
    for segment in _segments(stream, records):
        for line in events_of(segment, store.read(segment.key)):
            archived.add(line)

    for part in planned.parts:
        # A part that has to be read again brings its pages again: they count when it is whole.
        of_part = EventSet()

        def add(page: Page, of_part: EventSet = of_part) -> None:
            for line in page.lines.removesuffix(b"\n").split(b"\n"):
                of_part.add(line)

        source.read(part, add)
        live.docs += of_part.docs
        live.sum = (live.sum + of_part.sum) % 2**256
    return None if archived == live else "the source holds other events than were archived"


def _segments(stream: CataloguedStream, records: Iterable[WindowRecord]) -> Iterator[SegmentRecord]:
    wanted = {digest for record in records for digest in record.segments}
    return (
        each.record
        for each in stream.segments.values()
        if each.record.sha256 in wanted
        and any(isinstance(share, IndexShare) for share in each.record.source.shares)
    )


def _fault(stream: CataloguedStream, window: Window, detail: str) -> Fault:
    return Fault(
        code=FindingCode.SOURCE_MISMATCH,
        detail=detail,
        stream=stream.name,
        start=None if window.start is None else format_time(window.start),
        end=None if window.end is None else format_time(window.end),
    )
