"""Objects that dead runs left: found through their signed intents, and explained in the log.

An object is a leftover only where the signed intent of a run that never committed says that this
run was about to write it. Whatever else lies in an archive stays unexplained, and `verify` tells
it. A run that is alive is taken for dead without harm: its own commit names its objects later,
and that counts.
"""

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice

from kcompliance.archive.log import MAX_BATCH_BYTES
from kcompliance.archive.run_object import MAX_RUN_BYTES, Intent, read_intent
from kcompliance.archive.state import ArchiveState
from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    CommitRecord,
    Fault,
    KeyRing,
    LogName,
    MetadataName,
    RunName,
    SegmentName,
    decode_leaves,
    parse_name,
    read_batch,
    run_name,
)
from kcompliance.ledger.findings import Refused
from kcompliance.model.digest import Sha256
from kcompliance.stores.interface import Entry, NotThere, Store

__all__ = ["abandoned_records", "dead_runs"]

_OBJECTS_A_RECORD = 200
"""So that a record stays below the size of a leaf."""


def dead_runs(store: Store, state: ArchiveState, *, keys: KeyRing) -> dict[str, Intent]:
    """The intents of runs of this stream (or of none) without a commit, by the object's name."""
    found = {}
    for entry in store.list("run/"):
        name = parse_name(entry.key)
        if not isinstance(name, RunName) or name.run in state.runs:
            continue
        if entry.key in state.abandoned or entry.size > MAX_RUN_BYTES:
            continue
        try:
            intent = read_intent(store.get(entry.key), keys=keys)
        except NotThere:
            continue
        if isinstance(intent, Refused) or intent.id != name.run:
            continue
        if intent.stream in {None, state.stream}:
            found[entry.key] = intent
    return found


def abandoned_records(
    store: Store,
    state: ArchiveState,
    *,
    keys: KeyRing,
    own: Intent,
    keep: Collection[str] = (),
    lost: bool = False,
) -> list[AbandonedRecord]:
    """The records that explain what dead runs of this stream left.

    `own` is the run that asks, and `keep` names the objects that it is about to commit. Where it
    `lost` a commit to another writer, what it wrote besides those is left, too.
    """
    dead = dead_runs(store, state, keys=keys)
    dead.pop(run_name(own.id), None)
    runs: list[tuple[str | None, Intent]] = sorted(dead.items(), key=lambda item: item[1].time)
    if lost:
        runs.append((None, own))
    if not runs:
        return []
    taken = {*keep, *state.abandoned}
    entries = {entry.key: entry for entry in _candidates(store, state) if entry.key not in taken}
    records: list[AbandonedRecord] = []
    for key, intent in runs:
        left = [name for name, entry in entries.items() if _is_of(entry, name, intent, store)]
        names = [name for name in left if name not in taken]
        taken.update(names)
        records += _records(store, state, intent, [key, *names] if key else names)
    return records


def _candidates(store: Store, state: ArchiveState) -> Iterator[Entry]:
    """All objects that no record names, of the kinds that a run of this stream may leave."""
    for prefix in (f"seg/{state.stream}/", "meta/", "log/"):
        for entry in store.list(prefix):
            match parse_name(entry.key):
                case SegmentName(sha256=sha256):
                    is_free = sha256 not in state.segments
                case MetadataName(sha256=sha256):
                    is_free = sha256 not in state.metadata
                case LogName():
                    is_free = entry.key not in state.batches
                case _:
                    is_free = False
            if is_free:
                yield entry


def _is_of(entry: Entry, key: str, intent: Intent, store: Store) -> bool:
    """Whether the run of this intent may have written the object."""
    match parse_name(key):
        case SegmentName(hour=hour):
            return any(_overlaps(each.start, each.end, hour) for each in intent.windows)
        case MetadataName():
            return bool(intent.windows)
        case LogName():
            return entry.size <= MAX_BATCH_BYTES and _run_of(store, key) == str(intent.id)
        case _:
            return False


def _overlaps(start: datetime | None, end: datetime | None, hour: datetime | None) -> bool:
    """Whether a window of the range begins in this hour."""
    if start is None or end is None:
        return True
    if hour is None:
        return False
    return start.replace(minute=0, second=0, microsecond=0) <= hour < end


def _run_of(store: Store, key: str) -> str | None:
    try:
        batch = read_batch(store.get(key))
    except NotThere:
        return None
    if isinstance(batch, Fault):
        return None
    for leaf in decode_leaves(batch)[:2]:
        if isinstance(leaf.record, CommitRecord):
            return str(leaf.record.run.id)
    return None


def _records(
    store: Store, state: ArchiveState, intent: Intent, keys: list[str]
) -> Iterator[AbandonedRecord]:
    objects = iter(each for key in keys if (each := _object(store, key)) is not None)
    while part := tuple(islice(objects, _OBJECTS_A_RECORD)):
        yield AbandonedRecord(stream=state.stream, run=intent.id, objects=part)


def _object(store: Store, key: str) -> AbandonedObject | None:
    """With the digest of what is really there, whatever the name says."""
    digest, size = hashlib.sha256(), 0
    try:
        for piece in store.read(key):
            digest.update(piece)
            size += len(piece)
    except NotThere:
        return None
    return AbandonedObject(key=key, size=size, sha256=Sha256(digest.hexdigest()))
