"""What is gathered while a node is looked at: captures, and facts of each path."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from kcompliance.collect.interface import Progress
from kcompliance.collect.node.root import Found, NodeRoot, shown
from kcompliance.model.digest import sha256
from kcompliance.model.node_facts import FileFacts, FileType, LogRate, ProcessFacts
from kcompliance.model.on_node import NODE
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable

__all__ = ["MOST_FACTS", "Look"]

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one file that is read; what is larger is a gap."""
MOST_FACTS: Final = 20_000
PERMISSION: Final = "the capability DAC_READ_SEARCH, or root"


@dataclass(slots=True, kw_only=True)
class Look:
    """A look at one node: its captures, and facts by path, so that each is told once."""

    root: NodeRoot
    node: str
    now: datetime
    progress: Progress
    running: tuple[ProcessFacts, ...] | None
    captures: list[Capture] = field(default_factory=list)
    facts: dict[str, FileFacts] = field(default_factory=dict)
    rates: dict[str, LogRate] = field(default_factory=dict)
    full: bool = False
    """Whether there was more than is kept."""

    def tell(self, found: Found) -> None:
        """Keep the facts of what was found, and of each link on the way."""
        for each in (*found.links, found.facts):
            known = self.facts.get(each.path)
            if known is None and len(self.facts) >= MOST_FACTS:
                self.full = True
            elif known is None:
                self.facts[each.path] = each
            elif each.sha256 is not None or each.free is not None:
                self.facts[each.path] = replace(
                    known,
                    sha256=each.sha256 or known.sha256,
                    free=known.free if each.free is None else each.free,
                )

    def stat(self, path: str, *, free: bool = False) -> Found:
        """Look at a path and keep the facts."""
        found = self.root.look(path, free=free)
        self.tell(found)
        return found

    def read(self, path: str, *, digest: bool) -> tuple[Found, bytes | None]:
        """A file's bytes, with its facts kept."""
        self.progress(self.resource(path))
        found, data = self.root.read(path, MOST_BYTES)
        if data is not None and digest:
            found = replace(found, facts=replace(found.facts, sha256=sha256(data)))
        self.tell(found)
        return found, data

    def folder(self, path: str, most: int, kind: Kind) -> Iterator[str]:
        """The paths in a folder; a gap of this kind where it could not be read as a whole."""
        found, names = self.root.names(path, most)
        self.tell(found)
        if found.facts.problem and not found.missing:
            self.gap(kind, path, found.facts.problem, refused=found.refused is not None)
        for name in names:
            yield f"{path.rstrip('/')}/{name}"

    def resource(self, path: str) -> str:
        """How a capture calls a path of this node."""
        return f"{NODE}{self.node}{shown(path)}"

    def origin(self, kind: Kind, path: str) -> Origin:
        """`node-copy`: without its /proc the tree may be of any time."""
        collector = "node" if self.running is not None else "node-copy"
        return Origin(
            kind=kind, resource=self.resource(path), collector=collector, collected_at=self.now
        )

    def keep(self, kind: Kind, path: str, data: bytes, redactions: Iterable[str] = ()) -> None:
        """A capture of this path."""
        origin = self.origin(kind, path)
        self.captures.append(Raw(origin=origin, content=data, redactions=tuple(redactions)))

    def gap(self, kind: Kind, path: str, reason: str, *, refused: bool = False) -> None:
        """What is there and could not be read or understood."""
        permission = PERMISSION if refused and "denied" in reason else None
        origin = self.origin(kind, path)
        self.captures.append(Unreadable(origin=origin, reason=reason, permission=permission))

    def unread(self, kind: Kind, path: str, found: Found) -> None:
        """A gap for what is there and is no file that could be read; nothing where none is."""
        if found.refused:
            self.gap(kind, path, found.refused, refused=True)
        elif found.facts.problem and not found.missing:
            self.gap(kind, path, f"not read: {found.facts.problem}")
        elif not found.missing and found.facts.type is not FileType.FILE:
            self.gap(kind, path, f"not read: it is a {_KIND_NAMES[found.facts.type]}")


_KIND_NAMES: Final = {
    FileType.FOLDER: "folder",
    FileType.LINK: "link",
    FileType.OTHER: "pipe, socket or device",
}
