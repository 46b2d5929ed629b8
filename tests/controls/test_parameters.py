"""Values of parameters, from YAML and from the command line."""

from typing import Any

import pytest

from kcompliance.controls import load_controls, parameter_value
from kcompliance.errors import UsageError
from kcompliance.model.audit_policy import Level
from kcompliance.model.control import Parameter


def _parameter(type_: str, default: Any = None) -> Parameter:
    return Parameter(name="knob", type=type_, default=default, help="Turns it.")


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("bool", "true", True),
        ("bool", False, False),
        ("int", "42", 42),
        ("int", 7, 7),
        ("text", "yes", "yes"),
        ("level", "Request", Level.REQUEST),
        ("list", "a, b", ("a", "b")),
        ("list", ["a", 1], ("a", "1")),
        ("rules", [], ()),
        ("rules", "[]", ()),
    ],
)
def test_a_value_becomes_what_the_check_takes(type_: str, written: Any, value: Any) -> None:
    assert parameter_value(_parameter(type_), written) == value


@pytest.mark.parametrize(
    ("type_", "written"),
    [
        ("bool", "yes"),
        ("bool", "True"),
        ("bool", 1),
        ("bool", []),
        ("int", "many"),
        ("int", None),
        ("int", True),
        ("int", 1.5),
        ("level", "metadata"),
        ("level", None),
        ("list", 3),
        ("rules", "{"),
        ("rules", "level: None"),
        ("rules", ["deployments"]),
        ("rules", [{"ressources": []}]),
        ("rules", [{"resources": "secrets"}]),
        ("rules", 5),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_name(type_: str, written: Any) -> None:
    with pytest.raises(UsageError, match="parameter knob"):
        parameter_value(_parameter(type_), written)


def test_the_hint_tells_what_it_does_and_its_default() -> None:
    with pytest.raises(UsageError) as caught:
        parameter_value(_parameter("int", 5), "x")

    assert caught.value.hint == "Turns it. Default: 5"


def test_rules_are_read_as_the_rules_of_a_policy_at_level_none() -> None:
    (rule,) = parameter_value(_parameter("rules"), "[{users: [a], verbs: [get]}]")

    assert (rule.level, rule.users, rule.verbs) == (Level.NONE, ("a",), ("get",))


def test_rules_take_no_level_of_their_own() -> None:
    (rule,) = parameter_value(_parameter("rules"), [{"users": ["a"], "level": "Request"}])

    assert rule.level is Level.NONE


@pytest.mark.parametrize("control", load_controls().values(), ids=lambda control: control.id)
def test_every_default_is_a_value_of_its_type(control: Any) -> None:
    for parameter in control.parameters.values():
        assert parameter_value(parameter, parameter.default) is not None
