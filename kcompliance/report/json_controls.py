"""The controls as JSON, `kcompliance/controls/v1`, with types of their own."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from kcompliance.model.control import Control

__all__ = ["CONTROLS_SCHEMA", "Controls", "render_controls"]

CONTROLS_SCHEMA = "kcompliance/controls/v1"


class SatisfiesV1(msgspec.Struct, kw_only=True):
    """A framework's item; `checked` tells how its id was verified."""

    framework: str
    versions: list[str]
    id: str
    checked: str


class AspectV1(msgspec.Struct, kw_only=True):
    """One of several answers to one question."""

    id: str
    title: str
    severity: str
    only_for: list[str]
    satisfies: list[SatisfiesV1]


class ParameterV1(msgspec.Struct, kw_only=True):
    """A knob of a control."""

    name: str
    type: str
    default: Any
    help: str


class SourceV1(msgspec.Struct, kw_only=True):
    """Where the requirement comes from."""

    title: str
    url: str
    read: str


class ControlV1(msgspec.Struct, kw_only=True):
    """One control."""

    id: str
    title: str
    severity: str
    platforms: list[str]
    asks: str
    why: str
    aspects: list[AspectV1]
    parameters: list[ParameterV1]
    remediation: str
    edge_cases: list[str]
    sources: list[SourceV1]


class Controls(msgspec.Struct, kw_only=True):
    """The whole document."""

    schema: str
    controls: list[ControlV1]


def render_controls(controls: Iterable[Control]) -> str:
    """One JSON document, ending with a line feed."""
    document = Controls(schema=CONTROLS_SCHEMA, controls=[_control(c) for c in controls])
    return json.dumps(msgspec.to_builtins(document), indent=2, ensure_ascii=False) + "\n"


def _control(control: Control) -> ControlV1:
    return ControlV1(
        id=control.id,
        title=control.title,
        severity=control.severity.value,
        platforms=[platform.value for platform in control.platforms],
        asks=control.asks,
        why=control.why,
        aspects=[
            AspectV1(
                id=aspect.id,
                title=aspect.title,
                severity=aspect.severity.value,
                only_for=list(aspect.only_for),
                satisfies=[
                    SatisfiesV1(
                        framework=mapping.framework,
                        versions=list(mapping.versions),
                        id=mapping.id,
                        checked=mapping.checked,
                    )
                    for mapping in aspect.satisfies
                ],
            )
            for aspect in control.aspects
        ],
        parameters=[
            ParameterV1(name=p.name, type=p.type, default=p.default, help=p.help)
            for p in control.parameters.values()
        ],
        remediation=control.remediation,
        edge_cases=list(control.edge_cases),
        sources=[SourceV1(title=s.title, url=s.url, read=s.read) for s in control.sources],
    )
