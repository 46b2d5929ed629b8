"""What another policy changes, in words."""

import json
from collections.abc import Mapping

import pytest

from kcompliance.model.approval.policy_difference import PolicyDifference, compare_policies
from kcompliance.model.audit_policy import AuditPolicy, Loaded, load_policy

METADATA = {"level": "Metadata"}
EXEC = {"level": "RequestResponse", "resources": [{"resources": ["pods/exec", "pods/attach"]}]}


def policy(*rules: Mapping[str, object], **more: object) -> AuditPolicy:
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules, **more}
    loaded = load_policy(json.dumps(document, indent=1).encode())
    assert isinstance(loaded, Loaded), loaded
    return loaded.policy


def less(difference: PolicyDifference) -> list[str]:
    assert difference.more == ()
    return [each.words(99) for each in difference.less]


def test_nothing_differs_from_itself() -> None:
    difference = compare_policies(policy(EXEC, METADATA), policy(EXEC, METADATA))

    assert difference == PolicyDifference()


def test_a_rule_that_hides_what_admins_run_in_pods_is_told_by_its_effect() -> None:
    hole = {
        "level": "None",
        "userGroups": ["system:masters"],
        "verbs": ["get"],
        "resources": [{"resources": ["pods/exec", "pods/attach"]}],
    }

    difference = compare_policies(policy(EXEC, METADATA), policy(hole, EXEC, METADATA))

    assert less(difference) == [
        "a cluster admin: exec and attach over WebSocket: RequestResponse → None"
    ]
    (rule,) = difference.rules
    assert rule.startswith("added rule 0 (line ")
    assert rule.endswith("None for groups system:masters; verbs get; core: pods/attach, pods/exec")


def test_a_user_whom_only_a_rule_names_is_asked_about() -> None:
    hole = {"level": "None", "users": ["mallory"]}

    difference = compare_policies(policy(METADATA), policy(hole, METADATA))

    assert {each.who for each in difference.less} == {"the user mallory"}
    assert difference.shortened


def test_a_service_account_is_in_the_groups_that_the_server_gives_it() -> None:
    rule = {"level": "Request", "userGroups": ["system:serviceaccounts:ci"]}
    hole = {"level": "None", "users": ["system:serviceaccount:ci:robot"]}

    difference = compare_policies(policy(rule), policy(hole, rule))

    assert {each.change for each in difference.less} == {"Request → None"}


def test_a_part_of_an_action_is_named() -> None:
    hole = {"level": "None", "verbs": ["list"], "resources": [{"resources": ["secrets"]}]}

    difference = compare_policies(policy(METADATA), policy(hole, METADATA))

    assert less(difference) == ["everybody: read secrets (list secrets): Metadata → None"]


def test_paths_that_only_a_rule_names_are_asked_about() -> None:
    hole = {"level": "None", "nonResourceURLs": ["/debug*"]}

    assert less(compare_policies(policy(METADATA), policy(hole, METADATA))) == [
        "everybody: get /debug: Metadata → None"
    ]


def test_a_namespace_that_only_a_rule_names_is_asked_about() -> None:
    hole = {"level": "None", "namespaces": ["shadow"]}

    assert less(compare_policies(policy(METADATA), policy(hole, METADATA))) == [
        "everybody: any verb on anything in shadow: Metadata → None"
    ]


def test_rules_with_the_same_conditions_are_one_that_changed() -> None:
    weaker = {**EXEC, "level": "Metadata"}

    difference = compare_policies(policy(EXEC, METADATA), policy(weaker, METADATA))

    (rule,) = difference.rules
    assert rule.startswith("changed rule 0 (line ")
    assert rule.endswith("RequestResponse for core: pods/attach, pods/exec → Metadata")


def test_stages_that_are_left_out_are_a_loss() -> None:
    before = policy(METADATA)

    difference = compare_policies(before, policy(METADATA, omitStages=["ResponseStarted"]))

    assert {each.change for each in difference.less} == {
        "Metadata, no longer at ResponseStarted",
        "Metadata → None",
    }
    (none,) = (each for each in difference.less if each.change == "Metadata → None")
    assert none.who == "a failed login"


def test_managed_fields_matter_only_where_there_are_bodies() -> None:
    request = {"level": "Request", "resources": [{"resources": ["secrets"]}]}

    difference = compare_policies(
        policy(request, METADATA), policy(request, METADATA, omitManagedFields=True)
    )

    assert {each.change for each in difference.less} == {"Request, without managedFields"}


def test_more_than_before_is_no_loss() -> None:
    difference = compare_policies(policy(METADATA), policy(EXEC, METADATA))

    assert difference.less == ()
    assert difference.summary.startswith("more is recorded: everybody: exec and attach over SPDY")


@pytest.mark.parametrize("first", ["None", "Metadata"])
def test_rules_with_the_same_conditions_that_change_places_are_told(first: str) -> None:
    second = "Metadata" if first == "None" else "None"
    rules = [{"level": level, "verbs": ["get"]} for level in (first, second)]

    difference = compare_policies(policy(*rules, METADATA), policy(*rules[::-1], METADATA))

    assert any("another order from rule 0" in line for line in difference.rules)


def test_a_thousand_rules_are_compared_in_bounded_work() -> None:
    rules = [
        {"level": "Request", "resources": [{"group": f"g{n}.example", "resources": ["a", "b"]}]}
        for n in range(1000)
    ]

    difference = compare_policies(policy(*rules, METADATA), policy(METADATA))

    assert len(difference.rules) == 1000
    assert "and 997 more" in difference.summary
