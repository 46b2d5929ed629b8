"""What storage accounts tell about audit records, over the unpatched SDKs."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kcompliance.collect.azure.blobs import blob_address
from kcompliance.collect.azure.cloud import cloud_of
from kcompliance.collect.azure.connection import Failed
from kcompliance.model.azure.answer import Resource
from kcompliance.model.finding import Status
from kcompliance.model.reading import REDACTED, Kind, Raw
from tests.azure_rm import blob_documents, documents, log_documents
from tests.azure_rm.blob_documents import CONTAINER, event, hours, refusal, sample, sound
from tests.azure_rm.documents import CLUSTER, STORAGE, Json, setting
from tests.azure_rm.scanning import AKS_CONTROLS, Scan, live, live_and_from_bundle
from tests.azure_rm.server import AzureOnLoopback
from tests.captures import NOW
from tests.servers.canned_api import Answer, cut_off, whole

pytestmark = pytest.mark.integration

PASS, FAIL, MANUAL, ERROR = Status.PASS, Status.FAIL, Status.MANUAL, Status.ERROR
NEVER = Status.NOT_APPLICABLE
ASPECTS = {
    "KC-CMP-008": ("questions", "timestamps"),
    "KC-CMP-011": ("fresh", "lag"),
    "KC-CMP-012": ("gaps",),
    "KC-RET-002": ("main",),
}
PATH = f"/auditlogs/{CONTAINER}"
ACTION = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureOnLoopback]:
    with AzureOnLoopback(tmp_path) as server:
        server.environment(monkeypatch)
        server.usual(setting("kube-audit", workspace=None, storage=STORAGE))
        server.put_blobs(sound(NOW))
        yield server


def newest_path() -> str:
    told = sound(NOW)[Kind.AZURE_BLOB_HOURS]
    return f"{PATH}/{told['prefix']}{told['blobs'][-1]['name']}"


def statuses(scan: Scan) -> dict[str, set[Status]]:
    return {
        control: {status for aspect in aspects for status in scan.statuses(control, aspect)}
        for control, aspects in ASPECTS.items()
    }


def all_are(status: Status) -> dict[str, set[Status]]:
    return {control: {status} for control in ASPECTS}


def put(azure: AzureOnLoopback, listed: Json, *events: Json) -> None:
    newest = listed["blobs"][-1] if listed["blobs"] else None
    told = {Kind.AZURE_BLOB_HOURS: listed, Kind.AZURE_BLOB_SAMPLE: sample(newest, *events)}
    azure.put_blobs(told)


# --- verdicts ------------------------------------------------------------------------------------


def test_a_sound_trail_passes_live_and_from_its_bundle(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    scan = live_and_from_bundle(tmp_path)

    assert statuses(scan) == all_are(PASS)
    assert scan.statuses("KC-CMP-012", "volume") == [NEVER]
    assert scan.statuses("KC-CMP-012", "api-servers") == [NEVER]


def test_a_workspace_and_an_account_are_both_judged(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", storage=STORAGE))
    for kind, document in log_documents.sound(NOW).items():
        azure.answer_log(kind, whole(document))
    put(azure, hours(NOW, 48, without=(30,)), event(NOW))

    assert live().statuses("KC-CMP-012", "gaps") == [PASS, FAIL]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            refusal(403, "AuthorizationPermissionMismatch"),
            "not allowed: 403 AuthorizationPermissionMismatch",
            id="no role",
        ),
        pytest.param(
            refusal(403, "AuthorizationFailure"), "the network rules of the account", id="firewall"
        ),
        pytest.param(refusal(404, "ResourceNotFound"), "404 ResourceNotFound", id="no account"),
        pytest.param(refusal(409, "ContainerBeingDeleted"), "409", id="being deleted"),
        pytest.param(cut_off(b"<?xml version='1.0'?><Enumer"), "half an answer", id="half"),
        pytest.param(whole(b"<html>", headers={"Content-Type": "text/html"}), "answer", id="html"),
        pytest.param(
            blob_documents.listing({"container": "another", "prefix": "", "blobs": []}),
            "of another container",
            id="another container",
        ),
        pytest.param(
            whole(b"", 307, {"Location": "https://127.0.0.1:1/"}), "307", id="led elsewhere"
        ),
    ],
)
def test_what_was_not_listed_is_an_error_of_these_controls_only(
    azure: AzureOnLoopback, tmp_path: Path, answer: Answer, reason: str
) -> None:
    azure.answer(PATH, answer)

    scan = live_and_from_bundle(tmp_path)

    assert statuses(scan) == all_are(ERROR)
    assert reason in scan.reason("KC-RET-002")
    for control in AKS_CONTROLS:
        assert ERROR not in {found.status for found in scan.findings(control)}, control


def test_who_may_not_read_blobs_is_told_which_action_it_takes(azure: AzureOnLoopback) -> None:
    azure.answer(PATH, refusal(403, "AuthorizationPermissionMismatch"))

    permissions = {found.permission for found in live().findings("KC-CMP-008")}

    place = f"{documents.account()['id']}/blobServices/default/containers/{CONTAINER}"
    assert permissions == {f"{ACTION} on {place}"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(403, "AuthorizationPermissionMismatch"), id="403"),
        pytest.param(refusal(404, "BlobNotFound"), id="deleted meanwhile"),
        pytest.param(blob_documents.tail(b'{"a":'), id="no record"),
    ],
)
def test_a_blob_that_cannot_be_read_leaves_what_the_listing_tells(
    azure: AzureOnLoopback, answer: Answer
) -> None:
    azure.answer(newest_path(), answer)

    found = statuses(live())

    assert found["KC-CMP-008"] == found["KC-CMP-011"] == {ERROR}
    assert found["KC-CMP-012"] == found["KC-RET-002"] == {PASS}


def _young(azure: AzureOnLoopback) -> None:
    made = (NOW - timedelta(hours=1)).isoformat()
    azure.put({**documents.cluster(), "systemData": {"createdAt": made}})


def _stopped(azure: AzureOnLoopback) -> None:
    azure.put(documents.cluster(powerState={"code": "Stopped"}))


@pytest.mark.parametrize(
    ("prepare", "status"),
    [
        pytest.param(lambda azure: None, FAIL, id="running"),
        pytest.param(_young, MANUAL, id="just made"),
        pytest.param(_stopped, MANUAL, id="stopped"),
    ],
)
@pytest.mark.parametrize("container", ["empty", "none"])
def test_an_account_without_records(
    azure: AzureOnLoopback,
    prepare: Callable[[AzureOnLoopback], None],
    status: Status,
    container: str,
) -> None:
    put(azure, hours(NOW, 0))
    if container == "none":
        azure.answer(PATH, refusal(404, "ContainerNotFound"))
    prepare(azure)

    scan = live()

    assert scan.statuses("KC-CMP-011", "fresh") == [status]
    assert scan.statuses("KC-CMP-012", "gaps") == [status]
    assert scan.statuses("KC-RET-002") == [status]
    assert scan.statuses("KC-CMP-008", "questions") == [ERROR if status is FAIL else MANUAL]


@pytest.mark.parametrize(
    ("minutes", "status"), [pytest.param(119, PASS, id="119"), pytest.param(121, FAIL, id="121")]
)
def test_the_newest_event_counts_and_not_when_its_blob_was_written(
    azure: AzureOnLoopback, minutes: int, status: Status
) -> None:
    put(azure, hours(NOW, 48), event(NOW - timedelta(minutes=minutes)))

    assert live().statuses("KC-CMP-011", "fresh") == [status]


def test_one_hour_without_a_blob_is_a_gap(azure: AzureOnLoopback) -> None:
    put(azure, hours(NOW, 48, without=(20,)), event(NOW))

    assert "from 2026-01-14 13:00Z to 2026-01-14 14:00Z" in live().reason("KC-CMP-012", "gaps")


def test_empty_blobs_and_foreign_names_are_no_records(azure: AzureOnLoopback) -> None:
    listed = hours(NOW, 24)
    old = blob_documents.blob(NOW - timedelta(days=300), size=0)
    odd = {**old, "name": "y=2020/notes.txt", "size": 9}
    put(azure, {**listed, "blobs": [odd, old, *listed["blobs"]]}, event(NOW))

    (capture,) = live().captures(Kind.AZURE_BLOB_HOURS)

    assert isinstance(capture, Raw)
    assert json.loads(capture.content)["blobs"] == listed["blobs"]


def test_a_listing_of_several_pages_is_read_to_its_end(azure: AzureOnLoopback) -> None:
    azure.answer(PATH, blob_documents.listing(sound(NOW)[Kind.AZURE_BLOB_HOURS], page=300))

    assert live().statuses("KC-RET-002") == [PASS]
    assert len([each for each in azure.asked_for(PATH) if each.query.get("comp")]) == 4


def test_only_the_end_of_a_blob_is_read_and_no_body_is_kept(azure: AzureOnLoopback) -> None:
    listed = hours(NOW, 24)
    listed["blobs"][-1]["size"] = 5 * 1024 * 1024
    secret = event(NOW, requestObject={"data": {"password": "geheim"}})
    put(azure, listed, secret, event(NOW, requestURI="/api/v1/pods?token=geheim"))

    (capture,) = live().captures(Kind.AZURE_BLOB_SAMPLE)

    assert isinstance(capture, Raw)
    assert b"geheim" not in capture.content
    first = json.loads(capture.content)["records"][0]["properties"]["log"]
    assert first["requestObject"] == REDACTED


def test_an_event_that_was_cut_off_answers_nothing(azure: AzureOnLoopback) -> None:
    listed = hours(NOW, 24)
    torn = {"category": "kube-audit", "properties": {"pod": "p", "log": '{"kind":"Ev'}}
    told = sample(listed["blobs"][-1], event(NOW))
    told["records"].append(torn)
    azure.put_blobs({Kind.AZURE_BLOB_HOURS: listed, Kind.AZURE_BLOB_SAMPLE: told})

    assert "auditID in 1 of 2 events" in live().reason("KC-CMP-008", "questions")


def test_events_of_long_ago_in_a_new_blob_do_not_tell_when_they_came(
    azure: AzureOnLoopback,
) -> None:
    put(azure, hours(NOW, 24), event(NOW - timedelta(minutes=50)))

    assert live().statuses("KC-CMP-011", "lag") == [MANUAL]


def test_only_the_admin_category_is_looked_for_where_it_stands_alone(
    azure: AzureOnLoopback,
) -> None:
    azure.usual(setting("kube-audit-admin", workspace=None, storage=STORAGE))
    told = sound(NOW)
    told[Kind.AZURE_BLOB_HOURS]["container"] = f"{CONTAINER}-admin"
    azure.put_blobs(told)

    assert statuses(live()) == all_are(PASS)


# --- where tokens go -----------------------------------------------------------------------------


def account(endpoint: object) -> Resource:
    return Resource(STORAGE, "auditlogs", {"primaryEndpoints": {"blob": endpoint}})


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://auditlogs.blob.core.windows.net/",
        "https://auditlogs.z12.blob.storage.azure.net/",
    ],
)
def test_an_address_of_the_cloud_is_asked(endpoint: str) -> None:
    assert blob_address(cloud_of({}), account(endpoint)) == endpoint.rstrip("/")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://auditlogs.blob.core.windows.net/",
        "https://other.blob.core.windows.net/",
        "https://auditlogs.blob.core.windows.net.example/",
        "https://auditlogs.blob.core.windows.net@example/",
        "https://auditlogs.blob.core.chinacloudapi.cn/",
        "https://auditlogs.blob.core.windows.net/\n",
        "",
        None,
        7,
    ],
)
def test_no_token_goes_to_another_address(endpoint: object) -> None:
    assert isinstance(blob_address(cloud_of({}), account(endpoint)), Failed)


def test_another_address_of_blob_storage_is_said_by_the_environment() -> None:
    cloud = cloud_of({"KCOMPLIANCE_AZURE_BLOB_STORAGE": "https://blob.stack.example/"})

    assert blob_address(cloud, account(None)) == "https://blob.stack.example/auditlogs"


def test_the_cluster_is_named_as_azure_names_it(azure: AzureOnLoopback) -> None:
    live()

    (asked, *_) = [each for each in azure.asked_for(PATH) if each.query.get("comp")]
    assert asked.query["prefix"] == [f"resourceId={CLUSTER.upper()}/"]
