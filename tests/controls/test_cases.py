"""The cases that ship with the controls: each is a test, and each control shows enough of them."""

from collections import Counter

import pytest

from kcompliance.cases import failures_of
from kcompliance.controls import Case, Expectation, cases_of, load_controls
from kcompliance.model.control import Control
from kcompliance.model.finding import Status
from kcompliance.model.reading import Kind, Unreadable
from tests.captures import SOUND_POLICY, raw

CONTROLS = list(load_controls().values())
CASES = [(control, case) for control in CONTROLS for case in cases_of(control)]
EACH_CONTROL = pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)


@pytest.mark.parametrize(
    ("control", "case"), CASES, ids=[f"{control.id} {case.given}" for control, case in CASES]
)
def test_a_shipped_case_gets_the_verdicts_that_it_promises(control: Control, case: Case) -> None:
    assert failures_of(control, case) == ()


@EACH_CONTROL
def test_a_control_shows_passes_fails_and_what_could_not_be_read(control: Control) -> None:
    shown = Counter(
        status
        for case in cases_of(control)
        for status in {expected.status for expected in case.expect}
    )

    assert shown[Status.PASS] >= 2
    assert shown[Status.FAIL] >= 3
    assert shown[Status.ERROR] >= 1
    assert shown[Status.MANUAL] >= 1


@EACH_CONTROL
def test_a_control_shows_a_reading_that_failed(control: Control) -> None:
    captures = [capture for case in cases_of(control) for capture in case.captures]

    assert any(isinstance(capture, Unreadable) for capture in captures)


@EACH_CONTROL
def test_every_aspect_is_seen_to_pass_and_to_fail(control: Control) -> None:
    seen = {(e.aspect, e.status) for case in cases_of(control) for e in case.expect}

    assert {(aspect.id, Status.PASS) for aspect in control.aspects} <= seen
    assert {(aspect.id, Status.FAIL) for aspect in control.aspects} <= seen


@EACH_CONTROL
def test_no_two_cases_have_the_same_sentence(control: Control) -> None:
    sentences = [case.given for case in cases_of(control)]

    assert len(sentences) == len(set(sentences))


@EACH_CONTROL
def test_every_case_says_what_it_expects_of_each_aspect(control: Control) -> None:
    aspects = {aspect.id for aspect in control.aspects}

    assert all({e.aspect for e in case.expect} == aspects for case in cases_of(control))


@pytest.mark.parametrize(("control", "case"), CASES, ids=[case.given for _, case in CASES])
def test_a_case_is_told_in_one_sentence(control: Control, case: Case) -> None:
    assert case.given.endswith(".")
    assert case.given[0].isupper()
    assert len(case.given) <= 160


# --- the runner itself ----------------------------------------------------------------------


def _case(*expect: Expectation) -> Case:
    return Case(
        control="KC-AUD-007",
        given="One sound policy.",
        captures=(raw(Kind.AUDIT_POLICY, "policy.yaml", SOUND_POLICY),),
        platform=None,
        parameters={},
        expect=expect,
    )


def _expect(status: Status, words: str, aspect: str = "catch-all") -> Expectation:
    return Expectation(aspect=aspect, status=status, because_contains=words)


def test_a_wrong_status_is_told() -> None:
    control = load_controls()["KC-AUD-007"]

    problems = failures_of(control, _case(_expect(Status.FAIL, "")))

    assert [problem.partition(":")[0] for problem in problems] == [
        "expected catch-all",
        "got catch-all",
    ]


def test_a_reason_without_the_promised_words_is_told() -> None:
    control = load_controls()["KC-AUD-007"]

    assert failures_of(control, _case(_expect(Status.PASS, "no such words")))
    assert not failures_of(control, _case(_expect(Status.PASS, "is recorded")))


def test_a_finding_more_than_promised_is_told() -> None:
    """The one policy gives one finding, so a second promise stays open."""
    control = load_controls()["KC-AUD-007"]
    good = _expect(Status.PASS, "is recorded")

    assert failures_of(control, _case(good, good))
