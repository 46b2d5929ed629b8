"""What a vector is: an archive, what is known of it, and what every verifier has to say."""

from collections.abc import Mapping
from dataclasses import dataclass

from kcompliance.ledger import FindingCode, exit_code_of
from kcompliance.ledger.findings import Fault
from tests.vectors_builder.changes import Change

__all__ = ["AS_OF", "MODIFIED", "Vector"]

AS_OF = "2026-07-02T00:00:00Z"
MODIFIED = "2026-07-01T12:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """`trust` names a trust file; None: nothing is known of the archive."""

    name: str
    about: str
    """One sentence: what was done, or what is special."""
    base: str
    objects: Mapping[str, bytes]
    trust: str | None
    codes: frozenset[FindingCode] = frozenset()
    """Of all findings that are not the consequence of another one."""
    as_of: str = AS_OF
    modified: str = MODIFIED
    """When all files were put there."""
    more: tuple[Change, ...] = ()
    """What bytes cannot say."""

    @property
    def exit_code(self) -> int:
        """1 tampered with or corrupt, 3 incomplete or unproven, 0 good."""
        return int(exit_code_of(Fault(code=code, detail="") for code in self.codes))
