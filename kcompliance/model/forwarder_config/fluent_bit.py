"""Follows a file through a configuration of fluent-bit, in its classic form or in YAML.

Source: docs.fluentbit.io, "Configuration File", "YAML configuration", `tail`, "Routing": every
output whose Match fits the tag gets the record.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.forwarder_config.globs import path_matches, wildcard_matches
from kcompliance.model.forwarder_config.includes import included
from kcompliance.model.forwarder_config.interface import ConfigFiles, Flow, Followed, NotFollowed
from kcompliance.model.forwarder_config.outputs import output_of

__all__ = ["follow_fluent_bit"]

_HARMLESS = frozenset(
    [
        "kubernetes",
        "modify",
        "record_modifier",
        "nest",
        "parser",
        "type_converter",
        "aws",
        "ecs",
        "geoip2",
        "stdout",
        "multiline",
        "content_modifier",
        "labels",
        "opentelemetry_envelope",
        "sysinfo",
        "alter_size",
    ]
)
_DROPPING = frozenset(["grep", "throttle", "throttle_size", "sampling", "checklist"])
_RETAGGING = frozenset({"rewrite_tag"})
_MOST_INCLUDES = 1000


@dataclass(frozen=True, slots=True)
class _Section:
    """An `[INPUT]`, `[FILTER]` or `[OUTPUT]`; keys in lower case."""

    part: str
    values: Mapping[str, object]

    @property
    def name(self) -> str:
        return (self.get("name") or "").lower()

    def get(self, key: str) -> str | None:
        return text(self.values.get(key))


@dataclass(slots=True)
class _Read:
    sections: list[_Section] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    includes: int = 0


def follow_fluent_bit(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where the records of this path of the container go."""
    read = _Read(unsure=list(files.unsure))
    try:
        for first in files.first:
            _read_file(first, files, read, ())
    except (Malformed, Unsure) as error:
        return NotFollowed(f"is not YAML that can be read: {error}")
    tails = [s for s in read.sections if s.part == "input" and s.name == "tail" and s.get("path")]
    readers = [tail for tail in tails if _reads(tail, path)]
    return Followed(
        flows=tuple(flow for tail in readers for flow in _flows(tail, path, read)),
        read_by=tuple(f"tail of {tail.get('path')}" for tail in readers),
        paths=tuple(str(tail.get("path")) for tail in tails),
        unsure=tuple(read.unsure),
    )


def _reads(tail: _Section, path: str) -> bool:
    def any_of(key: str) -> bool:
        written = (tail.get(key) or "").split(",")
        return any(path_matches(each.strip(), path) for each in written if each.strip())

    return any_of("path") and not any_of("exclude_path")


def _flows(tail: _Section, path: str, read: _Read) -> Iterator[Flow]:
    tag = (tail.get("tag") or "").replace("*", path.strip("/").replace("/", "."))
    unsure = list(dict.fromkeys(read.unsure))[:5]
    if not tag or tail.get("tag_regex"):
        tag, unsure = "", [*unsure, "its input has no fixed tag"]
    drops, may_drop = list(_processors(tail, _DROPPING)), list(_processors(tail, None))
    for each in (s for s in read.sections if s.part == "filter"):
        fits = _fits(each, tag)
        title = f"[FILTER] {each.name} {_match(each)}"
        if fits is None:
            unsure.append(title)
        elif fits and each.name in _DROPPING:
            drops.append(title + _rules(each))
        elif fits and each.name in _RETAGGING:
            unsure.append(f"{title} gives records another tag by what is in them")
        elif fits and each.name not in _HARMLESS:
            may_drop.append(title)
    for each in (s for s in read.sections if s.part == "output"):
        fits = _fits(each, tag)
        if fits is False:
            continue
        doubt = [f"[OUTPUT] {each.name} {_match(each)}"] if fits is None else []
        if each.get("upstream"):
            doubt.append(f"its servers are in {each.get('upstream')}")
        yield Flow(
            source=f"tail of {tail.get('path')}",
            output=output_of(each.name, each.values),
            drops=tuple(drops),
            may_drop=tuple(may_drop),
            unsure=(*unsure, *doubt),
        )


def _processors(tail: _Section, names: frozenset[str] | None) -> Iterator[str]:
    """Those of an input in YAML: of these names, or of names that are not known."""
    for each in sequence(at(tail.values.get("processors"), "logs")):
        name = (text(at(each, "name")) or "").lower()
        known = name in _HARMLESS or name in _DROPPING
        if name in names if names is not None else not known:
            yield f"processor {name}"


def _match(found: _Section) -> str:
    return f"Match {found.get('match') or found.get('match_regex') or '(none)'}"


def _rules(found: _Section) -> str:
    rules = [f"{key} {found.get(key)}" for key in ("exclude", "regex", "rate") if found.get(key)]
    return f" ({', '.join(rules)})" if rules else ""


def _fits(found: _Section, tag: str) -> bool | None:
    """None where a regular expression decides, or the tag is not known."""
    match = found.get("match")
    if match is not None:
        if match == "*":
            return True
        return wildcard_matches(match, tag) if tag and "${" not in match else None
    return None if found.get("match_regex") else False


# --- syntax --------------------------------------------------------------------------------------

_HEAD = re.compile(r"^\[(\w+)\]")


def _read_file(path: str, files: ConfigFiles, read: _Read, above: tuple[str, ...]) -> None:
    read.includes += 1
    if path in above or read.includes > _MOST_INCLUDES:
        read.unsure.append(f"{path} is included in a circle, or too often")
        return
    content = files.texts.get(path, "")
    if path.endswith((".yaml", ".yml")):
        for document in read_documents(content.encode()):
            _read_yaml(mapping(document), path, files, read, above)
    else:
        _read_classic(content, path, files, read, above)


def _include(
    wanted: str, path: str, files: ConfigFiles, read: _Read, above: tuple[str, ...]
) -> None:
    found = included(files, wanted, path)
    if not found:
        read.unsure.append(f"it includes {wanted}, which is in no ConfigMap")
    for each in found:
        _read_file(each, files, read, (*above, path))


def _read_classic(
    content: str, path: str, files: ConfigFiles, read: _Read, above: tuple[str, ...]
) -> None:
    values: dict[str, object] = {}
    for line in content.splitlines():
        words = line.strip()
        head = _HEAD.match(words)
        if not words or words.startswith("#"):
            continue
        if head:
            values = {}
            read.sections.append(_Section(head[1].lower(), values))
        elif words.lower().startswith("@include"):
            _include(words[len("@include") :].strip(), path, files, read, above)
        elif words.lower().startswith("@set"):
            name, _, value = words[len("@set") :].strip().partition("=")
            read.variables[name.strip()] = value.strip()
        else:
            key, *rest = words.split(None, 1)
            _add(values, key.lower(), _filled_in(rest[0] if rest else "", read.variables))


def _filled_in(value: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: variables.get(found[1], found[0]), value)


def _add(values: dict[str, object], key: str, value: str) -> None:
    """Of a repeated key, such as the rules of grep, the first is shown."""
    values.setdefault(key, value)


def _read_yaml(
    document: Mapping[str, object],
    path: str,
    files: ConfigFiles,
    read: _Read,
    above: tuple[str, ...],
) -> None:
    for wanted in texts(document.get("includes")):
        _include(wanted, path, files, read, above)
    variables = {key: text(value) or "" for key, value in mapping(document.get("env")).items()}
    for part in ("inputs", "filters", "outputs"):
        for each in sequence(at(document, "pipeline", part)):
            values = {
                key.lower(): _filled_in(value, variables) if isinstance(value, str) else value
                for key, value in mapping(each).items()
            }
            read.sections.append(_Section(part.removesuffix("s"), values))
