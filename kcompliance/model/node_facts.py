"""What was seen of one node's files and processes, and how a capture writes it down.

The text is JSON (`kcompliance/node-facts/v1`), with modes as octal text: "0600".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

import msgspec

from kcompliance.model.digest import Sha256

__all__ = [
    "NODE_FACTS_SCHEMA",
    "FileFacts",
    "FileType",
    "LogRate",
    "NodeFacts",
    "NodeFactsV1",
    "ProcessFacts",
    "read_node_facts",
    "write_node_facts",
]

NODE_FACTS_SCHEMA: Final = "kcompliance/node-facts/v1"


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
    free: int | None = None
    """Bytes that the file system of a folder has left, for root."""
    problem: str | None = None
    """Why it could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """A running process of interest: kube-apiserver, k3s, rke2, auditd, falco, a forwarder.

    Values of `arguments` that may be secrets are overwritten.
    """

    pid: int
    name: str
    """The program's, without folders: any user can call a program so, see `uid`."""
    arguments: tuple[str, ...]
    """Its argv, the program first."""
    uid: int | None = None
    started: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRate:
    """How fast a log grew, by the sizes and times of its files that are not compressed."""

    path: str
    size: int
    """Bytes that were written from `since` to `until`."""
    since: datetime
    until: datetime
    peak: int
    """Bytes an hour in the busiest time, of an hour or more, that the files tell apart."""

    @property
    def hours(self) -> float:
        """How long it was measured."""
        return (self.until - self.since).total_seconds() / 3600

    @property
    def per_hour(self) -> float:
        """Bytes an hour, on average."""
        return self.size / self.hours


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One node, looked at through a root folder; `node` is its name."""

    node: str
    files: tuple[FileFacts, ...] = ()
    processes: tuple[ProcessFacts, ...] | None = None
    """None: the root shows no /proc of the node."""
    log_rates: tuple[LogRate, ...] = ()

    def file(self, path: str) -> FileFacts | None:
        """The facts of exactly this path, which may be those of a link."""
        return next((file for file in self.files if file.path == path), None)

    def reached(self, path: str) -> FileFacts | None:
        """What the path leads to, through all links; None where that was not looked at."""
        way = self.way(path)
        return way[-1] if way and way[-1].type is not FileType.LINK else None

    def way(self, path: str) -> tuple[FileFacts, ...]:
        """The links on the way to a path, and at last what it leads to where that was seen."""
        links = {file.path: file for file in self.files if file.type is FileType.LINK}
        found: list[FileFacts] = []
        left = list(_parts(path))
        here: list[str] = []
        while left:
            here.append(left.pop(0))
            if here[-1] == "..":
                del here[-2:]
                continue
            link = links.get("/" + "/".join(here))
            if link is None or link.target is None:
                continue
            found.append(link)
            if len(found) > _MOST_LINKS:
                return tuple(found)
            here = [] if link.target.startswith("/") else here[:-1]
            left = [*_parts(link.target), *left]
        last = self.file("/" + "/".join(here))
        return (*found, last) if last is not None else tuple(found)

    def below(self, folder: str) -> tuple[FileFacts, ...]:
        """All that was seen directly in a folder."""
        prefix = folder.rstrip("/")
        return tuple(f for f in self.files if f.path.rpartition("/")[0] == prefix)


_MOST_LINKS: Final = 40


def _parts(path: str) -> Iterator[str]:
    return (part for part in PurePosixPath(path).parts if part != "/")


# --- as JSON -------------------------------------------------------------------------------------

MAX_BYTES: Final = 16 * 1024 * 1024

_Path = Annotated[str, msgspec.Meta(pattern=r"\A/[^\x00]*\Z", max_length=64 * 1024)]
_Text = Annotated[str, msgspec.Meta(max_length=64 * 1024)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Mode = Annotated[str, msgspec.Meta(pattern=r"\A[0-7]{4}\Z")]
_Node = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")]


class _Strict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the text; what is not known is left out."""


class FileV1(_Strict):
    """A path of the node; modes are octal text."""

    path: _Path
    type: FileType
    mode: _Mode | None = None
    uid: _Id | None = None
    gid: _Id | None = None
    size: _Number | None = None
    modified: _Moment | None = None
    changed: _Moment | None = None
    acl: bool | None = None
    target: _Text | None = None
    sha256: _Digest | None = None
    free: _Number | None = None
    problem: _Text | None = None


class ProcessV1(_Strict):
    """A process of interest, without secrets in its arguments."""

    pid: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    name: Annotated[str, msgspec.Meta(max_length=255)]
    arguments: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=128 * 1024)]], msgspec.Meta(max_length=4096)
    ]
    uid: _Id | None = None
    started: _Moment | None = None


class LogRateV1(_Strict):
    """How much a log grew, in bytes, between two moments."""

    path: _Path
    size: _Number
    since: _Moment
    until: _Moment
    peak: _Number


class NodeFactsV1(_Strict):
    """The whole document."""

    schema: Literal["kcompliance/node-facts/v1"]
    node: _Node
    files: Annotated[list[FileV1], msgspec.Meta(max_length=20_000)]
    processes: Annotated[list[ProcessV1], msgspec.Meta(max_length=2_000)] | None = None
    log_rates: Annotated[list[LogRateV1], msgspec.Meta(max_length=100)] = []


def write_node_facts(facts: NodeFacts) -> bytes:
    """The facts as JSON, a line for each value; the same facts are the same bytes."""
    processes = facts.processes
    text = NodeFactsV1(
        schema=NODE_FACTS_SCHEMA,
        node=facts.node,
        files=[_file_text(file) for file in facts.files],
        processes=None if processes is None else [_process_text(p) for p in processes],
        log_rates=[
            LogRateV1(path=r.path, size=r.size, since=r.since, until=r.until, peak=r.peak)
            for r in facts.log_rates
        ],
    )
    return msgspec.json.format(msgspec.json.encode(text), indent=1) + b"\n"


def read_node_facts(data: bytes) -> NodeFacts | str:
    """The facts, or why this text is none."""
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1024 // 1024} MiB"
    try:
        read = msgspec.json.decode(data, type=NodeFactsV1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"no {NODE_FACTS_SCHEMA}: {error}"
    if any(rate.until <= rate.since for rate in read.log_rates):
        return f"no {NODE_FACTS_SCHEMA}: a log rate that was measured for no time"
    processes = read.processes
    return NodeFacts(
        node=read.node,
        files=tuple(_file(file) for file in read.files),
        processes=None if processes is None else tuple(_process(p) for p in processes),
        log_rates=tuple(
            LogRate(path=r.path, size=r.size, since=r.since, until=r.until, peak=r.peak)
            for r in read.log_rates
        ),
    )


def _file_text(file: FileFacts) -> FileV1:
    return FileV1(
        path=file.path,
        type=file.type,
        mode=None if file.mode is None else f"{file.mode:04o}",
        uid=file.uid,
        gid=file.gid,
        size=file.size,
        modified=file.modified,
        changed=file.changed,
        acl=file.acl,
        target=file.target,
        sha256=file.sha256,
        free=file.free,
        problem=file.problem,
    )


def _file(file: FileV1) -> FileFacts:
    return FileFacts(
        path=file.path,
        type=file.type,
        mode=None if file.mode is None else int(file.mode, 8),
        uid=file.uid,
        gid=file.gid,
        size=file.size,
        modified=file.modified,
        changed=file.changed,
        acl=file.acl,
        target=file.target,
        sha256=None if file.sha256 is None else Sha256(file.sha256),
        free=file.free,
        problem=file.problem,
    )


def _process_text(process: ProcessFacts) -> ProcessV1:
    return ProcessV1(
        pid=process.pid,
        name=process.name,
        arguments=list(process.arguments),
        uid=process.uid,
        started=process.started,
    )


def _process(process: ProcessV1) -> ProcessFacts:
    return ProcessFacts(
        pid=process.pid,
        name=process.name,
        arguments=tuple(process.arguments),
        uid=process.uid,
        started=process.started,
    )
