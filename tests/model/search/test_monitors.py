"""Whether a monitor raises an alarm, as far as its trigger and its queries are understood."""

from typing import Any

import pytest

from kcompliance.model.search.monitors import MONITORED_ACTIONS, monitored
from kcompliance.model.search.recorded_calls import RecordedCalls, calls_of_config, calls_of_nodes
from kcompliance.model.search.watches import Watched

DELETE, ISM_WRITE = MONITORED_ACTIONS[0], "cluster:admin/opendistro/ism/policy/write"
ACTION = {"name": "mail", "destination_id": "channel"}


def _answer(*monitors: Any, count: Any = None) -> dict[str, Any]:
    total = {"value": len(monitors) if count is None else count, "relation": "eq"}
    return {"hits": {"total": total, "hits": [{"_source": each} for each in monitors]}}


def _trigger(source: str, sort: str = "query_level_trigger", **more: Any) -> dict[str, Any]:
    return {sort: {"condition": {"script": {"source": source}}, "actions": [ACTION], **more}}


def _monitor(inputs: Any, trigger: Any, /, **more: Any) -> dict[str, Any]:
    schedule = {"period": {"interval": 1, "unit": "MINUTES"}}
    usual = {"name": "m", "enabled": True, "schedule": schedule}
    return {**usual, "inputs": [inputs], "triggers": [trigger], **more}


def _search(query: Any, source: str = "ctx.results[0].hits.total.value > 0", **more: Any) -> Any:
    search = {"indices": ["security-auditlog-*"], "query": {"size": 0, "query": query}}
    return _monitor({"search": search}, _trigger(source), **more)


def _documents(query: str, source: str, **more: Any) -> Any:
    queries = [{"id": "1", "name": "one", "query": query, "tags": ["tamper"]}]
    inputs = {"doc_level_input": {"indices": ["security-auditlog"], "queries": queries}}
    return _monitor(inputs, _trigger(source, "document_level_trigger"), **more)


def _told(monitor: Any, calls: RecordedCalls | None = None, action: str = DELETE) -> bool | None:
    found = monitored(_answer(monitor), "k8s-audit-1", calls)
    assert isinstance(found, Watched)
    if found.by[action]:
        return True
    return None if found.perhaps[action] else False


TERM = {"term": {"audit_request_privilege.keyword": {"value": DELETE, "boost": 1.0}}}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param(TERM, True, id="keyword"),
        pytest.param({"term": {"audit_request_privilege": DELETE}}, None, id="words"),
        pytest.param({"match_phrase": {"audit_request_privilege": DELETE}}, True, id="phrase"),
        pytest.param({"match": {"audit_request_privilege": {"query": "x"}}}, False, id="other"),
        pytest.param({"term": {"audit_rest_request_path.keyword": "/a"}}, None, id="unknown"),
        pytest.param({"bool": {"must": [TERM], "adjust_pure_negative": True}}, True, id="bool"),
        pytest.param({"match_all": {}}, True, id="all of the audit"),
    ],
)
def test_a_query_is_tried_with_a_record(query: Any, told: bool | None) -> None:
    assert _told(_search(query)) is told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("return ctx.results[0].hits.total.value >= 1;", True),
        ("ctx.results[0].hits.total > 0", True),
        ("ctx.results[0].hits.total.value != 0", True),
        ("ctx.results[0].hits.total.value > 9", False),
        ("ctx.results[0].hits.total.value < 1", None),
        ("ctx.results[0].aggregations.a.value > 0", None),
        ("true", True),
        ("false", None),
        ("", None),
    ],
)
def test_a_script_has_to_be_true_of_one_hit(source: str, told: bool | None) -> None:
    assert _told(_search(TERM, source)) is told


@pytest.mark.parametrize(
    ("query", "source", "told"),
    [
        (f'audit_request_privilege:"{DELETE}"', "query[name=one]", True),
        (f'audit_request_privilege:"{DELETE}"', "(query[id=9] || query[tag=tamper])", True),
        (f'audit_request_privilege:"{DELETE}"', "query[name=one] && query[id=9]", None),
        (f'audit_request_privilege:"{DELETE}"', "query[name=two]", None),
        (f'audit_request_privilege:"{DELETE}"', "!query[name=one]", None),
        (f'audit_request_privilege:"{DELETE}" AND audit_category:OTHER', "query[id=1]", False),
        (f'audit_category:OTHER OR audit_request_privilege:"{DELETE}"', "query[id=1]", True),
        (f'NOT audit_request_privilege:"{DELETE}"', "query[id=1]", None),
        ("*", "query[id=1]", None),
    ],
)
def test_a_monitor_of_documents_is_understood_where_it_is_plain(
    query: str, source: str, told: bool | None
) -> None:
    assert _told(_documents(query, source)) is told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"enabled": False}, False, id="off"),
        pytest.param({"schedule": None}, False, id="without a schedule"),
        pytest.param({"triggers": []}, False, id="without a trigger"),
        pytest.param({"triggers": [_trigger("true", actions=[])]}, False, id="without an action"),
        pytest.param(
            {"triggers": [_trigger("true", actions=[{"name": "x"}])]}, False, id="to nobody"
        ),
        pytest.param({"triggers": [_trigger("true", "bucket_level_trigger")]}, None, id="buckets"),
        pytest.param({"inputs": [{"uri": {"path": "_cat/indices"}}]}, False, id="metrics"),
        pytest.param({"inputs": [{"ppl_input": {}}]}, None, id="unknown input"),
        pytest.param({"inputs": []}, None, id="no input"),
        pytest.param({"triggers": "x", "inputs": 1}, False, id="nonsense"),
    ],
)
def test_what_tells_nobody_is_no_alarm(more: dict[str, Any], told: bool | None) -> None:
    assert _told(_search(TERM, **more)) is told


def test_a_monitor_that_older_versions_wrap_is_read_too() -> None:
    assert _told({"monitor": _search(TERM)}) is True


def test_two_monitors_of_one_name_are_two() -> None:
    found = monitored(_answer(_search(TERM), _search(TERM, enabled=False)), "k", None)

    assert isinstance(found, Watched)
    assert found.by[DELETE] == ("m",)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"hits": {"total": {"value": 2}, "hits": [{}]}},
        {"hits": {"hits": []}},
        {"hits": {"total": {"value": 0, "relation": "gte"}, "hits": []}},
    ],
)
def test_what_is_not_all_monitors_is_no_answer(answer: dict[str, Any]) -> None:
    assert isinstance(monitored(answer, "x", None), str)


# --- what is recorded ----------------------------------------------------------------------------


def _config(**audit: Any) -> RecordedCalls:
    found = calls_of_config({"config": {"enabled": audit.pop("on", True), "audit": audit}})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("audit", "of_delete", "of_policy"),
    [
        pytest.param({"enable_rest": True}, 1, 0, id="as delivered"),
        pytest.param({"disabled_transport_categories": []}, 2, 1, id="all"),
        pytest.param(
            {"disabled_transport_categories": ["GRANTED_PRIVILEGES", "INDEX_EVENT"]},
            0,
            0,
            id="none",
        ),
        pytest.param(
            {"disabled_transport_categories": [], "enable_transport": False}, 0, 0, id="transport"
        ),
        pytest.param({"disabled_transport_categories": [], "on": False}, 0, 0, id="off"),
        pytest.param(
            {"disabled_transport_categories": [], "ignore_requests": ["cluster:admin/*"]},
            *(2, 0),
            id="requests",
        ),
        pytest.param(
            {"disabled_transport_categories": [], "ignore_users": ["admin"]}, 0, 0, id="a user"
        ),
        pytest.param(
            {"disabled_transport_categories": [], "ignore_users": ["kibanaserver"]},
            *(2, 1),
            id="the user of Dashboards",
        ),
    ],
)
def test_what_the_audit_leaves_out_is_known(
    audit: dict[str, Any], of_delete: int, of_policy: int
) -> None:
    calls = _config(**audit)

    assert len(calls.categories(DELETE)) == of_delete
    assert len(calls.categories(ISM_WRITE)) == of_policy


def test_what_one_node_leaves_out_is_not_recorded() -> None:
    name = "plugins.security.audit.config.disabled_transport_categories"
    nodes = {"a": {"settings": {name: "NONE"}}, "b": {"settings": {}}}

    assert calls_of_nodes({"nodes": {"a": nodes["a"]}}).categories(ISM_WRITE)
    assert not calls_of_nodes({"nodes": nodes}).categories(ISM_WRITE)
    assert not calls_of_nodes({}).categories(DELETE)


def test_a_monitor_of_a_category_that_is_not_recorded_is_no_alarm() -> None:
    category = {"term": {"audit_category.keyword": "GRANTED_PRIVILEGES"}}
    monitor = _search({"bool": {"filter": [TERM, category]}})

    assert _told(monitor) is True
    assert _told(monitor, _config(enable_rest=True)) is False


def test_another_answer_is_no_configuration() -> None:
    assert calls_of_config({"config": {"audit": []}}) is None
