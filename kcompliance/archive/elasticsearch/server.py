"""Which kind of search server it is, and what that changes."""

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from kcompliance.archive.interface import SourceError
from kcompliance.ledger import SourceKind
from kcompliance.search.connection import Connection

__all__ = ["Server", "identify"]

_OLDEST: Final = {SourceKind.ELASTICSEARCH: (7, 10), SourceKind.OPENSEARCH: (2, 4)}
"""The first with points in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A cluster as it introduces itself."""

    kind: SourceKind
    version: str
    cluster_uuid: str | None

    @property
    def is_opensearch(self) -> bool:
        """The API of points in time is another there."""
        return self.kind is SourceKind.OPENSEARCH


class _Version(msgspec.Struct):
    number: str
    distribution: str | None = None


class _Root(msgspec.Struct):
    version: _Version
    cluster_uuid: str | None = None
    tagline: Any = None


def identify(connection: Connection) -> Server:
    """Ask the server who it is; SourceError where it is none that can be read."""
    root = connection.json(
        _Root, "GET", "/", about=f"the server at {connection.url}", permission="monitor"
    )
    opensearch = root.version.distribution == "opensearch"
    kind = SourceKind.OPENSEARCH if opensearch else SourceKind.ELASTICSEARCH
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})\.", root.version.number)
    if found is None or not isinstance(root.tagline, str):
        raise SourceError(
            f"{connection.url} is neither Elasticsearch nor OpenSearch", "look at the URL"
        )
    if (int(found[1]), int(found[2])) < _OLDEST[kind]:
        oldest = ".".join(map(str, _OLDEST[kind]))
        raise SourceError(
            f"{connection.url} is {kind} {found[0]}x, which has no points in time",
            f"{kind} {oldest} or later can be archived",
        )
    # "_na_" is what a node says that has not joined its cluster yet.
    cluster = root.cluster_uuid if root.cluster_uuid != "_na_" else None
    return Server(kind=kind, version=root.version.number[:40], cluster_uuid=cluster)
