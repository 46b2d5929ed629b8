"""What the checks of stores say where they could not see; shared so that it sounds the same."""

from collections.abc import Iterator, Sequence
from typing import Final

from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw, Seen, Unreadable
from kcompliance.model.search.indices import TrailIndex, trail_indices
from kcompliance.model.search.questions import BY_KIND
from kcompliance.model.search.view import SearchStore, stores_of

__all__ = [
    "LIFECYCLE_KINDS",
    "as_of",
    "evidence",
    "no_store",
    "red",
    "seen_stores",
    "unseen",
    "which_indices",
]

WHERE: Final = "Where does this cluster's trail go?"
_HOW: Final = (
    "Name the store under targets in kcompliance.yaml, such as targets: {prod: {kube: "
    '"kube:prod", stores: [{url: "elasticsearch+https://es.example:9200/'
    'logs-kubernetes.audit_logs-*"}]}}, and scan @prod.'
)

_ELASTICSEARCH: Final = (
    Kind.ELASTICSEARCH_ILM_POLICIES,
    Kind.ELASTICSEARCH_ILM_EXPLAIN,
    Kind.ELASTICSEARCH_ILM_STATUS,
    Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE,
)
_OPENSEARCH: Final = (Kind.ELASTICSEARCH_ISM_POLICIES, Kind.ELASTICSEARCH_ISM_EXPLAIN)
LIFECYCLE_KINDS: Final = (
    Kind.ELASTICSEARCH_SETTINGS,
    Kind.ELASTICSEARCH_DATA_STREAMS,
    *_ELASTICSEARCH,
    *_OPENSEARCH,
)
"""What tells how long the indices are kept."""

_MUST_BE_GIVEN: Final = {
    Kind.ELASTICSEARCH_SETTINGS,
    Kind.ELASTICSEARCH_ILM_POLICIES,
    Kind.ELASTICSEARCH_ISM_POLICIES,
    Kind.ELASTICSEARCH_ISM_EXPLAIN,
    Kind.ELASTICSEARCH_TIMES,
    Kind.ELASTICSEARCH_SLM_POLICIES,
    Kind.ELASTICSEARCH_REPOSITORIES,
}
"""Of files: without these nothing can be said; the others add to them."""


_NONE: Final = "no Elasticsearch or OpenSearch is declared that holds this cluster's trail"


def no_store(cluster: Cluster, aspects: Sequence[str], because: str = _NONE) -> Iterator[Finding]:
    """What is said of a cluster of which no store is known."""
    for aspect in aspects:
        for gap in cluster.gaps_in():
            if gap.origin.kind is Kind.FILE:
                yield Finding.unreadable(gap, aspect=aspect)
        yield Finding.manual(cluster.name, because, f"{WHERE} {_HOW}", aspect=aspect)


def seen_stores(cluster: Cluster, aspects: Sequence[str]) -> Iterator[SearchStore | Finding]:
    """The stores; also an error for each file that could not be read and may be an answer."""
    for gap in cluster.gaps_in():
        if gap.origin.kind is Kind.FILE:
            for aspect in aspects:
                yield Finding.unreadable(gap, aspect=aspect)
    yield from stores_of(cluster)


def unseen(
    store: SearchStore, aspects: Sequence[str], kinds: Sequence[Kind]
) -> tuple[Finding, ...]:
    """Findings for each of these kinds that was not read; with any of them nothing may pass."""
    found: list[Finding] = []
    asked = (Kind.ELASTICSEARCH_SERVER, Kind.ELASTICSEARCH_INDICES, Kind.ELASTICSEARCH_HEALTH)
    for kind in dict.fromkeys((*asked, *kinds)):
        answer = store.answer(kind)
        for aspect in aspects:
            if isinstance(answer, Unreadable):
                found.append(Finding.unreadable(answer, aspect=aspect))
            elif isinstance(answer, NotAsked) and _is_wanting(store, kind):
                found.append(_question(store, kind, aspect))
    if store.answer(Kind.ELASTICSEARCH_SERVER) == NotAsked() and store.declared is not None:
        found += [
            Finding.error(store.name, "the server was not asked", aspect=aspect)
            for aspect in aspects
        ]
    return (*found, *red(store, aspects))


def _is_wanting(store: SearchStore, kind: Kind) -> bool:
    """Whether a file lacks; a server itself was asked for all that it can have."""
    if store.declared is not None or kind not in _MUST_BE_GIVEN:
        return False
    if kind in _OPENSEARCH:
        return store.is_opensearch
    return not (kind in (*_ELASTICSEARCH, Kind.ELASTICSEARCH_SLM_POLICIES) and store.is_opensearch)


def _question(store: SearchStore, kind: Kind, aspect: str) -> Finding:
    path = BY_KIND[kind][0].path.format(patterns="PATTERN")
    what = (
        "Scan the server itself, elasticsearch+https://HOST:9200/PATTERN: it takes a search."
        if kind is Kind.ELASTICSEARCH_TIMES
        else f"What does GET {path} answer? Save it as a JSON file beside the others."
    )
    because = f"the answer of {path} is not among what was given"
    return Finding.manual(store.name, because, what, aspect=aspect)


def red(store: SearchStore, aspects: Sequence[str]) -> Iterator[Finding]:
    """An error for each aspect where some events of the store cannot be read now."""
    health = store.answer(Kind.ELASTICSEARCH_HEALTH)
    if isinstance(health, Seen):
        status = health.value.get("status")
        if status not in ("green", "yellow") or health.value.get("timed_out") is True:
            because = f"the health of its indices is {status}: some events cannot be read"
            told = evidence_of(health.raw, "status", str(status))
            for aspect in aspects:
                yield Finding.error(store.name, because, told, aspect=aspect)


def which_indices(
    store: SearchStore, patterns: Sequence[str], aspects: Sequence[str]
) -> tuple[tuple[TrailIndex, ...], tuple[Finding, ...]]:
    """The indices of the trail; findings where there are none."""
    indices = trail_indices(store, patterns)
    if indices:
        return indices, ()
    if store.declared is not None:
        because = "it has no index that its patterns match"
        return (), tuple(Finding.error(store.name, because, aspect=aspect) for aspect in aspects)
    because = f"none of the indices in the files matches {', '.join(patterns)}"
    question = "Which indices hold the trail? Set index_patterns of this control."
    return (), tuple(
        Finding.manual(store.name, because, question, aspect=aspect) for aspect in aspects
    )


def evidence(store: SearchStore, *told: tuple[Kind, str, str]) -> tuple[Evidence, ...]:
    """Pieces of evidence: kind of answer, place in it, and quote; those without bytes left out."""
    return tuple(
        each
        for kind, location, quote in told
        if (raw := store.raw(kind)) is not None
        for each in evidence_of(raw, location, quote)
    )


def as_of(store: SearchStore) -> Raw | None:
    """Some answer of the store, whose time is that of the scan."""
    for kind in (Kind.ELASTICSEARCH_SETTINGS, Kind.ELASTICSEARCH_TIMES, Kind.ELASTICSEARCH_SERVER):
        raw = store.raw(kind)
        if raw is not None:
            return raw
    return None
