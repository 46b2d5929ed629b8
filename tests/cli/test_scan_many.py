"""Many clusters in one scan: none hides another, and none stays in memory."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_process import run

DEMO = Path(__file__).parent.parent.parent / "demo"
ASKED = ("--control", "KC-AUD-005", "--control", "KC-AUD-008", "--control", "KC-RET-011")


def saved(place: Path, source: str = "faulty") -> Path:
    """A bundle whose target is called as its folder."""
    shutil.copytree(DEMO / source, place)
    _change(place, lambda index: index["targets"][0].update(name=f"kube:{place.name}"))
    return place


def _change(bundle: Path, how: Callable[[Any], Any]) -> None:
    index = json.loads((bundle / "bundle.json").read_text())
    how(index)
    (bundle / "bundle.json").write_text(json.dumps(index))


def _largest(bundle: Path) -> Path:
    return max((bundle / "raw").iterdir(), key=lambda path: path.stat().st_size)


def _declares_what_cannot_be(bundle: Path) -> None:
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    (bundle / "raw" / digest).write_bytes(b"{}")
    _change(
        bundle,
        lambda index: index["targets"][0]["readings"].append(
            index["targets"][0]["readings"][0]
            | {"kind": "declarations", "sha256": digest, "resource": "kcompliance.yaml"}
        ),
    )


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no-raw": (lambda bundle: _largest(bundle).unlink(), "No such file"),
    "half-raw": (lambda bundle: os.truncate(_largest(bundle), 99), "was changed"),
    "half-index": (lambda bundle: os.truncate(bundle / "bundle.json", 99), "is damaged"),
    "no-index": (lambda bundle: os.truncate(bundle / "bundle.json", 0), "is damaged"),
    "schema": (lambda bundle: _change(bundle, lambda i: i.update(schema="x/v9")), "the schema"),
    "kind": (
        lambda bundle: _change(bundle, lambda i: i["targets"][0]["readings"][0].update(kind="x")),
        "unknown kind",
    ),
    "declarations": (_declares_what_cannot_be, "cannot be understood"),
}


def _findings(*arguments: str | Path) -> dict[str, list[dict[str, Any]]]:
    """By target."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in run("scan", *arguments, *ASKED, "--format", "json").json["findings"]:
        found.setdefault(each["target"], []).append(each)
    return found


def test_clusters_that_fail_in_every_way_hide_none_and_change_none(tmp_path: Path) -> None:
    broken = {name: saved(tmp_path / name) for name in FAULTS}
    for name, bundle in broken.items():
        FAULTS[name][0](bundle)
    first, last = saved(tmp_path / "first"), saved(tmp_path / "last", "sound")
    moment = ("--as-of", "2026-01-20T00:00:00Z")

    together = _findings(first, *broken.values(), last, *moment)

    assert together["kube:first"] == _findings(first, *moment)["kube:first"]
    assert together["kube:last"] == _findings(last, *moment)["kube:last"]
    for name, bundle in broken.items():
        of_it = together[f"kube:{name}" if name == "declarations" else str(bundle)]
        assert {each["status"] for each in of_it} == {"error"}, name
        assert all(FAULTS[name][1] in each["because"] for each in of_it), name


def test_a_bundle_that_breaks_later_leaves_the_moment_of_the_others_alone(tmp_path: Path) -> None:
    good, bad = saved(tmp_path / "good"), saved(tmp_path / "bad")
    _largest(bad).unlink()

    report = run("scan", good, bad, *ASKED, "--format", "json").json

    assert report["as_of"] == "2026-01-15T09:00:00Z"


def test_one_broken_cluster_of_a_bundle_is_named_and_the_others_are_judged(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "one"), saved(tmp_path / "two", "sound")
    whole, beside = tmp_path / "whole", saved(tmp_path / "beside")
    run("scan", one, two, *ASKED, "--save-bundle", whole)
    _largest(whole).unlink()

    found = _findings(whole, beside)

    assert set(found) == {"kube:one", "kube:two", "kube:beside"}
    statuses = {name: {each["status"] for each in items} for name, items in found.items()}
    assert sorted("pass" in told for told in statuses.values()) == [False, True, True]


def test_a_scan_that_fails_in_the_middle_saves_and_prints_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    run("scan", saved(tmp_path / "one"), saved(tmp_path / "two"), *ASKED, "--save-bundle", whole)
    _largest(whole).unlink()

    done = run("scan", whole, *ASKED, "--format", "json", "--save-bundle", tmp_path / "again")

    assert (done.code, done.json["error"]["code"]) == (4, "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two", "whole"]


@pytest.mark.parametrize("format_", ["json", "table"])
def test_memory_does_not_grow_with_the_clusters(tmp_path: Path, format_: str) -> None:
    bundles = [saved(tmp_path / f"c{number}") for number in range(40)]

    few, many = (
        _peak("scan", *bundles[:n], "--format", format_, "--save-bundle", tmp_path / f"s{n}")
        for n in (8, len(bundles))
    )

    assert many < few * 1.15  # held, each would add 1.7 MB


def _peak(*arguments: str | Path) -> int:
    """Resident memory of the command at its largest, in KiB.

    A small process starts it: each begins with the peak of its parent, and pytest is large.
    """
    command = [sys.executable, "-c", _MEASURING, sys.executable, "-m", "kcompliance"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, check=True)
    return int(done.stdout)


_MEASURING = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code not in (0, 1, 3))
"""
