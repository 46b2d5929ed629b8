"""The files of a server that a watcher has to look at, as paths on its node."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from kcompliance.model.apiserver import FromObject, UnknownSource
from kcompliance.model.auditd.coverage import Target
from kcompliance.model.host_audit import HostAudit
from kcompliance.model.in_force import Replica
from kcompliance.model.node_facts import FileType
from kcompliance.model.on_node import path_on_node

__all__ = ["Elsewhere", "Wanted", "wanted_paths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A target, what it is to the server, and files that stand for all in it."""

    target: Target
    what: str
    files: tuple[str, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A file of the server that does not lie on its node, or nobody knows where.

    `from_object`: an object of Kubernetes fills it, so that its own trail watches it.
    """

    path: str
    what: str
    because: str
    from_object: bool = False


def wanted_paths(
    replica: Replica, host: HostAudit, required: tuple[str, ...]
) -> Iterator[Wanted | Elsewhere]:
    """The paths that `required` names; `auto` stands for the server's own."""
    for each in required:
        if each == "auto":
            yield from _own(replica, host)
        elif each.startswith("/"):
            yield _given(each, host)
        else:
            because = f'"{each}" of required_paths is no path of a node'
            yield Elsewhere(path=each, what="a required path", because=because)


def _given(path: str, host: HostAudit) -> Wanted:
    """A path that was named: a folder if it ends in a slash, or is seen to be one."""
    place = str(PurePosixPath(path))
    seen = host.facts.value.file(place) if host.facts else None
    folder = path.endswith("/") or (seen is not None and seen.type is FileType.FOLDER)
    files = (f"{place}/file",) if folder else (place,)
    return Wanted(target=Target(path=place, folder=folder), what="a required path", files=files)


def _own(replica: Replica, host: HostAudit) -> Iterator[Wanted | Elsewhere]:
    settings = replica.settings
    if settings.policy_file:
        yield _file(replica, settings.policy_file, "the audit policy")
    yield _manifest(replica, host)
    if settings.webhook_config_file:
        yield _file(replica, settings.webhook_config_file, "the webhook's kubeconfig")
    if settings.log_path and settings.log_path != "-":
        yield _log(replica, settings.log_path)


def _file(replica: Replica, path: str, what: str) -> Wanted | Elsewhere:
    place = path_on_node(replica.server, path)
    if place is None:
        return _elsewhere(replica, path, what)
    return Wanted(target=Target(path=place), what=what, files=(place,))


def _log(replica: Replica, path: str) -> Wanted | Elsewhere:
    """The folder: the server renames full files, and a deleted one is lost all the same."""
    place = path_on_node(replica.server, path)
    if place is None:
        return _elsewhere(replica, path, "the audit log")
    file = PurePosixPath(place)
    rotated = file.with_name(f"{file.stem}-2026-01-02T03-04-05.006{file.suffix}")
    return Wanted(
        target=Target(path=str(file.parent), folder=True),
        what="the folder of the audit log",
        files=(place, str(rotated)),
    )


def _elsewhere(replica: Replica, path: str, what: str) -> Elsewhere:
    mount = replica.server.mount_for(path) if replica.server else None
    match mount.source if mount else None:
        case FromObject(kind=kind, name=name):
            because = f"{path} comes from the {kind} {name}, not from a file of the node"
            return Elsewhere(path=path, what=what, because=because, from_object=True)
        case UnknownSource(reason=reason):
            return Elsewhere(path=path, what=what, because=f"where {path} lies: {reason}")
        case _:
            because = f"{path} lies on no volume of the node"
            return Elsewhere(path=path, what=what, because=because)


_USUAL: Final = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_PLACES: Final = {
    "k3s config.yaml": "/etc/rancher/k3s/config.yaml",
    "RKE2 config.yaml": "/etc/rancher/rke2/config.yaml",
    "kops Cluster": "/etc/kubernetes/manifests/kube-apiserver.manifest",
}
_FOLDERS: Final = ("/etc/kubernetes/manifests/", "/etc/rancher/", "/var/lib/rancher/")


def _manifest(replica: Replica, host: HostAudit) -> Wanted:
    """The file that starts the server: where it was read, was seen, or usually is."""
    resource = replica.raw.origin.resource
    place = next((resource[resource.index(f) :] for f in _FOLDERS if f in resource), None)
    if place is None and host.facts:
        candidates = (_USUAL, *_PLACES.values())
        kinds = (FileType.FILE, FileType.LINK)
        seen = [host.facts.value.file(path) for path in candidates]
        place = next((file.path for file in seen if file and file.type in kinds), None)
    note = None
    if place is None:
        source = replica.server.source if replica.server else ""
        place = _PLACES.get(source, _USUAL)
        note = f"{place} was taken for the server's manifest: it is the usual place"
    what = "the server's configuration" if "rancher" in place else "the server's manifest"
    return Wanted(target=Target(path=place), what=what, files=(place,), note=note)
