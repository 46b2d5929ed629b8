"""Reads the condition of a Falco rule, and tells for one event whether it is true.

Not an engine: what an event of a program that nobody knows would be is known only as far as paths
and kinds of system calls go. The rest is left open, and what cannot be read is `Unclear`.
Sources: falco.org, "Condition Syntax" and "Supported Fields".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = [
    "MAX_DEPTH",
    "And",
    "Comparison",
    "Condition",
    "MacroName",
    "Not",
    "Or",
    "Unclear",
    "parse_condition",
    "parts_of",
]

MAX_LENGTH = 64 * 1024
MAX_DEPTH: Final = 60


class Unclear(Exception):
    """The condition is not understood; the message says what of it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator and the values as they are written; names of lists are among them."""

    field: str
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        """As it is written, cut where it is long."""
        values = ", ".join(self.values[:4]) + (", …" if len(self.values) > 4 else "")
        values = f"({values})" if self.operator in _MANY else values
        return f"{self.field} {self.operator} {values}".rstrip()[:120]


@dataclass(frozen=True, slots=True)
class MacroName:
    """What stands for another condition."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """True where the other is not."""

    inner: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """True where all are."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """True where any is."""

    parts: "tuple[Condition, ...]"


Condition = Comparison | MacroName | Not | And | Or


def parts_of(condition: Condition) -> Iterator[Comparison | MacroName]:
    """The comparisons and macros that a condition is made of."""
    pending = [condition]
    while pending:
        match pending.pop():
            case And(parts=parts) | Or(parts=parts):
                pending += parts
            case Not(inner=inner):
                pending.append(inner)
            case Comparison() | MacroName() as found:
                yield found


# --- reading -------------------------------------------------------------------------------------

_MANY: Final = ("in", "intersects", "pmatch")
_WORDS: Final = (
    *_MANY,
    *("contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith"),
    *("glob", "iglob", "regex", "exists"),
)
_BLANK: Final = re.compile(r"\s*")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*(?:\[[^\]\s]{0,100}\])?")
_OPERATOR: Final = re.compile(rf"==|!=|<=|>=|=|<|>|(?:{'|'.join(_WORDS)})(?![A-Za-z0-9_.])")
_VALUE: Final = re.compile(
    r"""\"((?:[^"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([^\s()"',=][^\s()"',]*)"""
)


def parse_condition(text: str) -> Condition:
    """The condition that a text says; raises `Unclear`."""
    if len(text) > MAX_LENGTH:
        raise Unclear(f"longer than {MAX_LENGTH} characters")
    reader = _Reader(text)
    condition = reader.either(0)
    if not reader.at_end():
        raise Unclear(f'"{reader.rest()}" belongs to nothing')
    return condition


class _Reader:
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def at_end(self) -> bool:
        self._skip()
        return self._at >= len(self._text)

    def rest(self) -> str:
        return self._text[self._at : self._at + 30]

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _word(self, word: str) -> bool:
        return self._take(re.compile(rf"{re.escape(word)}(?![A-Za-z0-9_.])")) is not None

    def _sign(self, sign: str) -> bool:
        return self._take(re.compile(re.escape(sign))) is not None

    def either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._word("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, depth: int) -> Condition:
        parts = [self._single(depth)]
        while self._word("and"):
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _single(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise Unclear(f"nested more than {MAX_DEPTH} levels deep")
        if self._word("not"):
            return Not(self._single(depth + 1))
        if self._sign("("):
            inner = self.either(depth + 1)
            if not self._sign(")"):
                raise Unclear("a parenthesis is not closed")
            return inner
        name = self._take(_NAME)
        if name is None or name[0] in ("and", "or"):
            raise Unclear(f'no condition at "{self.rest()}"')
        if "." not in name[0]:
            return MacroName(name[0])
        return self._comparison(name[0])

    def _comparison(self, field: str) -> Condition:
        operator = self._take(_OPERATOR)
        if operator is None:
            raise Unclear(f'no operator after {field}: "{self.rest()}"')
        if operator[0] == "exists":
            return Comparison(field, "exists", ())
        if operator[0] not in _MANY:
            return Comparison(field, operator[0], (self._value(),))
        if not self._sign("("):
            raise Unclear(f"{field} {operator[0]} without a list")
        values: list[str] = []
        while not self._sign(")"):
            if values and not self._sign(","):
                raise Unclear(f"the list of {field} {operator[0]} is not closed")
            values.append(self._value())
        return Comparison(field, operator[0], tuple(values))

    def _value(self) -> str:
        found = self._take(_VALUE)
        if found is None:
            raise Unclear(f'no value at "{self.rest()}"')
        if found[3] is not None:
            if self._text[self._at : self._at + 1] == "(":
                raise Unclear(f"{found[3]}(…) is not understood")
            return found[3]
        quoted = found[1] if found[1] is not None else found[2]
        return re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
