"""Parsed YAML or JSON of unknown shape, read without ever raising."""

from collections.abc import Mapping

__all__ = ["at", "mapping", "sequence", "text", "texts"]


def mapping(value: object) -> Mapping[str, object]:
    """The value if it is a mapping, without the keys that are no text; else an empty one."""
    if not isinstance(value, Mapping):
        return {}
    return {key: each for key, each in value.items() if isinstance(key, str)}


def sequence(value: object) -> list[object]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def at(value: object, *path: str) -> object:
    """What stands at the end of a path of keys; None if any of them is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def text(value: object) -> str | None:
    """A scalar as its author wrote it, as far as the parser kept that; None for all else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return None
    return str(value) if isinstance(value, str | int | float) else None


_LONGEST_NUMBER = 1024
"""In bits; Python refuses to write numbers out that are much longer."""


def texts(value: object) -> list[str]:
    """The scalars of a list, in order."""
    return [each for each in map(text, sequence(value)) if each is not None]
