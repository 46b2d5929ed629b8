"""Where the copies of a shard are: a shard's replica may hold less than its primary."""

import threading
from collections import defaultdict

import msgspec

from kcompliance.archive.elasticsearch.indices import METADATA, Index, path_of
from kcompliance.archive.interface import SourceError, SourceGone
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered

__all__ = ["Copies", "preference"]


class _Copy(msgspec.Struct):
    state: str
    primary: bool
    shard: int
    node: str | None = None


class _Routing(msgspec.Struct):
    shards: list[list[_Copy]]


class Copies:
    """Which nodes hold the started copies of each shard, asked once for each index."""

    def __init__(self, connection: Connection, *, primary_only: bool) -> None:
        self._connection = connection
        self._primary_only = primary_only
        self._lock = threading.Lock()
        self._known: dict[str, dict[int, tuple[str, ...]]] = {}

    def to_compare(self, index: Index, shard: int) -> tuple[str, ...]:
        """The nodes whose copies must agree; none where there is one copy, or one decides."""
        nodes = () if self._primary_only or not index.copied else self._nodes(index, shard)
        return nodes if len(nodes) > 1 else ()

    def to_read(self, index: Index, shard: int) -> str | None:
        """The only node to read a shard from, where it matters."""
        if not self._primary_only or not index.copied:
            return None
        return self._nodes(index, shard)[0]

    def forget(self, index: Index) -> None:
        """Ask anew: a shard has moved."""
        with self._lock:
            self._known.pop(index.uuid, None)

    def _nodes(self, index: Index, shard: int) -> tuple[str, ...]:
        with self._lock:
            known = self._known.get(index.uuid)
        if known is None:
            known = self._ask(index)
            with self._lock:
                self._known[index.uuid] = known
        if not known.get(shard):
            raise SourceError(
                f'no copy of shard {shard} of the index "{index.name}" is started',
                "see GET /_cluster/health and GET /_cat/shards",
            )
        return known[shard]

    def _ask(self, index: Index) -> dict[int, tuple[str, ...]]:
        """By shard, the node of the primary first."""
        try:
            routing = self._connection.json(
                _Routing,
                "GET",
                f"/{path_of([index.name])}/_search_shards",
                about=f'the shards of the index "{index.name}"',
                permission=METADATA,
            )
        except Answered as error:
            if error.no_such_index:
                raise SourceGone(f'the index "{index.name}" was deleted') from error
            raise
        found: defaultdict[int, list[tuple[bool, str]]] = defaultdict(list)
        for copies in routing.shards:
            for copy in copies:
                if copy.state in {"STARTED", "RELOCATING"} and copy.node is not None:
                    found[copy.shard].append((not copy.primary, copy.node))
        return {shard: tuple(node for _, node in sorted(copies)) for shard, copies in found.items()}


def preference(shard: int, node: str | None = None) -> str:
    """The value of `preference` for one shard, and for one of its copies."""
    return f"_shards:{shard}" + (f"|_only_nodes:{node}" if node else "")
