"""Cuts a stream of bytes into lines, many at a time."""

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["LONGEST_LINE", "batches"]

LONGEST_LINE: Final = 48 * 1024 * 1024
"""Bytes. Longer ones are handed on cut off there, so that they are no event and are told of."""


def batches(pieces: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of each piece, without their line feeds, after the number of the first, from 1.

    A line that goes on in the next piece comes with that one. The last may lack its line feed.
    """
    number = 1
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        head, feed, rest = piece.partition(b"\n")
        if size < LONGEST_LINE:
            held.append(head[: LONGEST_LINE - size])
            size += len(held[-1])
        if not feed:
            continue
        lines = rest.split(b"\n")
        tail = lines.pop()
        lines.insert(0, b"".join(held))
        held, size = [tail], len(tail)
        yield number, lines
        number += len(lines)
    last = b"".join(held)
    if last:
        yield number, [last]
