"""What a plan has to say beside its windows: what was passed over, and what went wrong."""

from dataclasses import dataclass

from kcompliance.archive.interface import SourceError

__all__ = ["FileNote", "Notes"]

_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNote:
    """Why a file, or a part of it, is not in the plan although nothing is wrong."""

    name: str
    reason: str


class Notes:
    """Collected by one plan, from several threads; at most a thousand notes, but all errors."""

    def __init__(self) -> None:
        self.notes: list[FileNote] = []
        self.count = 0
        """Of all notes, those left out too."""
        self.links = 0
        self.troubles: list[SourceError] = []

    def passed_over(self, name: str, reason: str) -> None:
        """Note a file, or what of it is left for later."""
        self.count += 1
        if len(self.notes) < _MOST:
            self.notes.append(FileNote(name=name, reason=reason))

    def link(self, name: str) -> None:
        """Note a symbolic link."""
        self.links += 1
        self.passed_over(name, "a symbolic link: links within a folder are not followed")
