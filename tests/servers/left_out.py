"""What happens when a server is not to be had: left out loudly, or under CI=true a failure."""

import itertools
import os
from collections.abc import Iterable

from tests.servers.toolchain import Unavailable

_RULE = "!" * 78


def must_run_everything() -> bool:
    """Whether a part that is missing is a failure, as it is in continuous integration."""
    return os.environ.get("CI") == "true"


def banner(missing: Iterable[Unavailable]) -> str:
    """The lines that end a run from which something was left out."""
    lines = ["LEFT OUT of this run, so nothing is known about it:"]
    by_remedy = itertools.groupby(sorted(missing, key=_remedy), key=_remedy)
    for remedy, parts in by_remedy:
        lines += [f"  {part.part}: {part.reason}" for part in parts]
        lines += [f"    to bring it: {remedy}"]
    return "\n".join([_RULE, *lines, _RULE])


def _remedy(missing: Unavailable) -> str:
    return missing.remedy
