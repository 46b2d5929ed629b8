"""Follows a file through a configuration of Filebeat or of a standalone Elastic Agent.

Source: Elastic's documentation, "Configure inputs" (`filestream`, `log`, `container`), "Filter and
enhance data with processors", "Configure standalone Elastic Agents".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.forwarder_config.globs import path_matches, search_simply
from kcompliance.model.forwarder_config.interface import (
    ConfigFiles,
    Flow,
    Followed,
    NotFollowed,
    Output,
)
from kcompliance.model.forwarder_config.outputs import output_of

__all__ = ["follow_elastic_agent", "follow_filebeat"]

_FILE_INPUTS = frozenset({"log", "filestream", "container", "logfile"})


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    paths: tuple[str, ...]
    left_out: tuple[str, ...]
    drops: tuple[str, ...]
    may_drop: tuple[str, ...]
    output: str = "default"


def follow_filebeat(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where Filebeat sends the lines of this path of the container."""
    document = _document(files)
    if isinstance(document, NotFollowed):
        return document
    unsure = list(files.unsure)
    for key in ("config", "autodiscover", "modules"):
        if at(document, "filebeat", key):
            unsure.append(f"filebeat.{key} may bring more inputs")
    drops, may_drop = _processors(document, "processors")
    inputs = [*_inputs(sequence(at(document, "filebeat", "inputs")), drops, may_drop)]
    outputs = {
        kind: output_of(kind, {**_cloud(document), **mapping(settings)})
        for kind, settings in mapping(document.get("output")).items()
        if at(settings, "enabled") is not False
    }
    if not outputs and _cloud(document):
        outputs["elasticsearch"] = output_of("elasticsearch", _cloud(document))
    return _followed(inputs, lambda _: list(outputs.values()), path, unsure)


def follow_elastic_agent(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where an Elastic Agent sends the lines of this path of the container."""
    document = _document(files)
    if isinstance(document, NotFollowed):
        return document
    if at(document, "fleet", "enabled") is True:
        return NotFollowed("is kept by Fleet")
    outputs = {
        name: output_of(text(at(settings, "type")) or "elasticsearch", mapping(settings))
        for name, settings in mapping(document.get("outputs")).items()
    }
    inputs: list[_Input] = []
    for each in sequence(document.get("inputs")):
        if at(each, "enabled") is False or at(each, "type") not in _FILE_INPUTS:
            continue
        use = text(at(each, "use_output")) or "default"
        outer = _processors(mapping(each), "processors")
        inputs += _inputs(sequence(at(each, "streams")), *outer, output=use, named=mapping(each))

    def of(found: _Input) -> list[Output]:
        return [outputs[found.output]] if found.output in outputs else []

    return _followed(inputs, of, path, list(files.unsure))


def _document(files: ConfigFiles) -> Mapping[str, object] | NotFollowed:
    merged: dict[str, object] = {}
    try:
        for first in files.first:
            for document in read_documents(files.texts.get(first, "").encode()):
                merged = {**merged, **mapping(_nested(document))}
    except (Malformed, Unsure) as error:
        return NotFollowed(f"is not YAML that can be read: {error}")
    return merged or NotFollowed("is empty")


def _nested(value: object, depth: int = 0) -> object:
    """`a.b: c` as `a: {b: c}`, as Elastic's forwarders take it."""
    if isinstance(value, list):
        return [_nested(item, depth + 1) for item in value] if depth < 50 else None
    if not isinstance(value, Mapping) or depth > 50:
        return value
    result: dict[str, object] = {}
    for key, item in mapping(value).items():
        _merge(result, key.split("."), _nested(item, depth + 1))
    return result


def _merge(into: dict[str, object], path: list[str], value: object) -> None:
    for key in path[:-1]:
        inner = into.get(key)
        if not isinstance(inner, dict):
            inner = into[key] = {}
        into = inner
    before = into.get(path[-1])
    if isinstance(before, dict) and isinstance(value, dict):
        for key, item in value.items():
            _merge(before, [key], item)
    else:
        into[path[-1]] = value


def _cloud(document: Mapping[str, object]) -> Mapping[str, object]:
    cloud = text(at(document, "cloud", "id"))
    return {"cloud_id": cloud} if cloud else {}


def _inputs(
    found: list[object],
    drops: tuple[str, ...],
    may_drop: tuple[str, ...],
    *,
    output: str = "default",
    named: Mapping[str, object] | None = None,
) -> Iterator[_Input]:
    for each in found:
        kind = text(at(each, "type")) or text(at(named, "type")) or "log"
        if kind not in _FILE_INPUTS or at(each, "enabled") is False:
            continue
        own_drops, own_may = _processors(mapping(each), "processors")
        own_drops += tuple(
            f"{key} of the input" for key in ("include_lines", "exclude_lines") if at(each, key)
        )
        yield _Input(
            name=text(at(each, "id")) or text(at(named, "id")) or kind,
            paths=tuple(texts(at(each, "paths"))),
            left_out=(
                *texts(at(each, "exclude_files")),
                *texts(at(each, "prospector", "scanner", "exclude_files")),
            ),
            drops=(*own_drops, *drops),
            may_drop=(*own_may, *may_drop),
            output=output,
        )


def _processors(holder: Mapping[str, object], key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that drop events, and scripts, which may."""
    drops, may_drop = [], []
    for each in sequence(holder.get(key)):
        for name, settings in mapping(each).items():
            if name == "drop_event":
                drops.append("processor drop_event" + ("" if at(settings, "when") else " (always)"))
            elif name == "script":
                may_drop.append("processor script")
    return tuple(drops), tuple(may_drop)


def _followed(
    inputs: list[_Input],
    outputs_of: Callable[[_Input], list[Output]],
    path: str,
    unsure: list[str],
) -> Followed:
    flows, readers = [], []
    for each in inputs:
        doubts = _left_out(each, path)
        if not any(path_matches(pattern, path) for pattern in each.paths) or doubts is None:
            continue
        readers.append(f"{each.name} of {', '.join(each.paths)}")
        for output in outputs_of(each):
            flow = Flow(
                source=readers[-1],
                output=output,
                drops=each.drops,
                may_drop=each.may_drop,
                unsure=doubts,
            )
            flows.append(flow)
    paths = tuple(pattern for each in inputs for pattern in each.paths)
    return Followed(flows=tuple(flows), read_by=tuple(readers), paths=paths, unsure=tuple(unsure))


def _left_out(found: _Input, path: str) -> tuple[str, ...] | None:
    """None: an expression leaves the file out. Else those whose meaning is not told."""
    doubts = []
    for pattern in found.left_out:
        matches = search_simply(pattern, path)
        if matches:
            return None
        if matches is None:
            doubts.append(f"exclude_files {pattern}")
    return tuple(doubts)
