"""What somebody does to objects of an archive who can write there, but has not got its key."""

from collections.abc import Iterator
from dataclasses import replace

import zstandard

from kcompliance.ledger import FindingCode, segment_name
from kcompliance.model.digest import sha256
from tests.vectors_builder.good import OTHER, Good, hit
from tests.vectors_builder.growing import BEGIN, Objects
from tests.vectors_builder.tampering import edited, first_named, vector, without
from tests.vectors_builder.vector import Vector

__all__ = ["tampered_objects"]

_F = FindingCode


def tampered_objects(files: Good, search: Good) -> Iterator[Vector]:
    """Vectors of segments, settings, runs and of what has no place there."""
    yield from _segments(files)
    yield from _other_objects(search)


# --- segments ---------------------------------------------------------------------------------


def _segments(files: Good) -> Iterator[Vector]:
    objects = files.archive.objects
    first, second = (first_named(objects, "seg/", place) for place in (0, 1))
    changes: dict[str, tuple[str, Objects, FindingCode]] = {
        "segment-bit-flip": (
            "One bit of a segment is another one.",
            edited(objects, first, lambda data: data[:100] + bytes([data[100] ^ 4]) + data[101:]),
            _F.SEGMENT_MODIFIED,
        ),
        "segment-truncated": (
            "A segment ends early.",
            edited(objects, first, lambda data: data[:-40]),
            _F.SEGMENT_TRUNCATED,
        ),
        "segment-more-frames": (
            "A whole frame with one more event follows a segment.",
            edited(objects, first, lambda data: data + _frame(b'{"auditID":"more"}\n')),
            _F.SEGMENT_TRAILING_DATA,
        ),
        "segment-skippable-frame": (
            "A frame that decompressors skip follows a segment.",
            edited(objects, first, lambda data: data + b"\x50\x2a\x4d\x18\4\0\0\0abcd"),
            _F.SEGMENT_TRAILING_DATA,
        ),
        "segment-recompressed": (
            "A segment holds the same events in other frames.",
            edited(objects, first, lambda data: _frame(_content(data))),
            _F.SEGMENT_MODIFIED,
        ),
        "segment-reordered": (
            "The events of a segment are in another order.",
            edited(objects, first, lambda data: _frame(_reversed(_content(data)))),
            _F.SEGMENT_MODIFIED,
        ),
        "segment-empty": (
            "A segment has no bytes at all.",
            edited(objects, first, lambda data: b""),
            _F.SEGMENT_TRUNCATED,
        ),
        "segment-missing": (
            "A segment is gone.",
            without(objects, first),
            _F.SEGMENT_MISSING,
        ),
        "segments-swapped": (
            "Two segments have each other's names.",
            objects | {first: objects[second], second: objects[first]},
            _F.SEGMENT_MODIFIED,
        ),
    }
    for name, (about, changed, code) in changes.items():
        yield vector(name, about, "files", changed, code)
    yield Vector(
        name="segment-symlink",
        about="A segment is a symbolic link to the other one.",
        base="files",
        objects=objects,
        trust="files",
        codes=frozenset({_F.SYMLINK}),
        more=({"op": "symlink", "path": first, "target": second.rpartition("/")[2]},),
    )


def _frame(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=9, write_checksum=True).compress(content)


def _content(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    return bytes(reader.readall())


def _reversed(content: bytes) -> bytes:
    return b"\n".join(content.split(b"\n")[-2::-1]) + b"\n"


# --- other objects ----------------------------------------------------------------------------


def _other_objects(search: Good) -> Iterator[Vector]:
    objects = search.archive.objects
    meta, run = first_named(objects, "meta/"), first_named(objects, "run/")
    segment = first_named(objects, "seg/stage/")
    made_up = _frame(hit(99, BEGIN, seq_no=99) + b"\n")
    elsewhere = segment.replace("/00/", "/05/")
    dead = next(key for key in objects if key.endswith(".zst") and len(objects[key]) == 41)
    changes: dict[str, tuple[str, Objects, tuple[FindingCode, ...]]] = {
        "metadata-modified": (
            "The settings of the index are other ones.",
            objects | {meta: _frame(b'{"index":{}}')},
            (_F.METADATA_MODIFIED,),
        ),
        "metadata-missing": (
            "The settings of the index are gone.",
            without(objects, meta),
            (_F.METADATA_MISSING,),
        ),
        "run-modified": (
            "The intent of a run says that somebody else has run it.",
            edited(objects, run, lambda data: data.replace(b"archiver", b"somebody")),
            (_F.RUN_MODIFIED,),
        ),
        "run-missing": (
            "The intent of a run is gone.",
            without(objects, run),
            (_F.RUN_MISSING,),
        ),
        "object-added": (
            "A segment that no record names, below a good name, old enough not to be in the work.",
            objects | {segment_name(OTHER, BEGIN, sha256(made_up)): made_up},
            (_F.UNEXPECTED_OBJECT,),
        ),
        "object-copied": (
            "A segment lies a second time where another hour's segments lie.",
            objects | {elsewhere: objects[segment]},
            (_F.UNEXPECTED_OBJECT,),
        ),
        "object-of-no-archive": (
            "A name that no archive has.",
            objects | {"notes.txt": b"nothing to see here\n"},
            (_F.UNEXPECTED_OBJECT,),
        ),
        "name-in-capitals": (
            "A name that differs from a good one by its case.",
            objects | {meta.upper(): objects[meta]},
            (_F.NAME_COLLISION,),
        ),
        "leftover-changed": (
            "What a dead run left, and the log explains, holds other bytes now.",
            edited(objects, dead, lambda data: b"something that was put there later"),
            (_F.UNEXPECTED_OBJECT,),
        ),
    }
    for name, (about, changed, codes) in changes.items():
        yield vector(name, about, "search", changed, *codes)
    young = vector(
        "object-just-added",
        "A segment that no record names, ten minutes old: a run may be at work.",
        "search",
        changes["object-added"][1],
        _F.UNCOMMITTED,
    )
    yield replace(young, modified="2026-07-01T23:50:00Z")
