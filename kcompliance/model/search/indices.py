"""The indices that hold a trail, as settings, data streams and searches tell of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.moment import moment
from kcompliance.model.reading import Kind, Seen
from kcompliance.model.search.times import IndexTimes, TrailTimes, read_times
from kcompliance.model.search.view import Fields, SearchStore

__all__ = [
    "DataStream",
    "TrailIndex",
    "data_streams",
    "flat",
    "matches",
    "named_span",
    "trail_indices",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStream:
    """A data stream; `lifecycle` is what it or its global limits say, as the server wrote it."""

    name: str
    indices: tuple[str, ...]
    """Its backing indices, the one that is written to last."""
    managed_by: Mapping[str, str]
    """By index, where the server tells: ILM, data stream lifecycle, or nothing."""
    ilm_policy: str | None
    prefer_ilm: bool
    lifecycle: Fields | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailIndex:
    """One index; None for what is not told."""

    name: str
    settings: Mapping[str, str]
    created: datetime | None
    stream: DataStream | None
    times: IndexTimes | None

    @property
    def closed(self) -> bool:
        """Closed: nothing can be searched in it."""
        return self.settings.get("index.verified_before_close") == "true"

    @property
    def ilm_policy(self) -> str | None:
        """The ILM policy that its settings name."""
        return self.settings.get("index.lifecycle.name") or None

    @property
    def originated(self) -> datetime | None:
        """Where it is set: from when ILM counts its age, whatever else happened."""
        return moment(self.settings.get("index.lifecycle.origination_date"))

    @property
    def can_roll_over(self) -> bool:
        """Whether a rollover action can act on it, or did."""
        return self.stream is not None or bool(self.settings.get("index.lifecycle.rollover_alias"))

    @property
    def indexing_complete(self) -> bool:
        """ILM sets this after a rollover; people do, so that there is none."""
        return self.settings.get("index.lifecycle.indexing_complete") == "true"


def flat(settings: object) -> Mapping[str, str]:
    """Settings as flat names and texts, whichever of both forms the server wrote."""
    found: dict[str, str] = {}
    pending: list[tuple[str, object]] = [("", settings)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping):
            pending += [(f"{path}.{key}" if path else str(key), v) for key, v in value.items()]
        elif (word := text(value)) is not None and path:
            found[path] = word
    return found


def data_streams(store: SearchStore) -> tuple[DataStream, ...]:
    """The data streams, with their lifecycle as the server says that it works out."""
    effective = {
        text(at(each, "name")): mapping(at(each, "lifecycle"))
        for each in sequence(
            store.fields(Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE).get("data_streams")
        )
        if isinstance(at(each, "lifecycle"), Mapping)
    }
    return tuple(_stream(each, effective) for each in _streams(store) if text(at(each, "name")))


def _streams(store: SearchStore) -> Iterator[Fields]:
    for each in sequence(store.fields(Kind.ELASTICSEARCH_DATA_STREAMS).get("data_streams")):
        if isinstance(each, Mapping):
            yield each


def _stream(found: Fields, effective: Mapping[str | None, Mapping[str, Any]]) -> DataStream:
    name = text(found.get("name")) or ""
    backing = [each for each in sequence(found.get("indices")) if isinstance(each, Mapping)]
    lifecycle = found.get("lifecycle")
    own = mapping(lifecycle) if isinstance(lifecycle, Mapping) else None
    names = [(text(each.get("index_name")) or "", each) for each in backing]
    return DataStream(
        name=name,
        indices=tuple(index for index, _ in names),
        managed_by={index: told for index, each in names if (told := text(each.get("managed_by")))},
        ilm_policy=text(found.get("ilm_policy")),
        prefer_ilm=found.get("prefer_ilm") is not False,
        lifecycle=effective.get(name, own),
    )


def trail_indices(store: SearchStore, patterns: Sequence[str]) -> tuple[TrailIndex, ...]:
    """The indices of the trail: all that were asked for, of files those that match `patterns`."""
    settings = {
        name: flat(mapping(each).get("settings"))
        for name, each in store.fields(Kind.ELASTICSEARCH_SETTINGS).items()
    }
    streams = data_streams(store)
    of_stream = {index: stream for stream in streams for index in stream.indices}
    times = _times(store)
    return tuple(
        TrailIndex(
            name=name,
            settings=found,
            created=moment(found.get("index.creation_date")),
            stream=of_stream.get(name),
            times=times.by_index.get(name) if times is not None else None,
        )
        for name, found in sorted(settings.items())
        if store.declared is not None
        or matches(name, patterns)
        or (name in of_stream and matches(of_stream[name].name, patterns))
    )


def _times(store: SearchStore) -> TrailTimes | None:
    answer = store.answer(Kind.ELASTICSEARCH_TIMES)
    found = read_times(answer.value) if isinstance(answer, Seen) else None
    return found if isinstance(found, TrailTimes) else None


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a list of index patterns selects a name; `-PATTERN` leaves out again."""
    chosen = False
    for pattern in patterns:
        leaves_out = pattern.startswith("-")
        if fnmatchcase(name, _literal(pattern.removeprefix("-"))):
            chosen = not leaves_out
    return chosen


def _literal(pattern: str) -> str:
    """Search servers know * only."""
    pattern = "*" if pattern == "_all" else pattern
    return pattern.replace("[", "[[]").replace("?", "[?]")


_YEAR, _MONTH = r"(?:^|[-_.])20\d{2}", r"(?:0[1-9]|1[0-2])"
_SPANS: Final = (
    (re.compile(rf"{_YEAR}([-_.]?){_MONTH}\1[0-3]\d(?:$|[-_.])"), timedelta(days=1)),
    (re.compile(rf"{_YEAR}[-_.]?[wW]\d{{2}}(?:$|[-_.])"), timedelta(days=7)),
    (re.compile(rf"{_YEAR}[-_.]?{_MONTH}(?:$|[-_.])"), timedelta(days=31)),
    (re.compile(rf"{_YEAR}$"), timedelta(days=366)),
)


def named_span(name: str) -> timedelta | None:
    """How long such an index is written to, as its name says; None where it does not."""
    return next((span for found, span in _SPANS if found.search(name)), None)
