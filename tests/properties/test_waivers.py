"""Whatever is declared, nothing that is wrong or was not seen ever looks good."""

from datetime import UTC, datetime
from datetime import date as Day

from hypothesis import given
from hypothesis import strategies as st

from kcompliance.errors import ExitCode
from kcompliance.model.finding import Confidence, Severity, Status
from kcompliance.model.verdict import Judged
from kcompliance.model.waiver import Attestation, DeclarationState, Waiver
from kcompliance.scan import exit_code
from kcompliance.waivers import stale_findings
from tests.declarations import attestation, declare, declared, judged, review, waiver

RESOURCES = ["server.yaml", "a [1]", "*", "b?"]
TARGETS = ["node", "@prod"]
_days = st.dates(Day(2025, 12, 1), Day(2026, 3, 1))
_about = st.fixed_dictionaries(
    {
        "control": st.sampled_from(["KC-AUD-008", "KC-CMP-001"]),
        "resource": st.sampled_from([*RESOURCES, "*.yaml", "?*", "[a-z]*"]),
        "target": st.sampled_from([None, *TARGETS, "*"]),
        "date": st.none() | _days,
        "expires": _days,
        "line": st.integers(1, 50),
    }
)
_declarations = st.lists(
    st.builds(lambda about: waiver(**about), _about)
    | st.builds(lambda about: attestation(**about), _about),
    max_size=8,
)
_judged = st.lists(
    st.builds(
        judged,
        st.sampled_from(Status),
        st.sampled_from(RESOURCES),
        control=st.sampled_from(["KC-AUD-008", "KC-CMP-001"]),
        target=st.sampled_from(TARGETS),
    ),
    max_size=8,
)
_moments = st.datetimes(datetime(2025, 12, 1), datetime(2026, 3, 1), timezones=st.just(UTC))
_SEEN = (Status.FAIL, Status.ERROR, Status.PASS, Status.NOT_APPLICABLE)


@given(before=_judged, declarations=_declarations, moment=_moments)
def test_no_error_and_no_fail_ever_becomes_something_better(
    before: list[Judged], declarations: list[Attestation | Waiver], moment: datetime
) -> None:
    of_all = declared(*declarations) | declared(*declarations, target="@prod")
    after = declare(before, of_all, moment)

    assert len(after) == len(before)
    for was, item in zip(before, after, strict=True):
        if was.finding.status in _SEEN:
            assert item.finding == was.finding
        elif item.finding != was.finding:
            found = item.finding
            assert (found.status, found.confidence) == (Status.PASS, Confidence.ATTESTED)
            assert item.attestation is not None
        for seen in (item.waiver, item.attestation):
            assert seen is None or seen.value.in_force(moment.date())


@given(before=_judged, declarations=_declarations, moment=_moments)
def test_a_good_end_leaves_no_fail_uncovered_and_no_declaration_stale(
    before: list[Judged], declarations: list[Attestation | Waiver], moment: datetime
) -> None:
    of_all = declared(*declarations) | declared(*declarations, target="@prod")
    reviewed = review(before, of_all, moment)
    after = (*declare(before, of_all, moment), *stale_findings(reviewed))
    stale = {DeclarationState.EXPIRED, DeclarationState.UNUSED}

    if exit_code(after, Severity.LOW, allow_manual=False) is ExitCode.GOOD:
        assert not [i for i in after if i.finding.status is Status.FAIL and i.waiver is None]
        assert not [i for i in after if i.finding.status in (Status.ERROR, Status.MANUAL)]
        assert not stale & {item.state for item in reviewed}
    assert {item.declared.value for item in reviewed} == set(declarations)
