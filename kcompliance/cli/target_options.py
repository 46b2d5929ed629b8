"""The options of every command that looks at targets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.errors import UsageError
from kcompliance.model.control import Platform

if TYPE_CHECKING:
    from kcompliance.collect.node.collector import Node

__all__ = [
    "NodeName",
    "NodeRoot",
    "PlatformOption",
    "chosen_node",
]

PlatformOption = Annotated[
    Platform | None,
    typer.Option(
        help="Where the cluster runs, if its own answers do not tell.",
        envvar="KCOMPLIANCE_PLATFORM",
    ),
]
NodeRoot = Annotated[
    str | None,
    typer.Option(
        help="Look at this node too: the folder at which its / is mounted, such as /host.",
        envvar="KCOMPLIANCE_NODE_ROOT",
        metavar="DIR",
    ),
]
NodeName = Annotated[
    str | None,
    typer.Option(
        help="The node's name as Kubernetes has it; else that of its /etc/hostname.",
        envvar=["KCOMPLIANCE_NODE_NAME", "NODE_NAME"],
        metavar="NAME",
    ),
]


def chosen_node(targets: Sequence[str], root: str | None, name: str | None) -> "Node | None":
    """The node that is to be looked at; UsageError where there is neither one nor a target."""
    from kcompliance.collect.node.collector import open_node

    if root is not None:
        return open_node(root, name or None)
    if not targets:
        raise UsageError("missing argument TARGET", "name one, or a node with --node-root DIR")
    return None
