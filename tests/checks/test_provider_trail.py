"""Of a provider's cluster a sound policy is half of the answer: its events have to be shipped."""

import json
from typing import Any

import pytest

from kcompliance.controls import load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Confidence, Finding, Status
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from kcompliance.scan import judge_control
from tests.azure_rm import documents
from tests.azure_rm.documents import CLUSTER, LOGS_SUBSCRIPTION, SUBSCRIPTION, WORKSPACE
from tests.captures import origin

_SETTINGS = f"{CLUSTER}/providers/Microsoft.Insights/diagnosticSettings"
_BY_READS = [
    ("KC-AUD-008", "main"),
    ("KC-CMP-002", "main"),
    ("KC-CMP-003", "main"),
    ("KC-CMP-005", "stages"),
    ("KC-CMP-005", "panic"),
    ("KC-CMP-005", "failed-logins"),
    ("KC-CMP-006", "recorded"),
]
_BY_WRITES = [
    ("KC-CMP-001", "main"),
    ("KC-CMP-004", "bodies"),
    ("KC-CMP-004", "recorded"),
]
_BY_POLICY = pytest.mark.parametrize(("control", "aspect"), [*_BY_READS, *_BY_WRITES])


def _raw(kind: Kind, resource: str, document: Any, collector: str = "azure") -> Raw:
    return Raw(origin=origin(kind, resource, collector), content=json.dumps(document).encode())


def _captures(*categories: str, of: str = CLUSTER, state: str = "Enabled") -> list[Capture]:
    settings = {"value": [documents.setting(*categories, of=of)]}
    where = f"{of}/providers/Microsoft.Insights/diagnosticSettings"
    return [
        _raw(Kind.AKS_CLUSTER, of, documents.cluster(of)),
        _raw(Kind.AZURE_DIAGNOSTIC_SETTINGS, where, settings),
        _raw(Kind.AZURE_WORKSPACE, WORKSPACE, documents.workspace()),
        _raw(
            Kind.AZURE_SUBSCRIPTION,
            f"/subscriptions/{SUBSCRIPTION}",
            documents.subscription(SUBSCRIPTION, state),
        ),
        _raw(
            Kind.AZURE_SUBSCRIPTION,
            f"/subscriptions/{LOGS_SUBSCRIPTION}",
            documents.subscription(LOGS_SUBSCRIPTION),
        ),
    ]


def _found(control: str, aspect: str, captures: list[Capture]) -> list[Finding]:
    cluster = assemble("prod", captures, published=published_policies())
    judged = judge_control(load_controls()[control], cluster, {})
    return [item.finding for item in judged if item.aspect.id == aspect]


@_BY_POLICY
def test_a_pass_quotes_the_policy_and_the_settings(control: str, aspect: str) -> None:
    (found,) = _found(control, aspect, _captures("kube-audit"))

    assert found.status is Status.PASS
    assert found.confidence is Confidence.PUBLISHED_POLICY
    assert found.resource == CLUSTER
    assert any(each.raw.origin.resource == _SETTINGS for each in found.evidence)
    assert any(each.raw.origin.kind is Kind.AUDIT_POLICY for each in found.evidence)


@_BY_POLICY
@pytest.mark.parametrize("kind", [Kind.AZURE_DIAGNOSTIC_SETTINGS, Kind.AKS_CLUSTER])
def test_settings_that_could_not_be_read_earn_no_pass(
    control: str, aspect: str, kind: Kind
) -> None:
    captures: list[Capture] = [
        Unreadable(origin=each.origin, reason="403") if each.origin.kind is kind else each
        for each in _captures("kube-audit")
    ]

    statuses = {found.status for found in _found(control, aspect, captures)}

    assert Status.ERROR in statuses
    assert kind is Kind.AKS_CLUSTER or Status.PASS not in statuses


@_BY_POLICY
def test_settings_that_were_not_given_are_asked_for(control: str, aspect: str) -> None:
    kept = [c for c in _captures() if c.origin.kind is not Kind.AZURE_DIAGNOSTIC_SETTINGS]

    (found,) = _found(control, aspect, kept)

    assert found.status is Status.MANUAL
    assert "az monitor diagnostic-settings list" in str(found.question)
    assert any("by its policy" in note for note in found.notes)


@_BY_POLICY
def test_a_subscription_that_is_off_ships_nothing_surely(control: str, aspect: str) -> None:
    statuses = {
        f.status for f in _found(control, aspect, _captures("kube-audit", state="Disabled"))
    }

    assert statuses == {Status.ERROR}


@pytest.mark.parametrize(
    ("control", "aspect", "status"),
    [
        *((*each, Status.FAIL) for each in _BY_READS),
        *((*each, Status.PASS) for each in _BY_WRITES),
    ],
)
def test_kube_audit_admin_holds_writes_and_no_reads(
    control: str, aspect: str, status: Status
) -> None:
    (found,) = _found(control, aspect, _captures("kube-audit-admin"))

    assert found.status is status


@_BY_POLICY
def test_each_of_two_clusters_gets_a_verdict(control: str, aspect: str) -> None:
    other = CLUSTER.replace("/prod", "/test")
    captures = [*_captures("kube-audit"), *_captures("guard", of=other)[:2]]

    found = {each.resource: each.status for each in _found(control, aspect, captures)}

    assert found == {CLUSTER: Status.PASS, other: Status.FAIL}


@_BY_POLICY
def test_of_a_list_that_may_be_a_part_nothing_fails(control: str, aspect: str) -> None:
    """One setting that `az … show` prints is not the list of all."""
    setting = documents.setting("guard")
    captures: list[Capture] = [
        _raw(Kind.AKS_CLUSTER, "aks.json", documents.cluster(), "files"),
        _raw(Kind.AZURE_DIAGNOSTIC_SETTINGS, "setting.json", setting, "files"),
    ]

    statuses = {found.status for found in _found(control, aspect, captures)}

    assert statuses == {Status.MANUAL}
