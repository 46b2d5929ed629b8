"""Our policy engine and kube-apiserver's own give the same answers, by the hundred thousand.

The oracle is the server's loader and evaluator; what it says is right by definition. Policies and
requests are random but the same in every run.
"""

import ast
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from kcompliance.model.audit_policy import (
    AuditPolicy,
    Decision,
    Level,
    Loaded,
    NotRead,
    PolicyEvaluator,
    PolicyWarning,
    Refused,
    load_policy,
)
from kcompliance.model.kubernetes_version import KubernetesVersion
from tests.properties.bent_texts import bent
from tests.properties.policy_generator import broken_policies, policies, request_for
from tests.properties.policy_words import as_request, requests_in_the_words_of
from tests.servers import audit_oracle as oracle_module
from tests.servers.audit_oracle import AuditOracle

pytestmark = pytest.mark.integration

SEED = 20_240
REQUESTS_OF_EACH_POLICY = 60
REQUESTS_OF_EACH_SAMPLE = 2_000
LONG_RUN_FACTOR = 10
MOST_NOT_READ = 0.02
FIRST_DIFFERENCES = 5

V1_33 = KubernetesVersion(1, 33)
V1_36 = KubernetesVersion(1, 36)
SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "policies").glob("*.yaml"))
# Policies of other projects, kept beside the checkout where there are any.
FOREIGN = sorted(
    (Path(__file__).parents[3] / "shared" / "data" / "audit-policies" / "_derived").glob("*.yaml")
)


@pytest.fixture
def factor(request: pytest.FixtureRequest) -> int:
    """How many times the everyday number of examples."""
    return LONG_RUN_FACTOR if request.config.getoption("--long") else 1


# --- the same decision on each request -------------------------------------------------------


def test_random_requests_are_judged_as_by_1_36(audit_oracle: AuditOracle, factor: int) -> None:
    decided = compare_random(audit_oracle, V1_36, policies(SEED), 2_000 * factor)

    assert sum(decided.values()) >= 100_000
    assert min(decided[level] for level in Level) > 5_000  # or the comparison says little


def test_random_requests_are_judged_as_by_1_33(audit_oracle_133: AuditOracle, factor: int) -> None:
    random_policies = policies(SEED + 1, wildcard_group=False)

    decided = compare_random(audit_oracle_133, V1_33, random_policies, 500 * factor)

    assert sum(decided.values()) >= 30_000


@pytest.mark.parametrize("policy", [*SAMPLES, *FOREIGN], ids=lambda path: path.stem)
def test_policies_of_people_are_judged_as_by_1_36(policy: Path, audit_oracle: AuditOracle) -> None:
    compare_policy_of_people(policy, audit_oracle, V1_36)


@pytest.mark.parametrize("policy", SAMPLES, ids=lambda path: path.stem)
def test_policies_of_people_are_judged_as_by_1_33(
    policy: Path, audit_oracle_133: AuditOracle
) -> None:
    compare_policy_of_people(policy, audit_oracle_133, V1_33)


def test_the_requests_made_for_a_sample_reach_each_of_its_rules() -> None:
    """Otherwise the agreement on them would be worth little."""
    for sample in SAMPLES:
        loaded = load_policy(sample.read_bytes())
        assert isinstance(loaded, Loaded)
        evaluator = PolicyEvaluator(loaded.policy)
        reached = {
            evaluator.decide(as_request(each)).rule
            for each in requests_for(sample, loaded.policy, REQUESTS_OF_EACH_SAMPLE)
        }
        assert reached >= set(range(len(loaded.policy.rules))), sample.stem


# --- the same verdict on broken policies -----------------------------------------------------


def test_broken_policies_are_refused_as_by_1_36(audit_oracle: AuditOracle, factor: int) -> None:
    compare_broken(audit_oracle, V1_36, broken_policies(SEED), 3_000 * factor)


def test_broken_policies_are_refused_as_by_1_33(audit_oracle_133: AuditOracle, factor: int) -> None:
    compare_broken(audit_oracle_133, V1_33, broken_policies(SEED + 1), 1_000 * factor)


def test_policies_of_people_with_accidents_are_refused_as_by_1_36(
    audit_oracle: AuditOracle, factor: int
) -> None:
    compare_broken(audit_oracle, V1_36, bent_policies(SAMPLES, SEED), 3_000 * factor)
    if FOREIGN:
        compare_broken(audit_oracle, V1_36, bent_policies(FOREIGN, SEED), 1_000 * factor)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbfapiVersion: audit.k8s.io/v1\nrules: [{level: None}]\n",
        "apiVersion: audit.k8s.io/v1\nrules:\n- level: None\n".encode("utf-16"),
        b"apiVersion: audit.k8s.io/v1\r\nkind: Policy\r\nrules:\r\n- level: None\r\n",
        b"apiVersion: audit.k8s.io/v1\rkind: Policy\rrules:\r- level: None\r",
        b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n  users: [\xff]\n",
        b'{"apiVersion": "audit.k8s.io/v1", "rules": [{"level": "None"}]} ',
        b'{"apiVersion": "audit.k8s.io/v1", "rules": [{"level": "None"}]} {}',
        b'\n\t {"apiVersion": "audit.k8s.io/v1", "rules": [{"level": "None"}]}',
        b"apiVersion: audit.k8s.io/v1\nRules: [{level: None}]\nrules: [{level: Request}]\n",
        b"APIVERSION: audit.k8s.io/v1\nrules: [{level: None}]\n",
    ],
)
def test_corners_of_bytes_are_read_as_by_the_server(text: bytes, audit_oracle: AuditOracle) -> None:
    assert difference_in_loading(text, load_policy(text, V1_36), audit_oracle) is None


NUMBERS = [
    ".inf",
    "-.Inf",
    ".nan",
    "1e5",
    "100000.5",
    "1234567.8",
    "1e-4",
    "1e-5",
    "1e39",
    "-1e-46",
]
NUMBERS += [
    "0.1",
    "16777217.0",
    "-0.0",
    "3.4028236e38",
    "!!float 3",
    "0x1F",
    "1_0.5",
    "99999999999",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_keys_that_are_numbers_are_called_as_by_the_server(
    number: str, audit_oracle: AuditOracle
) -> None:
    text = f"apiVersion: audit.k8s.io/v1\nrules: [{{level: None}}]\n{number}: x\n".encode()

    assert difference_in_loading(text, load_policy(text, V1_36), audit_oracle) is None


# --- comparing -------------------------------------------------------------------------------


def compare_random(
    oracle: AuditOracle,
    version: KubernetesVersion,
    random_policies: Iterator[tuple[bytes, random.Random]],
    number: int,
) -> Counter[Level]:
    """How many requests were decided at each level; fails at the first differences."""
    decided: Counter[Level] = Counter()
    differences: list[object] = []
    for text, rng in islice(random_policies, number):
        requests = [request_for(rng) for _ in range(REQUESTS_OF_EACH_POLICY)]
        differences += differences_in_judging(text, requests, oracle, version, decided)
        assert len(differences) < FIRST_DIFFERENCES, differences
    assert differences == []
    return decided


def compare_policy_of_people(path: Path, oracle: AuditOracle, version: KubernetesVersion) -> None:
    text = path.read_bytes()
    loaded = load_policy(text, version)
    assert difference_in_loading(text, loaded, oracle) is None
    if isinstance(loaded, Loaded):
        requests = requests_for(path, loaded.policy, REQUESTS_OF_EACH_SAMPLE)
        assert differences_in_judging(text, requests, oracle, version, Counter()) == []


def compare_broken(
    oracle: AuditOracle, version: KubernetesVersion, texts: Iterator[bytes], number: int
) -> None:
    """No answer of ours where we are not sure is no difference; there may be few of those."""
    answers: Counter[type] = Counter()
    differences = []
    for text in islice(texts, number):
        ours = load_policy(text, version)
        answers[type(ours)] += 1
        difference = difference_in_loading(text, ours, oracle)
        if difference is not None:
            differences.append(difference)
    assert differences[:FIRST_DIFFERENCES] == []
    assert answers[NotRead] < MOST_NOT_READ * number
    assert min(answers[Loaded], answers[Refused]) > 0.1 * number  # or it is no test of both


def bent_policies(paths: Sequence[Path], seed: int) -> Iterator[bytes]:
    """Endless texts of these files with accidents."""
    originals = [path.read_text(encoding="utf-8") for path in paths]
    for number in count():
        rng = random.Random(f"bent/{seed}/{number}")
        yield bent(rng.choice(originals), rng).encode()


def requests_for(path: Path, policy: AuditPolicy, number: int) -> list[dict[str, Any]]:
    return list(requests_in_the_words_of(policy, random.Random(path.stem), number))


def differences_in_judging(
    text: bytes,
    requests: Sequence[dict[str, Any]],
    oracle: AuditOracle,
    version: KubernetesVersion,
    decided: Counter[Level],
) -> list[object]:
    """Where level, omitted stages or managed fields differ, with what is needed to see why."""
    theirs = oracle.load(text)
    ours = load_policy(text, version)
    if not isinstance(ours, Loaded) or not isinstance(theirs, oracle_module.Loaded):
        return [(text.decode(), ours, theirs)]
    if len(ours.policy.rules) != theirs.rules:
        return [(text.decode(), len(ours.policy.rules), theirs)]
    evaluator = PolicyEvaluator(ours.policy)
    decisions = [evaluator.decide(as_request(each)) for each in requests]
    decided.update(each.level for each in decisions)
    return [
        (text.decode(), request, decision, theirs)
        for request, decision, theirs in zip(
            requests, decisions, oracle.evaluate(requests), strict=True
        )
        if comparable(decision) != theirs_comparable(theirs)
    ]


def comparable(decision: Decision) -> tuple[str, frozenset[str], bool]:
    stages = frozenset(stage.value for stage in decision.omit_stages)
    return decision.level.value, stages, decision.omit_managed_fields


def theirs_comparable(decision: oracle_module.Decision) -> tuple[str, frozenset[str], bool]:
    return decision.level, frozenset(decision.omit_stages), decision.omit_managed_fields


def difference_in_loading(
    text: bytes, ours: Loaded | Refused | NotRead, oracle: AuditOracle
) -> object | None:
    """Accepted or refused, the number of rules, and which unknown fields are dropped."""
    theirs = oracle.load(text)
    match ours, theirs:
        case NotRead(), _:
            same = True
        case Loaded(), oracle_module.Loaded():
            same = len(ours.policy.rules) == theirs.rules
            same = same and dropped(ours.warnings) == dropped_by_server(theirs.warning)
        case _:
            same = isinstance(ours, Refused) and isinstance(theirs, oracle_module.Refused)
    return None if same else (text, ours, theirs)


def dropped(warnings: Sequence[PolicyWarning]) -> set[str]:
    return {each.path for each in warnings if each.message.startswith("unknown field")}


def dropped_by_server(warning: str) -> set[str]:
    """The paths in the server's warning, which are quoted as in Go and so nearly as in Python."""
    quoted = re.findall(r'unknown field ("(?:[^"\\]|\\.)*")', warning)
    return {str(ast.literal_eval(each)) for each in quoted}
