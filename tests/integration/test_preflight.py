"""`kcompliance preflight` and a scan, on a real kube-apiserver, with the role that is shipped.

With exactly that role nothing is missing; with one rule less both name exactly that permission.
"""

import json
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompliance.collect.needs import CONTROL_NEEDS, PERMISSIONS
from kcompliance.model.reading import Kind
from tests.cli.command import Done, kcompliance
from tests.servers.canned_api import Answer, CannedApi, cut_off, whole
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import USERS, KubeApiServer
from tests.servers.process import free_port
from tests.servers.toolchain import REPOSITORY

pytestmark = pytest.mark.integration

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
READER = {"kind": "User", "name": "audit-reader", "apiGroup": "rbac.authorization.k8s.io"}
SHIPPED = ("clusterrole.yaml", "logging-namespace.yaml")
NAMESPACE = "logging"
NEEDED = [p for every in PERMISSIONS.values() for p in every]
OF_A_STORE = {str(each) for each in PERMISSIONS[Kind.CRON_JOBS]}
"""Jobs matter where a store is declared from which they might delete, which is not so here."""


# --- a cluster with a log forwarder --------------------------------------------------------------


def shipped_roles() -> list[dict[str, Any]]:
    """The roles of deploy/kubernetes, that of a namespace for `logging`."""
    roles = []
    for name in SHIPPED:
        text = (REPOSITORY / "deploy/kubernetes" / name).read_text(encoding="utf-8")
        for document in yaml.safe_load_all(text):
            if document["kind"] == "Role":
                document["metadata"].setdefault("namespace", NAMESPACE)
            if document["kind"] in ("Role", "ClusterRole"):
                roles.append(document)
    return roles


ALL_RULES = {role["metadata"].get("namespace"): role["rules"] for role in shipped_roles()}


def create(server: KubeApiServer, path: str, body: dict[str, Any]) -> None:
    status, text = server.request("POST", path, body)
    assert status == HTTPStatus.CREATED, text


def add_forwarder(server: KubeApiServer) -> None:
    create(server, "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    settings = {"metadata": {"name": "fluent-bit"}, "data": {"fluent-bit.conf": "[INPUT]\n"}}
    create(server, f"/api/v1/namespaces/{NAMESPACE}/configmaps", settings)
    labels = {"app": "fluent-bit"}
    container = {"name": "fluent-bit", "image": "fluent/fluent-bit:4.0"}
    volume = {"name": "config", "configMap": {"name": "fluent-bit"}}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": [volume]}}
    daemon_set = {
        "metadata": {"name": "fluent-bit"},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }
    create(server, f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", daemon_set)


def grant(server: KubeApiServer, role: dict[str, Any]) -> None:
    """Make the role, bound to the user audit-reader."""
    kind, metadata = role["kind"], role["metadata"]
    namespace = metadata.get("namespace")
    place = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    create(server, f"{place}/{kind.lower()}s", role)
    ref = {"kind": kind, "name": metadata["name"], "apiGroup": READER["apiGroup"]}
    binding = {"metadata": metadata, "roleRef": ref, "subjects": [READER]}
    create(server, f"{place}/{kind.lower()}bindings", binding)


def reader(server: KubeApiServer, folder: Path) -> Path:
    path = folder / "reader.kubeconfig"
    path.write_text(server.kubeconfig_for("audit-reader"))
    return path


def preflight(*arguments: str, kubeconfig: Path) -> Done:
    return asked("preflight", *arguments, kubeconfig=kubeconfig)


def asked(*arguments: str, kubeconfig: Path) -> Done:
    environment = {"KUBECONFIG": str(kubeconfig)}
    return kcompliance(*arguments, "--format", "json", cwd=kubeconfig.parent, env=environment)


def missing(done: Done) -> set[str]:
    return {
        each["permission"]
        for target in done.json["targets"]
        for each in target["permissions"]
        if each["allowed"] in ("no", "unknown")
    }


def wait_until(server: KubeApiServer, rules: list[dict[str, Any]], namespace: str | None) -> None:
    """The authorizer knows of the role that was just changed: its rules allow, others do not."""
    deadline = time.monotonic() + 20
    for rule in ALL_RULES[namespace]:
        if rule.get("nonResourceURLs") != ["/version"]:
            while allowed(server, rule, namespace) != (rule in rules):
                assert time.monotonic() < deadline, rule
                time.sleep(0.02)


def allowed(server: KubeApiServer, rule: dict[str, Any], namespace: str | None) -> bool:
    (verb,) = rule["verbs"]
    if "nonResourceURLs" in rule:
        spec = {"nonResourceAttributes": {"verb": verb, "path": rule["nonResourceURLs"][0]}}
    else:
        where = {"group": rule["apiGroups"][0], "resource": rule["resources"][0]}
        spec = {"resourceAttributes": {"verb": verb, "namespace": namespace or "", **where}}
    status, text = server.request("POST", REVIEWS, {"spec": spec}, user="audit-reader")
    assert status == HTTPStatus.CREATED, text
    return bool(json.loads(text)["status"]["allowed"])


def scanned_permissions(kubeconfig: Path) -> set[str]:
    """What the findings of a scan call missing."""
    done = asked("scan", "kube:test", kubeconfig=kubeconfig)
    found = done.json["findings"]
    refused = [each for each in found if "403" in each["because"] or each["permission"]]
    return {each["permission"] for each in refused}


# --- the shipped role ----------------------------------------------------------------------------


def test_the_shipped_role_is_all_that_a_scan_needs_and_each_rule_is_needed(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    """One server for all: a rule is taken away, both are asked, and it is put back."""
    server = kube_apiserver(audit_policy=POLICY)
    add_forwarder(server)
    kubeconfig = reader(server, tmp_path)
    roles = shipped_roles()
    for role in roles:
        grant(server, role)
        wait_until(server, role["rules"], role["metadata"].get("namespace"))

    whole_role = preflight("kube:test", kubeconfig=kubeconfig)
    assert missing(whole_role) == set()
    assert whole_role.code == 0
    assert scanned_permissions(kubeconfig) == set()

    taken_away = 0
    for role in roles:
        namespace = role["metadata"].get("namespace")
        place = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
        path = f"{place}/{role['kind'].lower()}s/{role['metadata']['name']}"
        for index, rule in enumerate(role["rules"]):
            rest = [*role["rules"][:index], *role["rules"][index + 1 :]]
            put(server, path, {**role, "rules": rest})
            wait_until(server, rest, namespace)
            expected = permission_of(rule, namespace)

            done = preflight("kube:test", kubeconfig=kubeconfig)

            assert missing(done) == expected, rule
            assert done.code == (3 if expected else 0)
            assert scanned_permissions(kubeconfig) == named_by_a_scan(expected), rule
            taken_away += 1
        put(server, path, role)
        wait_until(server, role["rules"], namespace)

    assert taken_away == len(NEEDED) + 2


def put(server: KubeApiServer, path: str, body: dict[str, Any]) -> None:
    status, text = server.request("PUT", path, body)
    assert status == HTTPStatus.OK, text


def permission_of(rule: dict[str, Any], namespace: str | None) -> set[str]:
    """What its lack is called; `/version` Kubernetes grants to everybody all the same."""
    if "nonResourceURLs" in rule:
        (url,) = rule["nonResourceURLs"]
        return set() if url == "/version" else {f"get on the non-resource URL {url}"}
    (group,), (resource,), (verb,) = rule["apiGroups"], rule["resources"], rule["verbs"]
    what = f"{resource}.{group}" if group else resource
    if namespace:
        return {f"{verb} on {what} in the namespace {namespace}"}
    alone = resource in ("nodes", "clusterroles", "clusterrolebindings")
    found = {f"{verb} on {what}{'' if alone else ' in all namespaces'}"}
    if resource == "daemonsets":  # nobody knows then where forwarders are
        found |= {
            "list on pods in the namespace of each log forwarder",
            "get on configmaps in the namespace of each log forwarder",
        }
    return found


def named_by_a_scan(expected: set[str]) -> set[str]:
    """A scan names what it was refused, and asks nothing about forwarders that it cannot find."""
    return {each for each in expected - OF_A_STORE if "of each log forwarder" not in each}


def test_a_user_without_rights_learns_of_each_one(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=POLICY)
    kubeconfig = reader(server, tmp_path)

    done = preflight("kube:test", kubeconfig=kubeconfig)

    everything = {str(each) for each in NEEDED if each.path != "/version"}
    assert {each for each in missing(done) if "log forwarder" not in each} == everything
    assert done.code == 3
    (target,) = done.json["targets"]
    for each in target["permissions"]:
        assert each["controls"]
        assert set(each["controls"]) <= set(CONTROL_NEEDS)


def test_only_what_one_control_needs_is_asked(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver()

    arguments = ("kube:test", "--control", "KC-RET-011")
    done = preflight(*arguments, kubeconfig=server.kubeconfig)

    (target,) = done.json["targets"]
    asked = {each["permission"]: each["allowed"] for each in target["permissions"]}
    assert asked == {
        "get on the non-resource URL /version": "yes",
        "list on pods in the namespace kube-system": "yes",
        "get on the non-resource URL /flagz": "yes",
    }
    assert done.code == 0


def test_before_1_36_flagz_is_not_needed(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(version="1.33")

    done = preflight("kube:test", kubeconfig=reader(server, tmp_path))

    (target,) = done.json["targets"]
    (flagz,) = [each for each in target["permissions"] if each["path"] == "/flagz"]
    assert flagz["allowed"] == "not-needed"


def test_a_preflight_stores_nothing(kube_apiserver: StartKubeApiServer, tmp_path: Path) -> None:
    """As the server itself has recorded it: reviews of access, and a list of DaemonSets."""
    server = kube_apiserver(audit_policy=POLICY)

    preflight("kube:test", kubeconfig=server.kubeconfig)
    server.stop()

    ours = [e for e in server.audit_events() if e.get("userAgent", "").startswith("kcompliance/")]
    assert {(e["verb"], e["requestURI"].partition("?")[0]) for e in ours} == {
        ("get", "/version"),
        ("list", "/apis/apps/v1/daemonsets"),
        ("create", REVIEWS),
    }


# --- no answer -----------------------------------------------------------------------------------


def test_credentials_that_are_not_taken_are_one_error(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(server.kubeconfig.read_text().replace(USERS["admin"].token, "stale"))

    done = preflight("kube:test", kubeconfig=kubeconfig)

    assert done.code == 4
    assert "401: the server does not take these credentials" in done.json["error"]["message"]
    assert done.json["error"]["hint"]
    assert len(done.err.splitlines()) == 2
    assert "stale" not in done.out + done.err


def test_a_server_that_is_down_is_one_error_alone_and_one_line_beside_another(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver()
    both = json.loads(server.kubeconfig.read_text())
    down = {**both["clusters"][0]["cluster"], "server": f"https://127.0.0.1:{free_port()}"}
    both["clusters"].append({"name": "down", "cluster": down})
    user = both["users"][0]["name"]
    both["contexts"].append({"name": "down", "context": {"cluster": "down", "user": user}})
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(both))

    alone = preflight("kube:down", kubeconfig=kubeconfig)
    beside = preflight("kube:test", "kube:down", kubeconfig=kubeconfig)

    assert alone.code == 4
    assert "did not answer" in alone.json["error"]["message"]
    assert beside.code == 3
    assert [each["problem"] is None for each in beside.json["targets"]] == [True, False]
    assert missing(beside) == set()


VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.4"}


def after_body(answer: Answer) -> Answer:
    """The answer to a request that has a body, which must not stay behind in the connection."""

    def read_first(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        answer(handler)

    return read_first


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(whole({"message": "no reviews"}, 403), "create on selfsubject", id="refused"),
        pytest.param(whole({"message": "no such"}, 404), "404", id="no such review"),
        pytest.param(whole({"message": "etcd"}, 500), "500", id="an error of the server"),
        pytest.param(whole(b"<html>"), "no SelfSubjectAccessReview", id="a login page"),
        pytest.param(whole({"status": {"allowed": "yes"}}), "no SelfSubject", id="of other types"),
        pytest.param(cut_off({"status": {"allowed": True}}), "", id="cut off"),
    ],
)
def test_an_answer_that_is_none_leaves_a_permission_unknown(
    answer: Answer, words: str, tmp_path: Path
) -> None:
    with CannedApi(tmp_path) as api:
        api.answers = {"/version": whole(VERSION), REVIEWS: after_body(answer)}
        arguments = ("kube:test", "--control", "KC-RET-011")

        done = preflight(*arguments, kubeconfig=api.kubeconfig())

    (target,) = done.json["targets"]
    assert {each["allowed"] for each in target["permissions"]} == {"unknown"}
    assert all(words in each["reason"] for each in target["permissions"])
    assert done.code == 3
