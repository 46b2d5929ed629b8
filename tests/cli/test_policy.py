"""`policy explain` and `policy lint`."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.command import ROOT, Done, kcompliance

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ["/healthz*"]
  - level: RequestResponse
    users: [jo]
    resources: [{group: "", resources: ["pods/exec"]}]
  - level: Metadata
    userGroups: ["system:authenticated"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def _explain(folder: Path, *arguments: str, stdin: str = "") -> Done:
    return kcompliance(
        "policy", "explain", "--policy", "policy.yaml", *arguments, cwd=folder, stdin=stdin
    )


def _requests(done: Done) -> Any:
    schema = json.loads((ROOT / "reports/schemas/policy-explain-v1.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(done.json)
    assert done.code == 0
    return done.json["requests"]


def _event(verb: str, uri: str, user: str | None = "jo", **more: Any) -> str:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": uri,
        "user": {"username": user, "groups": ["system:authenticated"]} if user else {},
        **more,
    }
    return json.dumps(event) + "\n"


def test_one_request_is_told_with_the_rule_and_line_that_decide(folder: Path) -> None:
    arguments = ("--user", "jo", "--verb", "create", "--resource", "pods/exec", "--format", "json")

    (told,) = _requests(_explain(folder, *arguments))

    assert told == {
        "level": "RequestResponse",
        "stages": ["ResponseStarted", "ResponseComplete"],
        "omit_stages": ["RequestReceived"],
        "omit_managed_fields": False,
        "rule": 1,
        "line": 7,
    }


def test_a_request_that_no_rule_matches_has_neither_rule_nor_line(folder: Path) -> None:
    (told,) = _requests(_explain(folder, "--verb", "get", "--path", "/x", "--format", "json"))

    assert (told["level"], told["rule"], told["line"]) == ("None", None, None)
    assert told["stages"] == []


def test_a_path_is_no_resource(folder: Path) -> None:
    done = _explain(folder, "--user", "jo", "--verb", "get", "--path", "/healthz")

    assert done.code == 0
    assert "rule 0, line 5" in done.out
    assert "nothing is written" in done.out


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_many_requests_are_told_in_their_order(folder: Path, source: str) -> None:
    events = (
        _event("get", "/healthz?verbose")
        + _event(
            "create",
            "/api/v1/namespaces/a/pods/b/exec?command=id",
            objectRef={
                "resource": "pods",
                "subresource": "exec",
                "name": "b",
                "namespace": "a",
                "apiVersion": "v1",
            },
        )
        + _event("list", "/api/v1/pods", objectRef={"resource": "pods", "apiVersion": "v1"})
    )
    (folder / "audit.log").write_text(events)
    name = "audit.log" if source == "file" else "-"

    told = _requests(_explain(folder, "--requests", name, "--format", "json", stdin=events))

    assert [request["rule"] for request in told] == [0, 1, 2]


def test_no_requests_at_all_are_told_as_none(folder: Path) -> None:
    assert _requests(_explain(folder, "--requests", "-", "--format", "json")) == []


def test_a_line_that_is_no_event_leaves_no_half_document(folder: Path) -> None:
    events = _event("get", "/healthz") + "{}\n"

    done = _explain(folder, "--requests", "-", "--format", "json", stdin=events)

    assert (done.code, done.json["schema"]) == (4, "kcompliance/error/v1")
    assert "line 2" in done.json["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--verb", "get"),
        ("--verb", "get", "--resource", "pods", "--path", "/x"),
        ("--resource", "pods"),
        ("--verb", "get", "--path", "/x", "--namespace", "a"),
        ("--verb", "get", "--resource", "pods", "--group", "dev"),
        ("--requests", "missing.log"),
        ("--requests", "-", "--user", "jo"),
        ("--verb", "get", "--path", "/x", "--kubernetes-version", "newest"),
    ],
    ids=" ".join,
)
def test_a_question_that_is_none_is_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    done = _explain(folder, *arguments)

    assert (done.code, done.out) == (2, "")


def test_policy_and_requests_cannot_both_be_standard_input(folder: Path) -> None:
    done = kcompliance("policy", "explain", "--policy", "-", "--requests", "-", cwd=folder)

    assert done.code == 2


def test_the_version_decides_whether_a_group_of_a_star_loads(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY + '    resources: [{group: "*"}]\n')
    arguments = ("--verb", "get", "--resource", "pods", "--kubernetes-version")

    new = _explain(folder, *arguments, "1.36")
    old = _explain(folder, *arguments, "v1.35.4")

    assert (new.code, old.code) == (0, 1)
    assert "is refused before Kubernetes 1.36" in old.err


def test_a_lint_names_the_line(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY + "  - level: Metadata\n    verbs: [exec]\n")

    done = kcompliance("policy", "lint", "policy.yaml", cwd=folder)

    assert done.code == 1
    assert "policy.yaml:12" in done.out
    assert 'no request has the verb "exec"' in done.out


def test_a_policy_without_a_rule_for_everything_is_wrong(folder: Path) -> None:
    done = kcompliance("policy", "lint", "policy.yaml", cwd=folder)

    assert done.code == 1
    assert "what no rule names is not recorded" in done.out


def test_remarks_alone_are_no_finding(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY + "  - level: Metadata\n")

    done = kcompliance("policy", "lint", "policy.yaml", "--format", "json", cwd=folder)

    assert done.code == 0
    assert all(remark["informational"] for remark in done.json["remarks"])
