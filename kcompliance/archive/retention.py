"""How long objects are locked, and which of the log have to be locked for longer.

Segments are locked until the date of their records. What explains them, the log and all that
belongs to it, is locked a year longer than any of them, and so for longer and longer while an
archive grows: each run extends what would lapse soon.

Which objects may lapse follows from when they were committed. Whether they do only the store can
say, since an earlier run may have extended them. So that an hourly run of an old archive does not
ask for tens of thousands of objects, each has its turn once a month: three times before it lapses.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from kcompliance.archive.records import retained_until
from kcompliance.archive.state import ArchiveState
from kcompliance.ledger import LockMode, Period, SegmentRecord
from kcompliance.stores.interface import Lock, NotThere, Store
from kcompliance.stores.interface import LockMode as StoreMode

__all__ = ["Locks", "due_keys", "extend", "lengthen"]

_LOG_IS_KEPT_LONGER: Final = Period(years=1)
_LONGEST_UNIT: Final = timedelta(days=1)
_SOON: Final = timedelta(days=90)
_TURN: Final = timedelta(days=30)
_SECONDS: Final = int(_TURN.total_seconds())
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_THREADS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """How long a run's objects are locked; None: not at all."""

    retain: Period
    mode: LockMode

    def of_segment(self, end: datetime | None, begun: datetime) -> datetime | None:
        """A date that is not before the record's, if the commit comes within a day."""
        if self.mode is LockMode.NONE:
            return None
        return retained_until(self.retain, end, begun + _LONGEST_UNIT)

    def of_log(self, latest: datetime | None, now: datetime) -> datetime | None:
        """A year longer than any object of the archive, `latest` being the last of those known."""
        if self.mode is LockMode.NONE:
            return None
        own = self.retain.after(now + _LONGEST_UNIT)
        return _LOG_IS_KEPT_LONGER.after(own if latest is None else max(own, latest))


def lengthen(
    store: Store, segments: Iterable[SegmentRecord], *, begun: datetime, committed: datetime
) -> None:
    """Lock the segments of a unit that took longer than a day until the dates of their records."""
    if committed - begun <= _LONGEST_UNIT:
        return
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="retain") as pool:
        for _ in pool.map(partial(_retain_segment, store), segments):
            pass


def due_keys(
    state: ArchiveState,
    others: Iterable[str],
    *,
    mode: LockMode,
    since: datetime | None,
    now: datetime,
) -> Iterator[str]:
    """The objects of the log that may lapse soon, or may not be locked like this at all.

    Only those whose turn came after `since`; None: all. `others` are objects that belong to the
    log without being named in it. Pure.
    """
    for commit in state.commits:
        if commit.latest_retention is not None and _is_at_least(commit.mode, mode):
            locked_until = _LOG_IS_KEPT_LONGER.after(commit.latest_retention)
            if locked_until > now + _SOON:
                continue
        yield from (key for key in commit.keys if _has_turn(key, since, now))
    yield from (key for key in others if _has_turn(key, since, now))


def extend(
    store: Store, keys: Iterable[str], *, mode: LockMode, until: datetime, now: datetime
) -> int:
    """Lock those of these objects that lapse soon, or are locked less; how many were."""
    enough = Lock(mode=StoreMode(mode.value), until=now + _SOON)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="retain") as pool:
        return sum(pool.map(partial(_extend_one, store, enough, until), keys))


def _is_at_least(mode: LockMode, wanted: LockMode) -> bool:
    return mode.strictness >= wanted.strictness


def _has_turn(key: str, since: datetime | None, now: datetime) -> bool:
    if since is None:
        return True
    place = timedelta(seconds=int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % _SECONDS)
    return now - (now - _EPOCH - place) % _TURN > since


def _extend_one(store: Store, enough: Lock, until: datetime, key: str) -> bool:
    try:
        head = store.head(key)
        if head.lock is not None and head.lock.covers(enough):
            return False
        store.retain(key, head.version_id, until)
    except NotThere:
        return False  # which is for `verify` to tell
    return True


def _retain_segment(store: Store, record: SegmentRecord) -> None:
    if record.retain_until is not None:
        store.retain(record.key, record.version_id, record.retain_until)
