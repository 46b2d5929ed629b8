"""With `--format json` standard output is one document of a published schema, on failure too."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.captures import SOUND_POLICY
from tests.cli.command import HOLED_POLICY, ROOT, cluster, kcompliance


def _check(document: Any, schema: str) -> None:
    file = ROOT / "reports/schemas" / f"{schema}.schema.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(published).validate(document)
    assert document["schema"] == f"kcompliance/{schema.replace('-v', '/v')}"


NO_CONTROL = ("--control", "KC-RET-011", "--framework", "cis-eks")


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("scan", "policy.yaml", "--no-such-option"), 2, "usage"),
        (("scan", "missing.yaml"), 2, "usage"),
        (("scan", "policy.yaml", "--severity", "grave"), 2, "usage"),
        (("scan", "policy.yaml", "--config", "wrong.yaml"), 2, "config"),
        (("scan", "notes.txt"), 4, "nothing-to-scan"),
        (("scan", "elasticsearch+http://127.0.0.1:9/audit"), 4, "nothing-to-scan"),
        (("scan", "policy.yaml", *NO_CONTROL), 4, "nothing-to-scan"),
        (("scan", "damaged"), 4, "bundle"),
        (("scan", "policy.yaml", "--output", "missing/scan.json"), 4, "output"),
        (("scan", "policy.yaml", "--save-bundle", "damaged"), 4, "output"),
        (("controls", "show", "KC-AUD-999"), 2, "usage"),
        (("policy", "lint", "missing.yaml"), 2, "usage"),
        (("policy", "lint", "damaged"), 4, "nothing-to-scan"),
        (
            ("policy", "explain", "--policy", "refused.yaml", "--verb", "get", "--path", "/x"),
            1,
            "policy-refused",
        ),
        (
            ("policy", "explain", "--policy", "policy.yaml", "--requests", "notes.txt"),
            4,
            "nothing-to-scan",
        ),
        (("policy", "explain", "--policy", "policy.yaml", "--verb", "get"), 2, "usage"),
    ],
    ids=lambda value: " ".join(value)[:70] if isinstance(value, tuple) else None,
)
def test_a_failure_is_one_error_document(
    tmp_path: Path, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    (tmp_path / "policy.yaml").write_text(SOUND_POLICY)
    (tmp_path / "refused.yaml").write_text("kind: Policy\n")
    (tmp_path / "wrong.yaml").write_text("severe: low\n")
    (tmp_path / "notes.txt").write_text("nothing of interest\n")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/bundle.json").write_text("{")

    done = kcompliance(*arguments, "--format", "json", cwd=tmp_path)

    _check(done.json, "error-v1")
    assert (done.code, done.json["exit_code"]) == (code, code)
    assert done.json["error"]["code"] == kind
    assert done.json["error"]["message"] in done.err


def test_a_failure_with_a_name_that_is_no_text_is_one_error_document(tmp_path: Path) -> None:
    done = kcompliance(
        "scan", b"\xff.yaml".decode("utf-8", "surrogateescape"), "--format=json", cwd=tmp_path
    )

    _check(done.json, "error-v1")
    assert done.code == 2


def test_the_environment_asks_for_json_too(tmp_path: Path) -> None:
    done = kcompliance("scan", "missing.yaml", cwd=tmp_path, env={"KCOMPLIANCE_FORMAT": "json"})

    _check(done.json, "error-v1")
    assert done.code == 2


def test_the_configuration_asks_for_json_too(tmp_path: Path) -> None:
    (tmp_path / "kcompliance.yaml").write_text("format: json\n")
    done = kcompliance("scan", "missing.yaml", cwd=tmp_path)

    _check(done.json, "error-v1")
    assert done.code == 2


@pytest.mark.parametrize("policy", [SOUND_POLICY, HOLED_POLICY], ids=["sound", "holed"])
def test_a_scan_is_one_document(tmp_path: Path, policy: str) -> None:
    folder = cluster(tmp_path / "node", policy=policy)
    asked = ("scan", folder, "--control", "KC-AUD-005", "--control", "KC-AUD-008")

    done = kcompliance(*asked, "--format", "json", cwd=tmp_path)

    _check(done.json, "scan-v1")
    assert done.json["exit_code"] == done.code
    assert done.json["summary"]["complete"] is True
    assert done.err == ""


def test_a_scan_of_every_kind_of_verdict_is_one_document(tmp_path: Path) -> None:
    arguments = ("--format", "json", "--framework", "cis-kubernetes:1.12")

    done = kcompliance("scan", ROOT / "demo/faulty", *arguments, cwd=tmp_path)

    _check(done.json, "scan-v1")
    assert done.code == 1
    assert {finding["status"] for finding in done.json["findings"]} >= {"pass", "fail", "manual"}


def test_a_name_that_is_no_text_does_not_break_the_document(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")
    odd = folder / b"\xff.yaml".decode("utf-8", "surrogateescape")
    odd.write_text(SOUND_POLICY)

    done = kcompliance("scan", folder, "--format", "json", "--save-bundle", "saved", cwd=tmp_path)

    _check(done.json, "scan-v1")
    assert kcompliance("scan", "saved", "--format", "json", cwd=tmp_path).out == done.out


def test_a_saved_bundle_is_of_its_schema(tmp_path: Path) -> None:
    kcompliance("scan", cluster(tmp_path / "node"), "--save-bundle", "saved", cwd=tmp_path)

    _check(json.loads((tmp_path / "saved/bundle.json").read_text()), "bundle-v1")


@pytest.mark.parametrize("arguments", [("list",), ("show", "kc-aud-005")])
def test_the_controls_are_one_document(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = kcompliance("controls", *arguments, "--format", "json", cwd=tmp_path)

    _check(done.json, "controls-v1")
    assert "KC-AUD-005" in {control["id"] for control in done.json["controls"]}


@pytest.mark.parametrize("policy", [SOUND_POLICY, "kind: Policy\n", HOLED_POLICY + "nix: 1\n"])
def test_a_lint_is_one_document_even_of_a_refused_policy(tmp_path: Path, policy: str) -> None:
    done = kcompliance("policy", "lint", "-", "--format", "json", stdin=policy, cwd=tmp_path)

    _check(done.json, "policy-lint-v1")
    assert done.json["exit_code"] == done.code
    assert bool(done.json["refused"]) == (policy == "kind: Policy\n")


def test_progress_is_told_as_lines_of_json_on_standard_error(tmp_path: Path) -> None:
    folder = cluster(tmp_path / "node")

    done = kcompliance("scan", folder, "--format", "json", "--progress", "json", cwd=tmp_path)

    _check(done.json, "scan-v1")
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert [str(folder / "etc/kubernetes/audit-policy.yaml")] == [
        line["progress"] for line in lines if "audit-policy" in line["progress"]
    ]
