"""How values stand in records: for each kind one codec, which reads strictly and writes back.

A record's type is a table of fields, and reading and writing both follow that table, so they
cannot drift apart. Every field is always there, null where nothing is known, and nothing else is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from uuid import UUID

from kcompliance.ledger.canonical import MAX_INTEGER, JsonObject
from kcompliance.ledger.findings import FindingCode, Refused
from kcompliance.ledger.names import StreamName, parse_stream_name, parse_uuid
from kcompliance.ledger.note import VerifierKey, parse_vkey
from kcompliance.ledger.times import Period, format_time, parse_period, parse_time
from kcompliance.model.digest import Sha256, parse_sha256

__all__ = [
    "COUNT",
    "JSON_OBJECT",
    "PERIOD",
    "SHA256",
    "STREAM",
    "TEXT",
    "TIME",
    "UUID_TEXT",
    "VKEY",
    "Codec",
    "Field",
    "UnfitError",
    "either",
    "integer",
    "list_of",
    "nullable",
    "one_of",
    "pair_of",
    "structure",
]

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_NONE: Mapping[str, str | int] = MappingProxyType({})


class UnfitError(Exception):
    """A value that its schema does not take. Raised by codecs, caught where a record is read."""

    def __init__(
        self,
        reason: str,
        code: FindingCode = FindingCode.LEAF_MALFORMED,
        path: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{'.'.join(path)}: {reason}" if path else reason)
        self.reason = reason
        self.code = code
        self.path = path


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """`read` takes what JSON gives and raises UnfitError; `write` gives what JSON takes."""

    read: Callable[[object], T]
    write: Callable[[T], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field's name in JSON, its codec, and its attribute where that is called otherwise."""

    name: str
    codec: Codec[Any]
    attribute: str = ""


def structure(
    type_: type[T],
    *fields: Field,
    check: Callable[[T], None] | None = None,
    constants: Mapping[str, str | int] = _NONE,
) -> Codec[T]:
    """An object with exactly these fields, and constants, which are no attributes.

    `check` raises for values that contradict each other.
    """
    attributes = {field.name: field.attribute or field.name for field in fields}
    names = attributes.keys() | constants.keys()

    def read(value: object) -> T:
        if not isinstance(value, dict):
            raise UnfitError("not an object")
        if missing := names - value.keys():
            raise UnfitError(f"lacks {', '.join(sorted(missing))}")
        if unknown := value.keys() - names:
            raise UnfitError(f"has an unknown field {min(unknown)!r}")
        for name, constant in constants.items():
            if value[name] != constant or isinstance(value[name], bool):
                raise UnfitError(f"not {constant!r}", path=(name,))
        parts = {each.name: _at(each.name, each.codec, value[each.name]) for each in fields}
        result = type_(**{attributes[name]: part for name, part in parts.items()})
        if check is not None:
            check(result)
        return result

    def write(value: T) -> JsonObject:
        written = {
            each.name: each.codec.write(getattr(value, attributes[each.name])) for each in fields
        }
        return {**constants, **written}

    return Codec(read, write)


def either(choose: Callable[[JsonObject], Codec[Any]], of: Mapping[type, Codec[Any]]) -> Codec[Any]:
    """One of several structures: `choose` tells from the object which, `of` from the value."""

    def read(value: object) -> Any:
        if not isinstance(value, dict):
            raise UnfitError("not an object")
        return choose(value).read(value)

    return Codec(read, lambda value: of[type(value)].write(value))


def list_of(codec: Codec[T]) -> Codec[tuple[T, ...]]:
    """A list of any length."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise UnfitError("not a list")
        return tuple(_at(str(place), codec, part) for place, part in enumerate(value))

    return Codec(read, lambda value: [codec.write(part) for part in value])


def pair_of(codec: Codec[T]) -> Codec[tuple[T, T]]:
    """A list of two."""

    def read(value: object) -> tuple[T, T]:
        parts = list_of(codec).read(value)
        if len(parts) != 2:
            raise UnfitError("not a list of two")
        return (parts[0], parts[1])

    return Codec(read, lambda value: [codec.write(part) for part in value])


def nullable(codec: Codec[T]) -> Codec[T | None]:
    """The value, or null."""
    return Codec(
        lambda value: None if value is None else codec.read(value),
        lambda value: None if value is None else codec.write(value),
    )


def one_of(enum: type[E]) -> Codec[E]:
    """One of the values of an enum."""

    def read(value: object) -> E:
        for member in enum:
            if member.value == value:
                return member
        raise UnfitError(f"none of {', '.join(enum)}")

    return Codec(read, lambda member: member.value)


def integer(least: int, most: int = MAX_INTEGER) -> Codec[int]:
    """A whole number from `least` to `most`; true is none."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise UnfitError(f"not an integer from {least} to {most}")
        return value

    return Codec(read, _as_it_is)


def _as_it_is(value: T) -> T:
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UnfitError("not a text, or an empty one")
    return value


def _parsed(parse: Callable[[str], T | None], expected: str) -> Callable[[object], T]:
    def read(value: object) -> T:
        result = parse(value) if isinstance(value, str) else None
        if result is None:
            raise UnfitError(f"not {expected}")
        return result

    return read


def _vkey(value: object) -> VerifierKey:
    key = parse_vkey(_text(value))
    if isinstance(key, Refused):
        raise UnfitError(key.reason)
    return key


def _json_object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise UnfitError("not an object")
    return value


def _at(place: str, codec: Codec[T], value: object) -> T:
    try:
        return codec.read(value)
    except UnfitError as error:
        raise UnfitError(error.reason, error.code, (place, *error.path)) from None


TEXT: Codec[str] = Codec(_text, _as_it_is)
"""Any text but the empty one."""
COUNT: Codec[int] = integer(0)
SHA256: Codec[Sha256] = Codec(_parsed(parse_sha256, "64 lower-case hex digits"), _as_it_is)
UUID_TEXT: Codec[UUID] = Codec(_parsed(parse_uuid, "a UUID in lower case"), str)
TIME: Codec[datetime] = Codec(
    _parsed(parse_time, "a UTC time like 2026-07-01T00:00:00Z"), format_time
)
PERIOD: Codec[Period] = Codec(_parsed(parse_period, "a period like 2y or 730d"), str)
STREAM: Codec[StreamName] = Codec(_parsed(parse_stream_name, "a stream's name"), _as_it_is)
VKEY: Codec[VerifierKey] = Codec(_vkey, str)
JSON_OBJECT: Codec[JsonObject] = Codec(_json_object, _as_it_is)
"""An object of somebody else's making, as it is."""
