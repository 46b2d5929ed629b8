"""What vectors share that their archive's key holder made."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from kcompliance.ledger import FindingCode, Record
from tests.vectors_builder.good import Good
from tests.vectors_builder.growing import Growing
from tests.vectors_builder.vector import Vector

__all__ = ["Grow", "committing", "committing_bytes", "grown", "leaves_of"]

Grow = Callable[[Growing], object]


def grown(
    name: str,
    about: str,
    good: Good,
    grow: Grow,
    *codes: FindingCode,
    as_of: str | None = None,
) -> Vector:
    """An archive that went on in a way that it should not."""
    archive = good.archive.copy()
    grow(archive)
    vector = Vector(
        name=name,
        about=about,
        base=good.archive.name,
        objects=archive.objects,
        trust=good.archive.name,
        codes=frozenset(codes),
    )
    return vector if as_of is None else replace(vector, as_of=as_of)


def committing(*records: Record) -> Grow:
    """One more commit."""
    return lambda archive: archive.commit(*records)


def committing_bytes(*leaves: bytes, **more: Any) -> Grow:
    """One more commit of leaves that need be no records."""
    return lambda archive: archive.commit_bytes(*leaves, **more)


def leaves_of(archive: Growing, type_: str) -> Iterator[dict[str, Any]]:
    for key, data in archive.objects.items():
        if key.startswith("log/"):
            for line in data.splitlines()[1:]:
                if (leaf := json.loads(line))["type"] == type_:
                    yield leaf
