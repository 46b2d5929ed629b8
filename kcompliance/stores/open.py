"""Opens the store that a URL names; its SDK is imported only then."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from kcompliance.errors import UsageError
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import Store
from kcompliance.stores.keys import checked_foreign
from kcompliance.stores.options import StoreOptions

__all__ = ["SCHEMES", "open_store"]

_HINT: Final = "a folder, file:///FOLDER, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX"

_MAX_PREFIX: Final = 300
_PART: Final = r"[A-Za-z0-9_=+-](?:[A-Za-z0-9._=+-]*[A-Za-z0-9_=+-])?"
_PREFIX: Final = re.compile(rf"{_PART}(?:/{_PART})*")
"""As a key, but capitals are allowed: no two archives of ours differ by them."""


def open_store(url: str, options: StoreOptions | None = None) -> Store:
    """The store at a URL or in a folder; nothing is asked of it yet.

    Raises `UsageError`, which never repeats a URL that has a password or a signature in it.
    """
    options = options or StoreOptions()
    if options.endpoint_url is not None:
        _split(options.endpoint_url)
    if "://" not in url:
        if re.match("[a-z0-9]+:", url):
            raise UsageError(f'neither a folder nor the URL of a store: "{url}"', _HINT)
        return FilesystemStore(Path(url))
    parts = _split(url)
    opener = SCHEMES.get(parts.scheme)
    if opener is None:
        raise UsageError(f'no kind of store: "{parts.scheme}://"', _HINT)
    return opener(parts, options)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        secret = "@" in parts.netloc or bool(parts.query or parts.fragment)
    except ValueError as error:
        raise UsageError("not the URL of a store", _HINT) from error
    if secret:
        raise UsageError(
            "the URL of a store holds nothing but its place",
            "credentials come from the environment: AWS_PROFILE, AZURE_STORAGE_SAS_TOKEN, …",
        )
    return parts


def _open_folder(url: SplitResult, options: StoreOptions) -> Store:
    if url.netloc not in {"", "localhost"} or not url.path.startswith("/"):
        raise UsageError(f'not a folder of this machine: "{url.geturl()}"', "file:///FOLDER")
    return FilesystemStore(Path(unquote(url.path)))


def _open_s3(url: SplitResult, options: StoreOptions) -> Store:
    from kcompliance.stores.s3 import S3Store

    return S3Store(_named(url.netloc, url), _prefix(url.path, url, options), options)


def _open_azure_blob(url: SplitResult, options: StoreOptions) -> Store:
    from kcompliance.stores.azure_blob import AzureBlobStore

    container, _, prefix = url.path.removeprefix("/").partition("/")
    account = _named(url.netloc, url)
    return AzureBlobStore(account, _named(container, url), _prefix(prefix, url, options), options)


def _named(name: str, url: SplitResult) -> str:
    if not name:
        raise UsageError(f'not the whole URL of a store: "{url.geturl()}"', _HINT)
    return name


def _prefix(path: str, url: SplitResult, options: StoreOptions) -> str:
    """What all keys begin with: empty, or keys themselves and a slash."""
    inner = path.strip("/")
    if not inner:
        return ""
    if options.foreign:
        return f"{checked_foreign(inner)}/"
    if len(inner) > _MAX_PREFIX or _PREFIX.fullmatch(inner) is None:
        raise UsageError(
            f'not a prefix for an archive: "{url.geturl()}"',
            f"at most {_MAX_PREFIX} characters A-Z a-z 0-9 . _ = + - in parts divided by /",
        )
    return f"{inner}/"


SCHEMES: Final[dict[str, Callable[[SplitResult, StoreOptions], Store]]] = {
    "file": _open_folder,
    "s3": _open_s3,
    "azblob": _open_azure_blob,
}
"""All kinds of stores that a URL can name."""
