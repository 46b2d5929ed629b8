"""What verifying an archive takes and what comes of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from kcompliance.errors import ExitCode
from kcompliance.ledger import Fault, FindingCode, StreamName, Trust, exit_code_of

__all__ = [
    "Checked",
    "Gap",
    "Meter",
    "OutsideMemory",
    "OutsideResult",
    "Request",
    "Silent",
    "Subset",
    "Verification",
    "VerifiedCheckpoint",
    "VerifiedStream",
    "ordered",
]

DEFAULT_GRACE = timedelta(hours=1)


class Meter(Protocol):
    """Is told how far it has got; called by several threads at once."""

    def tell(self, what: str) -> None:
        """What is done now, in a few words."""

    def total(self, objects: int, size: int) -> None:
        """How many objects and bytes there will be in all, as far as is known."""

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """So many more are done."""


class Silent(Meter):
    """Tells nobody."""

    def tell(self, what: str) -> None:
        """See `Meter`."""

    def total(self, objects: int, size: int) -> None:
        """See `Meter`."""

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """See `Meter`."""


# --- what is asked ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subset:
    """Part `number`, counted from 1, of `parts`: all of them together are every object once."""

    number: int
    parts: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.parts:
            raise ValueError(f"no part {self.number} of {self.parts}")

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to verify.

    Levels: 0 checkpoints, chain and tree; 1 what is listed; 2 a subset of the objects; 3 all
    objects; 4 every line. Each holds the ones below.
    """

    trust: Trust | None
    as_of: datetime
    level: int = 3
    subset: Subset | None = None
    """Of level 2, and of no other."""
    grace: timedelta = DEFAULT_GRACE
    """How long an object may lie there before a commit names it."""
    live: bool = False
    """Whether to ask the store for the locks, too."""

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 4 or (self.level == 2) != (self.subset is not None):
            raise ValueError(f"level {self.level} of {self.subset}")


# --- what was found -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheckpoint:
    """The last checkpoint that was believed: what to pin next."""

    number: int
    size: int
    root: bytes
    time: datetime | None


class OutsideResult(StrEnum):
    """What a memory outside the archive says of it."""

    FITS = "fits"
    CONTRADICTS = "contradicts"
    NOT_COMPARED = "not-compared"
    """What it remembers could not be read, or is not the kind that can confirm anything."""
    NOT_CHECKED = "not-checked"
    """This kcompliance does not know how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideMemory:
    """Something that remembers the archive and that its key holder cannot rewrite."""

    kind: str
    """pin, worm, tsa or witness."""
    result: OutsideResult
    detail: str
    """In words, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What no window covers: times, or offsets of a file."""

    start: str | None
    end: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStream:
    """What the archive covers of a stream."""

    name: StreamName
    start: datetime | None
    end: datetime | None
    windows: int
    docs: int
    gaps: tuple[Gap, ...]


@dataclass(slots=True, kw_only=True)
class Checked:
    """What was read to its last byte and is as it was recorded."""

    objects: int = 0
    bytes: int = 0
    docs: int = 0
    """Events in segments among these."""

    def add(self, *, objects: int = 1, size: int, docs: int = 0) -> None:
        """Count more."""
        self.objects += objects
        self.bytes += size
        self.docs += docs


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The whole result."""

    archive: str
    origin: str | None
    """None where nothing told it."""
    request: Request
    checkpoint: VerifiedCheckpoint | None
    outside_memory: tuple[OutsideMemory, ...] = ()
    streams: tuple[VerifiedStream, ...] = ()
    checked: Checked = field(default_factory=Checked)
    findings: tuple[Fault, ...] = ()
    """The gravest first; what follows from another finding names its object as `caused_by`."""

    @property
    def exit_code(self) -> ExitCode:
        """The first that applies of 1, 4, 3, 0."""
        return exit_code_of(self.findings)

    @property
    def causes(self) -> tuple[Fault, ...]:
        """The findings that follow from no other."""
        return tuple(fault for fault in self.findings if fault.caused_by is None)

    def joined(self, faults: Iterable[Fault]) -> "Verification":
        """With what was found elsewhere, as in the source that the archive was made from."""
        return replace(self, findings=ordered([*self.findings, *faults]))


_RANK = {ExitCode.FINDINGS: 0, ExitCode.COULD_NOT_RUN: 1, ExitCode.INCOMPLETE: 2}


def ordered(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The gravest first, causes before what follows from them; else always in one order."""

    def key(fault: Fault) -> tuple[object, ...]:
        return (
            fault.caused_by is not None,
            _RANK[fault.code.exit_code],
            -_SEVERITIES.index(fault.code.severity),
            _CODES.index(fault.code),
            fault.object or "",
            fault.stream or "",
            fault.start or "",
            fault.end or "",
            fault.detail,
        )

    return tuple(sorted(faults, key=key))


_CODES = tuple(FindingCode)
_SEVERITIES = tuple(sorted({code.severity for code in FindingCode}))
