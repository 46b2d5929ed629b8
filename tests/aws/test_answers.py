"""Plain output of the aws command in a folder, and answers that are taken away again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kcompliance.collect.files import collect_files
from kcompliance.collect.recognise import recognise
from kcompliance.controls import Case, cases_of, load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.aws.answers import subject_of
from kcompliance.model.aws.iam_documents import Act, allows, denies
from kcompliance.model.documents import Malformed
from kcompliance.model.finding import Status
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable
from kcompliance.scan import judge_control
from tests.aws.account import CONTROLS
from tests.captures import NOW

ARN = "arn:aws:x:eu-central-1:111122223333:y"
OUTPUT: dict[str, tuple[object, Kind]] = {
    "list-updates": ({"updateIds": ["u"]}, Kind.AWS_EKS_UPDATE_IDS),
    "describe-update": (
        {"update": {"id": "u", "status": "Failed", "type": "LoggingUpdate"}},
        Kind.AWS_EKS_UPDATE,
    ),
    "describe-log-groups": ({"logGroups": []}, Kind.AWS_LOG_GROUPS),
    "describe-log-streams": ({"logStreams": []}, Kind.AWS_LOG_STREAMS),
    "describe-subscription-filters": ({"subscriptionFilters": []}, Kind.AWS_SUBSCRIPTION_FILTERS),
    "describe-export-tasks": ({"exportTasks": []}, Kind.AWS_EXPORT_TASKS),
    "describe-metric-filters": ({"metricFilters": []}, Kind.AWS_METRIC_FILTERS),
    "describe-alarms": ({"MetricAlarms": [], "CompositeAlarms": []}, Kind.AWS_ALARMS),
    "describe-delivery-stream": ({"DeliveryStreamDescription": {}}, Kind.AWS_DELIVERY_STREAM),
    "get-bucket-versioning": ({"Status": "Enabled"}, Kind.AWS_BUCKET_VERSIONING),
    "get-bucket-lifecycle-configuration": (
        {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}}]},
        Kind.AWS_BUCKET_LIFECYCLE,
    ),
    "get-object-lock-configuration": (
        {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
        Kind.AWS_BUCKET_OBJECT_LOCK,
    ),
    "get-bucket-policy": ({"Policy": '{"Statement": []}'}, Kind.AWS_BUCKET_POLICY),
    "get-public-access-block": (
        {"PublicAccessBlockConfiguration": {}},
        Kind.AWS_BUCKET_PUBLIC_ACCESS,
    ),
    "list-objects-v2": (
        {"Contents": [{"Key": "k", "LastModified": "2026-01-01T00:00:00+00:00"}]},
        Kind.AWS_BUCKET_OBJECTS,
    ),
    "describe-trails": ({"trailList": []}, Kind.AWS_TRAILS),
    "get-trail-status": ({"IsLogging": True}, Kind.AWS_TRAIL_STATUS),
    "get-event-selectors": ({"TrailARN": ARN, "EventSelectors": []}, Kind.AWS_EVENT_SELECTORS),
    "list-rules": (
        {"Rules": [{"Arn": ARN, "Name": "r", "State": "ENABLED"}]},
        Kind.AWS_EVENT_RULES,
    ),
    "list-targets-by-rule": ({"Targets": [{"Id": "1", "Arn": ARN}]}, Kind.AWS_RULE_TARGETS),
    "get-account-authorization-details": (
        {"UserDetailList": [], "RoleDetailList": []},
        Kind.AWS_IAM_DETAILS,
    ),
    "describe-policy": (
        {"Policy": {"PolicySummary": {"Name": "p"}, "Content": "{}"}},
        Kind.AWS_ORGANIZATION_POLICY,
    ),
}


@pytest.mark.parametrize("command", OUTPUT)
def test_output_of_the_aws_command_is_recognised(command: str) -> None:
    document, kind = OUTPUT[command]

    found = recognise(json.dumps(document, indent=4).encode())

    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize(
    "document",
    [
        {"Rules": []},
        {"Policy": "{}", "RevisionId": "1"},
        {"Contents": "x"},
        {"Targets": [{"Id": "1"}]},
        {"update": {"id": "1"}},
        {"Status": "Enabled", "Name": "something"},
        {"Rules": [{"Name": "r"}]},
    ],
    ids=str,
)
def test_what_only_looks_like_it_is_nothing(document: object) -> None:
    assert recognise(json.dumps(document).encode()) is None


def test_half_a_file_is_a_gap_and_no_answer() -> None:
    text = json.dumps({"logGroups": [{"logGroupName": "/aws/eks/prod/cluster"}]})

    with pytest.raises(Malformed):
        recognise(text[:-9].encode())


def test_tokens_are_taken_out_of_files_too(tmp_path: Path) -> None:
    destination = {"SplunkDestinationDescription": {"HECToken": "hunter2"}}
    text = json.dumps({"DeliveryStreamDescription": {"Destinations": [destination]}})
    (tmp_path / "stream.json").write_text(text)

    (capture,) = collect_files([str(tmp_path)], NOW, lambda text: None)

    assert isinstance(capture, Raw)
    assert b"hunter2" not in capture.content
    pointer = "/DeliveryStreamDescription/Destinations/0/SplunkDestinationDescription/HECToken"
    assert capture.redactions == (pointer,)


@pytest.mark.parametrize(
    ("resource", "collector", "subject"),
    [
        ("eks:r/c s3:GetBucketPolicy my-bucket", "aws", "my-bucket"),
        ("saved/get-bucket-versioning.my.bucket.json", "files", "my.bucket"),
        ("saved/my-bucket/get-bucket-versioning.json", "files", "my-bucket"),
        ("get-bucket-versioning.json", "files", None),
        ("standard input", "files", None),
    ],
)
def test_a_file_is_tied_to_a_resource_by_its_name_or_folder(
    resource: str, collector: str, subject: str | None
) -> None:
    kind = Kind.AWS_BUCKET_VERSIONING
    origin = Origin(kind=kind, resource=resource, collector=collector, collected_at=NOW)

    assert subject_of(origin) == subject


# --- IAM -----------------------------------------------------------------------------------------

_GROUP = Act(action="logs:DeleteLogGroup", resources=("arn:aws:logs:r:a:log-group:g",))
_OBJECTS = Act(action="s3:DeleteObjectVersion", resources=("arn:aws:s3:::b/*",))
STATEMENTS = [
    ({"Effect": "Allow", "Action": "*", "Resource": "*"}, _GROUP, True, False),
    ({"Effect": "Allow", "Action": "LOGS:delete*", "Resource": "*"}, _GROUP, True, False),
    ({"Effect": "Allow", "Action": ["logs:Get*"], "Resource": "*"}, _GROUP, False, False),
    ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, _GROUP, True, False),
    ({"Effect": "Allow", "NotAction": "logs:*", "Resource": "*"}, _GROUP, False, False),
    ({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:logs:r:a:*"}, _GROUP, True, False),
    ({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::*"}, _GROUP, False, False),
    ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:logs:*"}, _GROUP, False, False),
    ({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/x/*"}, _OBJECTS, True, False),
    ({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::c/*"}, _OBJECTS, False, False),
    ({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b"}, _OBJECTS, False, False),
    (
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"a": {}}},
        _GROUP,
        True,
        False,
    ),
    ({"Effect": "Deny", "Action": "logs:*", "Resource": "*"}, _GROUP, False, True),
    ({"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}, _OBJECTS, False, True),
    ({"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/x*"}, _OBJECTS, False, False),
    (
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {}}},
        _GROUP,
        False,
        False,
    ),
]


@pytest.mark.parametrize(("statement", "act", "allowed", "denied"), STATEMENTS, ids=str)
def test_a_statement_allows_too_much_rather_than_too_little(
    statement: dict[str, object], act: Act, *, allowed: bool, denied: bool
) -> None:
    assert allows([statement], act) is allowed
    assert denies([statement], act) is denied


# --- the worst fault -----------------------------------------------------------------------------

_GOOD = {Status.PASS, Status.NOT_APPLICABLE}
OF_EVENTS = ("KC-CMP-008", "KC-CMP-011", "KC-CMP-012", "KC-RET-002")
CASES = [
    case
    for id_ in (*CONTROLS, *OF_EVENTS)
    for case in cases_of(load_controls()[id_])
    if any(capture.origin.kind is Kind.EKS_CLUSTER for capture in case.captures)
]


def _by_aspect(case: Case, captures: list[Capture]) -> dict[str, set[Status]]:
    cluster = assemble("c", captures, case.platform, published_policies())
    found: dict[str, set[Status]] = {}
    for each in judge_control(load_controls()[case.control], cluster, case.parameters):
        found.setdefault(each.aspect.id, set()).add(each.finding.status)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.control} {case.given}")
def test_an_answer_that_cannot_be_read_makes_nothing_better(case: Case) -> None:
    """Refused, or of another shape: what was not good before is not good then."""
    before = _by_aspect(case, list(case.captures))
    for index, capture in enumerate(case.captures):
        if not isinstance(capture, Raw):
            continue
        gap = Unreadable(origin=capture.origin, reason="taken away")
        for other in (gap, replace(capture, content=b"[]"), replace(capture, content=b'{"a":')):
            captures = [*case.captures[:index], other, *case.captures[index + 1 :]]
            for aspect, told in _by_aspect(case, captures).items():
                assert not told <= _GOOD or before[aspect] <= _GOOD, (capture.origin, aspect)
