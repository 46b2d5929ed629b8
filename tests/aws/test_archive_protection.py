"""KC-PRO-009 and KC-PRO-011 of EKS over the unpatched SDK: Object Lock, encryption, open doors."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.bundle import read_bundle, write_bundle
from kcompliance.collect.interface import Collection
from kcompliance.controls import load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding
from kcompliance.scan import judge_control
from tests.aws.account import BUCKET, GROUP, collected, log_group, make_sound
from tests.aws_answers import Answer, AwsAnswers, error, json_body, s3_error
from tests.servers.moto import REGION, Moto

pytestmark = pytest.mark.integration

COMPLIANCE = {"Mode": "COMPLIANCE", "Days": 731}
LOCKED, MODE = ("KC-PRO-009", "locked"), ("KC-PRO-009", "compliance")
KEYS, DOORS = ("KC-PRO-011", "encrypted"), ("KC-PRO-011", "not-public")


@pytest.fixture
def aws(moto_server: Moto) -> Iterator[AwsAnswers]:
    with AwsAnswers(moto_server.url) as answers:
        make_sound(moto_server, answers)
        yield answers


def _bucket(moto: Moto, default: dict[str, Any] | None) -> None:
    """The archive again, with Object Lock and this default retention."""
    s3 = moto.client("s3")
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    s3.delete_bucket(Bucket=BUCKET)
    where = {"LocationConstraint": REGION}
    s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True
    )
    rule = {"Rule": {"DefaultRetention": default}} if default else {}
    s3.put_object_lock_configuration(
        Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
    )
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(
        Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True)
    )
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": rules})


def _findings(collection: Collection) -> list[Finding]:
    (one,) = collection.targets
    cluster = assemble(one.name, one.captures, one.platform, published_policies())
    controls = load_controls()
    return [
        judged.finding
        for id_ in ("KC-PRO-009", "KC-PRO-011")
        for judged in judge_control(controls[id_], cluster, {})
    ]


def _live_and_from_bundle(aws: AwsAnswers, folder: Path) -> dict[tuple[str, str], set[str]]:
    """The verdicts by control and aspect, which are seen to be those of a bundle as well."""
    live = collected(aws.environment())
    write_bundle(live, folder / "saved")
    found = _findings(live)
    assert _findings(read_bundle(folder / "saved")) == found
    told: dict[tuple[str, str], set[str]] = {}
    for each in found:
        control = "KC-PRO-009" if each.aspect in ("locked", "compliance") else "KC-PRO-011"
        told.setdefault((control, each.aspect), set()).add(each.status.value)
    return told


def test_a_locked_bucket_is_worm_live_and_from_its_bundle(
    moto_server: Moto, aws: AwsAnswers, tmp_path: Path
) -> None:
    _bucket(moto_server, COMPLIANCE)

    told = _live_and_from_bundle(aws, tmp_path)

    assert told == {LOCKED: {"pass"}, MODE: {"pass"}, KEYS: {"pass"}, DOORS: {"pass"}}


@pytest.mark.parametrize(
    ("default", "locked", "mode"),
    [
        pytest.param({"Mode": "GOVERNANCE", "Years": 2}, "pass", "fail", id="governance"),
        pytest.param({"Mode": "COMPLIANCE", "Days": 30}, "fail", "pass", id="short"),
        pytest.param(None, "fail", "not_applicable", id="no default retention"),
    ],
)
def test_a_weaker_lock_is_told(
    moto_server: Moto,
    aws: AwsAnswers,
    tmp_path: Path,
    default: dict[str, Any] | None,
    locked: str,
    mode: str,
) -> None:
    _bucket(moto_server, default)

    told = _live_and_from_bundle(aws, tmp_path)

    assert (told[LOCKED], told[MODE]) == ({locked}, {mode})


def test_a_bucket_without_object_lock_fails(aws: AwsAnswers, tmp_path: Path) -> None:
    told = _live_and_from_bundle(aws, tmp_path)

    assert (told[LOCKED], told[MODE]) == ({"fail"}, {"not_applicable"})


def _public_policy(aws: AwsAnswers) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}
    policy = {"policyName": "open", "policyDocument": json.dumps({"Statement": [statement]})}
    aws.answers["logs:DescribeResourcePolicies"] = [json_body({"resourcePolicies": [policy]})]


def test_a_log_group_that_anybody_may_read_is_told(aws: AwsAnswers, tmp_path: Path) -> None:
    _public_policy(aws)

    assert _live_and_from_bundle(aws, tmp_path)[DOORS] == {"fail", "pass"}


def _no_encryption(aws: AwsAnswers) -> None:
    code = "ServerSideEncryptionConfigurationNotFoundError"
    aws.answers["s3:GetBucketEncryption"] = [s3_error(404, code)]


def _no_log_group(aws: AwsAnswers) -> None:
    other = json_body({"logGroups": [log_group(logGroupName=f"{GROUP}2")]})
    aws.answers["logs:DescribeLogGroups"] = [other]


@pytest.mark.parametrize(
    ("change", "encrypted"),
    [
        pytest.param(_no_encryption, {"pass", "fail"}, id="the bucket is not encrypted"),
        pytest.param(_no_log_group, {"pass", "not_applicable"}, id="another log group"),
    ],
)
def test_what_is_not_there_earns_nothing(
    moto_server: Moto,
    aws: AwsAnswers,
    tmp_path: Path,
    change: Callable[[AwsAnswers], None],
    encrypted: set[str],
) -> None:
    _bucket(moto_server, COMPLIANCE)
    change(aws)

    assert _live_and_from_bundle(aws, tmp_path)[KEYS] == encrypted


@pytest.mark.parametrize(
    ("operation", "answer", "wrong"),
    [
        pytest.param("s3:GetObjectLockConfiguration", s3_error(403, "AccessDenied"), LOCKED),
        pytest.param("s3:GetBucketEncryption", s3_error(403, "AccessDenied"), KEYS),
        pytest.param("logs:DescribeResourcePolicies", error(400, "AccessDeniedException"), DOORS),
    ],
    ids=["object lock", "encryption", "resource policies"],
)
def test_what_may_not_be_asked_is_an_error(
    moto_server: Moto,
    aws: AwsAnswers,
    tmp_path: Path,
    operation: str,
    answer: Answer,
    wrong: tuple[str, str],
) -> None:
    _bucket(moto_server, COMPLIANCE)
    aws.answers[operation] = [answer]

    told = _live_and_from_bundle(aws, tmp_path)

    assert "error" in told[wrong]
