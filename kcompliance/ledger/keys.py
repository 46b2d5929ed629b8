"""Which keys may sign which sizes of an archive's tree, and how key records change that.

The trust file says with which keys it begins. A rotation in the log is believed because the
checkpoint over it is signed by a key that was trusted before; from there on the new key may sign
too. The key that it replaces, and a revoked one, sign that checkpoint for the last time: what
they signed before stays good. Nothing in the log widens what the trust file grants.

Not judged here: signatures that a key's thief may have made before its revocation. Only memory
outside the archive can date those.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kcompliance.ledger.note import NoteSignature, VerifierKey
from kcompliance.ledger.records import (
    KeyRevocationRecord,
    KeyRotationRecord,
    Record,
    UnsupportedRecord,
)

__all__ = ["KeyRing", "TrustedKey", "introduced_keys"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key and the sizes of trees that it may sign: `[from_size, to_size)`."""

    key: VerifierKey
    from_size: int = 0
    to_size: int | None = None
    """None: no end."""

    def may_sign(self, size: int) -> bool:
        """Whether a tree of this size is in its range."""
        return self.from_size <= size and (self.to_size is None or size < self.to_size)

    def until(self, last_size: int) -> "TrustedKey":
        """With no size above this one; never with more than before."""
        end = last_size + 1
        return replace(self, to_size=end if self.to_size is None else min(self.to_size, end))


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that are trusted at one point of the log."""

    keys: tuple[TrustedKey, ...]

    def matching(self, line: NoteSignature) -> tuple[TrustedKey, ...]:
        """The keys that a signature line says to be by."""
        return tuple(
            each for each in self.keys if (each.key.name, each.key.id) == (line.name, line.key_id)
        )

    def after(self, records: Iterable[Record | UnsupportedRecord], *, size: int) -> "KeyRing":
        """The keys after a commit of these records, whose checkpoint covers so many leaves."""
        ring = self
        for record in records:
            match record:
                case KeyRotationRecord():
                    ring = ring._with(record.vkey, from_size=size)
                    if record.replaces is not None:
                        ring = ring._until(record.replaces, size)
                case KeyRevocationRecord():
                    ring = ring._until(record.vkey, size)
                case _:
                    pass
        return ring

    def _with(self, key: VerifierKey, *, from_size: int) -> "KeyRing":
        if any(each.key == key for each in self.keys):
            return self
        return KeyRing((*self.keys, TrustedKey(key=key, from_size=from_size)))

    def _until(self, key: VerifierKey, last_size: int) -> "KeyRing":
        return KeyRing(
            tuple(each.until(last_size) if each.key == key else each for each in self.keys)
        )


def introduced_keys(records: Iterable[Record | UnsupportedRecord]) -> tuple[VerifierKey, ...]:
    """The keys that rotations among these records bring in."""
    return tuple(record.vkey for record in records if isinstance(record, KeyRotationRecord))
