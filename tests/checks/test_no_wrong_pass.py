"""The worst fault there is: a pass that the readings do not carry.

Each shipped case is taken apart, one reading at a time, and the verdicts must never look better
for what is no longer seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.controls import Case, cases_of, load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.control import Control, Platform
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Capture, Kind, Raw, Seen, Unreadable
from kcompliance.scan import judge_control
from tests.captures import SOUND_POLICY, raw, unreadable

CONTROLS = load_controls()
CASES = [case for control in CONTROLS.values() for case in cases_of(control)]
_FLAGS = {Kind.API_SERVER_PODS, Kind.OBJECTS, Kind.COMMAND_LINE, Kind.FLAGZ, Kind.FILE}
_POLICY = {*_FLAGS, Kind.AUDIT_POLICY, Kind.VERSION}
NEEDED = {
    ("KC-AUD-005", "main"): _POLICY,
    ("KC-AUD-006", "durable"): {*_FLAGS, Kind.METRICS},
    ("KC-AUD-006", "log-path-set"): _FLAGS,
    ("KC-AUD-006", "json-format"): _FLAGS,
    ("KC-AUD-007", "known-fields"): _POLICY,
    ("KC-AUD-007", "rules-fire"): _POLICY,
    ("KC-AUD-007", "catch-all"): _POLICY,
    ("KC-AUD-008", "main"): _POLICY,
    ("KC-CMP-001", "main"): _POLICY,
    ("KC-CMP-002", "main"): _POLICY,
    ("KC-CMP-003", "main"): _POLICY,
    ("KC-CMP-005", "stages"): _POLICY,
    ("KC-CMP-005", "panic"): _POLICY,
    ("KC-CMP-005", "failed-logins"): _POLICY,
    ("KC-CMP-005", "strict-blocking"): _POLICY,
    ("KC-CMP-006", "bodies"): _POLICY,
    ("KC-CMP-006", "tokens"): _POLICY,
    ("KC-CMP-006", "recorded"): _POLICY,
    ("KC-CMP-004", "bodies"): _POLICY,
    ("KC-CMP-004", "recorded"): _POLICY,
    ("KC-CMP-007", "main"): _POLICY,
    ("KC-CMP-009", "main"): {*_FLAGS, Kind.METRICS},
    ("KC-CMP-010", "batching"): {*_FLAGS, Kind.METRICS},
    ("KC-CMP-010", "throttling"): _FLAGS,
    ("KC-CMP-010", "truncation"): _FLAGS,
    ("KC-CMP-010", "size-limits"): {*_FLAGS, Kind.METRICS},
    ("KC-PRO-005", "main"): {*_FLAGS, Kind.WEBHOOK_CONFIG},
    ("KC-RET-011", "buffer"): {*_FLAGS, Kind.VERSION},
    ("KC-RET-011", "max-age"): {*_FLAGS, Kind.VERSION},
    ("KC-RET-011", "max-backup"): {*_FLAGS, Kind.VERSION},
    ("KC-RET-011", "max-size"): {*_FLAGS, Kind.VERSION},
}
"""What each aspect has to have seen before it may pass on a cluster that its owner runs."""

_GOOD = {Status.PASS, Status.NOT_APPLICABLE}


def _findings(
    control: Control, captures: Sequence[Capture], case: Case | None = None
) -> list[Finding]:
    cluster = _cluster(captures, case)
    given_ = case.parameters if case else {}
    return [judged.finding for judged in judge_control(control, cluster, given_)]


def _cluster(captures: Sequence[Capture], case: Case | None) -> Cluster:
    return assemble("c", captures, case.platform if case else None, published_policies())


def _of(findings: Iterable[Finding], aspect: str) -> set[Status]:
    return {finding.status for finding in findings if finding.aspect == aspect}


def _unreadable(capture: Capture) -> Unreadable:
    return Unreadable(origin=capture.origin, reason="could not be read: it was taken away")


def _provided(cluster: Cluster) -> bool:
    return cluster.platform in (Platform.AKS, Platform.EKS)


def _name(case: Case) -> str:
    return f"{case.control} {case.given}"


def test_every_aspect_has_its_needs_told() -> None:
    assert set(NEEDED) == {(c.id, aspect.id) for c in CONTROLS.values() for aspect in c.aspects}


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_what_can_no_longer_be_read_never_leaves_a_clean_bill(case: Case) -> None:
    control = CONTROLS[case.control]
    for index, capture in enumerate(case.captures):
        if not isinstance(capture, Raw) or _provided(_cluster(case.captures, case)):
            continue
        captures = [*case.captures[:index], _unreadable(capture), *case.captures[index + 1 :]]
        if _provided(_cluster(captures, case)):
            continue
        findings = _findings(control, captures, case)
        for aspect in control.aspects:
            if capture.origin.kind in NEEDED[control.id, aspect.id]:
                assert Status.ERROR in _of(findings, aspect.id), (capture.origin, aspect.id)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_sign_of_the_provider_that_can_no_longer_be_read_earns_nothing(case: Case) -> None:
    control = CONTROLS[case.control]
    if case.platform or not _provided(_cluster(case.captures, case)):
        return
    for changed in ([_unreadable(c) for c in case.captures], []):
        findings = _findings(control, changed, case)
        assert {finding.status for finding in findings}.isdisjoint(_GOOD)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_reading_less_never_makes_a_control_good(case: Case) -> None:
    """Unless a fault is about that very reading, or it shows a server of its own."""
    control = CONTROLS[case.control]
    whole = _findings(control, case.captures, case)
    faults = [finding for finding in whole if finding.status not in _GOOD]
    quoted = {evidence.raw for finding in faults for evidence in finding.evidence}
    named = " ".join(f"{finding.resource} {finding.because}" for finding in faults)
    for index, capture in enumerate(case.captures):
        if capture.origin.kind not in (Kind.AUDIT_POLICY, Kind.VERSION, Kind.METRICS):
            continue
        if not faults or capture in quoted or capture.origin.resource in named:
            continue
        rest = [*case.captures[:index], *case.captures[index + 1 :]]
        assert not {finding.status for finding in _findings(control, rest, case)} <= _GOOD


@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.API_SERVER_PODS, Kind.FLAGZ])
def test_a_gap_that_may_hide_a_server_is_an_error_of_every_aspect(case: Case, kind: Kind) -> None:
    control = CONTROLS[case.control]
    captures = [*case.captures, unreadable(kind, "what may hide a server")]
    if _provided(_cluster(captures, case)):
        return

    findings = _findings(control, captures, case)

    assert all(Status.ERROR in _of(findings, aspect.id) for aspect in control.aspects)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_pass_quotes_what_was_read_in_this_scan_or_published(case: Case) -> None:
    read = {capture for capture in case.captures if isinstance(capture, Raw)}
    read |= {published.policy.raw for published in published_policies().values()}

    for finding in _findings(CONTROLS[case.control], case.captures, case):
        if finding.status is Status.PASS:
            assert {evidence.raw for evidence in finding.evidence} <= read


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_order_of_the_readings_decides_nothing(case: Case) -> None:
    control = CONTROLS[case.control]
    if "second" in case.given or "two servers" in case.given:
        return  # of two answers about one server the first is taken, and the other is a gap

    there = _findings(control, case.captures, case)
    back = _findings(control, case.captures[::-1], case)

    assert {(f.aspect, f.resource, f.status) for f in there} == {
        (f.aspect, f.resource, f.status) for f in back
    }


# --- anything with anything ----------------------------------------------------------------------

_CAPTURES = [capture for case in CASES for capture in case.captures]
_MIXED = st.lists(st.sampled_from(_CAPTURES), max_size=5)


@given(captures=_MIXED)
def test_every_aspect_is_answered_whatever_is_scanned_together(captures: list[Capture]) -> None:
    for control in CONTROLS.values():
        findings = _findings(control, captures)
        assert {f.aspect for f in findings} == {aspect.id for aspect in control.aspects}
        assert not [f for f in findings if "the check" in f.because]


@given(captures=_MIXED)
def test_a_file_that_was_not_read_is_an_error_whatever_else_was(captures: list[Capture]) -> None:
    captures = [*captures, unreadable(Kind.FILE, "unread.yaml")]
    if _provided(_cluster(captures, None)):
        return
    for control in CONTROLS.values():
        findings = _findings(control, captures)
        assert all(Status.ERROR in _of(findings, aspect.id) for aspect in control.aspects)


@given(captures=_MIXED)
def test_a_server_without_a_policy_is_a_fail_whatever_else_was_read(
    captures: list[Capture],
) -> None:
    bare = raw(Kind.COMMAND_LINE, "ps.txt", "kube-apiserver --authorization-mode=RBAC")

    for id_ in ("KC-AUD-005", "KC-AUD-006", "KC-AUD-008"):
        findings = _findings(CONTROLS[id_], [*captures, bare])
        assert Status.FAIL in {finding.status for finding in findings}


# --- a check that breaks -------------------------------------------------------------------------


def _odd(**change: Any) -> Cluster:
    """A cluster as no collector makes it."""
    return replace(_cluster([raw(Kind.AUDIT_POLICY, "p.yaml", SOUND_POLICY)], None), **change)


_BROKEN_SERVER: Any = (Seen(value=None, raw=raw(Kind.OBJECTS, "s.yaml", "")),)
_BROKEN_POLICY: Any = (PolicyText(name="p", text=None, raw=None),)  # type: ignore[arg-type]


@pytest.mark.parametrize("control", CONTROLS.values(), ids=lambda control: control.id)
def test_a_check_that_breaks_is_an_error_of_every_aspect(control: Control) -> None:
    judged = list(judge_control(control, _odd(api_servers=_BROKEN_SERVER), {}))

    assert {item.aspect.id for item in judged} == {aspect.id for aspect in control.aspects}
    assert {item.finding.status for item in judged} == {Status.ERROR}


def test_a_check_that_breaks_late_takes_back_what_it_said() -> None:
    good = _odd().policies
    cluster = _odd(policies=(*good, *_BROKEN_POLICY))

    judged = list(judge_control(CONTROLS["KC-AUD-008"], cluster, {}))

    assert [item.finding.status for item in judged] == [Status.ERROR]
    assert "the check itself broke" in judged[0].finding.because
    assert "Traceback" in str(judged[0].traceback)
