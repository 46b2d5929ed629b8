"""RBAC as kcompliance reads it, against the decisions of a real kube-apiserver.

The server is asked by SubjectAccessReview, which stores nothing. It has no controllers, so that an
aggregated ClusterRole has the rules that it was given, and no others.
"""

import itertools
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from kcompliance.controls import load_controls, parameter_value
from kcompliance.model.listing import Listing
from kcompliance.model.rbac.dangers import find_dangers
from kcompliance.model.rbac.grants import Rbac, read_rbac
from kcompliance.model.reading import Kind
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User
from tests.captures import raw
from tests.cli.command import kcompliance
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer

pytestmark = pytest.mark.integration

RBAC = "rbac.authorization.k8s.io"
API = f"/apis/{RBAC}/v1"
PLURALS = {
    "ClusterRole": "clusterroles",
    "Role": "roles",
    "ClusterRoleBinding": "clusterrolebindings",
    "RoleBinding": "rolebindings",
}
PODS = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
ROLES: dict[str, list[dict[str, Any]]] = {
    "pods": PODS,
    "pods-below": [{"apiGroups": [""], "resources": ["pods/*"], "verbs": ["*"]}],
    "any-log": [{"apiGroups": [""], "resources": ["*/log"], "verbs": ["get"]}],
    "named": [
        {
            "apiGroups": [""],
            "resources": ["secrets", "pods/exec"],
            "resourceNames": ["one"],
            "verbs": ["*"],
        }
    ],
    "no-group": [{"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]}],
    "any-group": [{"apiGroups": ["*"], "resources": ["daemonsets"], "verbs": ["delete"]}],
    "nodes": [{"apiGroups": [""], "resources": ["nodes", "nodes/proxy"], "verbs": ["get"]}],
    "urls": [{"nonResourceURLs": ["/metrics", "/logs/*", "/x*"], "verbs": ["get"]}],
    "everything": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ],
    "aggregated": [],
}
ACCOUNT = {"kind": "ServiceAccount", "name": "sa", "namespace": "logging"}
CLUSTER_BINDINGS = {
    "user-any-log": ("any-log", [{"kind": "User", "name": "ann"}]),
    "group-below": ("pods-below", [{"kind": "Group", "name": "devs"}]),
    "account-nodes": ("nodes", [ACCOUNT]),
    "accounts-urls": ("urls", [{"kind": "Group", "name": "system:serviceaccounts:logging"}]),
    "account-as-user": (
        "no-group",
        [{"kind": "User", "name": "system:serviceaccount:logging:sa"}],
    ),
    "dangling": ("nowhere", [{"kind": "User", "name": "ann"}]),
    "aggregated": ("aggregated", [{"kind": "User", "name": "bob"}]),
    "nobody": ("everything", []),
}
BINDINGS = {
    ("logging", "own"): ("Role", "own", [{"kind": "ServiceAccount", "name": "sa"}]),
    ("logging", "all"): ("ClusterRole", "everything", [{"kind": "User", "name": "bob"}]),
    ("logging", "nodes"): ("ClusterRole", "nodes", [{"kind": "User", "name": "bob"}]),
    ("apps", "named"): ("ClusterRole", "named", [{"kind": "Group", "name": "devs"}]),
    ("apps", "elsewhere"): ("Role", "own", [{"kind": "User", "name": "ann"}]),
    ("apps", "any-group"): ("ClusterRole", "any-group", [ACCOUNT]),
}
ACCOUNT_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:logging")
USERS = (
    User(name="ann", groups=("system:authenticated",)),
    User(name="ann", groups=("devs", "system:authenticated")),
    User(name="bob", groups=("system:authenticated",)),
    User(name="sa", groups=("system:authenticated",)),
    User(name="system:serviceaccount:logging:sa", groups=(*ACCOUNT_GROUPS, "system:authenticated")),
    User(name="system:serviceaccount:apps:sa", groups=("system:serviceaccounts",)),
    User(name="system:anonymous", groups=("system:unauthenticated",)),
)
TARGETS: list[ObjectAttributes | NonResource] = [
    *(
        ObjectAttributes(resource=resource, subresource=sub, namespace=namespace, name=name)
        for (resource, sub), namespace, name in itertools.product(
            [("pods", ""), ("pods", "log"), ("pods", "exec"), ("secrets", ""), ("configmaps", "")],
            ["", "logging", "apps"],
            ["", "one"],
        )
    ),
    ObjectAttributes(resource="nodes", name="n1"),
    ObjectAttributes(resource="nodes", subresource="proxy", name="n1"),
    ObjectAttributes(resource="nodes", subresource="log", name="n1"),
    ObjectAttributes(group="apps", resource="daemonsets", namespace="apps", name="one"),
    ObjectAttributes(group="extensions", resource="daemonsets", namespace="apps", name="one"),
    ObjectAttributes(group="apps", resource="daemonsets", subresource="scale", namespace="apps"),
    ObjectAttributes(group="metrics.k8s.io", resource="pods", namespace="logging"),
    *(NonResource(path=path) for path in ("/metrics", "/metrics/", "/logs/", "/logs", "/xyz", "/")),
]
VERBS = ("get", "list", "create", "delete")


def set_up(server: KubeApiServer) -> None:
    for name, rules in ROLES.items():
        body: dict[str, Any] = {"metadata": {"name": name, "labels": {"a": "b"}}, "rules": rules}
        if name == "aggregated":
            body["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
        create(server, f"{API}/clusterroles", body)
    for namespace in ("logging", "apps"):
        create(server, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    own = {"metadata": {"name": "own"}, "rules": [{**PODS[0], "resources": ["configmaps"]}]}
    create(server, f"{API}/namespaces/logging/roles", own)
    for name, (role, subjects) in CLUSTER_BINDINGS.items():
        create(server, f"{API}/clusterrolebindings", binding(name, "ClusterRole", role, subjects))
    for (namespace, name), (kind, role, subjects) in BINDINGS.items():
        path = f"{API}/namespaces/{namespace}/rolebindings"
        create(server, path, binding(name, kind, role, subjects))


def binding(name: str, kind: str, role: str, subjects: list[dict[str, str]]) -> dict[str, Any]:
    groups = [{"apiGroup": RBAC, **s} if s["kind"] != "ServiceAccount" else s for s in subjects]
    ref = {"apiGroup": RBAC, "kind": kind, "name": role}
    return {"metadata": {"name": name}, "roleRef": ref, "subjects": groups}


def create(server: KubeApiServer, path: str, body: dict[str, Any]) -> None:
    status, text = server.request("POST", path, body)
    assert status == HTTPStatus.CREATED, text


def listed(server: KubeApiServer) -> Listing:
    content = raw(Kind.RBAC, "roles and bindings", "")
    items = []
    for kind, plural in PLURALS.items():
        status, text = server.request("GET", f"{API}/{plural}")
        assert status == HTTPStatus.OK, text
        items += [({**item, "kind": kind}, content) for item in json.loads(text)["items"]]
    return Listing(objects=tuple(items), whole=True)


def decision(server: KubeApiServer, request: Request) -> bool:
    target, user = request.target, request.user
    assert user is not None
    spec: dict[str, Any] = {"user": user.name, "groups": list(user.groups)}
    if isinstance(target, NonResource):
        spec["nonResourceAttributes"] = {"path": target.path, "verb": request.verb}
    else:
        spec["resourceAttributes"] = {
            "verb": request.verb,
            "group": target.group,
            "resource": target.resource,
            "subresource": target.subresource,
            "namespace": target.namespace,
            "name": target.name,
        }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    status, text = server.request("POST", path, {"spec": spec})
    assert status == HTTPStatus.CREATED, text
    allowed = json.loads(text)["status"]["allowed"]
    assert isinstance(allowed, bool)
    return allowed


def wait_until_in_force(server: KubeApiServer, rbac: Rbac) -> None:
    """The last binding that was made is among those that the authorizer knows."""
    target = ObjectAttributes(group="x", resource="daemonsets", namespace="apps", name="x")
    last = Request(user=USERS[4], verb="delete", target=target)
    assert rbac.allowing(last)
    for _ in range(200):
        if decision(server, last):
            return
    raise AssertionError("the bindings are not in force")


def test_every_decision_is_that_of_the_server(kube_apiserver: StartKubeApiServer) -> None:
    server = kube_apiserver()
    set_up(server)
    rbac = read_rbac(listed(server))
    wait_until_in_force(server, rbac)
    requests = [
        Request(user=user, verb=verb, target=target)
        for user, verb, target in itertools.product(USERS, VERBS, TARGETS)
    ]

    wrong = [each for each in requests if bool(rbac.allowing(each)) != decision(server, each)]

    assert wrong == []
    assert {bool(rbac.allowing(each)) for each in requests} == {True, False}


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.36", "1.37"])
def test_of_what_kubernetes_itself_binds_nothing_is_unexpected(
    version: str, kube_apiserver: StartKubeApiServer
) -> None:
    server = kube_apiserver(version=version)
    parameters = load_controls()["KC-PRO-012"].parameters
    values = {name: parameter_value(p, p.default) for name, p in parameters.items()}

    dangers = find_dangers(read_rbac(listed(server)), values["logging_namespaces"])

    found = {
        f"{s.kind}:{s.namespace + '/' if s.namespace else ''}{s.name}"
        for powers in dangers.powers.values()
        for s in powers
    }
    assert found - set(values["allow_subjects"]) == set()
    assert not dangers.elsewhere
    assert "Group:system:masters" in found


def test_a_live_scan_tells_who_is_unexpected_and_its_bundle_says_the_same(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver()
    command = ("--control", "KC-PRO-012", "--format", "json")
    environment = {"KUBECONFIG": str(server.kubeconfig)}

    def scan(*arguments: str) -> tuple[str, dict[tuple[str, str], str]]:
        done = kcompliance("scan", *arguments, *command, cwd=tmp_path, env=environment)
        found = {(e["aspect"], e["resource"]): e["status"] for e in done.json["findings"]}
        return done.out, found

    create(server, "/api/v1/nodes", {"metadata": {"name": "node1"}})
    _, before = scan("kube:test")
    create(server, f"{API}/clusterroles", {"metadata": {"name": "nodes"}, "rules": ROLES["nodes"]})
    create(server, f"{API}/clusterrolebindings", binding("m", "ClusterRole", "nodes", [ACCOUNT]))
    out, after = scan("kube:test", "--save-bundle", "saved")
    again, _ = scan("saved")

    assert before == {
        ("bypass", "kube:test"): "pass",
        ("bypass", "kube:test kubelets"): "manual",
        ("disable", "kube:test"): "pass",
        ("read", "kube:test"): "pass",
    }
    assert after == {
        ("bypass", "ServiceAccount logging/sa"): "fail",
        ("bypass", "kube:test kubelets"): "manual",
        ("disable", "kube:test"): "pass",
        ("read", "ServiceAccount logging/sa"): "fail",
    }
    assert again == out
