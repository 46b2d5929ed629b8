"""Durations as Kubernetes, Elasticsearch and Azure write them.

None always means: this is not such a duration, or one that is too long to be one.
"""

import re
from datetime import timedelta

__all__ = [
    "MONTHS_6",
    "MONTHS_6_STRICT",
    "MONTHS_9",
    "MONTHS_9_STRICT",
    "YEARS_2",
    "YEARS_2_STRICT",
    "parse_elastic_duration",
    "parse_go_duration",
    "parse_iso8601_duration",
]

MONTHS_6 = timedelta(days=180)
MONTHS_9 = timedelta(days=270)
YEARS_2 = timedelta(days=730)
"""A month is 30 days here, a year 365, as Curator and Azure count them."""

MONTHS_6_STRICT = timedelta(days=184)
MONTHS_9_STRICT = timedelta(days=276)
YEARS_2_STRICT = timedelta(days=731)
"""The longest that as many calendar months or years can be."""


def parse_go_duration(text: str) -> timedelta | None:
    """Read `1h30m`, `-1.5s`, `300ms`, `0`, as Go's `time.ParseDuration` does.

    Below a microsecond it is cut off. Beyond 292 years Go refuses it too.
    """
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if digits == "0":
        return timedelta()
    if not _GO.fullmatch(digits):
        return None
    total = 0
    for whole, fraction, unit in _GO_PART.findall(digits):
        nanoseconds = _GO_UNITS[unit]
        if len(whole.lstrip("0")) > _MOST_DIGITS:
            return None
        total += int(whole.lstrip("0") or "0") * nanoseconds + _go_fraction(fraction, nanoseconds)
    if total > (_GO_LONGEST if sign > 0 else _GO_LONGEST + 1):
        return None
    return timedelta(microseconds=sign * (total // 1000))


def _go_fraction(digits: str, nanoseconds: int) -> int:
    """Go reckons with a float here, and drops digits that an int64 cannot take any more."""
    value, scale = 0, 1.0
    for digit in digits:
        if value * 10 + int(digit) > 2**63:
            break
        value, scale = value * 10 + int(digit), scale * 10
    return int(value * (nanoseconds / scale))


def parse_elastic_duration(text: str) -> timedelta | None:
    """Read `30d`, `12h`, `500ms`: one whole number and one unit."""
    found = _ELASTIC.fullmatch(text)
    if not found:
        return None
    return _timedelta(int(found[1]) * _ELASTIC_UNITS[found[2]])


def parse_iso8601_duration(text: str) -> timedelta | None:
    """Read `P180D`, `PT5M`, `P1Y6M`, `P2W`: a month counts 30 days, a year 365, as .NET does.

    Only the last part may have a fraction; a sign is refused.
    """
    found = _ISO.fullmatch(text)
    if not found or text.endswith(("P", "T")):
        return None
    parts = [part for part in found.groupdict().values() if part is not None]
    if any(not part.isdecimal() for part in parts[:-1]):
        return None
    total = 0
    for unit, part in found.groupdict().items():
        if part is not None:
            whole, _, fraction = part.replace(",", ".").partition(".")
            total += int(whole) * _ISO_UNITS[unit]
            total += int(fraction or "0") * _ISO_UNITS[unit] // 10 ** len(fraction)
    return _timedelta(total)


_MICROSECOND = 1_000
_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_MOST_DIGITS = 19

_GO_UNITS = {
    "ns": 1,
    "us": _MICROSECOND,
    "µs": _MICROSECOND,
    "μs": _MICROSECOND,
    "ms": _MILLISECOND,
    "s": _SECOND,
    "m": _MINUTE,
    "h": _HOUR,
}
_GO_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_GO_UNIT = "|".join(_GO_UNITS)
_GO = re.compile(rf"(?:{_GO_NUMBER}(?:{_GO_UNIT}))+")
_GO_PART = re.compile(rf"([0-9]*)(?:\.([0-9]*))?({_GO_UNIT})")
_GO_LONGEST = 2**63 - 1

_ELASTIC = re.compile(r"([0-9]{1,18})(d|h|m|s|ms|micros|nanos)")
_ELASTIC_UNITS = {
    "d": _DAY,
    "h": _HOUR,
    "m": _MINUTE,
    "s": _SECOND,
    "ms": _MILLISECOND,
    "micros": _MICROSECOND,
    "nanos": 1,
}

_ISO_NUMBER = r"[0-9]{1,18}(?:[.,][0-9]{1,18})?"
_ISO = re.compile(
    rf"P(?:(?P<years>{_ISO_NUMBER})Y)?(?:(?P<months>{_ISO_NUMBER})M)?"
    rf"(?:(?P<weeks>{_ISO_NUMBER})W)?(?:(?P<days>{_ISO_NUMBER})D)?"
    rf"(?:T(?:(?P<hours>{_ISO_NUMBER})H)?(?:(?P<minutes>{_ISO_NUMBER})M)?"
    rf"(?:(?P<seconds>{_ISO_NUMBER})S)?)?"
)
_ISO_UNITS = {
    "years": 365 * _DAY,
    "months": 30 * _DAY,
    "weeks": 7 * _DAY,
    "days": _DAY,
    "hours": _HOUR,
    "minutes": _MINUTE,
    "seconds": _SECOND,
}


def _timedelta(nanoseconds: int) -> timedelta | None:
    try:
        return timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
