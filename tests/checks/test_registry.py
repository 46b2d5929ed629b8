"""The code and the YAML of each control belong together."""

import inspect
from dataclasses import fields
from typing import Any

import pytest

from kcompliance.checks import ALL, Check
from kcompliance.controls import cases_of, load_controls, parameter_value

BY_CONTROL = {check.control: check for check in ALL}
CHECKS = pytest.mark.parametrize("check", ALL, ids=lambda check: check.control)


def test_every_control_has_a_check_and_every_check_a_control() -> None:
    assert set(BY_CONTROL) == set(load_controls())


def test_no_two_checks_are_of_one_control() -> None:
    assert len(BY_CONTROL) == len(ALL)


def test_the_checks_stand_in_the_order_of_their_controls() -> None:
    assert [check.control for check in ALL] == sorted(BY_CONTROL)


@CHECKS
def test_a_check_is_a_module_of_its_family_named_like_the_yaml(check: Check[Any]) -> None:
    control = load_controls()[check.control]
    name = control.slug.replace("-", "_")

    assert check.run.__module__ == f"kcompliance.checks.{control.family}.{name}"
    assert check.run.__name__ == name


@CHECKS
def test_the_first_line_of_the_docstring_is_the_title(check: Check[Any]) -> None:
    assert check.title == load_controls()[check.control].title


@CHECKS
def test_the_module_says_which_control_it_is(check: Check[Any]) -> None:
    module = inspect.getmodule(check.run)

    assert module is not None
    assert (module.__doc__ or "").startswith(f"{check.control}: ")


@CHECKS
def test_the_parameters_have_the_same_names_and_types_on_both_sides(check: Check[Any]) -> None:
    control = load_controls()[check.control]
    defaults = {name: parameter_value(p, p.default) for name, p in control.parameters.items()}

    assert {field.name for field in fields(check.params)} == set(defaults)
    made = check.params(**defaults)
    for field in fields(check.params):
        if not isinstance(field.default, tuple):  # the YAML alone holds the long lists
            assert getattr(made, field.name) == field.default


@CHECKS
def test_every_aspect_is_answered_in_the_cases(check: Check[Any]) -> None:
    control = load_controls()[check.control]
    answered = {expected.aspect for case in cases_of(control) for expected in case.expect}

    assert answered == {aspect.id for aspect in control.aspects}
