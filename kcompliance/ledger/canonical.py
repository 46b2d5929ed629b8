"""RFC 8785 (JSON Canonicalization Scheme) bytes of a record, and the strict way back.

A record has exactly one form in bytes: what does not come back the same when it is written again
is refused. Records hold no floats at all and no integer that a double could not carry, so any
JSON library of any language reads the same from them (RFC 8785 section 3.2.2.3, RFC 7493).
"""

import json
import re
from typing import Any, NoReturn

import rfc8785

from kcompliance.ledger.findings import Refused

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MAX_RECORD_BYTES",
    "JsonObject",
    "canonical_bytes",
    "parse_canonical",
]

JsonObject = dict[str, Any]
"""Text, integers, booleans, null, lists and objects; no floats."""

MAX_RECORD_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1


def canonical_bytes(record: JsonObject) -> bytes:
    """The one form of this record; ValueError for what no record may hold."""
    try:
        _refuse_unfit(record)
        data = rfc8785.dumps(record)
    except (_NotCanonicalError, UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        raise ValueError(f"this cannot be a record: {error}") from error
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {len(data)} bytes: {MAX_RECORD_BYTES} are allowed")
    return data


def parse_canonical(data: bytes, *, limit: int = MAX_RECORD_BYTES) -> JsonObject | Refused:
    """The record that these bytes are the canonical form of; bounded in time and memory."""
    if len(data) > limit:
        return Refused(f"{len(data)} bytes where {limit} are allowed")
    try:
        value = _parse(data)
        if rfc8785.dumps(value) != data:
            return Refused("not the canonical form of what it says")
    except (_NotCanonicalError, UnicodeError, rfc8785.CanonicalizationError) as error:
        return Refused(str(error))
    except json.JSONDecodeError as error:
        return Refused(f"not JSON: {error.msg} at character {error.pos}")
    return value


class _NotCanonicalError(Exception):
    """Never leaves this module."""


def _parse(data: bytes) -> JsonObject:
    if data.startswith(b"\xef\xbb\xbf"):
        raise _NotCanonicalError("starts with a byte order mark")
    text = data.decode("utf-8")
    # json recurses, and how deep it may depends on who called: counted before it is parsed.
    if _depth(text) > MAX_DEPTH:
        raise _NotCanonicalError(f"nested more than {MAX_DEPTH} levels deep")
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise _NotCanonicalError("not an object")
    return value


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")


def _depth(text: str) -> int:
    """How deep brackets nest outside of strings; of what is no JSON, any number."""
    depth = deepest = 0
    for bracket in _NO_BRACKET.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotCanonicalError(f"{twice!r} stands there twice")
    return result


def _integer(text: str) -> int:
    # The length first: to read thousands of digits takes quadratic time.
    if len(text) > len(str(-MAX_INTEGER)) or abs(int(text)) > MAX_INTEGER:
        raise _NotCanonicalError("an integer beyond 2^53-1")
    return int(text)


def _float(text: str) -> NoReturn:
    raise _NotCanonicalError(f"{text[:20]!r} is not an integer")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_float
)


def _refuse_unfit(value: object, depth: int = 0) -> None:
    """Everything that `parse_canonical` would not take back."""
    if isinstance(value, dict | list | tuple):
        if depth == MAX_DEPTH:
            raise _NotCanonicalError(f"nested more than {MAX_DEPTH} levels deep")
        for name in value if isinstance(value, dict) else ():
            if not isinstance(name, str):
                raise _NotCanonicalError(f"the name {name!r} is not text")
        for part in value.values() if isinstance(value, dict) else value:
            _refuse_unfit(part, depth + 1)
    elif value is not None and not isinstance(value, str | int):
        raise _NotCanonicalError(f"{value!r} is not text, an integer, a boolean or null")
