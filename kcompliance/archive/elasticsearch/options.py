"""What a user may choose about an Elasticsearch or OpenSearch source."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

__all__ = ["TIME_FIELDS", "ElasticsearchOptions"]

TIME_FIELDS = (
    "kubernetes.audit.requestReceivedTimestamp",
    "requestReceivedTimestamp",
    "@timestamp",
)
"""The first that is mapped as a date is the stream's, unless the user names another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchOptions:
    """Everything that opens a source; picklable, and its repr shows no credential."""

    patterns: tuple[str, ...]
    """Names and patterns of indices, data streams and aliases; `-PATTERN` leaves out again."""
    urls: tuple[str, ...] = ()
    """`https://HOST[:PORT][/PATH]` of one or several nodes of one cluster."""
    cloud_id: str | None = None
    """Of Elastic Cloud, in place of `urls`."""

    api_key: str | None = field(default=None, repr=False)
    """Encoded, or `ID:KEY`."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    ca_cert: Path | None = None
    """PEM: the only authorities to trust, in place of those that the system trusts."""
    client_cert: Path | None = None
    client_key: Path | None = None
    """PEM without a passphrase; not needed where `client_cert` holds the key, too."""
    insecure: bool = False
    """Do not verify the server's certificate, and send credentials in the clear."""

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
    compress: bool = False
    """Ask for gzip: for slow or paid lines; it costs the server and this machine time."""
    connections: int = 16
    """To each node at once, at most."""
    request_timeout: timedelta = timedelta(seconds=60)
    """For one answer, from the request to its last byte."""
    patience: timedelta = timedelta(seconds=120)
    """How long a request is repeated while the server is busy or cannot be reached."""
    keep_alive: timedelta = timedelta(minutes=5)
    """How long the server keeps a point in time that nobody reads from."""
    copy_pause: timedelta = timedelta(seconds=3)
    """Before the copies of a shard are counted anew because they differ."""
