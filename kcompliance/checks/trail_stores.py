"""The stores that checks judge by single answers, and what is said where one is not at hand."""

from collections.abc import Iterator

from kcompliance.checks.search_sight import no_store, seen_stores
from kcompliance.model.apiserver.plain_data import at
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding
from kcompliance.model.reading import Absent, Kind, Seen, Unreadable
from kcompliance.model.search.questions import BY_KIND, Product
from kcompliance.model.search.view import COLLECTOR, Fields, SearchStore

__all__ = ["answered", "not_whole", "searched", "seen_stores_that_answer", "stores_to_judge"]


def stores_to_judge(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator[SearchStore | Finding]:
    """The stores that answer, and findings on those that do not or where there is none."""
    stores = tuple(seen_stores_that_answer(cluster, aspects))
    yield from stores or no_store(cluster, aspects)


def seen_stores_that_answer(
    cluster: Cluster, aspects: tuple[str, ...]
) -> Iterator[SearchStore | Finding]:
    """The same, and nothing where there is no store."""
    for store in seen_stores(cluster, aspects):
        server = store if isinstance(store, Finding) else store.answer(Kind.ELASTICSEARCH_SERVER)
        if isinstance(server, Unreadable) and server.permission is None:
            yield from (Finding.unreadable(server, aspect=aspect) for aspect in aspects)
        else:
            yield store


def answered(store: SearchStore, kind: Kind, aspect: str) -> Seen[Fields] | Absent | Finding:
    """What the store answered, or the finding that says why nothing is known."""
    found = store.answer(kind)
    if isinstance(found, Unreadable):
        return Finding.unreadable(found, aspect=aspect)
    return _not_asked(store, kind, aspect) if isinstance(found, NotAsked) else found


def searched(store: SearchStore, kind: Kind, aspect: str) -> Seen[Fields] | Finding:
    """The same of a search: what not all shards answered is an error."""
    found = answered(store, kind, aspect)
    if isinstance(found, Absent):
        return Finding.error(store.name, found.reason, aspect=aspect)
    if isinstance(found, Seen) and (why := not_whole(found.value)):
        return Finding.error(found.raw.origin.resource, why, aspect=aspect)
    return found


def not_whole(answer: Fields) -> str | None:
    """Why the answer to a search or a count cannot be relied on."""
    shards = at(answer, "_shards")
    if not isinstance(shards, dict):
        return "it does not tell how many shards answered"
    if answer.get("timed_out") is True or shards.get("failed") not in (0, None):
        return "some shards did not answer"
    return None


def _not_asked(store: SearchStore, kind: Kind, aspect: str) -> Finding:
    if store.declared is not None:
        indices = store.answer(Kind.ELASTICSEARCH_INDICES)
        if isinstance(indices, Unreadable):
            return Finding.unreadable(indices, aspect=aspect)
        return Finding.error(
            store.name, f"this scan did not ask it for {kind.value}", aspect=aspect
        )
    return Finding.manual(
        store.name,
        f"{kind.value.removeprefix(f'{COLLECTOR}-')} of it are not in what was given",
        f"What does {_request(store, kind)} answer? Scan "
        "elasticsearch+https://HOST:9200/INDEX_PATTERN, or add that answer to the files.",
        aspect=aspect,
    )


def _request(store: SearchStore, kind: Kind) -> str:
    wanted = Product.OPENSEARCH if store.is_opensearch else Product.ELASTICSEARCH
    questions = BY_KIND[kind]
    question = next((q for q in questions if q.of in (None, wanted)), questions[0])
    path = question.path.format(patterns="INDEX_PATTERN", failures="INDEX_PATTERN::failures")
    shown = f"{path}?{question.query}" if question.query else path
    return f"GET {shown}" if not question.word else f"a search for the {question.word} at {path}"
