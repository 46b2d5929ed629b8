"""What lies in an archive's store, in a table of about two hundred bytes an object.

An archive may hold millions of objects, and nearly all of them are what their records say. So
names are kept as bytes in one row, and only what is special about an object (several versions, a
name that is no regular file) as Python's own values.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from kcompliance.archive.verify.folder import Irregular
from kcompliance.ledger import FindingCode
from kcompliance.stores.interface import Entry

__all__ = ["Listed", "Listing"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One name that was found, with its newest version."""

    place: int
    """In the table."""
    key: str
    size: int
    version_id: str | None
    modified: datetime
    versions: tuple[Entry, ...] = ()
    """All that is under this name, the newest first; empty where there is one version, visible."""

    @property
    def is_hidden(self) -> bool:
        """Whether a reader who names no version finds nothing."""
        return bool(self.versions) and not any(
            each.is_latest and not each.is_delete_marker for each in self.versions
        )

    @property
    def contents(self) -> tuple[Entry, ...]:
        """The versions that are no delete markers, the newest first."""
        return tuple(each for each in self.versions if not each.is_delete_marker)


class Listing:
    """All names in a store, in the order of their bytes; each can be taken."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._name_ends = array("Q")
        self._ends = array("Q")
        self._sizes = array("Q")
        self._modified = array("d")
        self._versions: dict[int, tuple[Entry, ...]] = {}
        self._taken = bytearray()
        self._order: list[int] | None = None
        self.irregular: dict[str, FindingCode] = {}
        """The names of links and the like."""

    @classmethod
    def of(cls, entries: Iterable[Entry], irregular: Irregular) -> "Listing":
        """The table of a listing of versions."""
        listing = cls()
        for key, group in groupby(entries, key=lambda entry: entry.key):
            if not key:
                continue  # what consoles put to show the folder that the archive lies in
            listing._add(key, tuple(group))
            if (code := irregular(key)) is not None:
                listing.irregular[key] = code
        listing._sort()
        return listing

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Listed]:
        return map(self._at, range(len(self)))

    def find(self, key: str) -> Listed | None:
        """What is there under this name."""
        name = _bytes(key)
        found = bisect_left(range(len(self)), name, key=lambda rank: self._name(self._place(rank)))
        if found < len(self) and self._name(self._place(found)) == name:
            return self._at(self._place(found))
        return None

    def take(self, listed: Listed) -> None:
        """Say that it is explained."""
        self._taken[listed.place] = 1

    def is_taken(self, listed: Listed) -> bool:
        """Whether it is."""
        return bool(self._taken[listed.place])

    def left(self) -> Iterator[Listed]:
        """What nobody has taken."""
        return (self._at(place) for place, taken in enumerate(self._taken) if not taken)

    def link_above(self, key: str) -> str | None:
        """The irregular name through which a key would lead, as a link in the place of a folder."""
        for name in self.irregular:
            if key.startswith(f"{name}/"):
                return name
        return None

    # --- the table ------------------------------------------------------------------------------

    def _add(self, key: str, versions: tuple[Entry, ...]) -> None:
        newest = versions[0]
        if len(versions) > 1 or newest.is_delete_marker or not newest.is_latest:
            self._versions[len(self)] = versions
        self._text += _bytes(key)
        self._name_ends.append(len(self._text))
        self._text += _bytes(newest.version_id or "")
        self._ends.append(len(self._text))
        self._sizes.append(max(newest.size, 0))
        self._modified.append(newest.modified.timestamp())
        self._taken.append(0)

    def _sort(self) -> None:
        """Stores list in order; one that does not is believed no less."""
        names = (self._name(place) for place in range(len(self)))
        before = b""
        for name in names:
            if name <= before and before:
                self._order = sorted(range(len(self)), key=self._name)
                return
            before = name

    def _place(self, rank: int) -> int:
        return rank if self._order is None else self._order[rank]

    def _name(self, place: int) -> bytes:
        start = self._ends[place - 1] if place else 0
        return bytes(self._text[start : self._name_ends[place]])

    def _at(self, place: int) -> Listed:
        version = self._text[self._name_ends[place] : self._ends[place]]
        return Listed(
            place=place,
            key=_text(self._name(place)),
            size=self._sizes[place],
            version_id=_text(version) or None,
            modified=datetime.fromtimestamp(self._modified[place], UTC),
            versions=self._versions.get(place, ()),
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "surrogatepass")
