"""Lines: what ends with a line feed, and nothing else. A carriage return is part of its line.

Lines of nothing but white space are no events: they are neither archived nor counted.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from kcompliance.archive.files.content import Content
from kcompliance.archive.files.faults import FileDamaged

__all__ = ["LineCount", "chunks", "ends_line", "first_line", "too_long", "without_blanks"]

_LF: Final = b"\n"
_BLANK: Final = re.compile(rb"\n[ \t\r\v\f]*(?=\n)")


def first_line(content: Content, longest: int) -> bytes | None:
    """The first line without its line feed, None if it has none yet."""
    held: list[bytes] = []
    size = 0
    for piece in content.pieces(0, None):
        line, found, _ = piece.partition(_LF)
        held.append(line)
        size += len(line)
        if size > longest:
            raise too_long(content.name, 0, longest)
        if found:
            return b"".join(held)
    return None


def ends_line(content: Content, offset: int) -> bool:
    """Whether a line begins at this offset: at 0, and after each line feed."""
    return offset == 0 or b"".join(content.pieces(offset - 1, offset)) == _LF


def too_long(name: str, offset: int, longest: int) -> FileDamaged:
    """The error for a line without an end."""
    return FileDamaged(
        f'"{name}" has a line at byte {offset} that is longer than {longest} bytes',
        "kube-apiserver cuts long events with --audit-log-truncate-enabled",
    )


def chunks(
    pieces: Iterable[bytes], name: str, start: int, size: int, longest: int
) -> Iterator[bytes]:
    """The pieces, which begin at offset `start`, as whole lines: about `size` bytes at a time.

    What follows the last line feed is not given.
    """
    held: list[bytes] = []
    held_size = whole = 0
    for piece in pieces:
        if (last := piece.rfind(_LF)) >= 0:
            whole = held_size + last + 1
        held.append(piece)
        held_size += len(piece)
        if held_size - whole > longest:
            raise too_long(name, start + whole, longest)
        if held_size >= size and whole:
            together = b"".join(held)
            yield together[:whole]
            held = [together[whole:]]
            held_size -= whole
            start += whole
            whole = 0
    if whole:
        yield b"".join(held)[:whole]


def without_blanks(lines: bytes) -> tuple[bytes, int]:
    """Whole lines without the blank ones, and how many they are."""
    if _BLANK.search(lines) is None and lines[: lines.find(_LF)].strip():
        return lines, lines.count(_LF)
    kept = [line for line in lines.split(_LF) if line.strip()]
    return b"".join(line + _LF for line in kept), len(kept)


class LineCount:
    """Counts lines that are not blank, from the pieces as they were read, however they divide."""

    def __init__(self) -> None:
        self.lines = 0
        self._blank = True
        """Whether the line that has not ended yet is blank so far."""

    def add(self, piece: bytes) -> None:
        """Count the lines that end in this piece."""
        first, last = piece.find(_LF), piece.rfind(_LF)
        if first < 0:
            self._blank = self._blank and not piece.strip()
            return
        self.lines += not (self._blank and not piece[:first].strip())
        between = piece[first : last + 1]
        self.lines += between.count(_LF) - 1 - len(_BLANK.findall(between))
        self._blank = not piece[last + 1 :].strip()
