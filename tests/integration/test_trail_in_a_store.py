"""Verdicts on a trail in real search servers: its events, its gaps, and who may alter it.

The licence of this Elasticsearch is basic, so that its own access audit cannot be switched on, and
`_xpack/usage` and Watcher need modules that are not published: tests/checks has those.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.in_process import run
from tests.servers.search_server import JSON_LINES, SearchServer

pytestmark = pytest.mark.integration

CONTROLS = ("KC-CMP-008", "KC-CMP-011", "KC-CMP-012", "KC-CMP-013", "KC-PRO-006", "KC-PRO-007")
ROLE = Path(__file__).parents[2] / "deploy" / "elasticsearch" / "role.json"
KEYWORD, DATE = {"type": "keyword"}, {"type": "date"}
STEP = timedelta(minutes=5)


def _of(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


_AUDIT = _of(
    **dict.fromkeys(("auditID", "verb", "level", "stage", "requestURI"), KEYWORD),
    stageTimestamp=DATE,
    requestReceivedTimestamp=DATE,
    objectRef=_of(resource=KEYWORD),
)
MAPPINGS: dict[str, Any] = {
    "dynamic": False,
    **_of(
        **{"@timestamp": DATE},
        host=_of(name=KEYWORD),
        event=_of(action=KEYWORD, outcome=KEYWORD, ingested=DATE),
        user=_of(name=KEYWORD),
        source=_of(ip={"type": "ip"}),
        user_agent=_of(original=KEYWORD),
        kubernetes=_of(audit=_AUDIT),
    ),
}


def _event(when: datetime, audit_id: str) -> dict[str, Any]:
    """One as Elastic's integration stores it."""
    audit = {
        "auditID": audit_id,
        "level": "Metadata",
        "stage": "ResponseComplete",
        "verb": "list",
        "requestURI": "/api/v1/namespaces/default/pods?limit=500",
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.7"],
        "userAgent": "kubectl/v1.36.0",
        "objectRef": {"resource": "pods", "namespace": "default", "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "annotations": {"authorization_k8s_io/decision": "allow"},
        "requestReceivedTimestamp": (when - timedelta(milliseconds=5)).isoformat(),
        "stageTimestamp": when.isoformat(),
    }
    return {
        "@timestamp": (when + timedelta(seconds=2)).isoformat(),
        "host": {"name": "cp-1"},
        "event": {
            "action": "list",
            "outcome": "success",
            "ingested": (when + timedelta(seconds=3)).isoformat(),
        },
        "user": {"name": "alice"},
        "source": {"ip": ["10.0.0.7"]},
        "user_agent": {"original": "kubectl/v1.36.0"},
        "kubernetes": {"audit": audit},
    }


def _index(server: SearchServer, name: str, mappings: Mapping[str, Any] = MAPPINGS) -> None:
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    server.must("PUT", f"/{name}", {"settings": settings, "mappings": mappings})


def _write(
    server: SearchServer, name: str, times: Iterable[datetime], *, keyed: bool = False
) -> None:
    lines = ""
    for when in times:
        audit_id = str(uuid4())
        action = {"create": {"_id": audit_id} if keyed else {}}
        lines += json.dumps(action) + "\n" + json.dumps(_event(when, audit_id)) + "\n"
    status, answer = server.request(
        "POST", f"/{name}/_bulk?refresh=true", lines.encode(), content_type=JSON_LINES
    )
    assert (status, answer["errors"]) == (200, False), answer


def _trail(server: SearchServer, *, without: range = range(0), keyed: bool = False) -> str:
    """A trail of two hours; of its steps, back from now, some can be left out."""
    name = f"k8s-audit-{uuid4().hex[:8]}"
    _index(server, f"{name}-1")
    now = datetime.now(UTC) - timedelta(seconds=30)
    _write(
        server, f"{name}-1", (now - i * STEP for i in range(24) if i not in without), keyed=keyed
    )
    return f"{name}-*"


def _variables(server: SearchServer, pattern: str) -> dict[str, str]:
    """Of a scan with the role that is shipped."""
    if not server.admin:
        return {}
    role = json.loads(ROLE.read_text())
    role["indices"][0]["names"] = [pattern]
    body = {"name": f"scan {pattern}", "role_descriptors": {"scan": role}}
    key = server.must("POST", "/_security/api_key", body)["encoded"]
    return {
        "KCOMPLIANCE_ELASTICSEARCH_API_KEY": key,
        "KCOMPLIANCE_CA_CERT": str(server.ca_cert),
    }


def _findings(*arguments: str | Path, **variables: str) -> list[dict[str, Any]]:
    chosen = [word for control in CONTROLS for word in ("--control", control)]
    done = run("scan", *arguments, *chosen, "--format", "json", **variables)
    found: list[dict[str, Any]] = json.loads(done.out)["findings"]
    return found


def _scan(
    server: SearchServer, pattern: str, *options: str | Path
) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By control and aspect: status and reason of each finding."""
    target = f"elasticsearch+{server.url}/{pattern}"
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for each in _findings(target, *options, **_variables(server, pattern)):
        told = found.setdefault((each["control"], each["aspect"]), [])
        told.append((each["status"], each["because"]))
    return found


def _statuses(found: Mapping[tuple[str, str], list[tuple[str, str]]]) -> dict[str, set[str]]:
    return {f"{c} {a}": {status for status, _ in told} for (c, a), told in found.items()}


def test_a_sound_trail_is_found_sound_live_and_from_its_bundle(
    secured_elasticsearch: SearchServer, tmp_path: Path
) -> None:
    server = secured_elasticsearch
    pattern, bundle = _trail(server), tmp_path / "bundle"
    target = f"elasticsearch+{server.url}/{pattern}"

    live = _findings(target, "--save-bundle", bundle, **_variables(server, pattern))

    assert live == _findings(bundle)
    by_aspect = {f"{each['control']} {each['aspect']}": each["status"] for each in live}
    assert by_aspect == {
        "KC-CMP-008 questions": "pass",
        "KC-CMP-008 timestamps": "pass",
        "KC-CMP-011 fresh": "pass",
        "KC-CMP-011 lag": "pass",
        "KC-CMP-012 gaps": "pass",
        "KC-CMP-012 api-servers": "manual",  # the cluster was not scanned with it
        "KC-CMP-012 volume": "not_applicable",
        "KC-CMP-013 written": "pass",
        "KC-CMP-013 pipelines": "not_applicable",
        "KC-CMP-013 unrouted": "not_applicable",
        "KC-CMP-013 failure-store": "not_applicable",
        "KC-CMP-013 coverage": "pass",
        "KC-CMP-013 mapping": "pass",
        "KC-PRO-006 security": "pass",
        "KC-PRO-006 deletes-by-name": "pass",
        "KC-PRO-006 access-audit": "manual",  # of a basic licence
        "KC-PRO-007 shipper": "manual",
        "KC-PRO-007 admins": "error",  # usage cannot be asked here
        "KC-PRO-007 write-blocks": "not_applicable",
        "KC-PRO-007 document-ids": "pass",
    }


def test_an_opensearch_is_asked_the_same_and_lacks_security(opensearch: SearchServer) -> None:
    found = _scan(opensearch, _trail(opensearch))

    statuses = _statuses(found)
    for passing in (
        *("KC-CMP-008 questions", "KC-CMP-008 timestamps", "KC-CMP-011 fresh", "KC-CMP-011 lag"),
        *("KC-CMP-012 gaps", "KC-CMP-013 coverage", "KC-CMP-013 mapping"),
    ):
        assert statuses[passing] == {"pass"}, found
    for failing in (
        *("KC-PRO-006 security", "KC-PRO-006 deletes-by-name", "KC-PRO-006 access-audit"),
        *("KC-PRO-007 shipper", "KC-PRO-007 admins"),
    ):
        assert statuses[failing] == {"fail"}, found


def test_an_hour_without_events_is_told(elasticsearch: SearchServer) -> None:
    found = _scan(elasticsearch, _trail(elasticsearch, without=range(6, 18)))

    ((status, because),) = found["KC-CMP-012", "gaps"]
    assert status == "fail"
    assert because.count("Z to ") == 1


def test_a_trail_that_stopped_is_told_also_behind_an_event_of_the_future(
    elasticsearch: SearchServer,
) -> None:
    pattern = _trail(elasticsearch, without=range(10))
    assert _statuses(_scan(elasticsearch, pattern))["KC-CMP-011 fresh"] == {"fail"}

    _write(elasticsearch, pattern.replace("*", "1"), [datetime.now(UTC) + timedelta(days=9)])
    found = _statuses(_scan(elasticsearch, pattern))

    assert found["KC-CMP-011 fresh"] == {"fail"}
    assert found["KC-CMP-008 timestamps"] == {"fail"}


def test_documents_that_a_client_can_name_are_told(elasticsearch: SearchServer) -> None:
    found = _statuses(_scan(elasticsearch, _trail(elasticsearch, keyed=True)))

    assert found["KC-PRO-007 document-ids"] == {"fail"}


def test_a_field_of_two_types_and_one_that_is_not_mapped_are_told(
    elasticsearch: SearchServer,
) -> None:
    pattern = _trail(elasticsearch)
    other = json.loads(json.dumps(MAPPINGS))
    other["properties"]["event"]["properties"]["action"] = {"type": "long"}
    _index(elasticsearch, pattern.replace("*", "2"), other)
    found = _scan(elasticsearch, pattern)
    assert found["KC-CMP-013", "mapping"][0][0] == "fail"
    assert "event.action (keyword, long)" in found["KC-CMP-013", "mapping"][0][1]

    name = f"k8s-audit-{uuid4().hex[:8]}"
    del other["properties"]["event"]["properties"]["action"]
    _index(elasticsearch, f"{name}-1", other)
    _write(elasticsearch, f"{name}-1", [datetime.now(UTC) - timedelta(minutes=1)])
    found = _scan(elasticsearch, f"{name}-*")
    assert "event.action is in the events but not" in found["KC-CMP-013", "coverage"][0][1]


def test_an_index_that_is_done_has_to_be_blocked(elasticsearch: SearchServer) -> None:
    """No client can make an index older than it is: a day that is still to come stands for it."""
    pattern = _trail(elasticsearch)
    _index(elasticsearch, pattern.replace("*", "2"))
    soon = ("--param", "KC-PRO-007.block_after_days=-1")
    found = _scan(elasticsearch, pattern, *soon)
    ((status, because),) = found["KC-PRO-007", "write-blocks"]
    assert status == "fail"
    assert because.endswith(pattern.replace("*", "1"))

    elasticsearch.must("PUT", f"/{pattern.replace('*', '1')}/_block/write")

    found = _scan(elasticsearch, pattern, *soon)
    assert {told for told, _ in found["KC-PRO-007", "write-blocks"]} == {"pass"}


@pytest.mark.parametrize(
    ("privileges", "status"),
    [(["create_doc", "auto_configure"], "pass"), (["write"], "fail"), (["read"], "fail")],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_what_the_shipper_may_do_is_what_the_server_lets_it_do(
    secured_elasticsearch: SearchServer, privileges: list[str], status: str
) -> None:
    """Against the server itself: an event that the shipper could overwrite or not."""
    server = secured_elasticsearch
    pattern = _trail(server)
    user = server.new_user(indices={pattern: privileges})
    index = pattern.replace("*", "1")
    made = server.must("POST", f"/{index}/_doc?refresh=true", {"a": 1})["_id"]

    add, _ = server.request("POST", f"/{index}/_create/{uuid4()}", {}, authorization=user.header)
    change, _ = server.request("PUT", f"/{index}/_doc/{made}", {}, authorization=user.header)
    found = _scan(server, pattern, "--param", f"KC-PRO-007.shippers={user.user}")

    assert (add == 201 and change == 403) == (status == "pass")
    assert {told for told, _ in found["KC-PRO-007", "shipper"]} == {status}, found


def test_too_many_administrators_are_told_by_name(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    pattern = _trail(server)
    users = [server.new_user(indices={pattern: ["delete_index"]}) for _ in range(4)]

    ((status, because),) = _scan(server, pattern)["KC-PRO-007", "admins"]

    assert status == "fail"
    assert all(user.user in because for user in users)


def test_who_may_not_ask_about_security_gets_errors(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    pattern = _trail(server)
    key = server.new_api_key(
        indices={pattern: ["read", "view_index_metadata"]}, cluster=["monitor"]
    )
    variables = {
        "KCOMPLIANCE_ELASTICSEARCH_API_KEY": key,
        "KCOMPLIANCE_CA_CERT": str(server.ca_cert),
    }

    found = _findings(f"elasticsearch+{server.url}/{pattern}", **variables)

    refused = {each["aspect"] for each in found if each["status"] == "error"}
    assert {"shipper", "admins", "pipelines", "unrouted"} <= refused
    assert {"questions", "fresh", "gaps", "coverage"}.isdisjoint(refused)
