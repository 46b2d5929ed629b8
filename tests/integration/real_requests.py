"""Requests of every kind for a real kube-apiserver, each with what its policy is asked about.

What stands here as verb, target and user of a request is written by hand from the server's
documentation and does not come from kcompliance.
"""

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from kcompliance.model.request import NonResource, ObjectAttributes, Request, User
from tests.servers.kube_apiserver import KubeApiServer
from tests.servers.kubelet_stand_in import KubeletStandIn

__all__ = ["Sent", "send_all", "user_agent"]

TIMEOUT = 30
SECONDS_TO_TAKE_EFFECT = 20
SETUP_AGENT = "setup"
WATCH = "watch=true&timeoutSeconds=30&resourceVersion=0"
"""Watches are ended by hanging up. From version 0 on they begin at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Somebody with a token, None being none at all, and who that is to the server."""

    token: str | None
    user: User | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request and what it must be to the policy; `status` is what it was answered with."""

    method: str
    path: str
    request: Request
    status: int

    def __str__(self) -> str:
        return f"{self.method} {self.path} [{self.status}] = {self.request.user} {self.request}"


def user_agent(number: int) -> str:
    """What the request of this number says it was sent by."""
    return f"kct/{number}"


def send_all(server: KubeApiServer) -> list[Sent]:
    """Send every request once, in order, the n-th with `user_agent(n)`."""
    pki = server.folder / "pki"
    with KubeletStandIn(pki / "apiserver.crt", pki / "apiserver.key") as kubelet:
        client = _Client(server)
        return [
            Sent(
                method=each.method,
                path=each.path,
                request=Request(user=each.who.user, verb=each.verb, target=each.target),
                status=client.send(each, user_agent(number)),
            )
            for number, each in enumerate(_all(client, kubelet.port))
        ]


# --- sending ---------------------------------------------------------------------------------


def _known(name: str, token: str, *groups: str) -> Who:
    return Who(token=token, user=User(name=name, groups=(*groups, "system:authenticated")))


ADMIN = _known("admin", "admin-token", "system:masters")
NOBODY = _known("nobody", "nobody-token", "")  # "" is what the server makes of no groups
AUDITOR = _known("audit-reader", "audit-reader-token", "auditors")
NODE = _known("system:node:node1", "node1-token", "system:nodes")
ANONYMOUS = Who(token=None, user=User(name="system:anonymous", groups=("system:unauthenticated",)))
INTRUDER = Who(token="not-a-token", user=None)

Target = ObjectAttributes | NonResource


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    method: str
    path: str
    verb: str
    target: Target
    status: int
    body: object = None
    who: Who = ADMIN
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass(frozen=True, slots=True)
class _Client:
    server: KubeApiServer

    def send(self, planned: _Planned, agent: str) -> int:
        """The status, which must be the planned one."""
        status, text = self.ask(
            planned.method,
            planned.path,
            planned.body,
            headers={
                **({"Authorization": f"Bearer {planned.who.token}"} if planned.who.token else {}),
                **({"Content-Type": planned.content_type} if planned.body is not None else {}),
                **planned.headers,
                "User-Agent": agent,
            },
            hang_up=planned.hang_up,
        )
        assert status == planned.status, (planned, status, text[:500])
        return status

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str],
        hang_up: bool = False,
    ) -> tuple[int, str]:
        address = urlsplit(self.server.url)
        context = ssl.create_default_context(cafile=str(self.server.ca))
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=TIMEOUT, context=context
        )
        with closing(connection):
            connection.request(
                method, path, content, {"Accept": "application/json, */*", **headers}
            )
            answer = connection.getresponse()
            return answer.status, "" if hang_up else answer.read().decode(errors="replace")

    def prepare(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Something needed that is not itself tried."""
        headers = {
            "Authorization": f"Bearer {ADMIN.token}",
            "User-Agent": SETUP_AGENT,
            "Content-Type": "application/json",
        }
        status, text = self.ask(method, path, body, headers=headers)
        assert status in (HTTPStatus.OK, HTTPStatus.CREATED), text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def wait_for(self, path: str, who: Who = ADMIN) -> None:
        """Until there is something at this path that this user may see."""
        deadline = time.monotonic() + SECONDS_TO_TAKE_EFFECT
        headers = {"Authorization": f"Bearer {who.token}", "User-Agent": SETUP_AGENT}
        while self.ask("GET", path, headers=headers)[0] != HTTPStatus.OK:
            assert time.monotonic() < deadline, path
            time.sleep(0.05)


# --- what is sent ----------------------------------------------------------------------------

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

CORE = "/api/v1"
A = f"{CORE}/namespaces/team-a"
B = f"{CORE}/namespaces/team-b"
APPS = "/apis/apps/v1/namespaces/team-a"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
WIDGETS = "/apis/example.com/v1/namespaces/team-a/widgets"
UNKNOWN = "/apis/unheard-of.example.org/v1"

SPDY = {
    "Connection": "Upgrade",
    "Upgrade": "SPDY/3.1",
    "X-Stream-Protocol-Version": "v4.channel.k8s.io",
}
WEB_SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
}


def core(resource: str, namespace: str = "", name: str = "", subresource: str = "") -> Target:
    return of("", resource, namespace, name, subresource)


def of(
    group: str, resource: str, namespace: str = "", name: str = "", subresource: str = ""
) -> Target:
    return ObjectAttributes(
        group=group, resource=resource, namespace=namespace, name=name, subresource=subresource
    )


def named(name: str, **more: object) -> dict[str, object]:
    return {"metadata": {"name": name}, **more}


def _all(client: _Client, kubelet_port: int) -> Iterator[_Planned]:
    """In an order in which each finds what it needs."""
    yield from _new_kind()  # first: creating objects of a kind that is not seconds old is slow
    yield from _namespaces()
    yield from _config_maps()
    yield from _secrets()
    yield from _reads_of_many()
    robot = client.prepare("POST", f"{A}/serviceaccounts", named("robot"))
    assert robot["metadata"]["name"] == "robot"
    token = client.prepare("POST", f"{A}/serviceaccounts/robot/token", {})["status"]["token"]
    yield from _service_accounts(
        _known(
            "system:serviceaccount:team-a:robot",
            token,
            "system:serviceaccounts",
            "system:serviceaccounts:team-a",
        )
    )
    yield from _nodes_and_pods(kubelet_port)
    yield from _streams()
    yield from _workloads()
    yield from _permissions()
    client.wait_for(WIDGETS)
    yield from _custom_objects()
    client.wait_for(f"{A}/configmaps/settings", NOBODY)
    yield from _other_users()
    yield from _reviews()
    yield from _paths()
    yield from _oddities()
    yield from _deletions()


def _namespaces() -> Iterator[_Planned]:
    at = f"{CORE}/namespaces"
    yield _post(at, core("namespaces"), named("team-a"))
    yield _post(at, core("namespaces"), named("team-b"))
    yield _get(A, core("namespaces", "team-a", "team-a"))
    yield _list(at, core("namespaces"))
    yield _patch(A, core("namespaces", "team-a", "team-a"), {"metadata": {"labels": {"a": "b"}}})
    yield _patch(f"{A}/status", core("namespaces", "team-a", "team-a", "status"), {})
    yield _Planned(
        method="PUT",
        path=f"{A}/finalize",
        verb="update",
        target=core("namespaces", "team-a", "team-a", "finalize"),
        body=named(
            "team-a", apiVersion="v1", kind="Namespace", spec={"finalizers": ["kubernetes"]}
        ),
        status=200,
    )


def _config_maps() -> Iterator[_Planned]:
    at, one = f"{A}/configmaps", core("configmaps", "team-a", "settings")
    settings = named("settings", apiVersion="v1", kind="ConfigMap", data={"a": "b"})
    yield _post(at, core("configmaps", "team-a"), settings)
    yield _post(at, core("configmaps", "team-a"), settings, status=409)
    yield _post(f"{at}?dryRun=All", core("configmaps", "team-a"), named("dry"))
    yield _post(at, core("configmaps", "team-a"), {"metadata": {"generateName": "some-"}})
    yield _post(at, core("configmaps", "team-a"), named("controller-leader"))
    managed = {
        "manager": "tests",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {}},
    }
    with_managed_fields = {"metadata": {"name": "managed", "managedFields": [managed]}}
    yield _post(at, core("configmaps", "team-a"), with_managed_fields)
    yield _post(f"{B}/configmaps", core("configmaps", "team-b"), settings)
    yield _post(
        "/api/v1/namespaces/kube-system/configmaps",
        core("configmaps", "kube-system"),
        named("node-access"),
    )
    yield _patch(
        "/api/v1/namespaces/kube-system/configmaps/node-access",
        core("configmaps", "kube-system", "node-access"),
        {"data": {"c": "d"}},
    )
    yield _get(f"{at}/settings", one)
    yield _get(f"{at}/controller-leader", core("configmaps", "team-a", "controller-leader"))
    yield _get(f"{at}/not-there", core("configmaps", "team-a", "not-there"), status=404)
    yield _put(f"{at}/settings", one, settings)
    yield _put(f"{at}/settings?dryRun=All", one, settings)
    for content_type, body in (
        (MERGE_PATCH, {"data": {"c": "d"}}),
        (STRATEGIC_PATCH, {"data": {"c": "e"}}),
        (JSON_PATCH, [{"op": "add", "path": "/data/f", "value": "g"}]),
    ):
        yield _patch(f"{at}/settings", one, body, content_type)
    applied = {"apiVersion": "v1", "kind": "ConfigMap", **named("applied"), "data": {"h": "i"}}
    yield _patch(
        f"{at}/applied?fieldManager=tests",
        core("configmaps", "team-a", "applied"),
        applied,
        APPLY_PATCH,
        status=201,
    )
    yield _put(f"{at}/settings", one, b"{", status=400)
    yield _patch(f"{at}/settings", one, b"a", "text/plain", status=415)


def _secrets() -> Iterator[_Planned]:
    at = f"{A}/secrets"
    yield _post(at, core("secrets", "team-a"), named("password", stringData={"a": "b"}))
    yield _get(f"{at}/password", core("secrets", "team-a", "password"))
    yield _list(at, core("secrets", "team-a"))
    yield _list(f"{CORE}/secrets", core("secrets"))
    yield _put(f"{at}/password", core("secrets", "team-a", "password"), named("password"))


def _reads_of_many() -> Iterator[_Planned]:
    at = f"{A}/configmaps"
    one = "fieldSelector=metadata.name%3Dsettings"
    yield _list(at, core("configmaps", "team-a"))
    yield _list(f"{at}?limit=1", core("configmaps", "team-a"))
    yield _list(f"{CORE}/configmaps", core("configmaps"))
    yield _list(f"{at}?{one}", core("configmaps", "team-a", "settings"))
    yield _list(f"{CORE}/configmaps?{one}", core("configmaps", "", "settings"))
    yield _list(
        f"{at}?{one}%2Cmetadata.namespace%3Dteam-a", core("configmaps", "team-a", "settings")
    )
    yield _list(f"{at}?fieldSelector=metadata.name%21%3Dsettings", core("configmaps", "team-a"))
    yield _list(f"{at}?labelSelector=a%3Db", core("configmaps", "team-a"))
    yield _list(f"{at}?limit=many", core("configmaps", "team-a"), status=400)
    yield _list(f"{at}?watch=false", core("configmaps", "team-a"))
    yield _watch(f"{at}?{WATCH}", core("configmaps", "team-a"))
    yield _watch(f"{at}?watch=1&resourceVersion=0", core("configmaps", "team-a"))
    yield _watch(f"{CORE}/configmaps?{WATCH}", core("configmaps"))
    yield _watch(f"{at}?{WATCH}&{one}", core("configmaps", "team-a", "settings"))
    # A watch of one object by its path is none to the server, whatever the query says.
    yield _get(f"{at}/settings?{WATCH}", core("configmaps", "team-a", "settings"))
    legacy = f"{CORE}/watch/namespaces/team-a/configmaps"
    yield _watch(f"{legacy}?resourceVersion=0", core("configmaps", "team-a"))
    yield _watch(
        f"{legacy}/settings?resourceVersion=0",
        core("configmaps", "team-a", "settings"),
    )
    yield _watch(f"{CORE}/watch/secrets?resourceVersion=0", core("secrets"))


def _service_accounts(robot: Who) -> Iterator[_Planned]:
    at = f"{A}/serviceaccounts"
    yield _post(at, core("serviceaccounts", "team-a"), named("other"))
    yield _post(
        f"{at}/other/token",
        core("serviceaccounts", "team-a", "other", "token"),
        {"spec": {"audiences": ["tests"]}},
    )
    yield _list(f"{A}/configmaps", core("configmaps", "team-a"), who=robot, status=403)
    yield _get(
        f"{A}/configmaps/settings", core("configmaps", "team-a", "settings"), who=robot, status=403
    )
    yield _get("/version", NonResource(path="/version"), who=robot)


def _nodes_and_pods(kubelet_port: int) -> Iterator[_Planned]:
    node = named(
        "node1",
        status={
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        },
    )
    yield _post(f"{CORE}/nodes", core("nodes"), node)
    yield _get(f"{CORE}/nodes/node1", core("nodes", "", "node1"))
    yield _get(f"{CORE}/nodes/node1", core("nodes", "", "node1"), who=NODE)
    yield _patch(f"{CORE}/nodes/node1/status", core("nodes", "", "node1", "status"), {}, who=NODE)
    container = {"name": "web", "image": "example.com/web:1"}
    pod = named(
        "web",
        spec={
            "nodeName": "node1",
            "serviceAccountName": "robot",
            "automountServiceAccountToken": False,
            "containers": [container],
        },
    )
    yield _post(f"{A}/pods", core("pods", "team-a"), pod)
    yield _get(f"{A}/pods/web", core("pods", "team-a", "web"))
    yield _list(f"{A}/pods", core("pods", "team-a"))
    yield _list(f"{A}/pods", core("pods", "team-a"), who=NODE, status=403)
    yield _patch(
        f"{A}/pods/web/status",
        core("pods", "team-a", "web", "status"),
        {"status": {"phase": "Running", "podIP": "127.0.0.1"}},
    )
    yield _patch(
        f"{A}/pods/web/ephemeralcontainers",
        core("pods", "team-a", "web", "ephemeralcontainers"),
        {"spec": {"ephemeralContainers": [{**container, "name": "debug"}]}},
        STRATEGIC_PATCH,
    )
    yield _post(
        f"{A}/pods/web/eviction?dryRun=All",
        core("pods", "team-a", "web", "eviction"),
        {"apiVersion": "policy/v1", "kind": "Eviction", **named("web")},
    )
    yield _post(
        f"{A}/pods/web/binding",
        core("pods", "team-a", "web", "binding"),
        named("web", target={"kind": "Node", "name": "node1"}),
        status=409,
    )
    service = {"ports": [{"port": 80}], "selector": {"app": "web"}}
    yield _post(f"{A}/services", core("services", "team-a"), named("web", spec=service))
    yield _post(
        f"{A}/events",
        core("events", "team-a"),
        named("first", involvedObject={"namespace": "team-a"}),
    )


def _streams() -> Iterator[_Planned]:
    """What goes on for as long as the client likes, in both transports."""
    for subresource, query in (
        ("exec", "command=date&stdout=true"),
        ("attach", "stdout=true"),
        ("portforward", "ports=80"),
    ):
        target = core("pods", "team-a", "web", subresource)
        path = f"{A}/pods/web/{subresource}?{query}"
        yield _Planned(
            method="POST",
            path=path,
            verb="create",
            target=target,
            headers=SPDY,
            hang_up=True,
            status=101,
        )
        yield _Planned(
            method="GET",
            path=path,
            verb="get",
            target=target,
            headers=WEB_SOCKET,
            hang_up=True,
            status=101,
        )
        yield _post(path, target, None, status=400)  # without an upgrade
    exec_ = core("pods", "team-a", "web", "exec")
    path = f"{A}/pods/web/exec?command=date"
    yield _post(path, exec_, None, who=NOBODY, status=403)
    yield _get(path, exec_, who=INTRUDER, status=401)
    yield _post(
        f"{A}/pods/gone/exec?command=date", core("pods", "team-a", "gone", "exec"), None, status=404
    )
    yield _get(f"{A}/pods/web/log", core("pods", "team-a", "web", "log"))
    yield _get(f"{A}/pods/web/log?follow=true", core("pods", "team-a", "web", "log"))
    yield _get(f"{CORE}/nodes/node1/proxy/healthz", core("nodes", "", "node1", "proxy"), status=400)
    yield _post(
        f"{CORE}/nodes/node1/proxy/run/a", core("nodes", "", "node1", "proxy"), {}, status=400
    )
    yield _get(
        f"{A}/services/web/proxy/index.html", core("services", "team-a", "web", "proxy"), status=404
    )
    yield _get(
        f"{A}/services/http:web:80/proxy/",
        core("services", "team-a", "http:web:80", "proxy"),
        status=404,
    )
    # The proxy of the first Kubernetes: a verb of its own, and nothing behind it any more.
    yield _Planned(
        method="GET",
        path=f"{CORE}/proxy/namespaces/team-a/pods/web/index.html",
        verb="proxy",
        target=core("pods", "team-a", "web"),
        status=404,
    )


def _workloads() -> Iterator[_Planned]:
    labels = {"app": "web"}
    deployment = named(
        "web",
        spec={
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]},
            },
        },
    )
    one = of("apps", "deployments", "team-a", "web")
    scale = of("apps", "deployments", "team-a", "web", "scale")
    yield _post(f"{APPS}/deployments", of("apps", "deployments", "team-a"), deployment)
    yield _get(f"{APPS}/deployments/web", one)
    yield _list("/apis/apps/v1/deployments", of("apps", "deployments"))
    yield _patch(f"{APPS}/deployments/web", one, {"spec": {"paused": True}})
    yield _get(f"{APPS}/deployments/web/scale", scale)
    yield _patch(f"{APPS}/deployments/web/scale", scale, {"spec": {"replicas": 2}})
    yield _patch(
        f"{APPS}/deployments/web/status", of("apps", "deployments", "team-a", "web", "status"), {}
    )
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    yield _post(leases, of("coordination.k8s.io", "leases", "kube-system"), named("some"))
    yield _list(leases, of("coordination.k8s.io", "leases", "kube-system"))


def _permissions() -> Iterator[_Planned]:
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    to_nobody = [{"kind": "User", "name": "nobody", "apiGroup": group}]
    in_a = f"{RBAC}/namespaces/team-a"
    yield _post(f"{in_a}/roles", of(group, "roles", "team-a"), named("reader", rules=rules))
    yield _post(f"{RBAC}/clusterroles", of(group, "clusterroles"), named("reader", rules=rules))
    for kind, at, target in (
        ("Role", f"{in_a}/rolebindings", of(group, "rolebindings", "team-a")),
        ("ClusterRole", f"{RBAC}/clusterrolebindings", of(group, "clusterrolebindings")),
    ):
        reference = {"kind": kind, "name": "reader", "apiGroup": group}
        yield _post(at, target, named("readers", roleRef=reference, subjects=to_nobody))
    yield _get(f"{RBAC}/clusterroles/reader", of(group, "clusterroles", "", "reader"))
    yield _patch(f"{in_a}/roles/reader", of(group, "roles", "team-a", "reader"), {"rules": rules})
    yield _list(f"{RBAC}/clusterroles?limit=2", of(group, "clusterroles"))


def _new_kind() -> Iterator[_Planned]:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    group = "apiextensions.k8s.io"
    at = f"/apis/{group}/v1/customresourcedefinitions"
    definition = named(
        "widgets.example.com",
        spec={"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    )
    yield _post(at, of(group, "customresourcedefinitions"), definition)
    yield _get(
        f"{at}/widgets.example.com",
        of(group, "customresourcedefinitions", "", "widgets.example.com"),
    )


def _custom_objects() -> Iterator[_Planned]:
    group = "example.com"
    one = of(group, "widgets", "team-a", "wheel")
    wheel = {"apiVersion": "example.com/v1", "kind": "Widget", **named("wheel"), "size": 3}
    yield _post(WIDGETS, of(group, "widgets", "team-a"), wheel)
    yield _get(f"{WIDGETS}/wheel", one)
    yield _list(WIDGETS, of(group, "widgets", "team-a"))
    yield _list("/apis/example.com/v1/widgets", of(group, "widgets"))
    yield _patch(f"{WIDGETS}/wheel", one, {"size": 4})
    yield _patch(
        f"{WIDGETS}/wheel/status",
        of(group, "widgets", "team-a", "wheel", "status"),
        {"status": {"turns": True}},
    )
    yield _watch(f"{WIDGETS}?{WATCH}", of(group, "widgets", "team-a"))


def _other_users() -> Iterator[_Planned]:
    """Denied, allowed, not known, and acting as somebody else."""
    one, path = core("configmaps", "team-a", "settings"), f"{A}/configmaps/settings"
    secret = core("secrets", "team-a", "password")
    yield _get(path, one, who=NOBODY)
    yield _get(f"{A}/secrets/password", secret, who=NOBODY, status=403)
    yield _post(f"{A}/secrets", core("secrets", "team-a"), named("theirs"), who=NOBODY, status=403)
    yield _list(f"{CORE}/nodes", core("nodes"), who=AUDITOR, status=403)
    yield _list(f"{A}/configmaps", core("configmaps", "team-a"), who=AUDITOR, status=403)
    yield _get(path, one, who=ANONYMOUS, status=403)
    yield _list(f"{CORE}/pods", core("pods"), who=ANONYMOUS, status=403)
    yield _get("/version", NonResource(path="/version"), who=ANONYMOUS)
    yield _get("/healthz", NonResource(path="/healthz"), who=ANONYMOUS)
    yield _get("/metrics", NonResource(path="/metrics"), who=ANONYMOUS, status=403)
    for method_of, target in ((_get, one), (_delete, one)):
        yield method_of(path, target, who=INTRUDER, status=401)
    yield _list(f"{CORE}/secrets", core("secrets"), who=INTRUDER, status=401)
    yield _watch(f"{CORE}/pods?watch=true", core("pods"), who=INTRUDER, status=401)
    yield _post(
        f"{A}/configmaps", core("configmaps", "team-a"), named("x"), who=INTRUDER, status=401
    )
    yield _get("/version", NonResource(path="/version"), who=INTRUDER, status=401)
    yield _get(
        "/debug/pprof/cmdline", NonResource(path="/debug/pprof/cmdline"), who=INTRUDER, status=401
    )
    as_alice = {"Impersonate-User": "alice", "Impersonate-Group": "system:masters"}
    yield _get(path, one, headers=as_alice)
    yield _post(f"{A}/configmaps", core("configmaps", "team-a"), named("hers"), headers=as_alice)
    yield _get(path, one, headers={"Impersonate-User": "alice"}, status=403)
    yield _get(path, one, headers=as_alice, who=NOBODY, status=403)
    yield _get(path, one, headers={"Impersonate-User": "system:anonymous"}, status=403)


def _reviews() -> Iterator[_Planned]:
    """Objects that are asked about and never stored."""
    authentication, authorization = "authentication.k8s.io", "authorization.k8s.io"
    attributes = {"verb": "get", "resource": "pods", "namespace": "team-a"}
    yield _post(
        f"/apis/{authentication}/v1/tokenreviews",
        of(authentication, "tokenreviews"),
        {"spec": {"token": "a"}},
    )
    yield _post(
        f"/apis/{authorization}/v1/selfsubjectaccessreviews",
        of(authorization, "selfsubjectaccessreviews"),
        {"spec": {"resourceAttributes": attributes}},
        who=NOBODY,
    )
    yield _post(
        f"/apis/{authorization}/v1/namespaces/team-a/localsubjectaccessreviews",
        of(authorization, "localsubjectaccessreviews", "team-a"),
        {
            "metadata": {"namespace": "team-a"},
            "spec": {"user": "nobody", "resourceAttributes": attributes},
        },
    )


def _paths() -> Iterator[_Planned]:
    """What is no object."""
    for path, status in (
        ("/", 200),
        ("/healthz", 200),
        ("/healthz/ping", 200),
        ("/livez", 200),
        ("/livez?verbose", 200),
        ("/readyz/etcd", 200),
        ("/version", 200),
        ("/version/", 200),
        ("/metrics", 200),
        ("/api", 200),
        ("/api/", 200),
        ("/api/v1", 200),
        ("/apis", 200),
        ("/apis/apps", 200),
        ("/apis/apps/v1", 200),
        ("/apis/apps/v1/", 200),
        ("/apis/unheard-of.example.org", 404),
        ("/openapi/v2", 200),
        ("/openapi/v3", 200),
        ("/openid/v1/jwks", 200),
        ("/.well-known/openid-configuration", 200),
        ("/debug/pprof/cmdline", 404),
        ("/debug/pprof", 302),
        ("/nothing/here?a=b", 404),
        ("/swagger.json", 404),
        ("/nothing%20at%2Fall", 404),
    ):
        plain = path.partition("?")[0].replace("%20", " ").replace("%2F", "/")
        yield _get(path, NonResource(path=plain), status=status)
    for method, path, status in (
        ("HEAD", "/healthz", 200),
        ("HEAD", "/version", 405),
        ("OPTIONS", "/healthz", 200),
        ("POST", "/version", 405),
        ("PUT", "/api", 405),
        ("DELETE", "/nothing", 404),
        ("PATCH", "/nothing", 404),
    ):
        yield _Planned(
            method=method,
            path=path,
            verb=method.lower(),
            target=NonResource(path=path),
            status=status,
        )


def _oddities() -> Iterator[_Planned]:
    """What the server's own rules for paths and methods make of unusual requests."""
    settings, path = core("configmaps", "team-a", "settings"), f"{A}/configmaps/settings"

    def odd(method: str, path: str, verb: str, target: Target, status: int) -> _Planned:
        return _Planned(method=method, path=path, verb=verb, target=target, status=status)

    yield odd("HEAD", path, "get", settings, 405)
    yield odd("HEAD", f"{A}/configmaps", "list", core("configmaps", "team-a"), 405)
    yield odd("OPTIONS", path, "", settings, 405)
    yield odd("LINK", path, "", settings, 405)
    yield odd("PUT", f"{A}/configmaps", "update", core("configmaps", "team-a"), 405)
    yield odd("PATCH", f"{A}/configmaps", "patch", core("configmaps", "team-a"), 405)
    yield odd("POST", path, "create", settings, 405)
    yield odd("GET", f"{A}/configmaps/", "list", core("configmaps", "team-a"), 200)
    yield odd("GET", f"{A}/configmaps/a%2Fb", "get", core("configmaps", "team-a", "a", "b"), 404)
    yield odd(
        "GET",
        f"{A}/configmaps/settings/x/y",
        "get",
        core("configmaps", "team-a", "settings", "x"),
        404,
    )
    yield odd("GET", f"{A}/nonsense", "list", core("nonsense", "team-a"), 404)
    yield odd("GET", f"{A}/namespaces/x", "get", core("namespaces", "team-a", "x"), 404)
    yield odd("GET", f"{CORE}/namespaces/", "list", core("namespaces"), 200)
    yield odd("GET", f"{CORE}/namespaces//configmaps", "list", core("configmaps"), 200)
    yield odd("GET", f"{CORE}//configmaps", "get", core("", "", "configmaps"), 404)
    yield odd("POST", f"{CORE}/namespaces//configmaps", "create", core("configmaps"), 400)
    yield odd("GET", f"{CORE}/pods;a=b", "list", core("pods;a=b"), 404)
    yield odd("GET", f"{CORE}/./pods", "get", core(".", "", "pods"), 404)
    yield odd("GET", f"{CORE}/namespaces/t%C3%A9%20x%FF/pods", "list", core("pods", "té x�"), 200)
    yield odd("GET", "//api/v1/pods", "list", core("pods"), 404)
    yield odd("GET", "/api/v9/pods", "list", core("pods"), 404)
    yield odd("GET", f"{UNKNOWN}/things", "list", of("unheard-of.example.org", "things"), 404)
    yield odd(
        "DELETE",
        f"{UNKNOWN}/namespaces/team-a/things/one",
        "delete",
        of("unheard-of.example.org", "things", "team-a", "one"),
        404,
    )
    yield odd(
        "POST",
        "/apis/apps/v9/namespaces/team-a/deployments",
        "create",
        of("apps", "deployments", "team-a"),
        404,
    )


def _deletions() -> Iterator[_Planned]:
    at = f"{A}/configmaps"
    yield _delete(f"{at}/applied", core("configmaps", "team-a", "applied"))
    yield _delete(f"{at}/applied", core("configmaps", "team-a", "applied"), status=404)
    yield _delete(f"{at}/settings?dryRun=All", core("configmaps", "team-a", "settings"))
    yield _delete_many(f"{at}?labelSelector=a%3Db", core("configmaps", "team-a"))
    yield _delete_many(f"{at}?fieldSelector=metadata.name%3Dhers", core("configmaps", "team-a"))
    yield _delete_many(f"{A}/secrets", core("secrets", "team-a"))
    yield _delete(f"{WIDGETS}/wheel", of("example.com", "widgets", "team-a", "wheel"))
    yield _delete_many(WIDGETS, of("example.com", "widgets", "team-a"))
    yield _delete(f"{APPS}/deployments/web", of("apps", "deployments", "team-a", "web"))
    yield _delete(f"{A}/pods/web", core("pods", "team-a", "web"))
    yield _delete(
        f"{RBAC}/clusterroles/reader", of("rbac.authorization.k8s.io", "clusterroles", "", "reader")
    )
    yield _delete(f"{CORE}/nodes/node1", core("nodes", "", "node1"))
    yield _delete(B, core("namespaces", "team-b", "team-b"))


# --- the usual shapes ------------------------------------------------------------------------


def _get(
    path: str,
    target: Target,
    *,
    who: Who = ADMIN,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> _Planned:
    return _Planned(
        method="GET",
        path=path,
        verb="get",
        target=target,
        who=who,
        status=status,
        headers=headers or {},
    )


def _list(path: str, target: Target, *, who: Who = ADMIN, status: int = 200) -> _Planned:
    return _Planned(method="GET", path=path, verb="list", target=target, who=who, status=status)


def _watch(path: str, target: Target, *, who: Who = ADMIN, status: int = 200) -> _Planned:
    return _Planned(
        method="GET", path=path, verb="watch", target=target, who=who, status=status, hang_up=True
    )


def _post(
    path: str,
    target: Target,
    body: object,
    *,
    who: Who = ADMIN,
    status: int = 201,
    headers: Mapping[str, str] | None = None,
) -> _Planned:
    return _Planned(
        method="POST",
        path=path,
        verb="create",
        target=target,
        body=body,
        who=who,
        status=status,
        headers=headers or {},
    )


def _put(path: str, target: Target, body: object, *, status: int = 200) -> _Planned:
    return _Planned(method="PUT", path=path, verb="update", target=target, body=body, status=status)


def _patch(
    path: str,
    target: Target,
    body: object,
    content_type: str = MERGE_PATCH,
    *,
    who: Who = ADMIN,
    status: int = 200,
) -> _Planned:
    return _Planned(
        method="PATCH",
        path=path,
        verb="patch",
        target=target,
        body=body,
        content_type=content_type,
        who=who,
        status=status,
    )


def _delete(path: str, target: Target, *, who: Who = ADMIN, status: int = 200) -> _Planned:
    return _Planned(
        method="DELETE", path=path, verb="delete", target=target, who=who, status=status
    )


def _delete_many(path: str, target: Target) -> _Planned:
    return _Planned(method="DELETE", path=path, verb="deletecollection", target=target, status=200)
