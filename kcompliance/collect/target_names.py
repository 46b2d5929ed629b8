"""What a user may name as TARGET, and what is no target: one word on it for all commands."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from kcompliance.collect.aws import read_eks_target
from kcompliance.collect.azure import AksSearch, cloud_of, parse_aks
from kcompliance.collect.files import STDIN
from kcompliance.collect.node.collector import Node, open_node
from kcompliance.collect.search import DeclaredStore, search_target
from kcompliance.errors import UsageError
from kcompliance.model.control import Platform
from kcompliance.model.reading import Capture

__all__ = ["NamedTarget", "context_of", "exists", "node_of", "refuse_unknown", "scheme_of"]

_FORMS: Final = (
    "a target is a path, - for standard input, kube[:CONTEXT], aks:ID, eks:REGION/NAME, "
    "elasticsearch+https://HOST/INDICES or @NAME"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTarget:
    """An entry under `targets:` of kcompliance.yaml: what belongs to one cluster."""

    name: str
    cluster: str | None = None
    kube: str | None = None
    files: tuple[str, ...] = ()
    platform: Platform | None = None
    node_root: str | None = None
    node_name: str | None = None
    stores: tuple[DeclaredStore, ...] = ()
    """Where the cluster's trail can be searched."""
    archive: Callable[[datetime], Capture] | None = None
    """Looks at the archive of the cluster's trail."""


def scheme_of(target: str) -> str | None:
    """What stands before the colon: of Kubernetes, a cloud or a store; None for all others."""
    if target == "kube":
        return target
    found = re.match(r"(kube|aks|eks|elasticsearch\+https?):", target)
    return found[1] if found else None


def context_of(target: str) -> str | None:
    """The context of `kube:CONTEXT`; None for `kube` alone, which is the current one."""
    return target.removeprefix("kube").removeprefix(":") or None


def exists(target: str) -> bool:
    """Whether there is such a file or folder; an unset variable is not this folder."""
    try:
        return bool(target) and Path(target).exists()
    except OSError:  # too long a name, or a folder on the way that may not be entered
        return False


def node_of(entry: NamedTarget) -> Node | None:
    """The node whose files belong to it. Raises UsageError."""
    return None if entry.node_root is None else open_node(entry.node_root, entry.node_name)


def refuse_unknown(targets: Iterable[str], named: Mapping[str, NamedTarget]) -> None:
    """Raises UsageError for the first that is no target; nothing is read or asked for it."""
    for target in targets:
        if target.startswith("@"):
            _refuse_unnamed(target, named)
        elif scheme_of(target) is not None:
            _check(target)
        elif target != STDIN and not exists(target):
            raise UsageError(f'no such file or folder: "{target}"', _FORMS)


def _refuse_unnamed(target: str, named: Mapping[str, NamedTarget]) -> None:
    if target[1:] not in named:
        known = ", ".join(f"@{name}" for name in sorted(named)) or "none"
        raise UsageError(f'no target "{target}" in the configuration', f"there are: {known}")
    entry = named[target[1:]]
    node_of(entry)
    if entry.cluster is not None:
        _check(entry.cluster)
        if scheme_of(entry.cluster) == "aks" and isinstance(parse_aks(entry.cluster), AksSearch):
            raise UsageError(
                f'{target} names several clusters: "{entry.cluster}"',
                "give the id of one, or scan the subscription by itself",
            )


def _check(target: str) -> None:
    match scheme_of(target):
        case "aks":
            cloud_of()
            parse_aks(target)
        case "eks":
            read_eks_target(target)
        case "elasticsearch+https" | "elasticsearch+http":
            search_target(target)
        case _:
            pass  # a context of a kubeconfig is looked for when it is asked
