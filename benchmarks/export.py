"""`archive run` beside what bounds it and what others do: one server, the same events, in turn.

    python -m benchmarks.export [--events 1000000] [--rounds 3]

Reports, and asserts nothing. Server and clients share the machine's cores, as they do in the pod
network of a small cluster at best; each figure is the median of the rounds.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.measuring import Cost, median_of, run_measured
from tests.servers.audit_corpus import load, many_events
from tests.servers.parts import NODE
from tests.servers.search_server import SearchServer
from tests.servers.toolchain import NpmProgram

START = datetime(2026, 7, 1)
FROM, TO = "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"
INDEX = "audit"
SHARDS = 5
SAMPLE = 40_000

ELASTICDUMP = NpmProgram(
    name="elasticdump 6.125.1",
    module=Path(__file__).parent / "node" / "elasticdump-6.125.1",
    script="elasticdump/bin/elasticdump",
    toolchain=NODE,
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with SearchServer(place / "elasticsearch", heap="1g", full_speed=True) as server:
            spread = timedelta(days=1)
            count = load(
                server,
                INDEX,
                many_events(asked.events, start=START, spread=spread),
                shards=SHARDS,
            )
            size = _sample(place / "sample.ndjson", spread)
            costs = _measure(place, server, count, asked.rounds)
    _print(costs, count, size)


def _sample(path: Path, spread: timedelta) -> int:
    """Lines as they are archived, for the pipeline alone; their average size."""
    head = b'{"_index":"audit","_id":"%032d","_seq_no":%d,"_primary_term":1,"_version":1,"_source":'
    with path.open("wb") as file:
        for number, event in enumerate(
            islice(many_events(SAMPLE, start=START, spread=spread), SAMPLE)
        ):
            file.write(head % (number, number) + event + b"}\n")
    return path.stat().st_size // SAMPLE


def _measure(place: Path, server: SearchServer, count: int, rounds: int) -> dict[str, Cost]:
    node, elasticdump = NODE.build(), ELASTICDUMP.build()
    key = place / "key.pem"
    product = [sys.executable, "-m", "kcompliance"]
    stages = [sys.executable, "-m", "benchmarks.export_stages"]
    run_measured([*product, "keys", "new", "--out", str(key), "--no-passphrase"], [])

    def archive(number: int) -> list[str]:
        options = ["--stream", "bench/audit", "--key", str(key), "--window", "1d"]
        where = ["--elasticsearch", server.url, "--index", INDEX, "--from", FROM, "--to", TO]
        return [*product, "archive", "run", str(place / f"archive-{number}"), *options, *where]

    def dump(number: int) -> list[str]:
        out = f"--output={place / f'dump-{number}.json'}"
        return [str(node), str(elasticdump), f"--input={server.url}/{INDEX}", out, "--limit=2000"]

    commands: dict[str, Callable[[int], Sequence[str]]] = {
        "drain": lambda _: [*stages, "drain", server.url, INDEX, FROM, TO],
        "pipeline": lambda _: [*stages, "pipeline", str(place / "sample.ndjson"), str(count)],
        "kcompliance": archive,
        "elasticdump": dump,
        "helpers.scan": lambda n: [*stages, "scan", server.url, INDEX, str(place / f"scan-{n}.gz")],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            costs[name].append(run_measured(command(number), server.pids))
            for left in place.glob(f"*-{number}*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            print(f"round {number + 1} {name}: {costs[name][-1].seconds:.1f} s", file=sys.stderr)
    return {name: median_of(each) for name, each in costs.items()}


_TITLES = {
    "drain": "read by the same paging, kept nowhere (the limit)",
    "pipeline": "hash, Merkle, zstd, disk: without a server",
    "kcompliance": "kcompliance archive run, to a folder",
    "elasticdump": "elasticdump --limit 2000, to a file",
    "helpers.scan": "elasticsearch.helpers.scan, json, gzip",
}


def _print(costs: dict[str, Cost], count: int, size: int) -> None:
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores shared with the server")
    print(f"{count:,} events of {size} bytes a line, {SHARDS} shards\n")
    print(f"{'':<50} {'docs/s':>9} {'µs CPU':>7} {'server':>7} {'peak MB':>8}")
    for name, cost in costs.items():
        each = 1e6 / count
        print(
            f"{_TITLES[name]:<50} {count / cost.seconds:>9,.0f} {cost.cpu * each:>7.1f} "
            f"{cost.server_cpu * each:>7.1f} {cost.peak / 1e6:>8.0f}"
        )
    own = costs["kcompliance"].seconds
    both = costs["drain"].seconds + costs["pipeline"].seconds
    ratios = {
        "of the drain": f"{costs['drain'].seconds / own:.2f}",
        "of what two stages that share the cores can give": f"{both / own:.2f}  aim: 0.9",
        "times elasticdump": f"{costs['elasticdump'].seconds / own:.1f}  aim: 5",
        "times helpers.scan": f"{costs['helpers.scan'].seconds / own:.1f}",
    }
    print()
    for what, ratio in ratios.items():
        print(f"{what:<50} {ratio}")


if __name__ == "__main__":
    main()
