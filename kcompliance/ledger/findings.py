"""What `verify` can find, each with one stable code, a severity and an exit class.

A reader of the ledger answers with the value or with a `Fault`; it never raises for what an
archive holds. `Refused` is the answer of readers that serve several callers (a note is read from
a checkpoint, a proof, a cosignature): the caller knows which code it means there.

Codes of tokens, witnesses, pruning and packages come with the commands that can find them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from kcompliance.errors import ExitCode
from kcompliance.model.finding import Severity

__all__ = ["Fault", "FindingCode", "Refused", "exit_code_of"]

_TAMPERING = ExitCode.FINDINGS
_INCOMPLETE = ExitCode.INCOMPLETE
_READ_FAILED = ExitCode.COULD_NOT_RUN


class FindingCode(StrEnum):
    """One thing that can be wrong with an archive. Codes never change their meaning."""

    severity: Severity
    exit_code: ExitCode
    """1: tampered with or corrupt; 3: incomplete, stale or unproven; 4: could not be read."""

    def __new__(cls, code: str, severity: Severity, exit_code: ExitCode) -> Self:
        """A code with what it means for the reader and for the caller."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.severity = severity
        member.exit_code = exit_code
        return member

    # --- objects ------------------------------------------------------------------------------

    SEGMENT_MODIFIED = "SEGMENT_MODIFIED", Severity.CRITICAL, _TAMPERING
    """A segment holds other bytes than its record names."""
    SEGMENT_TRUNCATED = "SEGMENT_TRUNCATED", Severity.CRITICAL, _TAMPERING
    """A segment ends before the size that its record names."""
    SEGMENT_TRAILING_DATA = "SEGMENT_TRAILING_DATA", Severity.CRITICAL, _TAMPERING
    """A segment begins with the bytes that were recorded and goes on after them."""
    SEGMENT_MISSING = "SEGMENT_MISSING", Severity.CRITICAL, _TAMPERING
    """A recorded segment is not there, and no record says that it may be gone."""
    EVENTS_ROOT = "EVENTS_ROOT", Severity.CRITICAL, _TAMPERING
    """The lines of a segment do not hash to the root that its record names."""
    BOMB = "BOMB", Severity.CRITICAL, _TAMPERING
    """An object decompresses to more than its record declares, or declares more than is sane."""
    METADATA_MODIFIED = "METADATA_MODIFIED", Severity.CRITICAL, _TAMPERING
    """An object of index settings and mappings holds other bytes than its record names."""
    METADATA_MISSING = "METADATA_MISSING", Severity.CRITICAL, _TAMPERING
    """A recorded object of index settings and mappings is not there."""
    RUN_MODIFIED = "RUN_MODIFIED", Severity.CRITICAL, _TAMPERING
    """The intent of a committed run holds other bytes than its commit names."""
    RUN_MISSING = "RUN_MISSING", Severity.CRITICAL, _TAMPERING
    """The intent of a committed run is not there."""
    UNEXPECTED_OBJECT = "UNEXPECTED_OBJECT", Severity.HIGH, _TAMPERING
    """An object that no record explains."""
    UNCOMMITTED = "UNCOMMITTED", Severity.LOW, _INCOMPLETE
    """An object that no record explains yet, younger than the time a run is granted."""
    UNSAFE_PATH = "UNSAFE_PATH", Severity.CRITICAL, _TAMPERING
    """A record names an object by a path that leads elsewhere, or that is not its own name."""
    SYMLINK = "SYMLINK", Severity.CRITICAL, _TAMPERING
    """An object is a symbolic link."""
    NOT_REGULAR = "NOT_REGULAR", Severity.CRITICAL, _TAMPERING
    """An object is neither a regular file nor a link: a pipe, a device, a socket."""
    NAME_COLLISION = "NAME_COLLISION", Severity.HIGH, _TAMPERING
    """Two names that some file system or Unicode form takes for one."""
    SHADOW_VERSION = "SHADOW_VERSION", Severity.HIGH, _TAMPERING
    """A newer version lies over the one that was recorded."""
    DELETE_MARKER = "DELETE_MARKER", Severity.HIGH, _TAMPERING
    """A delete marker hides a recorded version, which is still there."""
    WORM_WEAK = "WORM_WEAK", Severity.MEDIUM, _INCOMPLETE
    """An object's lock is weaker, or ends earlier, than its record or the trust file asks."""

    # --- checkpoints and the tree -------------------------------------------------------------

    NO_CHECKPOINT = "NO_CHECKPOINT", Severity.CRITICAL, _TAMPERING
    """Not one checkpoint is there."""
    CHECKPOINT_MALFORMED = "CHECKPOINT_MALFORMED", Severity.CRITICAL, _TAMPERING
    """Not a checkpoint, or one with a signature line that nobody known made."""
    SIG_INVALID = "SIG_INVALID", Severity.CRITICAL, _TAMPERING
    """No trusted key signed, or a trusted key's signature does not fit."""
    UNTRUSTED_KEY = "UNTRUSTED_KEY", Severity.HIGH, _INCOMPLETE
    """Signed by a key that only the archive itself vouches for."""
    KEY_OUT_OF_RANGE = "KEY_OUT_OF_RANGE", Severity.CRITICAL, _TAMPERING
    """Signed by a key before or after the sizes that it may sign."""
    WRONG_ORIGIN = "WRONG_ORIGIN", Severity.CRITICAL, _TAMPERING
    """A checkpoint of another archive."""
    LEAF_MISSING = "LEAF_MISSING", Severity.CRITICAL, _TAMPERING
    """Records that a checkpoint covers are not there."""
    LEAF_MALFORMED = "LEAF_MALFORMED", Severity.CRITICAL, _TAMPERING
    """A record whose bytes are not canonical or break the schema of its type."""
    UNSUPPORTED_RECORD = "UNSUPPORTED_RECORD", Severity.MEDIUM, _INCOMPLETE
    """A record of a type or version that this kcompliance does not know."""
    ROOT_MISMATCH = "ROOT_MISMATCH", Severity.CRITICAL, _TAMPERING
    """The records do not hash to the root that was signed."""
    CHAIN_BROKEN = "CHAIN_BROKEN", Severity.CRITICAL, _TAMPERING
    """A commit does not name the checkpoint before it."""
    PROOF_INVALID = "PROOF_INVALID", Severity.CRITICAL, _TAMPERING
    """A proof of inclusion or consistency does not lead to the root."""
    SIZE_REGRESSION = "SIZE_REGRESSION", Severity.CRITICAL, _TAMPERING
    """A later checkpoint covers fewer records than an earlier one."""

    # --- memory outside the archive, and time -------------------------------------------------

    ROLLBACK_VS_PIN = "ROLLBACK_VS_PIN", Severity.CRITICAL, _TAMPERING
    """The archive is smaller than the pin remembers."""
    FORK_VS_PIN = "FORK_VS_PIN", Severity.CRITICAL, _TAMPERING
    """At the pin's size the archive has another root than the pin remembers."""
    UNANCHORED = "UNANCHORED", Severity.MEDIUM, _INCOMPLETE
    """Nothing outside the archive confirms it: who holds the key could have rewritten it."""
    STALE = "STALE", Severity.HIGH, _INCOMPLETE
    """The last checkpoint is older than the trust file allows."""
    CLOCK_ROLLBACK = "CLOCK_ROLLBACK", Severity.HIGH, _TAMPERING
    """A commit is dated before the one that it follows."""
    TIME_FUTURE = "TIME_FUTURE", Severity.HIGH, _TAMPERING
    """A commit is dated after the time of this verification."""

    # --- coverage -----------------------------------------------------------------------------

    WINDOW_GAP = "WINDOW_GAP", Severity.HIGH, _INCOMPLETE
    """Time (of a file: bytes) between two windows of a stream that no window covers."""
    WINDOW_OVERLAP = "WINDOW_OVERLAP", Severity.MEDIUM, _INCOMPLETE
    """Time (of a file: bytes) that two windows of a stream cover: events may be there twice."""
    STREAM_MISSING = "STREAM_MISSING", Severity.HIGH, _INCOMPLETE
    """A stream that the trust file expects is not in the archive."""
    STREAM_STALE = "STREAM_STALE", Severity.HIGH, _INCOMPLETE
    """A stream's last window is older than the cadence that the trust file expects."""
    COPY_MISMATCH = "COPY_MISMATCH", Severity.HIGH, _INCOMPLETE
    """The copies of a shard held different numbers of documents; the window was not sealed."""

    SOURCE_MISMATCH = "SOURCE_MISMATCH", Severity.HIGH, _INCOMPLETE
    """The source holds other events of a window than were archived of it."""

    # --- reading ------------------------------------------------------------------------------

    READ_FAILED = "READ_FAILED", Severity.HIGH, _READ_FAILED
    """Something could not be read after retries, so nothing is said about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One finding of `verify`: the code, and in words what was found where."""

    code: FindingCode
    detail: str
    object: str | None = None
    """The name of the object in the archive."""
    stream: str | None = None
    start: str | None = None
    """What JSON calls `from`: a time, or for a file `<offset>`."""
    end: str | None = None
    """What JSON calls `to`."""
    caused_by: str | None = None
    """The object whose own fault brought this one about."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not what it was read as; the reason is for people."""

    reason: str


def exit_code_of(faults: Iterable[Fault]) -> ExitCode:
    """The first that applies of 1, 4, 3, 0: a fault that was found stands, whatever failed."""
    found = {fault.code.exit_code for fault in faults}
    for code in (_TAMPERING, _READ_FAILED, _INCOMPLETE):
        if code in found:
            return code
    return ExitCode.GOOD
