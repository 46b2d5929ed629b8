"""Records as bytes: the fields of each type, and what they must not say.

A record is the canonical JSON (`canonical.py`) of an object with `type` and `v`. What is read is
known completely: an unknown field, a wrong type, or fields that contradict each other make a
record of a known type malformed, while an unknown type or a higher `v` is told apart as the record
of a later kcompliance. What was written reads back equal, byte for byte.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kcompliance.ledger.canonical import MAX_INTEGER, canonical_bytes, parse_canonical
from kcompliance.ledger.findings import Fault, FindingCode, Refused
from kcompliance.ledger.names import (
    MAX_NUMBER,
    LogName,
    MetadataName,
    RunName,
    SegmentName,
    metadata_name,
    parse_name,
    segment_name,
    unsafe_because,
)
from kcompliance.ledger.records import (
    FORMAT,
    AbandonedObject,
    AbandonedRecord,
    Clock,
    CommitRecord,
    FilePartition,
    FileShare,
    GenesisRecord,
    IndexPartition,
    IndexShare,
    KeyRevocationRecord,
    KeyRotationRecord,
    LockMode,
    MetadataRecord,
    Record,
    RetentionRecord,
    RunReference,
    SegmentRecord,
    SegmentSource,
    SourceKind,
    StreamRecord,
    StreamSource,
    UnsupportedRecord,
    WindowRecord,
    WindowStatus,
)
from kcompliance.ledger.schema import (
    COUNT,
    JSON_OBJECT,
    PERIOD,
    SHA256,
    STREAM,
    TEXT,
    TIME,
    UUID_TEXT,
    VKEY,
    Codec,
    Field,
    UnfitError,
    either,
    integer,
    list_of,
    nullable,
    one_of,
    pair_of,
    structure,
)

__all__ = ["decode_record", "encode_record"]


def encode_record(record: Record) -> bytes:
    """The bytes of a leaf; ValueError for a record that `decode_record` would not take back."""
    data = canonical_bytes(_CODECS[_TYPE_OF[type(record)]].write(record))
    if (decoded := decode_record(data)) != record:
        reason = decoded.detail if isinstance(decoded, Fault) else "it would be read as another"
        raise ValueError(f"this cannot be a record: {reason}")
    return data


def decode_record(data: bytes) -> Record | UnsupportedRecord | Fault:
    """The record of a leaf. The fault is LEAF_MALFORMED or UNSAFE_PATH."""
    value = parse_canonical(data)
    if isinstance(value, Refused):
        return Fault(code=FindingCode.LEAF_MALFORMED, detail=value.reason)
    try:
        type_, version = TEXT.read(value.get("type")), integer(1).read(value.get("v"))
        if type_ not in _CODECS or version > 1:
            return UnsupportedRecord(type=type_, version=version)
        record: Record = _CODECS[type_].read(value)
    except UnfitError as error:
        return Fault(code=error.code, detail=str(error))
    return record


# --- what a schema cannot say of one field alone ------------------------------------------------


def _check_genesis(record: GenesisRecord) -> None:
    if record.archive_id.version != 4:
        raise UnfitError("not a random UUID (version 4)", path=("archive_id",))
    _require(bool(record.keys), "keys", "empty")


def _check_commit(record: CommitRecord) -> None:
    _require(record.n > 0 or record.prev is None, "prev", "nothing comes before commit 0")


def _check_stream(record: StreamRecord) -> None:
    files = record.source.kind is SourceKind.FILES
    _require(bool(record.source.patterns), "source.patterns", "empty")
    _require(
        files == (record.window_seconds is None),
        "window_seconds",
        "null for files, and for nothing else",
    )


def _check_window(record: WindowRecord) -> None:
    files = [part for part in record.partitions if isinstance(part, FilePartition)]
    _require(not files or len(files) == len(record.partitions), "partitions", "of two kinds")
    _check_bounds(record.start, record.end, inclusive=bool(files))
    _check_ranges(files, "partitions")
    _require(not files or record.rev == 0, "rev", "bytes of a file do not come late")
    places = {_place(part) for part in record.partitions}
    _require(len(places) == len(record.partitions), "partitions", "one is there twice")
    _require(len(set(record.segments)) == len(record.segments), "segments", "one is there twice")
    _require(
        all(part.written == part.expected for part in record.partitions),
        "partitions",
        "as many have to be written as expected",
    )
    _require(
        sum(part.written for part in record.partitions) == record.docs, "docs", "not their sum"
    )
    sealed = record.status is WindowStatus.SEALED
    _require((record.docs > 0) == sealed, "docs", f"{record.docs} in a window {record.status}")
    _require(bool(record.segments) == sealed, "segments", f"of a window {record.status}")


def _check_segment(record: SegmentRecord) -> None:
    shares = record.source.shares
    files = [share for share in shares if isinstance(share, FileShare)]
    _require(not files or len(files) == len(shares), "source.shares", "of two kinds")
    _check_bounds(record.start, record.end, inclusive=bool(files))
    _check_ranges(files, "source.shares")
    _require(sum(share.docs for share in shares) == record.docs, "docs", "not the sum of shares")
    for place, (total, name) in enumerate(
        ((record.size, "size"), (record.content_size, "content_size"))
    ):
        _require(sum(frame[place] for frame in record.frames) == total, name, "not that of frames")
    _require(
        (record.first_event is None) == (record.last_event is None)
        and (
            record.first_event is None
            or record.last_event is None
            or record.first_event <= record.last_event
        ),
        "last_event",
        "not after the first",
    )
    _check_key(record.key, segment_name(record.stream, record.start, record.sha256))


def _check_metadata(record: MetadataRecord) -> None:
    _check_key(record.key, metadata_name(record.sha256))


def _check_abandoned(record: AbandonedRecord) -> None:
    _require(bool(record.objects), "objects", "empty")
    keys = {each.key for each in record.objects}
    _require(len(keys) == len(record.objects), "objects", "one is there twice")
    for each in record.objects:
        name = parse_name(each.key)
        # Its bytes may be other than its name says: half-written is one way to be abandoned.
        _check_key(each.key, None if name is None else each.key)
        foreign = isinstance(name, SegmentName) and name.stream != record.stream
        abandonable = isinstance(name, SegmentName | MetadataName | LogName | RunName)
        if foreign or not abandonable:
            raise UnfitError(f"{each.key!r} is nothing that this run left", FindingCode.UNSAFE_PATH)


def _check_key(key: str, expected: str | None) -> None:
    """Safe on every store and file system, and the only name that this object can have."""
    if (reason := unsafe_because(key)) is not None:
        raise UnfitError(f"{key[:200]!r}: {reason}", FindingCode.UNSAFE_PATH, ("key",))
    if key != expected:
        wanted = "a name of an archive" if expected is None else repr(expected)
        raise UnfitError(f"{key!r} is not {wanted}", FindingCode.UNSAFE_PATH, ("key",))


def _place(part: IndexPartition | FilePartition) -> tuple[str, int]:
    if isinstance(part, FilePartition):
        return part.file, part.start
    return part.index_uuid, part.shard


def _check_bounds(start: datetime | None, end: datetime | None, *, inclusive: bool) -> None:
    _require((start is None) == (end is None), "to", "null together with from, or not at all")
    if start is not None and end is not None:
        _require(start < end or (inclusive and start == end), "to", "not after from")


def _check_ranges(parts: Iterable[FilePartition | FileShare], path: str) -> None:
    _require(all(part.start < part.end for part in parts), path, "a range of no bytes")


def _require(fits: bool, path: str, reason: str) -> None:  # noqa: FBT001 - it is the condition
    if not fits:
        raise UnfitError(reason, path=(path,))


# --- the tables -------------------------------------------------------------------------------

_BOUNDS = (Field("from", nullable(TIME), "start"), Field("to", nullable(TIME), "end"))
_OBJECT = (Field("key", TEXT), Field("size", COUNT), Field("sha256", SHA256))
_CONTENT = (
    Field("version_id", nullable(TEXT)),
    Field("content_size", COUNT),
    Field("content_sha256", SHA256),
)
_MADE = (
    Field("retain_until", nullable(TIME)),
    Field("tool", TEXT),
    Field("run", UUID_TEXT),
)
_INDEX = (Field("index", TEXT), Field("index_uuid", TEXT), Field("shard", COUNT))
_FILE = (Field("file", SHA256), Field("start", COUNT), Field("end", COUNT))
_COUNTED = (Field("expected", COUNT), Field("written", COUNT))

_RUN = structure(
    RunReference, Field("id", UUID_TEXT), Field("size", COUNT), Field("sha256", SHA256)
)
_CLOCK = structure(
    Clock,
    Field("source", TEXT),
    Field("offset_ms", nullable(integer(-MAX_INTEGER))),
)
_STREAM_SOURCE = structure(
    StreamSource,
    Field("kind", one_of(SourceKind)),
    Field("cluster_uuid", nullable(TEXT)),
    Field("patterns", list_of(TEXT)),
)
_INDEX_PARTITION = structure(
    IndexPartition, *_INDEX, *_COUNTED, Field("max_seq_no", nullable(integer(-1)))
)
_FILE_PARTITION = structure(FilePartition, *_FILE, Field("name", TEXT), *_COUNTED)
_INDEX_SHARE = structure(IndexShare, *_INDEX, Field("docs", integer(1)))
_FILE_SHARE = structure(FileShare, *_FILE, Field("docs", integer(1)))
_PARTITION = either(
    lambda value: _FILE_PARTITION if "file" in value else _INDEX_PARTITION,
    {FilePartition: _FILE_PARTITION, IndexPartition: _INDEX_PARTITION},
)
_SHARE = either(
    lambda value: _FILE_SHARE if "file" in value else _INDEX_SHARE,
    {FileShare: _FILE_SHARE, IndexShare: _INDEX_SHARE},
)
_SEGMENT_SOURCE = structure(
    SegmentSource,
    Field("cluster_uuid", nullable(TEXT)),
    Field("query_sha256", nullable(SHA256)),
    Field("shares", list_of(_SHARE)),
)

_GENESIS = structure(
    GenesisRecord,
    Field("archive_id", UUID_TEXT),
    Field("created", TIME),
    Field("keys", list_of(VKEY)),
    Field("tool", TEXT),
    check=_check_genesis,
    constants={"type": "genesis", "v": 1, "format": FORMAT},
)
_COMMIT = structure(
    CommitRecord,
    Field("n", integer(0, MAX_NUMBER)),
    Field("prev", nullable(SHA256)),
    Field("time", TIME),
    Field("clock", nullable(_CLOCK)),
    Field("run", _RUN),
    Field("actor", TEXT),
    check=_check_commit,
    constants={"type": "commit", "v": 1},
)
_STREAM = structure(
    StreamRecord,
    Field("stream", STREAM),
    Field("source", _STREAM_SOURCE),
    Field("time_field", nullable(TEXT)),
    Field("filter", nullable(JSON_OBJECT)),
    Field("window_seconds", nullable(integer(1))),
    check=_check_stream,
    constants={"type": "stream", "v": 1},
)
_WINDOW = structure(
    WindowRecord,
    Field("stream", STREAM),
    *_BOUNDS,
    Field("rev", COUNT),
    Field("status", one_of(WindowStatus)),
    Field("docs", COUNT),
    Field("segments", list_of(SHA256)),
    Field("partitions", list_of(_PARTITION)),
    check=_check_window,
    constants={"type": "window", "v": 1},
)
_SEGMENT = structure(
    SegmentRecord,
    Field("stream", STREAM),
    *_BOUNDS,
    Field("time_field", nullable(TEXT)),
    *_OBJECT,
    *_CONTENT,
    Field("frames", list_of(pair_of(integer(1)))),
    Field("docs", integer(1)),
    Field("events_root", SHA256),
    Field("first_event", nullable(TIME)),
    Field("last_event", nullable(TIME)),
    Field("source", _SEGMENT_SOURCE),
    *_MADE,
    check=_check_segment,
    constants={"type": "segment", "v": 1, "codec": "zstd"},
)
_METADATA = structure(
    MetadataRecord,
    Field("stream", STREAM),
    *_OBJECT,
    *_CONTENT,
    *_MADE,
    check=_check_metadata,
    constants={"type": "metadata", "v": 1, "codec": "zstd"},
)
_ABANDONED = structure(
    AbandonedRecord,
    Field("stream", STREAM),
    Field("run", UUID_TEXT),
    Field("objects", list_of(structure(AbandonedObject, *_OBJECT))),
    check=_check_abandoned,
    constants={"type": "abandoned", "v": 1},
)
_KEY_ROTATION = structure(
    KeyRotationRecord,
    Field("vkey", VKEY),
    Field("replaces", nullable(VKEY)),
    Field("time", TIME),
    constants={"type": "key", "v": 1, "action": "rotate"},
)
_KEY_REVOCATION = structure(
    KeyRevocationRecord,
    Field("vkey", VKEY),
    Field("compromised", nullable(TIME)),
    Field("reason", TEXT),
    Field("time", TIME),
    constants={"type": "key", "v": 1, "action": "revoke"},
)
_KEY = either(
    lambda value: _KEY_REVOCATION if value.get("action") == "revoke" else _KEY_ROTATION,
    {KeyRotationRecord: _KEY_ROTATION, KeyRevocationRecord: _KEY_REVOCATION},
)
_RETENTION = structure(
    RetentionRecord,
    Field("stream", nullable(STREAM)),
    Field("retain", PERIOD),
    Field("mode", one_of(LockMode)),
    Field("time", TIME),
    constants={"type": "retention", "v": 1},
)

_CODECS: Mapping[str, Codec[Any]] = {
    "genesis": _GENESIS,
    "commit": _COMMIT,
    "stream": _STREAM,
    "window": _WINDOW,
    "segment": _SEGMENT,
    "metadata": _METADATA,
    "abandoned": _ABANDONED,
    "key": _KEY,
    "retention": _RETENTION,
}
_TYPE_OF: Mapping[type[Record], str] = {
    GenesisRecord: "genesis",
    CommitRecord: "commit",
    StreamRecord: "stream",
    WindowRecord: "window",
    SegmentRecord: "segment",
    MetadataRecord: "metadata",
    AbandonedRecord: "abandoned",
    KeyRotationRecord: "key",
    KeyRevocationRecord: "key",
    RetentionRecord: "retention",
}
