"""What nobody unexpected should be able to ask of a cluster whose audit trail is to be trusted.

Sources: Kubernetes documentation "RBAC good practices" (privilege escalation risks) and "API server
bypass risks"; k8s.io/kubernetes 1.36 `pkg/kubelet/server/auth.go`, `pkg/registry/rbac/
escalation_check.go`, k8s.io/apiserver 1.36 `pkg/endpoints/filters/impersonation`.
"""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from kcompliance.model.rbac.grants import Rule

__all__ = ["CLUSTER_WIDE", "WANTS", "Reach", "Want"]


@unique
class Reach(Enum):
    """What somebody gains who may ask for it."""

    BYPASS = "acts where kube-apiserver does not see or limit it; cluster-wide"
    IDENTITY = "is another user or group; cluster-wide"
    ANY_RIGHT = "gives itself the rights of roles; cluster-wide, or in one namespace"
    SECRETS = "reads the secrets of a namespace, tokens among them"
    RUN = "runs what it likes in the pods of a namespace, as any of its service accounts"
    ACCOUNT = "is a service account of a namespace"
    DISABLE = "stops or changes what collects and watches, in a namespace"
    DISABLE_ALL = "stops or changes it cluster-wide"
    READ = "reads what is logged and the credentials of its stores, in a namespace"
    READ_ALL = "reads it of every node"
    LIFT = "lifts the Pod Security of a namespace"
    DISK = "offers a node's disk as a PersistentVolume; cluster-wide"
    WEBHOOKS = "sees and changes what is admitted; cluster-wide"


CLUSTER_WIDE: Final = frozenset(
    {
        Reach.BYPASS,
        Reach.IDENTITY,
        Reach.DISABLE_ALL,
        Reach.READ_ALL,
        Reach.DISK,
        Reach.WEBHOOKS,
    }
)
"""Objects outside of namespaces: a RoleBinding never grants them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Any of these verbs on one kind of object; `names` limits it to objects of these names."""

    reach: Reach
    words: str
    """Completes `may …`; `{namespace}` is where."""
    verbs: frozenset[str]
    group: str
    resource: str
    subresource: str = ""
    names: frozenset[str] | None = None

    def granted_by(self, rule: Rule) -> bool:
        """Whether the rule allows it for at least one object."""
        if not rule.covers(self.group, self.resource, self.subresource):
            return False
        if self.names is not None and rule.names and self.names.isdisjoint(rule.names):
            return False
        verbs = self.verbs if "*" in rule.verbs else self.verbs.intersection(rule.verbs)
        # A new object and a whole collection are asked for without a name, which no rule with
        # resourceNames allows.
        nameless = {"deletecollection", *(() if self.subresource else ("create",))}
        return bool(verbs - nameless if rule.names else verbs)


_READ: Final = ("get", "list", "watch")
_CHANGE: Final = ("update", "patch", "delete", "deletecollection")
_WRITE: Final = ("create", "update", "patch")
_RBAC: Final = "rbac.authorization.k8s.io"
_MONITORING: Final = "monitoring.coreos.com"
_FALCO: Final = "artifact.falcosecurity.dev"
_SIGNERS: Final = frozenset(
    {
        "kubernetes.io/*",
        "kubernetes.io/kube-apiserver-client",
        "kubernetes.io/kube-apiserver-client-kubelet",
    }
)


def _wants(
    reach: Reach,
    words: str,
    verbs: tuple[str, ...],
    group: str,
    *resources: str,
    names: frozenset[str] | None = None,
) -> tuple[Want, ...]:
    """One for each resource, which may be `pods/exec`."""
    return tuple(
        Want(
            reach=reach,
            words=words,
            verbs=frozenset(verbs),
            group=group,
            resource=each.partition("/")[0],
            subresource=each.partition("/")[2],
            names=names,
        )
        for each in resources
    )


_RUN_WORDS: Final = "run pods in {namespace}, as any service account there"
_STOP_WORDS: Final = "change or delete what collects and watches in {namespace}"

WANTS: Final[tuple[Want, ...]] = (
    # A kubelet maps GET, POST, PUT, PATCH and DELETE to these. GET is enough to run commands: a
    # WebSocket handshake is a GET.
    *_wants(
        Reach.BYPASS,
        "run commands in any pod through the kubelets, past the audit of kube-apiserver",
        ("get", *_WRITE, "delete"),
        "",
        "nodes/proxy",
    ),
    *_wants(
        Reach.BYPASS,
        "approve client certificates for whomever it likes",
        ("approve",),
        "certificates.k8s.io",
        "signers",
        names=_SIGNERS,
    ),
    *_wants(Reach.IDENTITY, "be another user", ("impersonate",), "", "users", "groups"),
    *_wants(
        Reach.IDENTITY,
        "be another user",
        ("impersonate:user-info",),
        "authentication.k8s.io",
        "users",
        "groups",
    ),
    *_wants(
        Reach.ANY_RIGHT,
        "give itself rights that it does not have",
        ("bind", "escalate"),
        _RBAC,
        "clusterroles",
        "roles",
    ),
    *_wants(Reach.SECRETS, "read the secrets of {namespace}", _READ, "", "secrets"),
    *_wants(Reach.RUN, _RUN_WORDS, _WRITE, "", "pods", "replicationcontrollers"),
    *_wants(
        Reach.RUN,
        _RUN_WORDS,
        _WRITE,
        "apps",
        "daemonsets",
        "deployments",
        "replicasets",
        "statefulsets",
    ),
    *_wants(Reach.RUN, _RUN_WORDS, _WRITE, "batch", "cronjobs", "jobs"),
    *_wants(
        Reach.RUN,
        "run commands in the pods of {namespace}",
        ("get", "create"),
        "",
        "pods/exec",
        "pods/attach",
    ),
    *_wants(
        Reach.RUN,
        "run containers in the pods of {namespace}",
        ("update", "patch"),
        "",
        "pods/ephemeralcontainers",
    ),
    *_wants(
        Reach.ACCOUNT,
        "get tokens of service accounts of {namespace}",
        ("create",),
        "",
        "serviceaccounts/token",
    ),
    *_wants(
        Reach.ACCOUNT,
        "be service accounts of {namespace}",
        ("impersonate",),
        "",
        "serviceaccounts",
    ),
    *_wants(
        Reach.ACCOUNT,
        "be service accounts of {namespace}",
        ("impersonate:serviceaccount",),
        "authentication.k8s.io",
        "serviceaccounts",
    ),
    # --- what collects, ships and watches
    *_wants(
        Reach.DISABLE,
        _STOP_WORDS,
        _CHANGE,
        "apps",
        "daemonsets",
        "deployments",
        "replicasets",
        "statefulsets",
    ),
    *_wants(
        Reach.DISABLE,
        _STOP_WORDS,
        ("update", "patch"),
        "apps",
        "deployments/scale",
        "replicasets/scale",
        "statefulsets/scale",
    ),
    *_wants(Reach.DISABLE, _STOP_WORDS, _CHANGE, "batch", "cronjobs", "jobs"),
    *_wants(
        Reach.DISABLE,
        _STOP_WORDS,
        _CHANGE,
        "",
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    *_wants(Reach.DISABLE, "evict pods from {namespace}", ("create",), "", "pods/eviction"),
    *_wants(Reach.DISABLE, "delete the namespace {namespace}", ("delete",), "", "namespaces"),
    *_wants(
        Reach.DISABLE,
        "cut the network of {namespace}",
        _WRITE,
        "networking.k8s.io",
        "networkpolicies",
    ),
    *_wants(
        Reach.DISABLE, "take rights away in {namespace}", _CHANGE, _RBAC, "roles", "rolebindings"
    ),
    *_wants(
        Reach.DISABLE,
        "change the alerts in {namespace}",
        _CHANGE,
        _MONITORING,
        "alertmanagerconfigs",
        "alertmanagers",
        "podmonitors",
        "prometheuses",
        "prometheusrules",
        "servicemonitors",
    ),
    *_wants(
        Reach.DISABLE,
        "change the rules of Falco in {namespace}",
        _CHANGE,
        _FALCO,
        "configs",
        "plugins",
        "rulesfiles",
    ),
    *_wants(
        Reach.DISABLE_ALL,
        "take rights away from what collects and watches",
        _CHANGE,
        _RBAC,
        "clusterroles",
        "clusterrolebindings",
    ),
    *_wants(
        Reach.DISABLE_ALL,
        "delete alert rules and the like with their definition",
        ("delete", "deletecollection"),
        "apiextensions.k8s.io",
        "customresourcedefinitions",
    ),
    # --- what is logged
    *_wants(Reach.READ, "read the secrets of {namespace}", _READ, "", "secrets"),
    *_wants(Reach.READ, "read the logs of pods in {namespace}", ("get",), "", "pods/log"),
    *_wants(
        Reach.READ,
        "read files in the pods of {namespace}",
        ("get", "create"),
        "",
        "pods/exec",
        "pods/attach",
    ),
    *_wants(
        Reach.READ_ALL,
        "read /var/log of every node through its kubelet",
        ("get", "create"),
        "",
        "nodes/log",
        "nodes/proxy",
    ),
    # --- what counts together with something else, or is only told
    *_wants(
        Reach.LIFT,
        "lift the Pod Security of {namespace} and run pods there",
        ("update", "patch"),
        "",
        "namespaces",
    ),
    *_wants(
        Reach.DISK,
        "mount the disk of a node through a PersistentVolume of its own",
        ("create",),
        "",
        "persistentvolumes",
    ),
    *_wants(
        Reach.WEBHOOKS,
        "write admission webhooks",
        _WRITE,
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    ),
)
