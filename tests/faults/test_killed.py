"""Runs are killed (SIGKILL) at any step, several times over; the next one puts all in order."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.faults.places import KINDS
from tests.faults.running import STREAM, Trail, ended

pytestmark = pytest.mark.integration

MORE_THAN_ONE_COMMIT = 205
STEPS = {"folder": 7, "s3": 1.7, "azure": 2.4}
"""About how many changes of the file system, or requests, a run makes for each new file."""


def seeds(first: int, last: int) -> list[object]:
    return [
        pytest.param(kind, seed, id=f"{kind}-{seed}")
        for seed in range(first, last)
        for kind in KINDS
    ]


@pytest.mark.parametrize(("place", "seed"), seeds(0, 4), indirect=["place"])
def test_runs_that_are_killed_lose_nothing(trail: Trail, seed: int) -> None:
    kill_several_times(trail, seed)


@pytest.mark.long
@pytest.mark.parametrize(("place", "seed"), seeds(4, 40), indirect=["place"])
def test_runs_that_are_killed_lose_nothing_ever(trail: Trail, seed: int) -> None:
    kill_several_times(trail, seed)


def test_a_run_of_many_commits_that_is_killed_keeps_those_it_has_made(trail: Trail) -> None:
    trail.grow(MORE_THAN_ONE_COMMIT - trail.files)
    assert trail.dying("000000000002.ckpt").killed

    done = trail.run("--format", "json")

    assert (done.code, done.json["docs"]) == (0, 3 * (MORE_THAN_ONE_COMMIT - 200))
    trail.check()


NAMED_STEPS = {
    "before the intent": ".json",
    "after the intent": "after:.json",
    "before the first commit": "000000000000.ckpt",
    "after the first commit, before the trust file": "after:000000000000.ckpt",
    "between two segments": ".zst",
    "after a segment": "after:.zst",
    "before the records": "000000000001-",
    "between the records and the checkpoint": "000000000001.ckpt",
    "after the checkpoint, before the pin": "after:000000000001.ckpt",
}


@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
@pytest.mark.parametrize("step", NAMED_STEPS.values(), ids=NAMED_STEPS)
def test_a_run_that_is_killed_at_a_step_is_made_good(trail: Trail, step: str) -> None:
    assert trail.dying(step).killed

    done = trail.run("--format", "json")

    assert done.code == 0, done.err
    checked = trail.check()
    assert done.json["abandoned"] == len(checked.abandoned)
    assert trail.trust.pin is not None
    assert trail.trust.pin.size == done.json["checkpoint"]["size"]


@pytest.mark.parametrize("step", ["after:.json", "000000000000.ckpt"])
def test_an_archive_that_was_never_born_is_made_for_any_stream(trail: Trail, step: str) -> None:
    arguments = trail.command(stream="prod/audti")
    through = ["tests.faults.dying", step]
    assert ended(trail.start(arguments, through=through)).killed

    assert trail.run().code == 0

    assert trail.check().streams == {STREAM}


def test_a_process_that_exports_is_killed(trail: Trail) -> None:
    """The run says so, and the next one makes it good."""
    trail.grow(60)
    process = trail.start(trail.command("--jobs", "2"))
    wait_until(lambda: len(workers_of(process.pid)) == 2)
    # While it stands still nobody else can get the number of one of its processes.
    process.send_signal(signal.SIGSTOP)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    process.send_signal(signal.SIGCONT)
    stopped = ended(process)
    assert (stopped.code, "--jobs" in stopped.err) == (4, True), stopped

    assert trail.run("--jobs", "2").code == 0

    trail.check()


@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
def test_a_run_that_is_told_to_end_leaves_no_spool(trail: Trail) -> None:
    process = trail.start(trail.command())
    wait_until(lambda: any(trail.spool.rglob("*.partial")))
    process.terminate()

    assert ended(process).code == 130
    assert list(trail.spool.iterdir()) == []
    assert trail.run().code == 0
    trail.check()


def kill_several_times(trail: Trail, seed: int) -> None:
    draw = random.Random(f"{trail.place.kind}-{seed}")
    steps, new, killed = STEPS[trail.place.kind], trail.files, 0
    for _ in range(3):
        step = 1 + int(steps * new * draw.random())
        died = trail.dying(draw.choice(["after:", ""]) + str(step))
        assert died.killed or died.code == 0, died
        killed += died.killed
        trail.grow(more := draw.choice([0, 4, 8]))
        new = more + new * died.killed
    assert killed

    done = trail.run("--format", "json")

    assert done.code == 0, done.err
    trail.check()


def workers_of(pid: int) -> list[int]:
    """Its processes that export."""
    command = ["ps", "-A", "-o", "pid=,ppid=,command="]
    table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    return [int(row[0]) for row in rows if row[1] == str(pid) and "spawn_main" in row[2]]


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)
