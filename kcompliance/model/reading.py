"""What a collector brought back: seen, positively not there, or not readable. Never None or [].

A *capture* is the raw form (bytes with their origin), which is what a bundle stores; a *reading*
is what was understood of it. Live scans and scans of a bundle share everything from the captures
on, so they cannot come to different findings.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from kcompliance.model.digest import Sha256, sha256

__all__ = [
    "REDACTED",
    "Absent",
    "Capture",
    "Kind",
    "Origin",
    "Raw",
    "Reading",
    "Seen",
    "Unreadable",
]

T = TypeVar("T")

REDACTED = "REDACTED"
"""What a collector writes over a value that may be a secret: no reader may take it for one."""


class Kind(StrEnum):
    """What a capture holds, and so which parser it belongs to."""

    ENDPOINT = "endpoint"
    """JSON `{"server": URL}`: where the API server was reached."""
    VERSION = "version"
    """The answer of `/version`."""
    METRICS = "metrics"
    """The answer of `/metrics`, Prometheus text."""
    FLAGZ = "flagz"
    """The answer of `/flagz`, JSON kind Flagz."""
    API_SERVER_PODS = "api-server-pods"
    """A v1 List of the pods that run kube-apiserver."""
    OBJECTS = "objects"
    """Kubernetes objects: YAML documents, a List, a static manifest, a kubeadm or k3s config."""
    COMMAND_LINE = "command-line"
    """A kube-apiserver's command line, as ps or /proc show it."""
    AUDIT_POLICY = "audit-policy"
    """An audit policy file."""
    WEBHOOK_CONFIG = "webhook-config"
    """A kubeconfig with which audit events are posted, without its credentials."""
    AKS_CLUSTER = "aks-cluster"
    """A managedClusters resource, as ARM or `az aks show` writes it."""
    EKS_CLUSTER = "eks-cluster"
    """The answer of `aws eks describe-cluster`."""
    NODES = "nodes"
    """A v1 List of every node."""
    DAEMON_SETS = "daemon-sets"
    """A v1 List of every DaemonSet."""
    FORWARDER_PODS = "forwarder-pods"
    """A v1 List of the pods of the DaemonSets that look like log forwarders."""
    CONFIG_MAPS = "config-maps"
    """A v1 List of the ConfigMaps that forwarders and watchers mount, without secrets."""
    SERVICES = "services"
    """A v1 List of every Service."""
    CRON_JOBS = "cron-jobs"
    """A v1 List of every CronJob."""
    RBAC = "rbac"
    """A v1 List of every Role, ClusterRole, RoleBinding and ClusterRoleBinding."""
    NODE_FACTS = "node-facts"
    """JSON: modes, owners, sizes and times of files of one node, and processes that run on it."""
    AUDITD_RULES = "auditd-rules"
    """Rules of the kernel's audit, as a file of rules or `auditctl -l` writes them."""
    AUDITD_STATUS = "auditd-status"
    """What `auditctl -s` printed."""
    FALCO_RULES = "falco-rules"
    """A rules file of Falco."""
    APPROVED = "approved"
    """A kcompliance.lock: what somebody approved of."""
    FILE = "file"
    """A file that could not be recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where and when something was asked for."""

    kind: Kind
    resource: str
    """What was read, in the words of its source: a path, or `kube:CONTEXT /version`."""
    collector: str
    collected_at: datetime
    """Aware, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """The bytes that came back, after redaction; `redactions` are JSON pointers."""

    origin: Origin
    content: bytes
    redactions: tuple[str, ...] = ()

    @property
    def sha256(self) -> Sha256:
        """Digest of exactly the bytes that a bundle stores."""
        return sha256(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """It was asked for and did not come: refused, failed, cut off, or not to be understood.

    `permission` is what would have to be granted, where that is the reason.
    """

    origin: Origin
    reason: str
    permission: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The source answered that there is no such thing (a server without this feature)."""

    origin: Origin
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[T]):
    """What was read, and the bytes it was read from."""

    value: T
    raw: Raw


Capture = Raw | Unreadable | Absent
Reading = Seen[T] | Unreadable | Absent
