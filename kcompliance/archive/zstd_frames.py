"""The zstd frames (RFC 8878) that objects of an archive are made of.

What is written keeps to these limits, so what is read may be held to them:

* Frames stand one after the other, each with its content's size and checksum; none is skippable,
  none needs a dictionary or a window above `MAX_WINDOW`.
* A frame holds at most `MAX_FRAME_CONTENT`.
* An object never holds more than `MAX_RATIO` times its size, unless that is small.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import IO, Final, Protocol, cast

import zstandard

__all__ = [
    "LEVEL",
    "MAX_FRAME",
    "MAX_FRAME_CONTENT",
    "MAX_RATIO",
    "MAX_WINDOW",
    "SMALL_CONTENT",
    "BadFrame",
    "Misfit",
    "Readable",
    "begins_frame",
    "frame_compressor",
    "read_any_frames",
    "read_frame",
]

_MIB: Final = 1024 * 1024

LEVEL: Final = 3
"""Of zstd. On audit events it costs 0.3 µs an event more than level 1, and saves a fifth."""
MAX_LEVEL: Final = 19
"""Above it zstd takes larger windows."""
MAX_WINDOW: Final = 8 * _MIB
"""What every reader should be able to take (RFC 8878, section 3.1.1.1.2)."""
MAX_FRAME_CONTENT: Final = 128 * _MIB
"""More than the largest event: Elasticsearch takes none above 100 MiB (http.max_content_length)."""
MAX_FRAME: Final = MAX_FRAME_CONTENT + _MIB
"""A frame's own size: what zstd makes of a content that it cannot compress is smaller."""
MAX_RATIO: Final = 1000
SMALL_CONTENT: Final = 256 * _MIB
"""Up to here the ratio does not matter."""

_READ_AHEAD: Final = 32 * 1024
"""Of what is no recorded frame: little, so that its ratio can be judged."""
_STEP: Final = 512
"""What a decompressor is given whose output has no bound: 16 MiB can come of it."""


class Misfit(Enum):
    """In what way something is not the frame that was recorded."""

    BROKEN = auto()
    TOO_MUCH = auto()
    """It holds more than was recorded, or says so."""
    WINDOW = auto()
    """It needs more memory to read than it may."""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Not the frame that was recorded; the detail goes on from its name."""

    misfit: Misfit
    detail: str


class Readable(Protocol):
    """As much of a file as zstd needs."""

    def read(self, size: int = ..., /) -> bytes:
        """Up to so many bytes; fewer, or none, at the end only."""


def frame_compressor(level: int = LEVEL) -> zstandard.ZstdCompressor:
    """Its `compress` makes a frame of bytes; for one thread at a time."""
    if level > MAX_LEVEL:
        raise ValueError(f"level {level}: what it writes needs a window that nobody has to take")
    return zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)


def read_frame(data: bytes, content_size: int) -> bytes | BadFrame:
    """What one whole frame holds, if it is exactly so much and nothing follows."""
    if not data.startswith(zstandard.FRAME_HEADER):
        return BadFrame(Misfit.BROKEN, "is no zstd frame")
    try:
        header = zstandard.get_frame_parameters(data)
        if header.window_size > MAX_WINDOW:
            return BadFrame(Misfit.WINDOW, f"needs a window of {header.window_size} bytes")
        # The size in a header wins over `max_output_size`: one that lies is not even tried.
        if header.content_size not in (content_size, zstandard.CONTENTSIZE_UNKNOWN):
            misfit = Misfit.TOO_MUCH if header.content_size > content_size else Misfit.BROKEN
            detail = f"claims to hold {header.content_size} bytes, not {content_size}"
            return BadFrame(misfit, detail)
        content = _decompressor().decompress(
            data, max_output_size=content_size, allow_extra_data=False
        )
    except zstandard.ZstdError:
        if _gives_more(data, content_size):
            return BadFrame(Misfit.TOO_MUCH, f"holds more than {content_size} bytes")
        return BadFrame(Misfit.BROKEN, "does not decompress")
    if len(content) != content_size:
        return BadFrame(Misfit.BROKEN, f"holds {len(content)} bytes, not {content_size}")
    return content


def begins_frame(data: bytes, content_size: int) -> bool:
    """Whether this may be the first part, but not all, of a frame that holds so much."""
    if not zstandard.FRAME_HEADER.startswith(data[:4]):
        return False
    with suppress(zstandard.ZstdError):  # less than a header says nothing yet
        claimed = zstandard.get_frame_parameters(data).content_size
        if claimed not in (content_size, zstandard.CONTENTSIZE_UNKNOWN):
            return False
    decompressor = _decompressor().decompressobj()
    total = 0
    with suppress(zstandard.ZstdError):
        for start in range(0, len(data), _STEP):
            total += len(decompressor.decompress(data[start : start + _STEP]))
            if decompressor.eof or total > content_size:
                return False
        return True
    return False


def read_any_frames(source: Readable) -> IO[bytes]:
    """What zstd frames of any form hold, one after the other; reading it raises ZstdError.

    What is cut short ends without an error.
    """
    return _decompressor().stream_reader(
        cast("IO[bytes]", source), read_size=_READ_AHEAD, read_across_frames=True
    )


def _gives_more(data: bytes, content_size: int) -> bool:
    reader = _decompressor().stream_reader(data)
    total = 0
    with suppress(zstandard.ZstdError):
        while total <= content_size and (piece := reader.read(_MIB)):
            total += len(piece)
    return total > content_size


def _decompressor() -> zstandard.ZstdDecompressor:
    """One for each frame, so that no state is carried over."""
    return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
