"""An account of AWS whose EKS cluster has a sound audit trail, and a scan of it."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.interface import Collection
from kcompliance.collect.targets import collect
from kcompliance.controls import load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.verdict import Judged
from kcompliance.scan import evaluate
from tests.aws_answers import AwsAnswers, json_body
from tests.captures import whole
from tests.cli.command import Done, kcompliance
from tests.servers.moto import ACCOUNT, REGION, Moto

__all__ = [
    "ARN",
    "BUCKET",
    "CONTROLS",
    "GROUP",
    "TARGET",
    "collected",
    "judge",
    "judged",
    "log_group",
    "make_sound",
    "scan",
    "statuses",
    "verdicts",
]

TARGET = f"eks:{REGION}/prod"
ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/prod"
GROUP = "/aws/eks/prod/cluster"
BUCKET = "audit-archive"
EVERYTHING = f"arn:aws:iam::{ACCOUNT}:policy/everything"
CONTROLS = ("KC-AUD-004", "KC-PRO-010", "KC-PRO-014", "KC-RET-009", "KC-RET-010")
EVENTS = [
    "UpdateClusterConfig",
    "DeleteLogGroup",
    "DeleteLogStream",
    "PutRetentionPolicy",
    "DeleteSubscriptionFilter",
    "StopLogging",
    "DeleteTrail",
    "UpdateTrail",
]
_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def make_sound(moto: Moto, aws: AwsAnswers) -> None:
    """Everything that the five controls ask for; what moto lacks is answered in front of it."""
    moto.forget()
    role = f"arn:aws:iam::{ACCOUNT}:role/delivery"
    moto.client("eks").create_cluster(
        name="prod",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": ["subnet-1"]},
        logging={"clusterLogging": [{"types": _TYPES, "enabled": True}]},
    )
    _make_archive(moto, role)
    _make_logs(moto, role)
    _make_alarms(moto)
    _make_people(moto)
    update = {"id": "u-1", "status": "Successful", "type": "LoggingUpdate", "createdAt": 1.7e9}
    aws.answers["eks:ListUpdates"] = [json_body({"updateIds": ["u-1"]})]
    aws.answers["eks:DescribeUpdate"] = [json_body({"update": update})]
    aws.answers["logs:DescribeLogGroups"] = [json_body({"logGroups": [log_group()]})]


def log_group(**more: Any) -> dict[str, Any]:
    """As DescribeLogGroups has it; moto knows no deletion protection."""
    return {
        "logGroupName": GROUP,
        "retentionInDays": 365,
        "arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*",
        "deletionProtectionEnabled": True,
        "storedBytes": 1,
        **more,
    }


def _make_archive(moto: Moto, role: str) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=_BLOCKED)
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime())
    for key in (f"eks/{hour}/audit-2.gz", "eks/2024/01/01/00/audit-1.gz", "eks/errors/x"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    moto.client("firehose").create_delivery_stream(
        DeliveryStreamName="audit",
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "Prefix": "eks/!{timestamp:yyyy/MM/dd/HH}/",
            "ErrorOutputPrefix": "failed/",
        },
    )


def _make_logs(moto: Moto, role: str) -> None:
    logs = moto.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="kube-apiserver-audit-0a1b")
    logs.put_subscription_filter(
        logGroupName=GROUP,
        filterName="archive",
        filterPattern="",
        destinationArn=f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/audit",
        roleArn=role,
    )


def _make_alarms(moto: Moto) -> None:
    trails = moto.client("cloudtrail")
    trails.create_trail(Name="main", S3BucketName=BUCKET, IsMultiRegionTrail=True)
    trails.put_event_selectors(
        TrailName="main",
        EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True}],
    )
    trails.start_logging(Name="main")
    events = moto.client("events")
    pattern = {
        "source": ["aws.eks", "aws.logs", "aws.cloudtrail"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": EVENTS},
    }
    events.put_rule(Name="tamper", EventPattern=json.dumps(pattern))
    target = {
        "Id": "1",
        "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarm",
        "Input": '{"token": "hunter2-input"}',
    }
    events.put_targets(Rule="tamper", Targets=[target])


def _make_people(moto: Moto) -> None:
    iam = moto.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "hunter2-external"}},
            }
        ],
    }
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=json.dumps(trust))
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [everything]}
    iam.create_policy(PolicyName="everything", PolicyDocument=json.dumps(policy))
    iam.attach_role_policy(RoleName="admin", PolicyArn=EVERYTHING)
    iam.create_user(UserName="agent")
    statement = {"Effect": "Allow", "Action": "logs:FilterLogEvents", "Resource": "*"}
    iam.put_user_policy(
        UserName="agent",
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def scan(folder: Path, environment: Mapping[str, str], *arguments: str) -> Done:
    """What the command line says of the five controls."""
    chosen = [word for control in CONTROLS for word in ("--control", control)]
    words = [*arguments, *chosen, "--format", "json"]
    return kcompliance("scan", *words, cwd=folder, env=dict(environment))


def collected(environment: Mapping[str, str], target: str = TARGET) -> Collection:
    """What the SDK brings, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return whole(collect([target], {}, None, datetime.now(UTC), lambda text: None))[0]


def judge(collection: Collection) -> list[Judged]:
    """The verdicts on it."""
    (one,) = collection.targets
    cluster = assemble(one.name, one.captures, one.platform, published_policies())
    controls = load_controls()
    return list(evaluate(cluster, [controls[id_] for id_ in CONTROLS], {}))


def judged(environment: Mapping[str, str], target: str = TARGET) -> list[Judged]:
    """Both, which is faster than the command line."""
    return judge(collected(environment, target))


def statuses(found: list[Judged]) -> dict[tuple[str, str], set[str]]:
    """The statuses of each control and aspect."""
    told: dict[tuple[str, str], set[str]] = {}
    for each in found:
        told.setdefault((each.control.id, each.aspect.id), set()).add(each.finding.status.value)
    return told


def verdicts(done: Done) -> dict[tuple[str, str], set[str]]:
    """The statuses of each control and aspect."""
    found: dict[tuple[str, str], set[str]] = {}
    for each in done.json["findings"]:
        found.setdefault((each["control"], each["aspect"]), set()).add(each["status"])
    return found
