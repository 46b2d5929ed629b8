"""What the records of a commit have to do with the checkpoint that they were found by."""

from dataclasses import replace

from kcompliance.archive.log_objects import FetchedBatch, FetchedCommit
from kcompliance.ledger import (
    Batch,
    Checkpoint,
    Fault,
    FindingCode,
    SignedCheckpoint,
    VerifierKey,
    batch_fault,
    decode_leaves,
    faults_of,
    introduced_keys,
    read_batch,
)
from kcompliance.ledger.records import Record, UnsupportedRecord

__all__ = ["all_faults_of", "introduced_by", "records_of", "records_under"]

_KEY_RECORD = b'"type":"key"'
"""In the canonical bytes of every record of a key."""


def records_under(
    signed: SignedCheckpoint, batch: bytes | None
) -> tuple[Record | UnsupportedRecord, ...]:
    """The records below a checkpoint that is not believed yet, if they lead to its root."""
    read = read_batch(batch) if batch else None
    if read is None or isinstance(read, Fault):
        return ()
    return _records_below(signed, read)


def _records_below(
    signed: SignedCheckpoint, batch: Batch
) -> tuple[Record | UnsupportedRecord, ...]:
    if batch_fault(batch, signed.checkpoint) is not None:
        return ()
    return tuple(leaf.record for leaf in decode_leaves(batch) if not isinstance(leaf.record, Fault))


def introduced_by(fetched: FetchedCommit, signed: SignedCheckpoint) -> tuple[VerifierKey, ...]:
    """The keys that a commit's own records bring in; few commits do, and only those are decoded."""
    found = fetched.batch
    if not isinstance(found, FetchedBatch):
        return ()
    if not any(_KEY_RECORD in leaf for leaf in found.batch.leaves):
        return ()
    return introduced_keys(_records_below(signed, found.batch))


def records_of(fetched: FetchedCommit, signed: SignedCheckpoint) -> FetchedBatch | Fault:
    """The records, if they lead to the root that was signed; a fault where they do not."""
    found = fetched.batch
    if found is None:
        raise TypeError("a checkpoint that was read names its batch")
    if isinstance(found, Fault):
        return found
    fault = batch_fault(found.batch, signed.checkpoint)
    if fault is None:
        return found
    if _missing_leaves(found.batch, signed.checkpoint) > 0:
        fault = replace(fault, code=FindingCode.LEAF_MISSING)
    return replace(fault, object=found.key)


def _missing_leaves(batch: Batch, checkpoint: Checkpoint) -> int:
    return checkpoint.size - batch.before.size - len(batch.leaves)


def all_faults_of(fault: Fault, fetched: FetchedCommit, signed: SignedCheckpoint) -> list[Fault]:
    """The records that were bent, where that can be seen of them, rather than what follows."""
    found = fetched.batch
    if fault.code is not FindingCode.ROOT_MISMATCH or not isinstance(found, FetchedBatch):
        return [fault]
    if _missing_leaves(found.batch, signed.checkpoint) != 0:
        return [fault]  # nor is there an end to what somebody may have added
    bent = [leaf for leaf in decode_leaves(found.batch) if isinstance(leaf.record, Fault)]
    return [replace(each, object=fault.object) for each in faults_of(bent)] or [fault]
