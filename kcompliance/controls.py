"""Loads the controls, frameworks, cases and published policies that the package ships.

All of it is data for auditors to read, so the loader is strict: an unknown key, a wrong type or
an id that points nowhere is refused, with the file named.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from kcompliance.errors import ControlsError, UsageError
from kcompliance.model.audit_policy import Level, Loaded, Rule, load_policy
from kcompliance.model.cluster import PolicyText, PublishedPolicy
from kcompliance.model.control import (
    Aspect,
    Control,
    Framework,
    FrameworkItem,
    Parameter,
    Platform,
    Satisfies,
    SourceRef,
)
from kcompliance.model.finding import Confidence, Severity, Status
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable
from kcompliance.model.strict_yaml import StrictYamlError, load_strict_yaml

__all__ = [
    "Case",
    "Expectation",
    "cases_of",
    "load_controls",
    "load_frameworks",
    "parameter_value",
    "published_policies",
    "shipped",
]

T = TypeVar("T")


def shipped(name: str) -> Traversable:
    """A data folder: inside an installed wheel with an underscore, in a checkout beside us."""
    package = files("kcompliance")
    installed = package / f"_{name}"
    return installed if installed.is_dir() else Path(str(package)).parent / name


# --- the shape of the files ----------------------------------------------------------------


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of a YAML file; an unknown key is refused."""


class _Satisfies(_File):
    framework: str
    versions: list[str]
    id: str
    checked: Literal["read", "numbering"]


class _Aspect(_File):
    id: str
    title: str
    severity: Severity
    satisfies: list[_Satisfies] | None = None
    only_for: list[str] = []


class _Parameter(_File):
    type: Literal["bool", "int", "text", "level", "list", "rules"]
    default: Any
    help: str


class _Source(_File):
    title: str
    url: str
    read: str


class _Control(_File):
    id: str
    title: str
    platforms: list[Platform]
    asks: str
    why: str
    aspects: list[_Aspect]
    parameters: dict[str, _Parameter]
    remediation: str
    sources: list[_Source]
    satisfies: list[_Satisfies] = []
    edge_cases: list[str] = []


class _FrameworkItem(_File):
    id: str
    title: str
    versions: list[str]


class _Framework(_File):
    id: str
    title: str
    publisher: str
    url: str
    versions: list[str]
    items: list[_FrameworkItem]


class _Published(_File):
    file: str
    confidence: Confidence
    title: str
    url: str
    read: str


class _Reading(_File):
    kind: Kind
    resource: str
    collector: str = "files"
    text: str | None = None
    unreadable: str | None = None
    absent: str | None = None
    permission: str | None = None


class _Expectation(_File):
    aspect: str
    status: Status
    because_contains: str


class _Case(_File):
    given: str
    readings: list[_Reading]
    expect: list[_Expectation]
    platform: Platform | None = None
    parameters: dict[str, Any] = {}
    as_of: str = "2026-01-01T00:00:00Z"


class _Cases(_File):
    control: str
    cases: list[_Case]


def _load(file: Traversable, shape: type[T]) -> T:
    try:
        return msgspec.convert(load_strict_yaml(file.read_bytes()), shape)
    except (StrictYamlError, msgspec.ValidationError) as error:
        raise ControlsError(f"{file.name}: {error}") from error


# --- controls ------------------------------------------------------------------------------


@cache
def load_controls() -> Mapping[str, Control]:
    """All controls by id, in the order of their ids."""
    controls: dict[str, Control] = {}
    for family, file in _control_files(".yaml"):
        control = _control(_load(file, _Control), family, file.name)
        if control.id in controls:
            raise ControlsError(f"{file.name}: {control.id} is there twice")
        controls[control.id] = control
    return dict(sorted(controls.items()))


def _control_files(suffix: str) -> Iterator[tuple[str, Traversable]]:
    for family in sorted(shipped("controls").iterdir(), key=lambda entry: entry.name):
        if not family.is_dir() or family.name in ("frameworks", "published"):
            continue
        for file in sorted(family.iterdir(), key=lambda entry: entry.name):
            is_cases = file.name.endswith(".cases.yaml")
            if file.name.endswith(suffix) and is_cases == (suffix == ".cases.yaml"):
                yield family.name, file


def _control(read: _Control, family: str, file_name: str) -> Control:
    slug = file_name.removesuffix(".yaml").removeprefix(f"{read.id}-")
    if not file_name.startswith(f"{read.id}-"):
        raise ControlsError(f"{file_name}: the name does not begin with the id {read.id}")
    names = [aspect.id for aspect in read.aspects]
    if not names or len(names) != len(set(names)):
        raise ControlsError(f"{file_name}: aspects are missing or there twice")
    frameworks = load_frameworks()
    for satisfies in [*read.satisfies, *(s for a in read.aspects for s in a.satisfies or [])]:
        _check_mapping(satisfies, frameworks, file_name)
    return Control(
        id=read.id,
        slug=slug,
        family=family,
        title=read.title,
        platforms=tuple(read.platforms),
        asks=read.asks.strip(),
        why=read.why.strip(),
        aspects=tuple(_aspect(aspect, read.satisfies) for aspect in read.aspects),
        parameters={
            name: Parameter(name=name, type=p.type, default=p.default, help=p.help)
            for name, p in read.parameters.items()
        },
        remediation=read.remediation.rstrip(),
        sources=tuple(SourceRef(title=s.title, url=s.url, read=s.read) for s in read.sources),
        edge_cases=tuple(read.edge_cases),
    )


def _aspect(read: _Aspect, inherited: list[_Satisfies]) -> Aspect:
    satisfies = inherited if read.satisfies is None else read.satisfies
    return Aspect(
        id=read.id,
        title=read.title,
        severity=read.severity,
        only_for=tuple(read.only_for),
        satisfies=tuple(
            Satisfies(framework=s.framework, versions=tuple(s.versions), id=s.id, checked=s.checked)
            for s in satisfies
        ),
    )


def _check_mapping(
    mapping: _Satisfies, frameworks: Mapping[str, Framework], file_name: str
) -> None:
    framework = frameworks.get(mapping.framework)
    if framework is None:
        raise ControlsError(f"{file_name}: no framework {mapping.framework}")
    items = [item for item in framework.items if item.id == mapping.id]
    if not items or not set(mapping.versions) <= {v for item in items for v in item.versions}:
        raise ControlsError(f"{file_name}: {mapping.framework} has no such item {mapping.id}")


@cache
def load_frameworks() -> Mapping[str, Framework]:
    """All frameworks by id."""
    folder = shipped("controls") / "frameworks"
    frameworks = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        read = _load(file, _Framework)
        frameworks[read.id] = Framework(
            id=read.id,
            title=read.title,
            publisher=read.publisher,
            url=read.url,
            versions=tuple(read.versions),
            items=tuple(
                FrameworkItem(id=item.id, title=item.title, versions=tuple(item.versions))
                for item in read.items
            ),
        )
    return frameworks


# --- published policies ---------------------------------------------------------------------


@cache
def published_policies() -> Mapping[Platform, PublishedPolicy]:
    """The policies of clouds where nobody but the provider can read or change the file."""
    folder = shipped("controls") / "published"
    index = _load(folder / "index.yaml", dict[str, _Published])
    return {Platform(name): _published(folder, read) for name, read in index.items()}


def _published(folder: Traversable, read: _Published) -> PublishedPolicy:
    text = (folder / read.file).read_bytes()
    day = datetime.fromisoformat(read.read).replace(tzinfo=UTC)
    origin = Origin(
        kind=Kind.AUDIT_POLICY, resource=read.url, collector="published", collected_at=day
    )
    raw = Raw(origin=origin, content=text)
    return PublishedPolicy(
        policy=PolicyText(name=read.title, text=text, raw=raw), confidence=read.confidence
    )


# --- parameters -----------------------------------------------------------------------------


def parameter_value(parameter: Parameter, value: Any) -> Any:
    """A value from YAML or from the command line as the type that the check takes.

    Raises UsageError, naming the parameter.
    """
    try:
        match parameter.type:
            case "bool":
                return _boolean(value)
            case "int":
                return _integer(value)
            case "level":
                return Level(value)
            case "list":
                items = value.split(",") if isinstance(value, str) else value
                return tuple(str(item).strip() for item in items)
            case "rules":
                return _rules(load_strict_yaml(value.encode()) if isinstance(value, str) else value)
            case _:
                return str(value)
    except (ValueError, TypeError, StrictYamlError) as error:
        raise UsageError(
            f'parameter {parameter.name}: "{value}" is not a {parameter.type}: {error}',
            f"{parameter.help} Default: {json.dumps(parameter.default)}",
        ) from error


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return {"true": True, "false": False}[value]
    except KeyError:
        raise ValueError("true or false") from None


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("a whole number")
    return int(value)


def _rules(value: Any) -> tuple[Rule, ...]:
    if not isinstance(value, list):
        raise TypeError("a list of rules")
    if not value:
        return ()
    rules = [{**rule, "level": "None"} for rule in value]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}
    loaded = load_policy(json.dumps(policy).encode())
    if not isinstance(loaded, Loaded) or loaded.warnings:
        raise ValueError(f"not rules of an audit policy: {loaded}")
    return loaded.policy.rules


# --- cases ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What some finding of the case has to say."""

    aspect: str
    status: Status
    because_contains: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A situation in words, as captures, and the verdicts that it must get."""

    control: str
    given: str
    captures: tuple[Capture, ...]
    platform: Platform | None
    parameters: Mapping[str, Any]
    expect: tuple[Expectation, ...]


def cases_of(control: Control) -> tuple[Case, ...]:
    """The cases beside a control's YAML."""
    for _, file in _control_files(".cases.yaml"):
        if file.name == f"{control.id}-{control.slug}.cases.yaml":
            read = _load(file, _Cases)
            if read.control != control.id:
                raise ControlsError(f"{file.name}: is about {read.control}")
            return tuple(_case(control.id, case, file.name) for case in read.cases)
    return ()


def _case(control: str, read: _Case, file_name: str) -> Case:
    return Case(
        control=control,
        given=read.given,
        captures=tuple(_capture(reading, read, file_name) for reading in read.readings),
        platform=read.platform,
        parameters=read.parameters,
        expect=tuple(
            Expectation(aspect=e.aspect, status=e.status, because_contains=e.because_contains)
            for e in read.expect
        ),
    )


def _capture(read: _Reading, case: _Case, file_name: str) -> Capture:
    origin = Origin(
        kind=read.kind,
        resource=read.resource,
        collector=read.collector,
        collected_at=datetime.fromisoformat(case.as_of),
    )
    match read.text, read.unreadable, read.absent:
        case str(text), None, None:
            return Raw(origin=origin, content=text.encode())
        case None, str(reason), None:
            return Unreadable(origin=origin, reason=reason, permission=read.permission)
        case None, None, str(reason):
            return Absent(origin=origin, reason=reason)
        case _:
            reason = "a reading needs one of text, unreadable and absent"
            raise ControlsError(f"{file_name}: {reason}")
