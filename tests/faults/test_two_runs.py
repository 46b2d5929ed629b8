"""Several runs at once, as processes of their own: all is archived once, and nobody breaks."""

import random
import subprocess

import pytest

from tests.faults.places import KINDS
from tests.faults.running import STREAM, Ended, Trail, ended

pytestmark = pytest.mark.integration

GOOD = {0, 3}
"""3 where one could not go on in a file that another had archived further meanwhile."""


@pytest.mark.parametrize("place", KINDS, indirect=True)
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
def test_two_runs_of_one_stream(trail: Trail, is_new: bool) -> None:
    if not is_new:
        assert trail.run().code == 0
        trail.grow(20)

    first, second = together(trail, trail.command(), trail.command())

    assert {first.code, second.code} <= GOOD, (first, second)
    # Whatever has happened, all of it is archived, and the last run finds nothing more to do.
    assert trail.run("--format", "json").json["docs"] == 0
    trail.check()


@pytest.mark.parametrize("place", KINDS, indirect=True)
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
def test_runs_of_two_streams(trail: Trail, is_new: bool) -> None:
    if not is_new:
        assert trail.run().code == 0
        trail.grow(20)
    other = trail.command(stream="other/audit")

    first, second = together(trail, trail.command(), other)

    assert (first.code, second.code) == (0, 0), (first, second)
    lines, trail.lines = trail.lines, trail.lines * 2
    assert trail.check().streams == {STREAM, "other/audit"}
    trail.lines = lines


@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
def test_four_runs_with_trust_files_of_their_own(trail: Trail) -> None:
    """As of four machines: each has to know the archive that the others have made."""
    commands = [
        trail.command("--write-trust", trail.folder / f"trust-{number}.toml", write_trust=False)
        for number in range(4)
    ]

    for each in together(trail, *commands):
        assert each.code in GOOD, each

    texts = {(trail.folder / f"trust-{number}.toml").read_text() for number in range(4)}
    assert len({text.partition("[pin]")[0] for text in texts}) == 1
    for command in commands:
        again = ended(trail.start(command))
        assert again.code == 0, again
    trail.check()


@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
def test_a_run_with_another_key_is_refused_by_the_archive_that_came_first(trail: Trail) -> None:
    mine = trail.command(write_trust=False)
    theirs = [*mine, "--key", str(trail.new_key("theirs.key"))]

    codes = [each.code for each in together(trail, mine, theirs)]

    assert sorted(codes) == [0, 2], codes
    if codes == [2, 0]:
        trail.key.write_bytes((trail.folder / "theirs.key").read_bytes())
    assert trail.run().code == 0


@pytest.mark.long
@pytest.mark.parametrize("place", KINDS, indirect=True)
@pytest.mark.parametrize("seed", range(10))
def test_runs_at_once_that_are_killed(trail: Trail, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(3):
        running = [trail.start(trail.command()) for _ in range(2)]
        with_kill = draw.choice(running)
        try:
            with_kill.wait(draw.uniform(0.3, 2))
        except subprocess.TimeoutExpired:
            with_kill.kill()
        for process in running:
            ended(process)
        trail.grow(8)

    assert trail.run().code == 0

    trail.check()


def together(trail: Trail, *commands: list[str]) -> list[Ended]:
    """All at the same time."""
    running = [trail.start(command) for command in commands]
    return [ended(process) for process in running]
