"""Compares what the records name with what was listed: level 1."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from unicodedata import normalize

from kcompliance.archive.verify.freshness import CLOCKS_DIFFER
from kcompliance.archive.verify.inventory import Expected, Kind, fault_of
from kcompliance.archive.verify.listing import Listed, Listing
from kcompliance.ledger import AnchorName, CheckpointName, Fault, FindingCode, parse_name
from kcompliance.stores.interface import Entry

__all__ = ["Found", "Strangers", "find", "size_fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where an expected object lies."""

    fault: Fault | None
    """What is wrong with its name."""
    version: str | None
    """The one to read; None where there is but one, or none is kept."""
    size: int
    readable: bool = True
    """False for a link and the like, which the listing tells."""


def find(listing: Listing, expected: Expected) -> Found | None:
    """The object's place in the listing; None where it is not listed."""
    listed = listing.find(expected.key)
    if listed is None:
        return None
    listing.take(listed)
    if expected.key in listing.irregular:
        return Found(fault=None, version=None, size=listed.size, readable=False)
    if not listed.versions:
        return Found(fault=None, version=None, size=listed.size)
    return _among_versions(listed, expected)


def size_fault(expected: Expected, found: Found) -> Fault | None:
    """What an object's size alone says of it, for who does not read it."""
    if expected.size is None or found.size == expected.size:
        return None
    detail = f"{found.size} bytes where {expected.size} were recorded"
    match expected.kind:
        case Kind.SEGMENT if found.size < expected.size:
            code = FindingCode.SEGMENT_TRUNCATED
        case Kind.SEGMENT:
            code = FindingCode.SEGMENT_MODIFIED
        case Kind.METADATA:
            code = FindingCode.METADATA_MODIFIED
        case Kind.RUN:
            code = FindingCode.RUN_MODIFIED
        case _:
            code = FindingCode.UNEXPECTED_OBJECT
    return fault_of(expected, code, detail)


def _among_versions(listed: Listed, expected: Expected) -> Found | None:
    contents = listed.contents
    if not contents:
        return None  # only markers are left
    recorded = next((each for each in contents if each.version_id == expected.version_id), None)
    # Without a recorded version the oldest one is what a writer put who never puts a second.
    ours: Entry = recorded if expected.version_id and recorded else contents[-1]
    fault = None
    if listed.is_hidden:
        detail = f"it was deleted; its version {ours.version_id} is still there"
        fault = fault_of(expected, FindingCode.DELETE_MARKER, detail)
    elif not ours.is_latest:
        newest = contents[0]
        detail = f"version {newest.version_id} of {newest.modified:%Y-%m-%d %H:%M:%S} lies over it"
        fault = fault_of(expected, FindingCode.SHADOW_VERSION, detail)
    return Found(fault=fault, version=ours.version_id, size=ours.size)


# --- what no record explains --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Judges the names that nobody has taken."""

    listing: Listing
    as_of: datetime
    grace: timedelta
    told: frozenset[str]
    """The names that findings of the log are about."""
    last: int
    """The number of the last commit; -1 where none is believed."""
    lost: str | None
    """Where records are lost: what they named is unexplained for that reason."""
    unread: bool
    """Whether records were not read; then nobody can say what they would have explained."""
    newer: str | None
    """Where a record is that this kcompliance does not know, which may explain objects."""

    def faults(self) -> Iterator[Fault]:
        """One for each, but for those that nothing can be said of."""
        folded: dict[str, str] = {}
        for listed in self.listing.left():
            fault = self._fault(listed, folded)
            if fault is not None:
                yield fault

    def _fault(self, listed: Listed, folded: dict[str, str]) -> Fault | None:
        key = listed.key
        if key in self.listing.irregular:
            return None
        if listed.is_hidden:
            return self._hidden(listed)
        if key in self.told:
            return self._shadowed(listed)
        if self.last < 0:
            return None  # where no commit is believed, nothing can be said of any object
        other = self._collision(key, folded)
        if other is not None:
            detail = f'some systems take it for "{other}"'
            return Fault(code=FindingCode.NAME_COLLISION, detail=detail, object=key)
        return self._unexplained(listed)

    def _hidden(self, listed: Listed) -> Fault | None:
        """A deleted object whose older versions are there: one that the log misses, or its tail.

        Others may be gone: who clears up what a dead run left does no wrong.
        """
        name = parse_name(listed.key)
        is_tail = isinstance(name, CheckpointName) and name.number > self.last
        if not listed.contents or not (is_tail or listed.key in self.told):
            return None
        detail = "it was deleted; an older version is still there"
        return Fault(code=FindingCode.DELETE_MARKER, detail=detail, object=listed.key)

    def _shadowed(self, listed: Listed) -> Fault | None:
        """What was read of the log was the newest version, and there is something wrong with it."""
        if len(listed.contents) < 2:
            return None
        newest = listed.contents[0]
        detail = f"version {newest.version_id} of {newest.modified:%Y-%m-%d %H:%M:%S} lies over it"
        return Fault(code=FindingCode.SHADOW_VERSION, detail=detail, object=listed.key)

    def _collision(self, key: str, folded: dict[str, str]) -> str | None:
        """Another name that differs in case or in the form of Unicode only."""
        fold = normalize("NFC", normalize("NFC", key).casefold())
        if fold != key and self.listing.find(fold) is not None:
            return fold
        other = folded.setdefault(fold, key)
        return other if other != key else None

    def _unexplained(self, listed: Listed) -> Fault | None:
        name = parse_name(listed.key)
        unexpected = FindingCode.UNEXPECTED_OBJECT
        if name is None:
            detail = "no object of an archive has such a name"
            return Fault(code=unexpected, detail=detail, object=listed.key)
        if self.unread:
            return None
        if self.newer is not None:
            return Fault(
                code=FindingCode.UNSUPPORTED_RECORD,
                detail="no record that this kcompliance knows explains it",
                object=listed.key,
                caused_by=self.newer,
            )
        age = self.as_of - listed.modified
        is_young = -CLOCKS_DIFFER <= age < self.grace
        may_be_early = not isinstance(name, CheckpointName | AnchorName)
        if is_young and may_be_early and self.lost is None:
            detail = f"put at {listed.modified:%Y-%m-%dT%H:%M:%SZ}, and no commit names it yet"
            return Fault(code=FindingCode.UNCOMMITTED, detail=detail, object=listed.key)
        detail = "no record explains it"
        return Fault(code=unexpected, detail=detail, object=listed.key, caused_by=self.lost)
