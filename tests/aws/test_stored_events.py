"""Stored events of an EKS cluster, live: moto gives them, and what it lacks is in front of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.aws.asking import SharedAnswers
from kcompliance.collect.aws.collector import collect_eks
from kcompliance.collect.aws.questions import SHARED, question
from kcompliance.collect.aws.stored_events import SAMPLED
from kcompliance.collect.bundle import read_bundle, write_bundle
from kcompliance.controls import load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from kcompliance.scan import judge_control
from tests.aws.account import GROUP, TARGET, collected, log_group, make_sound
from tests.aws_answers import Answer, AwsAnswers, error, json_body
from tests.servers.moto import Moto

pytestmark = pytest.mark.integration

CONTROLS = ("KC-CMP-008", "KC-CMP-011", "KC-CMP-012", "KC-RET-002")
STREAM = "kube-apiserver-audit-0a1b"
SOUND = {
    ("KC-CMP-008", "questions"): {"pass"},
    ("KC-CMP-008", "timestamps"): {"pass"},
    ("KC-CMP-011", "fresh"): {"pass"},
    ("KC-CMP-011", "lag"): {"pass"},
    ("KC-CMP-012", "gaps"): {"pass"},
    ("KC-CMP-012", "api-servers"): {"not_applicable"},
    ("KC-CMP-012", "volume"): {"not_applicable"},
    ("KC-RET-002", "main"): {"manual"},  # the cluster was made just now
}
BY_EVENTS = {key for key in SOUND if key[1] in ("questions", "timestamps", "fresh", "lag")}
BY_WEEKS = {key for key in SOUND if key[1] in ("timestamps", "fresh", "gaps", "main")}
BY_QUERIES = {("KC-CMP-012", "gaps"), ("KC-CMP-012", "volume")}


def audit_event(happened: datetime, number: int = 0) -> dict[str, Any]:
    """With bodies and names of people's own, which are not to be kept."""
    time = f"{happened:%Y-%m-%dT%H:%M:%S.%f}Z"
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"00000000-0000-4000-8000-{number:012}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/a/secrets?token=hunter2-query",
        "verb": "create",
        "user": {"username": "a", "groups": ["g"], "extra": {"k": ["hunter2-extra"]}},
        "sourceIPs": ["10.0.0.7"],
        "userAgent": "kubectl",
        "objectRef": {"resource": "secrets", "namespace": "a", "apiVersion": "v1"},
        "responseStatus": {"code": 201},
        "requestObject": {"data": {"password": "hunter2-body"}},
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }


def stored(happened: datetime, message: str | None = None, **more: Any) -> dict[str, Any]:
    """An event as FilterLogEvents gives it."""
    milliseconds = int(happened.timestamp() * 1000)
    return {
        "logStreamName": STREAM,
        "timestamp": milliseconds,
        "message": json.dumps(audit_event(happened)) if message is None else message,
        "ingestionTime": milliseconds + 2000,
        "eventId": "1",
        **more,
    }


def histogram(minutes: int, status: str = "Complete") -> Answer:
    """As many minutes of bins, up to now."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    now -= timedelta(minutes=now.minute % 5)
    rows = [
        [
            {"field": "bin(5m)", "value": f"{now - timedelta(minutes=back):%Y-%m-%d %H:%M:%S}.000"},
            {"field": "records", "value": "12"},
        ]
        for back in range(0, minutes, 5)
    ]
    return json_body({"results": rows, "statistics": {"recordsMatched": 1.0}, "status": status})


@pytest.fixture
def aws(moto_server: Moto) -> Iterator[AwsAnswers]:
    with AwsAnswers(moto_server.url) as answers:
        make_sound(moto_server, answers)
        now = datetime.now(UTC)
        group = log_group(creationTime=int((now - timedelta(days=1)).timestamp() * 1000))
        answers.answers["logs:DescribeLogGroups"] = [json_body({"logGroups": [group]})]
        moto_server.client("logs").put_log_events(
            logGroupName=GROUP,
            logStreamName=STREAM,
            logEvents=[
                {
                    "timestamp": int((now - timedelta(minutes=back)).timestamp() * 1000),
                    "message": json.dumps(audit_event(now - timedelta(minutes=back), back)),
                }
                for back in (6, 5, 4, 3, 2)
            ],
        )
        answers.answers["logs:GetQueryResults"] = [histogram(10)]
        yield answers


def verdicts(captures: Sequence[Capture]) -> dict[tuple[str, str], set[str]]:
    """The statuses of the four controls by aspect."""
    cluster = assemble("c", captures, None, published_policies())
    found: dict[tuple[str, str], set[str]] = {}
    for id_ in CONTROLS:
        for each in judge_control(load_controls()[id_], cluster, {}):
            found.setdefault((id_, each.aspect.id), set()).add(each.finding.status.value)
    return found


def live(environment: Mapping[str, str]) -> tuple[Capture, ...]:
    """What one scan brings."""
    (found,) = collected(environment).targets
    return found.captures


def of_kind(captures: Sequence[Capture], kind: Kind) -> Capture:
    """The only capture of a kind."""
    (found,) = (each for each in captures if each.origin.kind is kind)
    return found


def errors(found: dict[tuple[str, str], set[str]]) -> set[tuple[str, str]]:
    """The aspects that could not be judged."""
    return {key for key, statuses in found.items() if "error" in statuses}


def test_a_sound_trail_is_sound_live_and_from_its_bundle_and_nothing_of_people_is_kept(
    aws: AwsAnswers, tmp_path: Path
) -> None:
    found = collected(aws.environment())
    write_bundle(found, tmp_path / "saved")
    (saved,) = read_bundle(tmp_path / "saved").targets

    assert verdicts(saved.captures) == SOUND
    assert verdicts(live(aws.environment())) == SOUND
    kept = [path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert any(b"auditID" in content for content in kept)
    assert not any(b"hunter2" in content for content in kept)


def test_a_message_that_was_cut_off_is_an_event_that_tells_nothing(
    aws: AwsAnswers, moto_server: Moto
) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    message = json.dumps(audit_event(now))[:-30]
    moto_server.client("logs").put_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        logEvents=[{"timestamp": int(now.timestamp() * 1000), "message": message}],
    )

    captures = live(aws.environment())

    assert verdicts(captures)["KC-CMP-008", "questions"] == {"fail"}
    newest = of_kind(captures, Kind.AWS_LOG_EVENTS)
    assert isinstance(newest, Raw)
    assert b"hunter2" not in newest.content


# --- what goes wrong -----------------------------------------------------------------------------

FILTER, START, RESULTS = (
    "logs:FilterLogEvents",
    "logs:StartQuery",
    "logs:GetQueryResults",
)
WRONG: dict[str, tuple[str, list[Answer], set[tuple[str, str]], str]] = {
    "events refused": (
        FILTER,
        [error(400, "AccessDeniedException")],
        BY_EVENTS | BY_WEEKS,
        "not allowed: AccessDeniedException",
    ),
    "a class without events": (
        FILTER,
        [error(400, "InvalidParameterException", "not for this class")],
        BY_EVENTS | BY_WEEKS,
        "InvalidParameterException: not for this class",
    ),
    "throttled": (
        FILTER,
        [error(400, "ThrottlingException")],
        BY_EVENTS | BY_WEEKS,
        "throttled by AWS",
    ),
    "half an answer": (
        FILTER,
        [json_body({"events": []}, cut=5)],
        BY_EVENTS | BY_WEEKS,
        "no ",
    ),
    "another answer": (
        FILTER,
        [json_body({"message": "try later"})],
        BY_EVENTS | BY_WEEKS,
        "it has no events",
    ),
    "no begin": (START, [error(400, "AccessDeniedException")], BY_QUERIES, "not allowed"),
    "too many queries": (START, [error(400, "LimitExceededException")], BY_QUERIES, "LimitExceed"),
    "no results": (RESULTS, [error(400, "AccessDeniedException")], BY_QUERIES, "not allowed"),
    "a query failed": (RESULTS, [histogram(10, "Failed")], BY_QUERIES, "did not end well: Failed"),
    "a query cut off": (RESULTS, [histogram(10, "Timeout")], BY_QUERIES, "well: Timeout"),
    "rows of another query": (
        RESULTS,
        [json_body({"results": [[{"field": "n", "value": "1"}]], "status": "Complete"})],
        BY_QUERIES,
        "has no bin(5m)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_was_not_told_is_an_error_of_these_controls_only(name: str, aws: AwsAnswers) -> None:
    operation, answers, concerned, words = WRONG[name]
    aws.answers[operation] = answers

    captures = live(aws.environment())

    assert errors(verdicts(captures)) == concerned
    cluster = assemble("c", captures, None, published_policies())
    told = {
        each.finding.because
        for id_ in CONTROLS
        for each in judge_control(load_controls()[id_], cluster, {})
        if each.finding.status == "error"
    }
    assert all(words in because for because in told)


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout", "Odd"])
def test_a_query_that_did_not_end_well_is_no_answer_for_anybody(
    status: str, aws: AwsAnswers
) -> None:
    aws.answers[RESULTS] = [histogram(10, status)]

    captures = live(aws.environment())

    for kind in (Kind.AWS_LOG_HISTOGRAM, Kind.AWS_LOG_VERBS):
        told = of_kind(captures, kind)
        assert isinstance(told, Unreadable)
        assert told.reason == f"the query did not end well: {status}"


def test_a_query_that_runs_for_too_long_is_waited_for_no_longer(
    aws: AwsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.answers[RESULTS] = [histogram(10, "Running")]
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)

    captures = collect_eks(TARGET, datetime.now(UTC), print, patience=timedelta(seconds=0.1))

    told = of_kind(captures, Kind.AWS_LOG_HISTOGRAM)
    assert isinstance(told, Unreadable)
    assert "still ran" in told.reason


def test_a_query_is_waited_for(aws: AwsAnswers) -> None:
    running = histogram(0, "Running")
    aws.answers[RESULTS] = [histogram(0, "Scheduled"), running, histogram(10)]

    assert verdicts(live(aws.environment())) == SOUND


# --- order and pages -----------------------------------------------------------------------------


def test_empty_pages_are_passed_over(aws: AwsAnswers) -> None:
    newest = stored(datetime.now(UTC) - timedelta(minutes=2))
    empty = [json_body({"events": [], "nextToken": str(number)}) for number in range(3)]
    aws.answers[FILTER] = [*empty, json_body({"events": [newest]})]

    found = verdicts(live(aws.environment()))

    assert found == SOUND


def test_pages_that_never_end_are_an_error(aws: AwsAnswers) -> None:
    aws.answers[FILTER] = [json_body({"events": [], "nextToken": "the same"})]

    assert errors(verdicts(live(aws.environment()))) == BY_EVENTS | BY_WEEKS


def test_farther_back_is_asked_only_where_there_was_nothing(aws: AwsAnswers) -> None:
    old = stored(datetime.now(UTC) - timedelta(days=3))
    nothing = json_body({"events": []})
    aws.answers[FILTER] = [nothing, nothing, json_body({"events": [old]})]

    found = verdicts(live(aws.environment()))

    assert found["KC-CMP-011", "fresh"] == {"fail"}
    asked = [json.loads(each.body) for each in aws.asked if each.operation == FILTER]
    backwards = [each for each in asked if each.get("startFromHead") is False]
    assert [each["startTime"] for each in backwards] == sorted(
        (each["startTime"] for each in backwards), reverse=True
    )
    assert len(backwards) == 3
    assert all(each["logStreamNamePrefix"] == "kube-apiserver-audit-" for each in asked)
    assert len({each["endTime"] for each in backwards}) == 1


def test_the_oldest_of_many_are_not_taken_for_the_newest(aws: AwsAnswers) -> None:
    """A service that does not know `startFromHead` gives them in the other order."""
    now = datetime.now(UTC)
    events = [stored(now - timedelta(seconds=3000 - number)) for number in range(SAMPLED)]
    aws.answers[FILTER] = [json_body({"events": events})]

    captures = live(aws.environment())

    told = of_kind(captures, Kind.AWS_LOG_EVENTS)
    assert isinstance(told, Unreadable)
    assert "newest events did not come first" in told.reason
    assert verdicts(captures)["KC-CMP-011", "fresh"] == {"error"}


def test_of_the_newest_first_a_page_is_enough(aws: AwsAnswers) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    events = [stored(now - timedelta(seconds=number)) for number in range(SAMPLED)]
    aws.answers[FILTER] = [json_body({"events": events, "nextToken": "more"}), json_body({})]

    captures = live(aws.environment())

    told = of_kind(captures, Kind.AWS_LOG_EVENTS)
    assert isinstance(told, Raw)
    assert len(json.loads(told.content)["events"]) == SAMPLED


def test_a_group_without_any_event_is_not_asked_for_each_week(aws: AwsAnswers) -> None:
    aws.answers[FILTER] = [json_body({"events": []})]

    found = verdicts(live(aws.environment()))

    assert found["KC-RET-002", "main"] == {"fail"}
    assert found["KC-CMP-011", "fresh"] == {"fail"}
    assert aws.operations().count(FILTER) == 4


def test_a_cluster_without_a_log_group_is_not_asked_for_events(aws: AwsAnswers) -> None:
    aws.answers["logs:DescribeLogGroups"] = [json_body({"logGroups": []})]

    found = verdicts(live(aws.environment()))

    assert found["KC-CMP-011", "fresh"] == {"manual"}
    assert not {FILTER, START, RESULTS} & set(aws.operations())


# --- what clusters have in common ----------------------------------------------------------------


def test_what_two_clusters_have_in_common_is_asked_once(
    aws: AwsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    shared, now = SharedAnswers(), datetime.now(UTC)

    first = collect_eks(TARGET, now, print, shared)
    again = collect_eks(TARGET, now, print, shared)

    common = {f"{q.service}:{q.operation}" for q in map(question, SHARED)}
    asked = aws.operations()
    assert {name: asked.count(name) for name in common if asked.count(name) > 1} == {}
    assert asked.count("logs:DescribeLogGroups") == 2
    in_common = [each for each in first if each.origin.kind in SHARED]
    assert in_common
    assert in_common == [each for each in again if each.origin.kind in SHARED]


@pytest.mark.parametrize(
    ("answer", "times"),
    [(error(400, "AccessDeniedException"), 1), (error(400, "InternalFailure"), 2)],
    ids=["refused", "failed"],
)
def test_what_only_went_wrong_is_asked_again_of_the_next_cluster(
    answer: Answer, times: int, aws: AwsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.answers["logs:DescribeExportTasks"] = [answer]
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    shared, now = SharedAnswers(), datetime.now(UTC)

    for _ in range(2):
        collect_eks(TARGET, now, print, shared)

    assert aws.operations().count("logs:DescribeExportTasks") == times
