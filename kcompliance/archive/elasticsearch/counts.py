"""How many events there are, by index, shard and window, without reading them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from kcompliance.archive import windows as grid
from kcompliance.archive.elasticsearch.copies import Copies, preference
from kcompliance.archive.elasticsearch.indices import Index, chunks, path_of
from kcompliance.archive.elasticsearch.queries import JsonObject, of_span, of_window
from kcompliance.archive.interface import SourceError, SourceGone, Window
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered

__all__ = ["Counts", "Shard"]

MOST_BUCKETS: Final = 10_000
"""In one answer: servers allow 65,535."""

_SAMPLE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Shard:
    """A shard of one of the source's indices."""

    name: str
    uuid: str
    number: int


class _Total(msgspec.Struct):
    value: int
    relation: str


class _Hits(msgspec.Struct):
    total: _Total


class _Shards(msgspec.Struct):
    total: int
    successful: int
    failed: int


class _Answer(msgspec.Struct, rename={"shards": "_shards"}):
    timed_out: bool
    shards: _Shards
    hits: _Hits
    aggregations: dict[str, Any] = {}


class Counts:
    """Counts in all open indices of a source; searches of size 0, which need `read`."""

    def __init__(
        self,
        connection: Connection,
        copies: Copies,
        *,
        time_field: str,
        filters: Sequence[tuple[str, str]],
    ) -> None:
        self._connection = connection
        self._copies = copies
        self._time_field = time_field
        self._filters = filters

    def by_window(
        self, indices: Sequence[Index], windows: Sequence[Window]
    ) -> dict[Window, dict[Shard, int]]:
        """For each of these sorted windows the shards that hold events of it.

        Where a shard has several copies to compare, the highest count of any.
        """
        counted: defaultdict[Window, dict[Shard, int]] = defaultdict(dict)
        for asked in self._groups(indices):
            for run in grid.spans(windows, max(1, MOST_BUCKETS // len(asked.indices))):
                for (name, start), count in self._histogram(asked, run).items():
                    shard = asked.shard(name)
                    before = counted[start].get(shard, 0)
                    counted[start][shard] = max(before, count)
        return counted

    def without_time(self, indices: Sequence[Index]) -> dict[Shard, int]:
        """The shards that hold events without a time."""
        query = of_window(Window(start=None, end=None), self._time_field, self._filters)
        aggregations = {"index": _by_index(len(indices))}
        counted: dict[Shard, int] = {}
        for asked in self._groups(indices):
            answer = self._search(asked, {"query": query, "aggs": aggregations})
            for name, bucket in _buckets(answer):
                shard = asked.shard(name)
                counted[shard] = max(counted.get(shard, 0), int(bucket["doc_count"]))
        return counted

    def first_times(self, indices: Sequence[Index]) -> dict[str, datetime]:
        """The least time of any event, by name of the index, where it holds any with a time."""
        query = {"bool": {"filter": [{"exists": {"field": self._time_field}}]}}
        least = {"least": {"min": {"field": self._time_field}}}
        first: dict[str, datetime] = {}
        for group in chunks(indices):
            aggregations = {"index": {**_by_index(len(group)), "aggs": least}}
            asked = _Asked(indices=group, number=None, node=None)
            answer = self._search(asked, {"query": query, "aggs": aggregations})
            for name, bucket in _buckets(answer):
                value = bucket["least"]["value"]
                if value is not None:
                    first[name] = _moment(value)
        return first

    def mean_size(self, indices: Sequence[Index]) -> int | None:
        """Bytes of an event with what surrounds it, by a sample; None where there is none."""
        about = "the size of events"
        names = path_of([index.name for index in next(chunks(indices))])
        query = {"bool": {"filter": [{"exists": {"field": self._time_field}}]}}
        body = msgspec.json.encode({"size": _SAMPLE, "query": query, "track_total_hits": False})
        answer = self._connection.ask("POST", f"/{names}/_search", body, about=about)
        sampled = bytes(answer).count(b'"_source":')
        return len(answer) // sampled if sampled else None

    def of_query(self, index: Index, shard: int, query: JsonObject) -> int:
        """The events of one shard that a query selects."""
        asked = _Asked(indices=[index], number=shard, node=self._copies.to_read(index, shard))
        return self._search(asked, {"query": query}).hits.total.value

    def of_each(self, index: Index, shard: int, queries: Sequence[JsonObject]) -> list[int]:
        """The events of one shard that each of several queries selects."""
        asked = _Asked(indices=[index], number=shard, node=self._copies.to_read(index, shard))
        each = {"each": {"filters": {"filters": list(queries)}}}
        found = self._search(asked, {"aggs": each}).aggregations["each"]["buckets"]
        return [int(bucket["doc_count"]) for bucket in found]

    def on_copies(self, index: Index, shard: int, query: JsonObject) -> dict[str, int]:
        """What each copy of a shard counts, by node; empty where there is nothing to compare."""
        try:
            return self._on_copies(index, shard, query)
        except Answered:
            self._copies.forget(index)  # a node has gone, or the shard from it
            return self._on_copies(index, shard, query)

    def _on_copies(self, index: Index, shard: int, query: JsonObject) -> dict[str, int]:
        counted = {}
        for node in self._copies.to_compare(index, shard):
            asked = _Asked(indices=[index], number=shard, node=node)
            counted[node] = self._search(asked, {"query": query}).hits.total.value
        return counted

    # --- asking ---

    def _groups(self, indices: Sequence[Index]) -> Iterator["_Asked"]:
        """Every shard once, or once for each of its copies; as many indices at once as can be."""
        alone = [index for index in indices if index.copied]
        together = [index for index in indices if not index.copied]
        for number in range(max((index.shards for index in together), default=0)):
            for group in chunks([index for index in together if index.shards > number]):
                yield _Asked(indices=group, number=number, node=None)
        for index in alone:
            for number in range(index.shards):
                nodes = self._copies.to_compare(index, number)
                for node in nodes or (self._copies.to_read(index, number),):
                    yield _Asked(indices=[index], number=number, node=node)

    def _histogram(self, asked: "_Asked", run: Sequence[Window]) -> dict[tuple[str, Window], int]:
        """The counts of windows that follow each other, by name of the index and window."""
        first = run[0]
        assert first.start is not None  # noqa: S101 - a run has bounds
        assert first.end is not None  # noqa: S101
        length = first.end - first.start
        by_time = {
            "field": self._time_field,
            "fixed_interval": f"{grid.check_length(length)}s",
            "min_doc_count": 1,
        }
        windows = {"window": {"date_histogram": by_time}}
        aggregations = {"index": {**_by_index(len(asked.indices)), "aggs": windows}}
        query = of_span(run, self._time_field, self._filters)
        answer = self._search(asked, {"query": query, "aggs": aggregations})
        found: dict[tuple[str, Window], int] = {}
        known = {window.start: window for window in run}
        for name, bucket in _buckets(answer):
            for each in bucket["window"]["buckets"]:
                window = known.get(_moment(each["key"]))
                # An event of several times is counted for those outside the run, too.
                if window is not None:
                    found[name, window] = int(each["doc_count"])
        return found

    def _search(self, asked: "_Asked", body: JsonObject) -> _Answer:
        about = asked.about
        names = path_of([index.name for index in asked.indices])
        wanted = "" if asked.number is None else f"&preference={asked.preference}"
        try:
            answer = self._connection.json(
                _Answer,
                "POST",
                f"/{names}/_search?allow_partial_search_results=false{wanted}",
                msgspec.json.encode({"size": 0, "track_total_hits": True, **body}),
                about=f"the number of events in {about}",
            )
        except Answered as error:
            if error.no_such_index:
                raise SourceGone(f"{about} was deleted while it was counted") from error
            raise
        expected = asked.shards
        if answer.timed_out or answer.shards.failed or answer.hits.total.relation != "eq":
            raise SourceError(f"the events in {about} were counted in part", "try again later")
        if answer.shards.successful != answer.shards.total or answer.shards.total != expected:
            raise SourceError(
                f"of {expected} shards in {about}, {answer.shards.successful} were counted",
                "see GET /_cat/shards",
            )
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Shards that one search looks at."""

    indices: Sequence[Index]
    number: int | None
    """The same of each index; None: all."""
    node: str | None

    @property
    def shards(self) -> int:
        return sum(index.shards if self.number is None else 1 for index in self.indices)

    @property
    def preference(self) -> str:
        assert self.number is not None  # noqa: S101 - asked for one shard
        return quote(preference(self.number, self.node), safe="")

    @property
    def about(self) -> str:
        others = len(self.indices) - 1
        first = f'the index "{self.indices[0].name}"'
        return f"{first} and {others} others" if others else first

    def shard(self, name: str) -> Shard:
        assert self.number is not None  # noqa: S101 - asked for one shard
        uuid = next(index.uuid for index in self.indices if index.name == name)
        return Shard(name=name, uuid=uuid, number=self.number)


def _by_index(most: int) -> JsonObject:
    return {"terms": {"field": "_index", "size": max(1, most)}}


def _buckets(answer: _Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    # Where a preference leaves no shard, some servers leave out the aggregations, too.
    for bucket in answer.aggregations.get("index", {}).get("buckets", ()):
        yield bucket["key"], bucket


def _moment(milliseconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
