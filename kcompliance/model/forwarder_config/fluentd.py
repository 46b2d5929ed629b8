"""Follows a file through a configuration of fluentd.

Source: docs.fluentd.org, "Config File Syntax", `in_tail`, "Routing Examples", `filter_grep`: an
event takes the filters above it and the first match; labels are scopes of their own.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from kcompliance.model.forwarder_config.globs import path_matches, wildcard_matches
from kcompliance.model.forwarder_config.includes import included
from kcompliance.model.forwarder_config.interface import (
    ConfigFiles,
    Flow,
    Followed,
    NotFollowed,
    Output,
    Reach,
)
from kcompliance.model.forwarder_config.outputs import output_of

__all__ = ["follow_fluentd"]

_HARMLESS = frozenset(
    [
        "record_transformer",
        "record_modifier",
        "parser",
        "kubernetes_metadata",
        "concat",
        "dedot",
        "stdout",
        "prometheus",
        "geoip",
        "elasticsearch_genid",
        "enrich_metadata",
        "tag_normaliser",
        "flatten_hash",
        "detect_exceptions",
    ]
)
_DROPPING = frozenset(["grep", "throttle", "sampling", "sampling_filter", "null", "suppress"])
_RETAGGING = frozenset(["rewrite_tag_filter", "route", "record_reformer", "retag", "rewrite"])
_MOST_LABELS = 20
_MOST_STEPS = 10_000
_MOST_INCLUDES = 1000


@dataclass(slots=True)
class _Element:
    name: str
    argument: str
    values: dict[str, str] = field(default_factory=dict)
    children: list["_Element"] = field(default_factory=list)

    @property
    def type(self) -> str:
        return self.values.get("@type") or self.values.get("type") or ""


@dataclass(slots=True)
class _Read:
    root: _Element
    unsure: list[str]
    includes: int = 0


def follow_fluentd(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where the records of this path of the container go."""
    read = _Read(root=_Element("", ""), unsure=list(files.unsure))
    for first in files.first:
        _read_into(read.root, first, files, read, ())
    tails = [
        child
        for child in read.root.children
        if child.name == "source" and child.type == "tail" and child.values.get("path")
    ]
    flows, readers = [], []
    for tail in tails:
        if not _reads(tail, path):
            continue
        name = f"tail of {tail.values['path']}"
        readers.append(name)
        tag = _tag(tail.values.get("tag", ""), path)
        label = tail.values.get("@label", "")
        ways = _Ways(root=read.root, source=name, base_unsure=tuple(dict.fromkeys(read.unsure))[:5])
        flows += (
            ways.from_label(label, tag, _Way(), 0)
            if label
            else ways.through(read.root, tag, _Way(), 0)
        )
    return Followed(
        flows=tuple(flows),
        read_by=tuple(readers),
        paths=tuple(tail.values["path"] for tail in tails),
        unsure=tuple(read.unsure),
    )


def _reads(tail: _Element, path: str) -> bool:
    delimiter = tail.values.get("path_delimiter", ",")
    paths = [each.strip() for each in tail.values["path"].split(delimiter or ",")]
    left_out = re.findall(r"[\"']([^\"']*)[\"']", tail.values.get("exclude_path", ""))
    return any(path_matches(each, path) for each in paths) and not any(
        path_matches(each, path) for each in left_out
    )


def _tag(tag: str, path: str) -> str:
    return tag.replace("*", path.strip("/").replace("/", "."))


# --- the way of an event -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Way:
    drops: tuple[str, ...] = ()
    may_drop: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Ways:
    root: _Element
    source: str
    base_unsure: tuple[str, ...]
    steps: int = 0

    def from_label(self, label: str, tag: str, way: _Way, depth: int) -> list[Flow]:
        scopes = [c for c in self.root.children if c.name == "label" and c.argument == label]
        if not scopes or depth > _MOST_LABELS:
            return []
        scope = _one_scope(scopes)
        return self.through(scope, tag, way, depth)

    def through(self, scope: _Element, tag: str, way: _Way, depth: int) -> list[Flow]:
        self.steps += 1
        if depth > _MOST_LABELS or self.steps > _MOST_STEPS:
            return []
        for child in scope.children:
            if child.name not in ("filter", "match"):
                continue
            matches = _tag_matches(child.argument, tag)
            if matches is None:
                way = replace(way, unsure=(*way.unsure, f"<{child.name} {child.argument}>"))
                continue
            if matches and child.name == "filter":
                way = _past(child, way)
            elif matches:
                return list(self._into(child, scope, tag, way, depth))
        return []

    def _into(
        self, match: _Element, scope: _Element, tag: str, way: _Way, depth: int
    ) -> Iterator[Flow]:
        kind = match.type
        self.steps += 1
        if self.steps > _MOST_STEPS:
            return
        if kind in ("copy", "roundrobin"):
            for store in match.children:
                if store.name == "store":
                    yield from self._into(store, scope, tag, way, depth)
        elif kind == "relabel":
            yield from self.from_label(match.values.get("@label", ""), tag, way, depth + 1)
        elif kind == "detect_exceptions":
            prefix = match.values.get("remove_tag_prefix", "")
            yield from self.through(scope, tag.removeprefix(f"{prefix}."), way, depth + 1)
        elif kind in _RETAGGING:
            unsure = f"@type {kind} gives records another tag by what is in them"
            yield self._flow(Output(kind=kind, reach=Reach.UNKNOWN), way, unsure)
        else:
            yield self._flow(_output(match), way)

    def _flow(self, output: Output, way: _Way, *unsure: str) -> Flow:
        return Flow(
            source=self.source,
            output=output,
            drops=way.drops,
            may_drop=way.may_drop,
            unsure=(*self.base_unsure, *way.unsure, *unsure),
        )


def _one_scope(scopes: list[_Element]) -> _Element:
    """Labels of one name are one scope."""
    return _Element("label", "", {}, [child for scope in scopes for child in scope.children])


def _past(found: _Element, way: _Way) -> _Way:
    title = f"<filter {found.argument}> @type {found.type}"
    if found.type in _DROPPING:
        rules = [
            " ".join(f"{key} {value}" for key, value in child.values.items())
            for child in found.children
        ]
        what = f" ({found.children[0].name}: {rules[0]})" if rules else ""
        return replace(way, drops=(*way.drops, title + what))
    if found.type in _HARMLESS:
        return way
    return replace(way, may_drop=(*way.may_drop, title))


def _output(match: _Element) -> Output:
    servers = [child.values.get("host", "") for child in match.children if child.name == "server"]
    settings: dict[str, object] = dict(match.values)
    if servers:
        settings["host"] = servers
    return output_of(match.type, settings)


def _tag_matches(patterns: str, tag: str) -> bool | None:
    """None: a pattern that cannot be told, for it is a regular expression or written in Ruby."""
    unknown = False
    for pattern in patterns.split() or [""]:
        if pattern.startswith("/") or "#{" in pattern:
            unknown = True
        elif any(_parts_match(each.split("."), tag.split(".")) for each in _braces(pattern)):
            return True
    return None if unknown else False


def _braces(pattern: str) -> Sequence[str]:
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None or len(pattern) > 1000:
        return [pattern]
    return [
        each
        for choice in found[1].split(",")[:32]
        for each in _braces(pattern[: found.start()] + choice + pattern[found.end() :])
    ][:64]


def _parts_match(pattern: list[str], tag: list[str]) -> bool:
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(tag) + 1)) if reached else set()
        else:
            reached = {a + 1 for a in reached if a < len(tag) and wildcard_matches(part, tag[a])}
    return len(tag) in reached


# --- syntax --------------------------------------------------------------------------------------

_OPENS = re.compile(r"^<(\w+)\s*([^>]*)>$")
_CLOSES = re.compile(r"^</\w+>$")


def _read_into(
    root: _Element, path: str, files: ConfigFiles, read: _Read, above: tuple[str, ...]
) -> None:
    """What cannot be understood is left out: fluentd itself would not start with it."""
    read.includes += 1
    if path in above or read.includes > _MOST_INCLUDES:
        read.unsure.append(f"{path} is included in a circle, or too often")
        return
    stack = [root]
    for line in files.texts.get(path, "").splitlines():
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        opens = _OPENS.match(words)
        if words.startswith("@include"):
            wanted = words.removeprefix("@include").strip().strip("\"'")
            found = included(files, wanted, path)
            if not found:
                read.unsure.append(f"it includes {wanted}, which is in no ConfigMap")
            for each in found:
                _read_into(stack[-1], each, files, read, (*above, path))
        elif opens:
            element = _Element(opens[1], opens[2].strip())
            stack[-1].children.append(element)
            stack.append(element)
        elif _CLOSES.match(words):
            del stack[max(1, len(stack) - 1) :]
        else:
            key, _, value = words.partition(" ")
            stack[-1].values[key] = _value(value)


def _value(written: str) -> str:
    written = written.strip()
    if written.startswith('"') and written.endswith('"') and len(written) > 1:
        try:
            return str(json.loads(written))
        except ValueError:
            return written[1:-1]
    if written.startswith("'") and written.endswith("'") and len(written) > 1:
        return written[1:-1]
    return re.sub(r"\s+#.*$", "", written)
