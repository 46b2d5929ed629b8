"""What a forwarder's configuration says about one log file: where it goes, and what is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["ConfigFiles", "Flow", "Followed", "NotFollowed", "Output", "Reach", "Software"]


class Software(StrEnum):
    """The forwarders whose configuration is understood."""

    FLUENTD = "fluentd"
    FLUENT_BIT = "fluent-bit"
    FILEBEAT = "filebeat"
    ELASTIC_AGENT = "elastic-agent"
    VECTOR = "vector"
    PROMTAIL = "promtail"
    ALLOY = "alloy"
    OTEL = "opentelemetry-collector"


class Reach(StrEnum):
    """How far an output sends."""

    NETWORK = "network"
    """To its addresses."""
    CLOUD = "cloud"
    """To a service of a provider, which needs no address."""
    NOWHERE = "nowhere"
    """To nothing, or to a file or stream of the pod itself."""
    UNKNOWN = "unknown"
    """An output that is not known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One destination; `addresses` as they are written, with references to variables in them."""

    kind: str
    reach: Reach
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One way of the file's records to one output.

    `drops` are the filters on the way that leave records out, `may_drop` those whose code is not
    read, `unsure` what keeps the way itself from being certain. All are phrases.
    """

    source: str
    """The input, as the configuration calls it."""
    output: Output
    drops: tuple[str, ...] = ()
    may_drop: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What was found for one path: no flow means that the file is not read, or goes nowhere.

    `read_by` are the inputs that read it; `paths` all paths that any input reads, for people.
    """

    flows: tuple[Flow, ...] = ()
    read_by: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotFollowed:
    """The configuration cannot be followed, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFiles:
    """A forwarder's configuration: texts by their path in its container.

    `first` are the files that it is started with; all others count where they are included.
    """

    texts: Mapping[str, str]
    first: Sequence[str]
    unsure: tuple[str, ...] = field(default=())
