"""A pass of the checks means what it says: no request of the kind is found that contradicts it."""

import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from kcompliance.checks.completeness.no_blind_spots_for_the_privileged import (
    Params,
    no_blind_spots_for_the_privileged,
)
from kcompliance.controls import load_controls
from kcompliance.model.assemble import assemble
from kcompliance.model.audit_policy import (
    AuditPolicy,
    Level,
    Loaded,
    evaluate,
    load_policy,
    matches,
)
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Status
from kcompliance.model.personas import HUMAN
from kcompliance.model.reading import Kind
from kcompliance.model.request import ObjectAttributes, Request
from kcompliance.scan import judge_control
from tests.captures import raw
from tests.properties.policy_generator import policy
from tests.properties.policy_words import as_request, requests_in_the_words_of

SEED = 6
POLICIES = 150
REQUESTS = 60
NAMESPACES = ("a", "b", "c")
NAMES = ("x", "y")
READ = ("secrets", "configmaps")


# --- what the rules single out ------------------------------------------------------------------


def test_reads_of_sensitive_objects_pass_only_where_each_is_recorded() -> None:
    verdicts = []
    for document in narrow_policies():
        (finding,) = judge_control(load_controls()["KC-CMP-002"], cluster_of(document), {})
        lost = [request for request in reads() if is_lost(loaded(document), request)]
        verdicts.append((finding.finding.status is Status.PASS, not lost))

    assert [pair for pair in verdicts if pair[0] != pair[1]] == []
    assert min(verdicts.count((True, True)), verdicts.count((False, False))) > POLICIES // 10


def narrow_policies() -> Iterator[dict[str, Any]]:
    """First rules about some namespaces, names and verbs, and then one for everything."""
    rng = random.Random(SEED)
    for _ in range(POLICIES):
        rules = [narrow_rule(rng) for _ in range(rng.randint(1, 4))]
        yield document_of([*rules, {"level": "Metadata"}])


def narrow_rule(rng: random.Random) -> dict[str, Any]:
    group: dict[str, Any] = {"group": "", "resources": some(rng, READ)}
    if rng.random() < 0.4:
        group["resourceNames"] = some(rng, NAMES)
    rule: dict[str, Any] = {"level": rng.choice(["None", "Metadata", "Metadata"])}
    if rng.random() < 0.6:
        rule["namespaces"] = some(rng, NAMESPACES)
    if rng.random() < 0.4:
        rule["verbs"] = some(rng, ("get", "create", "update"))
    return {**rule, "resources": [group]}


def reads() -> Iterator[Request]:
    for resource, namespace in product(READ, (*NAMESPACES, "other")):
        target = ObjectAttributes(resource=resource, namespace=namespace)
        for verb in ("list", "watch"):
            yield Request(user=HUMAN.user, verb=verb, target=target)
        for name in (*NAMES, "other"):
            named = ObjectAttributes(resource=resource, namespace=namespace, name=name)
            yield Request(user=HUMAN.user, verb="get", target=named)


def is_lost(rules: AuditPolicy, request: Request) -> bool:
    return evaluate(rules, request).level is Level.NONE


# --- what is allowed -----------------------------------------------------------------------------


def test_what_a_rule_within_allow_none_hides_is_allowed() -> None:
    passed = 0
    rng = random.Random(SEED)
    for _ in range(POLICIES):
        allowed = policy(rng, wildcard_group=False)["rules"]
        silent = [narrowed(rng, rng.choice(allowed)) for _ in range(3)]
        document = document_of([*silent, {"level": "Metadata"}])
        params = Params(allow_none=loaded(document_of(allowed)).rules)
        (finding,) = no_blind_spots_for_the_privileged.run(cluster_of(document), params)
        if finding.status is not Status.PASS:
            continue
        passed += 1
        rules = loaded(document)
        for each in requests_in_the_words_of(rules, rng, REQUESTS):
            request = as_request(each)
            if evaluate(rules, request).level is Level.NONE:
                assert any(matches(rule, request) for rule in params.allow_none), (document, each)

    assert passed > POLICIES // 4


def narrowed(rng: random.Random, rule: dict[str, Any]) -> dict[str, Any]:
    """A rule at level None for a part of what the other is for; sometimes for one user more."""
    found = {**rule, "level": "None"}
    for field in ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "resources"):
        if found.get(field):
            found[field] = some(rng, tuple(found[field]))
    if rng.random() < 0.2:
        found["users"] = [*found.get("users", []), "system:one-more"]
    found.pop("omitStages", None)
    return found


def some(rng: random.Random, of: tuple[Any, ...]) -> list[Any]:
    return rng.sample(of, rng.randint(1, len(of)))


# --- policies ------------------------------------------------------------------------------------


def document_of(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}


def loaded(document: dict[str, Any]) -> AuditPolicy:
    found = load_policy(json.dumps(document).encode())
    assert isinstance(found, Loaded)
    return found.policy


def cluster_of(document: dict[str, Any]) -> Cluster:
    return assemble("c", [raw(Kind.AUDIT_POLICY, "policy.yaml", json.dumps(document))])
