"""How old and how new the events of a store are, as a search told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kcompliance.model.apiserver.plain_data import at, sequence, text
from kcompliance.model.moment import moment
from kcompliance.model.search.view import Fields

__all__ = ["IndexTimes", "TrailTimes", "read_times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTimes:
    """The events of one index."""

    oldest: datetime | None
    newest: datetime | None
    docs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailTimes:
    """The events of a store that are the cluster's."""

    field: str
    """By which their times are told."""
    docs: int
    oldest: datetime | None
    newest: datetime | None
    days: tuple[datetime, ...]
    """The begins of the days, in UTC, on which there are events; of the last three years."""
    by_index: Mapping[str, IndexTimes]


def read_times(answer: Fields) -> TrailTimes | str:
    """The answer of the search for times, or why it is none that can be relied on."""
    if answer.get("timed_out") is True or at(answer, "_shards", "failed") not in (0, None):
        return "some shards did not answer"
    oldest, newest = at(answer, "aggregations", "oldest"), at(answer, "aggregations", "newest")
    total = at(answer, "hits", "total")
    docs = total if isinstance(total, int) else at(total, "value")
    if not isinstance(oldest, Mapping) or not isinstance(newest, Mapping):
        return "no oldest and newest event in it"
    if not isinstance(docs, int) or isinstance(docs, bool):
        return "it does not tell how many events there are"
    days = sequence(at(answer, "aggregations", "lately", "days", "buckets"))
    return TrailTimes(
        field=text(at(oldest, "meta", "field")) or "a field that is not told",
        docs=docs,
        oldest=moment(oldest.get("value")),
        newest=moment(newest.get("value")),
        days=tuple(
            start
            for day in days
            if (start := moment(at(day, "key"))) and at(day, "doc_count") not in (0, None)
        ),
        by_index={
            text(at(each, "key")) or "": IndexTimes(
                oldest=moment(at(each, "oldest", "value")),
                newest=moment(at(each, "newest", "value")),
                docs=count if isinstance(count := at(each, "doc_count"), int) else 0,
            )
            for each in sequence(at(answer, "aggregations", "by_index", "buckets"))
        },
    )
