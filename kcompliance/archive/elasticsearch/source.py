"""The source: indices of an Elasticsearch or OpenSearch cluster."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from kcompliance.archive import windows as grid
from kcompliance.archive.elasticsearch.copies import Copies
from kcompliance.archive.elasticsearch.counts import Counts
from kcompliance.archive.elasticsearch.fields import (
    check_filters,
    choose_time_field,
    field_types,
)
from kcompliance.archive.elasticsearch.indices import Index, resolve
from kcompliance.archive.elasticsearch.metadata import collect_metadata
from kcompliance.archive.elasticsearch.options import TIME_FIELDS, ElasticsearchOptions
from kcompliance.archive.elasticsearch.pace import Pace
from kcompliance.archive.elasticsearch.pit import Pits
from kcompliance.archive.elasticsearch.plan import plan_windows
from kcompliance.archive.elasticsearch.queries import canonical_sha256, of_user, of_window
from kcompliance.archive.elasticsearch.read import Reader
from kcompliance.archive.elasticsearch.server import Server, identify
from kcompliance.archive.interface import (
    ArchivedStream,
    IndexShard,
    Page,
    Part,
    PlannedWindow,
    Source,
    SourceGone,
    TimeRange,
    Window,
)
from kcompliance.ledger import IndexPartition, StreamName, StreamRecord, StreamSource
from kcompliance.model.digest import Sha256
from kcompliance.search.connection import Connection

__all__ = ["ElasticsearchSource", "open_elasticsearch"]


@dataclass(frozen=True, slots=True)
class _View:
    """The indices as they were looked at last, and what follows from their mappings."""

    indices: dict[str, Index]
    """By uuid."""
    time_field: str
    counts: Counts
    reader: Reader


class ElasticsearchSource(Source):
    """Implements `kcompliance.archive.interface.Source`, where failures are described."""

    def __init__(self, connection: Connection, server: Server, options: ElasticsearchOptions):
        self._connection = connection
        self._options = options
        self._server = server
        self._copies = Copies(connection, primary_only=options.copy == "primary")
        self._pits = Pits(connection, server, self._copies, options.keep_alive)
        self._pace = Pace(
            options.page_bytes, options.max_docs_per_second, options.max_bytes_per_second
        )
        self._lock = threading.Lock()
        self._seen: _View | None = None

    @property
    def url(self) -> str:
        """The cluster and the patterns."""
        return f"elasticsearch+{self._connection.url}/{','.join(self._options.patterns)}"

    @property
    def server(self) -> Server:
        """Who answers there."""
        return self._server

    @property
    def time_field(self) -> str:
        """The field that places events in windows."""
        return self._view().time_field

    @property
    def index_uuids(self) -> frozenset[str]:
        """Of all indices that the patterns meant when they were looked at last: by `plan`."""
        return frozenset(self._view().indices)

    def binding(self, stream: StreamName) -> StreamRecord:
        """What this source binds a stream's name to."""
        return StreamRecord(
            stream=stream,
            source=StreamSource(
                kind=self._server.kind,
                cluster_uuid=self._server.cluster_uuid,
                patterns=self._options.patterns,
            ),
            time_field=self.time_field,
            filter=of_user(self._options.filters),
            window_seconds=grid.check_length(self._options.window),
        )

    def plan(
        self, wanted: TimeRange, archived: ArchivedStream, *, now: datetime
    ) -> Sequence[PlannedWindow]:
        """New windows in the order of time, then late events, then events without a time."""
        view = self._look()
        self._pits.close()  # what came late is not in those of a run before
        return plan_windows(
            view.counts,
            sorted(view.indices.values(), key=lambda index: index.name),
            self._options,
            view.time_field,
            wanted,
            archived,
            now,
        )

    def read(self, part: Part, write: Callable[[Page], None]) -> IndexPartition:
        """Read one part from the point in time of its shard."""
        place = part.place
        if not isinstance(place, IndexShard):
            raise TypeError(f"no shard of an index: {place}")
        view = self._view()
        index = view.indices.get(place.index_uuid)
        if index is None or not 0 <= place.shard < index.shards:
            raise SourceGone(
                f'the index "{place.index}" with the uuid {place.index_uuid} is not there'
            )
        query = of_window(
            part.window, view.time_field, self._options.filters, after=place.after_seq_no
        )
        return view.reader.read(index, place, query, write)

    def query_sha256(self, window: Window) -> Sha256:
        """Of the query that selects a window, whatever was archived of it before."""
        return canonical_sha256(of_window(window, self.time_field, self._options.filters))

    def metadata(self, planned: Iterable[PlannedWindow]) -> bytes:
        """Settings, mappings, templates and so on of the indices of these windows."""
        view = self._view()
        places = {part.place for window in planned for part in window.parts}
        used = {place.index_uuid for place in places if isinstance(place, IndexShard)}
        indices = [index for uuid, index in view.indices.items() if uuid in used]
        return collect_metadata(
            self._connection, self._server, sorted(indices, key=lambda index: index.name)
        )

    def close(self) -> None:
        """Close the points in time and the connections."""
        self._pits.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _view(self) -> _View:
        with self._lock:
            seen = self._seen
        return seen or self._look()

    def _look(self) -> _View:
        """Look at the indices anew."""
        options = self._options
        indices = resolve(self._connection, options.patterns)
        wanted = TIME_FIELDS if options.time_field is None else (options.time_field,)
        filtered = [name for name, _ in options.filters]
        types = field_types(self._connection, indices, [*wanted, *filtered])
        check_filters(types, options.filters)
        time_field = choose_time_field(types, options.time_field)
        counts = Counts(
            self._connection, self._copies, time_field=time_field, filters=options.filters
        )
        view = _View(
            indices={index.uuid: index for index in indices},
            time_field=time_field,
            counts=counts,
            reader=Reader(
                self._connection, self._pits, counts, self._pace, pause=options.copy_pause
            ),
        )
        with self._lock:
            self._seen = view
        return view


def open_elasticsearch(options: ElasticsearchOptions) -> ElasticsearchSource:
    """Connect, and learn who answers; the indices are looked at when they are needed.

    Raises UsageError for options that cannot be, `SourceError` where no search server answers.
    """
    grid.check_length(options.window)
    connection = Connection(options)
    try:
        server = identify(connection)
    except BaseException:
        connection.close()
        raise
    return ElasticsearchSource(connection, server, options)
