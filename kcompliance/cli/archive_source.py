"""Where the events of `archive run` come from: as the user chose it, and as the stream is bound."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kcompliance.archive.interface import Source
from kcompliance.cli.search_credentials import search_credentials
from kcompliance.errors import UsageError
from kcompliance.ledger import StreamRecord
from kcompliance.stores import StoreOptions

if TYPE_CHECKING:
    from kcompliance.archive.elasticsearch import ElasticsearchOptions

__all__ = ["DEFAULT_WINDOW", "SourceChoices", "as_bound", "source_opener"]

DEFAULT_WINDOW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChoices:
    """Where the events are."""

    elasticsearch: tuple[str, ...] = ()
    cloud_id: str | None = None
    patterns: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    files_endpoint: str | None = None
    time_field: str | None = None
    window: timedelta | None = None
    """None: as the stream is bound, or an hour."""
    late: timedelta
    copy_primary: bool = False
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure: bool = False
    max_docs_per_second: float | None = None
    max_bytes_per_second: float | None = None


def as_bound(sources: SourceChoices, binding: StreamRecord | None) -> SourceChoices:
    """What the user left open as the stream was bound: a field mapped since must not change it."""
    if binding is None or binding.window_seconds is None:
        return replace(sources, window=sources.window or DEFAULT_WINDOW)
    bound = timedelta(seconds=binding.window_seconds)
    return replace(
        sources,
        window=sources.window or bound,
        time_field=sources.time_field or binding.time_field,
    )


def source_opener(sources: SourceChoices, processes: int = 1) -> Callable[[], Source]:
    """What opens the source, each time anew. Raises UsageError where none or two are named."""
    wants_files = bool(sources.files)
    wants_search = bool(sources.elasticsearch or sources.cloud_id)
    if wants_files == wants_search:
        raise UsageError(
            "a stream has one source" if wants_files else "nothing says where the events are",
            "give --elasticsearch URL with --index PATTERN, or --files PATH",
        )
    if wants_files:
        from kcompliance.archive.files import FilesOptions, FileSource

        return partial(
            FileSource,
            FilesOptions(
                locations=sources.files, store=StoreOptions(endpoint_url=sources.files_endpoint)
            ),
        )
    if not sources.patterns:
        raise UsageError("no index is named", "give --index PATTERN, such as 'logs-*'")
    from kcompliance.archive.elasticsearch import open_elasticsearch

    return partial(open_elasticsearch, _search_options(sources, processes))


def _search_options(sources: SourceChoices, processes: int) -> "ElasticsearchOptions":
    from kcompliance.archive.elasticsearch import ElasticsearchOptions

    return ElasticsearchOptions(
        urls=sources.elasticsearch,
        cloud_id=sources.cloud_id,
        **search_credentials(),
        ca_cert=sources.ca_cert,
        client_cert=sources.client_cert,
        client_key=sources.client_key,
        insecure=sources.insecure,
        patterns=sources.patterns,
        time_field=sources.time_field,
        filters=tuple(_filters(sources.filters)),
        window=sources.window or DEFAULT_WINDOW,
        late=sources.late,
        copy="primary" if sources.copy_primary else "any",
        max_docs_per_second=_share(sources.max_docs_per_second, processes),
        max_bytes_per_second=_share(sources.max_bytes_per_second, processes),
    )


def _share(rate: float | None, processes: int) -> float | None:
    """Of a limit for all processes together."""
    return None if rate is None else rate / processes


def _filters(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        field, equals, value = text.partition("=")
        if not field or not equals:
            raise UsageError(f'--filter "{text}" is not FIELD=VALUE')
        yield field, value
