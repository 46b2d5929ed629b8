"""What is asked once: the version, the counters, the flags, and the pods of kube-apiserver."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kcompliance.collect.kubernetes.connection import Answer, Failed, NotThere, Outcome, get
from kcompliance.collect.kubernetes.listing import list_objects
from kcompliance.collect.recognise import redact_environment
from kcompliance.model.apiserver import api_servers_in
from kcompliance.model.kubernetes_version import KubernetesVersion

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["FLAGZ_JSON", "FLAGZ_SINCE", "NAMESPACE", "flagz", "metrics", "pods", "version"]

FLAGZ_SINCE = KubernetesVersion(1, 36)
MAX_PAGES = 100
NAMESPACE = "kube-system"
FLAGZ_JSON = "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"
"""The server answers plain text to any other Accept header, which its makers call unstable."""


def version(api: "ApiClient") -> Outcome:
    """The answer of `/version`, which every authenticated user may read."""
    return get(api, "/version", "get on the non-resource URL /version")


def metrics(api: "ApiClient") -> Outcome:
    """The audit counters of `/metrics`."""
    permission = "get on the non-resource URL /metrics"
    answer = get(api, "/metrics", permission, accept="text/plain")
    if not isinstance(answer, Answer):
        return answer
    lines = answer.content.splitlines(keepends=True)
    return Answer(b"".join(line for line in lines if b"apiserver_audit_" in line))


def flagz(api: "ApiClient") -> Outcome:
    """The effective flags, as JSON."""
    permission = "get on the non-resource URL /flagz"
    answer = get(api, "/flagz", permission, accept=FLAGZ_JSON)
    if isinstance(answer, Failed) and answer.reason.startswith("406"):
        return NotThere("406: the server has /flagz only as text, whose form is not stable")
    return answer


def pods(api: "ApiClient") -> Outcome:
    """The pods that run kube-apiserver, as one v1 List."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    permission = f"list on pods in the namespace {NAMESPACE}"
    found = list_objects(api, path, permission, _api_server, max_pages=MAX_PAGES)
    if not isinstance(found, list):
        return found
    kept = {"apiVersion": "v1", "kind": "List", "items": found}
    redactions = redact_environment(kept, "")
    return Answer(json.dumps(kept, ensure_ascii=False).encode(), tuple(redactions))


def _api_server(pod: Mapping[str, Any]) -> dict[str, Any] | None:
    named = {**pod, "kind": "Pod", "apiVersion": "v1"}
    found = api_servers_in(named)
    return named if found.servers or found.problems else None
