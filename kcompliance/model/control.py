"""One requirement: what is asked, why, with which parameters, for which frameworks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kcompliance.model.finding import Severity

__all__ = [
    "Aspect",
    "Control",
    "Framework",
    "FrameworkItem",
    "Parameter",
    "Platform",
    "Satisfies",
    "SourceRef",
]


class Platform(StrEnum):
    """Where a cluster runs."""

    AKS = "aks"
    EKS = "eks"
    SELF_MANAGED = "self-managed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfies:
    """A framework's item that an aspect answers; `checked` tells how the id was verified."""

    framework: str
    versions: tuple[str, ...]
    id: str
    checked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One of several answers to one question; `only_for` names frameworks that alone ask it."""

    id: str
    title: str
    severity: Severity
    satisfies: tuple[Satisfies, ...] = ()
    only_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A knob of a control; `type` is one of bool, int, text, level, list, rules."""

    name: str
    type: str
    default: Any
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """Where the requirement comes from, and on which day that was read."""

    title: str
    url: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A requirement as its YAML states it."""

    id: str
    slug: str
    family: str
    title: str
    platforms: tuple[Platform, ...]
    asks: str
    why: str
    aspects: tuple[Aspect, ...]
    parameters: Mapping[str, Parameter]
    remediation: str
    sources: tuple[SourceRef, ...]
    edge_cases: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """The highest of its aspects."""
        return max(aspect.severity for aspect in self.aspects)

    def aspect(self, id_: str) -> Aspect:
        """The aspect of this id; KeyError where there is none."""
        for aspect in self.aspects:
            if aspect.id == id_:
                return aspect
        raise KeyError(f"{self.id} has no aspect {id_}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkItem:
    """One requirement of a framework, in the versions that have it."""

    id: str
    title: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A benchmark or standard: ids and titles, no logic."""

    id: str
    title: str
    publisher: str
    url: str
    versions: tuple[str, ...]
    items: tuple[FrameworkItem, ...]
