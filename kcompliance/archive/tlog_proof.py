"""Proofs in one text (https://c2sp.org/tlog-proof): index, inclusion proof, checkpoint.

What is logged is not part of the format. Where a proof has to stand alone in one file, the leaf
stands in its `extra` line, which is what that is for; nothing is believed of it but its hash.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kcompliance.ledger import MAX_INTEGER, MAX_RECORD_BYTES, Refused
from kcompliance.ledger.note import MAX_NOTE_BYTES

__all__ = ["MAX_PROOF_BYTES", "TlogProof", "format_tlog_proof", "parse_tlog_proof"]

MAX_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_RECORD_BYTES
"""Of the whole text."""

_HEADER = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 63
"""As many as a tree of 2^63 leaves needs."""
_INDEX = re.compile("0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """That the tree of a checkpoint has a leaf at an index; nothing of it is verified."""

    index: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up to the root's child."""
    checkpoint: bytes
    """The signed note, verbatim."""
    extra: bytes | None = None


def format_tlog_proof(proof: TlogProof) -> bytes:
    """The text of a proof; ValueError for what `parse_tlog_proof` would not read back."""
    lines = [_HEADER]
    if proof.extra is not None:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.index}")
    lines += (base64.b64encode(each).decode() for each in proof.hashes)
    data = "".join(f"{line}\n" for line in lines).encode() + b"\n" + proof.checkpoint
    reread = parse_tlog_proof(data)
    if reread != proof:
        reason = reread.reason if isinstance(reread, Refused) else "it would be read as another"
        raise ValueError(f"this cannot be a proof: {reason}")
    return data


def parse_tlog_proof(data: bytes) -> TlogProof | Refused:
    """Take a proof apart; neither the checkpoint nor the proof is verified."""
    if len(data) > MAX_PROOF_BYTES:
        return Refused(f"longer than {MAX_PROOF_BYTES} bytes")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return Refused("not ASCII before the checkpoint")
    if not blank or lines.pop(0) != _HEADER:
        return Refused(f"not a text that begins with {_HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _base64(lines.pop(0).removeprefix("extra "))
        if extra is None:
            return Refused("the extra line is not canonical base64")
    index = lines.pop(0).removeprefix("index ") if lines and lines[0][:6] == "index " else ""
    if not _INDEX.fullmatch(index) or int(index) > MAX_INTEGER:
        return Refused("no index of a leaf")
    hashes = _hashes(lines)
    if isinstance(hashes, Refused):
        return hashes
    return TlogProof(index=int(index), hashes=hashes, checkpoint=checkpoint, extra=extra)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...] | Refused:
    if len(lines) > _MAX_HASHES:
        return Refused(f"{len(lines)} hashes where {_MAX_HASHES} are enough for any tree")
    hashes = []
    for line in lines:
        decoded = _base64(line)
        if decoded is None or len(decoded) != 32:
            return Refused("a line of the proof is not 32 bytes in canonical base64")
        hashes.append(decoded)
    return tuple(hashes)


def _base64(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None
