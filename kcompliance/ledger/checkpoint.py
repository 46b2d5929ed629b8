"""Checkpoints (https://c2sp.org/tlog-checkpoint): the signed size and root of an archive's tree.

Stricter than C2SP in two ways: the note has three lines and no extension lines, and every
signature line must be a known key's (C2SP lets a reader pass over unknown ones). Cosignatures of
witnesses lie outside checkpoints.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from kcompliance.ledger.canonical import MAX_INTEGER
from kcompliance.ledger.findings import Fault, FindingCode, Refused
from kcompliance.ledger.keys import KeyRing
from kcompliance.ledger.merkle import HASH_BYTES
from kcompliance.ledger.names import parse_uuid
from kcompliance.ledger.note import Note, NoteSignature, Signer, VerifierKey, parse_note, sign_note
from kcompliance.model.digest import Sha256

__all__ = [
    "Checkpoint",
    "SignedCheckpoint",
    "archive_id_of",
    "open_checkpoint",
    "origin_of",
    "parse_checkpoint",
    "sign_checkpoint",
    "signature_fault",
]

_PREFIX = "kcompliance/"


def origin_of(archive_id: UUID) -> str:
    """What an archive calls itself in its checkpoints: `kcompliance/<archive id>`."""
    return f"{_PREFIX}{archive_id}"


def archive_id_of(origin: str) -> UUID | None:
    """The archive whose origin this is; None for an origin of something else."""
    id_ = parse_uuid(origin.removeprefix(_PREFIX)) if origin.startswith(_PREFIX) else None
    return id_ if id_ is not None and id_.version == 4 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree: whose, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The three lines that are signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint as it was read, with its signature lines, which nobody has verified."""

    checkpoint: Checkpoint
    note: Note
    sha256: Sha256
    """Of the whole object: what the next commit names as `prev`."""


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """The signed note of a checkpoint; ValueError for what could not be read back."""
    data = sign_note(checkpoint.text, signers)
    match parse_checkpoint(data):
        case Fault(detail=detail):
            raise ValueError(f"this cannot be a checkpoint: {detail}")
        case signed if signed.checkpoint != checkpoint:
            raise ValueError("this checkpoint would be read as another")
    return data


def parse_checkpoint(data: bytes) -> SignedCheckpoint | Fault:
    """Read a checkpoint; nothing is verified. The fault is CHECKPOINT_MALFORMED."""
    note = parse_note(data)
    if isinstance(note, Refused):
        return _malformed(note.reason)
    lines = note.text.decode().split("\n")
    if len(lines) != 4:
        return _malformed(f"{len(lines) - 1} lines where a checkpoint has three")
    origin, size, root = lines[0], lines[1], _root(lines[2])
    if not origin:
        return _malformed("the origin is empty")
    if not _SIZE.fullmatch(size) or int(size) > MAX_INTEGER:
        return _malformed(f"{size[:40]!r} is not the size of a tree")
    if root is None:
        return _malformed("the root is not 32 bytes in canonical base64")
    signers = [(each.name, each.key_id) for each in note.signatures]
    if len(set(signers)) != len(signers):
        return _malformed("two signature lines of one key")
    checkpoint = Checkpoint(origin=origin, size=int(size), root=root)
    return SignedCheckpoint(
        checkpoint=checkpoint, note=note, sha256=Sha256(sha256(data).hexdigest())
    )


def open_checkpoint(
    data: bytes, *, origin: str, keys: KeyRing, introduced: Sequence[VerifierKey] = ()
) -> SignedCheckpoint | Fault:
    """Read a checkpoint of this archive and verify all its signatures."""
    signed = parse_checkpoint(data)
    if isinstance(signed, Fault):
        return signed
    fault = signature_fault(signed, origin=origin, keys=keys, introduced=introduced)
    return signed if fault is None else fault


def signature_fault(
    signed: SignedCheckpoint,
    *,
    origin: str,
    keys: KeyRing,
    introduced: Iterable[VerifierKey] = (),
) -> Fault | None:
    """None: the checkpoint is of this archive, and each of its signature lines holds.

    `introduced` are the keys that the records of this very commit introduce. They sign too, but
    never alone: a key does not vouch for itself.
    """
    checkpoint, text = signed.checkpoint, signed.note.text
    if checkpoint.origin != origin:
        return _fault(
            FindingCode.WRONG_ORIGIN, f"a checkpoint of {checkpoint.origin!r}, not of {origin!r}"
        )
    new = [key for key in introduced if all(each.key != key for each in keys.keys)]
    trusted: list[NoteSignature] = []
    out_of_range: list[NoteSignature] = []
    unknown: list[NoteSignature] = []
    missing = list(new)
    for line in signed.note.signatures:
        # Bound to the origin, since the id of an ECDSA key does not bind the name.
        known = keys.matching(line) if line.name == origin else ()
        fresh = [key for key in new if (key.name, key.id) == (origin, line.key_id)]
        if any(each.key.verifies(text, line.signature) for each in known):
            trusted.append(line)
            if not any(each.may_sign(checkpoint.size) for each in known):
                out_of_range.append(line)
        elif made := [key for key in fresh if key.verifies(text, line.signature)]:
            missing = [key for key in missing if key not in made]
        elif known or fresh:
            return _fault(FindingCode.SIG_INVALID, f"the signature of {_shown(line)} does not fit")
        else:
            unknown.append(line)
    if not trusted:
        return _fault(FindingCode.SIG_INVALID, f"no trusted key signed, only {_all(signed.note)}")
    if unknown:
        shown = ", ".join(_shown(line) for line in unknown)
        return _malformed(f"signed by a key that nobody knows: {shown}")
    if out_of_range:
        shown = ", ".join(_shown(line) for line in out_of_range)
        return _fault(
            FindingCode.KEY_OUT_OF_RANGE, f"{shown} may not sign a tree of {checkpoint.size}"
        )
    if missing:
        shown = ", ".join(f"{key.name}+{key.id.hex()}" for key in missing)
        return _fault(FindingCode.SIG_INVALID, f"not signed by the key it introduces: {shown}")
    return None


_SIZE = re.compile("0|[1-9][0-9]{0,15}")


def _root(text: str) -> bytes | None:
    try:
        root = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    fits = len(root) == HASH_BYTES and base64.b64encode(root).decode() == text
    return root if fits else None


def _shown(line: NoteSignature) -> str:
    return f"{line.name}+{line.key_id.hex()}"


def _all(note: Note) -> str:
    return ", ".join(_shown(line) for line in note.signatures)


def _malformed(reason: str) -> Fault:
    return _fault(FindingCode.CHECKPOINT_MALFORMED, reason)


def _fault(code: FindingCode, detail: str) -> Fault:
    return Fault(code=code, detail=detail)
