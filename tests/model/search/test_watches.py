"""Whether a watch raises an alarm, as far as its query is understood."""

from typing import Any

import pytest

from kcompliance.model.search.watches import REQUIRED_ACTIONS, Watched, watched

DELETE = "indices:admin/delete"


def _watched(query: Any, **more: Any) -> Watched:
    request = {"indices": ["audit-*"], "body": {"query": query}}
    watch = {
        "trigger": {"schedule": {"interval": "1m"}},
        "input": {"search": {"request": request}},
        "actions": {"tell": {"email": {}}},
        **more,
    }
    found = watched(
        {
            "count": 1,
            "watches": [{"_id": "w", "watch": watch, "status": {"state": {"active": True}}}],
        },
        "k8s-audit-1",
    )
    assert isinstance(found, Watched)
    return found


def _term(action: str = DELETE) -> dict[str, Any]:
    return {"term": {"action": action}}


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (_term(), True),
        (_term("indices:admin/create"), False),
        ({"term": {"action.keyword": {"value": DELETE}}}, True),
        ({"match_phrase": {"elasticsearch.audit.action": {"query": DELETE}}}, True),
        ({"wildcard": {"action": "*delete"}}, True),
        ({"match_all": {}}, True),
        ({"exists": {"field": "action"}}, True),
        ({"bool": {"must": [_term()], "must_not": [_term()]}}, False),
        ({"bool": {"must_not": _term("x")}}, True),
        ({"bool": {"should": [_term("x"), _term()]}}, True),
        ({"bool": {"should": [_term("x")]}}, False),
        ({"bool": {"should": [_term("x")], "filter": [_term()]}}, True),
        ({"bool": {"should": [_term("x")], "filter": [_term()], "minimum_should_match": 1}}, False),
        ({"bool": {"filter": [_term(), {"term": {"cluster.name": "other"}}]}}, None),
        ({"bool": {"filter": [_term()], "surprise": 1}}, None),
        ({"constant_score": {"filter": _term()}}, True),
        ({"query_string": {"query": "*"}}, None),
        ({"script": {}}, None),
        ({"bool": {}}, True),
        ([], None),
    ],
)
def test_a_query_is_tried_with_an_event(query: Any, answer: bool | None) -> None:
    found = _watched(query)

    assert DELETE in REQUIRED_ACTIONS
    assert bool(found.by[DELETE]) is (answer is True)
    if answer is None:
        assert found.perhaps[DELETE]


def test_an_action_that_tells_nobody_is_no_alarm_whatever_its_settings() -> None:
    action: dict[str, object] = {"logging": {}, "throttle_period_in_millis": {}, "foreach": {}}

    assert not _watched(_term(), actions={"log": action}).by[DELETE]


def test_a_chain_of_inputs_is_not_understood() -> None:
    assert not _watched(_term(), input={"chain": {"inputs": []}}).by[DELETE]


def test_more_watches_than_were_told_are_no_answer() -> None:
    assert isinstance(watched({"count": 2, "watches": []}, "x"), str)
