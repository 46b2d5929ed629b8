"""Looks at one store: everything is a read, whatever goes wrong is a capture."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from kcompliance.collect.interface import Progress
from kcompliance.collect.search.asking import COLLECTOR, Asking, connected
from kcompliance.collect.search.target import DeclaredStore, connection_options
from kcompliance.collect.search.trail import ask_trail
from kcompliance.collect.search.trimming import SNAPSHOTS_KEPT, TRIMMED, trim_pipelines
from kcompliance.errors import SourceError, SourceRefused
from kcompliance.model.apiserver.plain_data import sequence
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable
from kcompliance.model.search.fields import ASKED_FIELDS, FieldMap, read_fields
from kcompliance.model.search.product import read_server
from kcompliance.model.search.questions import (
    BY_KIND,
    QUESTIONS,
    Product,
    Question,
    snapshots_of,
)
from kcompliance.search.options import ConnectionOptions

__all__ = ["collect_search"]

PATIENCE: Final = timedelta(seconds=30)
MAX_REPOSITORIES: Final = 10
MAX_WATCHES: Final = 1000
_OF_INDICES: Final = "{patterns}"


def collect_search(
    declared: DeclaredStore,
    now: datetime,
    progress: Progress,
    *,
    patience: timedelta = PATIENCE,
) -> tuple[Capture, ...]:
    """Ask all questions of a store. `patience`: how long a busy server is waited for."""
    return tuple(_captures(declared, now, progress, patience))


def _captures(
    declared: DeclaredStore, now: datetime, progress: Progress, patience: timedelta
) -> Iterator[Capture]:
    store = declared.store
    origin = Origin(
        kind=Kind.ELASTICSEARCH_STORE,
        resource=str(store),
        collector=COLLECTOR,
        collected_at=now,
    )
    yield Raw(origin=origin, content=store.dump())
    options = connection_options(declared)
    try:
        with connected(options) as connection:
            asking = Asking(connection, store, now, patience)
            yield from _answers(asking, options, now, progress)
    except SourceError as error:
        server = replace(origin, kind=Kind.ELASTICSEARCH_SERVER, resource=f"{store.url}/")
        yield Unreadable(origin=server, reason=error.message)


def _answers(
    asking: Asking, options: ConnectionOptions, now: datetime, progress: Progress
) -> Iterator[Capture]:
    progress(f"{asking.store.url}/")
    server = asking.ask(BY_KIND[Kind.ELASTICSEARCH_SERVER][0])
    product = Product.ELASTICSEARCH
    if isinstance(server, Raw):
        known = read_server(_json(server))
        if known is None:
            yield Unreadable(
                origin=server.origin, reason="it is neither Elasticsearch nor OpenSearch"
            )
            return
        product = known.product
    yield server
    if isinstance(server, Unreadable) and server.permission is None:
        return  # it does not answer, or to nobody with these credentials
    indices = asking.ask(BY_KIND[Kind.ELASTICSEARCH_INDICES][0])
    nothing = isinstance(indices, Raw) and not _matched(_json(indices))
    if nothing:
        shown = ",".join(asking.store.patterns)
        reason = f'no index, data stream or alias matches "{shown}"'
        indices = Unreadable(origin=indices.origin, reason=reason)
    yield indices
    nothing = nothing or (isinstance(indices, Unreadable) and "matches" in indices.reason)
    settings: dict[str, Any] = {}
    for question in _plain_questions(product):
        if nothing and _OF_INDICES in question.path:
            continue
        progress(asking.store.asked(question))
        for answer in _plain(asking, question, settings):
            if isinstance(answer, Raw) and question.kind is Kind.ELASTICSEARCH_SETTINGS:
                settings = _json(answer)
            yield answer
    yield _watching(asking, product)
    if not nothing:
        progress(f"{asking.store} events")
        yield from _trail(asking, now)
    yield _anonymous(asking, options)


_NOT_PLAIN: Final = {
    Kind.ELASTICSEARCH_SERVER,
    Kind.ELASTICSEARCH_INDICES,
    Kind.ELASTICSEARCH_FIELDS,
    Kind.ELASTICSEARCH_TIMES,
    Kind.ELASTICSEARCH_HISTOGRAM,
    Kind.ELASTICSEARCH_SOURCES,
    Kind.ELASTICSEARCH_TERMS,
    Kind.ELASTICSEARCH_SAMPLE,
    Kind.ELASTICSEARCH_RANDOM_SAMPLE,
    Kind.ELASTICSEARCH_WATCHES,
    Kind.ELASTICSEARCH_MONITORS,
    Kind.ELASTICSEARCH_ANONYMOUS,
}


def _plain_questions(product: Product) -> Iterator[Question]:
    for question in QUESTIONS:
        if question.kind not in _NOT_PLAIN and question.of in (None, product):
            yield question


def _plain(asking: Asking, question: Question, settings: Mapping[str, Any]) -> Iterator[Capture]:
    trim = TRIMMED.get(question.kind)
    if question.kind is Kind.ELASTICSEARCH_PIPELINES:
        trim = partial(trim_pipelines, settings)
    answer = asking.ask(question, trim)
    yield answer
    if question.kind is Kind.ELASTICSEARCH_REPOSITORIES and isinstance(answer, Raw):
        for repository in sorted(_json(answer))[:MAX_REPOSITORIES]:
            yield _snapshots(asking, repository)


def _snapshots(asking: Asking, repository: str) -> Capture:
    """The newest ones of a repository; a server that cannot sort them is asked for all."""
    question = snapshots_of(repository)
    path = f"/_snapshot/{quote(repository, safe='')}/_all"
    newest = f"{path}?sort=start_time&order=desc&size={SNAPSHOTS_KEPT}&ignore_unavailable=true"
    trim = TRIMMED[Kind.ELASTICSEARCH_SNAPSHOTS]
    try:
        answer = asking.answer(question, path=newest)
    except SourceRefused as error:
        return asking.failed(question, error)
    except SourceError:
        return asking.ask(question, trim, path=f"{path}?ignore_unavailable=true")
    return asking.raw(question, answer, trim(answer))


def _trail(asking: Asking, now: datetime) -> Iterator[Capture]:
    question = BY_KIND[Kind.ELASTICSEARCH_FIELDS][0]
    own = [field for field, _ in asking.store.filters]
    own += [asking.store.time_field] if asking.store.time_field else []
    names = ",".join(quote(field, safe="@") for field in dict.fromkeys((*ASKED_FIELDS, *own)))
    path = f"/{','.join(asking.store.patterns)}/_field_caps?fields={names}"
    answer = asking.ask(question, path=path)
    yield answer
    fields: FieldMap | SourceError | None = None
    if isinstance(answer, Raw):
        fields = read_fields(_json(answer))
    elif isinstance(answer, Unreadable):
        fields = SourceRefused(answer.reason, permission=answer.permission)
    if fields is None:
        fields = SourceError("it cannot be told how the fields are mapped")
    yield from ask_trail(asking, fields, now)


def _watching(asking: Asking, product: Product) -> Capture:
    """All watches or monitors: the server would show ten."""
    if product is Product.ELASTICSEARCH:
        question, body = BY_KIND[Kind.ELASTICSEARCH_WATCHES][0], {}
    else:
        question = BY_KIND[Kind.ELASTICSEARCH_MONITORS][0]
        body = {"query": {"match_all": {}}, "track_total_hits": True}
    return asking.ask(question, TRIMMED[question.kind], body={"size": MAX_WATCHES, **body})


def _anonymous(asking: Asking, options: ConnectionOptions) -> Capture:
    """What the server tells somebody without credentials."""
    question = BY_KIND[Kind.ELASTICSEARCH_ANONYMOUS][0]
    nobody = replace(
        options,
        api_key=None,
        username=None,
        password=None,
        bearer=None,
        client_cert=None,
        client_key=None,
    )
    try:
        with connected(nobody) as connection:
            asked = Asking(connection, asking.store, asking.now, timedelta(seconds=5))
            asked.answer(question, path="/")
    except SourceRefused as error:
        return asking.raw(question, {"status": 401 if "not accepted" in error.message else 403}, [])
    except SourceError as error:
        return asking.failed(question, error)
    return asking.raw(question, {"status": 200}, [])


def _matched(answer: Mapping[str, Any]) -> bool:
    return any(sequence(answer.get(name)) for name in ("indices", "aliases", "data_streams"))


def _json(raw: Raw) -> dict[str, Any]:
    found = msgspec.json.decode(raw.content)
    return found if isinstance(found, dict) else {}
