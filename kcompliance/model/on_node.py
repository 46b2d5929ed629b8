"""Which node a reading is of, and where a server's files lie on it."""

from collections.abc import Iterable
from typing import TypeVar

from kcompliance.model.apiserver import ApiServer
from kcompliance.model.reading import Raw

__all__ = ["NODE", "node_of", "of_node", "path_on_node"]

T = TypeVar("T")

NODE = "node:"
"""How the resource of a reading begins that was taken from a node: `node:NAME/path/on/it`."""


def node_of(raw: Raw) -> str | None:
    """The node whose own folders this was read from; None where nothing tells."""
    resource = raw.origin.resource
    if not resource.startswith(NODE):
        return None
    return resource.removeprefix(NODE).partition("/")[0] or None


def of_node(found: Iterable[tuple[Raw, T]], node: str | None) -> list[T]:
    """What a server of this node may read: nothing that is known to be another node's."""
    return [item for raw, item in found if node is None or node_of(raw) in (None, node)]


def path_on_node(server: ApiServer | None, path: str) -> str | None:
    """Where a path of the server lies on its node; the path itself where mounts are not told."""
    if server is None or (server.mounts is None and not server.on_host):
        return path
    return server.host_path(path)
