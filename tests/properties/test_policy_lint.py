"""What the linter says of a rule is true of every request that it is tried with."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from kcompliance.model.audit_policy import (
    Lint,
    Loaded,
    PolicyEvaluator,
    Rule,
    lint_policy,
    load_policy,
    matches,
)
from tests.properties.policy_generator import policies, request_for
from tests.properties.policy_words import as_request, requests_in_the_words_of

SEED = 7
POLICIES = 1_500
REQUESTS = 100
"""For each policy: random ones, and as many in its own words."""

Linted = tuple[Loaded, tuple[Lint, ...]]
SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "policies").glob("*.yaml"))


@pytest.fixture(scope="module")
def linted() -> list[Linted]:
    """Random policies and what the linter says of them."""
    loaded = [load_policy(text) for text, _ in islice(policies(SEED), POLICIES)]
    return [(each, lint_policy(each)) for each in loaded if isinstance(each, Loaded)]


def test_a_rule_called_dead_or_unreachable_never_decides(
    linted: list[Linted],
) -> None:
    called: Counter[str] = Counter()
    for loaded, remarks in linted:
        dead = dict(dead_rules(loaded, remarks))
        called.update(dead.values())
        if not dead:
            continue
        evaluator = PolicyEvaluator(loaded.policy)
        for each in requests_for(loaded):
            decision = evaluator.decide(as_request(each))
            assert decision.rule not in dead, (dead, decision, each, loaded.policy)

    # Or the property was hardly tried.
    assert called["L7"] > 500
    assert called["L2"] > 200
    assert called["L3"] > 5


def test_a_rule_called_unreachable_matches_nothing_that_the_rule_before_it_does_not(
    linted: list[Linted],
) -> None:
    """Also for the literal stars that no real request has, and which the server compares too."""
    tried = 0
    for loaded, remarks in linted:
        for remark in remarks:
            if remark.code != "L7" or remark.rule is None:
                continue
            wide = loaded.policy.rules[int(remark.message.split("rule ")[1].split(" ")[0])]
            narrow = loaded.policy.rules[remark.rule]
            assert wide.line == int(remark.message.split("(line ")[1].split(")")[0])
            for each in islice(all_requests(loaded), 200):
                request = as_request(each)
                if matches(narrow, request):
                    tried += 1
                    assert matches(wide, request), (wide, narrow, request)

    assert tried > 5_000


def test_a_policy_without_remarks_on_its_coverage_records_every_request(
    linted: list[Linted],
) -> None:
    """L8 and L11 are about what no rule names: without them some rule matches everything."""
    quiet = 0
    for loaded, remarks in linted:
        if {"L8", "L11"} & {remark.code for remark in remarks}:
            continue
        quiet += 1
        evaluator = PolicyEvaluator(loaded.policy)
        for each in requests_for(loaded):
            assert evaluator.decide(as_request(each)).rule is not None, (loaded.policy, each)

    assert quiet > 100


def test_all_remarks_point_at_the_rule_they_are_about(
    linted: list[Linted],
) -> None:
    for loaded, remarks in linted:
        for remark in remarks:
            if remark.rule is not None:
                assert remark.line == loaded.policy.rules[remark.rule].line


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_no_rule_of_the_samples_is_called_dead_but_the_mistakes(sample: Path) -> None:
    loaded = load_policy(sample.read_bytes())
    assert isinstance(loaded, Loaded)

    remarks = lint_policy(loaded)

    wrong = {remark.code for remark in remarks if not remark.informational}
    if sample.stem == "mistakes":
        assert wrong == {"L1", "L2", "L3", "L5", "L9"}
    else:
        assert wrong <= {"L1", "L4", "L8"}


def dead_rules(loaded: Loaded, remarks: tuple[Lint, ...]) -> Iterator[tuple[int, str]]:
    """The rules that can never decide, if the linter is right, with why."""
    for remark in remarks:
        if remark.rule is None:
            continue
        rule = loaded.policy.rules[remark.rule]
        if (
            remark.code == "L7"
            or (remark.code == "L2" and asks_for_a_star(rule))
            or (remark.code == "L3" and asks_for_nothing(rule))
        ):
            yield remark.rule, remark.code


def asks_for_a_star(rule: Rule) -> bool:
    fields = (rule.users, rule.user_groups, rule.verbs, rule.namespaces)
    return any(set(values) == {"*"} for values in fields)


def asks_for_nothing(rule: Rule) -> bool:
    return all(set(group.resources) == {"*/*"} for group in rule.resources)


def requests_for(loaded: Loaded) -> Iterator[dict[str, Any]]:
    """Requests that can be: of nobody called `*`, for nothing called `*`, for a whole path."""
    for each in all_requests(loaded):
        names = [each.get(name) for name in ("user", "verb", "namespace", "subresource")]
        if "*" not in [*names, *each["groups"]] and each.get("path", "/").startswith("/"):
            yield each


def all_requests(loaded: Loaded) -> Iterator[dict[str, Any]]:
    rng = random.Random(SEED)
    yield from requests_in_the_words_of(loaded.policy, rng, REQUESTS)
    for _ in range(REQUESTS):
        yield request_for(rng)
