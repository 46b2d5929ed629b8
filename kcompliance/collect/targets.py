"""Turns what a user names as TARGET into collectors, and the collectors into one collection."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kcompliance.collect.aws import collect_eks, read_eks_target
from kcompliance.collect.azure import AksSearch, cloud_of, collect_aks, parse_aks
from kcompliance.collect.bundle import is_bundle, read_bundle
from kcompliance.collect.files import STDIN, collect_files
from kcompliance.collect.interface import Collected, Collection, Progress
from kcompliance.collect.kubernetes import collect_kubernetes
from kcompliance.collect.node.collector import Node, collect_node, open_node
from kcompliance.collect.search import DeclaredStore, search_target
from kcompliance.errors import BundleError, UsageError
from kcompliance.model.control import Platform
from kcompliance.model.reading import Capture, Kind, Origin, Unreadable

__all__ = ["NamedTarget", "collect"]


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


def collect(
    targets: Sequence[str],
    named: Mapping[str, NamedTarget],
    platform: Platform | None,
    now: datetime,
    progress: Progress,
    node: Node | None = None,
) -> Collection:
    """Read every target once.

    Files named on one command line belong to one cluster; each folder, bundle, context and named
    target is one of its own. `node` is one of the cluster that is named, or a target by itself.
    Raises UsageError for what is no target, before anything is read.
    """
    _refuse_unknown(targets, named)
    if node is not None:
        _refuse_several(targets)
        named = {name: replace(entry, node_root=None) for name, entry in named.items()}
    collected: list[Collected] = []
    saved: list[Collection] = []
    files = tuple(t for t in targets if _is_file(t))
    begin, started = now, time.monotonic()
    for target in dict.fromkeys(targets):
        # Of many targets the last is looked at minutes after the first.
        now = begin + timedelta(seconds=int(time.monotonic() - started))
        if target in files:
            if target == files[0]:
                collected.append(_files_target(files, platform, now, progress))
        elif _scheme(target) is None and not target.startswith("@") and is_bundle(Path(target)):
            try:
                bundle = read_bundle(Path(target))
            except BundleError as error:
                if len(set(targets)) == 1:
                    raise
                collected.append(_broken_bundle(target, error, platform, now))
                continue
            saved.append(bundle)
            collected += [
                replace(t, platform=platform or t.platform, saved=True) for t in bundle.targets
            ]
        elif _scheme(target) == "aks":
            found = collect_aks(parse_aks(target), target, now, progress)
            collected += [replace(t, platform=platform or t.platform) for t in found]
        else:
            collected.append(_one(target, named, platform, now, progress))
    if node is not None:
        collected = [_with_node(collected, node, platform, now, progress)]
    only_saved = len(saved) == len(set(targets)) and saved and node is None
    return Collection(
        as_of=max(bundle.as_of for bundle in saved) if only_saved else begin,
        targets=tuple(collected),
        parameters=_parameters(saved),
    )


def _broken_bundle(
    target: str, error: BundleError, platform: Platform | None, now: datetime
) -> Collected:
    """Among others it is one target that could not be read, and hides none of them."""
    origin = Origin(kind=Kind.FILE, resource=target, collector="bundle", collected_at=now)
    captures = (Unreadable(origin=origin, reason=error.message),)
    return Collected(name=target, captures=captures, platform=platform)


def _refuse_unknown(targets: Iterable[str], named: Mapping[str, NamedTarget]) -> None:
    for target in targets:
        if target.startswith("@"):
            if target[1:] not in named:
                known = ", ".join(f"@{name}" for name in sorted(named)) or "none"
                raise UsageError(
                    f'no target "{target}" in the configuration', f"there are: {known}"
                )
            _node_of(named[target[1:]])
            cluster = named[target[1:]].cluster
            if cluster is not None and _scheme(cluster) == "eks":
                read_eks_target(cluster)
            if cluster is not None and _scheme(cluster) == "aks":
                _check_aks(cluster, of=target)
        elif _scheme(target) == "aks":
            _check_aks(target)
        elif _scheme(target) == "eks":
            read_eks_target(target)
        elif (_scheme(target) or "").startswith("elasticsearch"):
            search_target(target)
        elif _scheme(target) is None and target != STDIN and not _exists(target):
            raise UsageError(
                f'no such file or folder: "{target}"',
                "a target is a path, - for standard input, kube[:CONTEXT] or @NAME",
            )


def _check_aks(target: str, of: str | None = None) -> None:
    """Raises UsageError; a named target is one cluster."""
    cloud_of()
    if isinstance(parse_aks(target), AksSearch) and of is not None:
        raise UsageError(
            f'{of} names several clusters: "{target}"',
            "give the id of one, or scan the subscription by itself",
        )


def _node_of(entry: NamedTarget) -> Node | None:
    return None if entry.node_root is None else open_node(entry.node_root, entry.node_name)


def _refuse_several(targets: Sequence[str]) -> None:
    """A node is part of one cluster: with several nobody could tell of which."""
    others = {target for target in targets if not _is_file(target)}
    if len(others) + any(map(_is_file, targets)) > 1:
        raise UsageError(
            "--node-root goes with one target, and several are named",
            "scan them one by one, or set node_root of a target in kcompliance.yaml",
        )


def _with_node(
    collected: Sequence[Collected],
    node: Node,
    platform: Platform | None,
    now: datetime,
    progress: Progress,
) -> Collected:
    """The one cluster, and what is seen of it on its node."""
    if len(collected) > 1:
        raise UsageError("--node-root goes with one target, and the bundle holds several")
    captures = collect_node(node, now, progress)
    if not collected:
        return Collected(name=f"node:{node.name}", captures=captures, platform=platform)
    return replace(collected[0], captures=(*collected[0].captures, *captures))


def _exists(target: str) -> bool:
    try:
        return bool(target) and Path(target).exists()  # an unset variable is not this folder
    except OSError:  # too long a name, or a folder on the way that may not be entered
        return False


def _scheme(target: str) -> str | None:
    if target == "kube":
        return target
    found = re.match(r"(kube|aks|eks|elasticsearch\+https?):", target)
    return found[1] if found else None


def _is_file(target: str) -> bool:
    if target == STDIN:
        return True
    return not target.startswith("@") and _scheme(target) is None and not Path(target).is_dir()


def _files_target(
    files: tuple[str, ...], platform: Platform | None, now: datetime, progress: Progress
) -> Collected:
    captures = collect_files(files, now, progress)
    return Collected(name=", ".join(files), captures=captures, platform=platform)


def _one(
    target: str,
    named: Mapping[str, NamedTarget],
    platform: Platform | None,
    now: datetime,
    progress: Progress,
) -> Collected:
    if target.startswith("@"):
        return _named(named[target[1:]], platform, now, progress)
    captures, own = _captures(target, target, now, progress)
    return Collected(name=target, captures=captures, platform=platform or own)


def _named(
    entry: NamedTarget, platform: Platform | None, now: datetime, progress: Progress
) -> Collected:
    name = f"@{entry.name}"
    captures: list[Capture] = []
    own = entry.platform
    for part in (entry.cluster, entry.kube):
        if part is not None:
            more, found = _captures(part, part, now, progress)
            captures += more
            own = own or found
    if entry.files:
        captures += collect_files(entry.files, now, progress)
    node = _node_of(entry)
    if node is not None:
        captures += collect_node(node, now, progress)
    for store in entry.stores:
        captures += _store(store, now, progress)
    if entry.archive is not None:
        progress("the archive")
        captures.append(entry.archive(now))
    return Collected(name=name, captures=tuple(captures), platform=platform or own)


def _captures(
    target: str, name: str, now: datetime, progress: Progress
) -> tuple[tuple[Capture, ...], Platform | None]:
    scheme = _scheme(target)
    if scheme == "kube":
        context = target.removeprefix("kube").removeprefix(":") or None
        return collect_kubernetes(context, name, now, progress), None
    if scheme == "aks":
        found = collect_aks(parse_aks(target), name, now, progress)
        return tuple(c for t in found for c in t.captures), Platform.AKS
    if scheme is None:
        return collect_files((target,), now, progress), None
    if scheme == "eks":
        return collect_eks(target, now, progress), Platform.EKS
    return _store(search_target(target), now, progress), None


def _store(declared: DeclaredStore, now: datetime, progress: Progress) -> tuple[Capture, ...]:
    from kcompliance.collect.search.collector import collect_search

    return collect_search(declared, now, progress)


def _parameters(saved: Sequence[Collection]) -> dict[str, dict[str, Any]]:
    """Those of the bundles; where two bundles differ, the re-scan would be of neither."""
    merged: dict[str, dict[str, Any]] = {}
    for bundle in saved:
        for control, given in bundle.parameters.items():
            known = merged.setdefault(control, {})
            for name, value in given.items():
                if known.setdefault(name, value) != value:
                    raise UsageError(
                        f"the bundles were saved with different values of {control}.{name}",
                        "scan them one by one, or set it with --param",
                    )
    return merged
