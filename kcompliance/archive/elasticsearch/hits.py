"""From an answer of the server to archived lines, with the bytes of each `_source` as they are.

A server keeps a document as it was sent, and takes more than JSON: comments, a byte order mark,
half a surrogate pair. Such a document makes the whole answer unreadable to a strict parser, and a
comment at its end hides where it ends. Nobody may keep a window from being archived in this way,
nor smuggle in events: the answer is asked for again, with fewer events, until the odd one is alone
in it. Then both of its ends are known.
"""

import json
import re
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw

from kcompliance.archive.interface import SourceError
from kcompliance.search.faults import CONTEXT_MISSING

__all__ = ["Hits", "OddDocument", "Unfinished", "as_archived", "read_alone", "read_hits"]

_NONE: Final = Raw()


class _Hit(
    msgspec.Struct,
    rename={
        "index": "_index",
        "id": "_id",
        "routing": "_routing",
        "seq_no": "_seq_no",
        "primary_term": "_primary_term",
        "version": "_version",
        "source": "_source",
    },
    omit_defaults=True,
    gc=False,
    kw_only=True,
):
    """A line of the archive, in this order; `sort` is taken out before it is written."""

    index: Raw
    id: Raw
    routing: Raw = _NONE
    seq_no: int
    primary_term: int  # integers cost less than views of them
    version: int
    source: Raw
    sort: Raw = _NONE


class _Total(msgspec.Struct):
    value: int
    relation: str


class _HitList(msgspec.Struct):
    hits: list[_Hit]
    total: _Total | None = None


class _Failure(msgspec.Struct):
    reason: dict[str, object] = {}


class _Shards(msgspec.Struct):
    total: int
    successful: int
    failed: int
    failures: list[_Failure] = []


class _Answer(msgspec.Struct, rename={"shards": "_shards"}):
    timed_out: bool
    shards: _Shards
    hits: _HitList
    pit_id: str | None = None


_decoder = msgspec.json.Decoder(_Answer)
_encoder = msgspec.json.Encoder()
_seq_no = attrgetter("seq_no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page, and what the next request needs."""

    lines: bytes
    docs: int
    highest: int
    """`_seq_no`; -1 on an empty page."""
    after: bytes | None
    """JSON: where the page ends; None for an empty one."""
    total: int | None
    pit_id: str | None


class OddDocument(Exception):
    """A document of the page is not quite JSON."""


class Unfinished(Exception):
    """The server looked at less than the shard."""

    def __init__(self, reason: str, *, lost: bool) -> None:
        super().__init__(reason)
        self.lost = lost
        """The point in time is gone."""


def read_hits(answer: memoryview) -> Hits:
    """The page that an answer holds; raises `OddDocument`, `Unfinished`, `SourceError`."""
    try:
        found = _decoder.decode(answer)
    except msgspec.ValidationError as error:
        raise _not_a_page(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise OddDocument from error
    buffer = answer.obj
    if isinstance(buffer, bytes | bytearray) and buffer.find(b"\n", 0, len(answer)) >= 0:
        for hit in found.hits.hits:
            hit.source = Raw(bytes(hit.source).replace(b"\n", b""))
    return _page(found)


def read_alone(answer: memoryview) -> Hits:
    """The page of an answer to a request for one event, whose document is not quite JSON."""
    text = bytes(answer)
    head, key, rest = text.partition(b'"_source":')
    tail = _TAIL.search(rest)
    if not key or tail is None:
        raise SourceError("an answer of the server cannot be read: it is not JSON")
    try:
        found = _decoder.decode(head + key + b"null" + tail[0])
    except msgspec.DecodeError as error:
        raise SourceError(f"an answer of the server cannot be read: {error}") from error
    if len(found.hits.hits) != 1:
        raise SourceError("an answer of the server cannot be read: it holds more than was asked")
    source = _without_comments(rest[: tail.start()])
    hit = found.hits.hits[0]
    if not _is_json(source):
        name = bytes(hit.id).decode(errors="replace")[:200]
        raise SourceError(f"the document {name} of the index is not JSON: it cannot be archived")
    hit.source = Raw(source)
    return _page(found)


def as_archived(source: bytes) -> bytes:
    """A `_source` as it stands in a line: without line feeds between its tokens.

    In what is no JSON but is taken by servers, also without comments and byte order mark.
    """
    try:
        msgspec.json.decode(source, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        return _without_comments(source)
    return source.replace(b"\n", b"")


def _page(found: _Answer) -> Hits:
    _check_whole(found)
    hits = found.hits.hits
    after = bytes(hits[-1].sort) if hits else None
    if after == b"":
        raise _not_a_page("a hit has no sort values")
    for hit in hits:
        hit.sort = _NONE
    total = found.hits.total
    if total is not None and total.relation != "eq":
        raise _not_a_page("the hits were counted in part")
    return Hits(
        lines=_encoder.encode_lines(hits),
        docs=len(hits),
        highest=max(map(_seq_no, hits), default=-1),
        after=after,
        total=None if total is None else total.value,
        pit_id=found.pit_id,
    )


def _check_whole(found: _Answer) -> None:
    shards = found.shards
    if found.timed_out:
        raise Unfinished("the search timed out on the server", lost=False)
    if shards.failed or not shards.total == shards.successful == 1:
        kinds = {failure.reason.get("type") for failure in shards.failures}
        # OpenSearch answers a point in time that it does not know with success, on no shard.
        lost = CONTEXT_MISSING in kinds or shards.total == 0
        told = ", ".join(sorted(str(kind)[:100] for kind in kinds))
        raise Unfinished(
            f"{shards.successful} of {shards.total} shards answered" + (f": {told}" * bool(told)),
            lost=lost,
        )


def _not_a_page(reason: str) -> SourceError:
    if "`_source`" in reason:
        return SourceError(
            "the index does not keep the `_source` of its documents",
            "such an index cannot be archived: leave it out of the pattern",
        )
    return SourceError(f"an answer of the server is not a page of events: {reason}")


# --- documents that are not quite JSON -----------------------------------------------------------

_TAIL: Final = re.compile(rb',"sort":\[[-+.0-9eE, ]*\]\}\]\}\}\s*\Z')
_STRING_OR_COMMENT: Final = re.compile(
    rb'("[^"\\]*(?:\\.[^"\\]*)*")|//[^\r\n]*|/\*.*?\*/', re.DOTALL
)


def _without_comments(source: bytes) -> bytes:
    bare = source.removeprefix(b"\xef\xbb\xbf")
    return _STRING_OR_COMMENT.sub(lambda found: found[1] or b"", bare).replace(b"\n", b"")


def _is_json(source: bytes) -> bool:
    try:
        json.loads(source.decode(errors="replace"))
    except RecursionError:
        return True  # deeper than Python goes: it was checked by the server
    except ValueError:
        return False
    return True
