"""All stores in which a cluster's events can be searched, of whichever service."""

from collections.abc import Callable, Iterator
from typing import Final

from kcompliance.checks.event_stores.interface import EventStore
from kcompliance.checks.event_stores.of_aks import aks_events
from kcompliance.checks.event_stores.of_cloudwatch import cloudwatch_events
from kcompliance.checks.event_stores.of_search import search_events
from kcompliance.checks.search_sight import no_store
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding

__all__ = ["event_stores", "no_event_store", "seen_event_stores"]

Finder = Callable[[Cluster, tuple[str, ...]], Iterator[EventStore | Finding]]

_FINDERS: Final[tuple[Finder, ...]] = (search_events, aks_events, cloudwatch_events)
"""Each yields the stores of one service, and findings on those that do not answer."""


def event_stores(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator[EventStore | Finding]:
    """The stores, and findings on those that do not answer or where there is none."""
    found = tuple(seen_event_stores(cluster, aspects))
    yield from found or no_event_store(cluster, aspects)


def no_event_store(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator[Finding]:
    """What is said of a cluster of which no store is known, a provider's included."""
    because = "no store is declared in which this cluster's events can be searched"
    yield from no_store(cluster, aspects, because)


def seen_event_stores(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator[EventStore | Finding]:
    """The same, and nothing where there is no store.

    A file that could not be read is told of once, whichever service it may be of.
    """
    told: list[Finding] = []
    for finder in _FINDERS:
        for each in finder(cluster, aspects):
            if not isinstance(each, Finding):
                yield each
            elif each not in told:
                told.append(each)
                yield each
