"""The options of every command that opens an archive: where it is and how to reach it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.errors import UsageError

if TYPE_CHECKING:
    from kcompliance.ledger import Trust
    from kcompliance.stores import Store, StoreOptions

__all__ = [
    "ArchiveArgument",
    "StoreEndpoint",
    "StoreRegion",
    "TrustOption",
    "open_archive_store",
    "store_options",
    "trust_of",
]

ArchiveArgument = Annotated[
    str,
    typer.Argument(
        metavar="ARCHIVE",
        help="A folder, file:///FOLDER, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX.",
        show_default=False,
        envvar="KCOMPLIANCE_ARCHIVE",
    ),
]
StoreEndpoint = Annotated[
    str | None,
    typer.Option(
        "--store-endpoint",
        metavar="URL",
        help="Another server than that of AWS or Azure (MinIO, Ceph, Azurite, …).",
        envvar="KCOMPLIANCE_STORE_ENDPOINT",
    ),
]
StoreRegion = Annotated[
    str | None,
    typer.Option("--store-region", help="Region of the bucket.", envvar="KCOMPLIANCE_STORE_REGION"),
]
TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        metavar="FILE",
        help="Trust file: the keys and the pin that you know from elsewhere than the archive.",
        envvar="KCOMPLIANCE_TRUST",
        dir_okay=False,
    ),
]


def store_options(endpoint: str | None, region: str | None) -> "StoreOptions":
    """The options for reading an archive."""
    from kcompliance.stores import StoreOptions

    return StoreOptions(endpoint_url=endpoint, region=region)


def open_archive_store(url: str, options: "StoreOptions") -> "Store":
    """The store; `UsageError` where a folder that is only read is not there."""
    from kcompliance.stores import open_store

    if not url:
        raise UsageError("the archive has no name", "a folder, or a URL such as s3://BUCKET/PREFIX")
    return open_store(url, options)


def trust_of(path: Path | None) -> "Trust | None":
    """What the trust file says that was given."""
    from kcompliance.archive.trust_files import read_trust

    return None if path is None else read_trust(path)
