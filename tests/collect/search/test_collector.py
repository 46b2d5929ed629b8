"""What a store's answers become, and what becomes of answers that do not come.

Over a real socket from a server of documented answers: snapshot policies, ISM and the like are in
no module of Elasticsearch or OpenSearch that is published.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.search.collector import collect_search
from kcompliance.collect.search.target import DeclaredStore, search_target
from kcompliance.controls import load_controls
from kcompliance.errors import UsageError
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Absent, Capture, Kind, Raw, Unreadable
from kcompliance.scan import judge_control
from tests.collect.search.answering import Answering, Reply, error, reply, root

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATTERN = "k8s-audit-*"
INDEX = "k8s-audit-000042"
CONTROLS = ("KC-RET-001", "KC-RET-002", "KC-RET-003", "KC-RET-004", "KC-RET-006")


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _times(oldest: datetime) -> Reply:
    newest = NOW - timedelta(minutes=1)
    days = [oldest + timedelta(days=n) for n in range(0, (newest - oldest).days + 1, 5)]
    meta = {"field": "kubernetes.audit.stageTimestamp"}
    return reply(
        {
            "timed_out": False,
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "hits": {"total": {"value": 10, "relation": "eq"}, "hits": []},
            "aggregations": {
                "oldest": {"meta": meta, "value": _ms(oldest)},
                "newest": {"meta": meta, "value": _ms(newest)},
                "lately": {"days": {"buckets": [{"key": _ms(d), "doc_count": 1} for d in days]}},
                "by_index": {"buckets": []},
            },
        }
    )


def _good() -> dict[str, Reply]:
    night = NOW - timedelta(hours=10)
    phases = {
        "hot": {"actions": {"rollover": {"max_age": "1d"}}},
        "delete": {
            "min_age": "270d",
            "actions": {"wait_for_snapshot": {"policy": "daily"}, "delete": {}},
        },
    }
    date = {"date": {"type": "date", "searchable": True, "aggregatable": True}}
    return {
        "/": root(),
        f"/_cluster/health/{PATTERN}": reply({"status": "green", "timed_out": False}),
        f"/_resolve/index/{PATTERN}": reply(
            {"indices": [{"name": INDEX}], "aliases": [], "data_streams": []}
        ),
        f"/{PATTERN}/_settings": reply(
            {
                INDEX: {
                    "settings": {
                        "index.creation_date": str(_ms(NOW - timedelta(days=2))),
                        "index.lifecycle.name": "audit",
                        "index.lifecycle.rollover_alias": "k8s-audit",
                        "index.routing.allocation.include._tier_preference": "data_hot",
                    }
                }
            }
        ),
        f"/{PATTERN}/_field_caps": reply(
            {"indices": [INDEX], "fields": {"kubernetes.audit.stageTimestamp": date}}
        ),
        f"/_data_stream/{PATTERN}": reply({"data_streams": []}),
        "/_ilm/policy": reply({"audit": {"version": 1, "policy": {"phases": phases}}}),
        "/_ilm/status": reply({"operation_mode": "RUNNING"}),
        f"/{PATTERN}/_ilm/explain": reply({"indices": {INDEX: {"index": INDEX, "managed": True}}}),
        "/_slm/policy": reply(
            {
                "daily": {
                    "policy": {
                        "name": "<x-{now/d}>",
                        "schedule": "0 30 1 * * ?",
                        "repository": "offsite",
                        "config": {"indices": [PATTERN]},
                    },
                    "last_success": {"snapshot_name": "s-1", "time": _ms(night)},
                }
            }
        ),
        "/_slm/status": reply({"operation_mode": "RUNNING"}),
        "/_snapshot": reply(
            {
                "offsite": {
                    "type": "s3",
                    "settings": {"bucket": "b", "access_key": "AKIA1", "secret_key": "geheim1"},
                }
            }
        ),
        "/_snapshot/offsite/_all": reply(
            {
                "snapshots": [
                    {
                        "snapshot": "s-1",
                        "repository": "offsite",
                        "state": "SUCCESS",
                        "indices": [INDEX],
                        "start_time_in_millis": _ms(night),
                        "shards": {"total": 1, "failed": 0, "successful": 1},
                    }
                ]
            }
        ),
        "search:oldest": _times(NOW - timedelta(days=200)),
    }


def _declared(url: str, **more: Any) -> DeclaredStore:
    declared = search_target(f"elasticsearch+{url}/{PATTERN}", **more)
    return DeclaredStore(store=declared.store, environment={})


def _collected(
    replies: Mapping[str, Reply], *, patience: float = 1.0, **more: Any
) -> tuple[tuple[Capture, ...], Answering]:
    with Answering(replies) as server:
        declared = _declared(server.url, **more)
        wait = timedelta(seconds=patience)
        return collect_search(declared, NOW, lambda what: None, patience=wait), server


def _of(captures: tuple[Capture, ...], kind: Kind) -> Capture:
    return next(capture for capture in captures if capture.origin.kind is kind)


def _statuses(captures: tuple[Capture, ...], control: str) -> dict[str, set[Status]]:
    found: dict[str, set[Status]] = {}
    for finding in _findings(captures, control):
        found.setdefault(finding.aspect, set()).add(finding.status)
    return found


def _findings(captures: tuple[Capture, ...], control: str) -> list[Finding]:
    cluster = assemble("es", captures)
    return [judged.finding for judged in judge_control(load_controls()[control], cluster, {})]


def test_a_sound_store_passes() -> None:
    captures, _ = _collected(_good())

    assert _statuses(captures, "KC-RET-001") == {
        "main": {Status.PASS},
        "lifecycle-runs": {Status.PASS},
    }
    assert _statuses(captures, "KC-RET-002") == {"main": {Status.PASS}}
    assert _statuses(captures, "KC-RET-004") == {"main": {Status.PASS}}
    assert _statuses(captures, "KC-RET-006")["gated"] == {Status.PASS}


def test_it_only_reads() -> None:
    _, server = _collected(_good())

    posted = {path.partition("?")[0] for method, path in server.asked if method == "POST"}
    assert posted <= {f"/{PATTERN}/_search", "/_watcher/_query/watches"}  # both only query
    assert {method for method, _ in server.asked} <= {"GET", "POST"}
    assert not [path for _, path in server.asked if "_verify" in path]


def test_every_question_is_answered_by_one_capture() -> None:
    captures, _ = _collected(_good())

    asked = [(capture.origin.kind, capture.origin.resource) for capture in captures]
    assert len(asked) == len(set(asked))


def test_secrets_of_repositories_are_taken_out() -> None:
    captures, _ = _collected(_good())

    found = _of(captures, Kind.ELASTICSEARCH_REPOSITORIES)
    assert isinstance(found, Raw)
    assert b"geheim1" not in found.content
    assert b"AKIA1" not in found.content
    assert found.redactions == ("/offsite/settings/access_key", "/offsite/settings/secret_key")


def test_of_settings_only_those_are_kept_that_are_asked_about() -> None:
    captures, _ = _collected(_good())

    found = _of(captures, Kind.ELASTICSEARCH_SETTINGS)
    assert isinstance(found, Raw)
    assert b"_tier_preference" not in found.content


def test_bodies_of_events_are_never_kept() -> None:
    event = {
        "kubernetes": {
            "audit": {
                "auditID": "a-1",
                "verb": "create",
                "requestURI": "/api/v1/namespaces/x/pods/p/exec?command=cat&command=geheim2",
                "requestObject": {"data": {"password": "geheim3"}},
                "responseObject": "skipped-too-big-size-object",
                "user": {"username": "u", "extra": {"token": ["geheim4"]}},
                "annotations": {
                    "authorization.k8s.io/decision": "allow",
                    "patch.webhook.admission.k8s.io/round_0_index_0": "geheim5",
                },
            }
        },
        "message": "geheim6",
        "event": {"original": "geheim7", "action": "create"},
        "log": "geheim8",
        "new_field": ["geheim9"],
    }
    hits = {"total": {"value": 1}, "hits": [{"_index": INDEX, "_id": "1", "_source": event}]}
    sample = reply({"_shards": {"failed": 0}, "hits": hits})
    captures, _ = _collected({**_good(), f"/{PATTERN}/_search": sample})

    found = _of(captures, Kind.ELASTICSEARCH_SAMPLE)
    assert isinstance(found, Raw)
    assert b"geheim" not in found.content
    kept = json.loads(found.content)["hits"]["hits"][0]["_source"]
    audit = kept["kubernetes"]["audit"]
    assert (audit["auditID"], audit["verb"]) == ("a-1", "create")
    assert audit["requestObject"] == "REDACTED"
    assert audit["responseObject"] == "skipped-too-big-size-object"
    assert audit["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert audit["requestURI"].startswith("/api/v1/namespaces/x/pods/p/exec?")
    assert kept["event"]["action"] == "create"
    assert "/hits/hits/0/_source/message" in found.redactions


_OPTIONAL = {
    "/_ilm/policy": Kind.ELASTICSEARCH_ILM_POLICIES,
    "/_slm/policy": Kind.ELASTICSEARCH_SLM_POLICIES,
    f"/_data_stream/{PATTERN}": Kind.ELASTICSEARCH_DATA_STREAMS,
}


@pytest.mark.parametrize("status", [400, 404, 405, 410])
@pytest.mark.parametrize("path", sorted(_OPTIONAL))
def test_a_feature_that_a_server_lacks_is_absent(path: str, status: int) -> None:
    captures, _ = _collected({**_good(), path: error(status)})

    assert isinstance(_of(captures, _OPTIONAL[path]), Absent)


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("/_ilm/policy", "read_ilm"),
        ("/_slm/policy", "read_slm"),
        ("/_snapshot", "monitor_snapshot"),
        ("/_snapshot/offsite/_all", "monitor_snapshot"),
        (f"/{PATTERN}/_settings", "view_index_metadata"),
        ("search:oldest", "read"),
    ],
)
def test_what_may_not_be_seen_names_the_privilege_and_nothing_passes(
    path: str, permission: str
) -> None:
    captures, _ = _collected({**_good(), path: error(403, "security_exception", "is unauthorized")})

    refused = [c for c in captures if isinstance(c, Unreadable) and c.permission == permission]
    assert refused
    controls = {
        "/_ilm/policy": ("KC-RET-001", "KC-RET-003", "KC-RET-006"),
        "/_slm/policy": ("KC-RET-004", "KC-RET-006"),
        "/_snapshot": ("KC-RET-004",),
        "/_snapshot/offsite/_all": ("KC-RET-004",),
        "search:oldest": ("KC-RET-002", "KC-RET-003"),
    }.get(path, CONTROLS)
    for control in controls if path != f"/{PATTERN}/_settings" else ("KC-RET-001", "KC-RET-004"):
        for findings in _statuses(captures, control).values():
            assert Status.ERROR in findings
            assert Status.PASS not in findings


@pytest.mark.parametrize(
    "wrong",
    [error(401), error(500), error(503), error(429), Reply(body=b"{}", cut=True, status=200)],
    ids=["401", "500", "503", "429", "empty"],
)
def test_a_server_that_does_not_answer_is_an_error_of_every_control(wrong: Reply) -> None:
    wrong = root() if wrong.cut else wrong
    replies = {**_good(), "/": Reply(status=wrong.status, body=wrong.body, cut=wrong.status == 200)}
    captures, server = _collected(replies, patience=0.5)

    assert isinstance(_of(captures, Kind.ELASTICSEARCH_SERVER), Unreadable)
    assert {path for _, path in server.asked} == {"/"}
    for control in CONTROLS:
        for findings in _statuses(captures, control).values():
            assert findings == {Status.ERROR}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_question_that_fails_is_tried_again_and_then_an_error(status: int) -> None:
    wrong = error(status, "es_rejected_execution_exception" if status == 429 else "x")
    captures, _ = _collected({**_good(), "/_slm/policy": wrong}, patience=0.6)

    assert isinstance(_of(captures, Kind.ELASTICSEARCH_SLM_POLICIES), Unreadable)
    assert _statuses(captures, "KC-RET-004") == {"main": {Status.ERROR}}
    assert _statuses(captures, "KC-RET-001")["main"] == {Status.PASS}


@pytest.mark.parametrize(
    "body", [b'{"audit": {"pol', b"[]", b"<html>", b""], ids=["half", "list", "html", "nothing"]
)
def test_an_answer_that_cannot_be_read_is_an_error(body: bytes) -> None:
    captures, _ = _collected({**_good(), "/_ilm/policy": Reply(body=body)}, patience=0.5)

    assert isinstance(_of(captures, Kind.ELASTICSEARCH_ILM_POLICIES), Unreadable)
    assert _statuses(captures, "KC-RET-001")["main"] == {Status.ERROR}


def test_another_server_is_not_asked_any_further() -> None:
    captures, server = _collected({"/": reply({"version": "1", "hello": "world"})})

    found = _of(captures, Kind.ELASTICSEARCH_SERVER)
    assert isinstance(found, Unreadable)
    assert "neither Elasticsearch nor OpenSearch" in found.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "resolved",
    [
        reply({"indices": [], "aliases": [], "data_streams": []}),
        error(404, "index_not_found_exception", "no such index [x]"),
    ],
    ids=["nothing", "404"],
)
def test_a_pattern_that_matches_nothing_is_an_error(resolved: Reply) -> None:
    captures, server = _collected({**_good(), f"/_resolve/index/{PATTERN}": resolved})

    found = _of(captures, Kind.ELASTICSEARCH_INDICES)
    assert isinstance(found, Unreadable)
    assert "no index, data stream or alias matches" in found.reason
    assert not [path for _, path in server.asked if path.startswith(f"/{PATTERN}/_search")]
    for control in CONTROLS:
        for findings in _statuses(captures, control).values():
            assert Status.ERROR in findings
            assert Status.PASS not in findings


def test_red_health_is_an_error_of_every_control() -> None:
    red = reply({"status": "red", "timed_out": False})
    captures, _ = _collected({**_good(), f"/_cluster/health/{PATTERN}": red})

    for control in CONTROLS:
        for findings in _statuses(captures, control).values():
            assert Status.ERROR in findings
            assert Status.PASS not in findings


def test_a_clock_that_is_ahead_is_no_evidence() -> None:
    ahead = {**_good(), "search:oldest": _times(NOW + timedelta(hours=2))}
    captures, _ = _collected(ahead)

    assert _statuses(captures, "KC-RET-002") == {"main": {Status.FAIL}}


def test_without_a_time_field_no_search_is_made() -> None:
    none = reply({"indices": [INDEX], "fields": {}})
    captures, server = _collected({**_good(), f"/{PATTERN}/_field_caps": none})

    found = _of(captures, Kind.ELASTICSEARCH_TIMES)
    assert isinstance(found, Unreadable)
    assert "not mapped as a date" in found.reason
    assert not [path for _, path in server.asked if "_search" in path]


def test_a_filter_on_a_field_that_would_select_something_else_is_refused() -> None:
    captures, _ = _collected(_good(), filters={"orchestrator.cluster.name": "prod"})

    found = _of(captures, Kind.ELASTICSEARCH_TIMES)
    assert isinstance(found, Unreadable)
    assert "no index maps it" in found.reason


def test_a_server_that_cannot_sort_snapshots_is_asked_for_all() -> None:
    class Old(Answering):
        def answer(self, path: str, body: bytes) -> Reply:
            if path.endswith("/_all") and "sort=" in self.asked[-1][1]:
                return error(400, "illegal_argument_exception", "unrecognized parameter [sort]")
            return super().answer(path, body)

    with Old({**_good(), "/": root(number="2.19.0", distribution="opensearch")}) as server:
        captures = collect_search(_declared(server.url), NOW, lambda what: None)

    assert isinstance(_of(captures, Kind.ELASTICSEARCH_SNAPSHOTS), Raw)


def test_opensearch_is_asked_for_its_own_lifecycle() -> None:
    captures, server = _collected({**_good(), "/": root(number="3.1.0", distribution="opensearch")})

    asked = {path.partition("?")[0] for _, path in server.asked}
    assert "/_plugins/_ism/policies" in asked
    assert not [path for path in asked if "_ilm" in path or "_slm" in path]
    assert isinstance(_of(captures, Kind.ELASTICSEARCH_ISM_POLICIES), Absent)


# --- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "elasticsearch+https://es:9200",
        "elasticsearch+https://es:9200/",
        "elasticsearch+https:///x",
        "elasticsearch+https://es:99999/x",
        "elasticsearch+https://es:9200/x?y=1",
        "elasticsearch+https://es:9200/_all",
        "elasticsearch+https://es:9200/other:logs-*",
        "elasticsearch+https://es:9200/a b",
        "elasticsearch+https://[::1/x",
        "ftp://es/x",
    ],
)
def test_what_is_no_store_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        search_target(text)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refused:
        search_target("elasticsearch+https://admin:geheim@es:9200/x")

    assert "geheim" not in refused.value.message + str(refused.value.hint)


def test_a_url_may_have_a_path_and_several_patterns() -> None:
    found = search_target("elasticsearch+https://es:9200/proxy/a-*,b-*").store

    assert (found.url, found.patterns) == ("https://es:9200/proxy", ("a-*", "b-*"))


@pytest.mark.parametrize(
    "environment",
    [
        {"KCOMPLIANCE_ELASTICSEARCH_API_KEY": "k", "KCOMPLIANCE_ELASTICSEARCH_BEARER_TOKEN": "t"},
        {"KCOMPLIANCE_ELASTICSEARCH_USERNAME": "u"},
        {"KCOMPLIANCE_CA_CERT": "missing.pem"},
    ],
    ids=["two", "half", "no-authority"],
)
def test_credentials_that_cannot_be_are_an_error_of_the_store(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    declared = search_target(f"elasticsearch+https://127.0.0.1:1/{PATTERN}")
    store = DeclaredStore(store=declared.store, environment=environment)

    captures = collect_search(store, NOW, lambda what: None)

    assert isinstance(captures[-1], Unreadable)
    assert captures[-1].origin.kind is Kind.ELASTICSEARCH_SERVER
