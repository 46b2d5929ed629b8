"""`scan --baseline`: what is new since a former scan."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_process import run

LOW = ["--control", "KC-RET-011", "--param", "mb_per_hour=1", "--param", "disk_mb=100000"]
ROTATING = "kube-apiserver --audit-log-path=/a.log --audit-log-maxsize=100 --audit-log-maxbackup=10"
PARAMETERS = ["--framework", "cis-kubernetes"]


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scans a server with this --audit-log-maxage, and perhaps another one beside it."""
    monkeypatch.chdir(tmp_path)

    def scanned(age: int, *more: str, backups: int = 10) -> Any:
        line = f"{ROTATING} --audit-log-maxage={age}".replace(
            "maxbackup=10", f"maxbackup={backups}"
        )
        (tmp_path / "ps.txt").write_text(line)
        version = '{"gitVersion": "v1.33.0"}'
        (tmp_path / "version.json").write_text(version)
        return run("scan", "ps.txt", "version.json", *LOW, *PARAMETERS, "--allow-manual", *more)

    return scanned


def test_a_known_fail_counts_unless_only_new_ones_do(scan: Any) -> None:
    before = scan(10, "--format", "json", "-o", "before.json")
    still = scan(10, "--baseline", "before.json")
    forgiven = scan(10, "--baseline", "before.json", "--new-only")

    assert (before.code, still.code, forgiven.code) == (1, 1, 0)
    assert "0 new, 1 known, 0 mended" in forgiven.out
    assert "[known]" in forgiven.out
    assert "do not count for the exit code" in forgiven.out


def test_a_new_fail_counts_and_is_told_apart(scan: Any) -> None:
    scan(10, "--format", "json", "-o", "before.json")

    done = scan(10, "--baseline", "before.json", "--new-only", "--format", "json", backups=1)

    report = json.loads(done.out)
    known = {f["aspect"]: f["known"] for f in report["findings"] if f["status"] == "fail"}
    assert done.code == 1
    assert known == {"max-age": True, "max-backup": False}
    assert {f["known"] for f in report["findings"] if f["status"] != "fail"} == {None}
    assert report["summary"]["known"] == 1
    assert (report["baseline"]["fails"], report["baseline"]["new_only"]) == (1, True)


def test_what_is_mended_is_told_with_what_it_is_now(scan: Any) -> None:
    scan(10, "--format", "json", "-o", "before.json")

    done = scan(30, "--baseline", "before.json", "--format", "json")

    (gone,) = json.loads(done.out)["baseline"]["no_longer"]
    assert (gone["control"], gone["aspect"], gone["now"]) == ("KC-RET-011", "max-age", "pass")
    assert done.code == 0


def test_what_can_no_longer_be_seen_is_not_called_mended(scan: Any) -> None:
    scan(10, "--format", "json", "-o", "before.json")
    report = json.loads(Path("before.json").read_text())
    for finding in report["findings"]:
        finding["resource"] += " of another name"
    Path("before.json").write_text(json.dumps(report))

    done = scan(10, "--baseline", "before.json")

    assert "1 new, 0 known, 0 mended" in done.out
    assert "of 1 that failed then nothing good is known now" in done.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no report of a scan"),
        ("[1]", "is no report of a scan"),
        ('{"schema": "kcompliance/verify/v1", "as_of": "", "findings": []}', "this version knows"),
        (None, "cannot read"),
    ],
    ids=["empty", "another shape", "another report", "not there"],
)
def test_what_is_no_report_is_refused_before_the_scan(
    scan: Any, text: str | None, said: str
) -> None:
    if text is not None:
        Path("before.json").write_text(text)

    done = scan(10, "--baseline", "before.json")

    assert done.code == 2
    assert said in done.err


def test_new_only_needs_a_baseline(scan: Any) -> None:
    done = scan(10, "--new-only")

    assert done.code == 2
    assert "needs a --baseline" in done.err
