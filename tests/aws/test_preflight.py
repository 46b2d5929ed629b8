"""`kcompliance preflight` of an EKS cluster by the unpatched SDK: each action refused in turn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.aws.questions import ALL, Question
from kcompliance.collect.cloud_needs import controls_needing
from kcompliance.collect.cloud_reads import told_by
from kcompliance.model.reading import Kind
from tests.aws.account import BUCKET, TARGET, log_group, make_sound
from tests.aws_answers import Answer, AwsAnswers, error, json_body, s3_error
from tests.cli.in_process import run
from tests.servers.moto import ACCOUNT, REGION, Moto
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

_XML = {"s3", "s3control", "iam"}
NEEDED = {each.action for each in ALL if controls_needing(each.kind)}


@pytest.fixture
def aws(moto_server: Moto) -> Iterator[AwsAnswers]:
    """An account in which there is something to ask by every question."""
    with AwsAnswers(moto_server.url) as answers:
        make_sound(moto_server, answers)
        _make_all_asked(moto_server, answers)
        yield answers


def _make_all_asked(moto: Moto, aws: AwsAnswers) -> None:
    """A trail whose log group raises alarms, and a log group with a key."""
    group = "CloudTrail/logs"
    moto.client("logs").create_log_group(logGroupName=group)
    metric = {"metricName": "tampers", "metricNamespace": "Audit", "metricValue": "1"}
    moto.client("logs").put_metric_filter(
        logGroupName=group,
        filterName="m",
        filterPattern="{ $.eventName = DeleteTrail }",
        metricTransformations=[metric],
    )
    trail = {
        "Name": "main",
        "TrailARN": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main",
        "HomeRegion": REGION,
        "IsMultiRegionTrail": True,
        "CloudWatchLogsLogGroupArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*",
    }
    aws.answers["cloudtrail:DescribeTrails"] = [json_body({"trailList": [trail]})]
    key = moto.client("kms").create_key()["KeyMetadata"]["Arn"]
    groups = json_body({"logGroups": [log_group(kmsKeyId=key)]})
    aws.answers["logs:DescribeLogGroups"] = [groups]


def _preflight(aws: AwsAnswers, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the rows by their action."""
    done = run("preflight", TARGET, "--format", "json", *arguments, **aws.environment())
    (target,) = done.json["targets"]
    return done.code, {each["action"]: each for each in target["permissions"]}


def _actions(rows: dict[str, dict[str, Any]], *allowed: str) -> set[str]:
    return {action for action, row in rows.items() if row["allowed"] in allowed}


def _denied(question: Question) -> Answer:
    if question.service in _XML:
        return s3_error(403, "AccessDenied")
    return error(400, "AccessDeniedException")


def test_who_may_all_is_told_so_for_each_action_that_a_control_needs(aws: AwsAnswers) -> None:
    code, rows = _preflight(aws)

    assert code == 0
    assert _actions(rows, "yes") == set(rows) == NEEDED
    assert {row["kind"] for row in rows.values()} == {"aws"}
    assert rows["s3:GetLifecycleConfiguration"]["place"] == BUCKET
    assert rows["s3:GetLifecycleConfiguration"]["controls"] == ["KC-RET-010"]


def _depth(kind: Kind) -> int:
    """How many answers lead to it."""
    teller = told_by(kind)
    return 0 if teller is None else 1 + _depth(teller)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_is_refused_is_named_and_what_hangs_on_it_is_not_known(
    aws: AwsAnswers, depth: int
) -> None:
    """All at once that are as far from the cluster."""
    refused = [question for question in ALL if _depth(question.kind) == depth]
    for question in refused:
        aws.answers[f"{question.service}:{question.operation}"] = [_denied(question)]

    code, rows = _preflight(aws)

    assert code == 3
    assert set(rows) == NEEDED
    assert _actions(rows, "no") == {each.action for each in refused} & NEEDED
    beyond = {each.action for each in ALL if _depth(each.kind) > depth} & NEEDED
    assert _actions(rows, "unknown") == beyond
    for action in beyond:
        assert rows[action]["reason"].startswith("not reached: not allowed")
        assert rows[action]["place"] in (None, "*")


def test_without_the_cluster_nothing_else_is_known(aws: AwsAnswers) -> None:
    aws.answers["eks:DescribeCluster"] = [error(403, "AccessDeniedException")]

    code, rows = _preflight(aws, "--control", "KC-RET-009")

    assert code == 3
    assert {action: row["allowed"] for action, row in rows.items()} == {
        "eks:DescribeCluster": "no",
        "logs:DescribeLogGroups": "unknown",
    }


def test_what_goes_wrong_otherwise_is_not_known(aws: AwsAnswers) -> None:
    aws.answers["logs:DescribeLogGroups"] = [error(400, "ThrottlingException")]

    code, rows = _preflight(aws, "--control", "KC-RET-009")

    assert code == 3
    assert rows["logs:DescribeLogGroups"]["allowed"] == "unknown"
    assert "throttled" in rows["logs:DescribeLogGroups"]["reason"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error(403, "UnrecognizedClientException"), "credentials are not accepted"),
        (error(404, "ResourceNotFoundException", "No cluster found for name: prod."), "No cluster"),
    ],
    ids=["unknown credentials", "no such cluster"],
)
def test_where_nothing_can_be_asked_there_is_one_error(
    aws: AwsAnswers, answer: Answer, words: str
) -> None:
    aws.answers["eks:DescribeCluster"] = [answer]

    done = run("preflight", TARGET, "--format", "json", **aws.environment())

    assert done.code == 4
    assert words in done.json["error"]["message"]
    assert done.json["error"]["hint"]


def test_nobody_answering_is_one_error(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    keys = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "hunter2-secret"}

    done = run("preflight", TARGET, "--format", "json", AWS_ENDPOINT_URL=address, **keys)

    assert done.code == 4
    assert "no answer from eks" in done.json["error"]["message"]
    assert "hunter2" not in done.out + done.err


def test_the_table_shows_what_to_grant(aws: AwsAnswers) -> None:
    aws.answers["iam:ListAccessKeys"] = [s3_error(403, "AccessDenied")]

    done = run("preflight", TARGET, **aws.environment())

    assert done.code == 3
    assert "missing" in done.out
    assert "iam:ListAccessKeys on *" in done.out
    assert "deploy/aws/" in done.out
    assert "KC-RET-011" in done.out.split("these need another target:")[1]
