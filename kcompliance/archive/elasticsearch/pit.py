"""Points in time: one for each shard, shared by all that read from it, kept for the run."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final
from urllib.parse import quote

import msgspec

from kcompliance.archive.elasticsearch.copies import Copies, preference
from kcompliance.archive.elasticsearch.indices import METADATA, Index, path_of
from kcompliance.archive.elasticsearch.server import Server
from kcompliance.archive.interface import SourceError, SourceGone
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered

__all__ = ["Pits", "PointInTime"]

MOST_OPEN: Final = 100
"""Each holds on to files of the server, which allows 300 (OpenSearch) or more on a node."""


class PointInTime:
    """A shard as it was when this was opened. Its id may change with each answer."""

    def __init__(self, index: Index, shard: int, identifier: str, keep_alive: str) -> None:
        self.index = index
        self.shard = shard
        self.id = identifier
        self.keep_alive = keep_alive
        self.fresh = True
        """Nothing was read from it yet: it cannot have expired."""
        self.readers = 0
        self.lost = False


_Key = tuple[str, int]


class _Shards(msgspec.Struct):
    total: int
    successful: int
    failed: int = 0


class _Opened(msgspec.Struct, rename={"shards": "_shards"}):
    shards: _Shards
    id: str | None = None
    pit_id: str | None = None


_OPENED: Final = msgspec.json.Decoder(_Opened)


class Pits:
    """The points in time of a source; used by several threads at once."""

    def __init__(
        self, connection: Connection, server: Server, copies: Copies, keep_alive: timedelta
    ) -> None:
        self._connection = connection
        self._opensearch = server.is_opensearch
        self._copies = copies
        self._keep_alive = f"{max(1, int(keep_alive.total_seconds()))}s"
        self._lock = threading.Lock()
        self._opening: defaultdict[_Key, threading.Lock] = defaultdict(threading.Lock)
        self._open: OrderedDict[_Key, PointInTime] = OrderedDict()  # least recently used first

    @contextmanager
    def borrow(self, index: Index, shard: int) -> Iterator[PointInTime]:
        """The point in time of a shard, opened if there is none; it stays open meanwhile."""
        pit = self._take(index, shard)
        try:
            yield pit
        finally:
            with self._lock:
                pit.readers -= 1
                pit.fresh = False
                unwanted = pit.lost and not pit.readers
            if unwanted:
                self._close(pit)

    def lose(self, pit: PointInTime) -> None:
        """Use a borrowed one no more: the next to borrow gets a new one."""
        with self._lock:
            pit.lost = True
            if self._open.get(_key(pit)) is pit:
                del self._open[_key(pit)]

    def close(self) -> None:
        """Let the server forget them all; where it cannot be reached, it does so by itself.

        Who borrows after this gets new ones, that show what has come since.
        """
        with self._lock:
            idle = [pit for pit in self._open.values() if not pit.readers]
            for pit in self._open.values():
                pit.lost = True
            self._open.clear()
        for pit in idle:
            self._close(pit)

    def _take(self, index: Index, shard: int) -> PointInTime:
        key = (index.uuid, shard)
        with self._lock:
            opening = self._opening[key]
        with opening:
            with self._lock:
                pit = self._open.get(key)
                if pit is not None:
                    self._open.move_to_end(key)
                    pit.readers += 1
                    return pit
                crowded = len(self._open) >= MOST_OPEN
            if crowded:
                self._close_least_used()
            pit = self._ask(index, shard)
            with self._lock:
                pit.readers += 1
                self._open[key] = pit
            return pit

    def _ask(self, index: Index, shard: int) -> PointInTime:
        about = f'shard {shard} of the index "{index.name}"'
        wanted = quote(preference(shard, self._copies.to_read(index, shard)), safe="")
        path = "_search/point_in_time" if self._opensearch else "_pit"
        # OpenSearch would open one of no shard at all, too, and read nothing from it.
        whole = "&allow_partial_pit_creation=false" if self._opensearch else ""
        try:
            answer = self._connection.ask(
                "POST",
                f"/{path_of([index.name])}/{path}"
                f"?keep_alive={self._keep_alive}&preference={wanted}{whole}",
                about=f"a point in time of {about}",
                permission="read",
                lighter=self._close_least_used,
            )
            opened = _OPENED.decode(answer)
        except Answered as error:
            if error.no_such_index:
                raise SourceGone(f'the index "{index.name}" was deleted') from error
            self._copies.forget(index)
            raise
        except msgspec.DecodeError as error:
            raise SourceError(f"cannot read the answer about a point in time: {error}") from error
        identifier = opened.pit_id or opened.id
        shards = opened.shards
        if identifier is None or shards.failed or not shards.total == shards.successful == 1:
            raise SourceError(
                f"a point in time of {about} was opened on {shards.successful} shards, not on one",
                "see GET /_cat/shards",
            )
        pit = PointInTime(index, shard, identifier, self._keep_alive)
        try:
            self._check_uuid(index)
        except SourceError:
            self._close(pit)
            raise
        return pit

    def _check_uuid(self, index: Index) -> None:
        """An index of the same name that was made since holds other events."""
        target = f"/{path_of([index.name])}/_settings/index.uuid?flat_settings=true"
        about = f'the uuid of the index "{index.name}"'
        found = self._connection.json(
            dict[str, dict[str, dict[str, str]]], "GET", target, about=about, permission=METADATA
        )
        uuid = found.get(index.name, {}).get("settings", {}).get("index.uuid")
        if uuid != index.uuid:
            raise SourceGone(
                f'the index "{index.name}" with the uuid {index.uuid} was deleted; '
                f"there is another of this name"
            )

    def _close_least_used(self) -> None:
        with self._lock:
            idle = next((pit for pit in self._open.values() if not pit.readers), None)
            if idle is not None:
                del self._open[_key(idle)]
        if idle is not None:
            self._close(idle)

    def _close(self, pit: PointInTime) -> None:
        body = {"pit_id": [pit.id]} if self._opensearch else {"id": pit.id}
        path = "/_search/point_in_time" if self._opensearch else "/_pit"
        # Whatever goes wrong here, the server closes it by itself before long.
        with suppress(SourceError):
            self._connection.ask(
                "DELETE",
                path,
                msgspec.json.encode(body),
                about="a point in time",
                patience=timedelta(0),
            )


def _key(pit: PointInTime) -> _Key:
    return pit.index.uuid, pit.shard
