"""One kube-apiserver: its arguments, and where its files lie on the node."""

from dataclasses import dataclass
from datetime import datetime

from kcompliance.model.apiserver.arguments import Arguments
from kcompliance.model.kubernetes_version import KubernetesVersion

__all__ = [
    "ApiServer",
    "Durable",
    "Ephemeral",
    "FromObject",
    "HostPath",
    "Mount",
    "Source",
    "UnknownSource",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPath:
    """A file or folder of the node."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral:
    """Lost with the pod: `emptyDir` and the like."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FromObject:
    """Filled from Kubernetes objects: `configMap`, `secret`, `projected`, `downwardAPI`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """Storage that outlives the pod: `persistentVolumeClaim`, `nfs`, `csi` and the like."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSource:
    """A volume that the object does not define, defines twice, or of a type not known here."""

    reason: str


Source = HostPath | Ephemeral | FromObject | Durable | UnknownSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What a path of the container, and all below it, really is."""

    path: str
    source: Source
    read_only: bool = False
    sub_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """A kube-apiserver that an object runs or describes; `source` is the kind of that object.

    `mounts` None: the source does not tell them. `on_host`: a path that no mount covers is the
    same path on the node, because the server is no container (k3s) or because the tool mounts
    the files it is given at their own path (RKE2; kops, for the audit flags).

    `node` is the node that runs it, `started_at` when its container did start and `restarts` how
    often before: of a pod that was seen to run.
    """

    name: str
    source: str
    arguments: Arguments
    version: KubernetesVersion | None = None
    mounts: tuple[Mount, ...] | None = None
    on_host: bool = False
    node: str | None = None
    started_at: datetime | None = None
    restarts: int | None = None

    def mount_for(self, path: str) -> Mount | None:
        """The mount that decides about a path: the longest that is the path or above it."""
        wanted = _parts(path)
        if wanted is None:
            return None
        above = [
            (len(parts), mount)
            for mount in self.mounts or ()
            if (parts := _parts(mount.path)) is not None and wanted[: len(parts)] == parts
        ]
        return max(above, key=lambda each: each[0])[1] if above else None

    def host_path(self, path: str) -> str | None:
        """Where the server's path lies on the node; None if it does not, or it is not known.

        Symbolic links are not followed: that needs the node.
        """
        wanted = _parts(path)
        if wanted is None:
            return None
        mount = self.mount_for(path)
        if mount is None:
            return _joined(wanted) if self.on_host else None
        if not isinstance(mount.source, HostPath) or "$(" in mount.sub_path:
            return None
        below = wanted[len(_parts(mount.path) or ()) :]
        base = _parts(f"{mount.source.path}/{mount.sub_path}")
        return None if base is None else _joined(base + below)


def _parts(path: str) -> tuple[str, ...] | None:
    """The parts of an absolute path, `.` and `..` worked out; None for a relative one."""
    if not path.startswith("/"):
        return None
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def _joined(parts: tuple[str, ...]) -> str:
    return "/" + "/".join(parts)
