"""The trust file: what a verifier knows of an archive from elsewhere than the archive.

`trust.toml` lies in the verifier's hands. Keys that an archive names itself earn no trust, so all
that `verify` can say for certain rests on this file. It is read strictly: a word that nobody
knows may be a demand that nobody would check.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import tomli_w

from kcompliance.ledger.canonical import MAX_INTEGER
from kcompliance.ledger.checkpoint import archive_id_of
from kcompliance.ledger.findings import Refused
from kcompliance.ledger.keys import KeyRing, TrustedKey
from kcompliance.ledger.names import StreamName, parse_stream_name
from kcompliance.ledger.note import parse_vkey
from kcompliance.ledger.times import Period, parse_period
from kcompliance.model.digest import parse_sha256
from kcompliance.model.duration import parse_elastic_duration

__all__ = ["ExpectedStream", "Pin", "Require", "Trust", "format_trust", "parse_trust"]

MAX_TRUST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A checkpoint that the verifier has seen: the archive has to contain it for ever."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Require:
    """What has to be there for a good verdict."""

    outside: int = 1
    """How many memories outside the archive have to fit."""
    max_age: timedelta | None = None
    """How old the last checkpoint may be; whole seconds."""
    min_retention: Period | None = None
    """How long every object has to be locked, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedStream:
    """A stream that the archive has to have, and how often it has to grow."""

    name: StreamName
    cadence: timedelta | None = None
    """Whole seconds; None: no matter how old its last window is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A trust file."""

    origin: str
    keys: tuple[TrustedKey, ...]
    pin: Pin | None = None
    require: Require = field(default_factory=Require)
    streams: tuple[ExpectedStream, ...] = ()
    tsas: tuple[Mapping[str, Any], ...] = ()
    """As they stand there: who checks tokens reads them."""
    witnesses: tuple[Mapping[str, Any], ...] = ()
    """As they stand there: who checks cosignatures reads them."""

    @property
    def ring(self) -> KeyRing:
        """The keys, as the log's own key records find them."""
        return KeyRing(self.keys)


def parse_trust(data: bytes) -> Trust | Refused:
    """Read a trust file; the reason of a refusal names the table and the key."""
    if len(data) > MAX_TRUST_BYTES:
        return Refused(f"longer than {MAX_TRUST_BYTES} bytes")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        return Refused("nested too deeply")
    except ValueError as error:
        # TOMLDecodeError and UnicodeDecodeError, and what int() says to thousands of digits.
        return Refused(f"not TOML: {error}")
    try:
        return _trust(_Table("", document))
    except _UnfitError as error:
        return Refused(str(error))


def format_trust(trust: Trust) -> bytes:
    """The file that `parse_trust` reads as this; ValueError where there is none."""
    pin, require = trust.pin, trust.require
    retention = require.min_retention
    document = {
        "origin": trust.origin,
        "pin": pin and {"size": pin.size, "root": pin.root.hex()},
        "require": _known(
            outside=require.outside,
            max_age=_format_duration(require.max_age),
            min_retention=None if retention is None else str(retention),
        ),
        "key": [
            _known(vkey=str(each.key), from_size=each.from_size, to_size=each.to_size)
            for each in trust.keys
        ],
        "stream": [
            _known(name=each.name, cadence=_format_duration(each.cadence)) for each in trust.streams
        ],
        "tsa": [dict(each) for each in trust.tsas],
        "witness": [dict(each) for each in trust.witnesses],
    }
    data = tomli_w.dumps({name: part for name, part in document.items() if part}).encode()
    if (reread := parse_trust(data)) != trust:
        reason = reread.reason if isinstance(reread, Refused) else "it would be read as another"
        raise ValueError(f"this cannot be a trust file: {reason}")
    return data


class _UnfitError(Exception):
    """Never leaves this module."""


class _Table:
    """A table whose keys are taken one by one; `done` refuses those that nobody asked for."""

    def __init__(self, name: str, content: object) -> None:
        if not isinstance(content, dict):
            raise _UnfitError(f"{name} is not a table")
        self._name = name
        self._content = dict(content)

    def text(self, key: str) -> str | None:
        value: str | None = self._take(key, str, "a text")
        return value

    def integer(self, key: str) -> int | None:
        value: int | None = self._take(key, int, "an integer")
        if value is not None and not 0 <= value <= MAX_INTEGER:
            raise self.unfit(key, "not from 0 to 2^53-1")
        return value

    def table(self, key: str) -> "_Table | None":
        if key not in self._content:
            return None
        return _Table(self._path(key), self._content.pop(key))

    def tables(self, key: str) -> list["_Table"]:
        content = self._content.pop(key, [])
        if not isinstance(content, list):
            raise self.unfit(key, f"not an array of tables: write [[{key}]]")
        return [_Table(f"{self._path(key)}[{place}]", each) for place, each in enumerate(content)]

    def rest(self) -> Mapping[str, Any]:
        content, self._content = self._content, {}
        return content

    def done(self) -> None:
        if self._content:
            raise self.unfit(min(self._content), "nobody knows this")

    def unfit(self, key: str, reason: str) -> _UnfitError:
        return _UnfitError(f"{self._path(key)}: {reason}")

    def _take(self, key: str, type_: type[Any], expected: str) -> Any:
        value = self._content.pop(key, None)
        if value is not None and type(value) is not type_:
            raise self.unfit(key, f"not {expected}")
        return value

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


def _trust(file: _Table) -> Trust:
    origin = file.text("origin") or ""
    if archive_id_of(origin) is None:
        raise file.unfit("origin", "not the origin of an archive: kcompliance/<its id>")
    trust = Trust(
        origin=origin,
        keys=tuple(_key(table, origin) for table in file.tables("key")),
        pin=_pin(file.table("pin")),
        require=_require(file.table("require")),
        streams=tuple(_stream(table) for table in file.tables("stream")),
        tsas=tuple(table.rest() for table in file.tables("tsa")),
        witnesses=tuple(table.rest() for table in file.tables("witness")),
    )
    file.done()
    if not trust.keys:
        raise file.unfit("key", "not one: without a trusted key nothing can be proven")
    if len({each.key for each in trust.keys}) != len(trust.keys):
        raise file.unfit("key", "one vkey is there twice")
    if len({each.name for each in trust.streams}) != len(trust.streams):
        raise file.unfit("stream", "one name is there twice")
    return trust


def _key(table: _Table, origin: str) -> TrustedKey:
    key = parse_vkey(table.text("vkey") or "")
    if isinstance(key, Refused):
        raise table.unfit("vkey", key.reason)
    if key.name != origin:
        raise table.unfit("vkey", f"a key of {key.name!r}, not of the origin")
    from_size, to_size = table.integer("from_size") or 0, table.integer("to_size")
    if to_size is not None and to_size <= from_size:
        raise table.unfit("to_size", "not above from_size")
    table.done()
    return TrustedKey(key=key, from_size=from_size, to_size=to_size)


def _pin(table: _Table | None) -> Pin | None:
    if table is None:
        return None
    size, root = table.integer("size"), parse_sha256(table.text("root") or "")
    if not size:
        raise table.unfit("size", "not the size of a tree")
    if root is None:
        raise table.unfit("root", "not 64 lower-case hex digits")
    table.done()
    return Pin(size=size, root=bytes.fromhex(root))


def _require(table: _Table | None) -> Require:
    if table is None:
        return Require()
    outside, retention = table.integer("outside"), table.text("min_retention")
    period = None if retention is None else parse_period(retention)
    if retention is not None and period is None:
        raise table.unfit("min_retention", f"{retention!r} is not a period like 2y or 730d")
    max_age = _duration(table, "max_age")
    table.done()
    return Require(
        outside=Require().outside if outside is None else outside,
        max_age=max_age,
        min_retention=period,
    )


def _stream(table: _Table) -> ExpectedStream:
    name = parse_stream_name(table.text("name") or "")
    if name is None:
        raise table.unfit("name", "not the name of a stream: cluster/dataset")
    cadence = _duration(table, "cadence")
    table.done()
    return ExpectedStream(name=name, cadence=cadence)


def _duration(table: _Table, key: str) -> timedelta | None:
    text = table.text(key)
    if text is None:
        return None
    duration = parse_elastic_duration(text)
    if not duration or duration.microseconds:
        raise table.unfit(key, f"{text!r} is not a duration like 26h or 2d, in whole seconds")
    return duration


def _format_duration(duration: timedelta | None) -> str | None:
    if duration is None:
        return None
    seconds = duration // timedelta(seconds=1)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _known(**content: object) -> dict[str, object]:
    """Without what is None, which TOML cannot say."""
    return {key: value for key, value in content.items() if value is not None}
