"""What was seen of one node's files and processes, and how a capture writes it down."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kcompliance.model.digest import Sha256

__all__ = ["FileFacts", "FileType", "NodeFacts", "ProcessFacts"]


class FileType(StrEnum):
    """What lies at a path."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    """A pipe, a socket, a device."""
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One path of the node; what is None was not learned or does not apply."""

    path: str
    """Absolute, as the node itself calls it."""
    type: FileType
    mode: int | None = None
    """The permission bits, 0o7777 at most."""
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    """Bytes."""
    modified: datetime | None = None
    changed: datetime | None = None
    """When the inode last changed (ctime): no user can set it back."""
    acl: bool | None = None
    """Whether an access control list grants more than the mode says."""
    target: str | None = None
    """Where a link leads, on the node."""
    sha256: Sha256 | None = None
    problem: str | None = None
    """Why it could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """A running process of interest: kube-apiserver, k3s, rke2, auditd, falco, a forwarder."""

    pid: int
    name: str
    arguments: tuple[str, ...]
    started: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One node, looked at through a root folder; `node` is its name."""

    node: str
    files: tuple[FileFacts, ...] = ()
    processes: tuple[ProcessFacts, ...] | None = None
    """None: the root shows no /proc of the node."""

    def file(self, path: str) -> FileFacts | None:
        """The facts of exactly this path."""
        return next((file for file in self.files if file.path == path), None)
