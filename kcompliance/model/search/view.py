"""The stores of a cluster's trail, and what each of them answered.

What a scan asked itself belongs to the store that was declared; answers that were saved as files
belong together, to a store of which nobody knows the address.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, TypeAlias

import msgspec

from kcompliance.model.apiserver.plain_data import sequence
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Reading, Seen, Unreadable
from kcompliance.model.search.product import SearchServer, read_server
from kcompliance.model.search.questions import BY_KIND, Product, Store

__all__ = ["Answer", "Fields", "SearchStore", "is_search_kind", "stores_of"]

Fields: TypeAlias = Mapping[str, Any]
"""A JSON object of an answer, hostile: no field can be relied on to have its type."""
Answer: TypeAlias = Reading[Fields] | NotAsked

COLLECTOR: Final = "elasticsearch"
_OF_OPENSEARCH: Final = {
    Kind.ELASTICSEARCH_ISM_POLICIES,
    Kind.ELASTICSEARCH_MONITORS,
    Kind.ELASTICSEARCH_AUDIT_CONFIG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStore:
    """One store with the answers to what was asked of it."""

    name: str
    declared: Store | None
    """None: it is known from files only."""
    captures: Mapping[Kind, tuple[Capture, ...]] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()

    def answer(self, kind: Kind) -> Answer:
        """What was answered; NotAsked where it was not, as of a server of the other family."""
        found = self.captures.get(kind, ())
        if not found:
            return NotAsked()
        read = [_read(each) for each in found]
        if len(read) == 1:
            return read[0]
        wrong = next((each for each in read if not isinstance(each, Seen)), None)
        return wrong if wrong is not None else _merged([r for r in read if isinstance(r, Seen)])

    def answers(self, kind: Kind) -> tuple[Reading[Fields], ...]:
        """All answers to a question that is asked more than once, as of each repository."""
        return tuple(_read(each) for each in self.captures.get(kind, ()))

    def fields(self, kind: Kind) -> Fields:
        """What was answered; empty where nothing was."""
        found = self.answer(kind)
        return found.value if isinstance(found, Seen) else {}

    def raw(self, kind: Kind) -> Raw | None:
        """The bytes of an answer."""
        found = self.answer(kind)
        return found.raw if isinstance(found, Seen) else None

    @property
    def server(self) -> SearchServer | None:
        """Which server it is, where it told."""
        return read_server(self.fields(Kind.ELASTICSEARCH_SERVER))

    @property
    def is_opensearch(self) -> bool:
        """Whether it is OpenSearch, also where only its own kinds of answers tell."""
        if self.server is not None:
            return self.server.product is Product.OPENSEARCH
        return not _OF_OPENSEARCH.isdisjoint(self.captures)


def is_search_kind(kind: Kind) -> bool:
    """Whether captures of this kind are answers of a search server."""
    return kind.value.startswith("elasticsearch-")


def stores_of(cluster: Cluster) -> tuple[SearchStore, ...]:
    """The stores that were declared or whose answers are among the files."""
    every = tuple(_search_captures(cluster))
    declared = [
        (raw, Store.load(raw.content))
        for raw in cluster.texts.get(Kind.ELASTICSEARCH_STORE, ())
        if raw.origin.collector == COLLECTOR
    ]
    stores = [_declared(store, every) for _, store in declared if store is not None]
    stores += [_broken(raw) for raw, store in declared if store is None]
    stores += [_broken(gap) for gap in cluster.gaps if gap.origin.kind is Kind.ELASTICSEARCH_STORE]
    files = [
        each
        for each in every
        if each.origin.collector != COLLECTOR and each.origin.kind is not Kind.ELASTICSEARCH_STORE
    ]
    if files:
        stores.append(_of_files(files))
    return tuple(stores)


def _search_captures(cluster: Cluster) -> Iterator[Capture]:
    for kind, raws in cluster.texts.items():
        if is_search_kind(kind):
            yield from raws
    others: tuple[Capture, ...] = (*cluster.gaps, *cluster.absents)
    yield from (each for each in others if is_search_kind(each.origin.kind))


def _declared(store: Store, every: Iterable[Capture]) -> SearchStore:
    wanted = {
        (kind, store.asked(question))
        for kind, questions in BY_KIND.items()
        for question in questions
    }
    mine: dict[Kind, tuple[Capture, ...]] = {}
    for capture in every:
        kind, resource = capture.origin.kind, capture.origin.resource
        snapshots = kind is Kind.ELASTICSEARCH_SNAPSHOTS and resource.startswith(
            f"{store.url}/_snapshot/"
        )
        own = capture.origin.collector == COLLECTOR
        if own and (snapshots or (kind, resource) in wanted) and capture not in mine.get(kind, ()):
            mine[kind] = (*mine.get(kind, ()), capture)
    return SearchStore(
        name=str(store),
        declared=store,
        captures={
            kind: found if kind is Kind.ELASTICSEARCH_SNAPSHOTS else found[:1]
            for kind, found in mine.items()
        },
        patterns=store.patterns,
    )


def _broken(raw: Raw | Unreadable) -> SearchStore:
    origin = Origin(
        kind=Kind.ELASTICSEARCH_SERVER,
        resource=raw.origin.resource,
        collector=COLLECTOR,
        collected_at=raw.origin.collected_at,
    )
    gap = Unreadable(origin=origin, reason="what was declared of this store cannot be read")
    return SearchStore(
        name=raw.origin.resource, declared=None, captures={Kind.ELASTICSEARCH_SERVER: (gap,)}
    )


def _of_files(files: Sequence[Capture]) -> SearchStore:
    mine: dict[Kind, tuple[Capture, ...]] = {}
    for capture in files:
        kind = capture.origin.kind
        if kind is Kind.ELASTICSEARCH_OPERATION_MODE:
            for known in _mode_of(capture):
                mine[known] = (*mine.get(known, ()), capture)
        else:
            mine[kind] = (*mine.get(kind, ()), capture)
    return SearchStore(name="files of a search server", declared=None, captures=mine)


def _mode_of(capture: Capture) -> Iterator[Kind]:
    """Both services answer alike; the file's name has to tell which it was."""
    name = PurePath(capture.origin.resource).name.lower()
    if "ilm" in name:
        yield Kind.ELASTICSEARCH_ILM_STATUS
    if "slm" in name:
        yield Kind.ELASTICSEARCH_SLM_STATUS


def _read(capture: Capture) -> Reading[Fields]:
    if not isinstance(capture, Raw):
        return capture
    try:
        found = msgspec.json.decode(capture.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(origin=capture.origin, reason=f"could not be read: {error}")
    if not isinstance(found, dict):
        return Unreadable(origin=capture.origin, reason="could not be read: not a JSON object")
    return Seen(value=found, raw=capture)


_BY_NAME: Final = frozenset(
    {
        Kind.ELASTICSEARCH_SETTINGS,
        Kind.ELASTICSEARCH_ILM_POLICIES,
        Kind.ELASTICSEARCH_SLM_POLICIES,
        Kind.ELASTICSEARCH_REPOSITORIES,
        Kind.ELASTICSEARCH_PIPELINES,
        Kind.ELASTICSEARCH_ROLES,
        Kind.ELASTICSEARCH_USERS,
        Kind.ELASTICSEARCH_ROLE_MAPPINGS,
    }
)
_LISTS: Final = {
    Kind.ELASTICSEARCH_DATA_STREAMS: "data_streams",
    Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE: "data_streams",
    Kind.ELASTICSEARCH_ILM_EXPLAIN: "indices",
}


def _merged(read: Sequence[Seen[Fields]]) -> Reading[Fields]:
    """Several files that answer one question in parts; Unreadable where they contradict."""
    first = read[0].raw
    if all(each.value == read[0].value for each in read):
        return read[0]
    kind = first.origin.kind
    if kind in _BY_NAME:
        whole: dict[str, Any] = {}
        for each in read:
            for name, value in each.value.items():
                if whole.setdefault(name, value) != value:
                    return _several(first)
        return Seen(value=whole, raw=first)
    if kind in _LISTS:
        return _joined(read, _LISTS[kind])
    return _several(first)


def _joined(read: Sequence[Seen[Fields]], name: str) -> Reading[Fields]:
    parts = [each.value.get(name) for each in read]
    named: list[dict[str, Any]] = [part for part in parts if isinstance(part, dict)]
    if len(named) == len(parts):
        whole = {key: value for part in named for key, value in part.items()}
        return Seen(value={name: whole}, raw=read[0].raw)
    return Seen(value={name: [v for part in parts for v in sequence(part)]}, raw=read[0].raw)


def _several(first: Raw) -> Unreadable:
    reason = "not judged: several files answer this differently; scan one search server at a time"
    return Unreadable(origin=first.origin, reason=reason)


def absent(answer: Answer) -> bool:
    """Whether the server has no such thing, or was not asked as it is of the other family."""
    return isinstance(answer, Absent | NotAsked)
