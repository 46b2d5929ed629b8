"""A package whose data is broken says so and judges nothing: the loader is strict."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CONTROL = "recording/KC-AUD-005-policy-is-set-and-loads.yaml"
CASES = "recording/KC-AUD-005-policy-is-set-and-loads.cases.yaml"
READING = "    readings:\n      - kind: objects\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for folder in ("kcompliance", "controls"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def _run(package: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "kcompliance", "controls", *arguments],
        cwd=package,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(package), "COLUMNS": "300"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def _change(package: Path, name: str, old: str, new: str) -> None:
    file = package / "controls" / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("id: KC-AUD-005", "", "missing required field `id`"),
        ("asks: ", "askz: x\nasks: ", "unknown field `askz`"),
        ("parameters: {}", "parameters: []", "Expected `object`"),
        ("severity: critical", "severity: grave", "grave"),
        ("platforms: [self-managed]", "platforms: [gke]", "gke"),
        ("id: KC-AUD-005", "id: KC-AUD-015", "does not begin with the id"),
        ("id: KC-AUD-005", "id: KC-AUD-005\nid: KC-AUD-005", "stands there twice"),
        ("id: KC-AUD-005", "id: &id KC-AUD-005", "anchors and aliases"),
        ("framework: nist-800-53", "framework: nist-800-99", "no framework nist-800-99"),
        ('id: "3.2.1"', 'id: "3.2.9"', "no such item 3.2.9"),
        ("checked: read", "checked: guessed", "guessed"),
        (
            "aspects:\n  - id: main",
            "aspects:\n  - {id: main, title: x, severity: low}\n  - id: main",
            "there twice",
        ),
    ],
)
def test_a_control_that_is_wrong_stops_everything_and_is_named(
    package: Path, old: str, new: str, problem: str
) -> None:
    _change(package, CONTROL, old, new)

    code, out, err = _run(package, "list")

    assert (code, out) == (4, "")
    assert Path(CONTROL).name in err
    assert problem in err


def test_an_id_of_two_controls_is_refused(package: Path) -> None:
    folder = package / "controls/recording"
    shutil.copyfile(package / "controls" / CONTROL, folder / "KC-AUD-005-again.yaml")

    code, out, err = _run(package, "list")

    assert (code, out) == (4, "")
    assert "KC-AUD-005 is there twice" in err


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("control: KC-AUD-005", "control: KC-AUD-006", "is about KC-AUD-006"),
        ("given: ", "gives: ", "gives"),
        ("kind: objects", "kind: tea-leaves", "tea-leaves"),
        ("status: pass", "status: passed", "passed"),
        (READING, READING + "        unreadable: x\n", "one of text, unreadable and absent"),
    ],
)
def test_cases_that_are_wrong_are_refused_and_named(
    package: Path, old: str, new: str, problem: str
) -> None:
    _change(package, CASES, old, new)

    code, _, err = _run(package, "test", "KC-AUD-005")

    assert code == 4
    assert Path(CASES).name in err
    assert problem in err


def test_a_promise_that_is_not_kept_ends_with_1(package: Path) -> None:
    _change(package, CASES, "status: fail", "status: pass")

    code, out, _ = _run(package, "test", "KC-AUD-005")

    assert code == 1
    assert "FAILED" in out
    assert out.splitlines()[-1].endswith(", 1 not")
