"""Reads one part: all events of a window in one shard, from one point in time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from kcompliance.archive.elasticsearch.counts import Counts
from kcompliance.archive.elasticsearch.hits import (
    Hits,
    OddDocument,
    Unfinished,
    read_alone,
    read_hits,
)
from kcompliance.archive.elasticsearch.indices import Index
from kcompliance.archive.elasticsearch.pace import Pace, PageSize
from kcompliance.archive.elasticsearch.pit import Pits, PointInTime
from kcompliance.archive.elasticsearch.queries import JsonObject
from kcompliance.archive.interface import (
    CopiesDiffer,
    IndexShard,
    Page,
    PartLost,
    SourceError,
    SourceGone,
)
from kcompliance.ledger import IndexPartition
from kcompliance.search.connection import AnswerTooLarge, Connection
from kcompliance.search.faults import Answered, TryAgain

__all__ = ["Reader"]

TRIES: Final = 3
"""How often copies are counted before they are said to differ."""

_encode = msgspec.json.Encoder().encode
_TARGET: Final = "/_search?allow_partial_search_results=false"


class _ExpiredError(Exception):
    """The point in time was gone before anything was read from it."""


@dataclass(slots=True)
class _Progress:
    """Of one read."""

    query: JsonObject
    expected: int | None = None
    written: int = 0
    highest: int = -1
    after: bytes | None = None


class Reader:
    """Reads parts; used by several threads at once."""

    def __init__(
        self,
        connection: Connection,
        pits: Pits,
        counts: Counts,
        pace: Pace,
        *,
        pause: timedelta,
    ) -> None:
        """`pause` is before the copies of a shard are counted anew."""
        self._connection = connection
        self._pits = pits
        self._counts = counts
        self._pause = pause.total_seconds()
        self._pace = pace

    def read(
        self, index: Index, place: IndexShard, query: JsonObject, write: Callable[[Page], None]
    ) -> IndexPartition:
        """Give each page to `write`, and tell how the events counted out.

        Raises `PartLost`, `SourceGone`, `CopiesDiffer` and other `SourceError`.
        """
        try:
            return self._read(index, place, query, write)
        except _ExpiredError:
            # Kept for a while without being read from: nothing was written, a new one does.
            pass
        try:
            return self._read(index, place, query, write)
        except _ExpiredError as error:
            raise PartLost(f'points in time of "{index.name}" do not stay open') from error

    def _read(
        self, index: Index, place: IndexShard, query: JsonObject, write: Callable[[Page], None]
    ) -> IndexPartition:
        progress = _Progress(query=query, highest=place.after_seq_no)
        with self._pits.borrow(index, place.shard) as pit:
            try:
                self._pages(pit, progress, write)
            except (SourceError, _ExpiredError):
                # Whoever reads the part again is to see the shard as it is then.
                self._pits.lose(pit)
                raise
        expected = progress.expected or 0
        return IndexPartition(
            index=place.index,
            index_uuid=place.index_uuid,
            shard=place.shard,
            expected=expected,
            written=progress.written,
            max_seq_no=progress.highest,
        )

    def _pages(self, pit: PointInTime, progress: _Progress, write: Callable[[Page], None]) -> None:
        size = self._pace.page_size(pit.index.uuid, pit.index.most_hits)
        while progress.expected is None or progress.written < progress.expected:
            page = self._page(pit, progress, size)
            if page.pit_id is not None:
                pit.id = page.pit_id
            if progress.expected is None:
                if page.total is None:
                    raise SourceError("the server did not count what a search found")
                progress.expected = page.total
                self._compare_copies(pit, progress)
            if not page.docs:
                break
            self._pace.docs.wait(page.docs)
            self._pace.bytes.wait(len(page.lines))
            write(Page(lines=page.lines, docs=page.docs))
            size.learn(page.docs, len(page.lines))
            progress.written += page.docs
            progress.highest = max(progress.highest, page.highest)
            progress.after = page.after
            del page  # its memory serves the next one, which new memory would cost more
        if progress.written != progress.expected:
            raise PartLost(
                f"{_about(pit)} gave {progress.written} events where it had counted "
                f"{progress.expected}"
            )

    def _page(self, pit: PointInTime, progress: _Progress, size: PageSize) -> Hits:
        """The next page; smaller ones until it can be sent and read."""
        about = f"events of {_about(pit)}"
        while True:
            asked = 0

            def body() -> bytes:
                nonlocal asked
                left = size.now if progress.expected is None else _left(progress)
                asked = min(size.now, left)
                return _request(pit, progress, asked)

            try:
                answer = self._connection.ask(
                    "POST", _TARGET, body, about=about, lighter=size.smaller
                )
                return read_hits(answer)
            except (AnswerTooLarge, OddDocument) as error:
                if asked > 1:
                    size.smaller()
                elif isinstance(error, OddDocument):
                    return read_alone(answer)
                else:
                    raise SourceError(f"one of the {about} is too large to be read") from error
            except Unfinished as error:
                if error.lost:
                    raise _lost(pit, progress) from error
                raise SourceError(f"{about} could not be read whole: {error}") from error
            except Answered as error:
                if error.no_such_index:
                    gone = f'the index "{pit.index.name}" was deleted while it was read'
                    raise SourceGone(gone) from error
                if error.lost_context:
                    raise _lost(pit, progress) from error
                raise
            except TryAgain as error:
                # Perhaps the one node that knows this point in time is gone for good.
                raise PartLost(error.message, error.hint) from error

    def _compare_copies(self, pit: PointInTime, progress: _Progress) -> None:
        """CopiesDiffer where the copies of the shard count differently, time and again."""
        for number in range(TRIES):
            counted = self._counts.on_copies(pit.index, pit.shard, progress.query)
            found = set(counted.values())
            if found <= {progress.expected}:
                return
            if len(found) == 1:
                raise PartLost(f"events came or went in {_about(pit)} since it was opened")
            if number < TRIES - 1:
                time.sleep(self._pause)
        told = ", ".join(f"{count} on node {node}" for node, count in sorted(counted.items()))
        raise CopiesDiffer(
            f"the copies of {_about(pit)} hold different numbers of events: {told}",
            "see whether a replica is still being built; --copy primary lets the primary decide",
        )


def _request(pit: PointInTime, progress: _Progress, size: int) -> bytes:
    body: JsonObject = {
        "size": size,
        "query": progress.query,
        "pit": {"id": pit.id, "keep_alive": pit.keep_alive},
        "sort": [{"_doc": "asc"}],
        "version": True,
        "seq_no_primary_term": True,
        "track_total_hits": progress.expected is None,
    }
    if progress.after is not None:
        body["search_after"] = msgspec.Raw(progress.after)
    return _encode(body)


def _left(progress: _Progress) -> int:
    return (progress.expected or 0) - progress.written


def _lost(pit: PointInTime, progress: _Progress) -> Exception:
    if progress.expected is None and not pit.fresh:
        return _ExpiredError()
    return PartLost(f"the point in time of {_about(pit)} is gone", "read the part again")


def _about(pit: PointInTime) -> str:
    return f'shard {pit.shard} of the index "{pit.index.name}"'
