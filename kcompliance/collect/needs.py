"""What each control needs to see of Kubernetes and of files, and the permission for it: one table.

`kcompliance preflight` asks by it, `docs/permissions.md` shows it, and the collector's own words
for a permission that is missing are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kcompliance.model.reading import Kind

__all__ = [
    "CONTROL_NEEDS",
    "FILES",
    "OF_FORWARDERS",
    "PERMISSIONS",
    "KubernetesPermission",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesPermission:
    """The right to one request: of objects, or with `path` of a non-resource URL."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    """"" where the objects are in no namespace, or are asked for in all of them."""
    everywhere: bool = False
    """Whether they are in namespaces, and asked for in all."""
    name: str = ""
    """Of one object; no part of the words, as a role for its namespace is what is granted."""
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{self.verb} on the non-resource URL {self.path}"
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in the namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} on {what}{' in all namespaces' if self.everywhere else where}"

    def in_namespace(self, namespace: str, name: str = "") -> "KubernetesPermission":
        """The same in one namespace."""
        return replace(self, namespace=namespace, name=name)


def _url(path: str) -> tuple[KubernetesPermission, ...]:
    return (KubernetesPermission(verb="get", path=path),)


def _list(resource: str, group: str = "", *, everywhere: bool = False) -> KubernetesPermission:
    return KubernetesPermission(verb="list", group=group, resource=resource, everywhere=everywhere)


_RBAC: Final = "rbac.authorization.k8s.io"

PERMISSIONS: Final[Mapping[Kind, tuple[KubernetesPermission, ...]]] = {
    Kind.VERSION: _url("/version"),
    Kind.API_SERVER_PODS: (_list("pods").in_namespace("kube-system"),),
    Kind.FLAGZ: _url("/flagz"),
    Kind.METRICS: _url("/metrics"),
    Kind.NODES: (_list("nodes"),),
    Kind.SERVICES: (_list("services", everywhere=True),),
    Kind.CRON_JOBS: (_list("cronjobs", "batch", everywhere=True),),
    Kind.RBAC: (
        _list("roles", _RBAC, everywhere=True),
        _list("clusterroles", _RBAC),
        _list("rolebindings", _RBAC, everywhere=True),
        _list("clusterrolebindings", _RBAC),
    ),
    Kind.DAEMON_SETS: (_list("daemonsets", "apps", everywhere=True),),
}
"""What the kubernetes collector asks of every cluster."""

OF_FORWARDERS: Final[Mapping[Kind, KubernetesPermission]] = {
    Kind.FORWARDER_PODS: _list("pods"),
    Kind.CONFIG_MAPS: KubernetesPermission(verb="get", resource="configmaps"),
}
"""What it asks in the namespaces of log forwarders and watchers, which the DaemonSets tell."""

_SERVER = "kube-apiserver's manifest, command line, or kubeadm, k3s, RKE2 or kops configuration"
FILES: Final[Mapping[Kind, str]] = {
    Kind.API_SERVER_PODS: _SERVER,
    Kind.OBJECTS: _SERVER,
    Kind.COMMAND_LINE: _SERVER,
    Kind.FLAGZ: _SERVER,
    Kind.AUDIT_POLICY: "the audit policy of a control-plane node",
    Kind.WEBHOOK_CONFIG: "the kubeconfig of --audit-webhook-config-file",
    Kind.VERSION: "what kubectl version -o json prints",
    Kind.METRICS: "what kubectl get --raw /metrics prints",
    Kind.NODE_FACTS: "a control-plane node's own files, by --node-root",
    Kind.KUBELET_CONFIG: "/var/lib/kubelet/config.yaml of each node",
    Kind.AUDITD_RULES: "/etc/audit/rules.d, or what auditctl -l prints",
    Kind.AUDITD_STATUS: "what auditctl -s prints",
    Kind.FALCO_RULES: "the rules files of Falco",
    Kind.APPROVED: "kcompliance.lock, which kcompliance approve writes",
    Kind.NODES: "what kubectl get nodes -o json prints",
    Kind.SERVICES: "what kubectl get services -A -o json prints",
    Kind.CRON_JOBS: "what kubectl get cronjobs -A -o json prints",
    Kind.DAEMON_SETS: "what kubectl get daemonsets -A -o json prints",
    Kind.FORWARDER_PODS: "what kubectl get pods -A -o json prints",
    Kind.CONFIG_MAPS: "the ConfigMaps of log forwarders and watchers",
    Kind.RBAC: (
        "what kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json prints"
    ),
}
"""What to give as a file, where there is no API or it is not to be asked."""

_FLAGS = (Kind.API_SERVER_PODS, Kind.OBJECTS, Kind.COMMAND_LINE, Kind.FLAGZ)
_POLICY = (*_FLAGS, Kind.AUDIT_POLICY, Kind.VERSION)

CONTROL_NEEDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "KC-AUD-005": _POLICY,
    "KC-AUD-006": (*_FLAGS, Kind.METRICS),
    "KC-AUD-007": _POLICY,
    "KC-AUD-008": _POLICY,
    "KC-CMP-001": _POLICY,
    "KC-CMP-002": _POLICY,
    "KC-CMP-003": _POLICY,
    "KC-CMP-004": _POLICY,
    "KC-CMP-005": _POLICY,
    "KC-CMP-006": _POLICY,
    "KC-CMP-007": _POLICY,
    "KC-CMP-009": (*_FLAGS, Kind.METRICS),
    "KC-CMP-010": (*_FLAGS, Kind.METRICS),
    "KC-CMP-012": (Kind.API_SERVER_PODS,),
    "KC-MON-001": (Kind.OBJECTS, Kind.NODES, Kind.DAEMON_SETS, Kind.FORWARDER_PODS),
    "KC-MON-002": (
        *_FLAGS,
        Kind.WEBHOOK_CONFIG,
        Kind.NODES,
        Kind.SERVICES,
        Kind.DAEMON_SETS,
        Kind.FORWARDER_PODS,
        Kind.CONFIG_MAPS,
    ),
    "KC-MON-004": (
        Kind.NODES,
        Kind.DAEMON_SETS,
        Kind.NODE_FACTS,
        Kind.AUDITD_RULES,
        Kind.AUDITD_STATUS,
    ),
    "KC-PRO-001": (*_FLAGS, Kind.NODE_FACTS),
    "KC-PRO-002": (*_POLICY, Kind.WEBHOOK_CONFIG, Kind.APPROVED),
    "KC-PRO-003": (*_FLAGS, Kind.AUDIT_POLICY, Kind.NODE_FACTS),
    "KC-PRO-004": (
        *_FLAGS,
        Kind.NODES,
        Kind.DAEMON_SETS,
        Kind.CONFIG_MAPS,
        Kind.NODE_FACTS,
        Kind.AUDITD_RULES,
        Kind.AUDITD_STATUS,
        Kind.FALCO_RULES,
    ),
    "KC-PRO-005": (*_FLAGS, Kind.WEBHOOK_CONFIG),
    "KC-PRO-011": (Kind.SERVICES,),
    "KC-PRO-012": (*_FLAGS, Kind.RBAC, Kind.KUBELET_CONFIG),
    "KC-RET-003": (Kind.CRON_JOBS,),
    "KC-RET-011": (*_FLAGS, Kind.VERSION),
}
"""The kinds of reading without which a control cannot answer all it asks.

Of what they need of clouds, stores and archives `cloud_needs` tells.
"""
