"""Objects read to their last byte and compared with what was signed for them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.archive.run_object import read_intent
from kcompliance.archive.segment_reader import check_object, read_metadata
from kcompliance.archive.verify.interface import Meter
from kcompliance.archive.verify.inventory import Expected, ExpectedRun, Kind, fault_of
from kcompliance.ledger import (
    AbandonedObject,
    Fault,
    FindingCode,
    MetadataRecord,
    Refused,
    SegmentRecord,
)
from kcompliance.ledger.canonical import MAX_RECORD_BYTES
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import Damaged, NotThere, Store, StoreError

__all__ = ["MISSING", "MODIFIED", "Good", "check_contents", "missing", "still_missing"]

MODIFIED = {
    Kind.SEGMENT: FindingCode.SEGMENT_MODIFIED,
    Kind.METADATA: FindingCode.METADATA_MODIFIED,
    Kind.RUN: FindingCode.RUN_MODIFIED,
    Kind.ABANDONED: FindingCode.UNEXPECTED_OBJECT,
}
"""What other bytes than the recorded ones are."""

MISSING = {
    Kind.SEGMENT: FindingCode.SEGMENT_MISSING,
    Kind.METADATA: FindingCode.METADATA_MISSING,
    Kind.RUN: FindingCode.RUN_MISSING,
}
"""An abandoned object may be gone."""


@dataclass(frozen=True, slots=True)
class Good:
    """An object that is what was recorded."""

    size: int
    docs: int = 0


def check_contents(
    store: Store, expected: Expected, *, version: str | None, lines: bool, meter: Meter
) -> Good | Fault | None:
    """Read an object and judge it. None: it is gone, and nothing says that it may not be.

    A store that gives no answer becomes READ_FAILED: nothing is said of the object then.
    """
    try:
        return _check(store, expected, version, meter, lines=lines)
    except NotThere:
        return missing(expected)
    except Damaged as error:
        return fault_of(expected, MODIFIED[expected.kind], error.message)
    except StoreError as error:
        return fault_of(expected, FindingCode.READ_FAILED, error.message)


def still_missing(store: Store, expected: Expected) -> Fault | None:
    """Look once more for an object that was not listed: it may have been put since."""
    try:
        store.head(expected.key)
    except NotThere:
        return missing(expected)
    except StoreError as error:
        return fault_of(expected, FindingCode.READ_FAILED, error.message)
    return None


def missing(expected: Expected) -> Fault | None:
    """The finding of an object that is not there."""
    code = MISSING.get(expected.kind)
    return None if code is None else fault_of(expected, code, "it is not there")


def _check(
    store: Store, expected: Expected, version: str | None, meter: Meter, *, lines: bool
) -> Good | Fault:
    record = expected.record
    if isinstance(record, ExpectedRun):
        return _check_run(store, expected, record, version, meter)
    pieces = _metered(store.read(expected.key, version=version), meter)
    match record:
        case SegmentRecord():
            found = check_object(record, pieces, lines=lines)
            return found if isinstance(found, Fault) else Good(record.size, record.docs)
        case MetadataRecord():
            content = read_metadata(record, pieces)
            return content if isinstance(content, Fault) else Good(record.size)
        case AbandonedObject():
            return _check_abandoned(expected, record, pieces)
        case None:
            raise TypeError(f"{expected.key} has no record to compare it with")


def _metered(pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        meter.advance(size=len(piece))


def _check_run(
    store: Store, expected: Expected, run: ExpectedRun, version: str | None, meter: Meter
) -> Good | Fault:
    data = store.get(expected.key, end=MAX_RECORD_BYTES + 1, version=version)
    meter.advance(size=len(data))
    code = FindingCode.RUN_MODIFIED
    if (len(data), sha256(data)) != (run.reference.size, run.reference.sha256):
        return fault_of(expected, code, "its bytes are not those that the commit names")
    if len(data) > MAX_RECORD_BYTES:
        return fault_of(expected, code, f"more than {MAX_RECORD_BYTES} bytes")
    intent = read_intent(data, origin=run.origin, keys=run.keys)
    if isinstance(intent, Refused):
        return fault_of(expected, code, f"its bytes are as committed, but: {intent.reason}")
    if intent.id != run.reference.id:
        return fault_of(expected, code, f"it is the intent of the run {intent.id}")
    return Good(len(data))


def _check_abandoned(
    expected: Expected, left: AbandonedObject, pieces: Iterator[bytes]
) -> Good | Fault:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        if size > left.size:
            break
    if (size, digest.hexdigest()) == (left.size, left.sha256):
        return Good(size)
    detail = "a dead run left an object of this name, but not these bytes"
    return fault_of(expected, FindingCode.UNEXPECTED_OBJECT, detail)
