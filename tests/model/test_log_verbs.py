"""What CloudWatch counted among audit events, as it came and as it should not come."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.assemble import assemble
from kcompliance.model.audit_policy import Level, Stage
from kcompliance.model.aws.answers import WrongAnswer
from kcompliance.model.aws.log_verbs import MOST_ROWS, log_verbs, read_log_verbs
from kcompliance.model.cluster import NotAsked
from kcompliance.model.observed import Observed, Wanted
from kcompliance.model.probes import objects
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable
from kcompliance.model.request import ObjectAttributes
from tests.captures import absent, origin, unreadable
from tests.stored_events import answer, counted, row

POD = "create pods RequestResponse ResponseComplete 12"


def _read(*rows: str) -> Observed:
    return read_log_verbs(answer(rows))


def test_a_row_is_a_request_and_how_it_is_recorded() -> None:
    words = "patch roles.rbac.authorization.k8s.io/x Request ResponseStarted 7"
    (seen,) = _read(words).requests

    assert seen.target == ObjectAttributes(
        group="rbac.authorization.k8s.io", resource="roles", subresource="x"
    )
    assert (seen.verb, seen.level, seen.stage) == ("patch", Level.REQUEST, Stage.RESPONSE_STARTED)
    assert (seen.records, seen.place) == (7, "results[0]")
    shown = "patch roles.rbac.authorization.k8s.io/x at Request, ResponseStarted: 7"
    assert str(seen) == shown


def test_a_group_that_is_not_told_is_the_core_group_whichever_way_it_is_not() -> None:
    empty = [{"field": "objectRef.apiGroup", "value": ""}, {"field": "@ptr", "value": "x"}]
    found = read_log_verbs({"results": [row(POD) + empty, row(POD)], "status": "Complete"})

    assert {seen.target for seen in found.requests} == {ObjectAttributes(resource="pods")}


def test_a_path_is_no_object() -> None:
    (seen,) = _read("get - Metadata ResponseComplete 5").requests

    assert seen.target == ObjectAttributes(resource="")
    assert str(seen).startswith("get a path at")


def test_nothing_stored_is_an_answer() -> None:
    assert _read() == Observed(requests=())


def test_events_that_the_service_cannot_read_are_counted() -> None:
    bare = [{"field": "records", "value": "4"}]
    odd = row("get pods Everything ResponseComplete 3")
    found = read_log_verbs({"results": [bare, row(POD), odd], "status": "Complete"})

    assert found.not_read == 7
    assert [seen.place for seen in found.requests] == ["results[1]"]


def test_of_as_many_rows_as_there_can_be_some_may_lack() -> None:
    assert _read(*[POD] * (MOST_ROWS - 1)).whole
    assert not _read(*[POD] * MOST_ROWS).whole


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"results": []}, "no status"),
        ({"status": "Complete"}, "no results"),
        (answer([POD], "Running"), "Running"),
        (answer([POD], "Cancelled"), "not Complete"),
        ({"results": {}, "status": "Complete"}, "results"),
        ({"results": ["x"], "status": "Complete"}, "no list"),
        ({"results": [["x"]], "status": "Complete"}, "fields"),
        ({"results": [[{"field": "verb", "value": 1}]], "status": "Complete"}, "fields"),
        ({"results": [row(POD) + row("get pods Request Panic 1")], "status": "Complete"}, "two"),
        ({"results": [row(POD)[:-1]], "status": "Complete"}, "how many"),
        ({"results": [row(POD.replace("12", "-1"))], "status": "Complete"}, "how many"),
        ({"results": [row(POD.replace("12", "1.5"))], "status": "Complete"}, "how many"),
        ({"results": [row(POD.replace("12", "9" * 30))], "status": "Complete"}, "how many"),
        ({"results": [[{"field": "records", "value": "1"}]], "status": "Complete"}, "no row"),
    ],
    ids=lambda value: value if isinstance(value, str) else "answer",
)
def test_what_is_no_such_answer_is_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(WrongAnswer, match=reason):
        read_log_verbs(wrong)


_CELL = st.fixed_dictionaries(
    {},
    optional={
        "field": st.sampled_from(["verb", "level", "stage", "records", "x"]) | st.integers(),
        "value": st.text(max_size=5) | st.none() | st.integers(),
    },
)


@given(
    st.dictionaries(
        st.sampled_from(["status", "results"]),
        st.just("Complete") | st.lists(st.lists(_CELL | st.none(), max_size=4) | st.none()),
    )
)
def test_any_answer_is_read_or_refused(wrong: dict[str, Any]) -> None:
    with suppress(WrongAnswer):
        assert isinstance(read_log_verbs(wrong), Observed)


# --- of a cluster --------------------------------------------------------------------------------


def _raw(resource: str, content: bytes) -> Raw:
    return Raw(origin=origin(Kind.AWS_LOG_VERBS, resource, "aws"), content=content)


def test_the_answer_of_a_cluster_is_found() -> None:
    found = log_verbs(assemble("c", [counted(POD)]))

    assert isinstance(found, Seen)
    assert [seen.records for seen in found.value.requests] == [12]


def test_who_was_not_asked_said_nothing() -> None:
    assert log_verbs(assemble("c", [])) == NotAsked()
    assert isinstance(log_verbs(assemble("c", [absent(Kind.AWS_LOG_VERBS, "x")])), Absent)


def test_a_gap_hides_what_else_was_answered() -> None:
    gap = unreadable(Kind.AWS_LOG_VERBS, "y", "throttled")
    found = log_verbs(assemble("c", [counted(POD), gap]))

    assert isinstance(found, Unreadable)
    assert found.reason == "throttled"


def test_half_an_answer_cannot_be_read() -> None:
    half = json.dumps(answer([POD])).encode()[:-9]

    assert isinstance(log_verbs(assemble("c", [_raw("x", half)])), Unreadable)


def test_two_answers_that_differ_are_as_good_as_none() -> None:
    same, other = counted(POD, collector="files"), counted(POD.replace("12", "13"))

    assert isinstance(log_verbs(assemble("c", [counted(POD), same])), Seen)
    assert isinstance(log_verbs(assemble("c", [counted(POD), other])), Unreadable)


# --- what is wanted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "met"),
    [
        ("create pods Request ResponseComplete 1", True),
        ("create pods RequestResponse ResponseComplete 1", True),
        ("create pods Metadata ResponseComplete 1", False),
        ("create pods Request RequestReceived 1", False),
        ("create pods Request ResponseComplete 0", False),
        ("update pods Request ResponseComplete 1", False),
        ("create pods/status Request ResponseComplete 1", False),
        ("create pods.metrics.k8s.io Request ResponseComplete 1", False),
    ],
)
def test_a_body_is_wanted_and_shown_by_the_event_of_the_answer(words: str, met: bool) -> None:
    wanted = Wanted(
        words="a creation", verbs=("create",), targets=objects("", "pods"), level=Level.REQUEST
    )

    assert wanted.is_met_by(_read(words).requests[0]) is met
