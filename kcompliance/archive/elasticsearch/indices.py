"""Which indices the user's patterns stand for: concrete ones, open, all their events in view."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from kcompliance.archive.interface import NothingToArchive, SourceError
from kcompliance.errors import UsageError
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered

__all__ = ["METADATA", "Index", "chunks", "path_of", "resolve"]

METADATA: Final = "view_index_metadata"
"""The index privilege for everything here."""

MOST_HITS: Final = 10_000
"""What a search may return, unless an index allows less."""

_LONGEST_PATH: Final = 3000
"""Servers take 4096 bytes of request line."""

_SETTINGS: Final = (
    "index.uuid",
    "index.number_of_shards",
    "index.number_of_replicas",
    "index.auto_expand_replicas",
    "index.creation_date",
    "index.max_result_window",
    "index.verified_before_close",
    "index.search.throttled",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A concrete index, which its uuid tells from a later one of the same name."""

    name: str
    uuid: str
    shards: int
    copied: bool
    """Whether its settings ask for replicas; it may have none all the same."""
    created: datetime | None
    most_hits: int

    @property
    def generation(self) -> tuple[str, int] | None:
        """Of a backing index: its data stream, and its number in it, counted from 1."""
        found = _BACKING.fullmatch(self.name)
        return (found["stream"], int(found["number"])) if found else None


_BACKING: Final = re.compile(
    r"(?:(?:partial|restored|shrink-[^.]+|downsample[^.]*)-)?"
    r"\.ds-(?P<stream>.+?)(?:-[0-9]{4}\.[0-9]{2}\.[0-9]{2})?-(?P<number>[0-9]{6,9})"
)


class _Holder(msgspec.Struct):
    settings: dict[str, Any]


def resolve(connection: Connection, patterns: Sequence[str]) -> tuple[Index, ...]:
    """The indices that the patterns match, sorted by name, and at least one.

    Raises `NothingToArchive` where any pattern matches nothing, UsageError for a pattern that
    cannot be archived (a remote cluster), `SourceError` for an index that cannot be read whole.
    """
    path, shown = path_of(patterns), ",".join(patterns)
    _refuse_unfit(patterns)
    about = f'the indices of "{shown}"'
    target = (
        f"/{path}/_settings/{','.join(_SETTINGS)}"
        "?flat_settings=true&expand_wildcards=open,closed&allow_no_indices=false"
    )
    try:
        found = connection.json(dict[str, _Holder], "GET", target, about=about, permission=METADATA)
    except Answered as error:
        if not error.no_such_index:
            raise
        raise _nothing(shown, error) from error
    if not found:
        raise _nothing(shown, None)
    indices = tuple(_index(name, found[name].settings) for name in sorted(found))
    _refuse_narrowed(connection, path, indices)
    return indices


def path_of(names: Sequence[str]) -> str:
    """Names or patterns as they stand in the path of a request."""
    return ",".join(quote(name, safe="*") for name in names)


def chunks(indices: Sequence[Index]) -> Iterator[list[Index]]:
    """The indices in groups whose names fit into the path of one request."""
    group: list[Index] = []
    length = 0
    for index in indices:
        own = len(path_of([index.name])) + 1
        if group and length + own > _LONGEST_PATH:
            yield group
            group, length = [], 0
        group.append(index)
        length += own
    if group:
        yield group


def _refuse_unfit(patterns: Sequence[str]) -> None:
    if not patterns or not all(patterns):
        raise UsageError("no index pattern is given", "give one, such as logs-kubernetes.*")
    for pattern in patterns:
        if ":" in pattern:
            raise UsageError(
                f'"{pattern}" is on a remote cluster, which cannot be archived from here',
                "give the URL of that cluster",
            )
        if pattern.startswith("_"):
            raise UsageError(f'"{pattern}" is not the name of an index', "say * for all")


def _nothing(shown: str, error: Answered | None) -> NothingToArchive:
    return NothingToArchive(
        f'no index, data stream or alias matches "{shown}"'
        + (f" ({error.message})" if error else ""),
        "look at the pattern; GET /_resolve/index/* shows what is there",
    )


def _index(name: str, settings: dict[str, Any]) -> Index:
    if settings.get("index.verified_before_close") == "true":
        raise SourceError(
            f'the index "{name}" is closed: its events cannot be read',
            f'open it, or leave it out of the pattern with "-{name}"',
        )
    if settings.get("index.search.throttled") == "true":
        raise SourceError(
            f'the index "{name}" is frozen: searches leave it out', "unfreeze it first"
        )
    try:
        created = int(settings.get("index.creation_date") or -1)
        expands = settings.get("index.auto_expand_replicas", "false") != "false"
        return Index(
            name=name,
            uuid=settings["index.uuid"],
            shards=int(settings["index.number_of_shards"]),
            copied=expands or settings.get("index.number_of_replicas", "1") != "0",
            created=_moment(created) if created >= 0 else None,
            most_hits=min(MOST_HITS, int(settings.get("index.max_result_window") or MOST_HITS)),
        )
    except (KeyError, ValueError, OverflowError) as error:
        raise SourceError(
            f'the settings of the index "{name}" cannot be read: {error!r}'
        ) from error


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


# --- aliases that hide events --------------------------------------------------------------------


class _Named(msgspec.Struct):
    name: str
    indices: list[str] | str = []
    backing_indices: list[str] | str = []


class _Resolved(msgspec.Struct):
    indices: list[_Named]
    aliases: list[_Named]
    data_streams: list[_Named] = []


class _Aliases(msgspec.Struct):
    aliases: dict[str, dict[str, Any]]


def _refuse_narrowed(connection: Connection, path: str, indices: Sequence[Index]) -> None:
    """Refuse an alias with a filter or a routing where its index is not matched otherwise.

    What is read are whole indices: the archive would hold more than the alias shows.
    """
    about = "the aliases of the pattern"
    resolved = connection.json(
        _Resolved, "GET", f"/_resolve/index/{path}", about=about, permission=METADATA
    )
    if not resolved.aliases:
        return
    whole = {each.name for each in resolved.indices}
    for stream in resolved.data_streams:
        whole.update(_listed(stream.backing_indices))
    names = path_of([alias.name for alias in resolved.aliases])
    held = connection.json(
        dict[str, _Aliases], "GET", f"/_alias/{names}", about=about, permission=METADATA
    )
    narrowed = {
        alias
        for holder in held.values()
        for alias, kept in holder.aliases.items()
        if "filter" in kept or "search_routing" in kept
    }
    for alias in resolved.aliases:
        if alias.name not in narrowed:
            whole.update(_listed(alias.indices))
    missing = [index.name for index in indices if index.name not in whole]
    for alias in resolved.aliases:
        if alias.name in narrowed and set(_listed(alias.indices)) & set(missing):
            raise UsageError(
                f'the alias "{alias.name}" has a filter or a routing: it shows its indices in part',
                "name the indices or the data stream, and select with --filter FIELD=VALUE",
            )


def _listed(names: list[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else names
