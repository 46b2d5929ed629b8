"""Expectations of a policy: how they are read, refused and compared."""

import pytest

from kcompliance.model.audit_policy import Loaded, PolicyEvaluator, load_policy
from kcompliance.model.policy_test import WrongPolicyTests, load_policy_tests, run_test

POLICY = b"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    resources: [{group: "", resources: ["pods/exec"]}]
  - level: Metadata
    userGroups: ["system:authenticated"]
"""
HEAD = "policy: p.yaml\ntests:\n  - name: a\n"
REQUEST = "    request: {user: jo, groups: ['system:authenticated'], verb: get, resource: pods}\n"


def problems(text: str) -> list[tuple[str, ...]]:
    loaded = load_policy(POLICY)
    assert isinstance(loaded, Loaded)
    (test,) = load_policy_tests(text.encode()).tests
    ran = run_test(test, PolicyEvaluator(loaded.policy))
    assert ran.passed == (not any(each.problems for each in ran.checked))
    return [each.problems for each in ran.checked]


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ("level: Metadata", None),
        ("level: Request", "level Metadata, expected Request"),
        ("at_least: Metadata", None),
        ("at_least: Request", "level Metadata, expected at least Request"),
        ("at_most: Metadata", None),
        ("at_most: None", "level Metadata, expected at most None"),
        ("stages: [ResponseComplete]", None),
        ("stages: []", "stages ResponseComplete, expected none"),
        ("rule: 1", None),
        ("rule: 0", "rule 1 decides, expected rule 0"),
    ],
    ids=lambda value: value,
)
def test_what_was_not_expected_is_told(expect: str, problem: str | None) -> None:
    text = f"{HEAD}{REQUEST}    expect: {{{expect}}}\n"

    assert problems(text) == [(problem,) if problem else ()]


@pytest.mark.parametrize(
    ("request_", "level"),
    [
        ("{user: jo, verb: create, resource: pods/exec}", "RequestResponse"),
        ("{user: jo, verb: create, resource: pods, subresource: exec}", "RequestResponse"),
        ("{user: jo, verb: create, resource: pods, group: other, subresource: exec}", "None"),
        ("{user: null, verb: get, path: /version}", "None"),
        ("{user: jo, groups: ['system:authenticated'], verb: get, path: /version}", "Metadata"),
    ],
    ids=lambda value: value,
)
def test_requests_are_those_that_were_written(request_: str, level: str) -> None:
    text = f"{HEAD}    request: {request_}\n    expect: {{level: {level}}}\n"

    assert problems(text) == [()]


def test_every_one_of_several_requests_has_to_be_as_expected() -> None:
    text = HEAD + "    requests:\n      - {user: jo, verb: create, resource: pods/exec}\n"
    text += "      - {user: jo, verb: get, resource: pods}\n    expect: {at_least: Metadata}\n"

    assert problems(text) == [(), ("level None, expected at least Metadata",)]


EXPECT = "    expect: {level: None}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("[]", 1),
        ("tests: []\npolicy: a\n", 1),
        ("policy: a\ntests:\n", 2),
        ("policy: a\npolicies: b\ntests: []\n", 2),
        ("tests:\n  - name: a\n" + REQUEST + EXPECT, 1),
        ("policy: a\nkubernetes_version: newest\ntests: []\n", 2),
        (HEAD + EXPECT, 3),
        (HEAD + REQUEST, 3),
        (HEAD + REQUEST + "    requests: []\n" + EXPECT, 3),
        (HEAD + REQUEST + EXPECT + "    expected: {}\n", 6),
        (HEAD + "    request: {verb: get, resource: pods}\n" + EXPECT, 4),
        (HEAD + "    request:\n      user: a\n      verb: get\n" + EXPECT, 4),
        (HEAD + "    request:\n      user: a\n      resource: pods\n" + EXPECT, 4),
        (HEAD + "    request:\n      user: a\n      verb: get\n      path: x\n" + EXPECT, 7),
        (HEAD + "    request:\n      user: a\n      verb: get\n      verbs: x\n" + EXPECT, 7),
        (HEAD + "    request: {user: null, groups: [a], verb: get, path: /x}\n" + EXPECT, 4),
        (HEAD + "    request: {user: a, verb: get, path: /x, name: b}\n" + EXPECT, 4),
        (HEAD + "    request: {user: a, groups: a, verb: get, path: /x}\n" + EXPECT, 4),
        (HEAD + REQUEST + "    expect: {}\n", 5),
        (HEAD + REQUEST + "    expect:\n      level: Everything\n", 6),
        (HEAD + REQUEST + "    expect:\n      stages: [Panic]\n", 6),
        (HEAD + REQUEST + "    expect:\n      rule: first\n", 6),
        (HEAD + REQUEST + "    expect:\n      rule: -1\n", 6),
        (HEAD + REQUEST + "    expect:\n      level: None\n      level: None\n", 7),
        ("a: &b c\n", 1),
        ("{", 2),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(WrongPolicyTests, match=rf"line {line}\b"):
        load_policy_tests(text.encode())
