"""Compares an archived stream with the source that it was read from, while that is still there.

Counts are compared for each window, or with `events` the multiset of SHA-256 over id, routing and
source of every event, from both sides. An index that is gone at the source is left out: what it
held can only be proven by the archive. Where an event was changed at the source, the archive holds
what it was before, too; the last that it holds of each event is what is compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

import msgspec
import tenacity

from kcompliance.archive import windows as grid
from kcompliance.archive.catalogue import CataloguedStream
from kcompliance.archive.interface import (
    ArchivedStream,
    Page,
    Part,
    PartLost,
    PlannedWindow,
    Source,
    TimeRange,
    Window,
)
from kcompliance.archive.segment_reader import events as events_of
from kcompliance.errors import UsageError
from kcompliance.ledger import (
    Fault,
    FindingCode,
    IndexPartition,
    StreamRecord,
    WindowRecord,
    WindowStatus,
    format_time,
)
from kcompliance.stores.interface import Store

__all__ = ["Comparison", "EventSet", "LiveSource", "compare_with_source"]

_TRIES_FOR_A_PART: Final = 5


class LiveSource(Source, Protocol):
    """A source that can say which indices it has."""

    @property
    def index_uuids(self) -> frozenset[str]:
        """Of all indices that the patterns mean now."""


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What came of it: all windows are compared, gone or off the grid."""

    windows: int = 0
    """That were compared, wholly or for the indices that are still there."""
    docs: int = 0
    """Events of them in the archive."""
    gone: int = 0
    """Windows of which nothing is at the source any more: nothing was shown of them."""
    off_grid: int = 0
    """Windows of before the stream was bound to another length: nothing was shown of them."""
    faults: list[Fault] = field(default_factory=list)


def compare_with_source(
    stream: CataloguedStream, store: Store, source: LiveSource, *, events: bool, now: datetime
) -> Comparison:
    """Compare all windows of a stream with what the source holds of them now.

    Each fault is SOURCE_MISMATCH and names a window. Raises UsageError for a source that is not
    the stream's own, `SourceError`, `StoreError`, `ObjectDamaged` and `SpoolError`.
    """
    _require_own(stream, source)
    result = Comparison()
    there = _planned(stream, source, now)
    alive = source.index_uuids
    for window, records in _by_window(stream.windows).items():
        planned = there.get(window)
        if planned is None and window.start is not None:
            result.off_grid += 1
            continue
        parts = planned.parts if planned is not None else ()
        archived = _Archived(stream, store, records, alive)
        if archived.is_gone and not parts:
            result.gone += 1
            continue
        result.windows += 1
        result.docs += archived.docs
        if detail := _difference(archived, parts, source, events=events):
            result.faults.append(_fault(stream, window, detail))
    return result


def _difference(
    archived: "_Archived", parts: Sequence[Part], source: Source, *, events: bool
) -> str | None:
    """What differs in a window, in words."""
    found, docs = sum(part.docs or 0 for part in parts), archived.docs
    if found != docs and archived.is_revised and archived.can_be_read:
        docs = archived.last_events().docs
    if found != docs:
        return f"the source counts {found} events, and {docs} of its indices are archived"
    if events and found and archived.can_be_read and archived.last_events() != _live(source, parts):
        return f"the source holds other events than the {docs} that are archived"
    return None


def _require_own(stream: CataloguedStream, source: Source) -> None:
    """Another source counts differently, which says nothing of the archive."""
    binding = stream.binding
    if binding is None:
        return
    its = source.binding(stream.name)
    for name, wanted, given in zip(_BOUND, _bound(binding), _bound(its), strict=True):
        if wanted != given:
            raise UsageError(
                f'the stream "{stream.name}" is of another source: its {name} is {wanted}, '
                f"not {given}",
                "compare it with what it was archived from",
            )


_BOUND: Final = ("cluster", "patterns", "time field", "filter", "window in seconds")


def _bound(record: StreamRecord) -> tuple[object, ...]:
    source = record.source
    return (
        source.cluster_uuid,
        source.patterns,
        record.time_field,
        record.filter,
        record.window_seconds,
    )


def _by_window(records: Iterable[WindowRecord]) -> Mapping[Window, list[WindowRecord]]:
    windows: defaultdict[Window, list[WindowRecord]] = defaultdict(list)
    for record in records:
        windows[Window(start=record.start, end=record.end)].append(record)
    return windows


def _planned(
    stream: CataloguedStream, source: Source, now: datetime
) -> Mapping[Window, PlannedWindow]:
    """What a run would archive that knew nothing: the counts of all windows."""
    start, end = stream.coverage.start, stream.coverage.end
    seconds = source.binding(stream.name).window_seconds
    if seconds is not None and start is not None and end is not None:
        # An older binding may have had another grid.
        length = timedelta(seconds=seconds)
        start, end = grid.align(start, length), grid.align(end, length)
    wanted = TimeRange(start=start, end=end)
    nothing = ArchivedStream(stream=stream.name)
    return {each.window: each for each in source.plan(wanted, nothing, now=now)}


# --- both sides -----------------------------------------------------------------------------------


@dataclass(slots=True)
class EventSet:
    """A multiset of events in constant memory: how many, and the sum of their hashes.

    Good against mistakes; somebody who can choose very many events could find another set with
    the same sum.
    """

    docs: int = 0
    sum: int = 0

    def add(self, name: "_Name", source: bytes) -> None:
        """One more event, by the bytes of its `_source`."""
        text = b"\x00".join((name.id.encode(), name.routing.encode(), source))
        self.docs += 1
        self.sum = (self.sum + int.from_bytes(sha256(text).digest())) % 2**256

    def update(self, other: "EventSet") -> None:
        """All events of another set more."""
        self.docs += other.docs
        self.sum = (self.sum + other.sum) % 2**256


class _Name(msgspec.Struct, rename="_{}".format, frozen=True):
    """What tells an event from all others."""

    index: str
    id: str
    routing: str = ""


_NAME: Final = msgspec.json.Decoder(_Name)


def _parse(line: bytes) -> tuple[_Name, bytes]:
    """Who an event is, and the bytes of its `_source`, which need not be strict JSON."""
    head, _, source = line.partition(b',"_source":')
    return _NAME.decode(head + b"}"), source[:-1]


class _Archived:
    """What the archive holds of a window, of those indices that are still at the source."""

    def __init__(
        self,
        stream: CataloguedStream,
        store: Store,
        records: Iterable[WindowRecord],
        alive: frozenset[str],
    ) -> None:
        self._stream = stream
        self._store = store
        self._newest_first = sorted(records, key=lambda record: record.rev, reverse=True)
        parts = [part for record in self._newest_first for part in _index_partitions(record)]
        self._alive = {part.index for part in parts if part.index_uuid in alive}
        self._gone = {part.index for part in parts if part.index_uuid not in alive}
        self._last_events: EventSet | None = None
        self.docs = sum(part.written for part in parts if part.index_uuid in alive)

    @property
    def is_gone(self) -> bool:
        """Whether it was in indices, or a part of a trail, of which none is left."""
        held_some = self._gone or self._newest_first[0].status is WindowStatus.SOURCE_MISSING
        return bool(held_some) and not self._alive

    @property
    def is_revised(self) -> bool:
        """Whether some of its events may have been archived again, after a change."""
        return sum(bool(record.segments) for record in self._newest_first) > 1

    @property
    def can_be_read(self) -> bool:
        """Whether events name their index well: not where one was made anew by the same name."""
        return self._alive.isdisjoint(self._gone)

    def last_events(self) -> EventSet:
        """Each event as it was archived last."""
        if self._last_events is None:
            self._last_events = self._read()
        return self._last_events

    def _read(self) -> EventSet:
        found = EventSet()
        newer: set[_Name] = set()
        for record in self._newest_first:
            its: list[_Name] = []
            for line in self._lines(record):
                name, source = _parse(line)
                if name.index in self._alive and name not in newer:
                    found.add(name, source)
                    if record.rev:
                        its.append(name)
            newer.update(its)
        return found

    def _lines(self, record: WindowRecord) -> Iterator[bytes]:
        wanted = set(record.segments)
        for each in self._stream.segments.values():
            segment = each.record
            if segment.sha256 in wanted:
                stored = self._store.read(segment.key, version=segment.version_id)
                yield from events_of(segment, stored)


def _index_partitions(record: WindowRecord) -> Iterator[IndexPartition]:
    return (part for part in record.partitions if isinstance(part, IndexPartition))


def _live(source: Source, parts: Iterable[Part]) -> EventSet:
    """What the source holds."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(PartLost),
        stop=tenacity.stop_after_attempt(_TRIES_FOR_A_PART),
        reraise=True,
    )
    live = EventSet()
    for part in parts:
        live.update(retrying(_read_part, source, part))
    return live


def _read_part(source: Source, part: Part) -> EventSet:
    found = EventSet()

    def add(page: Page) -> None:
        for line in page.lines.removesuffix(b"\n").split(b"\n"):
            found.add(*_parse(line))

    source.read(part, add)
    return found


def _fault(stream: CataloguedStream, window: Window, detail: str) -> Fault:
    return Fault(
        code=FindingCode.SOURCE_MISMATCH,
        detail=detail,
        stream=stream.name,
        start=None if window.start is None else format_time(window.start),
        end=None if window.end is None else format_time(window.end),
    )
