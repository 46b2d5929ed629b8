"""The canonical form of a policy: the same for what a server takes for the same, and only then."""

import json
import random
from itertools import islice
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.approval.policy import (
    CanonicalPolicyV1,
    canonical_bytes,
    canonical_policy,
    canonical_sha256,
    policy_in,
)
from kcompliance.model.approval.policy_difference import compare_policies
from kcompliance.model.audit_policy import AuditPolicy, Loaded, load_policy
from kcompliance.model.policy_coverage import cover
from tests.properties.policy_generator import policies, policy

SEEDS = st.integers(0, 2**32)


def loaded(document: Any) -> AuditPolicy:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    found = load_policy(data)
    assert isinstance(found, Loaded), found
    return found.policy


def canonical(document: Any) -> CanonicalPolicyV1:
    return canonical_policy(loaded(document))


def generated(seed: int) -> tuple[dict[str, Any], random.Random]:
    rng = random.Random(seed)
    return policy(rng), rng


def shuffled(value: Any, rng: random.Random, *, keep: bool = False) -> Any:
    """The same with keys and lists in another order, and items twice; the rules stay in order."""
    if isinstance(value, dict):
        items = [(key, shuffled(each, rng, keep=key == "rules")) for key, each in value.items()]
        rng.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        changed = [shuffled(each, rng) for each in value]
        if not keep and changed:
            changed.append(rng.choice(changed))
            rng.shuffle(changed)
        return changed
    return value


@given(seed=SEEDS)
def test_order_and_repetition_inside_of_rules_change_nothing(seed: int) -> None:
    document, rng = generated(seed)

    assert canonical(shuffled(document, rng)) == canonical(document)


@given(seed=SEEDS)
def test_comments_layout_and_notation_change_nothing(seed: int) -> None:
    document, rng = generated(seed)
    block = yaml.safe_dump(document, default_flow_style=rng.random() < 0.3)
    commented = "# who approved this?\n" + block.replace("\n", "  # and why\n")

    assert canonical_sha256(canonical(commented.encode())) == canonical_sha256(canonical(document))


@given(seed=SEEDS)
def test_what_the_whole_policy_leaves_out_each_rule_can_leave_out_as_well(seed: int) -> None:
    document, _ = generated(seed)
    stages, fields = document.pop("omitStages", []), document.pop("omitManagedFields", False)
    general = {**document, "omitStages": stages, "omitManagedFields": fields}
    rules = []
    for rule in document["rules"]:
        own = rule.get("omitManagedFields")
        both = [*stages, *rule.get("omitStages", [])]
        rules.append(
            {**rule, "omitStages": both, "omitManagedFields": fields if own is None else own}
        )

    assert canonical({**document, "rules": rules}) == canonical(general)


@given(seed=SEEDS)
def test_rules_that_differ_and_change_places_change_the_form(seed: int) -> None:
    document, rng = generated(seed)
    rules = list(document["rules"])
    if len(rules) < 2:
        return
    one, other = sorted(rng.sample(range(len(rules)), 2))
    rules[one], rules[other] = rules[other], rules[one]
    before = canonical(document)
    same = before.rules[one] == before.rules[other]

    after = canonical({**document, "rules": rules})

    assert (after == before) is same
    difference = compare_policies(loaded(document), loaded({**document, "rules": rules}))
    assert bool(difference.rules) is not same


@given(seed=SEEDS)
def test_the_form_is_a_policy_that_records_the_same_and_is_its_own_form(seed: int) -> None:
    document, _ = generated(seed)
    before = loaded(document)
    form = canonical_policy(before)

    again = policy_in(form)

    assert again is not None
    assert canonical_policy(again) == form
    told = [
        [(a.level, a.decision.stages, a.decision.rule) for a in cover(each, named_in=before).asked]
        for each in (before, again)
    ]
    assert told[0] == told[1]


@given(seed=SEEDS)
def test_two_policies_differ_if_and_only_if_their_rules_are_told_to(seed: int) -> None:
    (one, _), (other, _) = generated(seed), generated(seed + 1)

    difference = compare_policies(loaded(one), loaded(other))

    assert bool(difference.rules) is (canonical(one) != canonical(other))
    assert bool(difference.less or difference.more) <= bool(difference.rules)


@pytest.mark.parametrize("seed", range(3))
def test_real_text_is_rfc_8785(seed: int) -> None:
    for text, _ in islice(policies(seed), 20):
        data = canonical_bytes(canonical(text))

        compact = json.dumps(
            json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert data == compact.encode()
