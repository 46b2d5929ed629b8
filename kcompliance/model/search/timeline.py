"""When events came, and from which API server, as searches told."""

from datetime import datetime

from kcompliance.model.apiserver.plain_data import at, sequence, text
from kcompliance.model.event_store.timeline import Source, Timeline
from kcompliance.model.moment import moment
from kcompliance.model.search.view import Fields

__all__ = ["read_sources", "read_timeline"]


def read_timeline(answer: Fields) -> Timeline | str:
    """The answer of the search for a histogram, or why it is none."""
    found = at(answer, "aggregations", "bins")
    if not isinstance(at(found, "buckets"), list):
        return "no histogram in it"
    bins: dict[datetime, int] = {}
    for bucket in sequence(at(found, "buckets")):
        start, count = moment(at(bucket, "key")), at(bucket, "doc_count")
        if start is None or not isinstance(count, int):
            return "a part of the histogram cannot be read"
        if count > 0:
            bins[start] = count
    return Timeline(
        field=text(at(found, "meta", "field")) or "a field that is not told",
        bins=bins,
        place="aggregations.bins",
    )


def read_sources(answer: Fields) -> tuple[Source, ...] | str | None:
    """From where events came; None where no field tells it; or why the answer is none."""
    aggregations = at(answer, "aggregations")
    found = at(aggregations, "sources")
    if found is None:
        return None
    if not isinstance(at(found, "buckets"), list):
        return "no list of sources in it"
    if at(found, "sum_other_doc_count") not in (0, None):
        return "more than fifty sources: not all of them were told"
    return tuple(
        Source(
            name=text(at(bucket, "key")) or "",
            hours=tuple(
                hour
                for each in sequence(at(bucket, "hours", "buckets"))
                if (hour := moment(at(each, "key"))) and at(each, "doc_count") not in (0, None)
            ),
            newest=moment(at(bucket, "newest", "value")),
        )
        for bucket in sequence(at(found, "buckets"))
    )
