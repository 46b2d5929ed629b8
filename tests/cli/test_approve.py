"""`kcompliance approve`, and scans that compare with what it wrote."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kcompliance.report.schemas import json_schema
from tests.captures import LOG_FLAG, POLICY_FLAG, SOUND_POLICY, pod
from tests.cli.command import Done, cluster
from tests.cli.in_process import run

ASKED = ("--control", "KC-PRO-002")
HOLE = """\
  - level: None
    userGroups: ["system:masters"]
    resources: [{resources: [pods/exec, pods/attach]}]
"""
REFUSED_POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n"
HOLED_POLICY = SOUND_POLICY.replace("rules:\n", f"rules:\n{HOLE}")


@pytest.fixture(autouse=True)
def _node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CI_COMMIT_SHA", "GITHUB_SHA"):
        monkeypatch.delenv(name, raising=False)
    cluster(Path("node"))


def change(policy: str) -> None:
    Path("node/etc/kubernetes/audit-policy.yaml").write_text(policy)


def verdicts(done: Done) -> dict[str, str]:
    return {finding["aspect"]: finding["status"] for finding in done.json["findings"]}


def locked() -> Any:
    return json.loads(Path("kcompliance.lock").read_text(encoding="utf-8"))


# --- from one end to the other -------------------------------------------------------------------


def test_what_was_approved_passes(tmp_path: Path) -> None:
    done = run("approve", "node", "--by", "jo", "--reason", "CHG-1", "--commit", "4f1c2d9")
    scan = run("scan", "node", *ASKED, "--format", "json")

    assert (done.code, done.err) == (0, "")
    assert "written to kcompliance.lock" in done.out
    assert scan.code == 0
    assert {aspect for aspect, status in verdicts(scan).items() if status != "pass"} == {"store"}
    assert scan.err == "comparing with kcompliance.lock\n"
    because = {finding["because"] for finding in scan.json["findings"]}
    assert any("by jo, commit 4f1c2d9, because: CHG-1" in each for each in because)


def test_an_edited_policy_fails_by_its_effect() -> None:
    run("approve", "node")
    change(HOLED_POLICY)

    scan = run("scan", "node", *ASKED)

    assert scan.code == 1
    assert "a cluster admin: exec and attach over SPDY, exec and attach over WebSocket" in scan.out
    assert "added rule 0 (line 5): None" in scan.out


def test_comments_pass_with_a_note() -> None:
    run("approve", "node")
    change("# reviewed\n" + SOUND_POLICY)

    scan = run("scan", "node", *ASKED, "--format", "json")

    assert scan.code == 0
    (policy,) = (f for f in scan.json["findings"] if f["aspect"] == "policy")
    assert "its bytes are others" in policy["notes"][0]


def test_without_a_lock_it_is_a_question_that_offers_the_command() -> None:
    scan = run("scan", "node", *ASKED)

    assert scan.code == 3
    assert "kcompliance approve TARGET" in " ".join(scan.out.split())


def test_a_bundle_is_judged_by_the_lock_that_it_was_saved_with() -> None:
    run("approve", "node")
    first = run("scan", "node", *ASKED, "--format", "json", "--save-bundle", "saved")
    change(HOLED_POLICY)
    run("approve", "node", "--out", "other.lock")
    Path("kcompliance.lock").write_text("not a lock")

    again = run("scan", "saved", *ASKED, "--format", "json")
    chosen = run("scan", "saved", *ASKED, "--format", "json", "--approved", "other.lock")

    assert again.out == first.out
    assert again.err == ""
    assert verdicts(chosen)["policy"] == "fail"


def test_a_bundle_can_be_approved_and_its_target_keeps_its_name() -> None:
    run("scan", "node", *ASKED, "--save-bundle", "saved")

    assert run("approve", "saved").code == 0
    assert run("scan", "node", *ASKED).code == 0


def test_a_named_target_of_the_configuration_is_approved_beside_it() -> None:
    Path("etc").mkdir()
    Path("etc/kcompliance.yaml").write_text(
        "targets: {prod: {files: [node]}}\napprove: {by: the board}\n"
    )

    done = run("approve", "@prod", "--config", "etc/kcompliance.yaml")
    scan = run("scan", "@prod", *ASKED, "--config", "etc/kcompliance.yaml")

    assert done.code == scan.code == 0
    assert "by the board" in done.out
    assert "comparing with etc/kcompliance.lock" in scan.err


# --- the lock ------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing() -> None:
    done = run("approve", "node", "--dry-run")

    assert done.code == 0
    assert "nothing was written" in done.out
    assert not Path("kcompliance.lock").exists()


def test_approving_again_shows_what_changes_and_keeps_other_targets() -> None:
    cluster(Path("second"))
    run("approve", "node", "--by", "jo")
    run("approve", "second", "--by", "al")
    change(HOLED_POLICY)

    done = run("approve", "node", "--by", "mo")

    assert "of what jo approved on" in done.out
    assert "less is recorded: a cluster admin: exec and attach over SPDY" in done.out
    assert {name: each["approved_by"] for name, each in locked()["targets"].items()} == {
        "node": "mo",
        "second": "al",
    }


def test_the_same_again_is_another_review() -> None:
    run("approve", "node")

    done = run("approve", "node", "--by", "the yearly review")

    assert done.out.rstrip().splitlines()[-3].endswith(": none")
    assert locked()["targets"]["node"]["approved_by"] == "the yearly review"


def test_the_commit_is_taken_from_the_pipeline() -> None:
    run("approve", "node", GITHUB_SHA="4f1c2d9")

    assert locked()["targets"]["node"]["commit"] == "4f1c2d9"


def test_the_lock_and_the_result_are_of_their_schemas() -> None:
    first = run("approve", "node", "--format", "json")
    change(HOLED_POLICY)
    again = run("approve", "node", "--format", "json", "--dry-run")

    for document in (first.json, again.json, locked()):
        jsonschema.Draft202012Validator(json_schema(document["schema"])).validate(document)
    assert [each.json["written"] for each in (first, again)] == [True, False]
    assert first.json["targets"][0]["before"] is None
    assert again.json["targets"][0]["changes"]["policies"]


# --- what is not approved ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        ({"policy.yaml": REFUSED_POLICY}, 1, "kube-apiserver refuses it"),
        ({"server.yaml": pod(LOG_FLAG), "policy.yaml": SOUND_POLICY}, 1, "without an audit policy"),
        ({"server.yaml": pod(POLICY_FLAG, LOG_FLAG)}, 3, "is not in what was given"),
        (
            {"server.yaml": pod(POLICY_FLAG, "--audit-log-maxage=x"), "audit-policy.yaml": ""},
            1,
            "does not start with its flags",
        ),
        (
            {
                "server.yaml": pod(POLICY_FLAG, "--audit-log-path=$(LOG)"),
                "audit-policy.yaml": SOUND_POLICY,
            },
            3,
            "--audit-log-path is $(LOG)",
        ),
        (
            {
                "server.yaml": pod(POLICY_FLAG),
                "a/etc/kubernetes/audit-policy.yaml": SOUND_POLICY,
                "b/etc/kubernetes/audit-policy.yaml": HOLED_POLICY,
            },
            3,
            "several different texts",
        ),
        ({"policy.yaml": SOUND_POLICY, "odd.yaml": "kube-apiserver: [\n"}, 3, "odd.yaml"),
        ({"notes.yaml": "nothing: known\n"}, 4, "no audit policy, no kube-apiserver"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_surely_seen_is_not_approved(
    files: dict[str, str], code: int, words: str
) -> None:
    for name, text in files.items():
        path = Path("given", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    done = run("approve", "node", "given", "--format", "json")

    jsonschema.Draft202012Validator(json_schema("kcompliance/error/v1")).validate(done.json)
    assert done.code == done.json["exit_code"] == (3 if code == 4 else code)  # node was seen
    assert words in done.json["error"]["message"]
    assert run("approve", "given").code == code
    assert not Path("kcompliance.lock").exists()


def test_settings_of_a_provider_that_were_not_given_are_not_approved() -> None:
    done = run("approve", "node", "--platform", "aks")

    assert done.code == 3
    assert "its diagnostic settings are not in what was given" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("missing",),
        ("@prod",),
        ("node", "--by", "two\nlines"),
        ("node", "--reason", "x" * 1001),
        ("node", "--out", "node"),
        ("node", "--out", "broken.lock"),
        ("node", "--config", "wrong.yaml"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_a_wrong_call_ends_with_2_and_writes_nothing(arguments: tuple[str, ...]) -> None:
    Path("broken.lock").write_text("{}")
    Path("wrong.yaml").write_text("approve: {severe: low}\n")

    done = run("approve", *arguments)

    assert (done.code, done.out) == (2, "")
    assert "hint:" in done.err or "--by" in done.err or "--reason" in done.err
    assert not Path("kcompliance.lock").exists()
    assert Path("broken.lock").read_text() == "{}"


def test_a_place_that_cannot_be_written_to_is_told() -> None:
    done = run("approve", "node", "--out", "no/such/folder.lock")

    assert done.code == 4
    assert 'cannot write "no/such/folder.lock"' in done.err


# --- scans with a lock that is none --------------------------------------------------------------


def test_a_chosen_lock_that_is_not_there_ends_with_2() -> None:
    for done in (
        run("scan", "node", *ASKED, "--approved", "missing.lock"),
        run("scan", "node", *ASKED, KCOMPLIANCE_APPROVED="missing.lock"),
    ):
        assert (done.code, done.out) == (2, "")
        assert '"missing.lock"' in done.err


def test_the_configuration_chooses_the_lock() -> None:
    run("approve", "node", "--out", "elsewhere.lock")
    Path("kcompliance.yaml").write_text("approved: elsewhere.lock\n")

    done = run("scan", "node", *ASKED)

    assert done.code == 0
    assert "comparing with elsewhere.lock" in done.err


def test_a_broken_lock_is_an_error_of_this_control_only() -> None:
    Path("kcompliance.lock").write_text("<<<<<<< HEAD\n")

    broken = run("scan", "node", *ASKED, "--format", "json")
    other = run("scan", "node", "--control", "KC-AUD-005")

    assert (broken.code, set(verdicts(broken).values())) == (3, {"error"})
    assert other.code == 0


def test_a_lock_alone_is_nothing_to_scan() -> None:
    run("approve", "node")
    Path("empty").mkdir()

    done = run("scan", "empty", *ASKED)

    assert (done.code, done.out) == (4, "")
