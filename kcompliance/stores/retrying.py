"""How long to wait before something is tried again: longer each time, and with full jitter."""

import random
import time
from typing import Final

__all__ = ["backoff", "pause"]

_FIRST: Final = 0.5
_LONGEST: Final = 20.0


def backoff(number: int) -> float:
    """Seconds to wait before trying again for the `number`th time, counted from 0 or 1."""
    return random.uniform(0, min(_LONGEST, _FIRST * 2**number))  # noqa: S311 - no secret


def pause(number: int) -> None:
    """Sleep before trying again, where no SDK does it."""
    time.sleep(backoff(number))
