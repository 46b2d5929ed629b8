"""Judges an object by the record that was signed for it: hostile bytes, read once.

No more of an object is in memory than one frame, whatever it claims.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from typing import Final

from zstandard import ZstdError

from kcompliance.archive.zstd_frames import (
    MAX_FRAME,
    MAX_FRAME_CONTENT,
    MAX_RATIO,
    SMALL_CONTENT,
    BadFrame,
    Misfit,
    begins_frame,
    read_any_frames,
    read_frame,
)

__all__ = ["Found", "Recorded", "What", "examine"]

_PIECE: Final = 1024 * 1024


class What(Enum):
    """In what way an object is not the one that was recorded."""

    MODIFIED = auto()
    TRUNCATED = auto()
    TRAILING = auto()
    BOMB = auto()
    WINDOW = auto()
    """A bomb as well: a frame that asks for much memory before it gives anything."""
    USE = auto()
    """Whoever uses the content objects to it."""


@dataclass(frozen=True, slots=True)
class Found:
    """The one thing that is wrong, from which all else follows."""

    what: What
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the log says of an object, of whatever kind."""

    size: int
    sha256: str
    content_size: int
    content_sha256: str
    frames: tuple[tuple[int, int], ...]


_OF_FRAMES: Final = {
    Misfit.BROKEN: What.MODIFIED,
    Misfit.TOO_MUCH: What.BOMB,
    Misfit.WINDOW: What.WINDOW,
}


class _Stored:
    """The bytes of an object as they come. Those that were recorded are hashed."""

    def __init__(self, pieces: Iterable[bytes], size: int) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")
        self._size = size
        self._digest = sha256()
        self.length = 0
        """Of what has come so far."""

    def read(self, size: int) -> bytes:
        """The next bytes: fewer only at the object's end."""
        parts = []
        while size and (self._rest or self._fetch()):
            parts.append(self._rest[:size])
            self._rest = self._rest[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def put_back(self, data: bytes) -> None:
        """Let `read` give these again."""
        self._rest = memoryview(data + self._rest)

    def exhaust(self) -> None:
        """Read up to the recorded size, and on if that is not yet the end, but not far."""
        while self.length <= self._size and self._fetch():
            pass

    @property
    def sha256(self) -> str:
        """Of the first bytes, as many as were recorded."""
        return self._digest.hexdigest()

    def _fetch(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._rest = memoryview(piece)
                self._digest.update(self._rest[: max(0, self._size - self.length)])
                self.length += len(piece)
                return True
        return False


def examine(
    recorded: Recorded, pieces: Iterable[bytes], use: Callable[[bytes], str | None]
) -> Found | None:
    """What is wrong with an object, which is read as far as it was recorded and little more.

    `use` gets the content of each frame while nothing is proven yet, and may object to it. What
    reading the pieces raises is passed on.
    """
    if (reason := _insane(recorded)) is not None:
        return Found(What.BOMB, reason)
    stored = _Stored(pieces, recorded.size)
    content = _Content(recorded)
    problem = content.read_frames(stored, use)
    stored.exhaust()
    if stored.length < recorded.size and problem is not None and problem.what is What.TRUNCATED:
        return problem
    if stored.sha256 != recorded.sha256:
        return content.modified(problem)
    if stored.length > recorded.size:
        return Found(What.TRAILING, f"more bytes follow the {recorded.size} that were recorded")
    if problem is not None:
        return Found(problem.what, f"its bytes are as recorded, but {problem.detail}")
    if not content.is_as_recorded:
        return Found(What.MODIFIED, "its bytes are as recorded, but they hold another content")
    return None


def _insane(recorded: Recorded) -> str | None:
    """Why nobody should even try to read this."""
    for number, (size, content_size) in enumerate(recorded.frames):
        if size > MAX_FRAME or content_size > MAX_FRAME_CONTENT:
            return f"frame {number} is said to hold {content_size} bytes in {size}"
    is_small = recorded.content_size <= SMALL_CONTENT
    if not is_small and recorded.content_size > MAX_RATIO * recorded.size:
        return f"it is said to hold {recorded.content_size} bytes in {recorded.size}"
    return None


class _Content:
    """What an object decompresses to, hashed."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._digest = sha256()
        self._size = 0
        self._is_bomb = False

    @property
    def is_as_recorded(self) -> bool:
        """Whether all of it was read, and is what it was."""
        return self._digest.hexdigest() == self._recorded.content_sha256

    def read_frames(self, stored: _Stored, use: Callable[[bytes], str | None]) -> Found | None:
        """Read the recorded frames; after the first that is not as recorded, what is there."""
        objection: Found | None = None
        for number, (size, content_size) in enumerate(self._recorded.frames):
            data = stored.read(size)
            if len(data) < size and begins_frame(data, content_size):
                return Found(What.TRUNCATED, f"it ends after {stored.length} bytes")
            frame = read_frame(data, content_size)
            if isinstance(frame, BadFrame):
                stored.put_back(data)
                self._read_anything(stored)
                return Found(_OF_FRAMES[frame.misfit], f"frame {number} {frame.detail}")
            self._digest.update(frame)
            self._size += len(frame)
            if objection is None and (reason := use(frame)) is not None:
                objection = Found(What.USE, f"in frame {number} {reason}")
        return objection

    def modified(self, problem: Found | None) -> Found:
        """What to say of bytes that are not those that were recorded."""
        if self.is_as_recorded:
            return Found(What.MODIFIED, "recompressed: its content is as recorded")
        if self._is_bomb:
            return Found(What.BOMB, f"more than {MAX_RATIO} times as much comes out of it")
        if problem is None:
            return Found(What.MODIFIED, "its bytes and its content are not as recorded")
        what = What.BOMB if problem.what is What.WINDOW else What.MODIFIED
        return Found(what, f"its bytes are not as recorded: {problem.detail}")

    def _read_anything(self, stored: _Stored) -> None:
        """Take what is left for zstd of any form, to learn whether the content is the recorded.

        Bounded in time by the recorded size of the content or by what is small, in memory anyway.
        """
        left = self._recorded.content_size - self._size
        limit = max(left, SMALL_CONTENT // 4)
        source = _Bounded(stored, 2 * left + _PIECE)
        reader = read_any_frames(source)
        taken = 0
        with suppress(ZstdError):
            while taken <= limit and (piece := reader.read(_PIECE)):
                taken += len(piece)
                self._size += len(piece)
                self._digest.update(piece)
        self._is_bomb = taken > limit and taken > MAX_RATIO * source.taken


class _Bounded:
    """What is left of an object, if that is not too long."""

    def __init__(self, stored: _Stored, limit: int) -> None:
        self._stored = stored
        self._limit = limit
        self.taken = 0

    def read(self, size: int = _PIECE, /) -> bytes:
        data = self._stored.read(min(size, self._limit - self.taken))
        self.taken += len(data)
        return data
