"""What the parts of the archive hand to each other.

A source knows where events are: it plans windows and reads them, part by part. It knows nothing of
segments, stores and the log. What was archived before reaches it as `ArchivedStream`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from kcompliance.errors import ExitCode, SourceError, SourceRefused
from kcompliance.ledger import (
    FilePartition,
    IndexPartition,
    StreamName,
    StreamRecord,
    WindowStatus,
)
from kcompliance.model.digest import Sha256

__all__ = [
    "ArchivedFile",
    "ArchivedStream",
    "ArchivedWindow",
    "CopiesDiffer",
    "FileRange",
    "IndexShard",
    "NothingToArchive",
    "Page",
    "Part",
    "PartLost",
    "PlannedWindow",
    "Source",
    "SourceError",
    "SourceGone",
    "SourceRefused",
    "TimeRange",
    "Window",
]


# --- what to read -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open interval of time on the stream's grid; both None: events without a time."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """What the user asks for: half-open, aware, on the grid of the stream; None: no bound."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShard:
    """A shard of a concrete index."""

    index: str
    index_uuid: str
    shard: int
    after_seq_no: int = -1
    """Only events with a higher `_seq_no`: those below were archived before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRange:
    """Bytes of a file of whole lines; of a compressed one, of what it decompresses to."""

    file: Sha256
    """Of its first line without the line feed, which stays when the file is rotated."""
    name: str
    """For people: where it was found."""
    location: str
    """Where it is read: a path or the URL of an object."""
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one call of `Source.read` reads: the part of a window that lies in one place."""

    window: Window
    place: IndexShard | FileRange
    docs: int | None = None
    """As counted by the plan; for progress and for dividing the work, never for proof."""
    bytes: int | None = None
    """An estimate of what will be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWindow:
    """A window that is to be archived: the record of it will have this revision.

    Without parts it is one that was looked at and holds no event.
    """

    window: Window
    rev: int = 0
    parts: tuple[Part, ...]
    status: WindowStatus | None = None
    """SOURCE_MISSING where the plan knows that what held its events is gone; else None."""


# --- what was read ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some events in the form in which they are archived: whole lines, each with its LF."""

    lines: bytes
    docs: int
    first: datetime | None = None
    """The least time of these events, where the source has looked at their times (files)."""
    last: datetime | None = None


# --- what was archived before -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedWindow:
    """A window that the log has records of, all its revisions together."""

    window: Window
    rev: int
    """The highest."""
    status: WindowStatus
    """Of the last revision."""
    docs: int
    max_seq_no: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """By index uuid and shard, for the shards that had events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """How far a file was archived: `end` is the byte after the last archived line."""

    file: Sha256
    name: str
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedStream:
    """What the log says of a stream; without a binding it is new."""

    stream: StreamName
    binding: StreamRecord | None = None
    windows: Mapping[Window, ArchivedWindow] = field(default_factory=dict)
    files: Mapping[Sha256, ArchivedFile] = field(default_factory=dict)


# --- sources ----------------------------------------------------------------------------------


class NothingToArchive(SourceError):
    """Nothing matches what was asked for."""

    _name = "nothing-to-archive"
    exit_code = ExitCode.USAGE


class PartLost(SourceError):
    """The context of a read is lost (an expired PIT, a restarted server): start the part anew."""

    _name = "source-part-lost"


class SourceGone(SourceError):
    """What held the events was deleted."""

    _name = "source-gone"
    exit_code = ExitCode.INCOMPLETE


class CopiesDiffer(SourceError):
    """The copies of a shard hold different numbers of events: COPY_MISMATCH."""

    _name = "copies-differ"
    exit_code = ExitCode.INCOMPLETE


class Source(Protocol):
    """Where the events of one stream are. Opened for one run; used by several threads at once.

    Any method raises `SourceError`. Nothing that was read in part is told as if it were whole.
    No message, hint or cause of an error holds a credential.
    """

    @property
    def url(self) -> str:
        """The source in messages; without credentials."""

    @property
    def troubles(self) -> Sequence[SourceError]:
        """What the last plan had to leave out: the run is not complete where there is any."""
        return ()

    def binding(self, stream: StreamName) -> StreamRecord:
        """What this source binds a stream's name to: kind, cluster, patterns, query, grid."""

    def plan(
        self, wanted: TimeRange, archived: ArchivedStream, *, now: datetime
    ) -> Sequence[PlannedWindow]:
        """The windows to archive, in the order in which to do that; empty: nothing is new.

        Windows that are sealed or empty already are left out, unless events came late for them,
        which are planned as their next revision.
        """

    def read(self, part: Part, write: Callable[[Page], None]) -> IndexPartition | FilePartition:
        """Read one part, giving each page to `write`, and return how it counted out.

        `expected` is counted by the source for this very read (Elasticsearch: in the same PIT;
        a file: its lines), `written` is what went to `write`. Raises `PartLost` where the caller
        is to forget all pages of this call and to call again.
        """

    def query_sha256(self, window: Window) -> Sha256 | None:
        """Of the canonical JSON of the query that selects this window; None for files."""

    def metadata(self, planned: Iterable[PlannedWindow]) -> bytes | None:
        """Settings, mappings, templates of what these windows are read from, as canonical JSON."""

    def close(self) -> None:
        """Let go of connections and of contexts on the server."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
