"""What a verifier knows of an archive: the trust file."""

import re
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.independent.log import Key
from tests.independent.notes import Vkey
from tests.independent.words import Bad

__all__ = ["Trust", "read_trust"]

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass
class Trust:
    origin: str
    keys: list[Key]
    pin: tuple[int, bytes] | None
    outside: int
    max_age: timedelta | None
    streams: dict[str, timedelta | None]


def read_trust(data: bytes) -> Trust:
    """Strictly: a word that is not known may be a demand."""
    file = tomllib.loads(data.decode())
    origin = file.pop("origin")
    keys = [_key(table, origin) for table in file.pop("key")]
    pin = file.pop("pin", None)
    require = file.pop("require", {})
    streams = {
        each.pop("name"): _length(each.pop("cadence", None)) for each in file.get("stream", [])
    }
    known = {"outside", "max_age", "min_retention"}
    if any(file.pop("stream", [])) or file.keys() - {"tsa", "witness"} or require.keys() - known:
        raise Bad("a trust file says something that is not known")
    return Trust(
        origin=origin,
        keys=keys,
        pin=None if pin is None else (pin["size"], bytes.fromhex(pin["root"])),
        outside=require.get("outside", 1),
        max_age=_length(require.get("max_age")),
        streams=streams,
    )


def _key(table: dict[str, Any], origin: str) -> Key:
    key = Key(Vkey(table["vkey"]), table.get("from_size", 0), table.get("to_size"))
    if key.vkey.name != origin:
        raise Bad("a key of another archive")
    return key


def _length(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = re.fullmatch("([0-9]+)([dhms])", text)
    if found is None:
        raise Bad(f"no length of time: {text}")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
