import json
import lzma
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from kcompliance.model.audit_event import AuditEvent, NotAnEvent, events_in, read_events
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "id-1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/a/pods/p/log?follow=true",
    "verb": "get",
    "user": {"username": "jane", "uid": "1", "groups": ["dev", "system:authenticated"]},
    "impersonatedUser": {"username": "joe", "groups": ["ops"]},
    "sourceIPs": ["10.0.0.1", "10.0.0.2"],
    "userAgent": "kubectl",
    "objectRef": {
        "resource": "pods",
        "namespace": "a",
        "name": "p",
        "apiVersion": "v1",
        "subresource": "log",
    },
    "responseStatus": {"metadata": {}, "code": 200},
    "requestReceivedTimestamp": "2026-01-01T00:00:00.000001Z",
    "stageTimestamp": "2026-01-01T00:00:00.000002Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
}
LINE = json.dumps(EVENT)

JANE = User(name="jane", groups=("dev", "system:authenticated"))
POD_LOG = ObjectAttributes(resource="pods", namespace="a", name="p", subresource="log")


def event(data: object) -> AuditEvent:
    (found,) = events_in(data)
    assert isinstance(found, AuditEvent), found
    return found


def reason(data: object) -> str:
    (found,) = events_in(data)
    assert isinstance(found, NotAnEvent), found
    return found.reason


def read(text: str) -> list[tuple[int, AuditEvent | NotAnEvent]]:
    return list(read_events(text.encode().splitlines(keepends=True)))


def numbers(found: Iterable[tuple[int, AuditEvent | NotAnEvent]]) -> list[tuple[int, bool]]:
    return [(number, isinstance(each, AuditEvent)) for number, each in found]


def altered(**changes: object) -> dict[str, Any]:
    """The event with other fields; None leaves one out."""
    return {name: each for name, each in {**EVENT, **changes}.items() if each is not None}


def test_all_fields_of_an_event() -> None:
    assert event(EVENT) == AuditEvent(
        audit_id="id-1",
        level="Metadata",
        stage="ResponseComplete",
        verb="get",
        request_uri="/api/v1/namespaces/a/pods/p/log?follow=true",
        user=JANE,
        impersonated_user=User(name="joe", groups=("ops",)),
        source_ips=("10.0.0.1", "10.0.0.2"),
        user_agent="kubectl",
        object_ref=POD_LOG,
        response_code=200,
        received="2026-01-01T00:00:00.000001Z",
        stage_time="2026-01-01T00:00:00.000002Z",
        annotations={"authorization.k8s.io/decision": "allow"},
    )
    assert event(EVENT).request == Request(user=JANE, verb="get", target=POD_LOG)


# --- the request -----------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, {}, {"username": ""}, {"username": "", "groups": []}, 1])
def test_an_event_without_a_user_is_a_failed_login(user: object) -> None:
    assert event(altered(user=user)).request.user is None


def test_a_user_without_a_name_has_groups_still() -> None:
    assert event(altered(user={"groups": ["g"]})).user == User(name="", groups=("g",))


@pytest.mark.parametrize(
    ("uri", "reference", "target"),
    [
        (
            "/api/v1/namespaces/team/pods?dryRun=All",
            {"resource": "pods", "namespace": "team", "name": "from-body", "apiVersion": "v1"},
            ObjectAttributes(resource="pods", namespace="team"),
        ),
        (
            "/api/v1/namespaces",
            {"resource": "namespaces", "namespace": "team", "name": "team", "apiVersion": "v1"},
            ObjectAttributes(resource="namespaces"),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            {"resource": "clusterroles", "name": "x", "apiGroup": "rbac.authorization.k8s.io"},
            ObjectAttributes(resource="clusterroles", group="rbac.authorization.k8s.io"),
        ),
        (
            "/api/v1/pods",
            {"resource": "pods", "namespace": "from-body", "name": "from-body"},
            ObjectAttributes(resource="pods"),
        ),
        (
            "/api/v1/namespaces/a/pods/p/exec?command=sh",
            {"resource": "pods", "namespace": "a", "name": "p", "subresource": "exec"},
            ObjectAttributes(resource="pods", namespace="a", name="p", subresource="exec"),
        ),
        (
            "/apis/example.org/v1/widgets",
            {"resource": "gadgets", "name": "g", "apiGroup": "example.org"},
            ObjectAttributes(resource="gadgets", name="g", group="example.org"),
        ),
        ("", {"resource": "pods", "name": "p"}, ObjectAttributes(resource="pods", name="p")),
    ],
)
def test_the_policy_was_asked_about_a_creation_before_its_body_was_read(
    uri: str, reference: dict[str, str], target: ObjectAttributes
) -> None:
    creation = event(altered(verb="create", requestURI=uri, objectRef=reference))
    assert creation.request.target == target
    assert creation.object_ref is not None
    assert creation.object_ref.name == reference.get("name", "")


def test_only_of_creations_the_uri_decides() -> None:
    uri = "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dp"
    reference = {"resource": "pods", "namespace": "a", "name": "p"}
    listing = event(altered(verb="list", requestURI=uri, objectRef=reference))
    assert listing.request.target == ObjectAttributes(resource="pods", namespace="a", name="p")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/healthz?verbose", "/healthz"),
        ("/a%20b%2Fc?d=%20", "/a b/c"),
        ("/a+b", "/a+b"),
        ("/api/v1/namespaces/a/pods", "/api/v1/namespaces/a/pods"),
        ("/100%", "/100%"),
    ],
)
def test_a_request_without_object_is_one_for_a_path(uri: str, path: str) -> None:
    assert event(altered(requestURI=uri, objectRef=None)).request.target == NonResource(path=path)


# --- wrappings -------------------------------------------------------------------------------

BARE = {name: each for name, each in EVENT.items() if name not in ("kind", "apiVersion")}
FLAT = {
    **{f"kubernetes.audit.{name}": each for name, each in EVENT.items() if isinstance(each, str)},
    "kubernetes.audit.sourceIPs": EVENT["sourceIPs"],
    **{
        f"kubernetes.audit.{name}.{key}": each
        for name in ("user", "impersonatedUser", "objectRef", "responseStatus")
        for key, each in EVENT[name].items()
    },
    "kubernetes.audit.annotations.authorization_k8s_io/decision": "allow",
}
DEDOTTED = {**EVENT, "annotations": {"authorization_k8s_io/decision": "allow"}}
ROW = {
    "TimeGenerated": "2026-01-01T00:00:01Z",
    "AuditId": "id-1",
    "Level": "Metadata",
    "Stage": "ResponseComplete",
    "RequestUri": EVENT["requestURI"],
    "Verb": "get",
    "User": EVENT["user"],
    "ImpersonatedUser": EVENT["impersonatedUser"],
    "SourceIps": EVENT["sourceIPs"],
    "UserAgent": "kubectl",
    "ObjectRef": EVENT["objectRef"],
    "ResponseStatus": EVENT["responseStatus"],
    "RequestReceivedTime": EVENT["requestReceivedTimestamp"],
    "StageReceivedTime": EVENT["stageTimestamp"],
    "Annotations": EVENT["annotations"],
    "PodName": "kube-apiserver-x",
}


@pytest.mark.parametrize(
    "wrapped",
    [
        LINE,
        [EVENT],
        {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [EVENT]},
        {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [BARE]},
        {"items": [BARE]},
        {"_source": EVENT},
        {"_source": {"kubernetes": {"audit": DEDOTTED}, "message": "other"}},
        {"_source": {"kubernetes": {"audit": EVENT, "pod": {"name": "x"}}}},
        {"_source": {"kubernetes.audit": EVENT}},
        {"_source": FLAT},
        {"_index": "i", "_id": "1", "_seq_no": 7, "_source": FLAT},
        {"took": 1, "hits": {"total": {"value": 1}, "hits": [{"_id": "1", "_source": FLAT}]}},
        {"category": "kube-audit", "properties": {"log": LINE, "stream": "stdout", "pod": "p"}},
        {"records": [{"category": "kube-audit", "properties": {"log": LINE}}]},
        {"Category": "kube-audit", "log_s": LINE, "pod_s": "p"},
        {"log": LINE},
        {"log": EVENT},
        ROW,
        {**ROW, **{name: json.dumps(ROW[name]) for name in ("User", "ObjectRef", "Annotations")}},
        {"message": LINE, "timestamp": 1, "ingestionTime": 2},
        {"events": [{"message": LINE, "timestamp": 1}], "nextToken": "x"},
        {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": LINE}]},
        {"@timestamp": "x", "@message": LINE},
        {
            "resourceLogs": [
                {
                    "scopeLogs": [
                        {"logRecords": [{"body": {"stringValue": LINE}, "severityText": ""}]}
                    ]
                }
            ]
        },
    ],
)
def test_the_same_event_out_of_each_wrapping(wrapped: object) -> None:
    found = event(wrapped)
    if isinstance(wrapped, dict) and "kubernetes" in json.dumps(wrapped.get("_source", "")):
        assert found.annotations == {"authorization.k8s.io/decision": "allow"}
    expected = event(EVENT)
    assert found == expected


def test_all_events_of_a_list_come_in_order_with_those_that_are_none() -> None:
    second = altered(auditID="id-2")
    found = list(events_in({"items": [EVENT, {"kind": "Pod"}, second]}))
    assert [getattr(each, "audit_id", None) for each in found] == ["id-1", None, "id-2"]


def test_only_the_prefix_of_an_annotation_gets_its_dots_back() -> None:
    names = {
        "mutation_webhook_admission_k8s_io/round_0_index_1": "a",
        "pod-security.kubernetes.io/exempt": "b",
        "no_prefix": "c",
        "d/e": 1,
    }
    assert event(altered(annotations=names)).annotations == {
        "mutation.webhook.admission.k8s.io/round_0_index_1": "a",
        "pod-security.kubernetes.io/exempt": "b",
        "no_prefix": "c",
    }


@pytest.mark.parametrize("name", ["k8s_audit_level", "openshift_audit_level"])
def test_openshift_moves_the_level(name: str) -> None:
    assert event(altered(level="default", **{name: "Request"})).level == "Request"


def test_events_of_former_versions_and_without_kind_are_events() -> None:
    assert event(altered(apiVersion="audit.k8s.io/v1beta1")).audit_id == "id-1"
    assert event({"verb": "get", "requestURI": "/x"}).request.target == NonResource(path="/x")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "neither object nor list"),
        (1, "neither object nor list"),
        ("", "not JSON"),
        ("plain text", "not JSON"),
        ("NaN", "not JSON"),
        ('{"a": NaN}', "not JSON"),
        ({}, "neither an audit event nor a known wrapping"),
        ({"kind": "Event", "apiVersion": "v1", "verb": "x"}, "kind Event of v1"),
        ({"kind": "Policy", "apiVersion": "audit.k8s.io/v1"}, "kind Policy of audit.k8s.io/v1"),
        (altered(verb=None), "without verb"),
        (altered(verb=1), "without verb"),
        (altered(requestURI=None, objectRef=None), "without requestURI and objectRef"),
        ({"category": "kube-apiserver", "properties": {"log": "I0101 started"}}, "not JSON"),
        ({"AuditId": "x"}, "without verb"),
    ],
)
def test_what_is_no_event_and_why(data: object, words: str) -> None:
    assert words in reason(data)


def test_an_empty_list_holds_nothing() -> None:
    assert list(events_in([])) == []
    assert list(events_in({"items": []})) == []


def test_wrapping_is_followed_only_so_deep() -> None:
    wrapped: Any = EVENT
    for _ in range(10):
        wrapped = {"log": wrapped}
    assert event(wrapped).audit_id == "id-1"
    assert reason({"log": wrapped}) == "wrapped too deeply"
    endless: list[Any] = []
    endless.append(endless)
    assert reason(endless) == "wrapped too deeply"


@pytest.mark.parametrize(
    "strange",
    [
        {1: 2, "verb": "get", "requestURI": "/x", "user": 3},
        {"verb": "get", "requestURI": "/x", "objectRef": {"resource": 1}, "annotations": []},
        {"verb": "get", "requestURI": "/x", "sourceIPs": [1, None], "responseStatus": "x"},
        {"verb": "get", "requestURI": "/x", "responseStatus": {"code": True}, "userAgent": {}},
        {"verb": "get", "requestURI": "/x", "responseStatus": {"code": "²"}},
        {"kubernetes": {1: 2, "audit": {3: 4, "verb": "get", "requestURI": "/x", "user.x": 1}}},
        {"AuditId": 1, "Verb": "get", "RequestUri": "/x", "User": "{", "SourceIps": '["a"]'},
    ],
)
def test_values_of_other_shapes_are_as_if_absent(strange: object) -> None:
    found = event(strange)
    assert found.user is None
    assert found.response_code is None
    assert found.request.target == NonResource(path="/x")


# --- files -----------------------------------------------------------------------------------


def test_lines_are_numbered_from_one_and_blank_ones_skipped() -> None:
    text = f"\ufeff{LINE}\n\n  \r\n{LINE}\r\nnot json\n{LINE}"
    assert numbers(read(text)) == [(1, True), (4, True), (5, False), (6, True)]


def test_a_list_in_a_line_gives_all_its_events_the_number_of_the_line() -> None:
    text = json.dumps({"kind": "EventList", "items": [EVENT, EVENT]})
    assert numbers(read(f"{LINE}\n{text}\n")) == [(1, True), (2, True), (2, True)]


@pytest.mark.parametrize("indent", [0, 1, 2, "\t"])
@pytest.mark.parametrize(
    "document",
    [
        EVENT,
        [EVENT],
        {"kind": "EventList", "items": [EVENT]},
        {"hits": {"hits": [{"_source": {"kubernetes": {"audit": EVENT}}}]}},
    ],
)
def test_one_document_over_many_lines(document: object, indent: int | str) -> None:
    text = json.dumps(document, indent=indent)
    assert numbers(read(text)) == [(1, True)]
    assert numbers(read(f"\n{text}\n\n")) == [(2, True)]


def test_documents_over_many_lines_one_behind_the_other() -> None:
    text = json.dumps(EVENT, indent=2)
    lines = text.count("\n") + 1
    found = numbers(read(f"{text}\n{text}\n{LINE}\n{text}"))
    assert found == [(1, True), (1 + lines, True), (1 + 2 * lines, True), (2 + 2 * lines, True)]


def test_an_array_with_an_event_a_line() -> None:
    assert numbers(read(f"[\n{LINE},\n{LINE}\n]\n")) == [(1, True), (1, True)]


def test_a_line_that_only_opens_does_not_take_the_others_with_it() -> None:
    assert numbers(read(f"{{\n{LINE}\n{LINE}\n")) == [(1, False), (2, True), (3, True)]


def test_a_file_that_begins_amid_a_line() -> None:
    assert numbers(read(f'"verb":"get"}}\n{LINE}\n')) == [(1, False), (2, True)]


def test_the_legacy_format_is_named() -> None:
    text = '2026-01-01T00:00:00Z AUDIT: id="x" stage="RequestReceived"\n'
    ((number, found),) = read(text)
    assert (number, found) == (1, NotAnEvent(reason="an event in legacy format"))


def test_too_long_a_line_is_not_read() -> None:
    line = b'{"verb":"get","requestURI":"/' + b"x" * (64 * 1024 * 1024) + b'"}'
    ((_, found),) = read_events([line])
    assert found == NotAnEvent(reason="longer than 64 MB")


def test_too_long_a_document_is_dealt_with_line_by_line() -> None:
    filler = b'"' + b"x" * (1 << 20) + b'",\n'
    lines = [b"[\n", *[filler] * 65, LINE.encode()]
    found = list(read_events(lines))
    assert numbers(found)[-1] == (67, True)
    assert not any(isinstance(each, AuditEvent) for _, each in found[:-1])


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b"\xff\xfe", b'"\xff"', b"{" * 100, b'{"a":1e999}', b"\0", b'"\\ud800"'],
)
def test_bytes_that_are_no_json_never_raise(line: bytes) -> None:
    ((number, found),) = read_events([line])
    assert number == 1
    assert isinstance(found, NotAnEvent)


@pytest.mark.parametrize("lines", [[b"{\n", *[b"]\n"] * 200_000], [b"[\n"] * 200_000])
def test_the_work_stays_in_proportion(lines: list[bytes]) -> None:
    before = time.process_time()
    assert sum(1 for _ in read_events(lines)) == len(lines)
    assert time.process_time() - before < 10


# --- events of real servers --------------------------------------------------------------------

DATA = Path(__file__).parents[2].parent / "shared" / "data"
REAL = [
    *sorted(DATA.glob("apiserver-live/audit-1.*-kubectl.log")),
    *sorted(DATA.glob("apiserver-live/audit-1.*-mixed.log")),
    *sorted(DATA.glob("apiserver-live/*.log.xz")),
    *sorted(DATA.glob("apiserver-live/webhook-eventlist-*.json")),
    *sorted(DATA.glob("audit-events/openshift__*/vrl__testdata__audit_*.log")),
    *sorted(DATA.glob("audit-events/openshift__*/logsamples__otlp_audit_kube.json")),
    *sorted(DATA.glob("audit-events/openshift__*/logsamples__viaq_audit_kubernetes.json")),
    *sorted(DATA.glob("audit-events/openshift__*/logsamples__raw_audit_kubernetes.json")),
]


@pytest.mark.skipif(not REAL, reason="the recorded events are not here")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_every_event_of_a_real_server_is_whole(path: Path) -> None:
    data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    found = [each for _, each in read_events(data.splitlines(keepends=True))]
    assert found
    for each in found:
        assert isinstance(each, AuditEvent)
        assert each.level in ("Metadata", "Request", "RequestResponse")
        assert each.stage in ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
        assert each.audit_id
        assert each.received
        assert each.stage_time
        assert each.source_ips
        assert each.request.verb == each.verb


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded events are not here")
def test_no_file_of_others_raises() -> None:
    for path in (DATA / "audit-events").rglob("*"):
        if path.is_file():
            for _ in read_events(path.read_bytes().splitlines(keepends=True)):
                pass
