"""Follows a file through a configuration of Promtail or of Grafana Alloy.

Source: grafana.com, "Promtail configuration", "Alloy configuration syntax", `local.file_match`,
`loki.source.file`, `loki.process`, `loki.write`. How Alloy's components are wired is not followed:
a file that is read is taken to go to each `loki.write`.
"""

import re
from collections.abc import Iterator, Mapping

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.forwarder_config.globs import path_matches
from kcompliance.model.forwarder_config.interface import (
    ConfigFiles,
    Flow,
    Followed,
    NotFollowed,
    Output,
    Reach,
)

__all__ = ["follow_alloy", "follow_promtail"]


def follow_promtail(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where Promtail sends the lines of this path of the container."""
    document: Mapping[str, object] = {}
    try:
        for first in files.first:
            for each in read_documents(files.texts.get(first, "").encode()):
                document = {**document, **mapping(each)}
    except (Malformed, Unsure) as error:
        return NotFollowed(f"is not YAML that can be read: {error}")
    clients = [*sequence(document.get("clients")), document.get("client")]
    urls = [url for client in clients if (url := text(at(client, "url")))]
    flows, readers, paths = [], [], []
    for job in sequence(document.get("scrape_configs")):
        for pattern, left_out in _static_paths(job):
            paths.append(pattern)
            if not path_matches(pattern, path) or (left_out and path_matches(left_out, path)):
                continue
            readers.append(f"{text(at(job, 'job_name')) or 'job'} of {pattern}")
            drops = tuple(_dropping(sequence(at(job, "pipeline_stages")), 0))
            for url in urls:
                flows.append(Flow(source=readers[-1], output=_loki(url), drops=drops))
    return Followed(
        flows=tuple(flows),
        read_by=tuple(readers),
        paths=tuple(paths),
        unsure=tuple(files.unsure),
    )


def _static_paths(job: object) -> Iterator[tuple[str, str]]:
    for target in sequence(at(job, "static_configs")):
        pattern = text(at(target, "labels", "__path__"))
        if pattern:
            yield pattern, text(at(target, "labels", "__path_exclude__")) or ""


def _dropping(stages: list[object], depth: int) -> Iterator[str]:
    for stage in stages:
        for name, settings in mapping(stage).items():
            drops = name in ("drop", "sampling")
            drops = drops or (name == "match" and at(settings, "action") == "drop")
            if drops or (name == "limit" and at(settings, "drop") is True):
                yield f"pipeline stage {name}"
            elif name == "match" and depth < 20:
                yield from _dropping(sequence(at(settings, "stages")), depth + 1)


def _loki(url: str) -> Output:
    return Output(kind="loki", reach=Reach.NETWORK, addresses=(url,))


# --- Alloy ---------------------------------------------------------------------------------------

_PATH = re.compile(r"[\"']?__path__[\"']?\s*=\s*\"([^\"\n]*)\"")
_LEFT_OUT = re.compile(r"[\"']?__path_exclude__[\"']?\s*=\s*\"([^\"\n]*)\"")
_WRITES = re.compile(r"\bloki\.write\s+\"")
_URL = re.compile(r"\burl\s*=\s*(\"[^\"\n]*\"|[^\s}]+)")
_STAGES = re.compile(r"\bstage\.(drop|sampling|limit)\b|\baction\s*=\s*\"drop\"")
_OTHERS = re.compile(r"\b(otelcol\.exporter\.\w+|import\.\w+)")


def follow_alloy(files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where Alloy sends the lines of this path of the container, as far as that is told."""
    content = "\n".join(_without_comments(files.texts.get(first, "")) for first in files.first)
    paths = _PATH.findall(content)
    reads = [pattern for pattern in paths if path_matches(pattern, path)]
    if any(path_matches(pattern, path) for pattern in _LEFT_OUT.findall(content)):
        reads = []
    outputs = [_loki(url.strip('"')) for url in _URL.findall(_blocks_of_writers(content))]
    may_drop = tuple(sorted({found[0].strip() for found in _STAGES.finditer(content)}))
    unsure = [*files.unsure, *(f"{name} is not read" for name in _OTHERS.findall(content))]
    return Followed(
        flows=tuple(
            Flow(source=f"a file match of {pattern}", output=output, may_drop=may_drop)
            for pattern in reads
            for output in outputs
        ),
        read_by=tuple(f"a file match of {pattern}" for pattern in reads),
        paths=tuple(paths),
        unsure=tuple(unsure),
    )


def _without_comments(content: str) -> str:
    return re.sub(r"^\s*//.*$", "", content, flags=re.MULTILINE)


def _blocks_of_writers(content: str) -> str:
    """What stands within the braces of each `loki.write`."""
    blocks = []
    for found in _WRITES.finditer(content):
        depth = 0
        start = content.find("{", found.end())
        for index in range(start, len(content) if start >= 0 else start):
            depth += {"{": 1, "}": -1}.get(content[index], 0)
            if depth == 0:
                blocks.append(content[start:index])
                break
    return "\n".join(blocks)
