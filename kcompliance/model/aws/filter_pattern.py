"""Filter patterns of CloudWatch Logs over JSON: does one match this event, or every audit event?

`{ ($.eventSource = "eks.amazonaws.com") && ($.eventName = UpdateClusterConfig) }`. The answer has
three values: None is said wherever the pattern or the event does not decide it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

__all__ = ["ANYTHING", "AUDIT_EVENT", "matches_every_audit_event", "matches_json"]

Verdict: TypeAlias = bool | None


class _Anything:
    """A field that every event has, with a value that differs."""


ANYTHING: Final = _Anything()

AUDIT_EVENT: Final[Mapping[str, Any]] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": ANYTHING,
    "auditID": ANYTHING,
    "stage": ANYTHING,
    "requestURI": ANYTHING,
    "verb": ANYTHING,
    "requestReceivedTimestamp": ANYTHING,
    "stageTimestamp": ANYTHING,
}
"""What holds for each audit event; a field that is not here may be there or not."""


def matches_every_audit_event(pattern: str) -> bool:
    """Whether it is proven that nothing of an audit log is filtered out."""
    return not pattern.strip() or matches_json(pattern, AUDIT_EVENT, whole=False) is True


def matches_json(pattern: str, event: Mapping[str, Any], *, whole: bool = True) -> Verdict:
    """Whether the pattern matches; `whole`: what the event does not have does not exist."""
    text = pattern.strip()
    if not text:
        return True
    if not (text.startswith("{") and text.endswith("}")):
        return None  # words, or columns: not about JSON
    tokens = _tokens(text[1:-1])
    if tokens is None:
        return None
    parser = _Parser(tokens=tokens, event=event, whole=whole)
    try:
        verdict = parser.disjunction()
    except (_Unknown, RecursionError):
        return None
    return verdict if parser.at == len(tokens) else None


# --- reading ---------------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||!=|>=|<=|=|<|>|\(|\))"""
    r"""|(?P<path>\$[^\s=!<>()&|]*)"""
    r"""|(?P<quoted>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<regex>%[^%]*%)"""
    r"""|(?P<word>[^\s=!<>()&|]+))"""
)


class _Unknown(Exception):
    """Not a pattern that is understood here."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token] | None:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            return None
        kind = str(found.lastgroup)
        tokens.append(_Token(kind, found[kind]))
        at = found.end()
    return tokens


_CONSTANTS: Final[Mapping[str, bool | None]] = {"TRUE": True, "FALSE": False, "NULL": None}


@dataclass(slots=True, kw_only=True)
class _Parser:
    tokens: list[_Token]
    event: Mapping[str, Any]
    whole: bool
    at: int = 0

    def disjunction(self) -> Verdict:
        verdict = self.conjunction()
        while self._accept("||"):
            verdict = _or(verdict, self.conjunction())
        return verdict

    def conjunction(self) -> Verdict:
        verdict = self.term()
        while self._accept("&&"):
            verdict = _and(verdict, self.term())
        return verdict

    def term(self) -> Verdict:
        if self._accept("("):
            verdict = self.disjunction()
            if not self._accept(")"):
                raise _Unknown
            return verdict
        path = self._next("path")
        there, value = self._value(path.text)
        operator = self._next("op", "word")
        if operator.kind == "word":
            return self._word(operator.text.upper(), there, value)
        return _compared(operator.text, there, value, self._next("quoted", "word", "regex"))

    def _word(self, word: str, there: Verdict, value: Any) -> Verdict:
        if word == "EXISTS":
            return there
        following = self._next("word").text.upper()
        if word == "NOT" and following == "EXISTS":
            return _not(there)
        if word == "IS" and following in _CONSTANTS:
            if value is ANYTHING or there is None:
                return None
            return bool(there) and value is _CONSTANTS[following]
        raise _Unknown

    def _value(self, path: str) -> tuple[Verdict, Any]:
        """Whether there is such a field, and its value."""
        current: Any = self.event
        for index, step in enumerate(_steps(path)):
            if isinstance(current, Mapping) and step in current:
                current = current[step]
            elif isinstance(current, list) and step.isdigit() and int(step) < len(current):
                current = current[int(step)]
            elif current is ANYTHING or (not self.whole and index == 0):
                return None, ANYTHING
            else:
                return False, None
        return True, current

    def _accept(self, text: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == _Token("op", text):
            self.at += 1
            return True
        return False

    def _next(self, *kinds: str) -> _Token:
        if self.at >= len(self.tokens) or self.tokens[self.at].kind not in kinds:
            raise _Unknown
        self.at += 1
        return self.tokens[self.at - 1]


_STEP: Final = re.compile(
    r"\.?(?:(?P<name>[^.\[\]'\"]+)|\[(?P<index>\d+)\]|\[['\"](?P<key>[^'\"]+)['\"]\])"
)


def _steps(path: str) -> list[str]:
    steps, at = [], 1  # behind the dollar sign
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or found.end() == at:
            raise _Unknown
        steps.append(found["name"] or found["index"] or found["key"])
        at = found.end()
    return steps


# --- comparing -------------------------------------------------------------------------------


def _compared(operator: str, there: Verdict, value: Any, wanted: _Token) -> Verdict:
    if operator not in _COMPARISONS:
        raise _Unknown
    if there is False:
        # A field that is not there equals nothing; AWS says that != does not match it either.
        return False
    if operator in ("=", "!=") and wanted.text in ("*", '"*"'):
        return there if operator == "=" else _not(there)
    if there is None or value is ANYTHING or isinstance(value, Mapping | list):
        return None
    return _COMPARISONS[operator](value, wanted)


def _equal(value: Any, wanted: _Token) -> Verdict:
    if wanted.kind == "regex":
        return None  # a dialect of its own
    text = _unquoted(wanted)
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return _number(text) == float(value)
    pattern = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", text))
    return re.fullmatch(pattern, str(value), re.DOTALL) is not None


def _unequal(value: Any, wanted: _Token) -> Verdict:
    return _not(_equal(value, wanted))


def _ordered(holds: Callable[[float, float], bool]) -> Callable[[Any, _Token], Verdict]:
    def compare(value: Any, wanted: _Token) -> Verdict:
        limit = _number(_unquoted(wanted))
        if limit is None or isinstance(value, bool) or not isinstance(value, int | float):
            return None if limit is None else False
        return holds(float(value), limit)

    return compare


_COMPARISONS: Final[Mapping[str, Callable[[Any, _Token], Verdict]]] = {
    "=": _equal,
    "!=": _unequal,
    "<": _ordered(lambda value, limit: value < limit),
    ">": _ordered(lambda value, limit: value > limit),
    "<=": _ordered(lambda value, limit: value <= limit),
    ">=": _ordered(lambda value, limit: value >= limit),
}


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "quoted" else token.text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _not(verdict: Verdict) -> Verdict:
    return None if verdict is None else not verdict


def _and(one: Verdict, other: Verdict) -> Verdict:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _or(one: Verdict, other: Verdict) -> Verdict:
    return _not(_and(_not(one), _not(other)))
