"""What people declare about findings: an attestation answers a question, a waiver accepts a fail.

Both are *declarations*: they name what they are about by control, aspect and resource, and hold
for a while.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Day
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

__all__ = [
    "LONGEST",
    "Attestation",
    "Declaration",
    "DeclarationState",
    "Declarations",
    "Waiver",
]

LONGEST = timedelta(days=366)
"""Nothing is declared for longer than a year and a day: somebody has to look again."""


class DeclarationState(StrEnum):
    """What a scan came to know of a declaration."""

    USED = "used"
    """In force, and something rests on it."""
    UNUSED = "unused"
    """In force, and nothing that was judged needs it."""
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    OPEN = "open"
    """In force, but what it may be about could not be seen."""
    NOT_JUDGED = "not-judged"
    """Its control or its target was not part of this scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What it is about, and for which days (UTC, both included); `line` is where it was written."""

    control: str
    aspect: str
    resource: str
    """The resource of a finding, or a pattern with `*`, `?` or `[…]`."""
    expires: Day
    line: int
    target: str | None = None
    """The name of a target or a pattern; None means any."""
    date: Day | None = None
    """Since when; None means as long before `expires` as a declaration may last."""

    @property
    def begins(self) -> Day:
        """The first day on which it holds."""
        return self.date if self.date is not None else self.expires - LONGEST

    def in_force(self, day: Day) -> bool:
        """Whether it holds on this day."""
        return self.begins <= day <= self.expires

    def concerns(self, target: str) -> bool:
        """Whether it is about this target."""
        return self.target is None or _fits(self.target, target)

    def covers(self, resource: str) -> bool:
        """Whether it is about this resource."""
        return _fits(self.resource, resource)

    @property
    def about(self) -> str:
        """What it is about, in one line."""
        place = self.resource if self.target is None else f"{self.target}: {self.resource}"
        return f"{self.control}/{self.aspect}: {place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation(Declaration):
    """Somebody's answer to a question that no API or file can answer."""

    statement: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver(Declaration):
    """An accepted fail: it lies over the fail and never replaces it."""

    reason: str
    owner: str
    approver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """All that one configuration declares, in its order."""

    attestations: tuple[Attestation, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def __iter__(self) -> Iterator[Attestation | Waiver]:
        yield from self.attestations
        yield from self.waivers


def _fits(pattern: str, text: str) -> bool:
    """Text that is the pattern itself always fits, whatever signs are in it."""
    return pattern == text or fnmatchcase(text, pattern)
