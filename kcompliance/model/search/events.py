"""The events that a search of a sample gave."""

from collections.abc import Iterator, Mapping

from kcompliance.model.apiserver.plain_data import at, sequence, text
from kcompliance.model.event_store.events import Event
from kcompliance.model.search.view import Fields

__all__ = ["events_in"]


def events_in(answer: Fields) -> Iterator[Event]:
    """The hits of a search."""
    for hit in sequence(at(answer, "hits", "hits")):
        source, id_ = at(hit, "_source"), text(at(hit, "_id")) or ""
        if isinstance(source, Mapping):
            yield Event(f"hits.hits[{text(at(hit, '_index')) or ''}/{id_}]", id_, source)
