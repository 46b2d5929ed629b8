"""Many saved clusters in one scan: `python -m benchmarks.scan_many [CLUSTERS]`.

Reports, and asserts nothing about time or memory. Each cluster is one of the demo's bundles under
another name; every tenth is broken in a way of its own. Of each broken one is told what became of
it; the others must have the findings that they have alone.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measuring import run_measured

ROOT = Path(__file__).parent.parent
PRODUCT = [sys.executable, "-m", "kcompliance"]
EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""SHA-256 of `{}`."""
FAULTS = (
    "no raw file",
    "half a raw file",
    "half a bundle.json",
    "another schema",
    "empty",
    "declarations nobody understands",
)


def main() -> None:
    """Make the bundles, scan them in one run, and tell what it took."""
    clusters = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        bundles = [_bundle(place / str(number), number) for number in range(clusters)]
        # NOTE: a process begins with the peak of the one that starts it: nothing is loaded before.
        for count in (clusters // 10, clusters):
            cost = run_measured(_command(bundles[:count], place / f"{count}.json"), [])
            print(f"{count:>4} clusters: {cost.seconds:6.1f} s  {cost.peak / 1e6:6.0f} MB")
        report = json.loads((place / f"{clusters}.json").read_text())
        alone = {number: _verdicts(_scan(place, bundles[number : number + 1])) for number in (0, 1)}
        _check(report, bundles, alone)
        _tell_faults(report, bundles)
    subprocess.run([*PRODUCT, "--version"], check=True)


def _command(bundles: list[Path], report: Path) -> list[str]:
    scan = [*PRODUCT, "scan", *map(str, bundles), "--format", "json", "-o", str(report)]
    moment = ["--as-of", "2026-01-20T00:00:00Z"]
    return ["sh", "-c", '"$@" || test $? -ne 4', "sh", *scan, *moment]


def _scan(place: Path, bundles: list[Path]) -> Any:
    run_measured(_command(bundles, place / "alone.json"), [])
    return json.loads((place / "alone.json").read_text())


def _verdicts(report: Any) -> list[tuple[str, ...]]:
    """Of the only cluster whose name is left out of them."""
    keys = ("control", "aspect", "resource", "status")
    findings = report["findings"]
    return [tuple(f[key].replace(f["target"], "") for key in keys) for f in findings]


def _check(report: Any, bundles: list[Path], alone: Mapping[int, list[tuple[str, ...]]]) -> None:
    """Every cluster has findings, and each whole one those that it has alone."""
    by_target: dict[str, list[Any]] = {}
    for finding in report["findings"]:
        by_target.setdefault(finding["target"], []).append(finding)
    for number, bundle in enumerate(bundles):
        if _fault(number) is None:
            found = by_target.pop(f"kube:cluster-{number}")
            assert _verdicts({"findings": found}) == alone[number % 2], bundle
    assert len(by_target) == sum(_fault(number) is not None for number in range(len(bundles)))
    assert all(f["status"] == "error" for found in by_target.values() for f in found)


def _tell_faults(report: Any, bundles: list[Path]) -> None:
    names = {str(bundle): number for number, bundle in enumerate(bundles)}
    names |= {f"kube:cluster-{number}": number for number in range(len(bundles))}
    because = {f["target"]: f["because"] for f in report["findings"] if f["status"] == "error"}
    told = {_fault(names[target]): text for target, text in because.items()}
    for fault in FAULTS:
        place = bundles[0].parent
        print(f"{fault}: {told.get(fault, '-').replace(str(place), '…')}")


def _fault(number: int) -> str | None:
    return FAULTS[number // 10 % len(FAULTS)] if number % 10 == 9 else None


def _bundle(folder: Path, number: int) -> Path:
    """A copy of a demo bundle whose target has a name of its own; every tenth one is broken."""
    source = ROOT / "demo" / ("faulty" if number % 2 else "sound")
    (folder / "raw").mkdir(parents=True)
    for path in (source / "raw").iterdir():
        (folder / "raw" / path.name).write_bytes(path.read_bytes())
    index = json.loads((source / "bundle.json").read_text())
    index["targets"][0]["name"] = f"kube:cluster-{number}"
    (folder / "bundle.json").write_text(json.dumps(index))
    fault = _fault(number)
    if fault is not None:
        _break(folder, fault)
    return folder


def _break(folder: Path, fault: str) -> None:
    index = folder / "bundle.json"
    raw = max((folder / "raw").iterdir(), key=lambda path: path.stat().st_size)
    match fault:
        case "no raw file":
            raw.unlink()
        case "half a raw file":
            raw.write_bytes(raw.read_bytes()[: raw.stat().st_size // 2])
        case "half a bundle.json":
            index.write_text(index.read_text()[:200])
        case "another schema":
            index.write_text(index.read_text().replace("bundle/v1", "bundle/v9"))
        case "empty":
            index.write_text("")
        case _:
            (folder / "raw" / EMPTY).write_text("{}")
            read = json.loads(index.read_text())
            readings = read["targets"][0]["readings"]
            readings.append(readings[0] | {"kind": "declarations", "sha256": EMPTY})
            index.write_text(json.dumps(read))


if __name__ == "__main__":
    main()
