"""Whether rules of the kernel's audit report who writes to a path, and what they leave out.

The kernel asks its rules in their order and the first that matches decides, also across the list
of watches and that of system calls (kernel/auditsc.c, `audit_filter_rules`: each rule has a
priority). A rule with more conditions than the path sees a part of the writes only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath
from typing import Final

from kcompliance.model.auditd.rules import Action, AuditdRules, Field, Filter, Rule

__all__ = ["Coverage", "Target", "covers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A file of the node, or a folder with all that is in it."""

    path: str
    folder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the rules see of writes to a target, and of changes of its attributes."""

    missing: tuple[str, ...]
    """What is not reported, in words; empty where everything is."""
    rules: tuple[Rule, ...] = ()
    """Those that report, and those that leave out what is missing."""
    notes: tuple[str, ...] = ()

    @property
    def doubt(self) -> str | None:
        """Why the rules that report may not be in force."""
        return next((rule.doubt for rule in self.rules if rule.doubt), None)


_OPEN: Final = frozenset({"open", "openat", "openat2", "creat"})
_CUT: Final = frozenset({"truncate", "ftruncate"})
_RENAME: Final = frozenset({"rename", "renameat", "renameat2"})
_DELETE: Final = frozenset({"unlink", "unlinkat"})
_WRITES: Final = _OPEN | _CUT | _RENAME | _DELETE
_ATTRIBUTES: Final = frozenset(
    {"chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat"}
    | {"setxattr", "lsetxattr", "fsetxattr"}
)
_ALL: Final = frozenset((width, call) for width in (64, 32) for call in _WRITES | _ATTRIBUTES)
_Cell = tuple[int, str]

_WIDTHS: Final = {
    **dict.fromkeys(("b64", "x86_64", "aarch64", "ppc64", "ppc64le", "s390x", "riscv64"), 64),
    **dict.fromkeys(("b32", "i386", "i486", "i586", "i686", "arm", "armv7l", "ppc", "s390"), 32),
}
_OWN_WRITERS: Final = frozenset({"kube-apiserver", "k3s", "k3s-server", "rke2", "hyperkube"})
"""Programs that write to these files as their work: leaving them out hides no stranger."""


@dataclass(slots=True)
class _State:
    """What is still unseen while the rules are gone through in order."""

    unseen: set[_Cell] = field(default_factory=lambda: set(_ALL))
    hidden: dict[_Cell, str] = field(default_factory=dict)
    partly: dict[_Cell, list[str]] = field(default_factory=dict)
    holes: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    blind: list[Rule] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def covers(found: AuditdRules, target: Target) -> Coverage:
    """What these rules see of writes to this target, while the audit is enabled."""
    state = _State()
    for rule in found.rules:
        if rule.filter is Filter.EXIT:
            _exit_rule(rule, target, state)
    if any(_reach(rule, target) is not _Reach.NONE for rule in state.rules):
        _other_lists(found, state)
    missing = tuple(dict.fromkeys((*_missing(state, target), *state.holes)))
    if not missing and not any(_place(r) != target.path or _is_dir(r) for r in state.rules):
        state.notes.append(
            f"the file {target.path} is watched alone: the watch ends when its folder is moved or "
            "replaced; watch the folder"
        )
    rules = (*state.rules, *state.blind) if missing else tuple(state.rules)
    return Coverage(missing=missing, rules=tuple(rules), notes=tuple(dict.fromkeys(state.notes)))


def _is_dir(rule: Rule) -> bool:
    return rule.value_of("dir") is not None


def _place(rule: Rule) -> str | None:
    return rule.value_of("watch") or rule.value_of("path") or rule.value_of("dir")


# --- the exit list -------------------------------------------------------------------------------


class _Reach(Enum):
    """How much of a target lies where a rule looks."""

    ALL = "all"
    PART = "part"
    NONE = "none"


def _reach(rule: Rule, target: Target) -> _Reach:
    place = _place(rule)
    if place is None:
        return _Reach.ALL
    parts, wanted = PurePosixPath(place).parts, PurePosixPath(target.path).parts
    if ".." in parts:
        return _Reach.NONE
    above = wanted[: len(parts)] == parts
    if rule.value_of("path") is not None:
        above = above and parts == wanted
        if above and target.folder:
            return _Reach.PART  # the entry of the folder, and not what is written in it
    if above:
        return _Reach.ALL
    below = target.folder and parts[: len(wanted)] == wanted
    return _Reach.PART if below else _Reach.NONE


def _exit_rule(rule: Rule, target: Target, state: _State) -> None:
    reach = _reach(rule, target)
    cells = _cells(rule) & state.unseen
    if reach is _Reach.NONE or not cells:
        return
    limits, notes = _limits(rule)
    if rule.action is Action.NEVER:
        _never(rule, reach, limits, cells, state)
        return
    if reach is _Reach.PART:
        limits = [f"only {_place(rule)}", *limits]
    if limits:
        for cell in cells:
            state.partly.setdefault(cell, []).append(f"{_at(rule)} sees {' and '.join(limits)}")
        state.blind.append(rule)
        return
    state.unseen -= cells
    state.rules.append(rule)
    state.notes += notes


def _never(rule: Rule, reach: _Reach, limits: list[str], cells: set[_Cell], state: _State) -> None:
    own = _left_out_writer(rule)
    if own:
        state.notes.append(f"writes by {own} are not reported: {_at(rule)}")
    elif _only_failures(rule):
        pass
    elif limits or reach is _Reach.PART:
        where = f" below {_place(rule)}" if reach is _Reach.PART else ""
        which = f" with {' and '.join(limits)}" if limits else ""
        state.holes.append(f"{_at(rule)} hides writes{where}{which}")
        state.blind.append(rule)
    else:
        state.unseen -= cells
        state.hidden |= dict.fromkeys(cells, _at(rule))
        state.blind.append(rule)


def _at(rule: Rule) -> str:
    return f"line {rule.line.number} of {rule.line.source}"


def _cells(rule: Rule) -> set[_Cell]:
    """The system calls of each width that a rule is about."""
    calls = _WRITES | _ATTRIBUTES
    permissions = rule.value_of("perm")
    if permissions is not None:
        calls = frozenset()
        calls |= _WRITES if "w" in permissions else frozenset()
        calls |= _ATTRIBUTES if "a" in permissions else frozenset()
    widths = {64, 32}
    if rule.syscalls is not None:
        calls &= rule.syscalls
        widths = {64}  # without an arch the numbers are those of the wider table
    arch = next((f for f in rule.fields if f.name == "arch"), None)
    if arch is not None:
        known = _WIDTHS.get(arch.value)
        widths = {64, 32} - {known or 0} if arch.operator == "!=" else {known or 0}
    return {(width, call) for width in widths for call in calls}


def _limits(rule: Rule) -> tuple[list[str], list[str]]:
    """Conditions because of which not every write matches, and notes on harmless ones."""
    limits, notes = [], []
    for condition in rule.fields:
        if condition.name in ("path", "dir", "watch", "perm", "arch"):
            continue
        name = PurePosixPath(condition.value).name
        if condition.name == "exe" and condition.operator == "!=" and name in _OWN_WRITERS:
            notes.append(f"writes by {condition.value} are not reported: {_at(rule)}")
        elif _means_success(condition):
            notes.append(f"writes that fail are not reported: {_at(rule)}")
        else:
            limits.append(f"only what {str(condition).removeprefix('-F ')}")
    return limits, notes


def _means_success(condition: Field) -> bool:
    if condition.name != "success":
        return False
    yes = condition.value in ("1", "yes", "true")
    no = condition.value in ("0", "no", "false")
    return (yes and condition.operator == "=") or (no and condition.operator == "!=")


def _only_failures(rule: Rule) -> bool:
    no = ("0", "no", "false")
    return any(f.name == "success" and f.operator == "=" and f.value in no for f in rule.fields)


def _left_out_writer(rule: Rule) -> str | None:
    """The program that alone a rule is about, where its writing is nothing to report."""
    for condition in rule.fields:
        name = PurePosixPath(condition.value).name
        if condition.name == "exe" and condition.operator == "=" and name in _OWN_WRITERS:
            return condition.value
    return None


# --- the other lists -----------------------------------------------------------------------------

_NEEDED_RECORDS: Final = frozenset({"SYSCALL", "PATH", "1300", "1302"})
_PSEUDO: Final = frozenset({"tracefs", "debugfs"})


def _other_lists(found: AuditdRules, state: _State) -> None:
    """Rules beside the exit list that take away what it reports."""
    for rule in found.rules:
        if rule.filter is Filter.TASK and not rule.fields and rule.action is Action.ALWAYS:
            break
        if rule.filter is Filter.TASK and rule.action is Action.NEVER:
            _hole(rule, "keeps the audit off every process", "keeps the audit off processes", state)
    for rule in found.rules:
        if rule.filter is Filter.FILESYSTEM and rule.action is Action.NEVER:
            kind = next(f for f in rule.fields if f.name == "fstype")
            if kind.operator != "=" or kind.value not in _PSEUDO:
                state.holes.append(f"{_at(rule)} hides file systems: {kind}")
                state.blind.append(rule)
        if rule.filter is Filter.EXCLUDE:
            kinds = [f for f in rule.fields if f.name == "msgtype"]
            if all(f.operator != "=" or f.value in _NEEDED_RECORDS for f in kinds):
                _hole(rule, "drops all records", "drops records", state)


def _hole(rule: Rule, every: str, some: str, state: _State) -> None:
    own = _left_out_writer(rule)
    if own:
        state.notes.append(f"writes by {own} are not reported: {_at(rule)}")
        return
    which = " and ".join(str(f).removeprefix("-F ") for f in rule.fields)
    state.holes.append(f"{_at(rule)} {some} with {which}" if which else f"{_at(rule)} {every}")
    state.blind.append(rule)


# --- what is missing, in words -------------------------------------------------------------------

_GROUPS: Final = (
    ("opening for writing", _OPEN),
    ("truncation", _CUT),
    ("renaming", _RENAME),
    ("deletion", _DELETE),
    ("changes of attributes", _ATTRIBUTES),
)


def _missing(state: _State, target: Target) -> Iterator[str]:
    left = state.unseen | set(state.hidden)
    if not left:
        return
    if left == set(_ALL) and not state.hidden and not state.partly:
        yield f"no rule is about {target.path}"
        return
    reasons = sorted({why for cell in left for why in state.partly.get(cell, [])})
    reasons += [f"{why} hides it" for why in sorted(set(state.hidden.values()))]
    for words, calls in _GROUPS:
        yield from _missing_of(words, calls, left)
    yield from reasons


def _missing_of(words: str, calls: frozenset[str], left: set[_Cell]) -> Iterator[str]:
    wide = {call for width, call in left if width == 64 and call in calls}
    narrow = {call for width, call in left if width == 32 and call in calls}
    for names, suffix in ((wide, ""), (narrow - wide, " by 32-bit programs")):
        if names == calls:
            yield f"{words} is not seen{suffix}"
        elif names:
            yield f"{words} by {', '.join(sorted(names))} is not seen{suffix}"
