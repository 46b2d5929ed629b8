"""Finds what a user names: a stream, or a segment by its digest, a part of that, or its key."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from kcompliance.archive.catalogue import (
    ArchivedCommit,
    ArchivedSegment,
    Catalogue,
    CataloguedStream,
)
from kcompliance.errors import UsageError
from kcompliance.ledger import Fault, FindingCode, LockMode, StreamName, WindowRecord, format_time
from kcompliance.stores.interface import Head, Lock, NotThere, Store
from kcompliance.stores.interface import LockMode as StoreLockMode

__all__ = ["SeenSegment", "find_segment", "find_stream", "look_at"]

MIN_PREFIX: Final = 6
"""Digits of a digest."""

_SHOWN: Final = 5


def find_stream(catalogue: Catalogue, name: str) -> CataloguedStream:
    """The stream of this name; `UsageError` with the nearest one where there is none."""
    stream = catalogue.streams.get(StreamName(name))
    if stream is not None:
        return stream
    known = list(catalogue.streams)
    near = get_close_matches(name, known, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    else:
        hint = f"there are: {', '.join(known[:_SHOWN])}" if known else "it has no stream at all"
    raise UsageError(f'no stream "{name}" in "{catalogue.url}"', hint)


def find_segment(catalogue: Catalogue, text: str) -> ArchivedSegment:
    """The segment of this key, or the one whose sha256 is or begins with this; `UsageError`."""
    for stream in catalogue.streams.values():
        if text in stream.segments:
            return stream.segments[text]
    prefix = text.lower()
    is_hex = all(digit in "0123456789abcdef" for digit in prefix)
    if not is_hex or not MIN_PREFIX <= len(prefix) <= 64:
        raise UsageError(
            f'no segment "{text}" in "{catalogue.url}"',
            f"name its sha256, {MIN_PREFIX} digits of it or more, or its key",
        )
    found = [each for each in catalogue.segments if each.record.sha256.startswith(prefix)]
    if not found:
        raise UsageError(f'no segment "{text}" in "{catalogue.url}"', "is it another archive's?")
    if len(found) > 1:
        keys = ", ".join(each.record.key for each in found[:_SHOWN])
        raise UsageError(f'"{text}" is one of {len(found)} segments', f"name its key: {keys}, …")
    return found[0]


# --- one segment ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSegment:
    """A segment with all that is known of it without reading it."""

    segment: ArchivedSegment
    commit: ArchivedCommit
    windows: tuple[WindowRecord, ...]
    """That name it; none for one that no window came of."""
    head: Head | None
    """None: it is not there."""
    findings: tuple[Fault, ...]


def look_at(store: Store, catalogue: Catalogue, segment: ArchivedSegment) -> SeenSegment:
    """Ask the store for a segment; raises `StoreError` where that gives no answer."""
    record = segment.record
    stream = catalogue.streams[record.stream]
    head = _head(store, segment)
    return SeenSegment(
        segment=segment,
        commit=catalogue.commits[segment.commit],
        windows=tuple(
            window
            for window in stream.windows
            if record.sha256 in window.segments and window.start == record.start
        ),
        head=head,
        findings=tuple(_findings(catalogue, segment, head)),
    )


def _head(store: Store, segment: ArchivedSegment) -> Head | None:
    record = segment.record
    for version in dict.fromkeys((record.version_id, None)):  # a copy has versions of its own
        try:
            return store.head(record.key, version=version)
        except NotThere:
            continue
    return None


def _findings(catalogue: Catalogue, segment: ArchivedSegment, head: Head | None) -> Iterator[Fault]:
    record = segment.record

    def fault(code: FindingCode, detail: str) -> Fault:
        return Fault(code=code, detail=detail, object=record.key, stream=record.stream)

    if head is None:
        yield fault(FindingCode.SEGMENT_MISSING, "a recorded segment is not there")
        return
    if head.size != record.size:
        detail = f"{head.size} bytes, where {record.size} are recorded"
        code = FindingCode.SEGMENT_TRAILING_DATA
        if head.size < record.size:
            code = FindingCode.SEGMENT_TRUNCATED
        yield fault(code, detail)
    elif head.sha256 is not None and head.sha256 != record.sha256:
        yield fault(FindingCode.SEGMENT_MODIFIED, "the store names another digest")
    if catalogue.lock_mode is LockMode.NONE or record.retain_until is None:
        return
    wanted = Lock(mode=StoreLockMode(catalogue.lock_mode.value), until=record.retain_until)
    if head.lock is None or not head.lock.covers(wanted):
        detail = f"not locked as its record asks, until {format_time(record.retain_until)}"
        yield fault(FindingCode.WORM_WEAK, detail)
