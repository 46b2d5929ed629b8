"""Follows a log file through the configuration of a forwarder: which outputs get its records.

Nothing is run and nothing filled in: what a variable, a template or a file that is not at hand
decides is said to be unsure.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from kcompliance.model.forwarder_config.beats import follow_elastic_agent, follow_filebeat
from kcompliance.model.forwarder_config.fluent_bit import follow_fluent_bit
from kcompliance.model.forwarder_config.fluentd import follow_fluentd
from kcompliance.model.forwarder_config.globs import path_matches, worked_out
from kcompliance.model.forwarder_config.graph import follow_otel, follow_vector
from kcompliance.model.forwarder_config.interface import (
    ConfigFiles,
    Flow,
    Followed,
    NotFollowed,
    Output,
    Reach,
    Software,
)
from kcompliance.model.forwarder_config.loki import follow_alloy, follow_promtail

__all__ = [
    "ConfigFiles",
    "Flow",
    "Followed",
    "NotFollowed",
    "Output",
    "Reach",
    "Software",
    "first_files",
    "follow",
    "path_matches",
    "software_of",
]

_BY_IMAGE = (
    (Software.FLUENT_BIT, r"fluent-?bit"),
    (Software.FLUENTD, r"fluentd"),
    (Software.FILEBEAT, r"filebeat"),
    (Software.ELASTIC_AGENT, r"elastic-agent"),
    (Software.PROMTAIL, r"promtail"),
    (Software.ALLOY, r"alloy"),
    (Software.OTEL, r"otel|opentelemetry-collector"),
    (Software.VECTOR, r"vector"),
)
_FOLLOWERS: Mapping[Software, Callable[[ConfigFiles, str], Followed | NotFollowed]] = {
    Software.FLUENTD: follow_fluentd,
    Software.FLUENT_BIT: follow_fluent_bit,
    Software.FILEBEAT: follow_filebeat,
    Software.ELASTIC_AGENT: follow_elastic_agent,
    Software.VECTOR: follow_vector,
    Software.PROMTAIL: follow_promtail,
    Software.ALLOY: follow_alloy,
    Software.OTEL: follow_otel,
}
_FIRST_BY_DEFAULT: Mapping[Software, tuple[str, ...]] = {
    Software.FLUENTD: ("/fluentd/etc/fluent.conf", "/etc/fluent/fluent.conf"),
    Software.FLUENT_BIT: ("/fluent-bit/etc/fluent-bit.conf", "/fluent-bit/etc/fluent-bit.yaml"),
    Software.FILEBEAT: ("/usr/share/filebeat/filebeat.yml",),
    Software.ELASTIC_AGENT: ("/usr/share/elastic-agent/elastic-agent.yml",),
    Software.VECTOR: ("/etc/vector/vector.yaml", "/etc/vector/vector.toml"),
    Software.PROMTAIL: ("/etc/promtail/config.yml",),
    Software.ALLOY: ("/etc/alloy/config.alloy",),
    Software.OTEL: ("/etc/otelcol-contrib/config.yaml", "/etc/otelcol/config.yaml"),
}
_FLAGS = frozenset(
    [
        "-c",
        "--c",
        "--config",
        "-config",
        "--config-file",
        "-config.file",
        "--config.file",
        "--config-toml",
        "--config-yaml",
        "--config-json",
        "--config-dir",
        "-C",
        "--path.config",
    ]
)
_FOLDERS = frozenset({"--config-dir", "-C"})


def software_of(image: str) -> Software | None:
    """Which forwarder an image's name says that it is."""
    for software, pattern in _BY_IMAGE:
        if re.search(pattern, image, re.IGNORECASE):
            return software
    return None


def first_files(
    software: Software, words: Sequence[str], paths: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Of the files at hand those that it is started with, and those named that are not at hand."""
    named = [worked_out(path) for path in _named_in(software, words)]
    found: list[str] = []
    missing: list[str] = []
    for name in named:
        here = [path for path in paths if path == name or path.rpartition("/")[0] == name]
        found += here
        missing += [] if here else [name]
    if not named:
        found = [path for path in _FIRST_BY_DEFAULT[software] if path in paths][:1]
        missing = [] if found else [_FIRST_BY_DEFAULT[software][0]]
    return found, missing


def _named_in(software: Software, words: Sequence[str]) -> list[str]:
    split = [piece for word in words for piece in (word.split() if " " in word else [word])]
    named = []
    for index, word in enumerate(split):
        flag, equals, value = word.partition("=")
        following = split[index + 1] if index + 1 < len(split) else ""
        if flag in _FLAGS:
            named.append(value if equals else following)
        elif software is Software.ALLOY and word == "run":
            named.append(next((w for w in split[index + 1 :] if not w.startswith("-")), ""))
    return [name.removeprefix("file:") for name in named if name.startswith(("/", "file:/"))]


def follow(software: Software, files: ConfigFiles, path: str) -> Followed | NotFollowed:
    """Where the records of a path go, as the forwarder's container calls it."""
    if not files.first:
        return NotFollowed("is not at hand")
    return _FOLLOWERS[software](files, worked_out(path))
