"""A source of events in memory that counts and numbers them as Elasticsearch does."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from kcompliance.archive.interface import (
    ArchivedStream,
    IndexShard,
    Page,
    Part,
    PlannedWindow,
    Source,
    SourceGone,
    TimeRange,
    Window,
)
from kcompliance.ledger import (
    IndexPartition,
    SourceKind,
    StreamName,
    StreamRecord,
    StreamSource,
    WindowStatus,
)
from kcompliance.model.digest import Sha256, sha256
from tests.ledger.samples import HOUR, JULY

__all__ = ["EventSource", "hours"]

_NO_TIME: Final = Window(start=None, end=None)


def hours(first: int, last: int) -> TimeRange:
    """`[first, last)` of the first of July."""
    return TimeRange(start=JULY + first * HOUR, end=JULY + last * HOUR)


@dataclass(kw_only=True)
class EventSource(Source):
    """Indices of one shard; `before_read` is called with each part that is going to be read."""

    before_read: Callable[[Part], None] = lambda part: None
    settings: bytes | None = None
    pattern: str = "audit-*"
    indices: dict[str, list[tuple[datetime | None, bytes]]] = field(default_factory=dict)
    """The time of each event and its line; its number is its place."""

    def add(self, hour: int | None, *names: str, index: str = "audit-1") -> None:
        """Events in the middle of an hour; None: without a time."""
        events = self.indices.setdefault(index, [])
        for name in names:
            time = None if hour is None else JULY + (hour + 0.5) * HOUR
            number = len(events)
            text = {"_index": index, "_id": name, "_seq_no": number, "_source": {"auditID": name}}
            events.append((time, json.dumps(text, separators=(",", ":")).encode()))

    @property
    def lines(self) -> list[bytes]:
        """All events."""
        return [line for events in self.indices.values() for _, line in events]

    @property
    def url(self) -> str:
        """See `Source`."""
        return "memory"

    def binding(self, stream: StreamName) -> StreamRecord:
        """See `Source`."""
        return StreamRecord(
            stream=stream,
            source=StreamSource(
                kind=SourceKind.ELASTICSEARCH, cluster_uuid="Zx1", patterns=(self.pattern,)
            ),
            time_field="requestReceivedTimestamp",
            filter=None,
            window_seconds=3600,
        )

    def plan(
        self, wanted: TimeRange, archived: ArchivedStream, *, now: datetime
    ) -> Sequence[PlannedWindow]:
        """See `Source`."""
        assert wanted.start is not None
        assert wanted.end is not None
        count = (wanted.end - wanted.start) // HOUR
        starts = (wanted.start + number * HOUR for number in range(count))
        windows = [Window(start=start, end=start + HOUR) for start in starts]
        return [
            planned
            for window in [*windows, _NO_TIME]
            if (planned := self._planned(window, archived)) is not None
        ]

    def _planned(self, window: Window, archived: ArchivedStream) -> PlannedWindow | None:
        known = archived.windows.get(window)
        parts = []
        for index, events in self.indices.items():
            after = -1 if known is None else known.max_seq_no.get((_uuid(index), 0), -1)
            numbers = [number for number, _ in _in(events, window) if number > after]
            if numbers:
                place = IndexShard(
                    index=index, index_uuid=_uuid(index), shard=0, after_seq_no=after
                )
                parts.append(Part(window=window, place=place, docs=len(numbers)))
        again = known is None or known.status is WindowStatus.SOURCE_MISSING
        if not parts and not (again and window is not _NO_TIME):
            return None
        rev = 0 if known is None else known.rev + 1
        return PlannedWindow(window=window, rev=rev, parts=tuple(parts))

    def read(self, part: Part, write: Callable[[Page], None]) -> IndexPartition:
        """See `Source`."""
        self.before_read(part)
        place = part.place
        assert isinstance(place, IndexShard)
        if place.index not in self.indices:
            raise SourceGone(f"{place.index} was deleted")
        events = self.indices[place.index]
        found = [each for each in _in(events, part.window) if each[0] > place.after_seq_no]
        for _, line in found:
            write(Page(lines=line + b"\n", docs=1))
        return IndexPartition(
            index=place.index,
            index_uuid=place.index_uuid,
            shard=place.shard,
            expected=len(found),
            written=len(found),
            max_seq_no=max((number for number, _ in found), default=-1),
        )

    def query_sha256(self, window: Window) -> Sha256 | None:
        """See `Source`."""
        return sha256(repr(window).encode())

    def metadata(self, planned: Iterable[PlannedWindow]) -> bytes | None:
        """See `Source`."""
        return self.settings

    def close(self) -> None:
        """See `Source`."""


def _uuid(index: str) -> str:
    return f"uuid-of-{index}"


def _in(
    events: Sequence[tuple[datetime | None, bytes]], window: Window
) -> Iterator[tuple[int, bytes]]:
    for number, (time, line) in enumerate(events):
        if time is None or window.start is None or window.end is None:
            if time is None and window.start is None:
                yield number, line
        elif window.start <= time < window.end:
            yield number, line
