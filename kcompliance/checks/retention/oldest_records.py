"""The oldest audit record of each place where a cluster's trail is kept.

A place that can be searched adds its function to `SOURCES`. Each yields what it found, or findings
for what it could not see; nothing for a cluster that has no such place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.retention.search_sight import evidence, seen_stores, unseen
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding
from kcompliance.model.reading import Kind, Seen
from kcompliance.model.retention import FOREVER, first_deletion
from kcompliance.model.search.indices import trail_indices
from kcompliance.model.search.kept import kept_by_lifecycle
from kcompliance.model.search.times import read_times
from kcompliance.model.search.view import SearchStore

__all__ = ["SOURCES", "OldestRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldestRecord:
    """How far back one place reaches."""

    resource: str
    oldest: datetime | None
    """None: it holds no record at all."""
    unbroken_since: datetime | None
    """The same, but back from the newest record without a long hole; `oldest` where not told."""
    evidence: tuple[Evidence, ...]
    as_of: datetime
    """When it was asked."""
    deletes_after: timedelta = FOREVER
    """When the place itself deletes records, where it tells."""


Source = Callable[[Cluster, timedelta, str], Iterator[OldestRecord | Finding]]
"""Takes the cluster, the longest hole that is none, and the aspect of findings."""


def _search_stores(
    cluster: Cluster, most: timedelta, aspect: str
) -> Iterator[OldestRecord | Finding]:
    """Of Elasticsearch and OpenSearch."""
    for store in seen_stores(cluster, (aspect,)):
        if isinstance(store, Finding):
            yield store
            continue
        gaps = unseen(store, (aspect,), (Kind.ELASTICSEARCH_TIMES,))
        yield from gaps or (_of_store(store, most, aspect),)


def _of_store(store: SearchStore, most: timedelta, aspect: str) -> OldestRecord | Finding:
    answer = store.answer(Kind.ELASTICSEARCH_TIMES)
    if not isinstance(answer, Seen):
        return Finding.error(store.name, "it was not asked for its oldest event", aspect=aspect)
    times = read_times(answer.value)
    if isinstance(times, str):
        because = f"its oldest event cannot be told: {times}"
        return Finding.error(store.name, because, aspect=aspect)
    if times.docs and times.oldest is None:
        because = f"none of its {times.docs} events has a time in {times.field}"
        return Finding.error(store.name, because, aspect=aspect)
    now = answer.raw.origin.collected_at
    since = times.unbroken_since(most)
    words = f"{times.oldest} by {times.field}"
    kept = kept_by_lifecycle(store, trail_indices(store, ("*",)), now)
    return OldestRecord(
        resource=store.name,
        oldest=times.oldest if times.docs else None,
        unbroken_since=since if since is not None else times.oldest,
        evidence=evidence(store, (Kind.ELASTICSEARCH_TIMES, "aggregations.oldest", words)),
        as_of=now,
        deletes_after=first_deletion(each.least for each in kept if each.least is not None),
    )


SOURCES: Final[tuple[Source, ...]] = (_search_stores,)
