"""What one watcher says of one path: it reports writes, it does not, or that is not known."""

from dataclasses import dataclass
from enum import Enum

from kcompliance.model.finding import Evidence

__all__ = ["State", "Watch"]


class State(Enum):
    """How far a watcher is known to report writes to a path."""

    REPORTS = "reports"
    QUESTION = "question"
    """It may, and a human has to tell."""
    SILENT = "silent"
    """It was seen that it does not."""
    UNKNOWN = "unknown"
    """Nothing was given of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The answer; `question` belongs to `QUESTION` only."""

    state: State
    because: str = ""
    question: str = ""
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
