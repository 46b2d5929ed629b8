"""Of a watch or monitor its query is kept, and of its actions only that they tell somebody."""

import json
from datetime import UTC, datetime
from typing import Any

from kcompliance.collect.search.collector import collect_search
from kcompliance.collect.search.recognise import search_answer
from kcompliance.collect.search.target import search_target
from kcompliance.model.reading import Absent, Capture, Kind, Raw, Unreadable
from tests.collect.search.answering import Answering, Reply, error, reply, root

_PATH = "/_watcher/_query/watches"


def _watches(answer: Reply | None) -> Capture:
    replies = {"/": root()} | ({_PATH: answer} if answer else {})
    with Answering(replies) as server:
        store = search_target(f"elasticsearch+{server.url}/k8s-audit-*")
        captures = collect_search(store, datetime.now(UTC), lambda what: None)
    (found,) = (c for c in captures if c.origin.kind is Kind.ELASTICSEARCH_WATCHES)
    return found


def test_addresses_and_credentials_of_actions_are_not_kept() -> None:
    query = {"term": {"action": "indices:admin/delete"}}
    watch: dict[str, Any] = {
        "trigger": {"schedule": {"interval": "5m"}},
        "input": {"search": {"request": {"indices": ["a"], "body": {"query": query}}}},
        "actions": {
            "call": {"webhook": {"host": "hooks.example", "path": "/geheim", "body": "geheim"}},
            "mail": {"email": {"to": "geheim@example.org"}, "throttle_period": "1m"},
        },
        "metadata": {"token": "geheim"},
    }
    found = _watches(reply({"count": 1, "watches": [{"_id": "w", "watch": watch}]}))

    assert isinstance(found, Raw)
    assert b"geheim" not in found.content
    kept = json.loads(found.content)["watches"][0]["watch"]
    assert kept["input"] == watch["input"]
    assert {name: [*action] for name, action in kept["actions"].items()} == {
        "call": ["webhook"],
        "mail": ["email", "throttle_period"],
    }


def test_a_server_without_watches_is_not_one_that_refuses() -> None:
    assert isinstance(_watches(None), Absent)
    refused = _watches(error(403, "security_exception"))
    assert isinstance(refused, Unreadable)
    assert refused.permission == "monitor_watcher"


# --- monitors of OpenSearch ----------------------------------------------------------------------

_MONITORS = "/_plugins/_alerting/monitors/_search"


def _of_opensearch(answers: dict[str, Reply], kind: Kind) -> tuple[Capture, list[tuple[str, str]]]:
    version = {"distribution": "opensearch", "number": "3.4.0"}
    with Answering({"/": root(**version), **answers}) as server:
        store = search_target(f"elasticsearch+{server.url}/k8s-audit-*")
        captures = collect_search(store, datetime.now(UTC), lambda what: None)
    (found,) = (c for c in captures if c.origin.kind is kind)
    return found, server.asked


def _hits(*monitors: Any) -> Reply:
    hits = [{"_index": ".opendistro-alerting-config", "_source": each} for each in monitors]
    total = {"value": len(hits), "relation": "eq"}
    return reply({"_shards": {"failed": 0}, "hits": {"total": total, "hits": hits}})


def test_texts_and_users_of_monitors_are_not_kept() -> None:
    action = {"name": "call", "destination_id": "c1", "message_template": {"source": "geheim"}}
    told = {"name": "t", "condition": {"script": {"source": "true"}}, "actions": [action]}
    inputs: list[Any] = [{"search": {"indices": ["a"], "query": {"query": {"match_all": {}}}}}]
    monitor = {
        "name": "m",
        "enabled": True,
        "user": {"name": "geheim"},
        "inputs": [*inputs, {"uri": {"url": "https://geheim@example.org"}}],
        "triggers": [{"query_level_trigger": told}, dict(told)],
        "ui_metadata": {"x": "geheim"},
    }
    found, asked = _of_opensearch({_MONITORS: _hits(monitor)}, Kind.ELASTICSEARCH_MONITORS)

    assert isinstance(found, Raw)
    assert b"geheim" not in found.content
    kept = json.loads(found.content)["hits"]["hits"][0]["_source"]
    assert kept["inputs"] == [*inputs, {"uri": {}}]
    assert kept["triggers"][0]["query_level_trigger"]["actions"][0]["destination_id"] == "c1"
    assert ("POST", _MONITORS) in asked


def test_opensearch_without_alerting_is_not_one_that_refuses() -> None:
    kind = Kind.ELASTICSEARCH_MONITORS
    assert isinstance(_of_opensearch({}, kind)[0], Absent)
    no_index = error(404, "index_not_found_exception", "Configured indices are not found")
    assert isinstance(_of_opensearch({_MONITORS: no_index}, kind)[0], Absent)
    refused, _ = _of_opensearch({_MONITORS: error(403, "security_exception")}, kind)
    assert isinstance(refused, Unreadable)
    assert refused.permission == "cluster:admin/opendistro/alerting/monitor/search"


def test_an_audit_that_cannot_be_changed_while_it_runs_has_no_configuration() -> None:
    path, kind = "/_plugins/_security/api/audit", Kind.ELASTICSEARCH_AUDIT_CONFIG
    answer = reply({"status": "NOT_IMPLEMENTED", "message": "Method GET not supported"}, status=501)

    assert isinstance(_of_opensearch({path: answer}, kind)[0], Absent)
    assert isinstance(_of_opensearch({path: error(403, "x")}, kind)[0], Unreadable)
    assert isinstance(_of_opensearch({path: error(500, "x")}, kind)[0], Unreadable)


def test_saved_answers_are_recognised_and_trimmed() -> None:
    kind, content, _ = search_answer(_hits({"name": "m", "user": {"name": "geheim"}}).body) or _NONE
    assert (kind, b"geheim" in content) == (Kind.ELASTICSEARCH_MONITORS, False)
    saved = b'{"config":{"audit":{"enable_transport":true,"ignore_users":[]},"compliance":{"x":1}}}'
    kind, content, _ = search_answer(saved) or _NONE
    assert (kind, b"compliance" in content) == (Kind.ELASTICSEARCH_AUDIT_CONFIG, False)


_NONE = (None, b"", ())
