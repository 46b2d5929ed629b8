"""Reads rules files of Falco, and tells which rules report writes to a path.

Files are read in their order; a later item replaces an earlier one of its name, adds to it
(`append: true`) or changes parts of it (`override`). A rule that is not understood counts for
nothing, and is told. Sources: falco.org, "Rules", "Overriding Rules", "Rule Exceptions".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kcompliance.model.apiserver.plain_data import mapping, sequence, text, texts
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.falco.conditions import (
    And,
    Comparison,
    Condition,
    Not,
    Or,
    Unclear,
    parse_condition,
)
from kcompliance.model.falco.events import Names

__all__ = [
    "FalcoRule",
    "FalcoRules",
    "NotFalcoRules",
    "condition_of",
    "is_falco_rules",
    "names_of",
    "read_falco_rules",
]

MAX_ITEMS: Final = 5_000
MAX_LIST: Final = 20_000


class NotFalcoRules(Exception):
    """The text is no rules file; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalcoRule:
    """One rule, with all that was added to it; `source` is the file that defines it."""

    name: str
    condition: str
    priority: str
    source: str
    enabled: bool = True
    events: str = "syscall"
    """The kind of events that it is about: its `source` in the file."""
    exceptions: tuple[Mapping[str, object], ...] = ()

    @property
    def loud(self) -> bool:
        """Whether its priority is Notice or higher."""
        return self.priority.lower() in _LOUD


_LOUD: Final = ("emergency", "alert", "critical", "error", "warning", "notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class FalcoRules:
    """What some files say together; `problems` are items that Falco would not take either."""

    rules: tuple[FalcoRule, ...]
    macros: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Parts:
    rules: dict[str, FalcoRule] = field(default_factory=dict)
    macros: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def is_falco_rules(document: object) -> bool:
    """Whether a document is a list with rules, macros or lists of Falco."""
    items = [mapping(item) for item in sequence(document)]
    return any(
        text(item.get(kind)) and body in item
        for item in items
        for kind, body in (
            ("rule", "condition"),
            ("rule", "override"),
            ("rule", "enabled"),
            ("macro", "condition"),
            ("list", "items"),
        )
    )


def _kind(item: Mapping[str, object]) -> str | None:
    """What an item defines or changes."""
    for kind, body in (("rule", "condition"), ("macro", "condition"), ("list", "items")):
        changed = {body, "append", "override"} | ({"enabled"} if kind == "rule" else set())
        if text(item.get(kind)) and changed & set(item):
            return kind
    return None


def read_falco_rules(files: Sequence[tuple[str, bytes]]) -> FalcoRules:
    """The files as (name, content), in the order in which Falco reads them.

    Raises `NotFalcoRules`, naming the file.
    """
    parts = _Parts()
    for name, content in files:
        try:
            documents = read_documents(content)
        except (Malformed, Unsure) as error:
            raise NotFalcoRules(f"{name} could not be read: {error}") from None
        if not all(isinstance(document, list) for document in documents):
            raise NotFalcoRules(f"{name} holds no rules of Falco")
        items = [mapping(item) for document in documents for item in sequence(document)]
        if len(items) > MAX_ITEMS:
            raise NotFalcoRules(f"{name} holds more than {MAX_ITEMS} items")
        for item in items:
            _take(item, name, parts)
    return FalcoRules(
        rules=tuple(parts.rules.values()),
        macros=parts.macros,
        lists=parts.lists,
        problems=tuple(parts.problems),
    )


def _take(item: Mapping[str, object], source: str, parts: _Parts) -> None:
    match _kind(item):
        case "list":
            _take_list(item, source, parts)
        case "macro":
            _take_macro(item, source, parts)
        case "rule":
            _take_rule(item, source, parts)
        case _:
            known = {"required_engine_version", "required_plugin_versions"}
            if not known & set(item):
                parts.problems.append(f"an item of {source} is no rule, macro or list")


def _how(item: Mapping[str, object], key: str) -> str:
    """`replace` or `append`: what an item does with this part of an earlier one."""
    told = text(mapping(item.get("override")).get(key))
    return told or ("append" if item.get("append") is True else "replace")


def _take_list(item: Mapping[str, object], source: str, parts: _Parts) -> None:
    name, items = text(item.get("list")) or "", tuple(texts(item.get("items")))
    if _how(item, "items") == "append":
        if name not in parts.lists:
            parts.problems.append(f"{source} adds to a list that is not there: {name}")
            return
        items = (*parts.lists[name], *items)
    parts.lists[name] = items[:MAX_LIST]


def _take_macro(item: Mapping[str, object], source: str, parts: _Parts) -> None:
    name, condition = text(item.get("macro")) or "", text(item.get("condition")) or ""
    if _how(item, "condition") == "append":
        if name not in parts.macros:
            parts.problems.append(f"{source} adds to a macro that is not there: {name}")
            return
        condition = f"{parts.macros[name]} {condition}"
    parts.macros[name] = condition


def _take_rule(item: Mapping[str, object], source: str, parts: _Parts) -> None:
    name = text(item.get("rule")) or ""
    before = parts.rules.get(name)
    changes = item.get("append") is True or "override" in item or "condition" not in item
    if changes and before is None:
        parts.problems.append(f"{source} changes a rule that is not there: {name}")
        return
    exceptions = tuple(mapping(each) for each in sequence(item.get("exceptions")))
    condition = text(item.get("condition"))
    if before is None or not changes:
        parts.rules[name] = FalcoRule(
            name=name,
            condition=condition or "",
            priority=text(item.get("priority")) or "",
            source=source,
            enabled=item.get("enabled") is not False,
            events=text(item.get("source")) or "syscall",
            exceptions=exceptions,
        )
        return
    if condition is not None:
        added = _how(item, "condition") == "append"
        before = replace(
            before, condition=f"{before.condition} {condition}" if added else condition
        )
    if "exceptions" in item:
        added = _how(item, "exceptions") == "append"
        before = replace(before, exceptions=(*(before.exceptions if added else ()), *exceptions))
    if isinstance(item.get("enabled"), bool):
        before = replace(before, enabled=item["enabled"] is True)
    if "priority" in item:
        before = replace(before, priority=text(item.get("priority")) or "")
    parts.rules[name] = before


# --- conditions ----------------------------------------------------------------------------------

_STOCK: Final = {
    "open_write": "evt.type in (open, openat, openat2) and evt.is_open_write=true",
    "rename": "evt.type in (rename, renameat, renameat2)",
    "remove": "evt.type in (rmdir, unlink, unlinkat)",
    "modify": "rename or remove",
    "mkdir": "evt.type in (mkdir, mkdirat)",
    "spawned_process": "evt.type in (execve, execveat)",
    "never_true": "evt.num=0",
    "always_true": "evt.num>=0",
    "proc_name_exists": 'proc.name!="<NA>"',
    "container": "container.id != host",
}
"""Macros of Falco's own rules that others use, for where its own file was not given."""


def names_of(found: FalcoRules) -> tuple[Names, tuple[str, ...]]:
    """The macros and lists as conditions use them, and the macros that are not understood."""
    macros: dict[str, Condition] = {}
    unclear = []
    for name, condition in {**_STOCK, **found.macros}.items():
        try:
            macros[name] = parse_condition(condition)
        except Unclear as error:
            unclear.append(f"the macro {name}: {error}")
    lists: dict[str, tuple[str, ...]] = {}
    for name in found.lists:
        _expand(name, found.lists, lists, ())
    return Names(macros=macros, lists=lists), tuple(unclear)


def _expand(
    name: str,
    written: Mapping[str, tuple[str, ...]],
    done: dict[str, tuple[str, ...]],
    inside: tuple[str, ...],
) -> tuple[str, ...]:
    """The items of a list, with those of the lists in it; quotes inside of items are dropped."""
    if name in done:
        return done[name]
    items: list[str] = []
    for item in written[name]:
        if item in written and item not in (*inside, name) and len(inside) < _DEEPEST:
            items += _expand(item, written, done, (*inside, name))
        else:
            items.append(re.sub(r"""^(["'])(.*)\1$""", r"\2", item))
        if len(items) > MAX_LIST:
            break
    done[name] = tuple(items[:MAX_LIST])
    return done[name]


_DEEPEST: Final = 8


def condition_of(rule: FalcoRule) -> Condition:
    """The rule's condition without its exceptions; raises `Unclear`."""
    condition = parse_condition(rule.condition)
    exceptions = [_exception(each, rule) for each in _merged(rule.exceptions)]
    left_out = tuple(Not(each) for each in exceptions if each is not None)
    return And((condition, *left_out)) if left_out else condition


def _merged(exceptions: tuple[Mapping[str, object], ...]) -> list[Mapping[str, object]]:
    """Exceptions of one name as one: a later one adds values to the fields of the first."""
    found: dict[str, Mapping[str, object]] = {}
    for each in exceptions:
        name = text(each.get("name")) or ""
        before = found.get(name, {})
        values = [*sequence(before.get("values")), *sequence(each.get("values"))]
        found[name] = {**each, **before, "values": values}
    return list(found.values())


def _exception(found: Mapping[str, object], rule: FalcoRule) -> Condition | None:
    """What an exception leaves out; None where it has no values."""
    values = sequence(found.get("values"))
    if not values:
        return None
    name = f"the exception {text(found.get('name')) or '?'} of {rule.name}"
    fields, operators = found.get("fields"), found.get("comps")
    one = text(fields)
    if one is not None:
        return Comparison(one, text(operators) or "in", tuple(texts(values)))
    names = texts(fields)
    signs = texts(operators) or ["="] * len(names)
    rows = []
    for row in values:
        cells = sequence(row)
        if not names or len(cells) != len(names) or len(signs) != len(names):
            raise Unclear(f"{name} does not fit its fields")
        parts = [_cell(*each) for each in zip(names, signs, cells, strict=True)]
        rows.append(And(tuple(parts)))
    return Or(tuple(rows))


def _cell(name: str, sign: str, value: object) -> Condition:
    values = texts(value) if isinstance(value, list) else [text(value) or ""]
    return Comparison(name, sign, tuple(values))
