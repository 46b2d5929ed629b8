"""From an answer of the server to lines: every byte of a document counts."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from kcompliance.archive.elasticsearch.hits import (
    Hits,
    OddDocument,
    Unfinished,
    as_archived,
    read_alone,
    read_hits,
)
from kcompliance.archive.interface import SourceError


def hit(
    source: bytes, *, number: int = 0, name: bytes = b'"a"', extra: bytes = b"", end: bytes = b""
) -> bytes:
    """As servers write it: the metadata in their order, the score and the sort values, too."""
    return (
        b'{"_index":"audit","_id":%s,"_version":3,"_seq_no":%d,"_primary_term":2%s,'
        b'"_score":null,"_source":%s%s,"sort":[%d,4294967296]}'
        % (name, 100 + number, extra, source, end, number)
    )


def answer(hits: Sequence[bytes], *, total: int | None = None, shards: bytes = b"") -> memoryview:
    counted = b'"total":{"value":%d,"relation":"eq"},' % total if total is not None else b""
    shards = shards or b'{"total":1,"successful":1,"skipped":0,"failed":0}'
    return memoryview(
        bytearray(
            b'{"pit_id":"p2","took":1,"timed_out":false,"_shards":%s,"hits":{%s"max_score":null,'
            b'"hits":[%s]}}' % (shards, counted, b",".join(hits))
        )
    )


def lines(page: Hits) -> list[bytes]:
    assert page.lines.endswith(b"\n")
    return page.lines[:-1].split(b"\n")


SOURCES = [
    pytest.param(b'{"n":123456789012345678901234567890,"e":1e5,"f":1.50,"m":-0}', id="numbers"),
    pytest.param(b'{"a":1,"a":2,"a":{"a":1}}', id="duplicate-keys"),
    pytest.param('{"a":"ü\u2028😀"}'.encode(), id="unicode"),
    pytest.param(rb'{"a":"\u00fc\ud83d\ude00\/\b\"\\"}', id="escapes"),
    pytest.param(b'{ "a" :\t[ 1 , 2 ] }', id="spaces"),
    pytest.param(b'{"a":"\xc3\x28\xff"}', id="bytes-that-are-no-utf-8"),
    pytest.param(b'{"_index":"x","sort":[1],"_source":{"_id":"y"}}', id="names-of-metadata"),
    pytest.param(b"{}", id="empty"),
]


@pytest.mark.parametrize("source", SOURCES)
def test_a_document_keeps_its_bytes(source: bytes) -> None:
    page = read_hits(answer([hit(source)]))
    assert lines(page) == [
        b'{"_index":"audit","_id":"a","_seq_no":100,"_primary_term":2,"_version":3,"_source":'
        + source
        + b"}"
    ]


def test_a_page_says_what_the_next_request_needs() -> None:
    page = read_hits(answer([hit(b"{}", number=n) for n in (7, 9, 8)], total=12))
    assert (page.docs, page.highest, page.total, page.pit_id) == (3, 109, 12, "p2")
    assert page.after == b"[8,4294967296]"


def test_an_empty_page_says_so() -> None:
    page = read_hits(answer([], total=0))
    assert (page.lines, page.docs, page.highest, page.after, page.total) == (b"", 0, -1, None, 0)


def test_a_routing_is_kept_and_what_differs_from_read_to_read_is_not() -> None:
    extra = b',"_routing":"r\\u00fc","_ignored":["x"]'
    (line,) = lines(read_hits(answer([hit(b"{}", extra=extra)])))
    assert [*json.loads(line)] == [
        "_index",
        "_id",
        "_routing",
        "_seq_no",
        "_primary_term",
        "_version",
        "_source",
    ]
    assert b'"_routing":"r\\u00fc",' in line


def test_line_feeds_between_tokens_are_taken_out_and_nothing_else() -> None:
    pretty = b'{\n  "a": [\r\n\n1, "\\n"]\n}\n'
    page = read_hits(answer([hit(b'{"b": 1}'), hit(pretty, number=1)]))
    assert page.docs == 2
    one, other = lines(page)
    assert one.endswith(b'"_source":{"b": 1}}')
    assert other.endswith(b'"_source":{  "a": [\r1, "\\n"]}}')
    assert as_archived(pretty) == b'{  "a": [\r1, "\\n"]}'


def test_views_of_the_buffer_do_not_outlive_it() -> None:
    view = answer([hit(b'{"a":1}')])
    page = read_hits(view)
    before = (page.lines, page.after)
    view[:] = b"x" * len(view)
    assert (page.lines, page.after) == before


# --- what is no whole answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shards", "lost"),
    [
        pytest.param(b'{"total":0,"successful":0,"failed":0}', True, id="no-shard"),
        pytest.param(b'{"total":2,"successful":2,"failed":0}', False, id="two-shards"),
        pytest.param(b'{"total":1,"successful":0,"failed":1}', False, id="failed"),
        pytest.param(
            b'{"total":1,"successful":0,"failed":1,"failures":[{"shard":0,"reason":'
            b'{"type":"search_context_missing_exception","reason":"x"}}]}',
            True,
            id="context-gone",
        ),
    ],
)
def test_less_than_the_shard_is_no_page(shards: bytes, lost: bool) -> None:
    with pytest.raises(Unfinished) as unfinished:
        read_hits(answer([], total=0, shards=shards))
    assert unfinished.value.lost is lost


def test_a_search_that_timed_out_is_no_page() -> None:
    view = bytes(answer([hit(b"{}")])).replace(b'"timed_out":false', b'"timed_out":true')
    with pytest.raises(Unfinished, match="timed out"):
        read_hits(memoryview(bytearray(view)))


def test_hits_that_were_counted_in_part_are_no_count() -> None:
    view = bytes(answer([hit(b"{}")], total=9)).replace(b'"eq"', b'"gte"')
    with pytest.raises(SourceError, match="counted in part"):
        read_hits(memoryview(bytearray(view)))


def test_an_index_without_sources_is_told() -> None:
    view = bytes(answer([hit(b"1")])).replace(b'"_source":1,', b"")
    with pytest.raises(SourceError, match="does not keep the `_source`"):
        read_hits(memoryview(bytearray(view)))


@pytest.mark.parametrize("text", [b"", b"<html>", b'{"took":1', b"[]", b"null"], ids=repr)
def test_what_is_no_answer_is_told(text: bytes) -> None:
    view = memoryview(bytearray(text))
    with pytest.raises((OddDocument, SourceError)):
        read_hits(view)
    with pytest.raises(SourceError, match="cannot be read"):
        read_alone(view)


# --- documents that servers take and that are no JSON --------------------------------------------

ODD = [
    pytest.param(b'{"a":1/*c*/}', b'{"a":1}', id="comment"),
    pytest.param(b'{"a":1} // the end', b'{"a":1} ', id="comment-at-the-end"),
    pytest.param(
        b'{"a":1} // },"sort":[9]},{"_index":"forged","_id":"f","_source":{}',
        b'{"a":1} ',
        id="comment-that-looks-like-hits",
    ),
    pytest.param(b'{"a": // x\n1}', b'{"a": 1}', id="comment-to-the-end-of-a-line"),
    pytest.param(
        b'{"a":"// no /* comment","b":2}/**/', b'{"a":"// no /* comment","b":2}', id="in-a-string"
    ),
    pytest.param(b'\xef\xbb\xbf{"a":1}', b'{"a":1}', id="byte-order-mark"),
    pytest.param(rb'{"a":"\ud800 x"}', rb'{"a":"\ud800 x"}', id="half-a-pair"),
    pytest.param(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", None, id="deep"),
]


@pytest.mark.parametrize(("sent", "kept"), ODD)
def test_an_odd_document_is_read_when_it_is_alone(sent: bytes, kept: bytes | None) -> None:
    page = [hit(b"{}"), hit(sent, number=1), hit(b"{}", number=2)]
    with pytest.raises(OddDocument):
        read_hits(answer(page))

    alone = read_alone(answer([page[1]], total=3))

    expected = sent if kept is None else kept
    assert (alone.docs, alone.total, alone.highest) == (1, 3, 101)
    assert alone.after == b"[1,4294967296]"
    assert lines(alone) == [
        b'{"_index":"audit","_id":"a","_seq_no":101,"_primary_term":2,"_version":3,"_source":'
        + expected
        + b"}"
    ]
    assert as_archived(sent) == expected


def test_a_document_name_cannot_pass_for_its_source() -> None:
    name = rb'"\"_source\":{}"'
    alone = read_alone(answer([hit(b'{"a":1/**/}', name=name)]))
    assert json.loads(alone.lines)["_id"] == '"_source":{}'
    assert json.loads(alone.lines)["_source"] == {"a": 1}


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(answer([hit(b"{}"), hit(b"{/**/}")]), id="two-hits"),
        pytest.param(answer([hit(b'{"a":1}}')]), id="no-json-at-all"),
        pytest.param(answer([hit(b'{"a":1/*c}')]), id="comment-without-end"),
    ],
)
def test_what_cannot_be_told_apart_is_never_written(answered: memoryview) -> None:
    with pytest.raises(SourceError):
        read_alone(answered)


def test_a_line_is_json_of_what_was_sent() -> None:
    event: dict[str, Any] = {"auditID": "x", "user": {"groups": ["a", "b"]}, "n": 1.5}
    source = json.dumps(event, indent=2).encode()
    (line,) = lines(read_hits(answer([hit(source)])))
    assert json.loads(line)["_source"] == event
