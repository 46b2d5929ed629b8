"""Live scans of an EKS cluster by the unpatched SDK: a sound account, and answers gone wrong."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kcompliance.collect.aws.questions import ALL, actions
from kcompliance.collect.bundle import read_bundle, write_bundle
from tests.aws.account import (
    ARN,
    BUCKET,
    CONTROLS,
    EVERYTHING,
    GROUP,
    TARGET,
    collected,
    judge,
    judged,
    log_group,
    make_sound,
    scan,
    statuses,
    verdicts,
)
from tests.aws_answers import (
    Answer,
    AwsAnswers,
    error,
    json_body,
    s3_error,
    whole,
)
from tests.cli.command import ROOT
from tests.servers.moto import ACCOUNT, REGION, Moto
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

SOUND = {
    ("KC-AUD-004", "audit"): {"pass"},
    ("KC-AUD-004", "all-five"): {"pass"},
    ("KC-PRO-010", "deletion"): {"pass"},
    ("KC-PRO-010", "public-access"): {"pass"},
    ("KC-PRO-010", "principals"): {"pass"},
    ("KC-PRO-010", "static-keys"): {"pass"},
    ("KC-PRO-014", "aws"): {"pass"},
    ("KC-PRO-014", "elasticsearch"): {"not_applicable"},
    ("KC-RET-009", "main"): {"pass"},
    ("KC-RET-009", "upper-bound"): {"not_applicable"},
    ("KC-RET-010", "main"): {"pass"},
}


@pytest.fixture
def aws(moto_server: Moto) -> Iterator[AwsAnswers]:
    with AwsAnswers(moto_server.url) as answers:
        make_sound(moto_server, answers)
        yield answers


def test_a_sound_account_is_sound_live_and_from_its_bundle(aws: AwsAnswers, tmp_path: Path) -> None:
    live = scan(tmp_path, aws.environment(), TARGET, "--save-bundle", "saved")
    again = scan(tmp_path, {}, "saved")

    assert verdicts(live) == SOUND
    assert {f["confidence"] for f in live.json["findings"] if f["status"] == "pass"} == {"live"}
    assert again.out == live.out
    saved = [path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert not any(b"hunter2" in content for content in saved)
    assert "hunter2" not in live.out + live.err


def test_an_arn_names_a_cluster_too(aws: AwsAnswers) -> None:
    assert statuses(judged(aws.environment(), f"eks:{ARN}")) == SOUND


def test_a_cluster_is_one_part_of_a_named_target(aws: AwsAnswers, tmp_path: Path) -> None:
    (tmp_path / "kcompliance.yaml").write_text(f"targets: {{prod: {{cluster: '{TARGET}'}}}}")

    assert verdicts(scan(tmp_path, aws.environment(), "@prod")) == SOUND


# --- what is asked, and what has to be allowed ---------------------------------------------------


def test_the_shipped_policy_allows_exactly_what_is_asked() -> None:

    policy = json.loads((ROOT / "deploy/aws/policy.json").read_text())
    allowed = [action for statement in policy["Statement"] for action in statement["Action"]]

    assert sorted(allowed) == sorted(actions())
    reads = re.compile(r"[a-z0-9]+:((Describe|Get|List|Filter)[A-Za-z0-9]+|StartQuery)")
    assert not [action for action in allowed if not reads.fullmatch(action)]


def test_each_question_of_the_table_is_asked_and_no_other(
    moto_server: Moto, aws: AwsAnswers
) -> None:
    moto_server.client("logs").create_log_group(logGroupName="CloudTrail/logs")
    moto_server.client("logs").put_metric_filter(
        logGroupName="CloudTrail/logs",
        filterName="m",
        filterPattern="{ $.eventName = DeleteTrail }",
        metricTransformations=[
            {"metricName": "My tampers", "metricNamespace": "Audit", "metricValue": "1"}
        ],
    )
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:CloudTrail/logs:*"
    trail = {
        "Name": "main",
        "TrailARN": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main",
        "HomeRegion": REGION,
        "IsMultiRegionTrail": True,
        "CloudWatchLogsLogGroupArn": arn,
    }
    aws.answers["cloudtrail:DescribeTrails"] = [json_body({"trailList": [trail]})]
    key = moto_server.client("kms").create_key()["KeyMetadata"]["Arn"]
    group = json_body({"logGroups": [log_group(kmsKeyId=key)]})
    aws.answers["logs:DescribeLogGroups"] = [group]

    assert statuses(judged(aws.environment())) == SOUND
    assert set(aws.operations()) == {f"{q.service}:{q.operation}" for q in ALL}


# --- refusals ------------------------------------------------------------------------------------

DENIED = error(400, "AccessDeniedException")
S3_DENIED = s3_error(403, "AccessDenied")
REFUSED: dict[str, tuple[Answer, str, set[tuple[str, str]]]] = {
    "eks:ListUpdates": (
        error(403, "AccessDeniedException"),
        "eks:ListUpdates",
        {("KC-AUD-004", "audit"), ("KC-AUD-004", "all-five")},
    ),
    "logs:DescribeLogGroups": (
        DENIED,
        "logs:DescribeLogGroups",
        {
            ("KC-AUD-004", "audit"),
            ("KC-RET-009", "main"),
            ("KC-RET-009", "upper-bound"),
            ("KC-PRO-010", "deletion"),
        },
    ),
    "logs:DescribeSubscriptionFilters": (
        DENIED,
        "logs:DescribeSubscriptionFilters",
        {
            ("KC-RET-010", "main"),
            ("KC-PRO-010", "public-access"),
            ("KC-PRO-010", "principals"),
            ("KC-PRO-010", "static-keys"),
        },
    ),
    "firehose:DescribeDeliveryStream": (
        DENIED,
        "firehose:DescribeDeliveryStream",
        {
            ("KC-RET-010", "main"),
            ("KC-PRO-010", "public-access"),
            ("KC-PRO-010", "principals"),
            ("KC-PRO-010", "static-keys"),
        },
    ),
    "s3:GetBucketLifecycleConfiguration": (
        S3_DENIED,
        "s3:GetLifecycleConfiguration",
        {("KC-RET-010", "main")},
    ),
    "s3:ListObjectsV2": (S3_DENIED, "s3:ListBucket", {("KC-RET-010", "main")}),
    "s3:GetPublicAccessBlock": (
        S3_DENIED,
        "s3:GetBucketPublicAccessBlock",
        {("KC-PRO-010", "public-access")},
    ),
    "cloudtrail:DescribeTrails": (DENIED, "cloudtrail:DescribeTrails", {("KC-PRO-014", "aws")}),
    "cloudtrail:GetTrailStatus": (DENIED, "cloudtrail:GetTrailStatus", {("KC-PRO-014", "aws")}),
    "cloudtrail:GetEventSelectors": (
        DENIED,
        "cloudtrail:GetEventSelectors",
        {("KC-PRO-014", "aws")},
    ),
    "events:ListRules": (DENIED, "events:ListRules", {("KC-PRO-014", "aws")}),
    "events:ListTargetsByRule": (DENIED, "events:ListTargetsByRule", {("KC-PRO-014", "aws")}),
    "iam:GetAccountAuthorizationDetails": (
        S3_DENIED,
        "iam:GetAccountAuthorizationDetails",
        {("KC-PRO-010", "principals"), ("KC-PRO-010", "static-keys")},
    ),
    "iam:ListAccessKeys": (S3_DENIED, "iam:ListAccessKeys", {("KC-PRO-010", "static-keys")}),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_a_missing_permission_is_an_error_that_names_it(operation: str, aws: AwsAnswers) -> None:
    answer, permission, concerned = REFUSED[operation]
    aws.answers[operation] = [answer]

    found = judged(aws.environment())

    assert {key for key, told in statuses(found).items() if "error" in told} == concerned
    permissions = {each.finding.permission for each in found if each.finding.status == "error"}
    assert permissions == {permission}


# --- no usable answer ----------------------------------------------------------------------------

CLUSTER = {"name": "prod", "arn": ARN, "status": "ACTIVE", "logging": {"clusterLogging": []}}
NO_CLUSTER: dict[str, tuple[Sequence[Answer], str]] = {
    "it is deleted": ([error(404, "ResourceNotFoundException")], "ResourceNotFoundException"),
    "expired token": ([error(403, "ExpiredTokenException")], "not accepted: ExpiredToken"),
    "unknown key": ([error(403, "UnrecognizedClientException")], "not accepted: Unrecognized"),
    "denied": ([error(403, "AccessDeniedException")], "not allowed: AccessDenied"),
    "another region": (
        [json_body({"cluster": {**CLUSTER, "arn": ARN.replace(REGION, "us-east-1")}})],
        "another cluster was described",
    ),
    "another cluster": (
        [json_body({"cluster": {**CLUSTER, "name": "test"}})],
        "another cluster was described",
    ),
    "a proxy's page": ([whole(b"<html>log in</html>")], "could not be read"),
    "half of it": ([json_body({"cluster": CLUSTER}, cut=40)], "could not be read"),
    "something else": ([json_body({"nodegroup": {}})], "could not be read: it has no cluster"),
}


@pytest.mark.parametrize("name", NO_CLUSTER)
def test_a_cluster_that_is_not_described_is_an_error_everywhere(name: str, aws: AwsAnswers) -> None:
    aws.answers["eks:DescribeCluster"], words = NO_CLUSTER[name]

    found = judged(aws.environment())

    assert {each.finding.status.value for each in found} == {"error"}
    assert all(words in each.finding.because for each in found)
    assert set(aws.operations()) == {"eks:DescribeCluster"}


def test_a_scan_of_which_nothing_came_says_so(aws: AwsAnswers, tmp_path: Path) -> None:
    aws.answers["eks:DescribeCluster"] = [error(404, "ResourceNotFoundException")]

    done = scan(tmp_path, aws.environment(), TARGET)

    assert done.code == 4
    assert "ResourceNotFoundException" in done.out + done.err


def test_the_same_name_in_the_account_of_the_credentials_is_another_cluster(
    aws: AwsAnswers,
) -> None:
    found = judged(aws.environment(), f"eks:{ARN.replace(ACCOUNT, '999988887777')}")

    assert {each.finding.status.value for each in found} == {"error"}
    assert f"of the account {ACCOUNT}" in found[0].finding.because


def test_without_credentials_nobody_is_asked(aws: AwsAnswers) -> None:
    environment = {k: v for k, v in aws.environment().items() if "KEY" not in k}

    found = judged(environment)

    assert {each.finding.status.value for each in found} == {"error"}
    assert "no credentials" in found[0].finding.because
    assert aws.asked == []


def test_a_profile_that_is_not_there_is_named(aws: AwsAnswers) -> None:
    found = judged({**aws.environment(), "AWS_PROFILE": "nobody"})

    assert "nobody" in found[0].finding.because


def test_an_endpoint_that_does_not_answer_is_an_error(aws: AwsAnswers) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"

    found = judged({**aws.environment(), "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": nowhere})

    errors = {each.finding.because for each in found if each.finding.status == "error"}
    assert errors == {f"no answer from logs in {REGION}: EndpointConnectionError"}
    assert statuses(found)["KC-PRO-014", "aws"] == {"pass"}


def test_throttling_in_the_middle_of_pages_leaves_no_half_answer(aws: AwsAnswers) -> None:
    first = json_body({"logGroups": [log_group()], "nextToken": "more"})
    aws.answers["logs:DescribeLogGroups"] = [first, error(400, "ThrottlingException")]

    found = judged(aws.environment())

    assert statuses(found)["KC-RET-009", "main"] == {"error"}
    assert any("throttled" in each.finding.because for each in found)
    assert aws.operations().count("logs:DescribeLogGroups") > 2


def test_pages_become_one_answer(aws: AwsAnswers) -> None:
    other = {**log_group(), "logGroupName": f"{GROUP}-old", "retentionInDays": 1}
    aws.answers["logs:DescribeLogGroups"] = [
        json_body({"logGroups": [other], "nextToken": "more"}),
        json_body({"logGroups": [log_group()]}),
    ]

    assert statuses(judged(aws.environment())) == SOUND


def test_a_page_that_is_something_else_is_no_answer(aws: AwsAnswers) -> None:
    aws.answers["logs:DescribeLogGroups"] = [
        json_body({"logGroups": [log_group()], "nextToken": "more"}),
        json_body({"message": "try later"}),
    ]

    assert statuses(judged(aws.environment()))["KC-RET-009", "main"] == {"error"}


# --- what moto can show of a bad account ---------------------------------------------------------


def _shorten(moto: Moto) -> None:
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 90}}
    moto.client("s3").put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]}
    )


def _open_bucket(moto: Moto) -> None:
    moto.client("s3").delete_public_access_block(Bucket=BUCKET)


def _stop_trail(moto: Moto) -> None:
    moto.client("cloudtrail").stop_logging(Name="main")


def _take_target(moto: Moto) -> None:
    moto.client("events").remove_targets(Rule="tamper", Ids=["1"])


def _unsubscribe(moto: Moto) -> None:
    moto.client("logs").delete_subscription_filter(logGroupName=GROUP, filterName="archive")


def _hand_out_a_key(moto: Moto) -> None:
    moto.client("iam").create_access_key(UserName="agent")


def _make_admins(moto: Moto) -> None:
    iam = moto.client("iam")
    for number in range(5):
        iam.create_role(RoleName=f"a{number}", AssumeRolePolicyDocument="{}")
        iam.attach_role_policy(RoleName=f"a{number}", PolicyArn=EVERYTHING)


BAD: dict[str, tuple[Callable[[Moto], None], tuple[str, str]]] = {
    "a lifecycle of 90 days": (_shorten, ("KC-RET-010", "main")),
    "no subscription": (_unsubscribe, ("KC-RET-010", "main")),
    "an open bucket": (_open_bucket, ("KC-PRO-010", "public-access")),
    "a stopped trail": (_stop_trail, ("KC-PRO-014", "aws")),
    "a rule without a target": (_take_target, ("KC-PRO-014", "aws")),
    "a key for an agent": (_hand_out_a_key, ("KC-PRO-010", "static-keys")),
    "six administrators": (_make_admins, ("KC-PRO-010", "principals")),
}


@pytest.mark.parametrize("name", BAD)
def test_one_fault_of_an_account_is_a_fail_live_and_from_the_bundle(
    name: str, moto_server: Moto, aws: AwsAnswers, tmp_path: Path
) -> None:
    spoil, concerned = BAD[name]
    spoil(moto_server)

    live = collected(aws.environment())
    write_bundle(live, tmp_path / "saved")

    assert statuses(judge(live))[concerned] == {"fail"}
    assert judge(read_bundle(tmp_path / "saved")) == judge(live)
    assert "AKIA" not in "".join(p.read_text() for p in (tmp_path / "saved/raw").iterdir())


def test_the_block_of_the_whole_account_counts(moto_server: Moto, aws: AwsAnswers) -> None:
    _open_bucket(moto_server)
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    fields = "".join(f"<{name}>true</{name}>" for name in names)
    text = f"<PublicAccessBlockConfiguration>{fields}</PublicAccessBlockConfiguration>"
    aws.answers["s3control:GetPublicAccessBlock"] = [whole(text.encode(), "text/xml")]

    found = statuses(judged(aws.environment()))

    assert found["KC-PRO-010", "public-access"] == {"pass"}


@pytest.mark.parametrize(
    "text", ["eks:prod", "eks:", "eks:arn:aws:eks:x:1:cluster/p", "eks:eu-1/a b"]
)
def test_what_names_no_cluster_is_refused_before_anything_is_asked(
    text: str, tmp_path: Path
) -> None:
    done = scan(tmp_path, {}, text)

    assert done.code == 2
    assert "not an EKS cluster" in done.json["error"]["message"]


def test_every_control_of_this_file_has_verdicts() -> None:
    assert {control for control, _ in SOUND} == set(CONTROLS)
