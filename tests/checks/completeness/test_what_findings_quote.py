"""Findings quote the rule that decided, where it stands, however long the policy is."""

from collections.abc import Mapping
from typing import Any

import pytest

from kcompliance.controls import load_controls
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Kind
from kcompliance.scan import judge_control
from tests.captures import raw

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
HIDDEN = """\
  # spares the log
  - level: None
    resources:
      - group: apps  # all of it
  - level: Metadata
"""
CONTROLS = [f"KC-CMP-00{number}" for number in range(1, 8)]


def findings(control: str, *captures: Any, **given: Any) -> list[Finding]:
    judged = judge_control(load_controls()[control], assemble("c", captures), given)
    return [each.finding for each in judged]


def only(control: str, text: str) -> Finding:
    (finding,) = findings(control, raw(Kind.AUDIT_POLICY, "policy.yaml", text))
    return finding


def test_a_fail_quotes_the_rule_that_decided() -> None:
    (evidence,) = only("KC-CMP-001", HEAD + HIDDEN).evidence

    assert evidence.location == "line 5"
    assert evidence.quote == "- level: None resources: - group: apps  # all of it"


def test_the_quote_is_the_rule_alone_where_the_policy_lies_in_a_config_map() -> None:
    inner = "".join(f"    {line}\n" for line in (HEAD + HIDDEN).splitlines())
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: audit, namespace: kube-system}\n"
        f"data:\n  policy.yaml: |\n{inner}"
    )
    (finding,) = findings("KC-CMP-001", raw(Kind.OBJECTS, "map.yaml", text))

    assert finding.evidence[0].quote.startswith("- level: None resources:")
    assert finding.evidence[0].location.endswith("line 5")


def test_a_request_that_no_rule_matches_is_called_so() -> None:
    finding = only("KC-CMP-001", HEAD + "  - {level: Metadata, verbs: [get]}\n")

    assert [(e.location, e.quote) for e in finding.evidence] == [("no rule", "no rule matches")]


def test_a_rule_of_any_length_gives_a_short_quote() -> None:
    users = ", ".join(f"user{number}" for number in range(200))
    finding = only("KC-CMP-007", HEAD + f"  - {{level: None, users: [{users}]}}\n")

    assert len(finding.evidence[0].quote) == 200
    assert finding.evidence[0].quote.endswith("…")


@pytest.mark.parametrize("control", CONTROLS)
def test_a_policy_of_very_many_rules_gives_a_bounded_finding(control: str) -> None:
    rules = "".join(f"  - {{level: None, namespaces: [n{number}]}}\n" for number in range(400))

    for finding in findings(control, raw(Kind.AUDIT_POLICY, "policy.yaml", HEAD + rules)):
        assert finding.status is not Status.PASS or finding.aspect in ("bodies", "tokens")
        assert len(finding.evidence) <= 101
        assert len(finding.because) < 600


def test_where_holes_do_not_end_the_rest_is_not_tried() -> None:
    rules = "".join(f"  - {{level: None, namespaces: [n{number}]}}\n" for number in range(400))

    assert "1000 or more requests" in only("KC-CMP-001", HEAD + rules).because


# --- notes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("none", "given", "notes"),
    [
        (9_500, {}, 1),
        (9_000, {}, 0),
        (5_000, {"none_percent_warn": 40}, 1),
        (0, {}, 0),
    ],
)
def test_a_share_of_unrecorded_requests_that_is_high_is_noted(
    none: int, given: Mapping[str, Any], notes: int
) -> None:
    counters = (
        "apiserver_audit_event_total 1\n"
        f'apiserver_audit_level_total{{level="None"}} {none}\n'
        f'apiserver_audit_level_total{{level="Metadata"}} {10_000 - none}\n'
    )
    captures = (
        raw(Kind.AUDIT_POLICY, "policy.yaml", HEAD + "  - level: Metadata\n"),
        raw(Kind.METRICS, "metrics", counters),
    )
    (finding,) = findings("KC-CMP-007", *captures, **given)

    assert finding.status is Status.PASS
    assert len(finding.notes) == notes
    assert all("% of all requests" in note for note in finding.notes)


def test_what_may_go_unrecorded_is_the_same_in_both_controls() -> None:
    """The list stands in two files, and one of them could be changed alone."""
    defaults = {
        id_: load_controls()[id_].parameters["allow_none"].default
        for id_ in ("KC-AUD-008", "KC-CMP-007")
    }

    assert defaults["KC-AUD-008"] == defaults["KC-CMP-007"]
