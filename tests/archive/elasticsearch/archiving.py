"""What a run does with a search source, over and over, without a store and a log."""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kcompliance.archive.elasticsearch import ElasticsearchOptions, ElasticsearchSource
from kcompliance.archive.interface import (
    ArchivedStream,
    ArchivedWindow,
    IndexShard,
    Page,
    Part,
    PlannedWindow,
    TimeRange,
    Window,
)
from kcompliance.ledger import (
    IndexPartition,
    StreamName,
    WindowRecord,
    WindowStatus,
    coverage,
    encode_record,
)
from kcompliance.model.digest import sha256
from tests.servers.search_server import JSON_LINES, SearchServer

__all__ = [
    "HOUR",
    "NOW",
    "START",
    "TIMELESS",
    "Run",
    "at",
    "day",
    "event",
    "make_index",
    "options_for",
    "send",
    "sources_of",
]

STREAM = StreamName("prod/audit")
START = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = START + timedelta(days=2)
TIMELESS = Window(start=None, end=None)


def day(hours: int = 6) -> TimeRange:
    """So many hours from the start on."""
    return TimeRange(start=START, end=START + hours * HOUR)


def at(hour: int) -> Window:
    """A window of one hour."""
    return Window(start=START + hour * HOUR, end=START + (hour + 1) * HOUR)


def event(number: int, *, minutes: float | None = None, **more: object) -> bytes:
    """The bytes of an event, so many minutes after the start; None: without a time."""
    text: dict[str, object] = {"kind": "Event", "auditID": f"{number:08d}", **more}
    if minutes is not None:
        moment = START + timedelta(minutes=minutes)
        text["requestReceivedTimestamp"] = moment.isoformat(timespec="microseconds").replace(
            "+00:00", "Z"
        )
    return json.dumps(text, separators=(",", ":")).encode()


def make_index(
    server: SearchServer,
    name: str,
    *,
    shards: int = 1,
    replicas: int = 0,
    mapping: Mapping[str, Any] | None = None,
    **settings: object,
) -> None:
    """An index whose time field is mapped; `o` holds what nobody looks into."""
    properties = {
        "requestReceivedTimestamp": {"type": "date"},
        "o": {"type": "object", "enabled": False},
        **(mapping or {}),
    }
    server.must(
        "PUT",
        f"/{name}",
        {
            "settings": {"number_of_shards": shards, "number_of_replicas": replicas, **settings},
            "mappings": {"properties": properties},
        },
    )


def send(
    server: SearchServer,
    index: str,
    events: Mapping[str, bytes],
    *,
    refresh: str = "true",
    action: str = "index",
) -> None:
    """Index these documents by name, each on one line."""
    lines = [
        b'{"%s":{"_id":%s}}\n%s\n' % (action.encode(), json.dumps(name).encode(), source)
        for name, source in events.items()
    ]
    status, answer = server.request(
        "POST", f"/{index}/_bulk?refresh={refresh}", b"".join(lines), content_type=JSON_LINES
    )
    assert status == 200, answer
    assert not answer["errors"], answer


def options_for(server: SearchServer, *patterns: str, **more: Any) -> ElasticsearchOptions:
    """Hasty, with windows of an hour."""
    chosen: dict[str, Any] = {
        "urls": tuple(server.urls),
        "patterns": patterns,
        "window": HOUR,
        "copy_pause": timedelta(milliseconds=50),
        **more,
    }
    return ElasticsearchOptions(**chosen)


def sources_of(lines: Iterable[bytes]) -> Counter[tuple[str, bytes]]:
    """Name and `_source` of each line; the bytes of the latter are what follows its key."""
    found: Counter[tuple[str, bytes]] = Counter()
    for line in lines:
        head, _, source = line.partition(b',"_source":')
        found[json.loads(head + b"}")["_id"], source[:-1]] += 1
    return found


@dataclass(kw_only=True)
class Run:
    """What is archived, and what the log would say of it."""

    windows: dict[Window, ArchivedWindow] = field(default_factory=dict)
    lines: dict[tuple[Window, int], list[bytes]] = field(default_factory=dict)
    """By window and revision."""
    records: list[WindowRecord] = field(default_factory=list)
    threads: int = 2
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def archived(self) -> ArchivedStream:
        """What the next plan is told."""
        return ArchivedStream(stream=STREAM, windows=self.windows)

    @property
    def content(self) -> list[bytes]:
        """All lines."""
        return [line for lines in self.lines.values() for line in lines]

    def plan(
        self, source: ElasticsearchSource, wanted: TimeRange, now: datetime = NOW
    ) -> list[PlannedWindow]:
        """What the source would archive now."""
        return list(source.plan(wanted, self.archived, now=now))

    def once(
        self, source: ElasticsearchSource, wanted: TimeRange, now: datetime = NOW
    ) -> dict[tuple[Window, int], list[bytes]]:
        """Archive what is new, and tell the lines of that by window and revision."""
        planned = self.plan(source, wanted, now)
        for window in planned:
            self._archive(source, window)
        return {(each.window, each.rev): self.lines[each.window, each.rev] for each in planned}

    def take(self, planned: PlannedWindow, highest_seq_no: int) -> None:
        """As if it were archived."""
        places = [part.place for part in planned.parts]
        highest = {
            (p.index_uuid, p.shard): highest_seq_no for p in places if isinstance(p, IndexShard)
        }
        self.windows[planned.window] = ArchivedWindow(
            window=planned.window,
            rev=planned.rev,
            status=WindowStatus.SEALED if places else WindowStatus.EMPTY,
            docs=len(places),
            max_seq_no=highest,
        )

    def faults(self) -> list[str]:
        """What the records are in want of."""
        for record in self.records:
            encode_record(record)
        return [fault.code for fault in coverage(STREAM, self.records).faults]

    def _archive(self, source: ElasticsearchSource, planned: PlannedWindow) -> None:
        lines: list[bytes] = []
        with ThreadPoolExecutor(self.threads) as pool:
            partitions = [*pool.map(lambda part: self._read(source, part, lines), planned.parts)]
        before = self.windows.get(planned.window)
        highest = dict(before.max_seq_no) if before else {}
        for each in partitions:
            assert each.max_seq_no is not None
            highest[each.index_uuid, each.shard] = each.max_seq_no
        docs = sum(each.written for each in partitions)
        found = WindowStatus.SEALED if docs else WindowStatus.EMPTY
        status = planned.status or found
        self.lines[planned.window, planned.rev] = lines
        self.windows[planned.window] = ArchivedWindow(
            window=planned.window,
            rev=planned.rev,
            status=status,
            docs=docs + (before.docs if before else 0),
            max_seq_no=highest,
        )
        self.records.append(
            WindowRecord(
                stream=STREAM,
                start=planned.window.start,
                end=planned.window.end,
                rev=planned.rev,
                status=status,
                docs=docs,
                segments=(sha256(b""),) if docs else (),
                partitions=tuple(partitions),
            )
        )

    def _read(self, source: ElasticsearchSource, part: Part, lines: list[bytes]) -> IndexPartition:
        pages: list[Page] = []
        counted = source.read(part, pages.append)
        own = [line for page in pages for line in page.lines.split(b"\n")[:-1]]
        assert all(page.lines.endswith(b"\n") for page in pages)
        assert counted.expected == counted.written == len(own) == sum(page.docs for page in pages)
        assert isinstance(part.place, IndexShard)
        assert (counted.index_uuid, counted.shard) == (part.place.index_uuid, part.place.shard)
        numbers = [json.loads(line.partition(b',"_source":')[0] + b"}")["_seq_no"] for line in own]
        assert counted.max_seq_no == max([part.place.after_seq_no, *numbers])
        with self._lock:
            lines += own
        return counted
