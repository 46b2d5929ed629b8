"""Many saved clusters in one scan: `python -m benchmarks.scan_many [CLUSTERS]`.

Reports, and asserts nothing about time. Each cluster is one of the demo's bundles under another
name; every tenth is broken in a way of its own. What each gets must not depend on the others.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import run_measured

ROOT = Path(__file__).parent.parent
PRODUCT = [sys.executable, "-m", "kcompliance"]
FAULTS = (
    "whole",
    "no raw file",
    "half a raw file",
    "half a bundle.json",
    "another schema",
    "empty",
)


def main() -> None:
    """Make the bundles, scan them in one run, and tell what it took."""
    clusters = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for count in (clusters // 10, clusters):
            bundles = [_bundle(place / f"{count}-{number}", number) for number in range(count)]
            report = place / f"{count}.json"
            command = [*PRODUCT, "scan", *map(str, bundles), "--format", "json", "-o", str(report)]
            cost = run_measured(["sh", "-c", '"$@" || test $? -ne 4', "sh", *command], [])
            targets = {finding["target"] for finding in json.loads(report.read_text())["findings"]}
            print(
                f"{count:>4} clusters: {cost.seconds:6.1f} s  {cost.peak / 1e6:6.0f} MB  "
                f"{len(targets)} with findings"
            )
    subprocess.run([*PRODUCT, "--version"], check=True)


def _bundle(folder: Path, number: int) -> Path:
    """A copy of a demo bundle whose target has a name of its own; every tenth one is broken."""
    source = ROOT / "demo" / ("faulty" if number % 2 else "sound")
    (folder / "raw").mkdir(parents=True)
    for path in (source / "raw").iterdir():
        (folder / "raw" / path.name).write_bytes(path.read_bytes())
    index = json.loads((source / "bundle.json").read_text())
    index["targets"][0]["name"] = f"kube:cluster-{number}"
    (folder / "bundle.json").write_text(json.dumps(index))
    if number % 10 == 9:
        _break(folder, FAULTS[number // 10 % len(FAULTS)])
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
            pass


if __name__ == "__main__":
    main()
