"""Reads YAML and JSON the way kube-apiserver does, and remembers on which line each thing stood.

The server turns YAML into JSON with sigs.k8s.io/yaml over go-yaml v2 and decodes that. So this is
YAML 1.1 as Go reads it: `y` is a boolean, `0x1F` a number, a date is text, of several documents
only the first is looked at, of duplicate keys the last counts. The parser below both is the same
libyaml; what differs is how scalars are resolved and mappings are built, and that is here.
Sources: go.yaml.in/yaml/v2 `resolve.go` and `decode.go`, sigs.k8s.io/yaml `yaml.go`,
k8s.io/apimachinery `runtime/serializer/json/json.go`.
"""

import codecs
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Never

import yaml

from kcompliance.model.go_scalars import Malformed, float_as_key, resolve

__all__ = [
    "MAX_BYTES",
    "Malformed",
    "Member",
    "Members",
    "Node",
    "Unsure",
    "is_json",
    "plain",
    "read_tree",
]

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 100


class Unsure(Exception):
    """Beyond this reader's bounds, or read differently by libyaml and by Go's port of it.

    Nothing is known about what the server would make of it.
    """


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value: None, bool, number, str, list of nodes or list of members. Lines from 1."""

    value: "bool | int | float | str | list[Node] | Members | None"
    line: int


@dataclass(frozen=True, slots=True)
class Member:
    """One `key: value` of a mapping."""

    key: str
    node: Node
    line: int


@dataclass(slots=True)
class Members:
    """A mapping's members as the server sees them, in its order.

    From YAML each key stands once (`repeated` names those that stood more often); from JSON
    duplicates stay, because Go decodes them one over the other.
    """

    items: list[Member]
    repeated: list[Member] = field(default_factory=list)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars; of repeated keys the last counts."""
    match node.value:
        case Members(items=items):
            return {member.key: plain(member.node) for member in items}
        case list(nodes):
            return [plain(item) for item in nodes]
        case scalar:
            return scalar


def is_json(data: bytes) -> bool:
    """Whether the server takes these bytes for JSON: the first thing in them is a brace."""
    return data.decode("utf-8", "replace").lstrip().startswith("{")


def read_tree(data: bytes) -> Node:
    """The first document as a JSON-like tree.

    Raises `Malformed` where the server refuses, `Unsure` where that cannot be told.
    """
    if len(data) > MAX_BYTES:
        raise Unsure(f"{len(data)} bytes, more than the {MAX_BYTES} that are read")
    return _read_json(data) if is_json(data) else _read_yaml(data)


# --- JSON ----------------------------------------------------------------------------------


def _read_json(data: bytes) -> Node:
    def refuse_constant(name: str) -> Never:
        raise ValueError(f"invalid value {name}")

    # Go replaces what is not UTF-8 and lone surrogates by U+FFFD instead of refusing them.
    text = data.decode("utf-8", "replace")
    try:
        document = json.loads(text, object_pairs_hook=_Pairs, parse_constant=refuse_constant)
    except RecursionError:
        raise Unsure("nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"not JSON, although it begins with a brace: {error}") from None
    return _json_node(document, _json_lines(data), depth=0)


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, duplicates included."""


def _json_node(value: Any, lines: "_Lines | None", depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Unsure(f"nested more than {MAX_DEPTH} levels deep")
    line = lines.line if lines else 1
    below = lines.below if lines else []
    if isinstance(value, _Pairs):
        members = []
        for index, (key, item) in enumerate(value):
            child = below[index] if index < len(below) else None
            node = _json_node(item, child, depth + 1)
            members.append(Member(_without_surrogates(key), node, node.line))
        return Node(Members(members), line)
    if isinstance(value, list):
        nodes = []
        for index, item in enumerate(value):
            child = below[index] if index < len(below) else None
            nodes.append(_json_node(item, child, depth + 1))
        return Node(nodes, line)
    return Node(_without_surrogates(value) if isinstance(value, str) else value, line)


def _without_surrogates(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


@dataclass(slots=True)
class _Lines:
    """Where a JSON value and the values in it stand."""

    line: int
    below: list["_Lines"] = field(default_factory=list)


def _json_lines(data: bytes) -> _Lines | None:
    """Line numbers of a JSON text, by reading it as the YAML that it nearly always is."""
    try:
        return _lines_of(_compose(data))
    except (Malformed, Unsure):
        return None


def _lines_of(node: "_YamlNode") -> _Lines:
    below = node.children[1::2] if node.kind == "mapping" else node.children
    return _Lines(node.line, [_lines_of(child) for child in below])


# --- YAML: events to nodes -----------------------------------------------------------------


@dataclass(slots=True)
class _YamlNode:
    kind: str  # scalar, sequence, mapping (keys and values in turn) or alias
    line: int
    value: str = ""
    tag: str | None = None
    plain: bool = False
    flow: bool = False
    children: list["_YamlNode"] = field(default_factory=list)
    target: "_YamlNode | None" = None


def _read_yaml(data: bytes) -> Node:
    return _Reader().node(_compose(data), depth=0)


def _compose(data: bytes) -> _YamlNode:
    """The first document's nodes; what follows it is not even parsed, as in the server."""
    text = _text(data)
    if "\ufeff" in text[1:]:
        raise Unsure("a byte order mark that is not at the beginning")
    anchors: dict[str, _YamlNode] = {}
    root = _YamlNode("scalar", 1, plain=True)
    open_nodes: list[_YamlNode] = []
    for event in _events(data):
        if isinstance(event, yaml.DocumentStartEvent) and event.version not in (None, (1, 1)):
            raise Malformed("found incompatible YAML document")
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            open_nodes.pop()
        elif isinstance(event, yaml.NodeEvent):
            if isinstance(event, yaml.ScalarEvent):
                in_flow = bool(open_nodes) and open_nodes[-1].flow
                _refuse_newer_yaml(event, text, in_flow=in_flow)
            node = _node_of(event, anchors)
            if open_nodes:
                open_nodes[-1].children.append(node)
            else:
                root = node
            if node.kind in ("sequence", "mapping"):
                open_nodes.append(node)
                if len(open_nodes) > MAX_DEPTH:
                    raise Unsure(f"nested more than {MAX_DEPTH} levels deep")
    _move_to_dashes(root, text)
    return root


def _text(data: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    return data.decode("utf-8", "replace")


def _refuse_newer_yaml(event: yaml.ScalarEvent, text: str, *, in_flow: bool) -> None:
    r"""Stop at what libyaml learned after Go's port of it: `"\/"`, `[a?b]` and `[!tag, a]`."""
    if not event.start_mark or not event.end_mark:
        return
    source = text[event.start_mark.index : event.end_mark.index]
    line = event.start_mark.line + 1
    if event.style == '"' and re.search(r"(?<!\\)(\\\\)*\\/", source):
        raise Malformed(f"line {line}: found unknown escape character")
    if in_flow and not event.style and "?" in source:
        raise Malformed(f"line {line}: did not find expected ',' or ']'")
    if in_flow and event.tag and not event.value:
        raise Unsure(f"line {line}: a tag with nothing after it")


def _events(data: bytes) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(_Trickle(data), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        problem = _yaml_problem(error)
        if "found unexpected ':'" in problem:  # `[a:, b]` is text to Go's older scanner
            raise Unsure(problem) from None
        raise Malformed(problem) from None
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8: {error.reason}") from None


class _Trickle(io.BytesIO):
    """Hands out what Go's port reads at a time, so that both stop equally far behind the end.

    With larger reads an unprintable character in a later document, which the server never
    reaches, would be refused.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(512 if size is None or size < 0 else min(size, 512))


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _node_of(event: yaml.NodeEvent, anchors: dict[str, _YamlNode]) -> _YamlNode:
    line = event.start_mark.line + 1 if event.start_mark else 1
    match event:
        case yaml.AliasEvent():
            if event.anchor not in anchors:
                raise Malformed(f"unknown anchor '{event.anchor}' referenced")
            return _YamlNode("alias", line, event.anchor, target=anchors[event.anchor])
        case yaml.ScalarEvent():
            node = _YamlNode("scalar", line, event.value, event.tag, plain=event.implicit[0])
        case yaml.SequenceStartEvent():
            node = _YamlNode("sequence", line, flow=bool(event.flow_style))
        case yaml.MappingStartEvent():
            node = _YamlNode("mapping", line, flow=bool(event.flow_style))
        case _:
            raise AssertionError(event)
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _move_to_dashes(root: _YamlNode, text: str) -> None:
    """Put the items of the top mapping's sequences on the line of their dash.

    libyaml marks an item where its content begins, which may be lines below the dash.
    """
    lines = text.splitlines()
    sequences = [n for n in root.children[1::2] if n.kind == "sequence"]
    for item in (item for sequence in sequences for item in sequence.children):
        above = item.line - 1
        while 0 <= above < len(lines) and not lines[above].lstrip().startswith("-"):
            bare = lines[above].split("#", 1)[0].strip()
            if bare and above != item.line - 1:
                break  # something else stands above: a flow sequence, no dash
            above -= 1
        else:
            item.line = max(above, 0) + 1


# --- YAML: nodes to the JSON that Go makes of them -----------------------------------------


class _Reader:
    """One pass over one document, with go-yaml's own guard against alias bombs."""

    def __init__(self) -> None:
        self._reads = 0
        self._alias_reads = 0
        self._inside: list[_YamlNode] = []

    def node(self, source: _YamlNode, depth: int) -> Node:
        self._count(depth)
        match source.kind:
            case "alias":
                return self._alias(source, depth)
            case "scalar":
                return Node(_finite(source), source.line)
            case "sequence":
                return Node([self.node(child, depth + 1) for child in source.children], source.line)
            case _:
                return Node(_members(self._mapping(source, depth)), source.line)

    def _count(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Unsure(f"nested more than {MAX_DEPTH} levels deep")
        self._reads += 1
        self._alias_reads += bool(self._inside)
        if (
            self._alias_reads > 100
            and self._reads > 1000
            and self._alias_reads / self._reads > _allowed_alias_share(self._reads)
        ):
            raise Malformed("document contains excessive aliasing")

    def _alias(self, source: _YamlNode, depth: int) -> Node:
        if any(source is other for other in self._inside):
            raise Malformed(f"anchor '{source.value}' value contains itself")
        assert source.target is not None  # noqa: S101 - _node_of sets it for every alias
        self._inside.append(source)
        node = self.node(source.target, depth + 1)
        self._inside.pop()
        return Node(node.value, source.line)

    def _mapping(self, source: _YamlNode, depth: int) -> Iterator[Member]:
        keys, values = source.children[0::2], source.children[1::2]
        for key, value in zip(keys, values, strict=True):
            if key.kind == "scalar" and key.value == "<<" and (key.plain or key.tag == _MERGE):
                yield from self._merged(value, depth)
            else:
                name = _key(self._key_node(key, depth + 1))
                yield Member(name, self.node(value, depth + 1), key.line)

    def _key_node(self, key: _YamlNode, depth: int) -> Node:
        """A key may be an infinite number, because it becomes text."""
        if key.kind != "scalar":
            return self.node(key, depth)
        self._count(depth)
        return Node(_scalar(key), key.line)

    def _merged(self, value: _YamlNode, depth: int) -> Iterator[Member]:
        """`<<: *a` or `<<: [*a, *b]`, where the earlier of a list wins."""
        sources = reversed(value.children) if value.kind == "sequence" else [value]
        for source in sources:
            target = source.target if source.kind == "alias" else source
            if target is None or target.kind != "mapping":
                raise Malformed("map merge requires map or sequence of maps as the value")
            merged = self.node(source, depth + 1).value
            if isinstance(merged, Members):
                yield from merged.items


def _scalar(source: _YamlNode) -> bool | int | float | str | None:
    return resolve(source.value, source.tag, plain=source.plain, line=source.line)


def _finite(source: _YamlNode) -> bool | int | float | str | None:
    value = _scalar(source)
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed(f"line {source.line}: json: unsupported value: {source.value}")
    return value


_MERGE = "tag:yaml.org,2002:merge"


def _allowed_alias_share(reads: int) -> float:
    """The share of reads that may come out of aliases: 99 % of a small document, 10 % of a huge."""
    low, high = 400_000, 4_000_000
    return 0.99 - 0.89 * min(max(reads - low, 0) / (high - low), 1.0)


def _members(pairs: Iterable[Member]) -> Members:
    """The last of equal keys wins; sorted, because Go writes a map to JSON in key order."""
    last: dict[str, Member] = {}
    repeated = []
    for member in pairs:
        if member.key in last:
            repeated.append(member)
        last[member.key] = member
    return Members([last[key] for key in sorted(last, key=_bytes)], repeated)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _key(node: Node) -> str:
    match node.value:
        case str(text):
            return text
        case bool(truth):
            return "true" if truth else "false"
        case int(number) if number <= 2**63 - 1:
            return str(number)
        case float(number):
            return float_as_key(number)
        case list() | Members():
            raise Malformed(f"line {node.line}: invalid map key")
        case _:
            raise Malformed(f"line {node.line}: unsupported map key")
