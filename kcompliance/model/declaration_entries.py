"""Reads what people declare: each entry strictly, so that none can be taken for more than it is.

The entries come out of kcompliance.yaml, or out of a bundle that keeps those of its scan. Where one
is wrong the message names its line; a statement or a reason is never quoted.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date as Day
from typing import Any

import msgspec

from kcompliance.model.control import Control
from kcompliance.model.waiver import LONGEST, Attestation, Declaration, Declarations, Waiver

__all__ = ["EntryError", "declarations_from_json", "declarations_to_json", "read_declarations"]

MOST_CHARACTERS = 4000
_KEYS = ("control", "aspect", "target", "resource", "date", "expires")
_EXAMPLE = "for example 2026-01-31"


class EntryError(Exception):
    """An entry that cannot stand; `hint` is what to do."""

    def __init__(self, line: int, problem: str, hint: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.hint = hint


Written = Sequence[tuple[int, Any]]
"""Entries as YAML gives them, each with its line."""


def read_declarations(
    attestations: Written, waivers: Written, controls: Mapping[str, Control]
) -> Declarations:
    """The entries of both kinds. Raises EntryError for the first that is wrong."""
    return Declarations(
        attestations=tuple(_attestation(_Entry("attestation", e), controls) for e in attestations),
        waivers=tuple(_waiver(_Entry("waiver", e), controls) for e in waivers),
    )


# --- one entry -----------------------------------------------------------------------------------


class _Entry:
    """One entry while it is read: every question to it has an answer or ends with EntryError."""

    def __init__(self, kind: str, written: tuple[int, Any]) -> None:
        self.kind = kind
        self.line, self.values = written
        self.own = ("statement", "by") if kind == "attestation" else ("reason", "owner", "approver")
        if not isinstance(self.values, dict):
            raise self.wrong(f"this {kind} is no mapping of keys")
        for key in self.values:
            if key not in (*_KEYS, *self.own):
                raise self.wrong(f'nobody knows "{_short(key)}" in {self.name}')

    @property
    def name(self) -> str:
        return f"an {self.kind}" if self.kind == "attestation" else f"a {self.kind}"

    def wrong(self, problem: str, hint: str | None = None) -> EntryError:
        keys = ", ".join((*_KEYS, *self.own))
        return EntryError(self.line, problem, hint or f"the keys of {self.name}: {keys}")

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if value is None:
            raise self.wrong(f'{self.name} without "{key}"')
        if not isinstance(value, str):
            raise self.wrong(f'"{key}" is not text', "put it into quotes")
        if not value.strip():
            raise self.wrong(f'"{key}" is empty')
        if len(value) > MOST_CHARACTERS:
            raise self.wrong(
                f'"{key}" is longer than {MOST_CHARACTERS} characters',
                "say it in short, and where the whole of it stands",
            )
        return value.strip()

    def optional(self, key: str) -> str | None:
        return self.text(key) if self.values.get(key) is not None else None

    def day(self, key: str) -> Day:
        text = self.text(key)
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return Day.fromisoformat(text)
        except ValueError:  # the 31st of February
            pass
        raise self.wrong(f'"{key}" is "{_short(text)}", which is no date', _EXAMPLE)


def _attestation(entry: _Entry, controls: Mapping[str, Control]) -> Attestation:
    common = _common(entry, controls)
    entry.day("date")  # an answer that nobody dated is none
    return Attestation(**common, statement=entry.text("statement"), by=entry.text("by"))


def _waiver(entry: _Entry, controls: Mapping[str, Control]) -> Waiver:
    common = _common(entry, controls)
    owner, approver = entry.text("owner"), entry.text("approver")
    if _person(owner) == _person(approver):
        raise entry.wrong(
            "owner and approver of a waiver are one person",
            "let somebody else approve it: four eyes see more than two",
        )
    return Waiver(**common, reason=entry.text("reason"), owner=owner, approver=approver)


def _common(entry: _Entry, controls: Mapping[str, Control]) -> dict[str, Any]:
    control = _control(entry, controls)
    expires = entry.day("expires")
    date = entry.day("date") if entry.values.get("date") is not None else None
    if date is not None and expires < date:
        raise entry.wrong(f"it expires on {expires}, before its date {date}", "correct the dates")
    if date is not None and expires - date > LONGEST:
        raise entry.wrong(
            f"it expires on {expires}, more than {LONGEST.days} days after its date {date}",
            f"the latest date that may stand there: {date + LONGEST}",
        )
    if expires - Day.min < LONGEST:
        raise entry.wrong(f'"expires" is "{expires}", which is no date of our time', _EXAMPLE)
    return {
        "control": control.id,
        "aspect": _aspect(entry, control),
        "resource": entry.text("resource"),
        "target": entry.optional("target"),
        "date": date,
        "expires": expires,
        "line": entry.line,
    }


def _control(entry: _Entry, controls: Mapping[str, Control]) -> Control:
    id_ = entry.text("control")
    found = controls.get(id_)
    if found is None:
        hint = "see: kcompliance controls list"
        raise entry.wrong(f'no control "{_short(id_)}"', hint)
    return found


def _aspect(entry: _Entry, control: Control) -> str:
    id_ = entry.optional("aspect") or "main"
    names = [aspect.id for aspect in control.aspects]
    if id_ not in names:
        hint = f"name one of its aspects: {', '.join(names)}"
        raise entry.wrong(f'{control.id} has no aspect "{_short(id_)}"', hint)
    return id_


def _person(name: str) -> str:
    """The same for names that only look different: by case, spaces, marks or unseen signs."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    letters = "".join(c for c in folded if unicodedata.category(c)[0] not in "CZP")
    return letters or folded


def _short(value: object) -> str:
    return str(value)[:60]


# --- as a bundle keeps them ----------------------------------------------------------------------


def declarations_to_json(declarations: Declarations) -> bytes:
    """The declarations as a bundle keeps them, each with the line that it was written on."""
    document = {
        "attestations": [_plain(each) for each in declarations.attestations],
        "waivers": [_plain(each) for each in declarations.waivers],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def declarations_from_json(content: bytes, controls: Mapping[str, Control]) -> Declarations:
    """What `declarations_to_json` wrote; anything else is a ValueError or an EntryError."""
    kept = msgspec.json.decode(content, type=dict[str, list[dict[str, Any]]])
    if set(kept) != {"attestations", "waivers"}:
        raise ValueError("not the declarations of a scan")
    return read_declarations(
        [_with_line(entry) for entry in kept["attestations"]],
        [_with_line(entry) for entry in kept["waivers"]],
        controls,
    )


def _plain(declaration: Declaration) -> dict[str, Any]:
    values = {field.name: getattr(declaration, field.name) for field in fields(declaration)}
    return {
        name: str(value) if isinstance(value, Day) else value
        for name, value in values.items()
        if value is not None
    }


def _with_line(entry: dict[str, Any]) -> tuple[int, Any]:
    line = entry.pop("line", None)
    if not isinstance(line, int):
        raise ValueError("an entry without its line")  # noqa: TRY004 - hostile data, not our types
    return line, entry
