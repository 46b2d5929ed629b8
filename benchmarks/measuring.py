"""Runs programs side by side: their time, their own CPU and memory, and a server's CPU."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "median_of", "run_measured", "server_cpu"]

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run of a program took; seconds and bytes."""

    seconds: float
    cpu: float
    """User and system, with the children that it waited for."""
    server_cpu: float
    peak: int
    """Of resident memory, of its largest process."""


def run_measured(
    command: Sequence[str], servers: Sequence[int], environment: Mapping[str, str] | None = None
) -> Cost:
    """Run a program to its end, which has to be a good one."""
    before = server_cpu(servers)
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{command[:4]} ended with {process.returncode}: {said[-2000:]!r}")
    return Cost(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        server_cpu=server_cpu(servers) - before,
        peak=usage.ru_maxrss * 1024,
    )


def server_cpu(pids: Sequence[int]) -> float:
    """Seconds of CPU that these processes have used since they began."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def median_of(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(
        seconds=statistics.median(cost.seconds for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        server_cpu=statistics.median(cost.server_cpu for cost in costs),
        peak=max(cost.peak for cost in costs),
    )
