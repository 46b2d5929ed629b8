"""API servers as the tools that set clusters up describe them.

Sources: kubeadm.k8s.io v1beta1 to v1beta4 and kubeadm's `app/phases/controlplane/volumes.go`,
k3s `--config`, RKE2 `pkg/podexecutor/staticpod.go`, kops v1alpha2 and v1alpha3
`KubeAPIServerConfig`, kubecontrolplane.config.openshift.io/v1.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from kcompliance.model.apiserver.arguments import Arguments, parse_argv
from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.apiserver.server import ApiServer, HostPath, Mount
from kcompliance.model.kubernetes_version import KubernetesVersion

__all__ = [
    "is_k3s_configuration",
    "server_of_k3s",
    "server_of_kops",
    "server_of_kubeadm",
    "server_of_openshift",
]

_NAME = "kube-apiserver"


def server_of_kubeadm(
    configuration: object, *, name: str = _NAME, kind: str = "ClusterConfiguration"
) -> ApiServer:
    """What kubeadm makes of a ClusterConfiguration; flags that it adds itself are not here."""
    pairs, problems = _kubeadm_arguments(at(configuration, "apiServer", "extraArgs"))
    if at(configuration, "apiServerExtraArgs") is not None:
        problems.append("apiServerExtraArgs is of an apiVersion that is not read here")
    return ApiServer(
        name=name,
        source=kind,
        arguments=_arguments(pairs, problems),
        version=KubernetesVersion.parse(text(at(configuration, "kubernetesVersion")) or ""),
        mounts=tuple(_kubeadm_mounts(configuration)),
    )


def is_k3s_configuration(document: Mapping[str, object]) -> bool:
    """Whether this is a `config.yaml` of a k3s or RKE2 server; an agent's is not one."""
    return "kind" not in document and any(key.rstrip("+") in _K3S_KEYS for key in document)


def server_of_k3s(document: Mapping[str, object]) -> ApiServer:
    """The server that k3s or RKE2 starts with this `config.yaml` and no other options."""
    given = [*_k3s_arguments(document, "kube-apiserver-arg")]
    mounts = None
    tool = "k3s"
    if any(key.rstrip("+") in _RKE2_KEYS for key in document):
        tool = "RKE2"
        given = [*_rke2_audit_defaults(document, given), *given]
        mounts = tuple(_rke2_mounts(document))
    return ApiServer(
        name=_NAME,
        source=f"{tool} config.yaml",
        arguments=parse_argv(["--" + each.removeprefix("--") for each in given]),
        mounts=mounts,
        on_host=True,
    )


def server_of_kops(cluster: object) -> ApiServer:
    """The audit flags of a kops Cluster; its other settings are not read.

    kops mounts the folder of the log and that of the policy at their own paths.
    """
    settings = mapping(at(cluster, "spec", "kubeAPIServer"))
    pairs = [
        (_KOPS_NAMES.get(key, _kebab(key)), value)
        for key, each in settings.items()
        if key.startswith("audit") and (value := text(each)) is not None
    ]
    return ApiServer(
        name=_NAME,
        source="kops Cluster",
        arguments=_arguments(pairs, []),
        version=KubernetesVersion.parse(text(at(cluster, "spec", "kubernetesVersion")) or ""),
        on_host=True,
    )


def server_of_openshift(configuration: object, *, name: str = _NAME) -> ApiServer:
    """The arguments in a KubeAPIServerConfig: a list for each flag."""
    arguments = mapping(at(configuration, "apiServerArguments"))
    pairs = [
        (flag, value)
        for flag, values in arguments.items()
        for value in texts(values if isinstance(values, list) else [values])
    ]
    return ApiServer(name=name, source="KubeAPIServerConfig", arguments=_arguments(pairs, []))


def _arguments(pairs: list[tuple[str, str]], problems: list[str]) -> Arguments:
    arguments = parse_argv([f"--{name.removeprefix('--')}={value}" for name, value in pairs])
    return replace(arguments, problems=(*arguments.problems, *problems))


# --- kubeadm -------------------------------------------------------------------------------


def _kubeadm_arguments(extra: object) -> tuple[list[tuple[str, str]], list[str]]:
    """A mapping up to v1beta3, a list of `{name, value}` in v1beta4."""
    pairs: list[tuple[str, str]] = []
    problems: list[str] = []
    if isinstance(extra, list):
        named = [(at(each, "name"), at(each, "value")) for each in extra]
    elif isinstance(extra, Mapping):
        named = list(extra.items())
    else:
        if extra is not None:
            problems.append("apiServer.extraArgs is neither a mapping nor a list")
        return pairs, problems
    for given_name, given_value in named:
        name = text(given_name)
        value = "" if given_value is None else text(given_value)
        if name and value is not None:
            pairs.append((name, value))
        else:
            problems.append("apiServer.extraArgs has an entry that is no name and value")
    return pairs, problems


def _kubeadm_mounts(configuration: object) -> Iterator[Mount]:
    certificates = text(at(configuration, "certificatesDir")) or "/etc/kubernetes/pki"
    for path in (certificates, "/etc/ssl/certs"):
        yield Mount(path=path, source=HostPath(path=path), read_only=True)
    for volume in map(mapping, sequence(at(configuration, "apiServer", "extraVolumes"))):
        inside, host = text(volume.get("mountPath")), text(volume.get("hostPath"))
        if inside and host:
            read_only = text(volume.get("readOnly")) == "true"
            yield Mount(path=inside, source=HostPath(path=host), read_only=read_only)


# --- k3s and RKE2 --------------------------------------------------------------------------

_RKE2_KEYS = frozenset(
    {
        "audit-policy-file",
        "cni",
        "control-plane-probe-configuration",
        "control-plane-resource-limits",
        "control-plane-resource-requests",
        "kube-apiserver-extra-env",
        "kube-apiserver-extra-mount",
        "kube-apiserver-image",
        "pod-security-admission-config-file",
        "profile",
    }
)
_K3S_KEYS = frozenset(
    {
        "audit-policy-file",
        "cluster-init",
        "disable-apiserver",
        "etcd-arg",
        "kube-apiserver-arg",
        "kube-apiserver-extra-env",
        "kube-apiserver-extra-mount",
        "kube-controller-manager-arg",
        "kube-scheduler-arg",
        "secrets-encryption",
        "write-kubeconfig-mode",
    }
)


def _k3s_arguments(document: Mapping[str, object], key: str) -> Iterator[str]:
    """One text or a list of them; a `+` behind the key adds to what other files hold."""
    for name in (key, f"{key}+"):
        value = document.get(name)
        if isinstance(value, list):
            yield from texts(value)
        elif (single := text(value)) is not None:
            yield single


def _rke2_audit_defaults(document: Mapping[str, object], given: list[str]) -> list[str]:
    """With a policy file or a CIS profile RKE2 turns the log on, and makes a policy of None."""
    policy = text(document.get("audit-policy-file"))
    if not policy and (text(document.get("profile")) or "").startswith("cis"):
        policy = "/etc/rancher/rke2/audit-policy.yaml"
    if not policy:
        return []
    data = text(document.get("data-dir")) or "/var/lib/rancher/rke2"
    defaults = [
        f"audit-policy-file={policy}",
        "audit-log-maxage=30",
        "audit-log-maxbackup=10",
        "audit-log-maxsize=100",
    ]
    if any(each.removeprefix("--").startswith("audit-log-path=") for each in given):
        return defaults
    return [*defaults, f"audit-log-path={data}/server/logs/audit.log"]


def _rke2_mounts(document: Mapping[str, object]) -> Iterator[Mount]:
    """`/on/the/node:/in/the/container`, with `:ro` or `:rw` behind."""
    for given in _k3s_arguments(document, "kube-apiserver-extra-mount"):
        host, _, rest = given.partition(":")
        path, _, mode = rest.partition(":")
        if host and path:
            yield Mount(path=path, source=HostPath(path=host), read_only=mode == "ro")


# --- kops ----------------------------------------------------------------------------------

_KOPS_NAMES = {
    "auditLogMaxAge": "audit-log-maxage",
    "auditLogMaxBackups": "audit-log-maxbackup",
    "auditLogMaxSize": "audit-log-maxsize",
}


def _kebab(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: "-" + found[0].lower(), name)
