"""Decodes a JSON tree into a described Go type, as `sigs.k8s.io/json` does for kube-apiserver.

Field names match by case, null leaves a value at its zero, an unknown field is dropped (and
reported), a value of the wrong type is refused. Duplicate JSON keys are decoded one over the
other, so that a later, shorter object keeps fields of the earlier one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kcompliance.model.go_tree import Members, Node

__all__ = [
    "BOOL",
    "INT",
    "RAW",
    "STRING",
    "TIME",
    "Decoding",
    "GoType",
    "ListOf",
    "MapOf",
    "Struct",
]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A Go scalar by the name that a user knows it by."""

    name: str


STRING = Scalar("a string")
BOOL = Scalar("a boolean")
INT = Scalar("an integer")
TIME = Scalar("an RFC 3339 time")
RAW = Scalar("anything")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A Go slice."""

    item: "GoType"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A Go `map[string]T`."""

    value: "GoType"


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct by its JSON field names."""

    fields: Mapping[str, "GoType"]


GoType = Scalar | ListOf | MapOf | Struct


@dataclass(slots=True)
class Decoding:
    """One decode: `problems` refuse the document, `dropped` are fields that no type knows."""

    problems: list[str] = field(default_factory=list)
    dropped: list[tuple[str, int]] = field(default_factory=list)
    repeated: list[tuple[str, int]] = field(default_factory=list)

    def decode(self, node: Node, into: GoType, path: str = "", prior: Any = None) -> Any:
        """The value at `path`: dict, list, str, bool, int or None for a zero value."""
        if node.value is None:
            return prior if isinstance(into, Scalar | Struct) else None
        match into, node.value:
            case Struct(fields=fields), Members() as members:
                return self._struct(members, fields, path, prior)
            case MapOf(value=value), Members() as members:
                return self._map(members, value, path, prior)
            case ListOf(item=item), list() as nodes:
                return self._list(nodes, item, path, prior)
            case Scalar() as scalar, value if _fits(value, scalar):
                return value
            case _:
                wanted = into.name if isinstance(into, Scalar) else _CONTAINERS[type(into)]
                self.problems.append(
                    f"{path or 'the document'} (line {node.line}): {_found(node)}, "
                    f"not {wanted}{_hint(node, into)}"
                )
                return prior

    def _struct(
        self, members: Members, fields: Mapping[str, GoType], path: str, prior: Any
    ) -> dict[str, Any]:
        self._note_repeated(members, path)
        result: dict[str, Any] = dict(prior) if isinstance(prior, dict) else {}
        seen: set[str] = set()
        for member in members.items:
            child = _join(path, member.key)
            if member.key in seen:
                self.repeated.append((child, member.line))
            seen.add(member.key)
            if member.key not in fields:
                self.dropped.append((child, member.line))
                continue
            known = result.get(member.key)
            result[member.key] = self.decode(member.node, fields[member.key], child, known)
        return result

    def _map(self, members: Members, value: GoType, path: str, prior: Any) -> dict[str, Any]:
        self._note_repeated(members, path)
        result: dict[str, Any] = dict(prior) if isinstance(prior, dict) else {}
        for member in members.items:
            result[member.key] = self.decode(member.node, value, _join(path, member.key))
        return result

    def _list(self, nodes: list[Node], item: GoType, path: str, prior: Any) -> list[Any]:
        old = prior if isinstance(prior, list) else []
        return [
            self.decode(node, item, f"{path}[{i}]", old[i] if i < len(old) else None)
            for i, node in enumerate(nodes)
        ]

    def _note_repeated(self, members: Members, path: str) -> None:
        self.repeated += [(_join(path, member.key), member.line) for member in members.repeated]


_CONTAINERS: dict[type, str] = {ListOf: "a list", MapOf: "a mapping", Struct: "a mapping"}
_RFC3339 = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T"
    r"([01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
)


def _fits(value: object, scalar: Scalar) -> bool:
    match scalar.name:
        case STRING.name:
            return isinstance(value, str)
        case BOOL.name:
            return isinstance(value, bool)
        case INT.name:
            if isinstance(value, float):
                return value.is_integer() and abs(value) < 2**53
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        case TIME.name:
            return isinstance(value, str) and (not value or bool(_RFC3339.fullmatch(value)))
        case _:
            return True


def _found(node: Node) -> str:
    match node.value:
        case bool(truth):
            return f"the boolean {str(truth).lower()}"
        case int(number) | float(number):
            return f"the number {number}"
        case str(text):
            return f"the text {text[:40]!r}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _hint(node: Node, into: GoType) -> str:
    if into is STRING and isinstance(node.value, bool | int | float):
        return "; YAML 1.1 reads unquoted y, n, yes, no, on, off and digits so: quote it"
    return ""


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
