"""The values of flags as Go reads them.

Source: github.com/spf13/pflag and Go's `strconv`; the tests quote what a server answered.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from kcompliance.model.apiserver.arguments import Arguments
from kcompliance.model.duration import parse_go_duration

__all__ = ["FlagValues"]

_Value = TypeVar("_Value")


class FlagValues:
    """Reads one flag after another, and keeps what the server would refuse (`invalid`) and the
    names of those whose value is only a reference (`unknown`); both of these read as None."""

    def __init__(self, arguments: Arguments) -> None:
        self.invalid: list[str] = []
        self.unknown: dict[str, None] = {}
        self._arguments = arguments

    def path(self, name: str) -> str | None:
        """Empty is as good as not given."""
        return self.text(name, default="") or None

    def text(self, name: str, *, default: str) -> str:
        """Any text will do, a reference too."""
        return self._read((name,), default, str, "") or ""

    def boolean(self, name: str, *, default: bool | None) -> bool | None:
        """`strconv.ParseBool`."""
        return self._read((name,), default, _BOOLEANS.get, "is not true or false")

    def integer(self, name: str, *, default: int | None) -> int | None:
        """`strconv.ParseInt(value, 0, 64)`."""
        return self._read((name,), default, _integer, "is not a whole number")

    def number(self, name: str, *, default: float | None) -> float | None:
        """`strconv.ParseFloat(value, 32)`."""
        return self._read((name,), default, _number, "is not a number")

    def duration(
        self, name: str, *, default: timedelta | None, former: str = ""
    ) -> timedelta | None:
        """`time.ParseDuration`; `former` is an older name of the same flag."""
        return self._read((name, former), default, parse_go_duration, "is not a duration")

    def _read(
        self,
        names: tuple[str, ...],
        default: _Value | None,
        parse: Callable[[str], _Value | None],
        problem: str,
    ) -> _Value | None:
        """The last value; one that cannot be read stops the server even if another follows."""
        result = default
        for flag in self._arguments.flags:
            if flag.name not in names:
                continue
            result = parse(flag.value)
            if not flag.known:
                self.unknown[flag.name] = None
            elif result is None:
                self.invalid.append(f"--{flag.name}={flag.value} {problem}")
        return result


_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_INTEGER = re.compile(
    r"([+-]?)(?:0[xX](?P<b16>(?:_?[0-9a-fA-F])+)|0[bB](?P<b2>(?:_?[01])+)"
    r"|0[oO]?(?P<b8>(?:_?[0-7])+)|(?P<b10>0|[1-9](?:_?[0-9])*))"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MOST_DIGITS = 64
_GREATEST_FLOAT32 = 3.4028234663852886e38


def _integer(value: str) -> int | None:
    """Go's `strconv.ParseInt(value, 0, 64)`: 0x1f, 0o17, 017, 1_000."""
    found = _INTEGER.fullmatch(value) if len(value) <= _MOST_DIGITS else None
    if not found or not found.lastgroup:
        return None
    digits = found[found.lastgroup].replace("_", "")
    number = int(found[1] + digits, int(found.lastgroup[1:]))
    return number if -(2**63) <= number < 2**63 else None


def _number(value: str) -> float | None:
    """Go's `strconv.ParseFloat(value, 32)`, but for hexadecimal, infinite and no numbers."""
    found = _NUMBER.fullmatch(value) if len(value) <= _MOST_DIGITS else None
    number = float(value) if found else None
    return number if number is not None and abs(number) <= _GREATEST_FLOAT32 else None
