"""`verify --against-elasticsearch`: compares streams with the servers they were read from."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kcompliance.archive.catalogue import CataloguedStream, read_catalogue
from kcompliance.archive.comparison import compare_with_source
from kcompliance.archive.elasticsearch import ElasticsearchOptions, open_elasticsearch
from kcompliance.archive.elasticsearch.queries import filters_of
from kcompliance.cli.search_credentials import search_credentials
from kcompliance.cli.terminal import note
from kcompliance.errors import UsageError
from kcompliance.ledger import Fault

if TYPE_CHECKING:
    from kcompliance.archive.verify import Request
    from kcompliance.stores import Store

__all__ = ["compare_sources"]


def compare_sources(
    store: "Store", request: "Request", urls: tuple[str, ...], ca_cert: Path | None
) -> Iterator[Fault]:
    """The SOURCE_MISMATCH of every stream that was read from a search server.

    A stream of another cluster than answers there is told and left out.
    """
    catalogue = read_catalogue(store, request.trust)
    streams = [each for each in catalogue.streams.values() if not each.of_files]
    if not streams:
        raise UsageError("no stream of this archive was read from Elasticsearch or OpenSearch")
    for stream in streams:
        with open_elasticsearch(_options(stream, urls, ca_cert)) as source:
            bound = stream.binding.source.cluster_uuid if stream.binding is not None else None
            if bound != source.server.cluster_uuid:
                note(f"{stream.name} was read from another cluster, and is not compared")
                continue
            found = compare_with_source(
                stream, store, source, events=request.level >= 4, now=request.as_of
            )
            note(
                f"{stream.name}: {found.windows} windows with {found.docs:,} events compared "
                f"with the source; of {found.gone + found.off_grid} it shows nothing any more"
            )
            yield from found.faults


def _options(
    stream: CataloguedStream, urls: tuple[str, ...], ca_cert: Path | None
) -> ElasticsearchOptions:
    """The source as the stream is bound to it."""
    binding = stream.binding
    if binding is None or binding.window_seconds is None:
        raise UsageError(f'the log does not say what "{stream.name}" was read from')
    try:
        filters = filters_of(binding.filter)
    except ValueError as error:
        raise UsageError(f'"{stream.name}" is bound to a query of another kcompliance') from error
    return ElasticsearchOptions(
        urls=urls,
        patterns=binding.source.patterns,
        time_field=binding.time_field,
        filters=filters,
        window=timedelta(seconds=binding.window_seconds),
        ca_cert=ca_cert,
        **search_credentials(),
    )
