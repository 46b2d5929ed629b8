"""`kcompliance approve` of what clouds and stores are told to do, and scans that compare with it.

Over the unpatched SDKs: Azure on loopback, AWS by moto, a search server of documented answers.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kcompliance.report.schemas import json_schema
from tests.aws.account import ARN, GROUP, make_sound
from tests.aws.account import TARGET as EKS
from tests.aws_answers import AwsAnswers
from tests.aws_answers import error as aws_error
from tests.azure_rm.documents import CLUSTER, STORAGE, log, setting
from tests.azure_rm.server import AzureOnLoopback
from tests.cli.command import Done, cluster
from tests.cli.in_process import run
from tests.collect.search.answering import Answering, Reply, error, reply, root
from tests.servers.moto import ACCOUNT, REGION, Moto

pytestmark = pytest.mark.integration

ASKED = ("--control", "KC-PRO-002", "--format", "json")
AKS = f"aks:{CLUSTER}"
PATTERN, INDEX = "k8s-audit-*", "k8s-audit-000042"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(done: Done) -> dict[str, tuple[str, str]]:
    """By aspect the verdict and its reason; each aspect has one finding here."""
    return {each["aspect"]: (each["status"], each["because"]) for each in done.json["findings"]}


def verdicts(done: Done) -> dict[str, str]:
    return {aspect: status for aspect, (status, _) in found(done).items()}


def locked() -> Any:
    (target,) = json.loads(Path("kcompliance.lock").read_text())["targets"].values()
    return target


def of_its_schema() -> None:
    document = json.loads(Path("kcompliance.lock").read_text())
    jsonschema.Draft202012Validator(json_schema(document["schema"])).validate(document)


# --- AKS -----------------------------------------------------------------------------------------


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureOnLoopback]:
    with AzureOnLoopback(tmp_path) as server:
        server.environment(monkeypatch)
        server.usual(setting("kube-audit", "guard"))
        yield server


def test_settings_of_aks_pass_as_they_were_approved(azure: AzureOnLoopback) -> None:
    done = run("approve", AKS, "--by", "jo", "--format", "json")
    scan = run("scan", AKS, *ASKED, "--save-bundle", "saved")
    again = run("scan", "saved", *ASKED)

    assert done.code == 0, done.err
    jsonschema.Draft202012Validator(json_schema("kcompliance/approve/v1")).validate(done.json)
    of_its_schema()
    assert [each["logs"] for each in locked()["clouds"][0]["settings"]] == [["guard", "kube-audit"]]
    assert verdicts(scan) == {
        "policy": "not_applicable",
        "flags": "pass",
        "webhook": "pass",
        "store": "not_applicable",
        "review": "pass",
    }
    assert again.out == scan.out


def _without_kube_audit(azure: AzureOnLoopback) -> None:
    azure.usual(setting("guard", log("kube-audit", on=False)))


def _to_storage(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", "guard", workspace=None, storage=STORAGE))


def _a_copy(azure: AzureOnLoopback) -> None:
    copy = setting("kube-audit", name="copy", workspace=None, storage=STORAGE)
    azure.usual(setting("kube-audit", "guard"), copy)


@pytest.mark.parametrize(
    ("change", "aspects", "words"),
    [
        (_without_kube_audit, {"flags"}, "audit: kube-audit is no longer shipped"),
        (_to_storage, {"webhook"}, "→ storage account"),
        (_a_copy, {"flags", "webhook"}, "copy: "),
    ],
    ids=["a category is gone", "another destination", "a copy of everything"],
)
def test_a_change_of_the_settings_of_aks_fails_and_is_named(
    azure: AzureOnLoopback,
    change: Callable[[AzureOnLoopback], None],
    aspects: set[str],
    words: str,
) -> None:
    run("approve", AKS)
    change(azure)

    scan = run("scan", AKS, *ASKED)
    shown = run("approve", AKS, "--dry-run")

    failed = {aspect: told for aspect, (status, told) in found(scan).items() if status == "fail"}
    assert scan.code == 1
    assert failed.keys() == aspects
    assert all(words in told for told in failed.values())
    assert words in shown.out


def test_settings_of_aks_that_may_not_be_read_are_neither_approved_nor_compared(
    azure: AzureOnLoopback,
) -> None:
    run("approve", AKS, "--out", "first.lock")
    path = f"{CLUSTER}/providers/Microsoft.Insights/diagnosticSettings"
    azure.refuse(path, 403, "AuthorizationFailed")

    done = run("approve", AKS)
    scan = run("scan", AKS, *ASKED, "--approved", "first.lock")

    assert done.code == 3
    assert "Microsoft.Insights/diagnosticSettings/read" in done.err
    assert not Path("kcompliance.lock").exists()
    assert {verdicts(scan)[aspect] for aspect in ("flags", "webhook", "review")} == {"error"}


def test_without_a_lock_the_settings_of_aks_are_a_question_that_names_the_command(
    azure: AzureOnLoopback,
) -> None:
    scan = run("scan", AKS, *ASKED)

    asked = [f for f in scan.json["findings"] if f["aspect"] in {"flags", "webhook", "review"}]
    assert {each["status"] for each in asked} == {"manual"}
    assert all("kcompliance approve" in each["question"] for each in asked)


# --- EKS -----------------------------------------------------------------------------------------


@pytest.fixture
def aws(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsAnswers]:
    with AwsAnswers(moto_server.url) as answers:
        make_sound(moto_server, answers)
        for name, value in answers.environment().items():
            monkeypatch.setenv(name, value)
        yield answers


def _filter_to(moto: Moto, stream: str) -> None:
    moto.client("logs").put_subscription_filter(
        logGroupName=GROUP,
        filterName="archive",
        filterPattern="",
        destinationArn=f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{stream}",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/delivery",
    )


def test_logging_of_eks_is_approved_and_each_change_is_named(
    moto_server: Moto, aws: AwsAnswers
) -> None:
    done = run("approve", EKS)
    scan = run("scan", EKS, *ASKED)
    assert done.code == 0, done.err
    of_its_schema()
    assert locked()["clouds"][0]["id"] == ARN
    assert {verdicts(scan)[aspect] for aspect in ("flags", "webhook", "review")} == {"pass"}
    assert verdicts(scan)["policy"] == "manual"  # nobody outside can read it

    moto_server.client("firehose").create_delivery_stream(
        DeliveryStreamName="elsewhere",
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
            "BucketARN": "arn:aws:s3:::elsewhere",
        },
    )
    _filter_to(moto_server, "elsewhere")
    eks = moto_server.client("eks")
    eks.delete_cluster(name="prod")
    eks.create_cluster(
        name="prod",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/delivery",
        resourcesVpcConfig={"subnetIds": ["subnet-1"]},
        logging={"clusterLogging": [{"types": ["api"], "enabled": True}]},
    )

    changed = found(run("scan", EKS, *ASKED))
    assert changed["flags"][0] == changed["webhook"][0] == "fail"
    assert "logging of the control plane: audit is no longer shipped" in changed["flags"][1]
    assert "deliverystream/audit of all events → arn" in changed["webhook"][1]


def test_filters_of_eks_that_may_not_be_read_are_neither_approved_nor_compared(
    aws: AwsAnswers,
) -> None:
    run("approve", EKS, "--out", "first.lock")
    aws.answers["logs:DescribeSubscriptionFilters"] = [aws_error(400, "AccessDeniedException")]

    done = run("approve", EKS)
    scan = run("scan", EKS, *ASKED, "--approved", "first.lock")

    assert done.code == 3
    assert "logs:DescribeSubscriptionFilters" in done.err
    assert verdicts(scan) | {"flags": "pass", "webhook": "error"} == verdicts(scan)


# --- a store -------------------------------------------------------------------------------------


def _policy(age: str, **more: Any) -> Reply:
    phases = {
        "hot": {"actions": {"rollover": {"max_age": "1d"}}},
        "delete": {"min_age": age, "actions": {"delete": {}}},
    }
    return reply({"audit": {"version": 1, **more, "policy": {"phases": phases}}})


@pytest.fixture
def store() -> Iterator[Answering]:
    settings = {
        "index.creation_date": "1767168000000",
        "index.lifecycle.name": "audit",
        "index.default_pipeline": "k8s-audit",
    }
    named = {"indices": [{"name": INDEX}], "aliases": [], "data_streams": []}
    rename = {"rename": {"field": "auditID", "target_field": "id", "password": "geheim"}}
    replies = {
        "/": root(),
        f"/_cluster/health/{PATTERN}": reply({"status": "green", "timed_out": False}),
        f"/_resolve/index/{PATTERN}": reply(named),
        f"/{PATTERN}/_settings": reply({INDEX: {"settings": settings}}),
        f"/{PATTERN}/_field_caps": reply({"indices": [INDEX], "fields": {}}),
        f"/_data_stream/{PATTERN}": reply({"data_streams": []}),
        "/_ilm/policy": _policy("270d"),
        "/_ilm/status": reply({"operation_mode": "RUNNING"}),
        f"/{PATTERN}/_ilm/explain": reply({"indices": {INDEX: {"index": INDEX}}}),
        "/_slm/policy": reply({}),
        "/_snapshot": reply({}),
        "/_ingest/pipeline": reply({"k8s-audit": {"version": 1, "processors": [rename]}}),
    }
    with Answering(replies) as server:
        yield server


def _target(store: Answering) -> str:
    return f"elasticsearch+{store.url}/{PATTERN}"


def test_what_governs_a_store_is_approved_and_a_shorter_life_fails(store: Answering) -> None:
    done = run("approve", _target(store))
    store.replies["/_ilm/policy"] = _policy("270d", version=2, modified_date="2026-01-01")
    same = run("scan", _target(store), *ASKED)
    store.replies["/_ilm/policy"] = _policy("30d")
    changed = run("scan", _target(store), *ASKED)

    assert done.code == 0, done.err
    of_its_schema()
    assert "geheim" not in Path("kcompliance.lock").read_text()
    assert found(same)["store"][0] == "pass", found(same)["store"]
    assert found(changed)["store"][0] == "fail"
    assert "ILM policy audit: phases.delete.min_age: 270d → 30d" in found(changed)["store"][1]


def test_a_store_is_approved_together_with_the_cluster_that_it_belongs_to(
    store: Answering,
) -> None:
    cluster(Path("node"))
    stores = f"stores: [{{url: '{_target(store)}'}}]"
    Path("kcompliance.yaml").write_text(f"targets: {{prod: {{files: [node], {stores}}}}}\n")

    done = run("approve", "@prod")
    scan = run("scan", "@prod", *ASKED)
    Path("kcompliance.yaml").write_text("targets: {prod: {files: [node]}}\n")
    alone = run("scan", "@prod", *ASKED)

    assert done.code == 0, done.err
    assert set(verdicts(scan).values()) == {"pass"}, found(scan)
    assert found(alone)["store"][0] == "manual"
    assert "which is not in what was given" in found(alone)["store"][1]


def test_pipelines_that_may_not_be_read_are_neither_approved_nor_compared(
    store: Answering,
) -> None:
    run("approve", _target(store), "--out", "first.lock")
    store.replies["/_ingest/pipeline"] = error(403, "security_exception", "unauthorized")

    done = run("approve", _target(store))
    scan = run("scan", _target(store), *ASKED, "--approved", "first.lock")

    assert done.code == 3
    assert "read_pipeline" in done.err
    assert verdicts(scan)["store"] == "error"
