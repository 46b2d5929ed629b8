"""The command line, in a process that is killed (SIGKILL) at one precise step.

    python -B -m tests.faults.dying STEP archive run …

STEP is `NUMBER`: before the so-manyeth change of the file system; or `NAME`: before a file gets its
final name that has this in it. With `after:` it is before the next change after that one. Changes
are seen through Python's audit events: nothing of kcompliance is changed.
"""

import os
import signal
import sys
from itertools import count

from kcompliance.cli import main

_CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _is_change(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        flags = arguments[2]
        return isinstance(flags, int) and bool(flags & _WRITES)
    return event in _CHANGES


def _die_at(step: str) -> None:
    when, _, name = step.rpartition(":")
    changes = count(1)
    is_next = False

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal is_next
        if not _is_change(event, arguments):
            return
        if name.isdecimal():
            fits = next(changes) == int(name)
        else:
            fits = event == "os.link" and name in str(arguments[1])
        if is_next or (fits and not when):
            _die()
        is_next = fits

    sys.addaudithook(watch)


if __name__ == "__main__":
    _die_at(sys.argv.pop(1))
    main()
