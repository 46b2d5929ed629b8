"""How long a scan, the start of the program and the policy engine take on this machine.

    python -m benchmarks.scan_sample

Reports, and asserts nothing: the same code takes other times on other machines.
"""

import itertools
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kcompliance.model.audit_policy import Loaded, PolicyEvaluator, load_policy
from kcompliance.model.request import Request
from tests.properties.policy_words import as_request, requests_in_the_words_of

ROOT = Path(__file__).resolve().parent.parent
RUNS = 10
REQUESTS = 20_000
POLICIES = sorted((ROOT / "tests" / "samples" / "policies").glob("*.yaml"))
SECONDS_OF_LOADING = 2.0

Row = tuple[str, str, str]


def main() -> None:
    """Measure everything and print a table."""
    rows: list[Row] = [*start_times(), *engine_rates()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; medians of {RUNS} runs\n")
    for what, measured, aim in rows:
        print(f"{what:<{widths[0]}}  {measured:>{widths[1]}}  {aim}".rstrip())


def start_times() -> list[Row]:
    """Whole processes, as a user waits for them."""
    scan = median_seconds(["-m", "kcompliance", "scan", "demo/faulty"])
    bare = median_seconds(["-c", "pass"])
    shown = median_seconds(["-m", "kcompliance", "--help"])
    return [
        ("kcompliance scan demo/faulty", f"{scan:.2f} s", "aim: 1 s"),
        (
            "kcompliance --help, less than that of Python itself",
            f"{shown - bare:.2f} s",
            "aim: 0.15 s",
        ),
        ("python -c pass", f"{bare:.3f} s", ""),
    ]


def median_seconds(arguments: Sequence[str]) -> float:
    """The median wall time of a Python process; the first run, which fills caches, is left out."""

    def run() -> None:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{arguments} ended with {done.returncode}")

    run()
    return statistics.median(seconds_of(run) for _ in range(RUNS))


def engine_rates() -> list[Row]:
    """The policy loader and the evaluator alone, in one process."""
    texts = [path.read_bytes() for path in POLICIES]
    policies = [each.policy for each in map(load_policy, texts) if isinstance(each, Loaded)]
    share = REQUESTS // len(policies) + 1
    asked: list[tuple[PolicyEvaluator, list[Request]]] = []
    for policy in policies:
        made = requests_in_the_words_of(policy, random.Random(1), share)
        asked.append((PolicyEvaluator(policy), [as_request(each) for each in made]))

    def decide_all() -> None:
        for evaluator, requests in asked:
            for request in requests:
                evaluator.decide(request)

    number = sum(len(requests) for _, requests in asked)
    seconds = statistics.median(seconds_of(decide_all) for _ in range(RUNS))
    rules = sum(len(policy.rules) for policy in policies)
    return [
        (
            f"decisions ({len(policies)} policies, {rules} rules)",
            f"{number / seconds:,.0f} /s",
            "",
        ),
        ("policies loaded from YAML", f"{loaded_bytes_per_second(texts) / 1e6:.2f} MB/s", ""),
    ]


def loaded_bytes_per_second(texts: Sequence[bytes]) -> float:
    """Over and over through all texts for some seconds."""
    start = time.perf_counter()
    size = 0
    for text in itertools.cycle(texts):
        load_policy(text)
        size += len(text)
        elapsed = time.perf_counter() - start
        if elapsed > SECONDS_OF_LOADING:
            return size / elapsed
    raise AssertionError("no texts")


def seconds_of(run: Callable[[], None]) -> float:
    """How long it takes once."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
