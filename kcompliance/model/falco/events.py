"""Events that a watcher of a path must see, and what a Falco condition says of each.

The program behind an event is one that no rule has heard of. `fd.*` is known while a file is
opened and not when it is renamed or deleted: there only `fs.path.*` and the event's arguments
name it (falco.org, "Accessing File System Paths in Falco Rules").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from fnmatch import translate
from pathlib import PurePosixPath
from typing import Final

from kcompliance.model.falco.conditions import (
    MAX_DEPTH,
    And,
    Comparison,
    Condition,
    MacroName,
    Not,
    Or,
    Unclear,
)

__all__ = ["Deed", "Event", "Memo", "Names", "Sight", "Verdict", "events_on", "see"]


class Deed(StrEnum):
    """What happens to a file."""

    OPENED = "opened for writing"
    RENAMED = "renamed or replaced"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One system call; `known` are its fields, and fields of the `lacking` kinds are empty."""

    deed: Deed
    known: Mapping[str, str]
    lacking: tuple[str, ...]


_EVERY: Final = {"evt.dir": "<", "evt.num": "1", "evt.failed": "false", "evt.res": "SUCCESS"}
_ELSEWHERE: Final = "/kcompliance-elsewhere/file"


def events_on(path: str) -> tuple[Event, ...]:
    """Everything that changes, replaces or takes away the file of this path."""
    file = PurePosixPath(path)
    place = {"fd.name": path, "fd.directory": str(file.parent), "fd.filename": file.name}
    opened = {**_EVERY, **place, "evt.is_open_write": "true", "fd.num": "3", "evt.rawres": "3"}
    opened |= {"fd.typechar": "f", "fd.type": "file", "fs.path.name": path, "evt.arg.name": path}
    done = {**_EVERY, "evt.rawres": "0"}
    events = [
        Event(
            deed=Deed.OPENED,
            known={**opened, "evt.type": call, "syscall.type": call},
            lacking=("fs.path.source", "fs.path.target", "evt.arg.path", "evt.arg.oldpath"),
        )
        for call in ("open", "openat", "openat2")
    ]
    for call in ("rename", "renameat", "renameat2"):
        for old, new in ((path, _ELSEWHERE), (_ELSEWHERE, path)):
            known = {**done, "evt.type": call, "syscall.type": call}
            known |= {"fs.path.source": old, "fs.path.target": new}
            known |= {"evt.arg.oldpath": old, "evt.arg.newpath": new}
            lacking = ("fd", "fs.path.name", "evt.is_open", "evt.arg.path", "evt.arg.name")
            events.append(Event(deed=Deed.RENAMED, known=known, lacking=lacking))
    for call, argument in (("unlink", "path"), ("unlinkat", "name")):
        known = {**done, "evt.type": call, "syscall.type": call, "fs.path.name": path}
        known[f"evt.arg.{argument}"] = path
        lacking = ("fd", "fs.path.source", "fs.path.target", "evt.is_open", "evt.arg")
        events.append(Event(deed=Deed.DELETED, known=known, lacking=lacking))
    return tuple(events)


class Verdict(Enum):
    """Whether a rule reports an event; the better ones first."""

    ALWAYS = 0
    BUT_FOR = 1
    """Whoever does it, but for programs that nobody expects to be left out."""
    UNCLEAR = 2
    ONLY = 3
    """Only where more is true of whoever does it."""
    NEVER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The verdict, and the parts of the condition behind it where it is none of the extremes."""

    verdict: Verdict
    because: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Conditions that only leave out programs whose work these files are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What macros and lists stand for."""

    macros: Mapping[str, Condition]
    lists: Mapping[str, tuple[str, ...]]


_OWN_WRITERS: Final = frozenset(
    {"kube-apiserver", "kubelet", "kubeadm", "k3s", "k3s-server", "rke2", "hyperkube"}
)
_NO_NAME: Final = frozenset({"", "<NA>", "N/A", "null"})


class _As(Enum):
    """How conditions on the program behind an event are taken."""

    OPEN = 0
    OWN_WRITERS_FALSE = 1
    STRANGER = 2


@dataclass(slots=True)
class _Look:
    """One way to look at one event; `open` gathers the comparisons that were left open."""

    event: Event
    names: Names
    how: _As
    depth: int = 0
    memo: "Memo" = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    """Macros that nothing defines: Falco takes no rule with one."""


@dataclass(frozen=True, slots=True)
class _Macro:
    """What a macro gives, what it leaves open, and which macros in it nothing defines."""

    truth: bool | None
    open: tuple[str, ...]
    lacking: tuple[str, ...]


Memo = dict[tuple[_As, str], _Macro]
"""What was found of macros; good for one event."""


def see(condition: Condition, event: Event, names: Names, memo: Memo | None = None) -> Sight:
    """Whether a rule of this condition reports this event; raises `Unclear`.

    Rules that are asked about the same event may share a `memo`.
    """
    memo = {} if memo is None else memo
    plain = _Look(event=event, names=names, how=_As.OPEN, memo=memo)
    truth = _truth(condition, plain)
    if plain.lacking and truth is not False:
        raise Unclear(f"the macro {plain.lacking[0]} is not in what was given")
    if truth is not None:
        return Sight(verdict=Verdict.ALWAYS if truth else Verdict.NEVER)
    own = _Look(event=event, names=names, how=_As.OWN_WRITERS_FALSE, memo=memo)
    if _truth(condition, own):
        return Sight(verdict=Verdict.ALWAYS, left_out=tuple(dict.fromkeys(plain.open)))
    stranger = _Look(event=event, names=names, how=_As.STRANGER, memo=memo)
    verdict = {True: Verdict.BUT_FOR, None: Verdict.UNCLEAR, False: Verdict.ONLY}
    found = _truth(condition, stranger)
    because = stranger.open if found is None else own.open
    return Sight(verdict=verdict[found], because=tuple(dict.fromkeys(because)))


def _truth(condition: Condition, look: _Look) -> bool | None:
    """True, False, or None where it depends on what is left open."""
    look.depth += 1
    if look.depth > MAX_DEPTH:
        raise Unclear(f"nested more than {MAX_DEPTH} levels deep")
    truth = _truth_of(condition, look)
    look.depth -= 1
    return truth


def _truth_of(condition: Condition, look: _Look) -> bool | None:
    match condition:
        case And(parts=parts):
            found = [_truth(part, look) for part in parts]
            return False if False in found else None if None in found else True
        case Or(parts=parts):
            found = [_truth(part, look) for part in parts]
            return True if True in found else None if None in found else False
        case Not(inner=inner):
            truth = _truth(inner, look)
            return None if truth is None else not truth
        case MacroName(name=name):
            return _macro(name, look)
        case Comparison():
            truth = _comparison(condition, look)
            if truth is None:
                look.open.append(str(condition))
            return truth


def _macro(name: str, look: _Look) -> bool | None:
    if name in look.inside:
        raise Unclear(f"the macro {name} contains itself")
    if name not in look.names.macros:
        look.lacking.append(name)
        return None
    found = look.memo.get((look.how, name))
    if found is None:
        inner = _Look(
            event=look.event, names=look.names, how=look.how, depth=look.depth, memo=look.memo
        )
        inner.inside = [*look.inside, name]
        truth = _truth(look.names.macros[name], inner)
        opened, lacking = tuple(dict.fromkeys(inner.open)), tuple(dict.fromkeys(inner.lacking))
        found = look.memo[look.how, name] = _Macro(truth, opened[:_MOST_OPEN], lacking[:1])
    look.open += found.open
    look.lacking += found.lacking
    return found.truth


_MOST_OPEN: Final = 50


def _comparison(found: Comparison, look: _Look) -> bool | None:
    values = _expanded(found.values, look.names)
    known = look.event.known.get(found.field)
    if known is not None:
        return _compare(known, found.operator, values)
    if any(
        found.field == kind or found.field.startswith((f"{kind}.", f"{kind}_"))
        for kind in look.event.lacking
    ):
        return False
    if found.field.partition(".")[0] not in _ACTOR:
        return None
    return _of_actor(found, values, look.how)


_ACTOR: Final = frozenset({"proc", "user", "group", "thread", "container", "k8s"})
_PROGRAM: Final = ("proc.name", "proc.exepath", "proc.exe")


def _of_actor(found: Comparison, values: tuple[str, ...], how: _As) -> bool | None:
    """A comparison on whoever does it, who is like no value in it."""
    if found.operator == "exists":
        return True if found.field.startswith("proc.") else None
    if values and set(values) <= _NO_NAME:
        return found.operator == "!="
    if found.operator not in _LIKENESS:
        return None
    names = {PurePosixPath(value).name for value in values}
    own = found.field in _PROGRAM and found.operator in ("=", "==", "!=", "in")
    own = own and names <= _OWN_WRITERS | _NO_NAME
    if how is _As.OPEN or (how is _As.OWN_WRITERS_FALSE and not own):
        return None
    return found.operator == "!="


_LIKENESS: Final = frozenset(
    {"=", "==", "!=", "in", "intersects", "pmatch", "contains", "icontains", "startswith"}
    | {"endswith", "glob", "iglob"}
)


def _expanded(values: tuple[str, ...], names: Names) -> tuple[str, ...]:
    """The values, with lists in the place of their names."""
    found: list[str] = []
    for value in values:
        found += names.lists.get(value, (value,))
    return tuple(found)


def _compare(known: str, operator: str, values: tuple[str, ...]) -> bool | None:
    """What a value that is known gives; None for operators that are not understood here."""
    value = values[0] if values else ""
    match operator:
        case "=" | "==":
            return known == value
        case "!=":
            return known != value
        case "in" | "intersects":
            return known in values
        case "contains":
            return value in known
        case "icontains":
            return value.lower() in known.lower()
        case "startswith":
            return known.startswith(value)
        case "endswith":
            return known.endswith(value)
        case "exists":
            return True
        case "pmatch":
            return _any([_below(known, pattern) for pattern in values])
        case "glob":
            return _glob(known, value)
        case "<" | "<=" | ">" | ">=":
            return _order(known, operator, value)
        case _:
            return None


def _any(found: list[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def _below(path: str, pattern: str) -> bool | None:
    """`pmatch`: the path is this one or below it; each part of the pattern is a glob."""
    parts, wanted = path.split("/"), pattern.rstrip("/").split("/")
    if len(wanted) > len(parts):
        return False
    found = [_glob(part, glob) for part, glob in zip(parts, wanted, strict=False)]
    return False if False in found else None if None in found else True


def _glob(text: str, pattern: str) -> bool | None:
    """A glob whose `*` also takes slashes; None for extended ones and for long ones."""
    if len(pattern) > 256 or pattern.count("*") > 8 or re.search(r"[?*+@!]\(|\\", pattern):
        return None
    return re.match(translate(pattern), text) is not None


def _order(known: str, operator: str, value: str) -> bool | None:
    if not all(re.fullmatch(r"-?[0-9]{1,18}", each) for each in (known, value)):
        return None
    left, right = int(known), int(value)
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]
