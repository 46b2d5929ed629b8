"""`policy coverage`, `policy replay` and `policy test`."""

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import msgspec
import pytest

from kcompliance.report.json_coverage import COVERAGE_SCHEMA, PolicyCoverage
from kcompliance.report.json_policy_test import POLICY_TEST_SCHEMA, PolicyTestReport
from kcompliance.report.json_replay import REPLAY_SCHEMA, PolicyReplay
from tests.cli.command import ROOT, Done
from tests.cli.command import kcompliance as in_a_process
from tests.cli.in_process import run

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    verbs: [list]
  - level: Metadata
"""
EVERYTHING = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: RequestResponse}]
"""


def event(verb: str, minute: int, **more: Any) -> str:
    time = f"2026-01-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00.000000Z"
    return json.dumps(
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse",
            "auditID": f"id-{minute}",
            "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/a/pods",
            "verb": verb,
            "user": {"username": "jo\x1b[31m", "groups": ["system:authenticated"]},
            "objectRef": {"resource": "pods", "namespace": "a", "apiVersion": "v1"},
            "responseObject": {"kind": "PodList"},
            "stageTimestamp": time,
            **more,
        },
        separators=(",", ":"),
    )


LOG = "".join(f"{event(('get', 'list')[n % 2], 36 * n)}\n" for n in range(41))
"""41 events within a day."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "old.yaml").write_text(EVERYTHING)
    (tmp_path / "refused.yaml").write_text("kind: Policy\n")
    (tmp_path / "audit.log").write_text(LOG)
    return tmp_path


def replay(*arguments: str) -> tuple[Done, PolicyReplay]:
    done = run("policy", "replay", "--policy", "policy.yaml", *arguments, "--format", "json")
    document = msgspec.json.decode(done.out, type=PolicyReplay)
    assert (document.schema, document.exit_code) == (REPLAY_SCHEMA, done.code)
    return done, document


# --- replay --------------------------------------------------------------------------------------


def test_a_replay_tells_volume_losses_and_cost(folder: Path) -> None:
    done, told = replay("--against", "old.yaml", "--price-per-gb", "1000000", "audit.log")

    assert done.code == 0
    assert told.log.days == 1.0
    total = told.total
    assert total.against is not None
    assert (total.recorded.events, total.against.events, total.new.events) == (41, 41, 21)
    assert total.recorded.bytes == len(LOG)
    assert total.new.events_per_day == 21
    assert [(row.name, row.new.events) for row in told.by_verb] == [("get", 21), ("list", 0)]
    assert [(each.kind, each.events, each.line) for each in told.lost] == [
        ("request", 20, 5),
        ("response-body", 21, 7),
    ]
    assert told.cost is not None
    assert told.cost.recorded == round(len(LOG) * 30 / 1000, 2)
    assert told.cost.new == round(total.new.bytes * 30 / 1000, 2)
    assert told.unknown.bytes_at_most == total.new.bytes
    assert told.unknown.unrecorded_by == []


def test_a_replay_for_people_shows_what_would_be_lost(folder: Path) -> None:
    arguments = ("--policy", "policy.yaml", "audit.log", "--price-per-gb", "2.5")

    done = run("policy", "replay", *arguments)

    assert done.code == 0
    assert "20 events of requests that are not recorded at all" in done.out
    assert "audit.log:2" in done.out
    assert "(rule 0, line 5)" in done.out
    assert "cost of 30 days at 2.5 a GB" in done.out
    assert "\x1b" not in done.out


def test_gzip_standard_input_and_several_logs_are_one_log(folder: Path) -> None:
    half = LOG.index("\n", len(LOG) // 2) + 1
    (folder / "a.log.gz").write_bytes(gzip.compress(LOG[:half].encode()))
    arguments = ("policy", "replay", "--policy", "policy.yaml", "--format", "json", "a.log.gz", "-")
    rest = gzip.compress(LOG[half:].encode())

    done = in_a_process(*arguments, cwd=folder, stdin=rest)

    _, whole = replay("audit.log")
    split = msgspec.json.decode(done.out, type=PolicyReplay)
    assert split.total == whole.total
    assert split.by_user == whole.by_user
    assert [file.name for file in split.log.files] == ["a.log.gz", "-"]


def test_the_same_log_gives_the_same_document(folder: Path) -> None:
    assert replay("audit.log")[0].out == replay("audit.log")[0].out


def test_what_was_not_read_is_told_and_ends_with_3(folder: Path) -> None:
    (folder / "audit.log").write_text(LOG + "nonsense\n")
    packed = gzip.compress(LOG.encode())
    (folder / "cut.log.gz").write_bytes(packed[: len(packed) - 20])

    done, told = replay("audit.log", "cut.log.gz")

    assert done.code == 3
    assert (told.log.unread[0].file, told.log.unread[0].line) == ("audit.log", 42)
    assert [file.unread > 0 for file in told.log.files] == [True, True]
    assert "the gzip stream ends in the middle" in {each.reason for each in told.log.unread}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--policy", "policy.yaml"), 2),
        (("audit.log",), 2),
        (("--policy", "policy.yaml", "missing.log"), 2),
        (("--policy", "missing.yaml", "audit.log"), 2),
        (("--policy", "policy.yaml", "."), 2),
        (("--policy", "-", "-"), 2),
        (("--policy", "policy.yaml", "--price-per-gb", "-1", "audit.log"), 2),
        (("--policy", "policy.yaml", "--price-per-gb", "nan", "audit.log"), 2),
        (("--policy", "refused.yaml", "audit.log"), 1),
        (("--policy", "policy.yaml", "--against", "refused.yaml", "audit.log"), 1),
        (("--policy", "policy.yaml", "policy.yaml"), 4),
        (("--policy", "policy.yaml", "/dev/null"), 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_replay_that_cannot_be_is_refused(
    folder: Path, arguments: tuple[str, ...], code: int
) -> None:
    done = run("policy", "replay", *arguments)

    assert (done.code, done.out) == (code, "")
    assert done.err


# --- coverage ------------------------------------------------------------------------------------


def test_coverage_is_a_matrix(folder: Path) -> None:
    done = run("policy", "coverage", "policy.yaml", "--format", "json")

    told = msgspec.json.decode(done.out, type=PolicyCoverage)
    assert (done.code, told.schema) == (0, COVERAGE_SCHEMA)
    personas = [each.name for each in told.personas]
    assert all([cell.persona for cell in row.cells] == personas for row in told.rows)
    asked = [each for row in told.rows for cell in row.cells for each in cell.requests]
    assert told.summary.requests == len(asked)
    assert told.summary.unrecorded == sum(each.level == "None" for each in asked) > 0
    assert {each.line for each in asked if each.request.verb == "list"} == {5}


def test_coverage_for_people_has_a_legend(folder: Path) -> None:
    done = run("policy", "coverage", "policy.yaml")

    assert done.code == 0
    assert "exec, attach" in done.out
    assert "WebSocket" in done.out
    assert "- nothing, M Metadata" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_coverage_of_a_refused_policy_is_a_finding(folder: Path) -> None:
    assert run("policy", "coverage", "refused.yaml").code == 1
    assert run("policy", "coverage", "missing.yaml").code == 2


# --- test ----------------------------------------------------------------------------------------

TESTS = """\
policy: ../policy.yaml
tests:
  - name: reads by name are recorded
    request: {user: jo, verb: get, resource: secrets, name: a, namespace: b}
    expect: {level: Metadata, stages: [ResponseComplete], rule: 1}
  - name: lists of secrets are recorded
    request: {user: jo, verb: list, resource: secrets}
    expect: {at_least: Metadata}
"""


@pytest.fixture
def tests(folder: Path) -> Path:
    (folder / "ci").mkdir()
    (folder / "ci/tests.yaml").write_text(TESTS)
    return folder


def test_a_failing_test_names_the_rule_that_decides(tests: Path) -> None:
    done = run("policy", "test", "ci/tests.yaml")

    assert done.code == 1
    assert "ci/tests.yaml:6  lists of secrets are recorded" in done.out
    assert "level None, expected at least Metadata (ci/../policy.yaml:5, rule 0)" in done.out
    assert "2 tests: 1 pass, 1 fail" in done.out


def test_a_policy_that_does_what_is_expected_passes(tests: Path) -> None:
    (tests / "policy.yaml").write_text(POLICY.replace("level: None", "level: Request"))

    done = run("policy", "test", "ci/tests.yaml")

    assert (done.code, done.out) == (0, "2 tests: 2 pass, 0 fail\n")


def test_tests_are_told_as_json_and_junit(tests: Path) -> None:
    told = run("policy", "test", "ci/tests.yaml", "ci/tests.yaml", "--format", "json")
    written = run("policy", "test", "ci/tests.yaml", "--format", "junit", "-o", "junit.xml")

    document = msgspec.json.decode(told.out, type=PolicyTestReport)
    assert (document.schema, document.exit_code, told.code) == (POLICY_TEST_SCHEMA, 1, 1)
    assert (document.summary.tests, document.summary.failed) == (4, 2)
    (suite,) = Xml.parse(tests / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), written.code) == ("2", "1", 1)
    (failure,) = suite.iter("failure")
    assert "rule 0" in (failure.text or "")


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (TESTS.replace("expect:", "expects:"), 2, 'line 5: "expects" is none of'),
        (TESTS.replace("../policy.yaml", "gone.yaml"), 2, "no such file"),
        (TESTS.replace("../policy.yaml", "../refused.yaml"), 1, "kube-apiserver refuses"),
    ],
    ids=["unknown key", "no policy", "refused policy"],
)
def test_a_file_that_is_no_test_is_refused(tests: Path, text: str, code: int, told: str) -> None:
    (tests / "ci/tests.yaml").write_text(text)

    done = run("policy", "test", "ci/tests.yaml")

    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_the_example_of_the_documentation_passes(tmp_path: Path) -> None:
    done = run("policy", "test", ROOT / "docs/example-policy-tests.yaml")

    assert done.code == 0


@pytest.mark.parametrize("command", ["coverage", "replay", "test"])
def test_help_has_examples_and_exit_codes(command: str) -> None:
    done = run("policy", command, "--help")

    assert done.code == 0
    assert f"kcompliance policy {command}" in done.out.partition("Example")[2]
    assert "Exit codes: 0" in done.out
