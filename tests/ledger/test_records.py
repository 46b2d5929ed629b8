"""Records: every type there and back, and nothing that breaks a schema (attacks 22 and 37)."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid1

import pytest

from kcompliance.ledger import (
    Fault,
    FileShare,
    FindingCode,
    IndexShare,
    Record,
    UnsupportedRecord,
    WindowStatus,
    canonical_bytes,
    decode_record,
    encode_record,
    metadata_name,
    segment_name,
)
from kcompliance.model.digest import sha256
from tests.ledger.samples import (
    EVERY_RECORD,
    HOUR,
    JULY,
    STREAM,
    abandoned,
    commit,
    file_stream,
    file_window,
    genesis,
    metadata,
    segment,
    stream,
    window,
)
from tests.ledger.test_names import UNSAFE

MALFORMED, UNSAFE_PATH = FindingCode.LEAF_MALFORMED, FindingCode.UNSAFE_PATH


def as_json(record: Record) -> dict[str, Any]:
    value = json.loads(encode_record(record))
    assert isinstance(value, dict)
    return value


def code(value: dict[str, Any]) -> FindingCode | None:
    decoded = decode_record(canonical_bytes(value))
    return decoded.code if isinstance(decoded, Fault) else None


@pytest.mark.parametrize("name", EVERY_RECORD)
def test_every_record_reads_back_as_it_was_written(name: str) -> None:
    record = EVERY_RECORD[name]
    assert decode_record(encode_record(record)) == record


def test_the_fields_of_a_window_are_those_of_the_format() -> None:
    assert as_json(window()) == {
        "type": "window",
        "v": 1,
        "stream": "prod/k8s-audit",
        "from": "2026-07-01T00:00:00Z",
        "to": "2026-07-01T01:00:00Z",
        "rev": 0,
        "status": "sealed",
        "docs": 5,
        "segments": [sha256(b"0 0")],
        "partitions": [
            {
                "index": "audit-000001",
                "index_uuid": "f3Kz",
                "shard": 0,
                "expected": 5,
                "written": 5,
                "max_seq_no": 9912,
            }
        ],
    }


def test_the_fields_of_a_commit_are_those_of_the_format() -> None:
    assert as_json(commit(7, sha256(b"cp"))) == {
        "type": "commit",
        "v": 1,
        "n": 7,
        "prev": sha256(b"cp"),
        "time": "2026-07-01T07:00:00Z",
        "clock": {"source": "chrony", "offset_ms": -3},
        "run": {
            "id": "0190d2a4-0000-7000-8000-000000000001",
            "size": 312,
            "sha256": sha256(b"run"),
        },
        "actor": "system:serviceaccount:audit:archiver",
    }


OTHERS: tuple[object, ...] = (True, -(2**53) + 1, "", {}, [[]])


@pytest.mark.parametrize("name", EVERY_RECORD)
def test_no_field_may_be_added_taken_away_or_of_another_type(name: str) -> None:
    value = as_json(EVERY_RECORD[name])
    assert code(value | {"extra": 1}) is MALFORMED
    for field in value:
        assert code({key: part for key, part in value.items() if key != field}) is MALFORMED
        for other in OTHERS:
            if field != "filter" or other != {}:
                assert code(value | {field: other}) is MALFORMED, (field, other)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "hold", "v": 1, "whatever": [1]},
        {"type": "prune", "v": 1},
        {"type": "segment", "v": 2},
        {"type": "key", "v": 7, "action": "dance"},
        {"type": "something new", "v": 1},
    ],
)
def test_records_of_a_later_version_are_told_apart(value: dict[str, Any]) -> None:
    decoded = decode_record(canonical_bytes(value))
    assert decoded == UnsupportedRecord(type=value["type"], version=value["v"])
    assert isinstance(decoded, UnsupportedRecord)
    assert decoded.fault.code is FindingCode.UNSUPPORTED_RECORD


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"type": "segment"},
        {"v": 1},
        {"type": None, "v": 1},
        {"type": "", "v": 1},
        {"type": ["segment"], "v": 1},
        {"type": "segment", "v": 0},
        {"type": "segment", "v": True},
        {"type": "segment", "v": "1"},
        {"type": "key", "v": 1, "action": "dance"},
    ],
)
def test_a_record_without_a_type_or_version_is_malformed(head: dict[str, Any]) -> None:
    assert code(head) is MALFORMED


# --- what fields must not say together ------------------------------------------------------------

_PART = window().partitions[0]
_FILE_PART = file_window(0, 100).partitions[0]
CONTRADICTIONS: dict[str, Record] = {
    "an archive id of version 1": replace(genesis(), archive_id=uuid1()),
    "no keys at first": replace(genesis(), keys=()),
    "something before the first commit": commit(0, sha256(b"cp")),
    "a commit number of 13 digits": replace(commit(1, sha256(b"cp")), n=10**12),
    "to before from": replace(window(), end=JULY - HOUR),
    "to equal to from": replace(window(), end=JULY),
    "from without to": replace(window(), end=None),
    "to without from": replace(window(), start=None),
    "fewer written than expected": replace(
        window(), docs=4, partitions=(replace(_PART, written=4),)
    ),
    "more docs than partitions": replace(window(), docs=6),
    "sealed without docs": replace(window(docs=0), status=WindowStatus.SEALED),
    "sealed without segments": replace(window(), segments=()),
    "empty with docs": replace(window(), status=WindowStatus.EMPTY),
    "empty with a segment": replace(window(docs=0), segments=(sha256(b""),)),
    "source missing with docs": replace(window(), status=WindowStatus.SOURCE_MISSING),
    "a segment twice": replace(window(), segments=(sha256(b""),) * 2),
    "a partition twice": replace(window(), docs=10, partitions=(_PART,) * 2),
    "partitions of two kinds": replace(window(), docs=7, partitions=(_PART, _FILE_PART)),
    "a range of no bytes": file_window(5, 5),
    "a range backwards": file_window(5, 4),
    "a later revision of a file": replace(file_window(0, 5), rev=1),
    "a file stream with a window length": replace(file_stream(), window_seconds=3600),
    "an index stream without one": replace(stream(), window_seconds=None),
    "no patterns": replace(stream(), source=replace(stream().source, patterns=())),
    "frames that are not the size": replace(segment(), frames=((1, 200),)),
    "frames that are not the content": replace(segment(), frames=((10, 1),)),
    "no frames": replace(segment(), frames=()),
    "a frame of nothing": replace(segment(), frames=((10, 200), (0, 0))),
    "docs that are not the shares": replace(segment(), docs=6),
    "no docs": segment(docs=0),
    "shares of two kinds": replace(
        segment(),
        docs=6,
        source=replace(
            segment().source,
            shares=(
                *segment().source.shares,
                FileShare(file=sha256(b""), start=0, end=1, docs=1),
            ),
        ),
    ),
    "the last event before the first": replace(segment(), last_event=JULY),
    "a last event without a first": replace(segment(), first_event=None),
    "a shard below zero": replace(
        segment(),
        source=replace(
            segment().source, shares=(IndexShare(index="a", index_uuid="b", shard=-1, docs=5),)
        ),
    ),
    "no abandoned objects": replace(abandoned(), objects=()),
    "an abandoned object twice": replace(abandoned(), objects=abandoned().objects[:1] * 2),
    "a time without a zone": replace(genesis(), created=datetime(2026, 7, 1)),
    "an empty text": replace(genesis(), tool=""),
    "a float in the filter": replace(stream(), filter={"boost": 1.5}),
    "a tuple in the filter": replace(stream(), filter={"terms": ("a", "b")}),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions_are_never_written(case: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a record|no time zone"):
        encode_record(CONTRADICTIONS[case])


READ_CONTRADICTIONS: dict[str, tuple[Record, dict[str, Any]]] = {
    "to before from": (window(), {"to": "2026-06-30T00:00:00Z"}),
    "from alone": (window(), {"to": None}),
    "more docs": (window(), {"docs": 6}),
    "empty": (window(), {"status": "empty"}),
    "another codec": (segment(), {"codec": "gzip"}),
    "another format": (genesis(), {"format": 2}),
    "a true format": (genesis(), {"format": True}),
    "a frame of three": (segment(), {"frames": [[10, 200, 1]]}),
    "a time in another zone": (window(), {"from": "2026-07-01T00:00:00+00:00"}),
    "a time with spare digits": (window(), {"from": "2026-07-01T00:00:00.000000Z"}),
    "a digest in upper case": (metadata(), {"content_sha256": "A" * 64}),
    "a foreign vkey": (genesis(), {"keys": ["nonsense"]}),
    "a stream of one part": (window(), {"stream": "prod"}),
    "a stream that is a device": (window(), {"stream": "con/nul"}),
    "a sequence number below -1": (
        window(),
        {"partitions": [as_json(window())["partitions"][0] | {"max_seq_no": -2}]},
    ),
}


@pytest.mark.parametrize("case", READ_CONTRADICTIONS)
def test_contradictions_are_malformed(case: str) -> None:
    record, change = READ_CONTRADICTIONS[case]
    assert code(as_json(record)) is None
    assert code(as_json(record) | change) is MALFORMED


def test_a_fault_says_where() -> None:
    value = as_json(window())
    value["partitions"][0]["shard"] = "0"
    fault = decode_record(canonical_bytes(value))
    assert isinstance(fault, Fault)
    assert fault.detail == "partitions.0.shard: not an integer from 0 to 9007199254740991"


def test_a_time_is_written_in_utc() -> None:
    zone = timezone(timedelta(hours=2))
    assert as_json(replace(genesis(), created=JULY.astimezone(zone)))["created"].endswith(":00Z")


def test_numbers_of_an_empty_shard_are_taken() -> None:
    record = replace(window(docs=0), partitions=(replace(_PART, expected=0, written=0),))
    for number in (-1, None):
        value = as_json(record)
        value["partitions"][0]["max_seq_no"] = number
        assert code(value) is None


def test_the_smallest_and_the_largest_values_are_taken() -> None:
    share = IndexShare(index="a", index_uuid="b", shard=0, docs=1)
    for record in (
        replace(commit(1, sha256(b"cp")), n=10**12 - 1),
        commit(1, None),
        replace(stream(), window_seconds=1),
        window(docs=1),
        file_window(0, 1, docs=1),
        replace(
            segment(docs=1),
            size=1,
            content_size=1,
            frames=((1, 1),),
            first_event=JULY,
            last_event=JULY,
            source=replace(segment().source, shares=(share,)),
        ),
        replace(window(), rev=2**53 - 1),
    ):
        assert decode_record(encode_record(record)) == record


# --- attack 22: names that lead elsewhere, in records that are otherwise good ---------------------

NOT_ITS_NAME = {
    "another segment": segment_name(STREAM, JULY, sha256(b"other")),
    "another hour": segment_name(STREAM, JULY + HOUR, segment().sha256),
    "no hour": segment_name(STREAM, None, segment().sha256),
    "another kind": metadata_name(segment().sha256),
    "a name of no archive": "seg/x",
    "a checkpoint": "cp/000000000000.ckpt",
}


# An empty text and half a character are malformed before they are a path.
@pytest.mark.parametrize("case", sorted(UNSAFE.keys() - {"nothing", "half a character"}))
def test_attack_22_unsafe_paths_in_records(case: str) -> None:
    key = UNSAFE[case]
    for record in (segment(), metadata()):
        assert code(as_json(record) | {"key": key}) is UNSAFE_PATH
    value = as_json(abandoned())
    value["objects"][1]["key"] = key
    assert code(value) is UNSAFE_PATH


@pytest.mark.parametrize("case", NOT_ITS_NAME)
def test_attack_22_safe_paths_that_are_not_the_objects_name(case: str) -> None:
    for record in (segment(), metadata()):
        assert code(as_json(record) | {"key": NOT_ITS_NAME[case]}) is UNSAFE_PATH


@pytest.mark.parametrize(
    "key",
    [
        "cp/000000000000.ckpt",
        "anchor/000000000000.tsr",
        "seg/x",
        segment_name(STREAM, JULY, sha256(b"")).replace("prod/", "test/"),
    ],
)
def test_attack_22_only_what_a_run_of_the_stream_leaves_can_be_abandoned(key: str) -> None:
    value = as_json(abandoned())
    value["objects"][0]["key"] = key
    assert code(value) is UNSAFE_PATH
