"""Reads our own YAML (controls, cases, configuration) so that nothing in it is ambiguous.

Text stays text (`1.10`, `yes`, `2026-01-01`); only integers, `true`, `false` and `null` become
something else. Duplicate keys, anchors, tags and several documents are refused.
"""

import re
from typing import Any

import yaml

__all__ = ["StrictYamlError", "entry_lines", "load_strict_yaml"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50


class StrictYamlError(Exception):
    """Not YAML, or YAML that could be taken in two ways; the message names the line."""


def load_strict_yaml(data: bytes) -> Any:
    """The document as dicts, lists, text, integers, booleans and None."""
    if len(data) > MAX_BYTES:
        raise StrictYamlError(f"larger than {MAX_BYTES} bytes")
    try:
        _refuse_ambiguous(data)
        return yaml.load(data, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader made stricter
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise StrictYamlError(f"{line}{error.problem}") from None
    except yaml.YAMLError as error:
        raise StrictYamlError(str(getattr(error, "reason", error))) from None


def _refuse_ambiguous(data: bytes) -> None:
    depth = documents = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise StrictYamlError(f"line {line}: a second document")
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            raise StrictYamlError(f"line {line}: anchors and aliases are not allowed")
        if getattr(event, "tag", None):
            raise StrictYamlError(f"line {line}: tags are not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise StrictYamlError(f"line {line}: nested more than {MAX_DEPTH} levels deep")


class _StrictLoader(yaml.CSafeLoader):
    """Resolves integers, booleans and null only, and refuses duplicate keys."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - as PyYAML does it


for _tag, _pattern, _first in (
    ("int", r"0|-?[1-9][0-9]*", "-0123456789"),
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise StrictYamlError(f"line {line}: the key {key!r} is not text: quote it")
        if key in result:
            raise StrictYamlError(f"line {line}: {key!r} stands there twice")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def entry_lines(data: bytes, key: str) -> tuple[int, ...]:
    """On which lines the entries of the list under a key of the top mapping begin, from 1.

    For a document that `load_strict_yaml` takes; of anything but a list there are none.
    """
    root = yaml.compose(data, Loader=_StrictLoader)
    if not isinstance(root, yaml.MappingNode):
        return ()
    for name, value in root.value:
        if name.value == key and isinstance(value, yaml.SequenceNode):
            return tuple(entry.start_mark.line + 1 for entry in value.value)
    return ()
