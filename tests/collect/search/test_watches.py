"""Of a watch its query is kept, and of its actions only what sort they are."""

import json
from datetime import UTC, datetime
from typing import Any

from kcompliance.collect.search.collector import collect_search
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
