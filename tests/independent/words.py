"""What several modules need: refusals, canonical JSON, times, names of streams."""

import json
import re
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "HEX",
    "MOST",
    "UUID",
    "Bad",
    "canonical",
    "is_safe",
    "kind_of",
    "moment",
    "parse",
    "stream_name",
]

MOST = 2**53 - 1
HEX = re.compile("[0-9a-f]{64}")


class Bad(Exception):
    """Something is not what the format says."""


# --- canonical JSON (RFC 8785, without floats) ------------------------------------------------


def canonical(value: Any) -> bytes:
    """The one form of a value in bytes."""
    text = json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        # By UTF-16 code units, as the names of JavaScript's objects are.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return {name: _sorted(value[name]) for name in names}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def parse(data: bytes, limit: int = 65536) -> dict[str, Any]:
    """The object whose canonical form these bytes are."""
    if len(data) > limit:
        raise Bad("too long")
    try:
        value = json.loads(data.decode(), parse_float=_no_float, parse_constant=_no_float)
        if not isinstance(value, dict) or not _is_plain(value, 1) or canonical(value) != data:
            raise Bad("not a canonical object")
    except (UnicodeError, ValueError, RecursionError) as error:
        raise Bad(f"no JSON: {error}") from error
    return value


def _no_float(text: str) -> Any:
    raise ValueError(text)


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return depth <= 16 and all(_is_plain(each, depth + 1) for each in parts)
    return not isinstance(value, int) or abs(value) <= MOST


# --- texts ------------------------------------------------------------------------------------

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{6})?Z", re.ASCII)
_PART = re.compile("[a-z0-9][a-z0-9._-]{0,62}")
_DEVICES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10))}
_DEVICES |= {f"lpt{n}" for n in range(10)}


def moment(text: Any) -> datetime:
    """A time as records write it."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[2] == ".000000":
        raise Bad(f"no time: {text!r}")
    try:
        return datetime.fromisoformat(found[1] + (found[2] or "")).replace(tzinfo=UTC)
    except ValueError as error:
        raise Bad(f"no time: {text!r}") from error


def stream_name(text: Any) -> str:
    """A stream's name: two parts that are safe everywhere."""
    parts = text.split("/") if isinstance(text, str) else []
    if len(parts) != 2 or not all(_PART.fullmatch(each) for each in parts) or not is_safe(text):
        raise Bad(f"no stream: {text!r}")
    return str(text)


def is_safe(path: str) -> bool:
    """Whether a path of the characters that names of archives have means the same everywhere."""
    parts = path.split("/")
    return re.fullmatch("[a-z0-9._/-]{1,1024}", path) is not None and all(
        part and part[-1] != "." and part.split(".")[0] not in _DEVICES for part in parts
    )


UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOUR = re.compile("seg/([^/]+/[^/]+)/([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})/[^/]+")
_FORMS = {
    "run": rf"run/{UUID.pattern}\.json",
    "seg": rf"seg/[^/]+/[^/]+/[0-9]{{4}}(/[0-9]{{2}}){{3}}/{HEX.pattern}\.ndjson\.zst",
    "meta": rf"meta/{HEX.pattern}\.json\.zst",
    "log": rf"log/[0-9]{{12}}-{HEX.pattern}\.ndjson",
    "cp": r"cp/[0-9]{12}\.ckpt",
    "anchor": r"anchor/[0-9]{12}\.[a-z][a-z0-9.-]{0,30}[a-z0-9]",
}


def kind_of(name: str) -> str | None:
    """What an object is by its name; None for a name that no archive has."""
    kind = name.partition("/")[0]
    if kind not in _FORMS or not re.fullmatch(_FORMS[kind], name, re.ASCII):
        return None
    if found := _HOUR.fullmatch(name):
        try:
            stream_name(found[1])
            year, month, day, hour = (int(found[group]) for group in (2, 3, 4, 5))
            if (year, month, day, hour) != (0, 0, 0, 0):
                datetime(year, month, day, hour, tzinfo=UTC)
        except (Bad, ValueError):
            return None
    return kind
