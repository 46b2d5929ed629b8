"""What a user may choose about files as a source."""

from dataclasses import dataclass, field

from kcompliance.stores import StoreOptions

__all__ = ["FilesOptions"]

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOptions:
    """Where the files are, and how much of them is dealt with at once."""

    locations: tuple[str, ...]
    """Paths of files or folders, `s3://BUCKET/PREFIX`, `azblob://ACCOUNT/CONTAINER/PREFIX`; a URL
    may also name one object."""
    store: StoreOptions = field(default_factory=StoreOptions)
    """For S3 and Azure: another server, region, time-outs. Credentials are the environment's."""
    window_bytes: int = 1024 * _MIB
    """After so many bytes a window ends with the line; of compressed files, decompressed."""
    page_bytes: int = 4 * _MIB
    """About how much goes into a page; no less than one line."""
    line_bytes: int = 64 * _MIB
    """The longest line that is read; kube-apiserver knows no bound but `--audit-log-truncate-*`."""
    at_once: int = 8
    """How many files are looked at, by a plan, at the same time."""
