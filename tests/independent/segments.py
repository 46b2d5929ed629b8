"""What segments and objects of settings hold, judged by the records that name them."""

import hashlib
import json
from typing import Any

import zstandard

from tests.independent.tree import leaf_hash, root
from tests.independent.words import Bad

__all__ = ["content_of", "lines_of"]

_MIB = 1 << 20


def content_of(record: dict[str, Any], data: bytes) -> bytes:
    """What an object holds, if it is the one that the record of type segment or metadata names."""
    frames = record.get("frames", [[record["size"], record["content_size"]]])
    if any(size > 129 * _MIB or raw > 128 * _MIB for size, raw in frames):
        raise Bad("a frame that nobody should read")
    if record["content_size"] > max(256 * _MIB, 1000 * record["size"]):
        raise Bad("more than nobody should read")
    if len(data) != record["size"] or hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise Bad("other bytes than were recorded")
    content, place = [], 0
    for size, raw in frames:
        content.append(_frame(data[place : place + size], raw))
        place += size
    joined = b"".join(content)
    if hashlib.sha256(joined).hexdigest() != record["content_sha256"]:
        raise Bad("another content than was recorded")
    return joined


def lines_of(record: dict[str, Any], data: bytes) -> list[bytes]:
    """The events of a segment, each without its line feed."""
    content = content_of(record, data)
    place = 0
    for _, raw in record["frames"]:
        place += raw
        if content[place - 1 : place] != b"\n":
            raise Bad("a frame that ends within a line")
    lines = content.split(b"\n")[:-1]
    if len(lines) != record["docs"]:
        raise Bad("another number of events than was recorded")
    if root([leaf_hash(line) for line in lines]).hex() != record["events_root"]:
        raise Bad("other events than were recorded")
    if any("index" in share for share in record["source"]["shares"]):
        for line in lines:
            _must_be_object(line)
    return lines


def _must_be_object(line: bytes) -> None:
    """What its texts hold need not be UTF-8, and how deep it nests is not bounded."""
    try:
        fits = isinstance(json.loads(line.decode(errors="replace"), parse_constant=_refuse), dict)
    except RecursionError:
        return
    except ValueError:
        fits = False
    if not fits:
        raise Bad("a line that is no JSON object")


def _refuse(text: str) -> None:
    raise ValueError(text)


def _frame(data: bytes, size: int) -> bytes:
    """What one frame holds: as much as was recorded, and nothing after it."""
    if data[:4] != b"\x28\xb5\x2f\xfd":
        raise Bad("no zstd frame")
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=8 * _MIB).decompressobj()
        content, place = b"", 0
        while place < len(data) and not decompressor.eof and len(content) <= size:
            # Little at a time: 512 bytes cannot become more than some MB.
            content += decompressor.decompress(data[place : place + 512])
            place += 512
        rest = decompressor.unused_data + data[place:]
    except zstandard.ZstdError as error:
        raise Bad(f"no zstd: {error}") from error
    if not decompressor.eof or rest or len(content) != size:
        raise Bad("another size than was recorded")
    return content
