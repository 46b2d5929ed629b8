"""API servers that pods run: static pods, mirror pods, and templates of workloads.

Source: the Kubernetes API, `core/v1` PodSpec.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from kcompliance.model.apiserver.arguments import Arguments, parse_argv
from kcompliance.model.apiserver.command_line import find_arguments
from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.apiserver.server import (
    ApiServer,
    Durable,
    Ephemeral,
    FromObject,
    HostPath,
    Mount,
    Source,
    UnknownSource,
)
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.reading import REDACTED

__all__ = ["looks_like_an_api_server", "servers_of_pod"]


def servers_of_pod(name: str, kind: str, spec: object, status: object = None) -> list[ApiServer]:
    """The API servers among the containers of a PodSpec; with several, each has its own name.

    `status` is the pod's, where there is one: it tells since when each container runs.
    """
    volumes = _volumes(at(spec, "volumes"))
    found = []
    for container in map(mapping, sequence(at(spec, "containers"))):
        arguments = _arguments(container)
        if arguments is None:
            continue
        container_name = text(container.get("name")) or "?"
        started_at, restarts = _run(status, container_name)
        found.append(
            ApiServer(
                name=f"{name}/{container_name}",
                source=kind,
                arguments=arguments,
                version=_version(text(container.get("image")) or ""),
                mounts=_mounts(container.get("volumeMounts"), volumes),
                node=text(at(spec, "nodeName")),
                started_at=started_at,
                restarts=restarts,
            )
        )
    return found if len(found) > 1 else [replace(server, name=name) for server in found]


def looks_like_an_api_server(metadata: object, spec: object) -> bool:
    """Whether a pod is labelled or named as one, whatever its containers run."""
    labels = mapping(at(metadata, "labels"))
    if any(labels.get(label) == "kube-apiserver" for label in _LABELS):
        return True
    containers = map(mapping, sequence(at(spec, "containers")))
    return any(container.get("name") == "kube-apiserver" for container in containers)


_LABELS = ("component", "k8s-app", "app.kubernetes.io/name")


def _run(status: object, container: str) -> tuple[datetime | None, int | None]:
    """Since when the container of this name runs, and how often it was started again."""
    for each in map(mapping, sequence(at(status, "containerStatuses"))):
        if each.get("name") == container:
            count = each.get("restartCount")
            restarts = count if isinstance(count, int) and count >= 0 else None
            return _moment(at(each, "state", "running", "startedAt")), restarts
    return None, None


def _moment(value: object) -> datetime | None:
    """A time as the API writes it, always with its zone; YAML may have read it as one already."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return moment if isinstance(moment, datetime) and moment.tzinfo else None


def _arguments(container: Mapping[str, object]) -> Arguments | None:
    environment = _environment(container.get("env"))
    command = [_expanded(word, environment) for word in texts(container.get("command"))]
    args = [_expanded(word, environment) for word in texts(container.get("args"))]
    if not command and args and args[0].startswith("--"):
        # The image's own entry point gets flags only: then the image says what it is.
        image = text(container.get("image")) or ""
        return parse_argv(args) if _image_name(image) == "kube-apiserver" else None
    return find_arguments(command, args)


_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][\w.-]*)\)")
_MOST_REFERENCES = 64
_LONGEST_VALUE = 1 << 12
"""A variable made of variables made of variables grows without bound."""


def _environment(value: object) -> dict[str, str]:
    """Variables whose value the object tells; each may refer to those before it."""
    environment: dict[str, str] = {}
    for variable in map(mapping, sequence(value)):
        name, given = text(variable.get("name")), variable.get("value")
        known = isinstance(given, str) and given != REDACTED and len(given) <= _LONGEST_VALUE
        if name and known:
            environment[name] = _expanded(str(given), environment)
        elif name:
            environment.pop(name, None)
    return environment


def _expanded(word: str, environment: Mapping[str, str]) -> str:
    """Put variables in as the kubelet does; a reference to an unknown one stays."""

    def replacement(found: re.Match[str]) -> str:
        return environment.get(found[1], found[0]) if found[1] else found[0]

    if not 0 < word.count("$(") <= _MOST_REFERENCES:
        return word
    expanded = _REFERENCE.sub(replacement, word)
    return expanded if len(expanded) <= _LONGEST_VALUE else word


def _image_name(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def _version(image: str) -> KubernetesVersion | None:
    """The version in the tag of an image of Kubernetes' own; other images count their own way."""
    name, _, tag = image.rpartition("/")[2].partition("@")[0].partition(":")
    version = KubernetesVersion.parse(tag)
    known = "kube" in name and version is not None and version.major == 1
    return version if known else None


_EPHEMERAL = frozenset({"emptyDir", "ephemeral", "gitRepo", "image"})
_NAMED_IN = {"configMap": "name", "secret": "secretName", "projected": "", "downwardAPI": ""}
_DURABLE = frozenset(
    {
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "csi",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "glusterfs",
        "iscsi",
        "nfs",
        "persistentVolumeClaim",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
    }
)


def _volumes(value: object) -> dict[str, Source]:
    volumes: dict[str, Source] = {}
    for volume in map(mapping, sequence(value)):
        name = text(volume.get("name")) or ""
        if name in volumes:
            volumes[name] = UnknownSource(reason=f"two volumes have the name {name!r}")
        else:
            volumes[name] = _source(volume)
    return volumes


def _source(volume: Mapping[str, object]) -> Source:
    # A volume without any source is an emptyDir: the API server fills that in.
    kinds = [kind for kind in volume if kind != "name" and volume[kind] is not None]
    kind = kinds[0] if kinds else "emptyDir"
    if len(kinds) > 1:
        return UnknownSource(reason=f"more than one source: {', '.join(sorted(kinds))}")
    if kind == "hostPath":
        path = text(at(volume, kind, "path"))
        return HostPath(path=path) if path else UnknownSource(reason="a hostPath without path")
    if kind in _EPHEMERAL:
        return Ephemeral(kind=kind)
    if kind in _NAMED_IN:
        return FromObject(kind=kind, name=text(at(volume, kind, _NAMED_IN[kind])) or "")
    if kind in _DURABLE:
        return Durable(kind=kind)
    return UnknownSource(reason=f"a volume of type {kind!r}")


def _mounts(value: object, volumes: Mapping[str, Source]) -> tuple[Mount, ...]:
    found = []
    for mount in map(mapping, sequence(value)):
        name, path = text(mount.get("name")) or "", text(mount.get("mountPath"))
        if not path:
            continue
        missing = UnknownSource(reason=f"no volume has the name {name!r}")
        found.append(
            Mount(
                path=path,
                source=volumes.get(name, missing),
                read_only=mount.get("readOnly") is True,
                sub_path=text(mount.get("subPath")) or text(mount.get("subPathExpr")) or "",
            )
        )
    return tuple(found)
