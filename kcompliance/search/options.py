"""How a search server is reached, and as whom."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

__all__ = ["ConnectionOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Everything that opens a connection; picklable, and its repr shows no credential."""

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

    compress: bool = False
    """Ask for gzip: for slow or paid lines; it costs the server and this machine time."""
    connections: int = 16
    """To each node at once, at most."""
    request_timeout: timedelta = timedelta(seconds=60)
    """For one answer, from the request to its last byte."""
    patience: timedelta = timedelta(seconds=120)
    """How long a request is repeated while the server is busy or cannot be reached."""
