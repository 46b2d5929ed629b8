"""What the controls of completeness say of a policy is what a real kube-apiserver then records.

One server runs with one policy after the other and is asked the same each time. Which controls
fail is told twice: by the checks from the policy, and by hand from the log.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kcompliance.controls import load_controls
from kcompliance.model.assemble import assemble
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Kind
from kcompliance.scan import judge_control
from tests.captures import raw
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer

pytestmark = pytest.mark.integration

CONTROLS = [f"KC-CMP-00{number}" for number in range(1, 8)]

SOUND = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
  - level: Metadata
    resources:
      - group: ""
        resources: [secrets, configmaps, serviceaccounts/token]
      - group: authentication.k8s.io
        resources: [tokenreviews]
  - level: RequestResponse
    verbs: [create, update, patch, delete]
    resources:
      - group: rbac.authorization.k8s.io
      - group: admissionregistration.k8s.io
      - group: certificates.k8s.io
  - level: Metadata
"""


def first(rule: str) -> str:
    """The sound policy with another rule before all others."""
    return SOUND.replace("rules:\n", f"rules:\n  - {rule}\n")


LAST = "  - level: Metadata\n"
POLICIES = {
    "sound": SOUND,
    "KC-CMP-001": SOUND.removesuffix(LAST)
    + "  - {level: Metadata, verbs: [get, list, watch, create, update, patch, delete]}\n",
    "KC-CMP-002": first(
        '{level: None, userGroups: ["system:nodes"], verbs: [get, list, watch], '
        'resources: [{group: "", resources: [serviceaccounts]}]}'
    ),
    "KC-CMP-003": first(
        '{level: None, verbs: [get], resources: [{group: "", resources: [pods/portforward]}]}'
    ),
    "KC-CMP-004": SOUND.replace("RequestResponse", "Metadata"),
    "KC-CMP-005": first(
        '{level: Metadata, nonResourceURLs: ["/api*"], omitStages: [ResponseStarted]}'
    ),
    "KC-CMP-006": first(
        '{level: Request, namespaces: [default], resources: [{group: "", resources: [configmaps]}]}'
    ),
    "KC-CMP-007": first(
        '{level: None, userGroups: ["system:masters"], verbs: [get, list], '
        "resources: [{group: apps}]}"
    ),
}
"""By the one control that each of them fails."""

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default/deployments"
RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
POD = f"{CORE}/pods/gone"
REQUESTS: dict[str, tuple[str, str, object, str | None]] = {
    "create deployment": ("POST", APPS, {"metadata": {"name": "x"}}, "admin"),
    "delete deployments": ("DELETE", APPS, None, "admin"),
    "get secret": ("GET", f"{CORE}/secrets/gone", None, "admin"),
    "list secrets": ("GET", "/api/v1/secrets", None, "admin"),
    "node reads account": ("GET", f"{CORE}/serviceaccounts/s", None, "system:node:node1"),
    "spdy exec": ("POST", f"{POD}/exec?command=id", None, "admin"),
    "websocket exec": ("GET", f"{POD}/exec?command=id", None, "admin"),
    "spdy forward": ("POST", f"{POD}/portforward", None, "admin"),
    "websocket forward": ("GET", f"{POD}/portforward", None, "admin"),
    "create role": ("POST", RBAC, {"metadata": {"name": "{}"}}, "admin"),
    "wrong token at api": ("GET", "/api", None, None),
    "wrong token at secrets": ("GET", f"{CORE}/secrets", None, None),
    "denied": ("GET", f"{CORE}/secrets", None, "nobody"),
    "create config map": ("POST", f"{CORE}/configmaps", {"metadata": {"name": "{}"}}, "admin"),
    "create secret": ("POST", f"{CORE}/secrets", {"metadata": {"name": "{}"}}, "admin"),
    "create token": ("POST", f"{CORE}/serviceaccounts/s/token", {}, "admin"),
    "list deployments": ("GET", APPS, None, "admin"),
}
"""Method, path, body and user; a user of None has a token that nobody gave out."""

Event = dict[str, Any]


def is_missing(events: Sequence[Event]) -> bool:
    return not events


def has_no_start(events: Sequence[Event]) -> bool:
    return "ResponseStarted" not in {event["stage"] for event in events}


def has_no_answer(events: Sequence[Event]) -> bool:
    return not any("responseStatus" in event for event in events)


def has_no_request(events: Sequence[Event]) -> bool:
    return not any("requestObject" in event for event in events)


def has_body(events: Sequence[Event]) -> bool:
    return any("requestObject" in event or "responseObject" in event for event in events)


FAULTS: list[tuple[str, Callable[[Sequence[Event]], bool], tuple[str, ...]]] = [
    ("KC-CMP-001", is_missing, ("create deployment", "delete deployments", "create secret")),
    ("KC-CMP-002", is_missing, ("get secret", "list secrets", "node reads account")),
    ("KC-CMP-003", has_no_start, ("spdy exec", "websocket exec")),
    ("KC-CMP-003", has_no_start, ("spdy forward", "websocket forward")),
    ("KC-CMP-004", has_no_request, ("create role",)),
    ("KC-CMP-005", has_no_answer, ("wrong token at api", "wrong token at secrets", "denied")),
    ("KC-CMP-006", has_body, ("create config map", "create secret", "create token")),
    ("KC-CMP-007", is_missing, ("list deployments",)),
]
"""Which control is about what cannot be in the log of a good policy, written by hand."""


def test_a_policy_fails_the_control_whose_matter_the_log_lacks(
    kube_apiserver: StartKubeApiServer,
) -> None:
    server = kube_apiserver(audit_policy=SOUND)
    server.request("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "s"}})
    by_checks = {}
    for name, policy in POLICIES.items():
        server.restart(audit_policy=policy)
        send_all(server, name)
        by_checks[name] = failing(cluster_of(server, policy))
    server.stop()  # so that all that will ever be recorded is recorded

    events = server.audit_events()
    by_log = {name: faults_in_log(events, name) for name in POLICIES}

    assert by_log == {name: {name} - {"sound"} for name in POLICIES}
    assert by_checks == by_log


def test_bodies_are_lost_with_the_stage_that_carries_them(
    kube_apiserver: StartKubeApiServer,
) -> None:
    policy = SOUND.replace("RequestReceived", "ResponseComplete")
    server = kube_apiserver(audit_policy=policy)
    send_all(server, "late")
    server.stop()

    found = by_agent(server.audit_events(), "late")

    assert found["create role"]
    assert has_no_request(found["create role"])
    assert {"KC-CMP-004", "KC-CMP-005"} <= failing(cluster_of(server, policy))


@pytest.mark.parametrize(
    ("omitted", "status", "verdict"),
    [("[RequestReceived]", 403, Status.FAIL), ("[]", 500, Status.PASS)],
    ids=["omitted", "left-in"],
)
def test_a_strict_server_refuses_nothing_where_request_received_is_omitted(
    omitted: str, status: int, verdict: Status, kube_apiserver: StartKubeApiServer
) -> None:
    """The log is a device that is always full."""
    policy = SOUND.partition("omitStages")[0] + (
        f"omitStages: {omitted}\nrules:\n  - {{level: Metadata, users: [nobody]}}\n"
        "  - level: None\n"
    )
    flags = ("--audit-log-mode=blocking-strict", "--audit-log-path=/dev/full")
    server = kube_apiserver(audit_policy=policy, extra_args=flags)

    answered, _ = server.request("GET", f"{CORE}/secrets", user="nobody")

    findings = findings_of("KC-CMP-005", cluster_of(server, policy))
    (strict,) = [finding for finding in findings if finding.aspect == "strict-blocking"]
    assert answered == status
    assert strict.status is verdict


# --- the server's side ------------------------------------------------------------------------


def send_all(server: KubeApiServer, name: str) -> None:
    for number, (label, (method, path, body, user)) in enumerate(REQUESTS.items()):
        headers = {"User-Agent": agent(name, label)}
        if user is None:
            headers["Authorization"] = "Bearer not-a-token"
        if isinstance(body, dict) and body.get("metadata") == {"name": "{}"}:
            body = {"metadata": {"name": f"{name.lower()}-{number}"}}
        server.request(method, path, body, user=user, headers=headers)


def agent(name: str, label: str) -> str:
    return f"kct/{name}/{label}"


def by_agent(events: Sequence[Event], name: str) -> dict[str, list[Event]]:
    return {
        label: [event for event in events if event.get("userAgent") == agent(name, label)]
        for label in REQUESTS
    }


def faults_in_log(events: Sequence[Event], name: str) -> set[str]:
    found = by_agent(events, name)
    return {
        control
        for control, is_wrong, labels in FAULTS
        for label in labels
        if is_wrong(found[label])
    }


# --- the checks' side -------------------------------------------------------------------------


def cluster_of(server: KubeApiServer, policy: str) -> Cluster:
    file = Path(server.folder) / "audit-policy.yaml"
    command_line = " ".join(("kube-apiserver", *server.argv[1:]))
    captures = (
        raw(Kind.COMMAND_LINE, "ps.txt", command_line),
        raw(Kind.AUDIT_POLICY, str(file), policy),
    )
    return assemble("server", captures)


def findings_of(control: str, cluster: Cluster) -> list[Finding]:
    judged = judge_control(load_controls()[control], cluster, {})
    return [each.finding for each in judged]


def failing(cluster: Cluster) -> set[str]:
    """Of each control there is a verdict, and no error."""
    failed = set()
    for control in CONTROLS:
        statuses = {finding.status for finding in findings_of(control, cluster)}
        assert Status.ERROR not in statuses
        if Status.FAIL in statuses:
            failed.add(control)
    return failed
