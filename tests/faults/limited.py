"""The command line, in a process that may do less than the one that starts it.

    python -m tests.faults.limited LIMIT archive run …

LIMIT is `file-size=BYTES`: no file may become larger, as where a quota or the disk is full; or
`permissions`: those of files and folders count for root, too.
"""

import ctypes
import os
import resource
import sys

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


def _limit(text: str) -> None:
    name, _, value = text.partition("=")
    if name == "file-size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(value), int(value)))
    elif os.geteuid() == 0:
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


if __name__ == "__main__":
    _limit(sys.argv[1])
    os.execv(sys.executable, [sys.executable, "-B", "-m", "kcompliance", *sys.argv[2:]])
