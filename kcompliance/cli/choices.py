"""Turns what a user wrote into the controls, frameworks and parameters that were meant."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from kcompliance.controls import load_controls, load_frameworks, parameter_value
from kcompliance.errors import UsageError
from kcompliance.model.control import Aspect, Control
from kcompliance.report import ChosenFramework

__all__ = ["asked_by", "choose_controls", "choose_frameworks", "choose_parameters"]


def choose_controls(
    ids: Sequence[str], frameworks: Sequence[ChosenFramework]
) -> tuple[Control, ...]:
    """The controls named, or all; of those, the ones that a chosen framework asks for."""
    known = load_controls()
    chosen = [_control(id_, known) for id_ in ids] if ids else list(known.values())
    controls = [
        control
        for control in dict.fromkeys(control.id for control in chosen)
        if not frameworks or any(asked_by(frameworks, a) for a in known[control].aspects)
    ]
    return tuple(known[id_] for id_ in controls)


def _control(id_: str, known: Mapping[str, Control]) -> Control:
    control = known.get(id_.upper())
    if control is None:
        near = get_close_matches(id_.upper(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else "see: kcompliance controls list"
        raise UsageError(f'no control "{id_}"', hint)
    return control


def asked_by(frameworks: Iterable[ChosenFramework], aspect: Aspect) -> bool:
    """Whether an aspect answers an item of one of these frameworks."""
    return any(
        mapping.framework == chosen.framework.id
        and (chosen.version is None or chosen.version in mapping.versions)
        for chosen in frameworks
        for mapping in aspect.satisfies
    )


def choose_frameworks(names: Sequence[str]) -> tuple[ChosenFramework, ...]:
    """`ID` or `ID:VERSION`, such as cis-kubernetes:1.12."""
    known = load_frameworks()
    chosen = []
    for name in names:
        id_, _, version = name.partition(":")
        framework = known.get(id_)
        if framework is None:
            raise UsageError(f'no framework "{id_}"', f"there are: {', '.join(sorted(known))}")
        if version and version not in framework.versions:
            versions = ", ".join(framework.versions) or "none"
            raise UsageError(f'{id_} has no version "{version}"', f"its versions: {versions}")
        chosen.append(ChosenFramework(framework=framework, version=version or None))
    return tuple(chosen)


def choose_parameters(
    written: Sequence[str], configured: Mapping[str, Any], saved: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Parameter values by control: command line over configuration over bundle."""
    chosen = {control: dict(given) for control, given in saved.items()}
    pairs = list(configured.items())
    for item in written:
        name, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f'"{item}" is not NAME=VALUE', "for example min_level=Request")
        pairs.append((name, value))
    for name, value in pairs:
        for control in _having(name):
            parameter = control.parameters[name.rpartition(".")[2]]
            parameter_value(parameter, value)  # refuses a wrong value before anything is read
            chosen.setdefault(control.id, {})[parameter.name] = value
    return chosen


def _having(name: str) -> list[Control]:
    """The controls with a parameter of this name; `CONTROL.NAME` is one of one control."""
    id_, _, parameter = name.rpartition(".")
    controls = load_controls()
    scope = [_control(id_, controls)] if id_ else list(controls.values())
    found = [control for control in scope if parameter in control.parameters]
    if not found:
        names = sorted({p for control in scope for p in control.parameters})
        raise UsageError(f'no parameter "{name}"', f"there are: {', '.join(names) or 'none'}")
    return found
