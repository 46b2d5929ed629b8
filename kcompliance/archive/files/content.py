"""What a file holds: its bytes, or those that it decompresses to."""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from kcompliance.archive.files.faults import FileDamaged
from kcompliance.archive.files.places import Opened

__all__ = ["Content", "Gzipped", "Plain", "content_of"]

_HEAD: Final = 64 * 1024
"""Bytes that are enough to know most files by."""
_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 1024 * 1024
_PACKED: Final = 16 * 1024
"""zlib copies what it leaves over: that stays in proportion, though members be of 20 bytes."""
_MOST_TO_ONE: Final = 1000
"""No log is that uniform; deflate itself ends at 1032 to 1."""
_BELOW_SUSPICION: Final = 16 * 1024 * 1024


class Content(Protocol):
    """Bytes in order. Offsets are those of the decompressed bytes."""

    name: str

    def pieces(self, start: int, end: int | None) -> Iterator[bytes]:
        """From `start` to before `end`, or to where the file ends, whichever comes first.

        Small pieces first, larger ones later, none empty. Raises `SourceError`.
        """


def content_of(file: Opened, name: str) -> Content:
    """The content of an open file, by how it begins; its name says nothing."""
    head = file.read_at(0, _HEAD)
    plain = Plain(file, head, name)
    return Gzipped(plain) if head.startswith(_GZIP) else plain


class Plain(Content):
    """A file as it is."""

    def __init__(self, file: Opened, head: bytes, name: str) -> None:
        self._file = file
        self._head = head
        self.name = name

    def pieces(self, start: int, end: int | None) -> Iterator[bytes]:
        """See `Content`."""
        size = _HEAD
        while end is None or start < end:
            upto = start + size if end is None else min(start + size, end)
            piece = self.at(start, upto)
            if not piece:
                return
            yield piece
            start += len(piece)
            size = min(2 * size, self._file.largest)

    def at(self, start: int, end: int) -> bytes:
        """The bytes there, fewer where the file ends earlier."""
        if end <= len(self._head):
            return self._head[start:end]
        return self._file.read_at(start, end)


class Gzipped(Content):
    """What a file of one or more gzip members decompresses to (RFC 1952).

    One that breaks off holds what could be decompressed: `kube-apiserver` may still be writing it.
    """

    def __init__(self, packed: Plain) -> None:
        self.packed = packed
        self.name = packed.name
        self.breaks_off = False
        """Known when the pieces have come to their end."""

    def pieces(self, start: int, end: int | None) -> Iterator[bytes]:
        """See `Content`; what lies before `start` has to be decompressed, too."""
        position = 0
        for piece in self._unpacked():
            if end is not None and position >= end:
                return
            upto = None if end is None else end - position
            wanted = piece[max(0, start - position) : upto]
            position += len(piece)
            if wanted:
                yield wanted

    def _unpacked(self) -> Iterator[bytes]:
        members = _Members()
        taken = given = 0
        for packed in self.packed.pieces(0, None):
            for start in range(0, len(packed), _PACKED):
                part = packed[start : start + _PACKED]
                taken += len(part)
                for piece in members.unpacked(part, self.name):
                    given += len(piece)
                    if given > max(_BELOW_SUSPICION, _MOST_TO_ONE * taken):
                        raise _bomb(self.name)
                    yield piece
        self.breaks_off = not members.ended


def _bomb(name: str) -> FileDamaged:
    return FileDamaged(
        f'"{name}" decompresses to over {_MOST_TO_ONE} times its size',
        "this is no log: remove it, or take it out of what is archived",
    )


class _Members:
    """The members of a gzip file, one after the other, and padding after the last."""

    def __init__(self) -> None:
        self._inflate = _inflate()

    @property
    def ended(self) -> bool:
        """Whether the last one came to its end, and its checksum was right."""
        return self._inflate.eof

    def unpacked(self, packed: bytes, name: str) -> Iterator[bytes]:
        """What these bytes give, in pieces of a bounded size."""
        while packed:
            if self._inflate.eof:
                packed = packed.lstrip(b"\0")
                if not packed:
                    return
                self._inflate = _inflate()
            try:
                piece = self._inflate.decompress(packed, _PIECE)
            except zlib.error as error:
                raise FileDamaged(
                    f'"{name}" does not decompress: {error}', "gzip --test"
                ) from error
            if piece:
                yield piece
            packed = self._inflate.unused_data or self._inflate.unconsumed_tail


def _inflate() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
