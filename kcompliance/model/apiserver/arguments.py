"""The flags that one kube-apiserver was started with, read as the server itself reads them.

Source: github.com/spf13/pflag, and what kube-apiserver 1.36.4 logs and refuses when it is started
with such arguments.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kcompliance.model.apiserver.flag_names import BOOLEAN_FLAGS, VALUE_FLAGS

__all__ = ["Arguments", "Flag", "parse_argv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag as it was given; a boolean one written alone has the value "true".

    `known` is False where the value is only a reference to something not at hand, such as
    `$(HOST_IP)`: `value` is then the reference.
    """

    name: str
    value: str
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """All flags in order, repeated ones too, with `_` in names already turned into `-`.

    `problems` are sentences about what was not understood or what the server would refuse.
    `complete` is False where flags may also come from a place that was not read, so that a flag
    which is not here may still be set.
    """

    flags: tuple[Flag, ...] = ()
    problems: tuple[str, ...] = ()
    complete: bool = True

    def flag(self, name: str) -> Flag | None:
        """The flag as the server takes it: the last one wins. None when it was never given."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)

    def value(self, name: str) -> str | None:
        """The value that counts, None when the flag was never given; "" is a value."""
        found = self.flag(name)
        return None if found is None else found.value


def parse_argv(argv: Sequence[str]) -> Arguments:
    """Read the words after the name of the binary."""
    reading = _Reading()
    position = 0
    while position < len(argv):
        word = argv[position]
        position += 1
        if word == "--":
            reading.positional(argv[position:])
            break
        name, value = _name_and_value(word)
        if name is None:
            reading.not_a_flag(word)
        elif value is not None:
            reading.add(name, value)
        elif position < len(argv) and _takes_next(name, argv[position]):
            reading.add(name, argv[position])
            position += 1
        else:
            reading.add_alone(name)
    return reading.result()


_SHORTHANDS = {"h": "help", "v": "v"}
_REFERENCE = re.compile(r"\$\([^)]*\)?|\$\{[^}]*\}?|\$[A-Za-z_@*]\w*|`|\{\{")
"""What a shell, the kubelet or a template engine would have replaced."""

_LONGEST_SHOWN = 120

_FILES_WITH_FLAGS = ("openshift-config",)


def _name_and_value(word: str) -> tuple[str | None, str | None]:
    """Name None: not a flag. Value None: not in this word."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        if not name or name.startswith("-"):
            return None, None
        return name.replace("_", "-"), value if equals else None
    if word[:1] != "-" or word[1:2] not in _SHORTHANDS:
        return None, None
    value = word[2:].removeprefix("=")
    return _SHORTHANDS[word[1]], value if len(word) > 2 else None


def _takes_next(name: str, following: str) -> bool:
    """Of a flag that no release we know has, a word that looks like a flag is not the value."""
    if name in BOOLEAN_FLAGS:
        return False
    return name in VALUE_FLAGS or not following.startswith("--")


def _shown(word: str) -> str:
    return repr(word if len(word) <= _LONGEST_SHOWN else word[:_LONGEST_SHOWN] + "…")


class _Reading:
    """Flags and problems as they are met."""

    def __init__(self) -> None:
        self._flags: list[Flag] = []
        self._problems: dict[str, None] = {}
        self._complete = True

    def add(self, name: str, value: str) -> None:
        reference = _REFERENCE.search(value)
        if reference:
            self._problem(f"--{name}: the value comes from {_shown(reference[0])}, not known here")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            self._problem(f"--{name}: the quotes are part of the value {_shown(value)}")
        if name in _FILES_WITH_FLAGS:
            self._problem(f"more flags come from the file {_shown(value)}, which is not read here")
            self._complete = False
        self._flags.append(Flag(name=name, value=value, known=reference is None))

    def add_alone(self, name: str) -> None:
        """A boolean flag is true; another one lacks what it needs, and the server refuses it."""
        if name in BOOLEAN_FLAGS:
            self._flags.append(Flag(name=name, value="true"))
        elif name in VALUE_FLAGS:
            self._problem(f"flag --{name} has no value")
        else:
            self._problem(f"flag --{name} is not known here: taken for one without a value")
            self._flags.append(Flag(name=name, value="true"))

    def not_a_flag(self, word: str) -> None:
        if word.startswith("-") and word != "-":
            self._problem(f"not a flag that the server knows: {_shown(word)}")
        else:
            self.positional([word])

    def positional(self, words: Sequence[str]) -> None:
        """The server takes no other arguments than flags, but lets empty ones pass."""
        for word in words:
            reference = _REFERENCE.match(word)
            if reference:
                self._problem(f"more arguments come from {_shown(reference[0])}, not known here")
                self._complete = False
            elif word:
                self._problem(f"positional argument {_shown(word)}")

    def result(self) -> Arguments:
        return Arguments(
            flags=tuple(self._flags), problems=tuple(self._problems), complete=self._complete
        )

    def _problem(self, sentence: str) -> None:
        self._problems[sentence] = None
