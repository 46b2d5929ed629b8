"""The search server that a case tells of: its captures as the answers of one server.

What a case does not mention is unremarkable: a healthy cluster, one index, nothing in it. Features
that it does not mention the server does not have.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kcompliance.model.reading import Absent, Capture, Kind, Raw, Unreadable
from kcompliance.model.search.fields import ASKED_FIELDS, TIME_FIELDS
from kcompliance.model.search.questions import BY_KIND, Store
from tests.collect.search.answering import Answering, Reply, error, reply, root

__all__ = ["SearchOfCaptures", "stores_in"]

Json = dict[str, Any]

_SEARCHES = ("times", "histogram", "sources", "terms", "sample", "random sample")
_NO_HITS: Json = {
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "failed": 0},
    "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []},
    "aggregations": {},
}


def stores_in(captures: Iterable[Capture]) -> list[Store]:
    """The stores that were declared, in order."""
    raws = [c for c in captures if c.origin.kind is Kind.ELASTICSEARCH_STORE and isinstance(c, Raw)]
    return [store for raw in raws if (store := Store.load(raw.content)) is not None]


class SearchOfCaptures(Answering):
    """Serves the captures of the stores at one URL; a context manager."""

    def __init__(self, url: str, captures: Iterable[Capture]) -> None:
        own = [c for c in captures if c.origin.resource.startswith(f"{url}/")]
        replies: dict[str, Reply] = {}
        for store in stores_in(own):
            replies |= _unremarkable(store, own)
        for capture in own:
            path, _, word = capture.origin.resource.removeprefix(url).partition(" (")
            path += "/_all" if capture.origin.kind is Kind.ELASTICSEARCH_SNAPSHOTS else ""
            replies[f"{path} {_first_words(word)}".strip()] = _reply(capture)
        super().__init__(replies)

    def answer(self, path: str, body: bytes) -> Reply:
        """By path, and of searches by what they look for."""
        if path.startswith("/_snapshot/"):
            return self.replies.get(path, reply({"snapshots": []}))
        if not path.endswith("/_search") or path.startswith("/_plugins/"):
            return super().answer(path, body)
        return self.replies[f"{path} {_word(json.loads(body))}"]

    def to_nobody(self, path: str) -> Reply | None:
        """What the case says that somebody without credentials is told."""
        return self.replies.get(f"{path} without credentials")


def _first_words(word: str) -> str:
    """Without the filter of the store, which stands behind."""
    known = [question.word for questions in BY_KIND.values() for question in questions]
    return next((each for each in known if each and word.startswith(each)), "")


def _word(body: Mapping[str, Any]) -> str:
    """Which of the searches a request is."""
    aggregations = body.get("aggs", {})
    if "function_score" in body["query"]:
        return "random sample"
    for name, word in (("oldest", "times"), ("bins", "histogram"), ("sources", "sources")):
        if name in aggregations:
            return word
    return "sample" if body["size"] else "terms"


def _reply(capture: Capture) -> Reply:
    match capture:
        case Raw(content=content) if capture.origin.kind is Kind.ELASTICSEARCH_ANONYMOUS:
            status = json.loads(content)["status"]
            return root() if status == 200 else error(status, "security_exception", "no")
        case Raw(content=content):
            return Reply(body=content)
        case Absent(reason=reason):
            return error(int(reason.rpartition(" ")[2]), "illegal_argument_exception", "no")
        case Unreadable(reason=reason):
            if "matches" in reason:
                return error(404, "index_not_found_exception", "no such index")
            return Reply(status=int(reason.rpartition(" ")[2]))


def _unremarkable(store: Store, captures: Iterable[Capture]) -> dict[str, Reply]:
    index = store.patterns[0].replace("*", "000001")
    time = _time_field(captures)
    types = {name: "date" if name == time else "keyword" for name in ASKED_FIELDS}
    types = {
        name: type_ for name, type_ in types.items() if name == time or name not in TIME_FIELDS
    }
    types |= {name: "keyword" for name, _ in store.filters}
    fields = {
        name: {type_: {"type": type_, "searchable": True, "aggregatable": True}}
        for name, type_ in types.items()
    }
    plain = {
        Kind.ELASTICSEARCH_HEALTH: {"status": "green", "timed_out": False},
        Kind.ELASTICSEARCH_INDICES: {
            "indices": [{"name": index, "attributes": ["open"]}],
            "aliases": [],
            "data_streams": [],
        },
        Kind.ELASTICSEARCH_SETTINGS: {index: {"settings": {}}},
        Kind.ELASTICSEARCH_FIELDS: {"indices": [index], "fields": fields},
        Kind.ELASTICSEARCH_REPOSITORIES: {},
        Kind.ELASTICSEARCH_UNROUTED: {"count": 0, "_shards": {"failed": 0}},
    }
    replies = {store.path(BY_KIND[kind][0]): reply(answer) for kind, answer in plain.items()}
    searches = [each for kind in BY_KIND.values() for each in kind if each.word in _SEARCHES]
    return replies | {f"{store.path(each)} {each.word}": reply(_NO_HITS) for each in searches}


def _time_field(captures: Iterable[Capture]) -> str:
    """The field that the answers of a case are about."""
    for capture in captures:
        if isinstance(capture, Raw) and capture.origin.kind is Kind.ELASTICSEARCH_TIMES:
            found = json.loads(capture.content)
            return str(found["aggregations"]["oldest"].get("meta", {}).get("field", "@timestamp"))
    return "@timestamp"
