"""Resolves YAML scalars as go-yaml v2 does: YAML 1.1 with Go's own numbers.

Source: go.yaml.in/yaml/v2 `resolve.go`.
"""

import base64
import binascii
import math
import re
import struct

__all__ = ["Malformed", "float_as_key", "resolve"]


class Malformed(Exception):
    """The server refuses these bytes; the message says why."""


_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, tuple[str, bool | float | None]] = {
    **dict.fromkeys(
        ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], ("bool", True)
    ),
    **dict.fromkeys(
        ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"],
        ("bool", False),
    ),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], ("null", None)),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], ("float", math.nan)),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], ("float", math.inf)),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], ("float", -math.inf)),
}
_INTEGERS = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)"), 2),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)"), 8),
    (re.compile(r"([-+]?)(0|[1-9][0-9]*)"), 10),
)
_STRAY_BINARY = re.compile(r"0b([-+])([01]+)")  # go-yaml hands what follows 0b to ParseInt
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?)?"
)


def resolve(
    text: str, tag: str | None, *, plain: bool, line: int
) -> bool | int | float | str | None:
    """The value of a scalar with this text and tag; quoted text stays text.

    Raises Malformed where the server refuses it. A float may be infinite or none at all, which
    is refused as a value and not as a key.
    """
    if tag is None and not plain:
        return text
    if tag == _TAG + "binary":
        return _binary(text)
    kinds = {_TAG + kind: kind for kind in ("str", "bool", "int", "float", "null", "timestamp")}
    if tag is not None and tag not in kinds:
        return text
    wanted = kinds[tag] if tag is not None else None
    kind, value = ("str", text) if wanted == "str" else _guess(text, wanted)
    if wanted == "float" and kind == "int":
        kind = "float"
    if wanted not in (None, "str", kind):
        raise Malformed(f"line {line}: cannot decode !!{kind} `{text}` as a !!{wanted}")
    return value


def float_as_key(number: float) -> str:
    """As sigs.k8s.io/yaml writes it: `FormatFloat(number, 'g', -1, 32)`, with YAML's own names."""
    try:
        packed = struct.pack("f", number)
    except OverflowError:
        packed = struct.pack("f", math.copysign(math.inf, number))
    (single,) = struct.unpack("f", packed)
    if not math.isfinite(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    tries = (f"{single:.{digits}e}" for digits in range(9))
    shortest = next(text for text in tries if struct.pack("f", float(text)) == packed)
    mantissa, _, exponent = shortest.partition("e")
    if not -4 <= int(exponent) < 6:
        return shortest
    digits = len(mantissa.lstrip("-").replace(".", "")) - 1
    return f"{single:.{max(digits - int(exponent), 0)}f}"


def _guess(text: str, wanted: str | None) -> tuple[str, bool | int | float | str | None]:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        number = _float(text)
        return ("str", text) if number is None else ("float", number)
    if text[0] not in "+-0123456789":
        return "str", text
    if wanted in (None, "timestamp") and _TIMESTAMP.fullmatch(text):
        return "timestamp", text
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return "int", integer
    number = _float(plain)
    return ("str", text) if number is None else ("float", number)


def _integer(text: str) -> int | None:
    for pattern, base in _INTEGERS:
        if found := pattern.fullmatch(text):
            return _in_range(int(found[1] + found[2], base), signed=bool(found[1]))
    if found := _STRAY_BINARY.fullmatch(text):
        return _in_range(int(found[1] + found[2], 2), signed=True)
    return None


def _in_range(number: int, *, signed: bool) -> int | None:
    highest = 2**63 - 1 if signed else 2**64 - 1
    return number if -(2**63) <= number <= highest else None


def _float(text: str) -> float | None:
    if not _FLOAT.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _binary(text: str) -> str:
    try:
        raw = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except binascii.Error:
        raise Malformed("!!binary value contains invalid base64 data") from None
    return raw.decode("utf-8", "replace")
