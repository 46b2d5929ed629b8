"""Follows a file through configurations that are a graph: Vector, and the OpenTelemetry Collector.

Source: vector.dev, "Configuration", "Transforms", "Sinks"; opentelemetry.io, "Configuration", the
`filelog` receiver and `filter` processor of the collector's contrib repository.
"""

import tomllib
from collections.abc import Iterator, Mapping

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.forwarder_config.globs import path_matches, wildcard_matches
from kcompliance.model.forwarder_config.interface import ConfigFiles, Flow, Followed, NotFollowed
from kcompliance.model.forwarder_config.outputs import output_of

__all__ = ["follow_otel", "follow_vector"]

_MOST_STEPS = 2000

# --- Vector --------------------------------------------------------------------------------------

_VECTOR_DROPPING = frozenset({"filter", "sample", "throttle"})
_VECTOR_MAY_DROP = frozenset({"lua", "route", "exclusive_route", "wasm", "aws_ec2_metadata"})


def follow_vector(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where Vector sends the lines of this path of the container."""
    parts: dict[str, dict[str, Mapping[str, object]]] = {
        part: {} for part in ("sources", "transforms", "sinks")
    }
    for first in files.first:
        document = _vector_file(first, files.texts.get(first, ""))
        if isinstance(document, NotFollowed):
            return document
        for part, found in parts.items():
            found.update({k: mapping(v) for k, v in mapping(document.get(part)).items()})
    sources = {name: s for name, s in parts["sources"].items() if s.get("type") == "file"}
    readers = [
        name
        for name, source in sources.items()
        if _any_matches(source.get("include"), path)
        and not _any_matches(source.get("exclude"), path)
    ]
    flows = [
        flow
        for name in readers
        for flow in _vector_flows(name, parts["transforms"], parts["sinks"])
    ]
    return Followed(
        flows=tuple(flows),
        read_by=tuple(
            f"source {name} of {_shown(sources[name].get('include'))}" for name in readers
        ),
        paths=tuple(each for source in sources.values() for each in _list(source.get("include"))),
        unsure=tuple(files.unsure),
    )


def _vector_file(path: str, content: str) -> Mapping[str, object] | NotFollowed:
    try:
        if path.endswith(".toml"):
            return tomllib.loads(content)
        documents = read_documents(content.encode())
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return NotFollowed(f"is not TOML that can be read: {error}")
    except (Malformed, Unsure) as error:
        return NotFollowed(f"is not YAML that can be read: {error}")
    return mapping(documents[0]) if documents else {}


def _vector_flows(
    source: str,
    transforms: Mapping[str, Mapping[str, object]],
    sinks: Mapping[str, Mapping[str, object]],
) -> Iterator[Flow]:
    pending: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(source, (), ())]
    seen: set[str] = set()
    for _ in range(_MOST_STEPS):
        if not pending:
            return
        at_, drops, may_drop = pending.pop(0)
        seen.add(at_)
        for sink in sinks.values():
            if _takes_from(sink, at_):
                yield Flow(
                    source=f"source {source}",
                    output=output_of(text(sink.get("type")) or "", sink),
                    drops=drops,
                    may_drop=may_drop,
                )
        for name, transform in transforms.items():
            if name not in seen and _takes_from(transform, at_):
                kind = text(transform.get("type")) or ""
                title = (f"transform {name} ({kind})",)
                more = title if kind in _VECTOR_DROPPING else ()
                code = text(transform.get("source")) or ""
                may = kind in _VECTOR_MAY_DROP or (kind == "remap" and "abort" in code)
                pending.append((name, (*drops, *more), (*may_drop, *(title if may else ()))))


def _takes_from(consumer: Mapping[str, object], producer: str) -> bool:
    wanted = texts(consumer.get("inputs"))
    return any(
        wildcard_matches(each, producer) or each.startswith(f"{producer}.") for each in wanted
    )


# --- OpenTelemetry -------------------------------------------------------------------------------

_OTEL_DROPPING = frozenset({"filter", "probabilistic_sampler", "tail_sampling", "logdedup"})
_OTEL_MAY_DROP = frozenset({"transform", "routing"})


def follow_otel(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where an OpenTelemetry Collector sends the lines of this path of the container."""
    document: dict[str, object] = {}
    try:
        for first in files.first:
            for each in read_documents(files.texts.get(first, "").encode()):
                document = _merged(document, mapping(each))
    except (Malformed, Unsure) as error:
        return NotFollowed(f"is not YAML that can be read: {error}")
    receivers = {
        name: mapping(settings)
        for name, settings in mapping(document.get("receivers")).items()
        if _kind(name) == "filelog"
    }
    readers = [
        name
        for name, receiver in receivers.items()
        if _any_matches(receiver.get("include"), path)
        and not _any_matches(receiver.get("exclude"), path)
    ]
    flows = [flow for name in readers for flow in _otel_flows(document, name, receivers[name])]
    return Followed(
        flows=tuple(flows),
        read_by=tuple(f"{name} of {_shown(receivers[name].get('include'))}" for name in readers),
        paths=tuple(e for receiver in receivers.values() for e in _list(receiver.get("include"))),
        unsure=tuple(files.unsure),
    )


def _otel_flows(
    document: Mapping[str, object], receiver: str, settings: Mapping[str, object]
) -> Iterator[Flow]:
    pipelines = mapping(at(document, "service", "pipelines"))
    exporters, connectors = mapping(document.get("exporters")), mapping(document.get("connectors"))
    own = tuple(
        f"operator {operator} of {receiver}"
        for each in sequence(settings.get("operators"))
        if (operator := text(at(each, "type"))) == "filter"
    )
    pending: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(receiver, own, ())]
    seen: set[str] = set()
    for _ in range(_MOST_STEPS):
        if not pending:
            return
        at_, drops, may_drop = pending.pop(0)
        seen.add(at_)
        for name, pipeline in pipelines.items():
            if _kind(name) != "logs" or at_ not in texts(at(pipeline, "receivers")):
                continue
            on_the_way = texts(at(pipeline, "processors"))
            all_drops = (*drops, *_named("processor", on_the_way, _OTEL_DROPPING))
            all_may = (*may_drop, *_named("processor", on_the_way, _OTEL_MAY_DROP))
            for exporter in texts(at(pipeline, "exporters")):
                if exporter in connectors and exporter not in seen:
                    routed = _named("connector", [exporter], _OTEL_MAY_DROP)
                    pending.append((exporter, all_drops, (*all_may, *routed)))
                elif exporter not in connectors:
                    output = output_of(_kind(exporter), mapping(exporters.get(exporter)))
                    yield Flow(source=receiver, output=output, drops=all_drops, may_drop=all_may)


def _named(what: str, names: list[str], kinds: frozenset[str]) -> list[str]:
    return [f"{what} {name}" for name in names if _kind(name) in kinds]


def _kind(name: str) -> str:
    return name.partition("/")[0]


def _merged(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """As the collector merges several configurations: mappings deeply, all else by the last."""
    result = dict(one)
    for key, value in other.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(mapping(before), mapping(value)) if both else value
    return result


# --- both ----------------------------------------------------------------------------------------


def _list(value: object) -> list[str]:
    return texts(value) if isinstance(value, list) else [each for each in [text(value)] if each]


def _any_matches(patterns: object, path: str) -> bool:
    return any(path_matches(pattern, path) for pattern in _list(patterns))


def _shown(patterns: object) -> str:
    return ", ".join(_list(patterns))
