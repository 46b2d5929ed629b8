"""What findings come to together: of controls, of framework items, of a whole scan."""

from itertools import permutations

import pytest

from kcompliance.controls import load_controls, load_frameworks
from kcompliance.errors import ExitCode
from kcompliance.model.finding import Confidence, Finding, Severity, Status
from kcompliance.model.finding import evidence_of as quote
from kcompliance.model.reading import Kind
from kcompliance.model.verdict import Judged, control_status, item_verdicts, worst
from kcompliance.scan import exit_code
from tests.captures import raw

CONTROLS = load_controls()
SEEN = quote(raw(Kind.OBJECTS, "server.yaml", "x"), "whole file")
WORST_FIRST = [Status.FAIL, Status.ERROR, Status.MANUAL, Status.PASS, Status.NOT_APPLICABLE]


def _judged(control: str, aspect: str, status: Status) -> Judged:
    finding = Finding(
        aspect=aspect,
        resource="server.yaml",
        status=status,
        because="of this",
        evidence=SEEN,
        confidence=Confidence.BUNDLE,
        question="Is it so?" if status is Status.MANUAL else None,
    )
    of = CONTROLS[control]
    return Judged(target="t", control=of, aspect=of.aspect(aspect), finding=finding, parameters={})


def _durable(status: Status) -> Judged:
    return _judged("KC-AUD-006", "durable", status)


def _log_path(status: Status) -> Judged:
    return _judged("KC-AUD-006", "log-path-set", status)


@pytest.mark.parametrize(("one", "other"), list(permutations(Status, 2)))
def test_the_worst_of_two_does_not_depend_on_their_order(one: Status, other: Status) -> None:
    assert worst([one, other]) is min(one, other, key=WORST_FIRST.index)


def test_the_worst_of_nothing_is_an_error_and_no_pass() -> None:
    assert worst([]) is Status.ERROR


def test_a_control_fails_if_an_aspect_fails() -> None:
    judged = [_durable(Status.PASS), _judged("KC-AUD-006", "json-format", Status.FAIL)]

    assert control_status(CONTROLS["KC-AUD-006"], judged) is Status.FAIL


def test_an_aspect_that_a_framework_alone_asks_for_does_not_fail_a_control() -> None:
    judged = [_durable(Status.PASS), _log_path(Status.FAIL)]

    assert control_status(CONTROLS["KC-AUD-006"], judged) is Status.PASS


def test_where_only_such_an_aspect_was_judged_the_control_has_its_status() -> None:
    assert control_status(CONTROLS["KC-AUD-006"], [_log_path(Status.PASS)]) is Status.PASS
    assert control_status(CONTROLS["KC-AUD-006"], [_log_path(Status.FAIL)]) is Status.FAIL


def test_a_control_without_findings_is_an_error() -> None:
    assert control_status(CONTROLS["KC-AUD-005"], [_durable(Status.PASS)]) is Status.ERROR


def test_an_item_is_as_bad_as_the_worst_aspect_that_answers_it() -> None:
    judged = [
        _judged("KC-AUD-007", "catch-all", Status.PASS),
        _judged("KC-AUD-008", "main", Status.FAIL),
    ]

    (item,) = item_verdicts(load_frameworks()["cis-kubernetes"], "1.12", judged)

    assert (item.item.id, item.status) == ("3.2.2", Status.FAIL)
    assert item.aspects == ("KC-AUD-007/catch-all", "KC-AUD-008/main")


def test_the_number_of_an_item_depends_on_the_version() -> None:
    framework = load_frameworks()["cis-kubernetes"]
    ids = {
        version: [
            item.item.id for item in item_verdicts(framework, version, [_log_path(Status.PASS)])
        ]
        for version in ("1.5", "1.8", "1.12")
    }

    # 1.2.17 is another item in 1.12, which the path of the log does not answer.
    assert ids == {"1.5": ["1.2.22"], "1.8": ["1.2.17"], "1.12": ["1.2.16"]}


# --- exit code ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], ExitCode.GOOD),
        ([Status.PASS, Status.NOT_APPLICABLE], ExitCode.GOOD),
        ([Status.PASS, Status.MANUAL], ExitCode.INCOMPLETE),
        ([Status.PASS, Status.ERROR], ExitCode.INCOMPLETE),
        ([Status.ERROR, Status.FAIL], ExitCode.FINDINGS),
        ([Status.MANUAL, Status.FAIL, Status.PASS], ExitCode.FINDINGS),
    ],
)
def test_a_fail_beats_what_is_open_beats_what_is_good(
    statuses: list[Status], code: ExitCode
) -> None:
    judged = [_durable(status) for status in statuses]

    assert exit_code(judged, Severity.LOW, allow_manual=False) is code


def test_allowing_questions_allows_no_errors() -> None:
    assert exit_code([_durable(Status.MANUAL)], Severity.LOW, allow_manual=True) is ExitCode.GOOD
    errors = [_durable(Status.MANUAL), _durable(Status.ERROR)]
    assert exit_code(errors, Severity.LOW, allow_manual=True) is ExitCode.INCOMPLETE


@pytest.mark.parametrize("threshold", list(Severity))
def test_a_fail_counts_from_the_severity_of_its_aspect_on(threshold: Severity) -> None:
    high = [_judged("KC-AUD-008", "main", Status.FAIL)]

    counts = exit_code(high, threshold, allow_manual=False) is ExitCode.FINDINGS

    assert counts == (threshold <= Severity.HIGH)
