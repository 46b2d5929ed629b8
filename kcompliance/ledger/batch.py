"""The records of one commit, `log/<n>-<root>.ndjson`, and how they meet their checkpoint.

Line 1 is the canonical JSON `{"frontier": [hex…], "start": n}`: how many leaves come before, and
the frontier over them. Then one canonical leaf a line. With the checkpoint this is all that a
writer needs in order to go on: frontier and leaves must give the signed root.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kcompliance.ledger.canonical import (
    MAX_INTEGER,
    MAX_RECORD_BYTES,
    canonical_bytes,
    parse_canonical,
)
from kcompliance.ledger.checkpoint import Checkpoint
from kcompliance.ledger.findings import Fault, FindingCode, Refused
from kcompliance.ledger.merkle import Frontier, leaf_hash
from kcompliance.ledger.record_codecs import decode_record, encode_record
from kcompliance.ledger.records import (
    CommitRecord,
    GenesisRecord,
    Record,
    UnsupportedRecord,
)
from kcompliance.ledger.schema import TEXT, UnfitError, integer, list_of

__all__ = [
    "Batch",
    "Leaf",
    "batch_fault",
    "decode_leaves",
    "faults_of",
    "read_batch",
    "write_batch",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The leaves of a commit, as bytes, and the frontier over those before them."""

    before: Frontier
    leaves: tuple[bytes, ...]

    @property
    def start(self) -> int:
        """The index of the first leaf."""
        return self.before.size

    @property
    def after(self) -> Frontier:
        """The frontier over all leaves up to this commit's last: hashes them all."""
        return self.before.extended(map(leaf_hash, self.leaves))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf at its place in the log."""

    index: int
    data: bytes
    record: Record | UnsupportedRecord | Fault


def write_batch(before: Frontier, records: Iterable[Record]) -> tuple[Batch, bytes]:
    """The batch of these records, and its bytes; ValueError where it would not be read back."""
    batch = Batch(before=before, leaves=tuple(encode_record(record) for record in records))
    head = canonical_bytes({"start": before.size, "frontier": before.to_hex()})
    data = b"".join(line + b"\n" for line in (head, *batch.leaves))
    reread = read_batch(data)
    faults = [reread] if isinstance(reread, Fault) else faults_of(decode_leaves(reread))
    if faults:
        raise ValueError(f"this cannot be a commit: {faults[0].detail}")
    return batch, data


def read_batch(data: bytes) -> Batch | Fault:
    """Take a batch apart; its leaves are not looked into. The fault is LEAF_MALFORMED."""
    if not data.endswith(b"\n"):
        return _malformed("the last line does not end")
    head, *leaves = data.removesuffix(b"\n").split(b"\n")
    before = _read_head(head)
    if isinstance(before, Refused):
        return _malformed(f"line 1: {before.reason}")
    if len(leaves) < (1 if before.size else 2):
        return _malformed("no commit")
    for line, leaf in enumerate(leaves, start=2):
        if not 0 < len(leaf) <= MAX_RECORD_BYTES:
            return _malformed(f"line {line}: {len(leaf)} bytes where a leaf stands")
    if before.size + len(leaves) > MAX_INTEGER:
        return _malformed("more leaves than can be counted")
    return Batch(before=before, leaves=tuple(leaves))


def batch_fault(
    batch: Batch, checkpoint: Checkpoint, *, previous: Frontier | None = None
) -> Fault | None:
    """None: these leaves, after `previous`, are what the checkpoint signs.

    Without `previous` (a writer reads the last commit only) the frontier is taken as it stands:
    it cannot be another than the true one, since the root was signed.
    """
    if previous is not None and batch.before != previous:
        return _mismatch(f"starts at leaf {batch.start} with another frontier or size than before")
    after = batch.after
    if after.size != checkpoint.size:
        return _mismatch(f"{after.size} leaves where {checkpoint.size} were signed")
    if after.root != checkpoint.root:
        return _mismatch(f"leads to {after.root.hex()} where {checkpoint.root.hex()} was signed")
    return None


def decode_leaves(batch: Batch) -> tuple[Leaf, ...]:
    """All leaves as records, or with the fault that a leaf has.

    Genesis is the first leaf of an archive and the commit the next, or the first of a later
    commit; in any other place each is LEAF_MALFORMED.
    """
    return tuple(
        Leaf(index=index, data=data, record=_decode(index, data, batch.start))
        for index, data in enumerate(batch.leaves, start=batch.start)
    )


def faults_of(leaves: Iterable[Leaf]) -> list[Fault]:
    """The faults of malformed and of unsupported leaves, each naming its leaf."""
    faults = []
    for leaf in leaves:
        fault = leaf.record.fault if isinstance(leaf.record, UnsupportedRecord) else leaf.record
        if isinstance(fault, Fault):
            faults.append(replace(fault, detail=f"leaf {leaf.index}: {fault.detail}"))
    return faults


def _decode(index: int, data: bytes, start: int) -> Record | UnsupportedRecord | Fault:
    record = decode_record(data)
    head = type(record) if isinstance(record, GenesisRecord | CommitRecord) else None
    if isinstance(record, Fault | UnsupportedRecord) or head is _expected(index, start):
        return record
    return _malformed(f"a {type(record).__name__} has no place there")


def _expected(index: int, start: int) -> type[GenesisRecord | CommitRecord] | None:
    if index == 0:
        return GenesisRecord
    return CommitRecord if index == max(start, 1) else None


_NODES = list_of(TEXT)
_START = integer(0)


def _read_head(line: bytes) -> Frontier | Refused:
    value = parse_canonical(line)
    if isinstance(value, Refused):
        return value
    if value.keys() != {"start", "frontier"}:
        return Refused("not exactly start and frontier")
    try:
        return Frontier.from_hex(_START.read(value["start"]), _NODES.read(value["frontier"]))
    except UnfitError as error:
        return Refused(str(error))


def _malformed(reason: str) -> Fault:
    return Fault(code=FindingCode.LEAF_MALFORMED, detail=reason)


def _mismatch(reason: str) -> Fault:
    return Fault(code=FindingCode.ROOT_MISMATCH, detail=reason)
