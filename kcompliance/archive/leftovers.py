"""Objects that dead runs left: found through their signed intents, and explained in the log.

An object is a leftover only where the signed intent of a run that never committed says that this
run was about to write it. Whatever else lies in an archive stays unexplained, and `verify` tells
it. A run that is alive is taken for dead without harm: its own commit names its objects later,
and that counts. Where it dies after that, or a server creates what it was sent by a run that was
killed meanwhile, there is more to explain than was seen: so dead runs are looked at again for some
days.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

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
)
from kcompliance.ledger.findings import Refused
from kcompliance.model.digest import Sha256
from kcompliance.stores.interface import Entry, NotThere, Store

__all__ = ["abandoned_records", "dead_runs"]

_OBJECTS_A_RECORD = 200
"""So that a record stays below the size of a leaf."""

_MAY_YET_WRITE = timedelta(days=7)
"""How long after its intent a run that was taken for dead is looked at again."""

_DAYS_LISTED_ALONE = 62
"""More days of a stream are faster listed with all others."""
_MOST_DAYS = timedelta(days=_DAYS_LISTED_ALONE)


def dead_runs(
    store: Store,
    state: ArchiveState,
    *,
    keys: KeyRing,
    but: UUID | None = None,
    again_since: datetime | None = None,
) -> dict[str, Intent]:
    """The intents of runs of this stream (or of none) without a commit, by the object's name.

    `but` is the run that asks. Of those that the log has abandoned only the ones that the store
    has since `again_since`.
    """
    found = {}
    for entry in store.list("run/"):
        name = parse_name(entry.key)
        if not isinstance(name, RunName) or name.run in state.runs or name.run == but:
            continue
        is_known = entry.key in state.abandoned
        if is_known and (again_since is None or entry.modified < again_since):
            continue
        if entry.size > MAX_RUN_BYTES:
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
    again: bool = False,
) -> list[AbandonedRecord]:
    """The records that explain what dead runs of this stream left.

    `own` is the run that asks, and `keep` names the objects that it is about to commit. Where it
    `lost` a commit to another writer, what it wrote besides those is left, too. `again`: also look
    for more of runs that were abandoned lately.
    """
    since = own.time - _MAY_YET_WRITE if again else None
    dead = dead_runs(store, state, keys=keys, but=own.id, again_since=since)
    runs: list[tuple[str | None, Intent]] = sorted(dead.items(), key=lambda item: item[1].time)
    if lost:
        runs.append((None, own))
    if not runs:
        return []
    taken = {*keep, *state.abandoned}
    prefixes = _prefixes(state, [intent for _, intent in runs])
    found = _candidates(store, state, prefixes)
    entries = {entry.key: entry for entry in found if entry.key not in taken}
    records: list[AbandonedRecord] = []
    for key, intent in runs:
        own_key = [key] if key is not None and key not in taken else []
        names = [
            name
            for name, entry in entries.items()
            if name not in taken and _is_of(entry, name, intent, store)
        ]
        taken.update(names)
        records += _records(store, state, intent, [*own_key, *names])
    return records


def _prefixes(state: ArchiveState, intents: Iterable[Intent]) -> list[str]:
    """Where the objects of these runs are: their segments by days, if those are few."""
    ranges = {each for intent in intents for each in intent.windows}
    days: set[datetime] = set()
    for each in ranges:
        if each.start is None or each.end is None or each.end - each.start > _MOST_DAYS:
            return [f"seg/{state.stream}/", "meta/", "log/"]
        day = each.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < each.end:
            days.add(day)
            day += timedelta(days=1)
    if len(days) > _DAYS_LISTED_ALONE:
        return [f"seg/{state.stream}/", "meta/", "log/"]
    listed = [f"seg/{state.stream}/{day:%Y/%m/%d}/" for day in sorted(days)]
    return [*listed, *(["meta/"] if ranges else []), "log/"]


def _candidates(store: Store, state: ArchiveState, prefixes: Iterable[str]) -> Iterator[Entry]:
    """All objects that no record names, of the kinds that a run of this stream may leave."""
    for prefix in prefixes:
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
