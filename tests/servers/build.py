"""Builds or fetches the real servers into the cache: `python -m tests.servers.build [--all]`.

Exit status 0 also if a part cannot be had on this machine, for then the tests that need it are
left out. Under CI=true everything has to be there: exit status 1.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from tests.servers.left_out import banner, must_run_everything
from tests.servers.parts import EVERYDAY, LONG_RUN
from tests.servers.toolchain import (
    BuildFailed,
    Part,
    Unavailable,
    cache_folder,
    forget_intermediate_results,
    only_builder,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.build", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also the servers of the long run")
    everything: bool = parser.parse_args(arguments).all
    _say(f"servers for the tests, in {cache_folder()}")
    try:
        left_out = build((*EVERYDAY, *LONG_RUN) if everything else EVERYDAY)
    except BuildFailed as error:
        _say(f"error: {error}")
        return 1
    if left_out:
        _say(banner(left_out))
    return 1 if left_out and must_run_everything() else 0


def build(parts: Sequence[Part]) -> list[Unavailable]:
    """The parts that cannot be had on this machine, after all others are in the cache."""
    missing = [part for part in parts if not _is_ready(part)]
    if not missing:
        return []
    with only_builder(wait=lambda: _say("  waiting for another process that builds them")):
        outcomes = [_build_one(part) for part in missing]
        forget_intermediate_results()
    # Without Go all that is built by it is missing: one entry says so.
    left_out = {outcome.part: outcome for outcome in outcomes if outcome is not None}
    return list(left_out.values())


def _is_ready(part: Part) -> bool:
    try:
        part.find()
    except Unavailable:
        return False
    _say(f"  {part.name:<20} ready")
    return True


def _build_one(part: Part) -> Unavailable | None:
    _say(f"  {part.name:<20} being made …")
    start = time.monotonic()
    try:
        part.build()
    except Unavailable as missing:
        _say(f"  {part.name:<20} LEFT OUT: {missing.reason}")
        return missing
    _say(f"  {part.name:<20} ready after {time.monotonic() - start:.0f} s")
    return None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command is its output


if __name__ == "__main__":
    sys.exit(main())
