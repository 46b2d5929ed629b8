"""Nodes, DaemonSets and their pods as plain values, read from objects of unknown shape.

What a DaemonSet's pod tolerates by itself, and how a toleration meets a taint: Kubernetes
documentation, "DaemonSet" and "Taints and Tolerations".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.listing import KubernetesObject

__all__ = [
    "FORWARDER_IMAGES",
    "WATCHER_IMAGES",
    "ConfigMapUse",
    "Container",
    "DaemonSet",
    "Node",
    "NodeKind",
    "Pod",
    "Taint",
    "config_maps_used",
    "image_name",
    "read_daemon_set",
    "read_node",
    "read_pod",
    "reads_logs_of_node",
    "runs_image",
]

FORWARDER_IMAGES: Final = (
    "fluentd|fluent-bit|fluentbit|filebeat|elastic-agent|vector|otel|opentelemetry-collector"
    "|promtail|alloy|ama-logs|cloudwatch-agent"
)
"""A regular expression: what is part of the image names of log forwarders."""
WATCHER_IMAGES: Final = "falco"
"""The same for what watches a node's files."""


# --- nodes -------------------------------------------------------------------------------------


class NodeKind(StrEnum):
    """What runs pods there."""

    LINUX = "linux"
    WINDOWS = "windows"
    VIRTUAL = "virtual"
    """A node that is none: Fargate, a virtual kubelet. No DaemonSet has pods there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of the cluster."""

    name: str
    kind: NodeKind
    control_plane: bool
    ready: bool
    cordoned: bool
    taints: tuple[Taint, ...]
    addresses: tuple[str, ...]
    pod_networks: tuple[str, ...]
    """CIDRs."""


_CONTROL_PLANE_LABELS = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/controlplane",
)


def read_node(found: KubernetesObject) -> Node:
    """A v1 Node."""
    labels = mapping(at(found, "metadata", "labels"))
    spec, status = at(found, "spec"), at(found, "status")
    networks = [text(at(spec, "podCIDR")), *texts(at(spec, "podCIDRs"))]
    return Node(
        name=_name(found),
        kind=_node_kind(found, labels),
        control_plane=any(label in labels for label in _CONTROL_PLANE_LABELS)
        or labels.get("kubernetes.io/role") == "master",
        ready=_condition(status, "Ready"),
        cordoned=at(spec, "unschedulable") is True,
        taints=tuple(map(_taint, sequence(at(spec, "taints")))),
        addresses=tuple(
            address
            for each in sequence(at(status, "addresses"))
            if (address := text(at(each, "address")))
        ),
        pod_networks=tuple(dict.fromkeys(network for network in networks if network)),
    )


def _node_kind(found: KubernetesObject, labels: Mapping[str, object]) -> NodeKind:
    provider = text(at(found, "spec", "providerID")) or ""
    if (
        labels.get("type") == "virtual-kubelet"
        or labels.get("kubernetes.azure.com/role") == "virtual-kubelet"
        or labels.get("eks.amazonaws.com/compute-type") == "fargate"
        or "fargate" in provider
    ):
        return NodeKind.VIRTUAL
    system = labels.get("kubernetes.io/os") or at(found, "status", "nodeInfo", "operatingSystem")
    return NodeKind.WINDOWS if system == "windows" else NodeKind.LINUX


def _taint(found: object) -> Taint:
    return Taint(
        key=text(at(found, "key")) or "",
        value=text(at(found, "value")) or "",
        effect=text(at(found, "effect")) or "",
    )


# --- DaemonSets --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod's template; `mounts` are (path, volume, sub path)."""

    name: str
    image: str
    words: tuple[str, ...]
    """Its command and arguments."""
    variables: tuple[str, ...]
    """Names of environment variables."""
    mounts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMapUse:
    """A ConfigMap that a pod takes in; `optional`: it starts without it too."""

    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSet:
    """What runs a pod on every node that it may run on."""

    namespace: str
    name: str
    uid: str
    containers: tuple[Container, ...]
    host_paths: Mapping[str, str]
    """Folders and files of the node, by the name of the volume."""
    selector: Mapping[str, str] | None
    """None: it selects by expressions."""
    tolerations: tuple[Mapping[str, object], ...]
    desired: int | None
    ready: int | None
    found: KubernetesObject

    @property
    def title(self) -> str:
        """How it is called in findings."""
        return f"{self.namespace}/{self.name}"

    def tolerates(self, taint: Taint) -> bool:
        """Whether its pods may run in spite of this taint."""
        if taint.effect == "PreferNoSchedule" or taint.key in _TOLERATED_BY_ITSELF:
            return True
        return any(_meets(toleration, taint) for toleration in self.tolerations)


_TOLERATED_BY_ITSELF = frozenset(
    f"node.kubernetes.io/{condition}"
    for condition in (
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
        "network-unavailable",
    )
)


def _meets(toleration: Mapping[str, object], taint: Taint) -> bool:
    key, effect = text(toleration.get("key")) or "", text(toleration.get("effect")) or ""
    if effect and effect != taint.effect:
        return False
    if (text(toleration.get("operator")) or "Equal") == "Exists":
        return key in ("", taint.key)
    return key == taint.key and (text(toleration.get("value")) or "") == taint.value


def read_daemon_set(found: KubernetesObject) -> DaemonSet:
    """An apps/v1 DaemonSet."""
    pod = at(found, "spec", "template", "spec")
    volumes = (mapping(each) for each in sequence(at(pod, "volumes")))
    status = at(found, "status")
    return DaemonSet(
        namespace=text(at(found, "metadata", "namespace")) or "default",
        name=_name(found),
        uid=text(at(found, "metadata", "uid")) or "",
        containers=tuple(map(_container, sequence(at(pod, "containers")))),
        host_paths={
            text(volume.get("name")) or "": path
            for volume in volumes
            if (path := text(at(volume, "hostPath", "path")))
        },
        selector=_selector(at(found, "spec", "selector")),
        tolerations=tuple(map(mapping, sequence(at(pod, "tolerations")))),
        desired=_number(at(status, "desiredNumberScheduled")),
        ready=_number(at(status, "numberReady")),
        found=found,
    )


def _selector(found: object) -> Mapping[str, str] | None:
    if sequence(at(found, "matchExpressions")):
        return None
    labels = mapping(at(found, "matchLabels"))
    return {key: value for key, value in labels.items() if isinstance(value, str)}


def _container(found: object) -> Container:
    return Container(
        name=text(at(found, "name")) or "",
        image=text(at(found, "image")) or "",
        words=(*texts(at(found, "command")), *texts(at(found, "args"))),
        variables=tuple(text(at(each, "name")) or "" for each in sequence(at(found, "env"))),
        mounts=tuple(
            (
                text(at(each, "mountPath")) or "",
                text(at(each, "name")) or "",
                text(at(each, "subPath")) or "",
            )
            for each in sequence(at(found, "volumeMounts"))
        ),
    )


def image_name(image: str) -> str:
    """The path of an image without its registry, tag and digest: `fluent/fluent-bit`."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def runs_image(found: DaemonSet, pattern: str) -> tuple[Container, ...]:
    """Its containers whose image's name has a match of this regular expression."""
    return tuple(
        container
        for container in found.containers
        if re.search(pattern, image_name(container.image), re.IGNORECASE)
    )


_LOG_FOLDERS = (
    "/var/log",
    "/var/lib/docker/containers",
    "/var/lib/containers",
    "/run/log/journal",
    "/run/promtail",
)


def reads_logs_of_node(found: DaemonSet) -> bool:
    """Whether it mounts a folder in which nodes keep logs, or one around it or in it."""
    return any(
        folder.startswith(f"{path.rstrip('/')}/") or f"{path.rstrip('/')}/".startswith(f"{folder}/")
        for path in found.host_paths.values()
        for folder in _LOG_FOLDERS
    )


def config_maps_used(found: DaemonSet) -> tuple[ConfigMapUse, ...]:
    """Those that its pods mount, project or take variables from."""
    pod = at(found.found, "spec", "template", "spec")
    uses: dict[str, bool] = {}
    for name, optional in _uses(pod):
        uses[name] = uses.get(name, True) and optional
    return tuple(ConfigMapUse(name=name, optional=optional) for name, optional in uses.items())


def _uses(pod: object) -> Iterator[tuple[str, bool]]:
    for volume in sequence(at(pod, "volumes")):
        sources = [at(volume, "configMap")]
        sources += [at(each, "configMap") for each in sequence(at(volume, "projected", "sources"))]
        for source in sources:
            yield from _use(source)
    for kind in ("initContainers", "containers"):
        for container in sequence(at(pod, kind)):
            for each in sequence(at(container, "envFrom")):
                yield from _use(at(each, "configMapRef"))
            for each in sequence(at(container, "env")):
                yield from _use(at(each, "valueFrom", "configMapKeyRef"))


def _use(source: object) -> Iterator[tuple[str, bool]]:
    name = text(at(source, "name"))
    if name:
        yield name, at(source, "optional") is True


# --- pods --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod of a DaemonSet, as its status tells."""

    namespace: str
    name: str
    node: str
    owner: str
    """The name of its DaemonSet."""
    ready: bool
    """And not about to be deleted."""
    restarts: int
    """Of the container that restarted most."""
    running_since: datetime | None
    """When the container that started last did so."""
    started: datetime | None
    waiting: str
    """Why a container waits, as `CrashLoopBackOff`; empty if none does."""


def read_pod(found: KubernetesObject) -> Pod:
    """A v1 Pod."""
    status = at(found, "status")
    containers = sequence(at(status, "containerStatuses"))
    started = [_time(at(each, "state", "running", "startedAt")) for each in containers]
    owners = sequence(at(found, "metadata", "ownerReferences"))
    return Pod(
        namespace=text(at(found, "metadata", "namespace")) or "default",
        name=_name(found),
        node=text(at(found, "spec", "nodeName")) or "",
        owner=next((text(at(o, "name")) or "" for o in owners if at(o, "kind") == "DaemonSet"), ""),
        ready=_condition(status, "Ready") and at(found, "metadata", "deletionTimestamp") is None,
        restarts=max((_number(at(each, "restartCount")) or 0 for each in containers), default=0),
        running_since=max((time for time in started if time), default=None),
        started=_time(at(status, "startTime")),
        waiting=next(
            (
                reason
                for each in containers
                if (reason := text(at(each, "state", "waiting", "reason")))
            ),
            "",
        ),
    )


# --- parts -------------------------------------------------------------------------------------


def _name(found: KubernetesObject) -> str:
    return text(at(found, "metadata", "name")) or "?"


def _condition(status: object, kind: str) -> bool:
    return any(
        at(each, "type") == kind and at(each, "status") == "True"
        for each in sequence(at(status, "conditions"))
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
