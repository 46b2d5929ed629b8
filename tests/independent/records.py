"""The records of format 1: which fields each type has, and what they must not say."""

import re
from collections.abc import Callable
from typing import Any

from tests.independent.notes import Vkey
from tests.independent.words import HEX, MOST, UUID, Bad, kind_of, moment, parse, stream_name

__all__ = ["Unsupported", "read_record"]

Check = Callable[[Any], object]


class Unsupported(Exception):
    """A record that a later version of the format defines."""


def read_record(leaf: bytes) -> dict[str, Any]:
    """The record of a leaf."""
    record = parse(leaf)
    type_, version = record.get("type"), record.get("v")
    _text(type_)
    _count(version)
    if version == 0:
        raise Bad("version 0")
    if type_ not in _TYPES or version != 1:
        raise Unsupported(f"{type_} {version}")
    fields = dict(_TYPES[type_])
    if type_ == "key":
        fields |= _REVOKE if record.get("action") == "revoke" else _ROTATE
    _fields(record, fields)
    if type_ in _RULES:
        _RULES[type_](record)
    return record


def _fields(value: Any, fields: dict[str, Check]) -> None:
    if not isinstance(value, dict) or value.keys() != fields.keys():
        raise Bad(f"not exactly {', '.join(sorted(fields))}")
    for name, check in fields.items():
        check(value[name])


def _require(fits: bool, what: str) -> None:
    if not fits:
        raise Bad(what)


# --- values -----------------------------------------------------------------------------------


def _text(value: Any) -> None:
    _require(isinstance(value, str) and value != "", "no text")


def _whole(least: int, most: int = MOST) -> Check:
    def check(value: Any) -> None:
        _require(type(value) is int and least <= value <= most, f"no number from {least} on")

    return check


def _sha256(value: Any) -> None:
    _require(isinstance(value, str) and HEX.fullmatch(value) is not None, "no SHA-256")


def _uuid(value: Any) -> None:
    _require(isinstance(value, str) and UUID.fullmatch(value) is not None, "no UUID")


def _vkey(value: Any) -> None:
    _text(value)
    Vkey(value)


def _period(value: Any) -> None:
    found = re.fullmatch("([1-9][0-9]{0,4})([yd])", value) if isinstance(value, str) else None
    _require(
        found is not None and int(found[1]) <= (100 if found[2] == "y" else 36525), "no period"
    )


def _object(value: Any) -> None:
    _require(isinstance(value, dict), "no object")


def _is(*values: str | int) -> Check:
    def check(value: Any) -> None:
        fits = any(value == each and type(value) is type(each) for each in values)
        _require(fits, f"not {' or '.join(map(str, values))}")

    return check


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _list(check: Check) -> Check:
    def check_all(value: Any) -> None:
        _require(isinstance(value, list), "no list")
        for each in value:
            check(each)

    return check_all


def _one(fields: dict[str, Check]) -> Check:
    return lambda value: _fields(value, fields)


def _of_file_or_index(of_file: dict[str, Check], of_index: dict[str, Check]) -> Check:
    def check(value: Any) -> None:
        _object(value)
        _fields(value, of_file if "file" in value else of_index)

    return check


def _frame(value: Any) -> None:
    _list(_whole(1))(value)
    _require(len(value) == 2, "no pair")


# --- types ------------------------------------------------------------------------------------

_count = _whole(0)
_time = _or_null(moment)
_V = {"v": _is(1)}
_BOUNDS = {"from": _time, "to": _time}
_KEPT = {"key": _text, "size": _count, "sha256": _sha256}
_CONTENT = {
    "codec": _is("zstd"),
    "version_id": _or_null(_text),
    "content_size": _count,
    "content_sha256": _sha256,
    "retain_until": _time,
    "tool": _text,
    "run": _uuid,
}
_INDEX = {"index": _text, "index_uuid": _text, "shard": _count}
_FILE = {"file": _sha256, "start": _count, "end": _count}
_PARTITION = _of_file_or_index(
    {**_FILE, "name": _text, "expected": _count, "written": _count},
    {**_INDEX, "expected": _count, "written": _count, "max_seq_no": _or_null(_whole(-1))},
)
_SHARE = _of_file_or_index({**_FILE, "docs": _whole(1)}, {**_INDEX, "docs": _whole(1)})
_ROTATE: dict[str, Check] = {
    "action": _is("rotate"),
    "vkey": _vkey,
    "replaces": _or_null(_vkey),
    "time": moment,
}
_REVOKE: dict[str, Check] = {
    "action": _is("revoke"),
    "vkey": _vkey,
    "compromised": _time,
    "reason": _text,
    "time": moment,
}

_TYPES: dict[str, dict[str, Check]] = {
    "genesis": {
        "archive_id": _uuid,
        "created": moment,
        "format": _is(1),
        "keys": _list(_vkey),
        "tool": _text,
    },
    "commit": {
        "n": _whole(0, 10**12 - 1),
        "prev": _or_null(_sha256),
        "time": moment,
        "clock": _or_null(_one({"source": _text, "offset_ms": _or_null(_whole(-MOST))})),
        "run": _one({"id": _uuid, "size": _count, "sha256": _sha256}),
        "actor": _text,
    },
    "stream": {
        "stream": stream_name,
        "source": _one(
            {
                "kind": _is("elasticsearch", "opensearch", "files"),
                "cluster_uuid": _or_null(_text),
                "patterns": _list(_text),
            }
        ),
        "time_field": _or_null(_text),
        "filter": _or_null(_object),
        "window_seconds": _or_null(_whole(1)),
    },
    "window": {
        "stream": stream_name,
        **_BOUNDS,
        "rev": _count,
        "status": _is("sealed", "empty", "source-missing"),
        "docs": _count,
        "segments": _list(_sha256),
        "partitions": _list(_PARTITION),
    },
    "segment": {
        "stream": stream_name,
        **_BOUNDS,
        "time_field": _or_null(_text),
        **_KEPT,
        **_CONTENT,
        "frames": _list(_frame),
        "docs": _whole(1),
        "events_root": _sha256,
        "first_event": _time,
        "last_event": _time,
        "source": _one(
            {
                "cluster_uuid": _or_null(_text),
                "query_sha256": _or_null(_sha256),
                "shares": _list(_SHARE),
            }
        ),
    },
    "metadata": {"stream": stream_name, **_KEPT, **_CONTENT},
    "abandoned": {"stream": stream_name, "run": _uuid, "objects": _list(_one(_KEPT))},
    "key": {},
    "retention": {
        "stream": _or_null(stream_name),
        "retain": _period,
        "mode": _is("none", "governance", "compliance"),
        "time": moment,
    },
}
_TYPES = {type_: {"type": _is(type_), **_V, **fields} for type_, fields in _TYPES.items()}


# --- what fields must not say of each other -----------------------------------------------------


def _genesis(record: dict[str, Any]) -> None:
    _require(record["archive_id"][14] == "4" and record["archive_id"][19] in "89ab", "no UUID v4")
    _require(bool(record["keys"]), "no keys")


def _commit(record: dict[str, Any]) -> None:
    _require(record["n"] > 0 or record["prev"] is None, "something before commit 0")


def _stream(record: dict[str, Any]) -> None:
    _require(bool(record["source"]["patterns"]), "no patterns")
    of_files = record["source"]["kind"] == "files"
    _require(of_files == (record["window_seconds"] is None), "files have no windows of time")


def _places(parts: list[dict[str, Any]]) -> bool:
    """Whether these are ranges of files; they are all of one kind."""
    of_files = ["file" in part for part in parts]
    _require(len(set(of_files)) < 2, "ranges of files among shards")
    _require(all(part["start"] < part["end"] for part in parts if "file" in part), "no bytes")
    return any(of_files)


def _bounds(record: dict[str, Any], *, of_files: bool) -> None:
    start, end = record["from"], record["to"]
    _require((start is None) == (end is None), "one bound")
    if start is not None:
        _require(
            moment(start) < moment(end) or (of_files and start == end), "a window that ends early"
        )


def _window(record: dict[str, Any]) -> None:
    parts = record["partitions"]
    of_files = _places(parts)
    _bounds(record, of_files=of_files)
    _require(not of_files or record["rev"] == 0, "bytes do not come late")
    named = ("file", "start") if of_files else ("index_uuid", "shard")
    _require(len({tuple(part[n] for n in named) for part in parts}) == len(parts), "a part twice")
    _require(len(set(record["segments"])) == len(record["segments"]), "a segment twice")
    _require(all(part["expected"] == part["written"] for part in parts), "not counted out")
    _require(sum(part["written"] for part in parts) == record["docs"], "not the sum of its parts")
    sealed = record["status"] == "sealed"
    _require((record["docs"] > 0) == sealed == bool(record["segments"]), "not as its status says")


def _segment(record: dict[str, Any]) -> None:
    shares = record["source"]["shares"]
    _bounds(record, of_files=_places(shares))
    _require(sum(share["docs"] for share in shares) == record["docs"], "not the sum of its shares")
    _require(sum(frame[0] for frame in record["frames"]) == record["size"], "not its frames")
    _require(
        sum(frame[1] for frame in record["frames"]) == record["content_size"], "not its frames"
    )
    first, last = record["first_event"], record["last_event"]
    _require((first is None) == (last is None), "one event without the other")
    _require(first is None or moment(first) <= moment(last), "the last event before the first")
    start = record["from"]
    hour = "0000/00/00/00" if start is None else re.sub("[-T]", "/", start[:13])
    expected = f"seg/{record['stream']}/{hour}/{record['sha256']}.ndjson.zst"
    _require(record["key"] == expected, "not the name of this segment")


def _metadata(record: dict[str, Any]) -> None:
    _require(record["key"] == f"meta/{record['sha256']}.json.zst", "not the name of this object")


def _abandoned(record: dict[str, Any]) -> None:
    keys = [each["key"] for each in record["objects"]]
    _require(bool(keys) and len(set(keys)) == len(keys), "no object, or one twice")
    for key in keys:
        kind = kind_of(key)
        _require(kind in {"seg", "meta", "log", "run"}, "nothing that a run leaves")
        own = key.startswith(f"seg/{record['stream']}/")
        _require(kind != "seg" or own, "of another stream")


_RULES: dict[str, Callable[[dict[str, Any]], None]] = {
    "genesis": _genesis,
    "commit": _commit,
    "stream": _stream,
    "window": _window,
    "segment": _segment,
    "metadata": _metadata,
    "abandoned": _abandoned,
}
