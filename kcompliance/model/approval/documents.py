"""JSON of a server in the one form in which it is approved, its digest, and what changed of it.

Every number and truth value stands there as its text: search servers write `"true"` and `true`
for the same, and a lock holds no number. What a server counts on by itself (versions, dates of
change) has to be taken out before. The digest is that of the bytes of RFC 8785.
"""

import json
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Final, TypeAlias

import rfc8785

from kcompliance.model.apiserver.plain_data import text
from kcompliance.model.digest import Sha256, sha256

__all__ = [
    "Document",
    "TooDeep",
    "canonical_document",
    "changed_document",
    "document_sha256",
    "is_canonical",
]

Document: TypeAlias = "str | list[Document] | dict[str, Document] | None"

_DEEPEST: Final = 64
_MOST_PAIRS: Final = 250_000
_LONGEST: Final = 80


class TooDeep(Exception):
    """It is nested so deeply that no server of good sense wrote it."""


def canonical_document(value: object, deepest: int = _DEEPEST) -> Document:
    """The value with a text for every scalar but null. Raises TooDeep."""
    if deepest == 0:
        raise TooDeep
    if isinstance(value, Mapping):
        return {str(key): canonical_document(each, deepest - 1) for key, each in value.items()}
    if isinstance(value, list):
        return [canonical_document(each, deepest - 1) for each in value]
    if value is None:
        return None
    written = text(value)
    return "a number that is too long" if written is None else written


def is_canonical(value: object) -> bool:
    """Whether this is what `canonical_document` makes of something, and has a digest."""
    try:
        return canonical_document(value) == value and bool(rfc8785.dumps(value))
    except (TooDeep, rfc8785.CanonicalizationError, UnicodeEncodeError):
        return False


def document_sha256(document: Document) -> Sha256:
    """By this two documents are one or two."""
    return sha256(rfc8785.dumps(document))


def changed_document(before: Document, now: Document, place: str = "") -> Iterator[str]:
    """What became of it, such as `phases.delete.min_age: 270d → 30d`; nothing where it is equal."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            yield from _member(before, now, name, f"{place}.{name}" if place else name)
    elif isinstance(before, list) and isinstance(now, list):
        yield from _list(before, now, place)
    else:
        yield f"{place or 'the whole'}: {_word(before)} → {_word(now)}"


def _member(
    before: dict[str, Document], now: dict[str, Document], name: str, place: str
) -> Iterator[str]:
    if name not in now:
        yield f"{place}: {_word(before[name])} → not there"
    elif name not in before:
        yield f"{place}: not there → {_word(now[name])}"
    else:
        yield from changed_document(before[name], now[name], place)


def _list(before: list[Document], now: list[Document], place: str) -> Iterator[str]:
    if len(before) * len(now) > _MOST_PAIRS:
        yield f"{place}: {len(before)} entries → {len(now)} entries, which are others"
        return
    old, new = ([json.dumps(each, sort_keys=True) for each in side] for side in (before, now))
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for step, begin, end, first, last in steps:
        if step == "equal":
            continue
        if end - begin == last - first:
            for index in range(begin, end):
                there = first + index - begin
                yield from changed_document(before[index], now[there], f"{place}[{index}]")
            continue
        yield from (f"{place}[{at}]: {_word(before[at])} → not there" for at in range(begin, end))
        yield from (f"{place}[{at}]: not there → {_word(now[at])}" for at in range(first, last))


def _word(value: Document) -> str:
    if value is None:
        return "nothing"
    word = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…"
