"""Divides the windows of a run into units, each of which ends in one commit."""

from collections.abc import Iterable, Iterator
from typing import Final

from kcompliance.archive.interface import PlannedWindow

__all__ = ["units_of"]

_WINDOWS: Final = 200
_DOCS: Final = 5_000_000
_BYTES: Final = 8 * 1024 * 1024 * 1024
"""Of events, as estimated: what is read again at most after a run was killed."""


def units_of(planned: Iterable[PlannedWindow]) -> Iterator[tuple[PlannedWindow, ...]]:
    """Windows in their order, as many at a time as are worth one commit."""
    unit: list[PlannedWindow] = []
    docs = size = 0
    for window in planned:
        more_docs = sum(part.docs or 0 for part in window.parts)
        more_size = sum(part.bytes or 0 for part in window.parts)
        full = len(unit) >= _WINDOWS or docs + more_docs > _DOCS or size + more_size > _BYTES
        if unit and full:
            yield tuple(unit)
            unit, docs, size = [], 0, 0
        unit.append(window)
        docs, size = docs + more_docs, size + more_size
    if unit:
        yield tuple(unit)
