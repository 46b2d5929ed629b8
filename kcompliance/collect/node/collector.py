"""Looks at one node through its own folders: `--node-root`. Nothing is written, nothing asked.

What it reads: the manifests or the configuration that start kube-apiserver there (kubeadm, k3s,
RKE2), the files that those name, rules of auditd and Falco, and, where /proc is the node's, which
processes of interest run. Of a log only names, sizes, times, modes and owners are looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from kcompliance.collect.interface import Progress
from kcompliance.collect.kubeconfig import without_credentials
from kcompliance.collect.node.k3s import TOOLS, Configuration, Tool, read_configuration
from kcompliance.collect.node.look import MOST_FACTS, Look
from kcompliance.collect.node.processes import processes
from kcompliance.collect.node.root import NodeRoot
from kcompliance.collect.recognise import recognise
from kcompliance.errors import UsageError
from kcompliance.model.apiserver import ApiServer, HostPath, audit_settings, find_arguments
from kcompliance.model.assemble import assemble
from kcompliance.model.audit_log_files import log_rate
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.kubelet_config import is_kubelet_config, kubelet_fields
from kcompliance.model.node_facts import FileType, NodeFacts, write_node_facts
from kcompliance.model.on_node import path_on_node
from kcompliance.model.reading import Capture, Kind, Raw

__all__ = ["Node", "collect_node", "open_node"]

MANIFESTS: Final = "/etc/kubernetes/manifests"
KUBELET: Final = "/var/lib/kubelet/config.yaml"
AUDITD_RULES: Final = "/etc/audit/rules.d"
AUDITD_FILES: Final = ("/etc/audit/auditd.conf", "/run/auditd.pid")
FALCO: Final = "/etc/falco"
MOST_MANIFESTS: Final = 200
MOST_LOG_FILES: Final = 5_000
MOST_RULE_FILES: Final = 500

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The folder at which a node's / is to be seen, and the node's name."""

    root: Path
    name: str


def open_node(root: str, name: str | None) -> Node:
    """The node below a root; without a name that of its /etc/hostname.

    Raises UsageError where the root is no folder or the name is none that a node can have.
    """
    path = Path(root)
    with NodeRoot(path) as tree:
        if name is None:
            _, data = tree.read("/etc/hostname", 4096)
            name = (data or b"").decode("utf-8", "replace").strip().lower()
            if not _NAME.fullmatch(name):
                raise UsageError(
                    f'the node below "{root}" does not tell its name in /etc/hostname',
                    "name it as Kubernetes does: --node-name NAME",
                )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" is no name of a node', "see the first column of kubectl get nodes"
        )
    return Node(root=path, name=name)


def collect_node(node: Node, now: datetime, progress: Progress) -> tuple[Capture, ...]:
    """Everything of interest on a node. The last capture is that of its facts."""
    with NodeRoot(node.root) as root:
        running = processes(root)
        look = Look(root=root, node=node.name, now=now, progress=progress, running=running)
        _servers(look)
        for server in _api_servers(look):
            _files_of_server(look, server)
        _auditd(look)
        _falco(look)
        if look.full:
            look.gap(Kind.NODE_FACTS, "", f"more than {MOST_FACTS} paths: the rest was not kept")
        return (*look.captures, _facts(look))


# --- what starts kube-apiserver here -------------------------------------------------------------


def _servers(look: Look) -> None:
    for folder in dict.fromkeys((MANIFESTS, *_static_pods(look))):
        _manifests(look, folder)
    for tool in TOOLS:
        _tool(look, tool)
    if not _api_servers(look):
        for process in look.running or ():
            if find_arguments(process.arguments, ()) is not None:
                text = "\0".join(process.arguments).encode()
                look.keep(Kind.COMMAND_LINE, f"/proc/{process.pid}/cmdline", text)


def _static_pods(look: Look) -> Iterator[str]:
    """The folder that the kubelet's configuration names."""
    found, data = look.read(KUBELET, digest=True)
    look.unread(Kind.KUBELET_CONFIG, KUBELET, found)
    if data is None:
        look.unread(Kind.OBJECTS, KUBELET, found)  # where its manifests lie is not known
        return
    try:
        documents = read_documents(data)
    except (Malformed, Unsure) as error:
        look.gap(Kind.KUBELET_CONFIG, KUBELET, f"could not be read: {error}")
        return
    config = documents[0] if documents else None
    if not (isinstance(config, dict) and is_kubelet_config(config)):
        look.gap(Kind.KUBELET_CONFIG, KUBELET, "could not be read: no KubeletConfiguration")
        return
    try:
        look.keep(Kind.KUBELET_CONFIG, KUBELET, kubelet_fields(config))
    except ValueError as error:
        look.gap(Kind.KUBELET_CONFIG, KUBELET, f"could not be read: {error}")
    path = config.get("staticPodPath")
    if isinstance(path, str) and path.startswith("/"):
        yield str(PurePosixPath(path))


def _manifests(look: Look, folder: str) -> None:
    """The kubelet runs every file there that begins with no dot, whatever its ending."""
    for path in look.folder(folder, MOST_MANIFESTS, Kind.OBJECTS):
        if PurePosixPath(path).name.startswith("."):
            continue
        found, data = look.read(path, digest=True)
        if found.facts.type is FileType.FOLDER:
            continue  # the kubelet does not go into folders
        if data is None:
            look.unread(Kind.OBJECTS, path, found)
            continue
        try:
            recognised = recognise(data)
        except (Malformed, Unsure) as error:
            look.gap(Kind.OBJECTS, path, f"could not be read: {error}")
            continue
        if recognised is not None and recognised.kind is Kind.OBJECTS:
            look.keep(Kind.OBJECTS, path, recognised.content, recognised.redactions)


def _tool(look: Look, tool: Tool) -> None:
    """RKE2 makes a manifest of its configuration: that one counts where there is one."""
    read = read_configuration(look.root, tool)
    look.stat(tool.folder)
    for found in read.found:
        look.tell(found)
    if tool.name == "rke2":
        manifests = f"{read.data or tool.data}/agent/pod-manifests"
        before = len(_api_servers(look))
        _manifests(look, manifests)
        if len(_api_servers(look)) > before:
            return
    _configuration(look, tool, read)


def _configuration(look: Look, tool: Tool, read: Configuration) -> None:
    text = read.text()
    if text is None and not _runs_server(look, tool):
        return
    for path, reason in read.problems:
        look.gap(Kind.OBJECTS, path, reason, refused=True)
    read.is_server = True
    content, redactions = text or read.text() or (b"", ())
    source = read.sources[0] if read.sources else f"{tool.folder}/config.yaml"
    look.keep(Kind.OBJECTS, source, content, redactions)


def _runs_server(look: Look, tool: Tool) -> bool:
    return any(
        process.name in (tool.name, f"{tool.name}-server") and "server" in process.arguments[:2]
        for process in look.running or ()
    )


def _api_servers(look: Look) -> tuple[ApiServer, ...]:
    return tuple(seen.value for seen in assemble(look.node, look.captures).api_servers)


# --- the files that it is told -------------------------------------------------------------------


def _files_of_server(look: Look, server: ApiServer) -> None:
    settings = audit_settings(server.arguments, server.version)
    for kind, named in (
        (Kind.AUDIT_POLICY, settings.policy_file),
        (Kind.WEBHOOK_CONFIG, settings.webhook_config_file),
    ):
        path = _on_node(server, named)
        if path is None or _has(look, kind, path):
            continue
        look.stat(str(PurePosixPath(path).parent))
        found = look.stat(path)
        base = _mounted(look, server, named)
        if base is not None and not found.missing and not _is_in(found.facts.path, base):
            look.gap(kind, path, f"a link out of {base}, which is all that its container sees")
        elif kind is Kind.AUDIT_POLICY:
            _policy(look, path)
        else:
            _webhook(look, path)
    log = _on_node(server, settings.log_path)
    if log is not None:
        _log(look, log)


def _on_node(server: ApiServer, path: str | None) -> str | None:
    """The path on the node, where it is one."""
    found = path_on_node(server, path) if path and path.startswith("/") else None
    return None if found is None else str(PurePosixPath(found))


def _has(look: Look, kind: Kind, path: str) -> bool:
    """Whether another server named it already."""
    origin = look.origin(kind, path)
    return any(capture.origin == origin for capture in look.captures)


def _mounted(look: Look, server: ApiServer, inside: str | None) -> str | None:
    """The folder or file of the node that the container has at a path of it, if that is so.

    A link below it is worked out in the container, and leads elsewhere there.
    """
    mount = server.mount_for(inside or "")
    if mount is None or not isinstance(mount.source, HostPath):
        return None
    return look.root.look(f"{mount.source.path}/{mount.sub_path}").facts.path


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _policy(look: Look, path: str) -> None:
    """Only what is a policy is kept: a flag may name any file of the node."""
    found, data = look.read(path, digest=True)
    if data is None:
        look.unread(Kind.AUDIT_POLICY, path, found)
        return
    try:
        recognised = recognise(data)
        is_policy = not data.strip() or (
            recognised is not None and recognised.kind is Kind.AUDIT_POLICY
        )
    except (Malformed, Unsure) as error:
        look.gap(Kind.AUDIT_POLICY, path, f"could not be read: {error}")
        return
    if is_policy:
        look.keep(Kind.AUDIT_POLICY, path, data)
    else:
        reason = "not kept: nothing in it is of an audit policy, so it may be anything"
        look.gap(Kind.AUDIT_POLICY, path, reason)


def _webhook(look: Look, path: str) -> None:
    found, data = look.read(path, digest=False)
    if data is None:
        look.unread(Kind.WEBHOOK_CONFIG, path, found)
        return
    kept = without_credentials(data)
    if kept is None:
        look.gap(Kind.WEBHOOK_CONFIG, path, "not kept: no kubeconfig")
    else:
        look.keep(Kind.WEBHOOK_CONFIG, path, *kept)


def _log(look: Look, path: str) -> None:
    """The log, all that lies beside it, and how fast it grows; never what stands in it."""
    found = look.stat(path)
    folder = str(PurePosixPath(found.facts.path).parent)
    look.stat(str(PurePosixPath(path).parent))
    look.stat(folder, free=True)
    files = []
    for other in look.folder(folder, MOST_LOG_FILES, Kind.NODE_FACTS):
        files.append(look.stat(other).facts)
    rate = log_rate(found.facts.path, files)
    if rate is not None:
        look.rates[rate.path] = rate


# --- auditd and Falco ----------------------------------------------------------------------------


def _auditd(look: Look) -> None:
    for path in AUDITD_FILES:
        look.stat(path)
    _texts(look, "/etc/audit", Kind.AUDITD_RULES, r"audit\.rules")
    _texts(look, AUDITD_RULES, Kind.AUDITD_RULES, r".*\.rules")


def _falco(look: Look) -> None:
    look.stat(f"{FALCO}/falco.yaml")
    _texts(look, FALCO, Kind.FALCO_RULES, r"falco_rules.*\.ya?ml")
    _texts(look, f"{FALCO}/rules.d", Kind.FALCO_RULES, r".*\.ya?ml")


def _texts(look: Look, folder: str, kind: Kind, names: str) -> None:
    """Each file of such a name as a text of its own."""
    for path in look.folder(folder, MOST_RULE_FILES, kind):
        if not re.fullmatch(names, PurePosixPath(path).name):
            continue
        found, data = look.read(path, digest=True)
        if data is None:
            look.unread(kind, path, found)
        else:
            look.keep(kind, path, data)


def _facts(look: Look) -> Raw:
    facts = NodeFacts(
        node=look.node,
        files=tuple(look.facts[path] for path in sorted(look.facts)),
        processes=look.running,
        log_rates=tuple(look.rates[path] for path in sorted(look.rates)),
    )
    return Raw(origin=look.origin(Kind.NODE_FACTS, ""), content=write_node_facts(facts))
