"""A replay: exact bytes, whatever the wrapper, and no guess where a log cannot tell."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.audit_policy import AuditPolicy, Loaded, load_policy
from kcompliance.model.replay import LossKind, Replay, Replayed, batches
from kcompliance.model.replay.lines import LONGEST_LINE
from kcompliance.model.replay.managed_fields import managed_fields_in
from tests.cli.command import ROOT

RECORDED = b"".join(
    line + b"\n"
    for line in (ROOT / "demo" / "audit.log").read_bytes().splitlines()
    if b'"level":"RequestResponse"' in line
)
"""As a kube-apiserver 1.36 wrote it, with bodies."""


def policy(rules: str, **more: object) -> AuditPolicy:
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", **more, "rules": None}
    text = json.dumps(document).replace("null", rules)
    loaded = load_policy(text.encode())
    assert isinstance(loaded, Loaded), loaded
    return loaded.policy


def level(name: str, **more: object) -> AuditPolicy:
    return policy(json.dumps([{"level": name}]), **more)


def replay(
    log: bytes | Iterable[bytes], new: AuditPolicy, against: AuditPolicy | None = None
) -> Replayed:
    running = Replay(new, against)
    running.read("audit.log", [log] if isinstance(log, bytes) else log)
    return running.result()


def event(verb: str = "get", **more: Any) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/a/pods/b",
        "verb": verb,
        "user": {"username": "jo", "groups": ["system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "a", "name": "b", "apiVersion": "v1"},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.000000Z",
        **more,
    }


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(as_go_writes(each) + b"\n" for each in events)


def as_go_writes(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode()


# --- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["Metadata", "Request", "RequestResponse"])
def test_bytes_at_a_lower_level_are_those_of_the_event_without_bodies(new: str) -> None:
    dropped = {"Metadata": ("requestObject", "responseObject"), "Request": ("responseObject",)}
    size = 0
    for line in RECORDED.splitlines():
        recorded = json.loads(line)
        assert as_go_writes(recorded) == line
        recorded["level"] = new
        kept = {k: v for k, v in recorded.items() if k not in dropped.get(new, ())}
        size += len(as_go_writes(kept)) + 1

    found = replay(RECORDED, level(new))

    assert found.total.recorded.bytes == len(RECORDED)
    assert found.total.new.bytes == size
    assert found.more_bodies == 0
    assert found.total.new.events == len(RECORDED.splitlines())


def test_managed_fields_are_measured_where_the_server_leaves_them_out() -> None:
    size = 0
    for line in RECORDED.splitlines():
        recorded = json.loads(line)
        if recorded["verb"] != "patch":
            without_managed_fields(recorded.get("requestObject"))
        without_managed_fields(recorded.get("responseObject"))
        size += len(as_go_writes(recorded)) + 1
    assert size < len(RECORDED)

    found = replay(RECORDED, level("RequestResponse", omitManagedFields=True))

    assert found.total.new.bytes == size
    assert found.losses == ()


def without_managed_fields(body: Any) -> None:
    if isinstance(body, dict):
        for holder in [body, *body.get("items", [])]:
            holder.get("metadata", {}).pop("managedFields", None)


def test_a_patch_is_recorded_as_it_was_sent() -> None:
    sent = {"metadata": {"name": "a", "managedFields": [{"manager": "b"}]}}
    one = event("patch", level="RequestResponse", requestObject=sent, responseObject=sent)

    found = replay(lines(one), level("RequestResponse", omitManagedFields=True))

    left = {**one, "responseObject": {"metadata": {"name": "a"}}}
    assert found.total.new.bytes == len(lines(left))


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"managedFields": [{"a": 1}]}},
        {"metadata": {"name": "a", "managedFields": [{"a": 1}], "uid": "b"}, "spec": {}},
        {"kind": "List", "metadata": {}, "items": [{"metadata": {"a": 1, "managedFields": []}}]},
        {"rows": [{"cells": [1], "object": {"metadata": {"a": 1, "managedFields": [{}]}}}]},
        {"metadata": None},
        {"metadata": [1]},
        {"items": 3},
        [1],
        "text",
    ],
    ids=str,
)
def test_managed_fields_of_any_body(body: Any) -> None:
    text = as_go_writes(body)
    found = json.loads(text)
    rows = found.get("rows", []) if isinstance(found, dict) else []
    items = found.get("items") if isinstance(found, dict) else None
    holders = [found, *(row["object"] for row in rows), *(items if isinstance(items, list) else [])]
    for holder in holders:
        if isinstance(holder, dict) and isinstance(holder.get("metadata"), dict):
            holder["metadata"].pop("managedFields", None)

    assert managed_fields_in(msgspec.Raw(text)) == len(text) - len(as_go_writes(found))


# --- whatever it comes in ------------------------------------------------------------------------


def wrapped(name: str, events: list[dict[str, Any]]) -> bytes:
    each = [json.dumps(one) for one in events]
    many: dict[str, Any] = {
        "a list": events,
        "an EventList": {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": events},
        "AKS": {"records": [{"category": "kube-audit", "properties": {"log": e}} for e in each]},
        "CloudWatch": {"logEvents": [{"id": "1", "message": e} for e in each]},
        "hits": {"hits": {"total": 2, "hits": [{"_source": e} for e in events]}},
    }
    if name == "over many lines":
        return json.dumps(many["an EventList"], indent=2).encode()
    if name == "one after another, over many lines":
        return "\n".join(json.dumps(one, indent=2) for one in events).encode()
    return as_go_writes(many[name])


@pytest.mark.parametrize(
    "name",
    [
        "a list",
        "an EventList",
        "AKS",
        "CloudWatch",
        "hits",
        "over many lines",
        "one after another, over many lines",
    ],
)
def test_a_wrapper_changes_nothing(name: str) -> None:
    events = [json.loads(line) for line in RECORDED.splitlines()]
    new = policy('[{"level": "Metadata", "verbs": ["create"]}, {"level": "Request"}]')

    found = replay(wrapped(name, events), new)
    bare = replay(lines(*events), new)

    assert found.tables == bare.tables
    assert [(each.kind, each.events, each.bytes) for each in found.losses] == [
        (each.kind, each.events, each.bytes) for each in bare.losses
    ]


def test_documents_over_many_lines_are_named_by_their_first() -> None:
    pretty = [json.dumps(event(user={"username": user}), indent=1) for user in ("al", "jo")]
    log = lines(event()) + "\n".join([*pretty, "nonsense", ""]).encode()

    found = replay(log, level("None"))

    (loss,) = found.losses
    second = 2 + len(pretty[0].splitlines())
    assert loss.events == 3
    assert [(each.user, each.line) for each in loss.examples] == [("jo", 1), ("al", 2)]
    assert [each.line for each in found.unread] == [second + len(pretty[1].splitlines())]


def test_what_is_no_event_in_a_document_takes_nothing_else_with_it() -> None:
    items = [{"kind": "Pod", "apiVersion": "v1"}, event(), {"a": 1}, event("list")]

    for log in (json.dumps(items), json.dumps(items, indent=1)):
        found = replay(log.encode(), level("Metadata"))
        assert (found.total.recorded.events, found.files[0].unread) == (2, 2)


def test_brackets_that_never_close_do_not_take_for_ever() -> None:
    """Joining what is left at every one of them would be to read 20 GB."""
    log = b"{\n" * 200_000 + lines(event())

    found = replay(log, level("Metadata"))

    assert found.total.recorded.events == 1
    assert found.files[0].unread == 200_000


def test_fields_in_the_columns_of_a_store_are_found() -> None:
    one = event("create", level="RequestResponse", requestObject={"a": 1}, responseObject={"b": 2})
    elastic = {"@timestamp": "2026-01-01T00:00:00Z", "kubernetes": {"audit": one}}

    found = replay(as_go_writes(elastic), level("Metadata"))

    assert {each.kind for each in found.losses} == {LossKind.REQUEST_BODY, LossKind.RESPONSE_BODY}
    assert found.total.new.bytes < found.total.recorded.bytes == len(as_go_writes(elastic)) + 1


@given(st.lists(st.integers(0, len(RECORDED)), max_size=8))
def test_it_does_not_matter_in_which_pieces_a_log_comes(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(RECORDED)]
    pieces = [RECORDED[a:b] for a, b in pairwise(places)]

    got = [line for _, many in batches(pieces) for line in many]

    assert got == RECORDED.splitlines()
    numbers = [first + n for first, many in batches(pieces) for n in range(len(many))]
    assert numbers == list(range(1, len(got) + 1))


def test_a_line_without_end_is_not_held() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(LONGEST_LINE // 2**20 + 20):
            yield b"x" * 2**20
        yield b"\n" + RECORDED

    (_, (long, *_)), *_ = batches(pieces())
    found = replay(pieces(), level("Metadata"))

    assert len(long) == LONGEST_LINE
    assert found.files[0].unread == 1
    assert found.total.recorded.bytes == len(RECORDED)


def test_what_is_no_event_is_told_with_its_line() -> None:
    log = lines(event()) + b"\nnonsense\n" + b'{"kind": "Pod"}\n' + lines(event())[:-5]

    found = replay(log, level("Metadata"))

    assert [(each.line, each.file) for each in found.unread] == [
        (number, "audit.log") for number in (3, 4, 5)
    ]
    assert found.files[0].unread == 3
    assert found.total.recorded.events == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"user": {"username": 7, "groups": None}},
        {"user": None},
        {"user": {}},
        {"objectRef": None},
        {"objectRef": {}},
        {"objectRef": {"name": "b"}},
        {"objectRef": {"resource": "pods", "name": None}},
        {"verb": "create", "requestURI": "/api/v1/namespaces/a/pods?dryRun=All"},
        {"stageTimestamp": "yesterday"},
        {"requestObject": None},
    ],
    ids=str,
)
def test_odd_events_are_read_as_everywhere_else(odd: dict[str, Any]) -> None:
    """The fast reader and the thorough one come to the same."""
    rules = '[{"level": "None", "resources": [{"resources": ["pods"], "resourceNames": ["b"]}]},'
    rules += '{"level": "Request", "namespaces": ["a"]}, {"level": "Metadata"}]'
    one = event(**odd)

    bare, listed = (replay(as_go_writes(each), policy(rules)) for each in (one, [one]))

    assert bare.tables == listed.tables
    assert bare.total.recorded.events == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"resources": [{"resources": ["pods"], "resourceNames": ["b"]}]},
        {"namespaces": ["a"]},
        {"users": ["jo"]},
        {"userGroups": ["dev"]},
        {"verbs": ["delete"]},
        {"resources": [{"resources": ["pods/log"]}]},
        {"resources": [{"group": "apps"}]},
        {"nonResourceURLs": ["/healthz*"]},
        {"namespaces": ["team-b"], "verbs": ["create"]},
    ],
    ids=str,
)
def test_what_a_rule_tells_apart_is_counted_apart(rule: dict[str, Any]) -> None:
    """Each of these is decided as it is alone, though others like it were seen before."""
    pods = {"resource": "pods", "namespace": "a", "name": "b", "apiVersion": "v1"}
    uri = "/api/v1/namespaces/team-b/pods"
    events = [
        event(),
        event(objectRef={**pods, "name": "c"}),
        event(objectRef={**pods, "namespace": "d"}),
        event(objectRef={**pods, "subresource": "log"}),
        event(objectRef={**pods, "apiGroup": "apps"}),
        event(user={"username": "al", "groups": ["system:authenticated"]}),
        event(user={"username": "jo", "groups": ["system:authenticated", "dev"]}),
        event("delete"),
        event(objectRef=None, requestURI="/healthz/ping?verbose"),
        event(objectRef=None, requestURI="/version"),
        event("create", requestURI=f"{uri}?dryRun=All"),
        event("create", requestURI=uri.replace("team-b", "team-c")),
    ]
    new = policy(json.dumps([{"level": "None", **rule}, {"level": "Metadata"}]))
    alone = [replay(lines(each), new).total.new.events for each in events]

    found = replay(lines(*events, *reversed(events)), new)

    assert 0 < sum(alone) < len(events)
    assert found.total.new.events == 2 * sum(alone)


# --- what is held --------------------------------------------------------------------------------


def test_sums_are_the_same_with_hardly_any_memory() -> None:
    new = policy('[{"level": "None", "verbs": ["list"]}, {"level": "Request"}]')
    small, large = Replay(new, most_cells=1), Replay(new)
    for running in (small, large):
        running.read("audit.log", [RECORDED])

    assert small.result() == large.result()


def test_users_without_end_are_counted_together() -> None:
    def strangers() -> Iterator[bytes]:
        for number in range(10_050):
            yield lines(event(user={"username": f"u{number}"}))

    users = replay(strangers(), level("Metadata")).tables["user"]

    assert len(users) == 10_001
    assert users["(others)"].recorded.events == 50


# --- what is lost --------------------------------------------------------------------------------


def test_losses_name_the_rule_and_examples_of_several_users() -> None:
    rules = '[{"level": "None", "verbs": ["list"]}, {"level": "Metadata"}]'
    several = [
        event("list", user={"username": f"u{number // 2}", "groups": [str(number)]})
        for number in range(20)
    ]

    (loss,) = replay(lines(event(), *several), policy(rules)).losses

    assert (loss.kind, loss.rule, loss.verb, loss.resource) == ("request", 0, "list", "pods")
    assert loss.events == 20
    assert [(each.user, each.line) for each in loss.examples] == [("u0", 2), ("u1", 4), ("u2", 6)]


def test_a_stage_left_out_is_another_loss_than_a_request() -> None:
    received = event(stage="RequestReceived")
    failed = event(stage="ResponseStarted", user={})

    found = replay(
        lines(received, event(), failed),
        level("Metadata", omitStages=["RequestReceived", "ResponseStarted"]),
    )

    assert [(each.kind, each.stage) for each in found.losses] == [
        (LossKind.REQUEST, None),  # a failed login has no other stage
        (LossKind.STAGE, "RequestReceived"),
    ]


def test_against_is_what_losses_are_counted_from() -> None:
    log = lines(event("list"), event("get"))
    new = policy('[{"level": "None", "verbs": ["list", "get"]}, {"level": "Metadata"}]')
    old = policy('[{"level": "None", "verbs": ["list"]}, {"level": "Metadata"}]')

    found = replay(log, new, old)

    assert [(each.verb, each.events) for each in found.losses] == [("get", 1)]
    assert (found.total.recorded.events, found.total.against.events) == (2, 1)
    assert found.disagreement.events == 1
    assert found.disagreement.examples[0].request == "list pods b in a"


# --- what cannot be known ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "new", "unknown"),
    [
        (event("create"), "Request", True),
        (event("create"), "RequestResponse", True),
        (event("create", stage="RequestReceived"), "RequestResponse", False),
        (event("get"), "Request", False),
        (event("get"), "RequestResponse", True),
        (event("get", level="RequestResponse"), "RequestResponse", False),
        (event("create", user={}), "Request", False),
        (event("post", objectRef=None, requestURI="/healthz"), "Request", False),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bodies_that_were_not_recorded_leave_no_bound(
    one: dict[str, Any], new: str, unknown: bool
) -> None:
    found = replay(lines(one), level(new))

    assert found.more_bodies == unknown
    assert (found.bytes_at_most is None) == unknown
    assert found.total.new.bytes == len(lines({**one, "level": new}))


def test_stages_that_were_not_recorded_are_bounded() -> None:
    log = lines(event(), event(), event("watch"), event("watch", stage="ResponseStarted"))

    found = replay(log, level("Metadata"))

    assert [(each.stage, each.events) for each in found.missing] == [("RequestReceived", 3)]
    assert found.events_at_most == 7
    received = event(stage="RequestReceived")
    size = (
        found.total.new.bytes + 2 * len(lines(received)) + len(lines({**received, "verb": "watch"}))
    )
    assert found.bytes_at_most is not None
    assert found.bytes_at_most >= size


def test_managed_fields_that_the_old_policy_left_out_are_unknown() -> None:
    one = event("create", level="RequestResponse", responseObject={"metadata": {"name": "a"}})

    found = replay(
        lines(one), level("RequestResponse"), level("RequestResponse", omitManagedFields=True)
    )

    assert found.managed_fields == 1
    assert found.bytes_at_most is None


@pytest.mark.parametrize(
    ("times", "days"),
    [
        (["2026-01-01T00:00:00.000000Z", "2026-01-03T12:00:00.000000Z"], 2.5),
        (["2026-01-03T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z"], 2.0),
        (["2026-01-01T00:00:00.000000Z"], None),
        (["2026-01-01T00:00:00.000000Z", "never", "zzzz", ""], None),
    ],
    ids=str,
)
def test_days_lie_between_the_first_and_the_last_event(
    times: list[str], days: float | None
) -> None:
    more = {"requestReceivedTimestamp": ""}

    found = replay(lines(*(event(stageTimestamp=t, **more) for t in times)), level("Metadata"))

    assert found.days == days
