"""What files look like wherever they lie: on this machine, or in a store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from kcompliance.archive.files.notes import Notes

__all__ = ["Found", "Opened", "Place", "shown"]

_LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is there, of which nothing was read yet."""

    place: "Place"
    name: str
    """For people and records."""
    location: str
    """With which `place` opens it."""
    size: int
    """Bytes as they lie there."""
    named: bool = False
    """Whether the user named this very file, rather than something around it."""
    beside: bool = False
    """Whether it only lies beside a file that was named: it counts if it is that one, renamed."""


class Opened(Protocol):
    """A file that can be read anywhere. Raises `SourceError`."""

    largest: int
    """Bytes that are best asked for at once, at most."""

    def read_at(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, fewer only where the file ends earlier."""


class Place(Protocol):
    """One location that the user named."""

    @property
    def pattern(self) -> str:
        """The location in messages and records."""

    def find(self, notes: Notes) -> Iterator[Found]:
        """The files that are there now; what cannot be looked at goes to the notes."""

    def near(self, location: str) -> Iterator[Found]:
        """The files beside one of ours, among which it may be after it was renamed."""

    def holds(self, location: str) -> bool:
        """Whether a location is one of this place's."""

    def open(self, location: str) -> AbstractContextManager[Opened]:
        """Open a file of this place. Raises `SourceGone` where it is not there any more."""

    def close(self) -> None:
        """Let go of connections."""


def shown(text: str) -> str:
    """A path or key as records and terminals can hold it: no control characters, no half ones.

    Of very long ones the end.
    """
    plain = "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    )
    return plain if len(plain) <= _LONGEST else f"…{plain[-_LONGEST:]}"
