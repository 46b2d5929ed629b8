"""Stored events of a cluster whose policy can only be assumed: what they decide, and what never."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcompliance.controls import load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.audit_policy import Level
from kcompliance.model.finding import Confidence, Finding, Status
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from kcompliance.scan import judge_control
from tests.captures import SOUND_POLICY, absent, raw
from tests.stored_events import counted, described

CONTROLS = load_controls()
_DECIDED = [
    ("KC-CMP-001", "main"),
    ("KC-CMP-002", "main"),
    ("KC-CMP-003", "main"),
    ("KC-CMP-004", "bodies"),
    ("KC-CMP-004", "recorded"),
    ("KC-CMP-006", "recorded"),
]
_NEVER_GOOD = [
    ("KC-AUD-008", "main"),
    ("KC-CMP-005", "stages"),
    ("KC-CMP-006", "bodies"),
    ("KC-CMP-006", "tokens"),
]
_NOT_ASKED = [("KC-CMP-005", "panic"), ("KC-CMP-005", "failed-logins"), ("KC-CMP-007", "main")]
_ASKED = [*_DECIDED, *_NEVER_GOOD]

_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
_SIGNING = "certificates.k8s.io"
_SENSITIVE = (
    *("secrets", "configmaps", "serviceaccounts", "pods/log"),
    *(f"clusterroles.{_RBAC}", f"clusterrolebindings.{_RBAC}"),
    f"certificatesigningrequests.{_SIGNING}",
)
_GUARDED = (
    *(f"{name}.{_RBAC}" for name in ("roles", "rolebindings")),
    *(f"{name}.{_RBAC}" for name in ("clusterroles", "clusterrolebindings")),
    *(f"{name}webhookconfigurations.{_ADMISSION}" for name in ("validating", "mutating")),
    *(f"validatingadmission{name}.{_ADMISSION}" for name in ("policies", "policybindings")),
    *(f"certificatesigningrequests{name}" for name in (f".{_SIGNING}", f".{_SIGNING}/approval")),
)
_IDENTITIES = (
    *("serviceaccounts", "nodes", "namespaces", "serviceaccounts/token"),
    *("apiservices.apiregistration.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"),
    *("tokenreviews.authentication.k8s.io", "subjectaccessreviews.authorization.k8s.io"),
)
_STREAMS = ("pods/exec", "pods/attach", "pods/portforward")
_PROXIES = ("pods/proxy", "services/proxy", "nodes/proxy")
_AT_METADATA = "Metadata ResponseComplete 5"
_WITH_BODY = "RequestResponse ResponseComplete 5"

GOOD = (
    *(f"{verb} pods {_WITH_BODY}" for verb in ("create", "patch", "delete")),
    *(f"{verb} secrets {_AT_METADATA}" for verb in ("get", "list", "watch", "update")),
    *(f"list {name} {_AT_METADATA}" for name in _SENSITIVE),
    f"get pods/log {_AT_METADATA}",
    f"update configmaps {_AT_METADATA}",
    *(
        f"{verb} {name} Request ResponseStarted 5"
        for name in _STREAMS
        for verb in ("get", "create")
    ),
    *(f"get {name} Request ResponseStarted 5" for name in _PROXIES),
    f"patch pods/ephemeralcontainers {_WITH_BODY}",
    *(f"update {name} {_WITH_BODY}" for name in _GUARDED),
    *(f"create {name} {_AT_METADATA}" for name in _IDENTITIES),
)
BAD = (
    *(f"{verb} {name} {_AT_METADATA}" for name in _GUARDED[:4] for verb in ("create", "delete")),
    f"create secrets {_WITH_BODY}",
    f"list configmaps {_WITH_BODY}",
    f"create serviceaccounts/token {_WITH_BODY}",
)
NEITHER = (
    f"update leases.coordination.k8s.io {_AT_METADATA}",
    f"patch configmaps {_WITH_BODY}",
    "deletecollection secrets Request ResponseComplete 5",
    "watch pods Request ResponseStarted 5",
    f"get - {_AT_METADATA}",
    f"get secrets.vault.example.com {_WITH_BODY}",
    f"create widgets.example.com {_AT_METADATA}",
)


def _findings(control: str, *captures: Capture, **parameters: Any) -> list[Finding]:
    cluster = assemble("prod", captures, published=published_policies())
    return [item.finding for item in judge_control(CONTROLS[control], cluster, parameters)]


def _found(control: str, aspect: str, *captures: Capture, **parameters: Any) -> Finding:
    findings = _findings(control, described(), *captures, **parameters)
    (found,) = (finding for finding in findings if finding.aspect == aspect)
    return found


def _statuses(*rows: str) -> dict[tuple[str, str], Status]:
    captures = (described(), counted(*rows))
    return {
        (control, finding.aspect): finding.status
        for control in dict(_ASKED)
        for finding in _findings(control, *captures)
    }


# --- decided by events ---------------------------------------------------------------------------


@pytest.mark.parametrize(("control", "aspect"), _DECIDED)
def test_a_pass_by_events_quotes_them_and_nothing_that_is_assumed(
    control: str, aspect: str
) -> None:
    seen = counted(*GOOD)
    found = _found(control, aspect, seen)

    assert found.status is Status.PASS
    assert found.confidence is Confidence.LIVE
    assert {evidence.raw for evidence in found.evidence} == {seen}
    assert all(evidence.location.startswith("results[") for evidence in found.evidence)
    assert "decided by stored events of 7 days" in found.notes[0]


@pytest.mark.parametrize(("control", "aspect"), _DECIDED)
def test_a_saved_answer_is_worth_less_than_a_live_one(control: str, aspect: str) -> None:
    found = _found(control, aspect, counted(*GOOD, collector="files"))

    assert (found.status, found.confidence) == (Status.PASS, Confidence.BUNDLE)
    assert "7 days" not in " ".join(found.notes)


@pytest.mark.parametrize(("control", "aspect"), _ASKED)
def test_without_what_is_wanted_events_are_told_and_the_question_stays(
    control: str, aspect: str
) -> None:
    found = _found(control, aspect, counted(*NEITHER))

    assert found.status is Status.MANUAL
    assert found.confidence is Confidence.ASSUMED_POLICY
    assert "stored events" in found.because
    assert (control, aspect) in _NEVER_GOOD or "scan again" in str(found.question)


@pytest.mark.parametrize(("control", "aspect"), _NEVER_GOOD)
def test_what_is_asked_of_all_is_never_shown_by_some(control: str, aspect: str) -> None:
    found = _found(control, aspect, counted(*GOOD, *GOOD))

    assert (found.status, found.confidence) == (Status.MANUAL, Confidence.ASSUMED_POLICY)


def test_a_policy_that_is_assumed_to_do_less_is_not_mended_by_events() -> None:
    """It is assumed to have no bodies of config maps, of which none is stored here."""
    rows = [f"{verb} pods {_WITH_BODY}" for verb in ("create", "patch", "delete")]
    found = _found("KC-CMP-001", "main", counted(*rows), write_min_level=Level.REQUEST)

    assert found.status is Status.MANUAL
    assert "stored events show: creations, updates, deletions" in found.because


@pytest.mark.parametrize(
    ("control", "aspect", "row"),
    [
        ("KC-CMP-004", "bodies", f"create roles.{_RBAC} Metadata RequestReceived 1"),
        ("KC-CMP-006", "bodies", "get secrets Request ResponseComplete 1"),
        ("KC-CMP-006", "bodies", "create tokenreviews.authentication.k8s.io Request Panic 1"),
        ("KC-CMP-006", "tokens", f"create serviceaccounts/token {_WITH_BODY}"),
        ("KC-CMP-005", "stages", "watch pods Request ResponseComplete 100"),
    ],
)
def test_one_event_is_enough_to_show_a_fault(control: str, aspect: str, row: str) -> None:
    found = _found(control, aspect, counted(row, f"get pods {_AT_METADATA}"))

    assert (found.status, found.confidence) == (Status.FAIL, Confidence.LIVE)
    assert found.evidence[0].location == "results[0]"


@pytest.mark.parametrize(
    "rows",
    [
        ["watch pods Request ResponseComplete 1"] * 10_000,
        ["watch pods Request ResponseComplete 99"],
        ["create pods Request ResponseComplete 100"],
        ["watch pods Request ResponseComplete 100", "get - Metadata ResponseStarted 1"],
    ],
    ids=["not-all", "few", "no-watch", "failed-login"],
)
def test_of_too_little_no_lack_of_a_stage_is_concluded(rows: list[str]) -> None:
    found = _found("KC-CMP-005", "stages", counted(*rows))

    assert found.status is Status.MANUAL


# --- not decided by events -----------------------------------------------------------------------


@pytest.mark.parametrize(("control", "aspect"), [*_ASKED, *_NOT_ASKED])
def test_a_refused_query_is_an_error_of_what_asks_for_events_and_of_nothing_else(
    control: str, aspect: str
) -> None:
    refused = Unreadable(
        origin=counted().origin, reason="not allowed", permission="logs:StartQuery"
    )
    found = _found(control, aspect, refused)

    if (control, aspect) in _NOT_ASKED:
        assert found.status is Status.MANUAL
    else:
        assert (found.status, found.permission) == (Status.ERROR, "logs:StartQuery")


@pytest.mark.parametrize(("control", "aspect"), _ASKED)
@pytest.mark.parametrize(
    "nobody", [(), (absent(Kind.AWS_LOG_VERBS, "x"),)], ids=["not-asked", "no-log-group"]
)
def test_without_events_the_policy_is_a_question(
    control: str, aspect: str, nobody: tuple[Capture, ...]
) -> None:
    found = _found(control, aspect, *nobody)

    assert found.status is Status.MANUAL
    assert not any(evidence.raw.origin.kind is Kind.AWS_LOG_VERBS for evidence in found.evidence)


@pytest.mark.parametrize(("control", "aspect"), _ASKED)
def test_half_an_answer_is_an_error(control: str, aspect: str) -> None:
    whole = counted(*GOOD)
    half = Raw(origin=whole.origin, content=whole.content[: len(whole.content) // 2])

    assert _found(control, aspect, half).status is Status.ERROR


@pytest.mark.parametrize("control", sorted(dict(_ASKED)))
def test_whoever_has_a_policy_of_their_own_is_judged_by_it(control: str) -> None:
    policy = raw(Kind.AUDIT_POLICY, "policy.yaml", SOUND_POLICY)

    assert _findings(control, policy) == _findings(control, policy, counted(*BAD))


def test_a_query_of_something_else_is_an_error() -> None:
    other = [[{"field": "bin(5m)", "value": "2026-01-01"}, {"field": "records", "value": "3"}]]
    content = json.dumps({"results": other, "status": "Complete"}).encode()

    found = _found("KC-CMP-001", "main", Raw(origin=counted().origin, content=content))

    assert found.status is Status.ERROR


# --- laws ----------------------------------------------------------------------------------------

_HARMLESS = st.lists(st.sampled_from([*GOOD, *NEITHER]), max_size=60)
_ANY = st.lists(st.sampled_from([*GOOD, *BAD, *NEITHER]), max_size=20)
_few = settings(max_examples=15)  # each puts some thousand requests to the assumed policy


@_few
@given(_HARMLESS, _HARMLESS)
def test_more_good_events_never_take_a_pass_away(rows: list[str], more: list[str]) -> None:
    fewer, all_ = _statuses(*rows), _statuses(*rows, *more)

    assert Status.FAIL not in all_.values()
    assert all(all_[of] is Status.PASS for of, status in fewer.items() if status is Status.PASS)


@_few
@given(_ANY, _ANY)
def test_more_events_never_take_a_fault_away(rows: list[str], more: list[str]) -> None:
    fewer, all_ = _statuses(*rows), _statuses(*rows, *more)

    assert all(all_[of] is Status.FAIL for of, status in fewer.items() if status is Status.FAIL)
    assert Status.PASS not in {all_[of] for of in _NEVER_GOOD}


@pytest.mark.parametrize("row", GOOD)
def test_each_event_less_leaves_a_pass_or_a_question(row: str) -> None:
    statuses = _statuses(*(other for other in GOOD if other != row))

    assert set(statuses.values()) <= {Status.PASS, Status.MANUAL, Status.NOT_APPLICABLE}
