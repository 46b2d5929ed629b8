"""Proofs that stand alone: that an archive holds a segment, or one event of it.

A proof leads from the bytes to a signed checkpoint: the event's line to the root over the lines of
its segment, which the segment's record names, and that record to the root over all records, which
the checkpoint signs (RFC 9162 section 2.1.3). Who checks it needs a trust file, and nothing of the
archive. A proof shows that something is in the archive, never that nothing was left out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from kcompliance.archive.cat import checked_contents
from kcompliance.archive.catalogue import ArchivedSegment, Catalogue
from kcompliance.archive.tlog_proof import TlogProof
from kcompliance.ledger import (
    Fault,
    FindingCode,
    Pin,
    SegmentRecord,
    SignedCheckpoint,
    Trust,
    decode_record,
    encode_record,
    format_note,
    inclusion_fault,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    parse_checkpoint,
    signature_fault,
)
from kcompliance.model.digest import Sha256
from kcompliance.stores.interface import Store

__all__ = ["CheckedProof", "EventProof", "Proof", "check_proof", "prove_events", "prove_segment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventProof:
    """That a segment has this line at this index; `root` is a copy of what its record names."""

    line: bytes
    """Without its line feed."""
    segment: Sha256
    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A segment's record in a checkpoint's tree, and maybe one of the segment's events."""

    leaf: bytes
    """The record, canonical."""
    tlog: TlogProof
    event: EventProof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProof:
    """What a proof has shown."""

    record: SegmentRecord
    checkpoint: SignedCheckpoint
    index: int
    """Of the record in the log."""
    event: EventProof | None


# --- making ------------------------------------------------------------------------------------


def prove_segment(catalogue: Catalogue, segment: ArchivedSegment) -> Proof:
    """The proof against the archive's last checkpoint.

    The catalogue has to have been read with `leaf_hashes`, and has to be sound.
    """
    hashes, signed = catalogue.leaf_hashes, catalogue.end.checkpoint
    leaf = encode_record(segment.record)
    if len(hashes) != signed.checkpoint.size or hashes[segment.leaf] != leaf_hash(leaf):
        raise ValueError("not the leaves of this catalogue's checkpoint")
    tlog = TlogProof(
        index=segment.leaf,
        hashes=inclusion_proof(hashes, segment.leaf),
        checkpoint=format_note(signed.note.text, signed.note.signatures),
    )
    return Proof(leaf=leaf, tlog=tlog)


def prove_events(
    catalogue: Catalogue,
    store: Store,
    segments: Sequence[ArchivedSegment],
    text: str,
    *,
    most: int,
    folder: Path | None = None,
) -> Iterator[tuple[ArchivedSegment, Proof]]:
    """Proofs of the events whose `_id` or `auditID` is this text, at most so many.

    Each segment is checked whole before one of its events is proven: raises as `checked_contents`.
    """
    found = 0
    for segment in segments:
        hashes: list[bytes] = []
        lines: dict[int, bytes] = {}
        for content in checked_contents(store, segment, folder=folder):
            for index, line in _matching(content, text):
                lines[len(hashes) + index] = line
            hashes += map(leaf_hash, content.removesuffix(b"\n").split(b"\n"))
        if not lines:
            continue
        of_segment = prove_segment(catalogue, segment)
        root = merkle_root(hashes)
        for index, line in lines.items():
            event = EventProof(
                line=line,
                segment=segment.record.sha256,
                index=index,
                size=len(hashes),
                root=root,
                hashes=inclusion_proof(hashes, index),
            )
            yield segment, Proof(leaf=of_segment.leaf, tlog=of_segment.tlog, event=event)
            found += 1
            if found == most:
                return


_PLAIN: Final = re.compile("[A-Za-z0-9_.:-]+")
_DEEPEST: Final = 10
_NAMES: Final = frozenset({"auditID", "AuditId"})
_BODIES: Final = frozenset({"requestObject", "responseObject"})
"""What a user of the cluster has written, who can write anything: not looked into."""


def _matching(content: bytes, text: str) -> Iterator[tuple[int, bytes]]:
    """The lines with this id, and their places among those of the content."""
    # Such a text can only be written as it is or with \\u00xx: then bytes may be compared first.
    needle = text.encode() if _PLAIN.fullmatch(text) else None
    if needle is not None and needle not in content and b"\\u00" not in content:
        return
    for index, line in enumerate(content.removesuffix(b"\n").split(b"\n")):
        if needle is not None and needle not in line and b"\\u00" not in line:
            continue
        event = _parsed(line)
        own = event.get("_id") if isinstance(event, Mapping) else None
        if own == text or text in _audit_ids(event, _DEEPEST):
            yield index, line


def _parsed(line: bytes) -> object:
    """The event, or at least who it is; None where it is none."""
    try:
        return msgspec.json.decode(line)
    except (ValueError, RecursionError):
        pass
    # Servers take half a surrogate pair and more depth: nobody may hide an event in this way.
    for text in (line, line.partition(b',"_source":')[0] + b"}"):
        try:
            return json.loads(text.decode(errors="replace"))
        except (ValueError, RecursionError):
            continue
    return None


def _audit_ids(value: object, depth: int) -> Iterator[str]:
    """All audit ids, however a store or shipper wraps the event."""
    if depth < 0:
        return
    if isinstance(value, list):
        for each in value:
            yield from _audit_ids(each, depth - 1)
    elif isinstance(value, str) and "uditI" in value and value.lstrip()[:1] in ("{", "["):
        try:
            yield from _audit_ids(msgspec.json.decode(value), depth - 1)
        except (ValueError, RecursionError):
            return
    elif isinstance(value, Mapping):
        for name, each in value.items():
            last = str(name).rpartition(".")[2]
            if last in _NAMES and isinstance(each, str):
                yield each
            elif last not in _BODIES:
                yield from _audit_ids(each, depth - 1)


# --- checking ----------------------------------------------------------------------------------


def check_proof(proof: Proof, trust: Trust) -> CheckedProof | Fault:
    """Whether the proof holds, with nothing else than the trust file.

    Faults: PROOF_INVALID; of the checkpoint CHECKPOINT_MALFORMED, WRONG_ORIGIN, SIG_INVALID,
    KEY_OUT_OF_RANGE; FORK_VS_PIN where the pin remembers another root of that size. Only keys
    that the trust file names count: a rotation in the log is not seen here.
    """
    signed = parse_checkpoint(proof.tlog.checkpoint)
    if isinstance(signed, Fault):
        return signed
    fault = signature_fault(signed, origin=trust.origin, keys=trust.ring)
    if fault is None:
        fault = _pin_fault(signed, trust.pin) or _inclusion_fault(proof, signed)
    if fault is not None:
        return fault
    record = decode_record(proof.leaf)
    if not isinstance(record, SegmentRecord):
        return _invalid("what it proves is not the record of a segment")
    if proof.event is not None:
        fault = _event_fault(proof.event, record)
        if fault is not None:
            return fault
    return CheckedProof(record=record, checkpoint=signed, index=proof.tlog.index, event=proof.event)


def _inclusion_fault(proof: Proof, signed: SignedCheckpoint) -> Fault | None:
    # Size and root come from the checkpoint: a proof does not prove the size of its tree.
    return inclusion_fault(
        leaf=leaf_hash(proof.leaf),
        index=proof.tlog.index,
        size=signed.checkpoint.size,
        proof=proof.tlog.hashes,
        root=signed.checkpoint.root,
    )


def _event_fault(event: EventProof, record: SegmentRecord) -> Fault | None:
    """Size and root are those of the proven record; what the proof says of them has to agree."""
    if event.segment != record.sha256:
        return _invalid("the event's proof is of another segment than the record")
    if (event.size, event.root.hex()) != (record.docs, record.events_root):
        return _invalid("the event's proof is of another tree than the segment's record names")
    return inclusion_fault(
        leaf=leaf_hash(event.line),
        index=event.index,
        size=record.docs,
        proof=event.hashes,
        root=bytes.fromhex(record.events_root),
    )


def _pin_fault(signed: SignedCheckpoint, pin: Pin | None) -> Fault | None:
    checkpoint = signed.checkpoint
    if pin is None or pin.size != checkpoint.size or pin.root == checkpoint.root:
        return None
    detail = f"another root at size {pin.size} than the trust file remembers"
    return Fault(code=FindingCode.FORK_VS_PIN, detail=detail)


def _invalid(detail: str) -> Fault:
    return Fault(code=FindingCode.PROOF_INVALID, detail=detail)
