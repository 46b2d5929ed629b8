"""The options of `scan`: what each changes, from where it is taken, and what it leaves alone."""

import json
from pathlib import Path

import pytest

from tests.captures import LOG_FLAG, POLICY_FLAG, SOUND_POLICY
from tests.cli.command import HOLED_POLICY, cluster, kcompliance

RECORDING = [word for n in range(5, 9) for word in ("--control", f"KC-AUD-00{n}")]
"""The controls that the clusters here are made for."""


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    """Fails KC-AUD-008 (high), and nothing else."""
    return cluster(tmp_path / "node", policy=HOLED_POLICY)


@pytest.fixture
def unformatted(tmp_path: Path) -> Path:
    """Fails the aspect json-format of KC-AUD-006 (low), and nothing else."""
    flags = (POLICY_FLAG, LOG_FLAG, "--audit-log-format=legacy")
    return cluster(tmp_path / "node", flags=flags)


# --- thresholds --------------------------------------------------------------------------------


def test_fail_on_decides_which_fails_count(holed: Path, tmp_path: Path) -> None:
    codes = {
        level: kcompliance("scan", holed, *RECORDING, "--fail-on", level, cwd=tmp_path).code
        for level in ("low", "high", "critical")
    }

    assert codes == {"low": 1, "high": 1, "critical": 0}


def test_severity_hides_findings_but_not_from_the_exit_code(
    unformatted: Path, tmp_path: Path
) -> None:
    done = kcompliance("scan", unformatted, *RECORDING, "--severity", "high", cwd=tmp_path)

    assert done.code == 1
    assert "legacy" not in done.out
    assert "1 fail" in done.out
    assert "but counted" in done.out


def test_severity_hides_findings_but_not_from_the_counts(unformatted: Path, tmp_path: Path) -> None:
    options = (*RECORDING, "--severity", "high", "--format=json")
    done = kcompliance("scan", unformatted, *options, cwd=tmp_path)

    assert done.json["summary"]["findings"]["fail"] == 1
    assert [f for f in done.json["findings"] if f["status"] == "fail"] == []
    assert done.json["summary"]["hidden"] > 0


# --- selection ---------------------------------------------------------------------------------


def test_only_the_named_controls_are_checked(holed: Path, tmp_path: Path) -> None:
    arguments = ("--control", "kc-aud-005", "--control", "KC-AUD-007", "--format", "json")

    done = kcompliance("scan", holed, *arguments, cwd=tmp_path)

    assert [control["id"] for control in done.json["controls"]] == ["KC-AUD-005", "KC-AUD-007"]
    assert done.code == 0


def test_a_mistyped_control_gets_a_suggestion(holed: Path, tmp_path: Path) -> None:
    done = kcompliance("scan", holed, "--control", "KC-AUD-05", cwd=tmp_path)

    assert done.code == 2
    assert "did you mean KC-AUD-00" in done.err


def test_a_framework_of_one_version_shows_the_verdicts_of_its_items(
    holed: Path, tmp_path: Path
) -> None:
    arguments = ("--framework", "cis-kubernetes:1.12", "--format", "json")

    done = kcompliance("scan", holed, *arguments, cwd=tmp_path)

    (framework,) = done.json["frameworks"]
    verdicts = {item["id"]: item["status"] for item in framework["items"]}
    files = {f"1.2.{number}": "pass" for number in (16, 17, 18, 19)}
    of_nodes = {"1.1.1": "manual", "1.1.2": "manual"}
    assert verdicts == {**files, **of_nodes, "3.2.1": "pass", "3.2.2": "fail"}


def test_under_a_framework_only_what_it_asks_for_counts(unformatted: Path, tmp_path: Path) -> None:
    arguments = ("--framework", "cis-kubernetes:1.12", "--format", "json", "--allow-manual")

    done = kcompliance("scan", unformatted, *arguments, cwd=tmp_path)

    assert done.code == 0
    assert "json-format" not in {finding["aspect"] for finding in done.json["findings"]}


def test_a_control_of_which_a_framework_asks_one_aspect_has_the_verdict_of_that(
    unformatted: Path, tmp_path: Path
) -> None:
    arguments = ("--framework", "cis-kubernetes:1.12", "--format", "json")

    done = kcompliance("scan", unformatted, *arguments, cwd=tmp_path)

    statuses = {control["id"]: control["status"] for control in done.json["controls"]}
    assert statuses["KC-AUD-006"] == "pass"


def test_a_parameter_changes_the_verdict_and_is_shown(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")

    done = kcompliance("scan", folder, "--param", "min_level=Request", cwd=tmp_path)

    assert done.code == 1
    assert "recorded below Request" in done.out
    assert "KC-AUD-008.min_level = Request" in done.out


def test_a_parameter_of_one_control_is_named_with_it(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    arguments = ("--param", "KC-AUD-008.min_level=Request", "--format", "json")

    done = kcompliance("scan", folder, *arguments, cwd=tmp_path)

    assert done.json["parameters"] == {"KC-AUD-008": {"min_level": "Request"}}


# --- configuration and environment -------------------------------------------------------------


def test_the_command_line_beats_the_environment_beats_the_file(
    unformatted: Path, tmp_path: Path
) -> None:
    (tmp_path / "kcompliance.yaml").write_text("fail-on: critical\n")
    high = {"KCOMPLIANCE_FAIL_ON": "low"}

    asked: list[str | Path] = ["scan", unformatted, *RECORDING]
    from_file = kcompliance(*asked, cwd=tmp_path)
    from_environment = kcompliance(*asked, cwd=tmp_path, env=high)
    from_line = kcompliance(*asked, "--fail-on", "high", cwd=tmp_path, env=high)

    assert (from_file.code, from_environment.code, from_line.code) == (0, 1, 0)


def test_a_configuration_is_named_on_standard_error(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    (tmp_path / "kcompliance.yaml").write_text("allow-manual: true\n")
    (tmp_path / "other.yaml").write_text("fail-on: high\n")

    found = kcompliance("scan", folder, cwd=tmp_path)
    named = kcompliance("scan", folder, "--config", "other.yaml", cwd=tmp_path)
    by_environment = kcompliance(
        "scan", folder, cwd=tmp_path, env={"KCOMPLIANCE_CONFIG": "other.yaml"}
    )

    assert "using kcompliance.yaml" in found.err
    assert "using other.yaml" in named.err
    assert "using other.yaml" in by_environment.err


def test_the_file_sets_the_same_options_as_the_command_line(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    (tmp_path / "kcompliance.yaml").write_text(
        "control: [KC-AUD-008]\nformat: json\nparam: {min_level: Request}\nplatform: self-managed\n"
    )

    done = kcompliance("scan", folder, cwd=tmp_path)

    assert [control["id"] for control in done.json["controls"]] == ["KC-AUD-008"]
    assert done.json["parameters"] == {"KC-AUD-008": {"min_level": "Request"}}
    assert done.json["targets"][0]["platform_because"] == "--platform self-managed"


@pytest.mark.parametrize(
    "text",
    [
        "severe: low\n",
        "severity: grave\n",
        "control: KC-AUD-005\n",
        "fail-on: low\nfail-on: high\n",
        "targets: {prod: {kluster: kube}}\n",
        "- a list\n",
        "&anchor fail-on: low\n",
        "param: {no_such: 1}\n",
        "allow-manual: yes\n",
    ],
)
def test_a_configuration_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.yaml").write_text(SOUND_POLICY)
    (tmp_path / "kcompliance.yaml").write_text(text)

    done = kcompliance("scan", "policy.yaml", cwd=tmp_path)

    assert (done.code, done.out) == (2, "")


def test_a_named_target_joins_what_belongs_to_one_cluster(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    (tmp_path / "kcompliance.yaml").write_text(
        f"targets:\n  prod:\n    files: [{folder}/etc/kubernetes/manifests, {folder}/etc]\n"
    )

    done = kcompliance("scan", "@prod", "--format", "json", cwd=tmp_path)

    assert [target["name"] for target in done.json["targets"]] == ["@prod"]
    assert "KC-AUD-005" in {f["control"] for f in done.json["findings"] if f["status"] == "pass"}


def test_a_target_that_the_file_does_not_name_is_refused_with_those_it_does(tmp_path: Path) -> None:
    (tmp_path / "kcompliance.yaml").write_text("targets: {prod: {kube: kube}}\n")

    done = kcompliance("scan", "@test", cwd=tmp_path)

    assert done.code == 2
    assert "@prod" in done.err


def test_the_platform_that_the_user_names_wins_over_a_bundles(tmp_path: Path) -> None:
    kcompliance("scan", cluster(tmp_path / "node"), "--save-bundle", "saved", cwd=tmp_path)

    done = kcompliance("scan", "saved", "--platform", "eks", "--format", "json", cwd=tmp_path)

    assert done.json["targets"][0]["platform"] == "eks"


# --- output ------------------------------------------------------------------------------------


def test_an_output_file_holds_what_standard_output_would(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    moment = ("--as-of", "2026-01-01T00:00:00Z")

    shown = kcompliance("scan", folder, *moment, cwd=tmp_path)
    written = kcompliance("scan", folder, *moment, "--output", "scan.txt", cwd=tmp_path)

    assert written.out == ""
    assert (tmp_path / "scan.txt").read_text() == shown.out


def test_an_output_file_is_replaced_whole(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    (tmp_path / "scan.json").write_text("x" * 1_000_000)

    kcompliance("scan", folder, "--format", "json", "-o", "scan.json", cwd=tmp_path)

    assert json.loads((tmp_path / "scan.json").read_text())["schema"] == "kcompliance/scan/v1"


@pytest.mark.parametrize("output", ["missing/scan.txt", "folder"])
def test_nothing_is_left_where_an_output_cannot_be_written(tmp_path: Path, output: str) -> None:
    folder = cluster(tmp_path / "node")
    (tmp_path / "folder").mkdir()

    done = kcompliance("scan", folder, "--output", output, cwd=tmp_path)

    assert (done.code, done.out) == (4, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "node"]
    assert list((tmp_path / "folder").iterdir()) == []


def test_no_output_file_is_there_after_a_failed_scan(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = kcompliance("scan", "empty", "--output", "scan.txt", cwd=tmp_path)

    assert done.code == 4
    assert not (tmp_path / "scan.txt").exists()


def test_a_former_output_file_outlives_a_failed_scan(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "scan.txt").write_text("former\n")

    kcompliance("scan", "empty", "--output", "scan.txt", cwd=tmp_path)

    assert (tmp_path / "scan.txt").read_text() == "former\n"


def test_verbose_shows_the_evidence_of_passes_too(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")

    asked: list[str | Path] = ["scan", folder, *RECORDING]
    assert "= evidence:" not in kcompliance(*asked, cwd=tmp_path).out
    assert "= evidence:" in kcompliance(*asked, "--verbose", cwd=tmp_path).out


# --- bundles -----------------------------------------------------------------------------------


def test_a_saved_bundle_gives_the_same_bytes_again(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node", policy=HOLED_POLICY)
    (folder / "broken.yaml").write_text("kube-apiserver: [\n")
    arguments = ("--format", "json", "--param", "min_level=Request")

    first = kcompliance("scan", folder, *arguments, "--save-bundle", "saved", cwd=tmp_path)
    again = kcompliance("scan", "saved", "--format", "json", cwd=tmp_path)

    assert again.out == first.out
    assert again.code == first.code == 1


def test_a_bundle_keeps_its_moment_until_another_is_named(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    then = "2025-05-05T05:05:05Z"
    arguments = ("--as-of", then, "--save-bundle", "saved")
    kcompliance("scan", folder, *arguments, cwd=tmp_path)

    kept = kcompliance("scan", "saved", "--format", "json", cwd=tmp_path)
    now = kcompliance("scan", "saved", "--as-of", "now", "--format", "json", cwd=tmp_path)

    assert kept.json["as_of"] == then
    assert now.json["as_of"] > then


def test_a_bundle_is_never_saved_over_something(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    (tmp_path / "saved").mkdir()

    done = kcompliance("scan", folder, "--save-bundle", "saved", cwd=tmp_path)

    assert (done.code, done.out) == (4, "")
    assert list((tmp_path / "saved").iterdir()) == []


def test_items_of_a_framework_that_no_control_answers_are_named(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    chosen = ("--control", "KC-AUD-005", "--framework", "cis-kubernetes:1.12")

    done = kcompliance("scan", folder, *chosen, "--format", "json", cwd=tmp_path)
    table = kcompliance("scan", folder, *chosen, cwd=tmp_path)

    assert [item["id"] for item in done.json["frameworks"][0]["items"]] == ["3.2.1"]
    files = ["1.1.1", "1.1.2", "1.2.16", "1.2.17", "1.2.18", "1.2.19"]
    assert done.json["frameworks"][0]["unanswered"] == [*files, "3.2.2"]
    assert "no control" in table.out


def test_a_result_goes_through_a_pipe_that_is_named_as_output(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")

    done = kcompliance("scan", folder, "--output", "/dev/stdout", cwd=tmp_path)

    assert " controls, " in done.out
    assert not Path("/dev/stdout").is_file() or Path("/dev/stdout").is_symlink()
