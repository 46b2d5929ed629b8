"""Events that a real kube-apiserver loses, and what a scan says of it."""

import json
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from kcompliance.model.webhook_config import WebhookConfig, read_webhook_config
from tests.integration.test_kubernetes_collector import EVERYTHING, Scan, add_mirror_pod, scan
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer
from tests.servers.process import ServerExited
from tests.servers.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.integration

SECRETS = "/api/v1/namespaces/default/secrets"
HURRIED = ("--audit-webhook-batch-max-wait=100ms", "--audit-webhook-initial-backoff=10ms")
STRICT_IN_NAME = EVERYTHING + "omitStages: [RequestReceived]\n"
FULL_DISK = "--audit-log-path=/dev/full"


def judged(server: KubeApiServer, folder: Path, *controls: str, copy: Sequence[str] = ()) -> Scan:
    """A scan of the live server, and of files of its node; from the bundle it is the same."""
    target: dict[str, Any] = {"kube": "kube:test"}
    if copy:
        node = folder / "node1" / server.folder.relative_to("/")
        node.mkdir(parents=True)
        for name in copy:
            (node / name).write_text((server.folder / name).read_text())
        target["files"] = [str(folder / "node1")]
    settings = folder / "settings.yaml"
    settings.write_text(json.dumps({"targets": {"t": target}}))
    chosen = [word for control in controls for word in ("--control", control)]
    live = scan(
        "@t",
        *chosen,
        *("--config", settings, "--save-bundle", "saved"),
        kubeconfig=server.kubeconfig,
        folder=folder,
    )
    again = scan("saved", *chosen, kubeconfig="/nowhere", folder=folder)
    assert again.done.out == live.done.out
    return live


def finding(scanned: Scan, control: str, status: str, aspect: str = "main") -> dict[str, Any]:
    """The one finding of this aspect with this verdict."""
    (found,) = [
        each
        for each in scanned.findings
        if (each["control"], each["aspect"], each["status"]) == (control, aspect, status)
    ]
    return found


def wait_for_counter(server: KubeApiServer, sample: str) -> None:
    deadline = time.monotonic() + 20
    while sample not in server.request("GET", "/metrics")[1]:
        assert time.monotonic() < deadline, sample
        server.request("GET", SECRETS)


def test_a_webhook_that_fails_behind_a_small_buffer_loses_events(
    webhook_receiver: WebhookReceiver, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    webhook_receiver.answer = HTTPStatus.INTERNAL_SERVER_ERROR
    server = kube_apiserver(
        audit_policy=EVERYTHING,
        audit_log=False,
        audit_webhook=webhook_receiver.kubeconfig(),
        extra_args=(
            "--audit-webhook-batch-buffer-size=3",
            "--audit-webhook-batch-max-size=2",
            *HURRIED,
        ),
    )
    add_mirror_pod(server)
    wait_for_counter(server, 'apiserver_audit_error_total{plugin="buffered"}')
    wait_for_counter(server, 'apiserver_audit_error_total{plugin="webhook"}')

    scanned = judged(server, tmp_path, "KC-CMP-009", "KC-CMP-010")

    assert server.request("GET", "/readyz")[0] == HTTPStatus.OK
    assert "Error in audit plugin 'buffered'" in server.log.read_text()
    lost = finding(scanned, "KC-CMP-009", "fail")
    assert "(its queue was full)" in lost["because"]
    assert "(the webhook did not take them)" in lost["because"]
    assert finding(scanned, "KC-CMP-010", "fail", "batching")["resource"] == "kube:test /metrics"
    assert scanned.done.code == 1


def test_a_log_that_can_be_written_loses_nothing(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=EVERYTHING)
    add_mirror_pod(server)

    scanned = judged(server, tmp_path, "KC-CMP-009", "KC-CMP-010", "KC-RET-011")

    assert (
        "0 of them lost, no request rejected" in finding(scanned, "KC-CMP-009", "pass")["because"]
    )
    of_points = [each for each in scanned.findings if each["control"] == "KC-CMP-010"]
    assert [each["status"] for each in of_points] == ["pass"] * 4 + ["not_applicable"]
    for aspect in ("max-age", "max-backup", "max-size"):
        assert "by default" in finding(scanned, "KC-RET-011", "pass", aspect)["because"]


def test_a_server_without_a_policy_is_silent(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver()
    add_mirror_pod(server)

    scanned = judged(server, tmp_path, "KC-CMP-009")

    assert "silent" in finding(scanned, "KC-CMP-009", "fail")["because"]


@pytest.mark.parametrize("version", ["1.33", "1.36"])
def test_strict_with_a_policy_that_omits_requestreceived_refuses_nothing(
    version: str, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(
        version=version,
        audit_policy=STRICT_IN_NAME,
        extra_args=(FULL_DISK, "--audit-log-mode=blocking-strict", "--audit-log-maxsize=0"),
    )
    add_mirror_pod(server)

    answered = server.request("GET", SECRETS)[0]
    scanned = judged(server, tmp_path, "KC-CMP-009", "KC-CMP-010", copy=("audit-policy.yaml",))

    assert answered == HTTPStatus.OK
    assert "apiserver_audit_requests_rejected_total 0" in server.request("GET", "/metrics")[1]
    assert "(the log could not be written)" in finding(scanned, "KC-CMP-009", "fail")["because"]
    strict = finding(scanned, "KC-CMP-010", "fail", "batching")
    assert "blocking-strict and refuses nothing" in strict["because"]


def test_the_limit_of_a_batch_splits_no_batch(
    webhook_receiver: WebhookReceiver, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    limit = 3000
    server = kube_apiserver(
        audit_policy=EVERYTHING,
        audit_log=False,
        audit_webhook=webhook_receiver.kubeconfig(),
        extra_args=(
            "--audit-webhook-truncate-enabled",
            f"--audit-webhook-truncate-max-batch-size={limit}",
            f"--audit-webhook-truncate-max-event-size={limit}",
            *HURRIED,
        ),
    )
    add_mirror_pod(server)
    webhook_receiver.wait_for_event(lambda event: event["requestURI"].startswith("/api/v1/names"))

    scanned = judged(server, tmp_path, "KC-CMP-010")

    largest = max(len(json.dumps(each.event_list)) for each in webhook_receiver.deliveries)
    assert largest > 2 * limit
    limits = finding(scanned, "KC-CMP-010", "fail", "size-limits")
    assert "drops events above 3,000 bytes" in limits["because"]


def test_an_event_that_is_too_large_even_when_shortened_is_lost(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(
        audit_policy=EVERYTHING,
        extra_args=(
            "--audit-log-truncate-enabled",
            "--audit-log-truncate-max-batch-size=600",
            "--audit-log-truncate-max-event-size=600",
        ),
    )
    add_mirror_pod(server)
    wait_for_counter(server, 'apiserver_audit_error_total{plugin="truncate"}')

    scanned = judged(server, tmp_path, "KC-CMP-009", "KC-CMP-010")

    lost = finding(scanned, "KC-CMP-009", "fail")
    assert "(they were too large even without their bodies)" in lost["because"]
    limits = [each for each in scanned.findings if each["aspect"] == "size-limits"]
    assert {each["status"] for each in limits} == {"fail"}


# --- rotation --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "rotates", "words"),
    [
        ("1.33", True, "which means 100 MB before 1.36"),
        ("1.36", False, "which means no rotation at all from 1.36 on"),
    ],
)
def test_a_size_of_0_means_opposite_things(
    version: str, rotates: bool, words: str, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    """The file has its 100 MB already (a hole), so that the first event decides."""
    folder = tmp_path / "log"
    folder.mkdir()
    with (folder / "audit.log").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    server = kube_apiserver(
        version=version,
        audit_policy=EVERYTHING,
        extra_args=(f"--audit-log-path={folder / 'audit.log'}", "--audit-log-maxsize=0"),
    )
    add_mirror_pod(server)

    scanned = judged(server, tmp_path, "KC-RET-011")

    assert (len(list(folder.iterdir())) > 1) is rotates
    assert words in finding(scanned, "KC-RET-011", "fail", "max-size")["because"]
    note = "nothing rotates the file"
    notes = finding(scanned, "KC-RET-011", "manual", "buffer")["notes"]
    assert any(note in each for each in notes) is not rotates


# --- on the way ------------------------------------------------------------------------------


def test_a_token_is_not_sent_over_plain_http(
    webhook_receiver: WebhookReceiver, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(
        audit_policy=EVERYTHING,
        audit_log=False,
        audit_webhook=webhook_receiver.kubeconfig(token="hunter2"),
        extra_args=HURRIED,
    )
    add_mirror_pod(server)
    webhook_receiver.wait_for_event(lambda _: True)

    scanned = judged(server, tmp_path, "KC-PRO-005", copy=("audit-webhook.kubeconfig",))

    assert "authorization" not in webhook_receiver.deliveries[0].headers
    passed = finding(scanned, "KC-PRO-005", "pass")
    assert any("the token is not sent" in note for note in passed["notes"])
    assert "hunter2" not in scanned.done.out
    saved = [path for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert not [path for path in saved if b"hunter2" in path.read_bytes()]


def test_without_its_text_a_webhook_is_asked_for(
    webhook_receiver: WebhookReceiver, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=EVERYTHING, audit_webhook=webhook_receiver.kubeconfig())
    add_mirror_pod(server)

    scanned = judged(server, tmp_path, "KC-PRO-005")

    assert [each["status"] for each in scanned.findings] == ["manual", "manual"]
    assert "copy it from the node" in scanned.findings[0]["question"]


def test_a_receiver_without_a_scheme_is_taken_for_plain_http(
    webhook_receiver: WebhookReceiver, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    config = webhook_receiver.kubeconfig(token="hunter2")
    bare = config.replace("http://", "").replace("/audit", "")
    server = kube_apiserver(
        audit_policy=EVERYTHING, audit_log=False, audit_webhook=bare, extra_args=HURRIED
    )
    add_mirror_pod(server)
    webhook_receiver.wait_for_event(lambda _: True)

    scanned = judged(server, tmp_path, "KC-PRO-005", copy=("audit-webhook.kubeconfig",))

    assert "authorization" not in webhook_receiver.deliveries[0].headers
    assert "does not leave the node" in finding(scanned, "KC-PRO-005", "pass")["because"]


@pytest.mark.parametrize("lacking", ["current-context", "contexts", "clusters", "users"])
def test_a_kubeconfig_that_we_call_refused_is_refused(lacking: str, tmp_path: Path) -> None:
    with WebhookReceiver() as receiver:
        config = json.loads(receiver.kubeconfig(token="hunter2"))
    assert isinstance(read_webhook_config(json.dumps(config).encode()), WebhookConfig)
    del config[lacking]

    said = read_webhook_config(json.dumps(config).encode())

    server = KubeApiServer(
        tmp_path / "server", audit_policy=EVERYTHING, audit_webhook=json.dumps(config)
    )
    try:
        with server:
            started = True
    except ServerExited:
        started = False
    assert started is isinstance(said, WebhookConfig)
