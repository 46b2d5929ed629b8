"""Writes a JSON document that is too large to be held, piece by piece."""

from collections.abc import Iterable, Iterator

__all__ = ["json_pieces"]


def json_pieces(fields: Iterable[tuple[str, str | Iterable[str]]]) -> Iterator[str]:
    """An object, indented by two, ending with a line feed.

    Each field is its name and its JSON text, itself indented by two; or the texts of the items of
    a list, which are taken one by one.
    """
    before = "{\n  "
    for name, value in fields:
        yield f'{before}"{name}": '
        if isinstance(value, str):
            yield _deeper(value, 1)
        else:
            yield from _items(value)
        before = ",\n  "
    yield "\n}\n"


def _items(texts: Iterable[str]) -> Iterator[str]:
    before = "[\n    "
    for text in texts:
        yield before + _deeper(text, 2)
        before = ",\n    "
    yield "[]" if before.startswith("[") else "\n  ]"


def _deeper(text: str, levels: int) -> str:
    """In JSON a line feed is always between two values, never in a string."""
    return text.replace("\n", "\n" + "  " * levels)
