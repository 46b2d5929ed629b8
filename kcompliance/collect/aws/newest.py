"""Finds the newest objects below a prefix of a bucket, without listing years of them.

Delivery streams file objects by date (`2026/11/21/09/`, `year=2026/month=11/`): of folders that
are dates the last is looked into, of others each.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from kcompliance.collect.aws.asking import Failed, Got, Outcome

__all__ = ["newest_below"]

MAX_LISTINGS: Final = 60
_KEPT: Final = 20
_DATE: Final = re.compile(r"(?:^|/)(?:[A-Za-z_-]+=)?\d{1,4}(?:-\d\d){0,3}/$")

List = Callable[[str, str | None], Outcome]
"""Lists one page: of a prefix, from a token on."""


def newest_below(prefix: str, list_page: List) -> tuple[Mapping[str, Any], ...] | Failed:
    """The newest objects, with the newest first; nothing where there is none."""
    found: list[Mapping[str, Any]] = []
    pending, listings = [prefix], 0
    while pending:
        folders: list[str] = []
        token: str | None = None
        where = pending.pop()
        while True:
            listings += 1
            if listings > MAX_LISTINGS:
                return Failed(f"the newest object was not found in {MAX_LISTINGS} listings")
            page = list_page(where, token)
            if not isinstance(page, Got):
                return page if isinstance(page, Failed) else Failed(page.reason)
            found += [item for item in page.answer.get("Contents", []) if isinstance(item, dict)]
            common = page.answer.get("CommonPrefixes", [])
            folders += [item["Prefix"] for item in common if isinstance(item.get("Prefix"), str)]
            token = page.answer.get("NextContinuationToken")
            if not token:
                break
        pending += _worth_a_look(folders)
        found = sorted(found, key=lambda item: str(item.get("LastModified")), reverse=True)[:_KEPT]
    return tuple(found)


def _worth_a_look(folders: list[str]) -> list[str]:
    dates = [folder for folder in folders if _DATE.search(folder)]
    others = [folder for folder in folders if folder not in dates]
    return [*others, *([max(dates, key=_numbers)] if dates else [])]


def _numbers(folder: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.rstrip("/").rpartition("/")[2])]
