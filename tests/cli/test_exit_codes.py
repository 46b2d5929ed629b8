"""The exit codes of every command, and where their output goes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kcompliance.errors import ExitCode
from tests.captures import POLICY_FLAG, SOUND_POLICY, pod
from tests.cli.command import HOLED_POLICY, ROOT, cluster, environment, kcompliance

RECORDING = [word for n in range(5, 9) for word in ("--control", f"KC-AUD-00{n}")]
"""The controls that the clusters here are made for."""
NOBODY = "elasticsearch+http://127.0.0.1:9/audit-*"
"""A target that does not answer."""


def test_a_sound_cluster_ends_with_0(tmp_path: Path) -> None:
    done = kcompliance("scan", cluster(tmp_path / "node"), *RECORDING, cwd=tmp_path)

    assert done.code == 0
    assert "0 error, 0 fail" in done.out


def test_a_fail_ends_with_1(tmp_path: Path) -> None:
    done = kcompliance("scan", cluster(tmp_path / "node", policy=HOLED_POLICY), cwd=tmp_path)

    assert done.code == 1
    assert "fail[KC-AUD-008]" in done.out


def test_an_open_question_ends_with_3_and_is_allowed_on_request(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(SOUND_POLICY)

    asked = kcompliance("scan", "policy.yaml", *RECORDING, cwd=tmp_path)
    allowed = kcompliance("scan", "policy.yaml", *RECORDING, "--allow-manual", cwd=tmp_path)

    assert (asked.code, allowed.code) == (3, 0)
    assert "UNANSWERED" in asked.out
    assert "UNANSWERED" in allowed.out


def test_a_reading_that_failed_ends_with_3_whatever_is_allowed(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    (folder / "broken.yaml").write_text("kube-apiserver: [\n")

    options = ("--allow-manual", "--fail-on", "critical")
    done = kcompliance("scan", folder, *RECORDING, *options, cwd=tmp_path)

    assert done.code == 3
    assert "INCOMPLETE" in done.out


def test_a_fail_beats_what_could_not_be_read(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node", policy=HOLED_POLICY)
    (folder / "broken.yaml").write_text("kube-apiserver: [\n")

    assert kcompliance("scan", folder, cwd=tmp_path).code == 1


def test_one_unreadable_target_of_many_does_not_end_the_scan(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")

    done = kcompliance("scan", folder, NOBODY, *RECORDING, "--format", "json", cwd=tmp_path)

    assert done.code == 3
    of_nobody = [f for f in done.json["findings"] if f["target"] == NOBODY]
    assert "pass" not in {finding["status"] for finding in of_nobody}
    assert "pass" in {finding["status"] for finding in done.json["findings"]}


def test_nothing_known_anywhere_ends_with_4(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = kcompliance("scan", "empty", cwd=tmp_path)

    assert (done.code, done.out) == (4, "")
    assert "nothing that kcompliance knows is in empty" in done.err


def test_a_target_that_does_not_answer_is_no_scan(tmp_path: Path) -> None:
    done = kcompliance("scan", NOBODY, cwd=tmp_path)

    assert (done.code, done.out) == (4, "")
    assert "nothing to judge" in done.err


def test_a_framework_that_no_control_answers_is_no_clean_bill(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")

    asked = ("--control", "KC-RET-011", "--framework", "cis-aks")
    done = kcompliance("scan", folder, *asked, cwd=tmp_path)

    assert (done.code, done.out) == (4, "")
    assert "cis-aks" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan",),
        ("scan", "missing.yaml"),
        ("scan", "a" * 5000),
        ("scan", "@prod"),
        ("scan", "policy.yaml", "--no-such-option"),
        ("scan", "policy.yaml", "--control", "KC-AUD-999"),
        ("scan", "policy.yaml", "--framework", "iso-27001"),
        ("scan", "policy.yaml", "--framework", "cis-kubernetes:9.9"),
        ("scan", "policy.yaml", "--param", "min_level"),
        ("scan", "policy.yaml", "--param", "no_such=1"),
        ("scan", "policy.yaml", "--param", "min_level=Everything"),
        ("scan", "policy.yaml", "--as-of", "yesterday"),
        ("scan", "policy.yaml", "--config", "missing.yaml"),
        ("scan", "policy.yaml", "--platform", "gke"),
        ("controls", "show", "KC-AUD-999"),
        ("controls", "test", "KC-AUD-999"),
        ("policy", "lint", "missing.yaml"),
        ("policy", "explain", "--policy", "policy.yaml"),
        ("no-such-command",),
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_a_wrong_call_ends_with_2_and_prints_no_result(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "policy.yaml").write_text(SOUND_POLICY)

    done = kcompliance(*arguments, cwd=tmp_path)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err[len("error: ")].islower() or done.err[len("error: ")] in "\"-'"


def test_the_table_of_exit_codes_is_complete(tmp_path: Path) -> None:
    done = kcompliance("exit-codes", cwd=tmp_path)

    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == [str(int(c)) for c in ExitCode]


def test_the_demo_shows_every_kind_of_verdict_and_ends_with_0(tmp_path: Path) -> None:
    done = kcompliance("demo", cwd=tmp_path)

    assert done.code == 0
    for word in ("pass[", "fail[", "manual[", "error["):
        assert word in done.out
    assert "exit code 1" in done.out
    assert "exit code 0" in done.out
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_cases_come_out_as_promised(tmp_path: Path) -> None:
    done = kcompliance("controls", "test", cwd=tmp_path)

    assert done.code == 0
    assert done.out.splitlines()[-1].endswith(" as promised, 0 not")


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "kcompliance", "demo"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        code = process.wait(timeout=60)

    assert err == b""
    assert code == ExitCode.COULD_NOT_RUN


def test_a_file_is_scanned_from_standard_input(tmp_path: Path) -> None:
    done = kcompliance("scan", "-", "--control", "KC-AUD-005", stdin=pod(POLICY_FLAG), cwd=tmp_path)

    assert done.code == 3
    assert "that file is not in what was given" in done.out


def test_a_policy_is_linted_from_standard_input(tmp_path: Path) -> None:
    good = kcompliance("policy", "lint", "-", stdin=SOUND_POLICY, cwd=tmp_path)
    bad = kcompliance("policy", "lint", "-", stdin=SOUND_POLICY + "    verb: [get]\n", cwd=tmp_path)
    refused = kcompliance("policy", "lint", "-", stdin="kind: Policy\n", cwd=tmp_path)

    assert (good.code, bad.code, refused.code) == (0, 1, 1)
    assert "unknown field" in bad.out
    assert "kube-apiserver refuses" in refused.err


@pytest.mark.parametrize("name", ["PYTHONIOENCODING", "LC_ALL"])
def test_a_terminal_without_unicode_does_not_break_a_report(tmp_path: Path, name: str) -> None:
    value = {"PYTHONIOENCODING": "ascii", "LC_ALL": "POSIX"}[name]

    done = kcompliance("scan", ROOT / "demo/faulty", cwd=tmp_path, env={name: value})

    assert done.code == 1


def test_a_pipe_gets_no_escape_sequence(tmp_path: Path) -> None:
    assert "\x1b" not in kcompliance("demo", cwd=tmp_path).out


def test_no_color_wins_over_force_color(tmp_path: Path) -> None:
    colour = re.compile(r"\x1b\[(?:\d+;)*[39][0-7]m")

    plain = kcompliance("demo", cwd=tmp_path, env={"NO_COLOR": "1", "FORCE_COLOR": "1"})
    coloured = kcompliance("demo", cwd=tmp_path, env={"FORCE_COLOR": "1"})

    assert not colour.search(plain.out)
    assert colour.search(coloured.out)
