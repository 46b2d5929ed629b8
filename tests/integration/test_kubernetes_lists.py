"""Lists of a real cluster: nodes, forwarders and what surrounds them, live and out of a bundle.

No controllers run here: the test makes the pods of a DaemonSet and writes their status itself.
"""

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.kubernetes.listing import PAGE
from tests.integration.test_kubernetes_collector import (
    EVERYTHING,
    Scan,
    add_mirror_pod,
    canned,
    scan,
)
from tests.servers.canned_api import first, page, whole
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer

pytestmark = pytest.mark.integration

SECRET = "hunter2-s3cr3t"
MONITORING = ("--control", "KC-MON-001", "--control", "KC-MON-002")
NODE, WORKER = "node1", "worker1"


def create(server: KubeApiServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, text = server.request("POST", path, body)
    assert status == HTTPStatus.CREATED, text
    made: dict[str, Any] = json.loads(text)
    return made


def write_status(server: KubeApiServer, path: str, status: dict[str, Any]) -> None:
    code, text = server.request(
        "PATCH",
        f"{path}/status",
        {"status": status},
        content_type="application/merge-patch+json",
    )
    assert code == HTTPStatus.OK, text


def add_node(server: KubeApiServer, name: str, *, control_plane: bool = False) -> None:
    labels = {"kubernetes.io/os": "linux"}
    spec: dict[str, Any] = {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}
    if control_plane:
        labels["node-role.kubernetes.io/control-plane"] = ""
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    create(server, "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    ready = {"type": "Ready", "status": "True"}
    write_status(server, f"/api/v1/nodes/{name}", {"conditions": [ready]})


CONFIG = """\
[INPUT]
    Name tail
    Path {path}/audit.log
    Tag audit
[OUTPUT]
    Name es
    Match *
    Host {host}
    HTTP_User kcompliance
    HTTP_Passwd {secret}
"""


def add_forwarder(
    server: KubeApiServer,
    *,
    host: str = "logs.example.com",
    nodes: tuple[str, ...] = (NODE, WORKER),
) -> None:
    """fluent-bit in the namespace logging, with its ConfigMap, and a Ready pod on each node."""
    create(server, "/api/v1/namespaces", {"metadata": {"name": "logging"}})
    text = CONFIG.format(path="/host-log", host=host, secret=SECRET)
    config = {"metadata": {"name": "fluent-bit"}, "data": {"fluent-bit.conf": text}}
    create(server, "/api/v1/namespaces/logging/configmaps", config)
    labels = {"app": "fluent-bit"}
    pod_spec = {
        "containers": [
            {
                "name": "fluent-bit",
                "image": "cr.example/fluent/fluent-bit:3.2",
                "args": ["--config=/fluent-bit/etc/fluent-bit.conf", f"--password={SECRET}"],
                "env": [{"name": "ES_PASSWORD", "value": SECRET}],
                "volumeMounts": [
                    {"name": "config", "mountPath": "/fluent-bit/etc"},
                    {"name": "audit", "mountPath": "/host-log"},
                    {"name": "log", "mountPath": "/var/log"},
                ],
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": "fluent-bit"}},
            {"name": "audit", "hostPath": {"path": str(server.folder)}},
            {"name": "log", "hostPath": {"path": "/var/log"}},
        ],
        "tolerations": [{"operator": "Exists"}],
    }
    made = create(
        server,
        "/apis/apps/v1/namespaces/logging/daemonsets",
        {
            "metadata": {"name": "fluent-bit", "annotations": {"a": SECRET}},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod_spec},
            },
        },
    )
    for node in nodes:
        add_pod(server, made, node, {**pod_spec, "nodeName": node})


def add_pod(server: KubeApiServer, owner: dict[str, Any], node: str, spec: dict[str, Any]) -> None:
    name = f"fluent-bit-{node}"
    reference = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "name": "fluent-bit",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    metadata = {
        "name": name,
        "labels": owner["spec"]["selector"]["matchLabels"],
        "ownerReferences": [reference],
    }
    pods = "/api/v1/namespaces/logging/pods"
    create(server, pods, {"metadata": metadata, "spec": spec})
    write_status(
        server,
        f"{pods}/{name}",
        {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": "fluent-bit",
                    "image": "i",
                    "imageID": "i",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                }
            ],
        },
    )


@pytest.fixture
def server(kube_apiserver: StartKubeApiServer) -> KubeApiServer:
    """A cluster of a node of the control plane, where kube-apiserver runs, and a worker."""
    running = kube_apiserver(
        audit_policy=EVERYTHING,
        extra_args=("--disable-admission-plugins=ServiceAccount",),
    )
    add_mirror_pod(running)
    add_node(running, NODE, control_plane=True)
    add_node(running, WORKER)
    return running


def monitoring(server: KubeApiServer, folder: Path, *more: str) -> Scan:
    return scan("kube:test", *MONITORING, *more, kubeconfig=server.kubeconfig, folder=folder)


GOOD = {
    ("KC-MON-001", "coverage"): "pass",
    ("KC-MON-001", "restarts"): "pass",
    ("KC-MON-002", "read"): "pass",
    ("KC-MON-002", "off-cluster"): "pass",
    ("KC-MON-002", "unfiltered"): "pass",
}


def test_a_log_is_followed_from_a_server_to_a_store_elsewhere(
    server: KubeApiServer, tmp_path: Path
) -> None:
    add_forwarder(server)

    live = monitoring(server, tmp_path, "--save-bundle", "saved")
    again = scan("saved", *MONITORING, kubeconfig="/nowhere", folder=tmp_path)

    assert live.verdicts == GOOD
    assert {each["confidence"] for each in live.findings} == {"live"}
    assert again.done.out == live.done.out


def test_no_secret_of_a_forwarder_reaches_a_bundle(server: KubeApiServer, tmp_path: Path) -> None:
    add_forwarder(server)

    live = monitoring(server, tmp_path, "--save-bundle", "saved")

    files = [path for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    saved = b"".join(path.read_bytes() for path in files)
    assert SECRET not in live.done.out + live.done.err
    assert SECRET.encode() not in saved
    assert b"logs.example.com" in saved
    assert all("managedFields" not in str(items) for items in lists_of(tmp_path / "saved").values())
    bundle = json.loads((tmp_path / "saved" / "bundle.json").read_text())
    pointers = {
        reading["kind"]: reading.get("redactions", [])
        for target in bundle["targets"]
        for reading in target["readings"]
    }
    assert pointers["config-maps"] == ["/items/0/data/fluent-bit.conf"]
    args = "/items/0/spec/template/spec/containers/0"
    assert pointers["daemon-sets"] == [f"{args}/args/1", f"{args}/env/0/value"]


def test_a_store_behind_a_service_of_the_cluster_is_inside(
    server: KubeApiServer, tmp_path: Path
) -> None:
    add_forwarder(server, host="elasticsearch")
    service = {
        "metadata": {"name": "elasticsearch"},
        "spec": {"selector": {"app": "es"}, "ports": [{"port": 9200}]},
    }
    create(server, "/api/v1/namespaces/logging/services", service)

    scanned = monitoring(server, tmp_path)

    assert scanned.verdicts == {**GOOD, ("KC-MON-002", "off-cluster"): "fail"}


def test_a_node_without_a_forwarder_is_named(server: KubeApiServer, tmp_path: Path) -> None:
    add_forwarder(server, nodes=(WORKER,))

    scanned = monitoring(server, tmp_path)

    because = {(e["control"], e["aspect"]): e["because"] for e in scanned.findings}
    assert scanned.verdicts["KC-MON-001", "coverage"] == "fail"
    assert f"{NODE} (logging/fluent-bit has no pod there)" in because["KC-MON-001", "coverage"]
    assert scanned.verdicts["KC-MON-002", "read"] == "fail"
    assert f"not Ready on {NODE}" in because["KC-MON-002", "read"]


def test_lists_of_several_pages_are_read_to_their_end(
    server: KubeApiServer, tmp_path: Path
) -> None:
    """The real server cuts them at `limit` and gives a token for the rest."""
    add_forwarder(server)
    for number in range(PAGE + 20):
        spec = {"selector": {"app": "x"}, "ports": [{"port": 80}], "clusterIP": "None"}
        body = {"metadata": {"name": f"s{number}"}, "spec": spec}
        create(server, "/api/v1/namespaces/default/services", body)
    cron = {
        "schedule": "0 1 * * *",
        "jobTemplate": {
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "curator",
                                "image": "curator",
                                "env": [{"name": "P", "value": SECRET}],
                            }
                        ],
                    }
                }
            }
        },
    }
    cron_jobs = "/apis/batch/v1/namespaces/logging/cronjobs"
    create(server, cron_jobs, {"metadata": {"name": "curator"}, "spec": cron})

    scanned = monitoring(server, tmp_path, "--save-bundle", "saved")

    found = lists_of(tmp_path / "saved")
    assert scanned.verdicts == GOOD
    names = {item["metadata"]["name"] for item in found["services"]}
    assert {f"s{number}" for number in range(PAGE + 20)} <= names
    assert {item["kind"] for item in found["rbac"]} >= {"ClusterRole", "ClusterRoleBinding"}
    aggregated = [item for item in found["rbac"] if "aggregationRule" in item]
    assert "view" in {item["metadata"]["name"] for item in aggregated}
    (job,) = found["cron-jobs"]
    assert job["spec"]["schedule"] == "0 1 * * *"
    server.stop()
    asked = {
        event["requestURI"]
        for event in server.audit_events()
        if event.get("userAgent", "").startswith("kcompliance/")
    }
    assert len([uri for uri in asked if uri.startswith("/api/v1/services?")]) == 2
    assert not [uri for uri in asked if "/secrets" in uri or "/events" in uri]


KINDS = frozenset(
    {"nodes", "services", "cron-jobs", "rbac", "daemon-sets", "forwarder-pods", "config-maps"}
)


def lists_of(bundle: Path) -> dict[str, list[dict[str, Any]]]:
    """The items of each list that a bundle holds, by its kind."""
    told = json.loads((bundle / "bundle.json").read_text())
    found = {}
    for target in told["targets"]:
        for reading in target["readings"]:
            if reading["kind"] in KINDS and reading["sha256"]:
                content = (bundle / "raw" / reading["sha256"]).read_bytes()
                found[reading["kind"]] = json.loads(content)["items"]
    return found


def test_a_config_map_that_is_not_there_is_told_by_the_forwarder(
    server: KubeApiServer, tmp_path: Path
) -> None:
    add_forwarder(server)
    gone = "/api/v1/namespaces/logging/configmaps/fluent-bit"
    assert server.request("DELETE", gone)[0] == HTTPStatus.OK

    scanned = monitoring(server, tmp_path)

    read = next(e for e in scanned.findings if e["aspect"] == "read")
    assert read["status"] == "manual"
    assert "neither is the ConfigMap fluent-bit" in read["because"]
    assert not scanned.errors()


# --- permissions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What a list needs: the rule of a role, and the words when it is missing."""

    group: str
    resource: str
    verb: str
    words: str
    controls: frozenset[str]


BOTH = frozenset({"KC-MON-001", "KC-MON-002"})
RIGHTS = {
    "nodes": Right(group="", resource="nodes", verb="list", words="list on nodes", controls=BOTH),
    "daemonsets": Right(
        group="apps",
        resource="daemonsets",
        verb="list",
        words="list on daemonsets.apps in all namespaces",
        controls=BOTH,
    ),
    "services": Right(
        group="",
        resource="services",
        verb="list",
        words="list on services in all namespaces",
        controls=frozenset({"KC-MON-002"}),
    ),
    "configmaps": Right(
        group="",
        resource="configmaps",
        verb="get",
        words="get on configmaps in the namespace logging",
        controls=frozenset({"KC-MON-002"}),
    ),
}
OTHERS = [
    {"nonResourceURLs": ["/metrics", "/flagz"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
]


@pytest.mark.parametrize("name", [*RIGHTS, "pods"])
def test_a_right_that_is_missing_is_named(name: str, server: KubeApiServer, tmp_path: Path) -> None:
    add_forwarder(server)
    rules: list[dict[str, Any]] = [
        {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
        for other, right in RIGHTS.items()
        if other != name
    ]
    others = OTHERS[:1] if name == "pods" else OTHERS
    kubeconfig = reader(server, tmp_path, [*rules, *others], in_kube_system=name == "pods")

    scanned = scan("kube:test", *MONITORING, kubeconfig=kubeconfig, folder=tmp_path)

    words = "list on pods in the namespace logging" if name == "pods" else RIGHTS[name].words
    controls = BOTH if name == "pods" else RIGHTS[name].controls
    assert {each["permission"] for each in scanned.errors()} == {words}
    assert {each["control"] for each in scanned.errors()} == controls
    assert any("403" in each["because"] for each in scanned.errors())
    assert scanned.done.code in (1, 3)


def reader(
    server: KubeApiServer, folder: Path, rules: list[dict[str, Any]], *, in_kube_system: bool
) -> Path:
    """A kubeconfig of a user with these rights, and perhaps to list the pods of kube-system."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    subject = {"kind": "User", "name": "audit-reader", "apiGroup": "rbac.authorization.k8s.io"}
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    wanted = [("ClusterRole", rbac, rules)]
    if in_kube_system:
        wanted.append(("Role", f"{rbac}/namespaces/kube-system", [pods]))
    for kind, at, granted in wanted:
        name = {"metadata": {"name": "reader"}}
        role = {"kind": kind, "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
        create(server, f"{at}/{kind.lower()}s", {**name, "rules": granted})
        bound = {**name, "roleRef": role, "subjects": [subject]}
        create(server, f"{at}/{kind.lower()}bindings", bound)
    kubeconfig = folder / "reader.kubeconfig"
    kubeconfig.write_text(server.kubeconfig_for("audit-reader"))
    wait_until_allowed(server, "/flagz")
    return kubeconfig


def wait_until_allowed(server: KubeApiServer, path: str) -> None:

    deadline = time.monotonic() + 10
    while server.request("GET", path, user="audit-reader")[0] == HTTPStatus.FORBIDDEN:
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


# --- bad answers ---------------------------------------------------------------------------------

SERVICES = "/api/v1/services"
EXPIRED = whole({"message": "the provided continue parameter is too old"}, 410)


def test_a_list_that_expires_on_the_way_is_begun_anew_once(tmp_path: Path) -> None:
    some, rest = whole(page([{}], token="next")), whole(page([{}, {}]))
    answers = first(1, some, first(1, EXPIRED, first(1, some, rest)))

    with canned(tmp_path, {SERVICES: answers}) as api:
        scan(
            "kube:test",
            "--save-bundle",
            "saved",
            *MONITORING,
            kubeconfig=api.kubeconfig(),
            folder=tmp_path,
        )

    assert len(lists_of(tmp_path / "saved")["services"]) == 3


def test_a_list_that_expires_again_and_again_is_given_up(tmp_path: Path) -> None:
    some = whole(page([{}], token="next"))
    answers = first(1, some, first(1, EXPIRED, first(1, some, EXPIRED)))

    with canned(tmp_path, {SERVICES: answers}) as api:
        scanned = scan("kube:test", *MONITORING, kubeconfig=api.kubeconfig(), folder=tmp_path)

    because = [each["because"] for each in scanned.errors() if "services" in each["resource"]]
    assert because
    assert all("410" in each for each in because)
    assert len([each for each in api.asked if each.path.startswith(SERVICES)]) == 4


HOSTILE: list[list[Any]] = [
    [{"metadata": None, "spec": [], "status": "x"}],
    [{"metadata": {"name": 7, "labels": []}, "spec": {"template": {"spec": {"containers": {}}}}}],
    [{"spec": {"template": {"spec": {"containers": [{"image": ["fluentd"], "env": {"a": 1}}]}}}}],
    [
        {
            "metadata": {"name": "../../x", "namespace": "../y"},
            "spec": {
                "template": {
                    "spec": {
                        "containers": [{"image": "fluentd"}],
                        "volumes": [{"configMap": {"name": "../../secrets"}}],
                    }
                }
            },
        }
    ],
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_lists_of_objects_of_any_shape_are_judged(number: int, tmp_path: Path) -> None:
    lists = ("/api/v1/nodes", SERVICES, "/apis/apps/v1/daemonsets", "/apis/batch/v1/cronjobs")

    with canned(tmp_path, {path: whole(page(HOSTILE[number])) for path in lists}) as api:
        scanned = scan("kube:test", *MONITORING, kubeconfig=api.kubeconfig(), folder=tmp_path)

    assert {each["control"] for each in scanned.findings} == BOTH
    assert not [each for each in scanned.findings if "the check" in each["because"]]
    assert not [each.path for each in api.asked if "/../" in each.path or "secrets?" in each.path]
