"""`verify` beside what bounds it: the same segments through `zstd -d | sha256sum`.

    python -m benchmarks.verify [--events 1000000] [--rounds 3]

Reports, and asserts nothing. Needs the programs zstd and sha256sum. Both read the segments from the
page cache; what verify does besides (ledger, object hashes, frames, and at level 4 every line) is
its own cost.
"""

import argparse
import os
import shutil
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.measuring import Cost, median_of, run_measured
from tests.servers.audit_corpus import many_events

START = datetime(2026, 7, 1)
LINES_A_FILE = 100_000
PRODUCT = [sys.executable, "-m", "kcompliance"]
BOTH = 'zstd -d -c -- "$@" | sha256sum'


def main() -> None:
    """Archive, then measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if missing := [name for name in ("zstd", "sha256sum") if shutil.which(name) is None]:
        sys.exit(f"not found: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        size = _archive(place, asked.events)
        costs = _measure(place, asked.rounds)
    _print(costs, asked.events, size)


def _archive(place: Path, events: int) -> int:
    """An archive of so many events out of log files; the bytes of its lines."""
    logs = place / "logs"
    logs.mkdir()
    size = 0
    lines = many_events(events, start=START, spread=timedelta(days=1))
    for number in range(-(-events // LINES_A_FILE)):
        path = logs / f"audit-{number}.log"
        with path.open("wb") as file:
            for _, line in zip(range(LINES_A_FILE), lines, strict=False):
                file.write(line + b"\n")
        size += path.stat().st_size
    key = place / "key.pem"
    run_measured([*PRODUCT, "keys", "new", "--out", str(key), "--no-passphrase"], [])
    options = ["--stream", "bench/audit", "--key", str(key)]
    options += ["--write-trust", str(place / "trust.toml")]
    command = [*PRODUCT, "archive", "run", str(place / "archive"), "--files", str(logs), *options]
    run_measured(command, [])
    shutil.rmtree(logs)
    return size


def _measure(place: Path, rounds: int) -> dict[str, Cost]:
    segments = sorted(str(path) for path in (place / "archive" / "seg").rglob("*.zst"))
    trust = ["--trust", str(place / "trust.toml")]
    verify = [*PRODUCT, "verify", str(place / "archive"), *trust, "--level"]
    commands = {
        "zstd -d | sha256sum": ["sh", "-c", BOTH, "sh", *segments],
        "verify --level 3": [*verify, "3"],
        "verify --level 4": [*verify, "4"],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            costs[name].append(run_measured(command, []))
            print(f"round {number + 1} {name}: {costs[name][-1].seconds:.1f} s", file=sys.stderr)
    return {name: median_of(each) for name, each in costs.items()}


def _print(costs: dict[str, Cost], events: int, size: int) -> None:
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    print(f"{events:,} events, {size / 1e6:,.0f} MB of lines\n")
    print(f"{'':<24} {'MB/s':>7} {'CPU s':>7} {'peak MB':>8} {'of zstd | sha256sum':>20}")
    bound = costs["zstd -d | sha256sum"].seconds
    for name, cost in costs.items():
        print(
            f"{name:<24} {size / 1e6 / cost.seconds:>7,.0f} {cost.cpu:>7.1f} "
            f"{cost.peak / 1e6:>8.0f} {bound / cost.seconds:>20.2f}"
        )


if __name__ == "__main__":
    main()
