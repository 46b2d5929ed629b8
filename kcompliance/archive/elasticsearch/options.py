"""What a user may choose about an Elasticsearch or OpenSearch source."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from kcompliance.search.options import ConnectionOptions

__all__ = ["TIME_FIELDS", "ElasticsearchOptions"]

TIME_FIELDS = (
    "kubernetes.audit.requestReceivedTimestamp",
    "requestReceivedTimestamp",
    "@timestamp",
)
"""The first that is mapped as a date is the stream's, unless the user names another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchOptions(ConnectionOptions):
    """Everything that opens a source; picklable, and its repr shows no credential."""

    patterns: tuple[str, ...]
    """Names and patterns of indices, data streams and aliases; `-PATTERN` leaves out again."""
    time_field: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    """Field and value: only events of which each holds."""
    window: timedelta = timedelta(hours=1)
    late: timedelta = timedelta(days=30)
    """How far back every plan looks for events that came after their window was archived."""
    copy: Literal["any", "primary"] = "any"
    """`any`: all copies of a shard must hold equally many events. `primary`: it decides."""

    page_bytes: int = 6 * 1024 * 1024
    """How much an answer should hold; the number of events follows from their size."""
    max_docs_per_second: float | None = None
    max_bytes_per_second: float | None = None
    """Both: of all threads of one source together."""
    keep_alive: timedelta = timedelta(minutes=5)
    """How long the server keeps a point in time that nobody reads from."""
    copy_pause: timedelta = timedelta(seconds=3)
    """Before the copies of a shard are counted anew because they differ."""
