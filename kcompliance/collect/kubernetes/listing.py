"""Lists objects in pages. Half a list is no list."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from kcompliance.collect.kubernetes.connection import Answer, Failed, NotThere, get

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["MAX_OBJECTS", "MAX_PAGES", "PAGE", "Trim", "list_objects"]

PAGE = 100
MAX_PAGES = 1000
MAX_OBJECTS = 100_000
_MAX_KEPT_BYTES = 64 * 1024 * 1024

Item = dict[str, Any]
Trim = Callable[[Mapping[str, Any]], Item | None]
"""What is kept of an object; None: nothing."""


def list_objects(
    api: "ApiClient",
    path: str,
    permission: str,
    trim: Trim,
    *,
    query: Mapping[str, str] | None = None,
    max_pages: int = MAX_PAGES,
) -> list[Item] | NotThere | Failed:
    """Every object at `path`, trimmed page by page.

    A token that has expired on the way (410) makes it begin anew, once.
    """
    for left in (1, 0):
        found = _all_pages(api, path, permission, trim, query or {}, max_pages)
        if not (left and isinstance(found, Failed) and found.expired):
            return found
    return found


def _all_pages(
    api: "ApiClient",
    path: str,
    permission: str,
    trim: Trim,
    query: Mapping[str, str],
    max_pages: int,
) -> list[Item] | NotThere | Failed:
    noun = path.rpartition("/")[2]
    kept: list[Item] = []
    read = size = 0
    token = ""
    for _ in range(max_pages):
        asked = urlencode({"limit": str(PAGE), **query}, quote_via=quote)
        answer = get(api, f"{path}?{asked}{token}", permission)
        if not isinstance(answer, Answer):
            return answer
        page = _page(answer.content)
        if page is None:
            return Failed(f"the list of {noun} was cut off or is not JSON")
        items, following = page
        read += len(items)
        fresh = [item for each in items if (item := trim(each)) is not None]
        size += len(msgspec.json.encode(fresh))
        if read > MAX_OBJECTS or size > _MAX_KEPT_BYTES:
            return Failed(f"there are more {noun} than are read: {MAX_OBJECTS} or 64 MiB")
        kept += fresh
        if not following:
            return kept
        token = f"&continue={quote(following)}"
    return Failed(f"the list of {noun} has more than {max_pages} pages")


def _page(content: bytes) -> tuple[list[Mapping[str, Any]], str] | None:
    """The objects of a page, and the token of the next."""
    try:
        answer = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return None
    metadata = answer.get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    objects: list[Mapping[str, Any]] = [item for item in items if isinstance(item, dict)]
    return objects, token if isinstance(token, str) else ""
