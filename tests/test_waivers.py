"""What attestations and waivers do to findings, and when they are findings themselves."""

from datetime import UTC, datetime, timedelta, timezone
from datetime import date as Day
from typing import Any

import pytest

from kcompliance.controls import load_controls, load_frameworks
from kcompliance.errors import ExitCode
from kcompliance.model.finding import Confidence, Severity, Status
from kcompliance.model.reading import Seen
from kcompliance.model.verdict import Judged, all_waived, control_status, item_verdicts
from kcompliance.model.waiver import Attestation, DeclarationState, Waiver
from kcompliance.scan import exit_code
from kcompliance.waivers import STALE, stale_findings
from tests.declarations import (
    AS_OF,
    CONFIGURATION,
    attestation,
    declare,
    declared,
    judged,
    review,
    waiver,
)

FAIL, MANUAL = judged(Status.FAIL), judged(Status.MANUAL)


def after(
    item: Judged, *declarations: Attestation | Waiver, as_of: datetime = AS_OF, target: str = "node"
) -> Judged:
    (result,) = declare([item], declared(*declarations, target=target), as_of)
    return result


# --- a waiver ------------------------------------------------------------------------------------


def test_a_waived_fail_stays_a_fail() -> None:
    waived = after(FAIL, waiver())

    assert waived.finding == FAIL.finding
    assert waived.waiver == Seen(value=waiver(), raw=CONFIGURATION)


def test_a_waived_fail_does_not_count_and_another_does() -> None:
    waived = after(FAIL, waiver())

    assert exit_code([waived], Severity.LOW, allow_manual=False) is ExitCode.GOOD
    assert exit_code([waived, FAIL], Severity.LOW, allow_manual=False) is ExitCode.FINDINGS
    unseen = judged(Status.ERROR)
    assert exit_code([waived, unseen], Severity.LOW, allow_manual=True) is ExitCode.INCOMPLETE


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAIL}))
def test_a_waiver_changes_nothing_but_a_fail(status: Status) -> None:
    assert after(judged(status), waiver()) == judged(status)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAIL}))
def test_a_waiver_over_anything_but_a_fail_cannot_be_made(status: Status) -> None:
    item = judged(status)

    with pytest.raises(ValueError, match="over what is no fail"):
        Judged(
            target=item.target,
            control=item.control,
            aspect=item.aspect,
            finding=item.finding,
            parameters={},
            waiver=Seen(value=waiver(), raw=CONFIGURATION),
        )


def test_of_several_the_first_as_written_counts() -> None:
    first, second = waiver(resource="*", line=2), waiver(line=9)

    waived = after(FAIL, waiver(expires=Day(2026, 6, 14)), first, second)

    assert waived.waiver is not None
    assert waived.waiver.value is first


# --- an attestation ------------------------------------------------------------------------------


def test_an_attested_question_is_a_pass_that_says_who_and_quotes_the_entry() -> None:
    finding = after(MANUAL, attestation()).finding

    assert (finding.status, finding.confidence) == (Status.PASS, Confidence.ATTESTED)
    said = "attested by J on 2026-06-01, until 2026-06-30: the disks are encrypted"
    assert (finding.because, finding.question) == (said, None)
    entry = finding.evidence[0]
    assert (entry.raw, entry.location) == (CONFIGURATION, "line 3")
    assert finding.evidence[1:] == MANUAL.finding.evidence
    assert finding.notes == (
        "the question was: Is it so?",
        "what kcompliance itself saw: of this",
        "a note",
    )


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.MANUAL}))
def test_an_attestation_changes_nothing_but_a_question(status: Status) -> None:
    assert after(judged(status), attestation()) == judged(status)


def test_an_attestation_of_a_pass_that_was_seen_cannot_be_made() -> None:
    item = judged(Status.PASS)

    with pytest.raises(ValueError, match="no attested pass"):
        Judged(
            target=item.target,
            control=item.control,
            aspect=item.aspect,
            finding=item.finding,
            parameters={},
            attestation=Seen(value=attestation(), raw=CONFIGURATION),
        )


# --- what they are about -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"resource": "server"}, False),
        ({"resource": "SERVER.YAML"}, False),
        ({"resource": "server.yaml "}, False),
        ({"resource": "*"}, True),
        ({"resource": "*.yaml"}, True),
        ({"resource": "server.y?ml"}, True),
        ({"resource": "[rs]erver.yaml"}, True),
        ({"resource": "*.json"}, False),
        ({"target": "node"}, True),
        ({"target": "n*"}, True),
        ({"target": "@prod"}, False),
        ({"control": "KC-AUD-005"}, False),
        ({"aspect": "durable"}, False),
    ],
    ids=str,
)
def test_the_triple_has_to_fit_as_it_is_written(changes: dict[str, Any], covered: bool) -> None:
    assert (after(FAIL, waiver(**changes)).waiver is not None) is covered
    assert (after(MANUAL, attestation(**changes)).attestation is not None) is covered


def test_a_resource_with_brackets_is_itself() -> None:
    item = judged(Status.FAIL, resource="rules [1]")

    assert after(item, waiver(resource="rules [1]")).waiver is not None


def test_what_is_declared_for_one_target_says_nothing_of_another() -> None:
    assert after(FAIL, waiver(), target="other").waiver is None


# --- when they hold ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        (datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 6, 1, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 7, 1, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))), True),
    ],
    ids=str,
)
def test_they_hold_from_their_date_to_the_end_of_the_last_day_in_utc(
    moment: datetime, holds: bool
) -> None:
    assert (after(FAIL, waiver(), as_of=moment).waiver is not None) is holds
    assert (after(MANUAL, attestation(), as_of=moment).attestation is not None) is holds


@pytest.mark.parametrize(
    ("day", "holds"),
    [(Day(2025, 6, 28), False), (Day(2025, 6, 29), True), (Day(2026, 7, 1), False)],
)
def test_a_waiver_without_a_date_holds_no_longer_than_any(day: Day, holds: bool) -> None:
    assert waiver(date=None).in_force(day) is holds


# --- what becomes of them ------------------------------------------------------------------------


def reviewed(
    item: Attestation | Waiver, *items: Judged, as_of: datetime = AS_OF
) -> tuple[DeclarationState, str]:
    (result,) = review(items, declared(item), as_of)
    return result.state, result.because


LATER = datetime(2026, 7, 1, tzinfo=UTC)
EARLIER = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declaration", "items", "as_of", "state", "because"),
    [
        (waiver(), [FAIL], AS_OF, "used", "1 fail until 2026-06-30"),
        (attestation(), [MANUAL], AS_OF, "used", "1 question until 2026-06-30"),
        (waiver(resource="*"), [FAIL, FAIL], AS_OF, "used", "2 fails until 2026-06-30"),
        (waiver(), [FAIL], LATER, "expired", "it expired on 2026-06-30: 1 fail counts again"),
        (attestation(), [MANUAL], LATER, "expired", "1 question is open again"),
        (waiver(), [judged(Status.PASS)], LATER, "expired", "no fail is left that it is about"),
        (waiver(), [FAIL], EARLIER, "not-yet", "it holds from 2026-06-01 on"),
        (waiver(), [judged(Status.PASS)], AS_OF, "unused", "the finding is pass"),
        (waiver(), [MANUAL], AS_OF, "unused", "only an attestation answers a question"),
        (waiver(resource="gone"), [FAIL], AS_OF, "unused", "no finding has this resource"),
        (attestation(), [FAIL], AS_OF, "unused", "kcompliance itself finds fail"),
        (attestation(), [judged(Status.PASS)], AS_OF, "unused", "kcompliance itself finds pass"),
        (waiver(), [judged(Status.ERROR)], AS_OF, "open", "could not be seen"),
        (waiver(resource="x"), [FAIL, judged(Status.ERROR)], AS_OF, "open", "could not be seen"),
        (waiver(), [], AS_OF, "not-judged", "KC-AUD-008 is not part of this scan"),
        (waiver(target="@p"), [FAIL], LATER, "not-judged", "KC-AUD-008 of @p is not part of"),
    ],
    ids=str,
)
def test_each_declaration_gets_a_state_and_a_reason(
    declaration: Attestation | Waiver,
    items: list[Judged],
    as_of: datetime,
    state: str,
    because: str,
) -> None:
    found, said = reviewed(declaration, *items, as_of=as_of)

    assert found == DeclarationState(state)
    assert because in said


def test_one_that_several_targets_have_is_reviewed_once_and_used_if_one_needs_it() -> None:
    both = declared(waiver()) | declared(waiver(), target="other")

    (result,) = review([FAIL, judged(Status.PASS, target="other")], both, AS_OF)

    assert result.state is DeclarationState.USED
    assert result.targets == ("node", "other")


@pytest.mark.parametrize(
    ("as_of", "item", "aspects"),
    [
        (AS_OF, FAIL, []),
        (AS_OF, judged(Status.PASS), ["used"]),
        (AS_OF, judged(Status.ERROR), []),
        (LATER, FAIL, ["in-force"]),
        (EARLIER, FAIL, []),
    ],
)
def test_the_unused_and_the_expired_are_fails_of_a_control_of_their_own(
    as_of: datetime, item: Judged, aspects: list[str]
) -> None:
    stale = list(stale_findings(review([item], declared(waiver()), as_of)))

    assert [each.aspect.id for each in stale] == aspects
    for each in stale:
        assert (each.control, each.finding.status) == (STALE, Status.FAIL)
        assert each.finding.resource == "waiver of KC-AUD-008/main: server.yaml"
        assert each.finding.evidence[0].raw == CONFIGURATION
        assert exit_code([each], Severity.LOW, allow_manual=True) is ExitCode.FINDINGS


def test_nobody_can_waive_that_a_waiver_is_stale() -> None:
    assert STALE.id not in load_controls()


# --- together ------------------------------------------------------------------------------------


def test_a_control_or_item_whose_fails_are_all_waived_still_fails_and_is_marked() -> None:
    passed = judged(Status.PASS, control="KC-AUD-007", aspect="catch-all")
    waived = after(FAIL, waiver())
    framework = load_frameworks()["cis-kubernetes"]

    def verdict(*items: Judged) -> tuple[Status, bool]:
        (item,) = item_verdicts(framework, "1.12", items)
        return item.status, item.waived

    assert control_status(load_controls()["KC-AUD-008"], [waived]) is Status.FAIL
    assert verdict(waived, passed) == (Status.FAIL, True)
    assert verdict(waived, FAIL) == (Status.FAIL, False)
    assert verdict(passed) == (Status.PASS, False)
    assert not all_waived([])


def test_an_attested_answer_counts_as_a_pass_of_its_item() -> None:
    framework = load_frameworks()["cis-kubernetes"]

    (item,) = item_verdicts(framework, "1.12", [after(MANUAL, attestation())])

    assert item.status is Status.PASS
