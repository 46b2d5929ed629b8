"""`kcompliance preflight` without a cluster: files, usage, the document and the table."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from kcompliance.collect.cloud_reads import ReadPermission, Source
from kcompliance.collect.needs import CONTROL_NEEDS, PERMISSIONS
from kcompliance.collect.preflight import Asked, May, NeededFile, Preflight
from kcompliance.controls import load_controls
from kcompliance.errors import ExitCode
from kcompliance.model.reading import Kind
from kcompliance.report.json_preflight import PREFLIGHT_SCHEMA, render_preflight
from kcompliance.report.schemas import json_schema
from kcompliance.report.table_preflight import in_short, table_of_preflight
from tests.cli.in_process import run

NODES = PERMISSIONS[Kind.NODES][0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "node").mkdir()
    return tmp_path


def check(document: Any) -> None:
    jsonschema.Draft202012Validator(json_schema(PREFLIGHT_SCHEMA)).validate(document)


def test_of_files_it_is_told_what_each_control_needs(here: Path) -> None:
    done = run("preflight", "node", "--format", "json")

    check(done.json)
    (target,) = done.json["targets"]
    assert done.code == 0
    assert target["permissions"] == []
    told = {control for each in target["files"] for control in each["controls"]}
    assert told == set(CONTROL_NEEDS)
    assert told | set(target["not_covered"]) == set(load_controls())


def test_the_table_names_the_files_of_one_control(here: Path) -> None:
    done = run("preflight", "node", "--control", "KC-PRO-012")

    assert done.code == 0
    assert "what kubectl get clusterroles,clusterrolebindings" in done.out
    assert "audit policy" not in done.out


def test_a_named_target_is_all_that_belongs_to_it(here: Path) -> None:
    (here / "kcompliance.yaml").write_text("targets: {prod: {files: [node, other]}}\n")

    done = run("preflight", "@prod", "--format", "json")

    assert [each["target"] for each in done.json["targets"]] == ["@prod node"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("missing.yaml",), 2, "usage"),
        (("@nobody",), 2, "usage"),
        (("node", "--control", "KC-AUD-999"), 2, "usage"),
        (("node", "--no-such-option"), 2, "usage"),
        ((), 2, "usage"),
        (("aks:/subscriptions/s/prod",), 2, "usage"),
        (("eks:prod",), 2, "usage"),
        (("elasticsearch+https://host",), 2, "usage"),
        (("kube:nowhere",), 4, "nothing-to-scan"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_failure_is_one_error_document(
    arguments: tuple[str, ...], code: int, kind: str, here: Path
) -> None:
    done = run("preflight", *arguments, "--format", "json", KUBECONFIG=str(here / "none"))

    assert (done.code, done.json["exit_code"]) == (code, code)
    assert done.json["error"]["code"] == kind


def test_the_document_tells_every_answer() -> None:
    asked = tuple(
        Asked(permission=NODES, controls=("KC-MON-001",), may=may, reason="because") for may in May
    )
    files = (NeededFile(what="a file", controls=("KC-PRO-001",)),)
    found = Preflight(target="kube:prod", server="https://a", asked=asked, files=files)
    down = Preflight(target="kube:b", problem="did not answer", hint="is it up?")

    report = run_json(found, down)

    check(report)
    assert report["summary"] == {"asked": 4, "granted": 1, "missing": 2, "unreachable": 1}
    first = report["targets"][0]["permissions"]
    assert [each["allowed"] for each in first] == ["yes", "no", "unknown", "not-needed"]
    assert first[0]["permission"] == "list on nodes"


def _missing(source: Source, action: str, place: str | None, may: May) -> Asked:
    permission = ReadPermission(source=source, action=action, place=place)
    return Asked(permission=permission, controls=("KC-RET-009",), may=may, reason="because")


def test_rights_of_clouds_stores_and_archives_have_their_place_if_it_is_known() -> None:
    asked = (
        _missing(Source.AZURE, "a/read", "/subscriptions/s", May.YES),
        _missing(Source.AWS, "kms:DescribeKey", None, May.UNKNOWN),
        _missing(Source.ELASTICSEARCH, "read", "https://es:9200/x", May.NO),
        _missing(Source.ARCHIVE, "s3:GetObject", "s3://audit", May.NO),
    )

    report = run_json(Preflight(target="@prod", asked=asked))

    check(report)
    rows = report["targets"][0]["permissions"]
    assert [each["kind"] for each in rows] == ["azure", "aws", "elasticsearch", "archive"]
    assert rows[1]["permission"] == "kms:DescribeKey"
    assert rows[1]["place"] is None
    assert rows[2]["permission"] == "read on https://es:9200/x"
    assert all("verb" not in each for each in rows)


def test_the_table_tells_what_to_grant_and_what_was_asked_nowhere() -> None:
    asked = (
        _missing(Source.AWS, "kms:DescribeKey", None, May.UNKNOWN),
        _missing(Source.ARCHIVE, "s3:GetObject", "s3://audit", May.NO),
    )
    one = Preflight(target="a", asked=asked, not_covered=("KC-AUD-001", "KC-AUD-002"))
    other = Preflight(target="b", not_covered=("KC-AUD-002",))
    shown = StringIO()

    Console(width=120, file=shown).print(table_of_preflight([one, other]))

    lines = shown.getvalue().splitlines()
    assert lines[-2:] == [
        "what to grant: docs/permissions.md and deploy/aws/",
        "these need another target: KC-AUD-002",
    ]
    assert "kms:DescribeKey: because" in "".join(lines)


def run_json(*found: Preflight) -> Any:
    return json.loads(render_preflight(found, ExitCode.INCOMPLETE))


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ((), ""),
        (("KC-AUD-005",), "KC-AUD-005"),
        (("KC-AUD-005", "KC-AUD-006"), "KC-AUD-005, KC-AUD-006"),
        (("KC-AUD-005", "KC-AUD-006", "KC-AUD-007", "KC-CMP-008"), "KC-AUD-005 to 007, KC-CMP-008"),
    ],
)
def test_neighbours_are_told_in_short(ids: tuple[str, ...], words: str) -> None:
    assert in_short(ids) == words
