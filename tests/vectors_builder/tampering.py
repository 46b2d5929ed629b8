"""What vectors without the key share: objects as bytes by name, and changes of them."""

from collections.abc import Callable

from kcompliance.ledger import FindingCode
from tests.vectors_builder.growing import Objects
from tests.vectors_builder.vector import Vector

__all__ = ["edited", "first_named", "vector", "without"]


def vector(
    name: str, about: str, base: str, objects: Objects, *codes: FindingCode, trust: str = ""
) -> Vector:
    return Vector(
        name=name,
        about=about,
        base=base,
        objects=objects,
        trust=trust or base,
        codes=frozenset(codes),
    )


def edited(objects: Objects, key: str, edit: Callable[[bytes], bytes]) -> Objects:
    data = edit(objects[key])
    assert data != objects[key]
    return objects | {key: data}


def without(objects: Objects, *keys: str) -> Objects:
    assert set(keys) <= objects.keys()
    return {key: data for key, data in objects.items() if key not in keys}


def first_named(objects: Objects, prefix: str, place: int = 0) -> str:
    return sorted(key for key in objects if key.startswith(prefix))[place]
