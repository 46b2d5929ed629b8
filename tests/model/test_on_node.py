"""Servers, policies and webhooks of nodes that are known apart."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from kcompliance.model.apiserver import api_servers_in
from kcompliance.model.assemble import assemble
from kcompliance.model.cluster import Cluster
from kcompliance.model.in_force import FoundPolicy, NoPolicyText, policy_of, replicas
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.webhook_in_force import FoundWebhook, NoWebhookText, webhook_of
from tests.captures import LOG_FLAG, POLICY_FLAG, SOUND_POLICY, pod, raw

WEBHOOK = """\
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "https://a.example"}}]
users: [{name: a, user: {}}]
"""


def _pod(node: str, *flags: str, **status: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(pod(*flags, name=f"kube-apiserver-{node}"))
    document["spec"]["nodeName"] = node
    running = {"startedAt": "2026-01-10T08:00:00Z"}
    container = {"name": "kube-apiserver", "restartCount": 3, "state": {"running": running}}
    document["status"] = {"containerStatuses": [{**container, **status}]}
    return document


def _cluster(*captures: Raw, pods: list[dict[str, Any]] | None = None) -> Cluster:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods or []})
    return assemble("c", [raw(Kind.API_SERVER_PODS, "kube pods", text, "kubernetes"), *captures])


def _manifest(node: str, *flags: str) -> Raw:
    path = f"node:{node}/etc/kubernetes/manifests/kube-apiserver.yaml"
    return raw(Kind.OBJECTS, path, pod(*flags), "node")


POLICY = raw(Kind.AUDIT_POLICY, "node:cp-1/etc/kubernetes/audit-policy.yaml", SOUND_POLICY, "node")


def test_a_policy_of_one_node_is_not_taken_for_that_of_another() -> None:
    cluster = _cluster(POLICY, pods=[_pod("cp-1", POLICY_FLAG), _pod("cp-2", POLICY_FLAG)])

    answers = [type(policy_of(cluster, replica)) for replica in replicas(cluster)]

    assert answers == [FoundPolicy, NoPolicyText]


def test_a_webhook_of_one_node_is_not_taken_for_that_of_another() -> None:
    config = raw(Kind.WEBHOOK_CONFIG, "node:cp-1/etc/kubernetes/w", WEBHOOK, "node")
    flag = "--audit-webhook-config-file=/etc/kubernetes/w"
    pods = [_pod(node, flag) for node in ("cp-1", "cp-2")]
    for each in pods:
        each["spec"]["containers"][0]["volumeMounts"].append(
            {"name": "w", "mountPath": "/etc/kubernetes/w"}
        )
        each["spec"]["volumes"].append({"name": "w", "hostPath": {"path": "/etc/kubernetes/w"}})

    cluster = _cluster(config, pods=pods)

    answers = [type(webhook_of(cluster, replica)) for replica in replicas(cluster)]
    assert answers == [FoundWebhook, NoWebhookText]


def test_a_manifest_and_its_pod_are_one_server() -> None:
    cluster = _cluster(_manifest("cp-1", POLICY_FLAG), pods=[_pod("cp-1", POLICY_FLAG)])

    assert [replica.name for replica in replicas(cluster)] == ["kube-system/kube-apiserver-cp-1"]


@pytest.mark.parametrize(
    ("node", "flags"),
    [("cp-2", (POLICY_FLAG,)), ("cp-1", (POLICY_FLAG, LOG_FLAG))],
    ids=["another-node", "other-flags"],
)
def test_a_manifest_that_says_something_else_stays(node: str, flags: tuple[str, ...]) -> None:
    cluster = _cluster(_manifest(node, *flags), pods=[_pod("cp-1", POLICY_FLAG)])

    assert len(replicas(cluster)) == 2


def test_a_pod_tells_its_node_its_start_and_its_restarts() -> None:
    (server,) = api_servers_in(_pod("cp-1", POLICY_FLAG)).servers

    assert (server.node, server.restarts) == ("cp-1", 3)
    assert server.started_at == datetime(2026, 1, 10, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "status",
    [
        {"state": {"waiting": {}}},
        {"state": {"running": {"startedAt": "yesterday"}}},
        {"state": {"running": {"startedAt": "2026-01-10T08:00:00"}}},
        {"state": {"running": {"startedAt": 7}}, "restartCount": "many"},
        {"name": "another"},
    ],
)
def test_a_status_that_does_not_tell_a_start_is_none(status: dict[str, Any]) -> None:
    (server,) = api_servers_in(_pod("cp-1", POLICY_FLAG, **status)).servers

    assert server.started_at is None
