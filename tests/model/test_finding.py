"""A finding that must not exist cannot be made."""

from itertools import pairwise
from typing import Any

import pytest

from kcompliance.model.finding import Confidence, Finding, Severity, Status, evidence_of
from kcompliance.model.reading import Kind, Raw, Unreadable
from tests.captures import NOW, raw, unreadable

FILE = raw(Kind.AUDIT_POLICY, "policy.yaml", "x")
LIVE = raw(Kind.VERSION, "kube /version", "x", "kubernetes")
SEEN = evidence_of(FILE, "line 1", "level: None")


def test_a_pass_without_evidence_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="a pass without evidence"):
        Finding.passed("policy.yaml", "all is well", ())


def test_a_pass_on_an_assumed_policy_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="a pass without evidence"):
        Finding.passed("c", "all is well", SEEN, confidence=Confidence.ASSUMED_POLICY)


@pytest.mark.parametrize("confidence", sorted(set(Confidence) - {Confidence.ASSUMED_POLICY}))
def test_any_other_confidence_is_enough_for_a_pass(confidence: Confidence) -> None:
    assert Finding.passed("c", "is so", SEEN, confidence=confidence).confidence is confidence


@pytest.mark.parametrize("make", [Finding.failed, Finding.not_applicable, Finding.error])
def test_no_verdict_is_without_a_reason(make: Any) -> None:
    with pytest.raises(ValueError, match="without a reason"):
        make("policy.yaml", "", SEEN)


def test_a_pass_has_to_say_why_too() -> None:
    with pytest.raises(ValueError, match="without a reason"):
        Finding.passed("policy.yaml", "", SEEN)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("question", [None, "Is it so?"])
def test_a_question_belongs_to_a_manual_finding_and_to_no_other(
    status: Status, question: str | None
) -> None:
    arguments: dict[str, Any] = {
        "aspect": "main",
        "resource": "policy.yaml",
        "status": status,
        "because": "of this",
        "evidence": SEEN,
        "confidence": Confidence.BUNDLE,
        "question": question,
    }

    if (status is Status.MANUAL) == (question is not None):
        assert Finding(**arguments).question == question
    else:
        with pytest.raises(ValueError, match="a question belongs"):
            Finding(**arguments)


def test_what_was_not_read_is_an_error_with_the_permission_that_lacks() -> None:
    gap = Unreadable(origin=FILE.origin, reason="403", permission="get pods")

    finding = Finding.unreadable(gap, aspect="durable")

    assert (finding.status, finding.aspect) == (Status.ERROR, "durable")
    assert (finding.resource, finding.because) == ("policy.yaml", "403")
    assert finding.permission == "get pods"


def test_an_error_has_no_confidence() -> None:
    assert Finding.unreadable(unreadable(Kind.METRICS, "kube /metrics")).confidence is None


@pytest.mark.parametrize(
    ("evidence", "confidence"),
    [
        (evidence_of(LIVE, "a"), Confidence.LIVE),
        (evidence_of(FILE, "a"), Confidence.BUNDLE),
        (evidence_of(LIVE, "a") + evidence_of(FILE, "b"), Confidence.BUNDLE),
        ((), None),
    ],
)
def test_only_what_was_all_read_live_is_live(evidence: Any, confidence: Confidence | None) -> None:
    assert Finding.failed("c", "not so", evidence).confidence is confidence


def test_severities_are_in_order() -> None:
    assert all(less < more for less, more in pairwise(Severity))
    assert max(Severity) is Severity.CRITICAL
    with pytest.raises(TypeError):
        _ = Severity.LOW < "high"


def test_the_digest_of_evidence_is_that_of_the_bytes() -> None:
    one = Raw(origin=FILE.origin, content=b"abc")

    assert one.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert one.origin.collected_at == NOW
