"""Reads rules of the kernel's audit as auditctl does: what is loaded, and in which order.

A text is a file of rules (`/etc/audit/audit.rules`, or the files of `/etc/audit/rules.d` that
augenrules joins) or what `auditctl -l` printed. Sources: auditctl(8), audit.rules(7) and
augenrules(8) of audit-userspace, kernel/auditfilter.c. A line that is not understood is kept and
told: it may end the loading, or be a rule that hides something.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from kcompliance.model.auditd.text import MAX_LINE, MAX_LINES, SourceLine

__all__ = [
    "Action",
    "AuditdRules",
    "Field",
    "Filter",
    "Rule",
    "UnreadLine",
    "load_rules",
]


class Action(StrEnum):
    """What a rule that matches does."""

    ALWAYS = "always"
    NEVER = "never"


class Filter(StrEnum):
    """Which of the kernel's lists a rule stands in."""

    EXIT = "exit"
    TASK = "task"
    EXCLUDE = "exclude"
    FILESYSTEM = "filesystem"
    USER = "user"
    IO_URING = "io_uring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One condition. `watch` is a path given with -w; `compare` a -C, whose value is all of it."""

    name: str
    operator: str
    value: str

    def __str__(self) -> str:
        """As it is written on a command line."""
        if self.name == "compare":
            return f"-C {self.value}"
        return f"-F {self.name}{self.operator}{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; all its fields have to match. `syscalls` None: all of them.

    `doubt` tells why it may not be loaded, or may be hidden by something that was not understood.
    """

    line: SourceLine
    action: Action
    filter: Filter
    syscalls: frozenset[str] | None = None
    fields: tuple[Field, ...] = ()
    keys: tuple[str, ...] = ()
    doubt: str | None = None

    def value_of(self, name: str) -> str | None:
        """The value of the first field of this name."""
        return next((field.value for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadLine:
    """A line that auditctl refuses, or that is not understood here."""

    line: SourceLine
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditdRules:
    """The rules in the order in which the kernel asks them.

    `enabled` is the last `-e`, None where none is set. `listed`: a text of `auditctl -l`, which
    shows what is loaded, while a file is what will be loaded.
    """

    rules: tuple[Rule, ...]
    unread: tuple[UnreadLine, ...] = ()
    enabled: int | None = None
    listed: bool = False


# --- loading -------------------------------------------------------------------------------------


class _Refused(Exception):
    """auditctl takes no such line; the message says why."""


@dataclass(slots=True)
class _Loading:
    """What is loaded so far, and how it is about errors."""

    rules: list[Rule]
    unread: list[UnreadLine]
    enabled: int | None = None
    goes_on: bool = False
    locked: bool = False
    doubt: str | None = None


def load_rules(lines: Sequence[SourceLine], *, listed: bool = False) -> AuditdRules:
    """What the kernel holds once auditctl has read these lines; `listed` for `auditctl -l`."""
    loading = _Loading(rules=[], unread=[], goes_on=listed)
    for line in lines[:MAX_LINES]:
        if listed:
            line = replace(line, text=line.text.rstrip("\r"))
        words = line.text.lstrip(" ")
        if not words or words.startswith("#") or (listed and words.strip() == "No rules"):
            continue
        try:
            _take(line, loading)
        except _Refused as refused:
            _unread(line, str(refused), loading)
    if len(lines) > MAX_LINES:
        _unread(lines[MAX_LINES], f"not read beyond {MAX_LINES} lines", loading)
    return AuditdRules(
        rules=tuple(loading.rules),
        unread=tuple(loading.unread),
        enabled=loading.enabled,
        listed=listed,
    )


def _unread(line: SourceLine, reason: str, loading: _Loading) -> None:
    """Remember the line, and which rules can no longer be relied on because of it."""
    loading.unread.append(UnreadLine(line=line, reason=reason))
    place = f"line {line.number} of {line.source}"
    first = line.text.split(" ", 1)[0]
    if first in ("-A", "-d", "-W", "-D"):
        doubt = f"{place} may change rules above it: {reason}"
        loading.rules = [replace(rule, doubt=rule.doubt or doubt) for rule in loading.rules]
    if not loading.goes_on:
        loading.doubt = loading.doubt or f"auditctl stops at {place}: {reason}"
    elif not _harmless(line.text):
        loading.doubt = loading.doubt or f"{place} may hide something: {reason}"


def _harmless(text: str) -> bool:
    """Whether a line that is not understood can at most record more, or tune something."""
    found = re.match(r"-(?:w |a +(?:always,\w+|\w+,always) )|-[bfrteqm]\b|--", text)
    return found is not None


def _take(line: SourceLine, loading: _Loading) -> None:
    if loading.locked:
        raise _Refused("-e 2 stands above it, which locks the rules")
    options = _options(line.text)
    names = {name for name, _ in options}
    if names & set("aAdwW"):
        _take_rule(line, options, loading)
    elif "D" in names:
        keys = {value for name, value in options if name == "k"}
        kept = [rule for rule in loading.rules if keys and not keys & set(rule.keys)]
        loading.rules = kept
    elif names & _RULE_OPTIONS:
        raise _Refused("it names no list and no watch")
    for name, value in options:
        if name in "ci":
            loading.goes_on = True
        elif name == "e":
            loading.enabled = _number("-e", value, 2)
            loading.locked = loading.enabled == 2
        elif name in "bfr":
            _number(f"-{name}", value, 2 if name == "f" else 2**32 - 1)


def _number(name: str, text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > most:
        raise _Refused(f"{name} takes a number up to {most}")
    return int(text)


_RULE_OPTIONS: Final = frozenset("SFCkp")
_WITH_VALUE: Final = frozenset("aAdSFCkpwWefrbqm")
_ALONE: Final = frozenset("Dcistlv")
_LONG: Final = {
    "--backlog_wait_time": 1,
    "--loginuid-immutable": 0,
    "--reset-lost": 0,
    "--reset_backlog_wait_time_actual": 0,
}


def _options(text: str) -> list[tuple[str, str]]:
    """The options of a line, each with its value; a blank in a value is written `\\ `."""
    if len(text) > MAX_LINE:
        raise _Refused(f"longer than {MAX_LINE} characters")
    if "\t" in text:
        raise _Refused("a tab is no blank to auditctl")
    escaped = text.replace("\\ ", "\0")
    words = [word.replace("\0", " ") for word in escaped.split(" ") if word]
    options = []
    while words:
        word = words.pop(0)
        name, equals, _ = word.partition("=")
        if name in _LONG:
            del words[: 0 if equals else _LONG[name]]
        elif re.fullmatch(r"-[A-Za-z].*", word, re.DOTALL):
            letter, value = word[1], word[2:]
            if letter in _ALONE and not value:
                options.append((letter, ""))
            elif letter in _WITH_VALUE and (value or words):
                options.append((letter, value or words.pop(0)))
            else:
                raise _Refused(f'no such option: "{word}"')
        else:
            raise _Refused(f'"{word}" belongs to no option')
    return options


# --- one rule ------------------------------------------------------------------------------------


def _take_rule(line: SourceLine, options: list[tuple[str, str]], loading: _Loading) -> None:
    operations = [(name, value) for name, value in options if name in "aAdwW"]
    if len(operations) > 1:
        raise _Refused("several rules in one line")
    operation, value = operations[0]
    rule = _rule(line, operation, value, options)
    if operation in "dW":
        found = next((old for old in loading.rules if _same(old, rule)), None)
        if found is None:
            raise _Refused("there is no such rule to delete")
        loading.rules.remove(found)
        return
    rule = replace(rule, doubt=loading.doubt)
    if any(_same(old, rule) for old in loading.rules):
        raise _Refused("the same rule stands above it")
    if operation == "A":
        loading.rules.insert(0, rule)
    else:
        loading.rules.append(rule)


def _same(one: Rule, other: Rule) -> bool:
    return (one.action, one.filter, one.syscalls, set(one.fields), one.keys) == (
        other.action,
        other.filter,
        other.syscalls,
        set(other.fields),
        other.keys,
    )


def _rule(line: SourceLine, operation: str, value: str, options: list[tuple[str, str]]) -> Rule:
    watch = operation in "wW"
    action, list_ = (Action.ALWAYS, Filter.EXIT) if watch else _action(value)
    fields = [Field(name="watch", operator="=", value=_path(value))] if watch else []
    syscalls: set[str] = set()
    keys = []
    started = False
    for name, given in options:
        started = started or name in "aAdwW"
        if watch and name in "SFC":
            raise _Refused("a watch takes -p and -k only")
        if name == "k" and not started:
            raise _Refused("-k has to follow the rule")
        match name:
            case "S":
                syscalls |= {call for call in given.split(",") if call}
            case "C":
                fields.append(Field(name="compare", operator="", value=given))
            case "p":
                fields.append(Field(name="perm", operator="=", value=_permissions(given)))
            case "k":
                keys.append(given)
            case "F":
                field = _field(given, after_syscalls=bool(syscalls))
                keys += [field.value] if field.name == "key" else []
                fields += [field] if field.name != "key" else []
            case _:
                pass  # the rule itself, and options of the audit as a whole
    _check(fields, list_)
    every = not syscalls or "all" in syscalls
    return Rule(
        line=line,
        action=action,
        filter=list_,
        syscalls=None if every else frozenset(syscalls),
        fields=tuple(fields),
        keys=tuple(sorted(keys)),
    )


def _action(value: str) -> tuple[Action, Filter]:
    """`always,exit` or `exit,always`; `fs` is short for filesystem."""
    words = ["filesystem" if word == "fs" else word for word in value.split(",")]
    actions = [Action(word) for word in words if word in list(Action)]
    lists = [Filter(word) for word in words if word in list(Filter)]
    if len(words) != 2 or len(actions) != 1 or len(lists) != 1:
        raise _Refused(f'"{value}" is no action and list')
    return actions[0], lists[0]


def _path(path: str) -> str:
    """A path without the slash at its end, which auditctl takes off."""
    if not path.startswith("/"):
        raise _Refused(f'"{path}" does not begin at the root')
    if path == "/":
        raise _Refused("the kernel watches no /")
    return path.rstrip("/")


def _permissions(text: str) -> str:
    if not text or set(text) - set("rwxa"):
        raise _Refused(f'"{text}" are no permissions: r, w, x, a')
    return "".join(sorted(set(text)))


_NAMES: Final = frozenset(
    re.findall(
        r"\w+",
        "a0 a1 a2 a3 arch auid devmajor devminor dir egid euid exe exit fsgid fsuid filetype "
        "fstype gid inode key loginuid msgtype obj_gid obj_uid obj_user obj_role obj_type "
        "obj_lev_low obj_lev_high path perm pers pid ppid saddr_fam sessionid ses sgid "
        "subj_user subj_role subj_type subj_sen subj_clr success suid uid",
    )
)


def _field(text: str, *, after_syscalls: bool) -> Field:
    found = re.fullmatch(r"([a-z0-9_]+)(!=|>=|<=|&=|=|>|<|&)(.+)", text, re.DOTALL)
    if found is None or found[1] not in _NAMES:
        raise _Refused(f'no such field: "{text}"')
    name, operator, value = found[1], found[2], found[3]
    if name == "arch" and after_syscalls:
        raise _Refused("-F arch has to stand before -S")
    if name in ("path", "dir", "perm") and operator != "=":
        raise _Refused(f"-F {name} takes = only")
    if name == "path" and (not value.startswith("/") or value.endswith("/")):
        raise _Refused(f'"{value}" is no path of a file')
    if name == "dir":
        value = "/" if value == "/" else _path(value)
    if name == "perm":
        value = _permissions(value)
    return Field(name=name, operator=operator, value=value)


def _check(fields: list[Field], list_: Filter) -> None:
    places = [field for field in fields if field.name in ("path", "dir", "watch")]
    if len(places) > 1:
        raise _Refused("more than one path in one rule")
    only_exit = [f for f in fields if f.name in ("path", "dir", "perm", "watch")]
    if only_exit and list_ not in (Filter.EXIT, Filter.IO_URING):
        raise _Refused(f"-F {only_exit[0].name} belongs in the exit list")
    if list_ is Filter.FILESYSTEM and not any(field.name == "fstype" for field in fields):
        raise _Refused("the filesystem list needs -F fstype")
