"""Trees of nodes as kubeadm, k3s and RKE2 lay them out, below a folder of a test."""

import os
from pathlib import Path

from kcompliance.collect.node.collector import collect_node, open_node
from kcompliance.model.node_facts import NodeFacts, read_node_facts
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from tests.captures import LOG_FLAG, NOW, POLICY_FLAG, ROTATION_FLAGS, SOUND_POLICY, pod

__all__ = ["MANIFEST", "POLICY", "collected", "facts_of", "gaps", "k3s", "kubeadm", "put", "rke2"]

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
POLICY = "/etc/kubernetes/audit-policy.yaml"
WEBHOOK = """\
apiVersion: v1
kind: Config
current-context: audit
contexts: [{name: audit, context: {cluster: audit, user: sender}}]
clusters: [{name: audit, cluster: {server: "https://audit.example/events"}}]
users: [{name: sender, user: {token: hunter2-token}}]
"""


def put(root: Path, path: str, content: str | bytes = "", mode: int = 0o600) -> Path:
    """A file of the node; folders on the way are made."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    return file


def kubeadm(root: Path, *flags: str, name: str = "cp-1") -> Path:
    """A control-plane node with a manifest, a policy and a log."""
    put(root, "/etc/hostname", f"{name}\n", 0o644)
    put(root, MANIFEST, pod(*(flags or (POLICY_FLAG, LOG_FLAG)), *ROTATION_FLAGS))
    put(root, POLICY, SOUND_POLICY)
    put(root, "/var/log/kubernetes/audit/audit.log", "hunter2-line\n")
    (root / "var/log/kubernetes/audit").chmod(0o700)
    put(root, "/var/lib/kubelet/config.yaml", _KUBELET)
    return root


_KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /etc/kubernetes/manifests
authentication: {anonymous: {enabled: false}}
"""


def k3s(root: Path) -> Path:
    """A k3s server: a configuration, another that adds to it, and a unit."""
    put(root, "/etc/hostname", "edge-1\n", 0o644)
    put(
        root,
        "/etc/rancher/k3s/config.yaml",
        "token: hunter2-token\nkube-apiserver-arg:\n"
        "  - audit-policy-file=/var/lib/rancher/k3s/server/audit.yaml\n",
    )
    put(
        root,
        "/etc/rancher/k3s/config.yaml.d/20-log.yaml",
        "kube-apiserver-arg+:\n  - audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log\n",
    )
    put(
        root,
        "/etc/systemd/system/k3s.service",
        "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n    '--disable=traefik' \\\n",
    )
    put(root, "/var/lib/rancher/k3s/server/audit.yaml", SOUND_POLICY)
    put(root, "/var/lib/rancher/k3s/server/logs/audit.log", "{}\n")
    return root


def rke2(root: Path) -> Path:
    """An RKE2 server, which makes a manifest of its configuration."""
    put(root, "/etc/hostname", "rke-1\n", 0o644)
    put(root, "/etc/rancher/rke2/config.yaml", "token: hunter2-token\nprofile: cis\n")
    policy = "--audit-policy-file=/etc/rancher/rke2/audit-policy.yaml"
    log = "--audit-log-path=/var/lib/rancher/rke2/server/logs/audit.log"
    manifest = pod(policy, log, *ROTATION_FLAGS).replace(
        POLICY, "/etc/rancher/rke2/audit-policy.yaml"
    )
    manifest = manifest.replace("/var/log/kubernetes/audit", "/var/lib/rancher/rke2/server/logs")
    put(root, "/var/lib/rancher/rke2/agent/pod-manifests/kube-apiserver.yaml", manifest)
    put(root, "/etc/rancher/rke2/audit-policy.yaml", SOUND_POLICY)
    put(root, "/var/lib/rancher/rke2/server/logs/audit.log", "{}\n")
    return root


def collected(root: Path, name: str | None = None) -> tuple[Capture, ...]:
    """All captures of the node."""
    return collect_node(open_node(str(root), name), NOW, lambda what: None)


def facts_of(captures: tuple[Capture, ...]) -> NodeFacts:
    """The facts among captures."""
    (raw,) = [c for c in captures if isinstance(c, Raw) and c.origin.kind is Kind.NODE_FACTS]
    facts = read_node_facts(raw.content)
    assert isinstance(facts, NodeFacts), facts
    return facts


def gaps(captures: tuple[Capture, ...]) -> list[Unreadable]:
    """What was there and could not be read."""
    return [capture for capture in captures if isinstance(capture, Unreadable)]


def at(path: Path, when: float) -> Path:
    """The same file, last written at this time."""
    os.utime(path, (when, when))
    return path
