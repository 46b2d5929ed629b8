"""Turns what a user names as TARGET into collectors, and the collectors into one collection.

Whatever can be refused is refused before anything is read. Then each target is read when its turn
comes, so that of many clusters one is held at a time.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from kcompliance.collect.aws import SharedAnswers, collect_eks
from kcompliance.collect.azure import collect_aks, parse_aks
from kcompliance.collect.bundle import broken_target, is_bundle, read_bundle
from kcompliance.collect.files import STDIN, collect_files
from kcompliance.collect.interface import Collected, Collection, Progress
from kcompliance.collect.kubernetes import collect_kubernetes
from kcompliance.collect.node.collector import Node, collect_node
from kcompliance.collect.search import DeclaredStore, search_target
from kcompliance.collect.target_names import (
    NamedTarget,
    context_of,
    node_of,
    refuse_unknown,
    scheme_of,
)
from kcompliance.errors import BundleError, UsageError
from kcompliance.model.control import Platform
from kcompliance.model.reading import Capture

__all__ = ["NamedTarget", "collect"]


def collect(
    targets: Sequence[str],
    named: Mapping[str, NamedTarget],
    platform: Platform | None,
    now: datetime,
    progress: Progress,
    node: Node | None = None,
) -> Collection:
    """What is to be read of every target, each once.

    Files named on one command line belong to one cluster; each folder, bundle, context and named
    target is one of its own. `node` is one of the cluster that is named, or a target by itself.
    Raises UsageError for what is no target, before anything is read, and BundleError where the
    only target is a bundle that is damaged.
    """
    refuse_unknown(targets, named)
    if node is not None:
        _refuse_several(targets)
        named = {name: replace(entry, node_root=None) for name, entry in named.items()}
    chosen = tuple(dict.fromkeys(targets))
    work = _Work(named, platform, now, progress, alone=len(chosen) == 1)
    opened = {target: work.open(target) for target in chosen if _is_bundle(target)}
    saved = [bundle for bundle in opened.values() if isinstance(bundle, Collection)]
    only_saved = bool(saved) and len(saved) == len(chosen)
    files = tuple(target for target in targets if _is_file(target))
    found = work.each(chosen, files, opened)
    return Collection(
        as_of=max(each.as_of for each in saved) if only_saved and node is None else now,
        targets=found if node is None else work.with_node(found, node),
        parameters=_parameters(saved),
        only_saved=only_saved,
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """What holds for every target of one call."""

    named: Mapping[str, NamedTarget]
    platform: Platform | None
    """That the user names; it wins."""
    begin: datetime
    progress: Progress
    alone: bool
    """Whether there is one target only."""
    started: float = field(default_factory=time.monotonic)
    aws: SharedAnswers = field(default_factory=SharedAnswers)
    """What several clusters of one account have in common."""

    def now(self) -> datetime:
        """Of many targets the last is looked at minutes after the first."""
        return self.begin + timedelta(seconds=int(time.monotonic() - self.started))

    def each(
        self,
        targets: Iterable[str],
        files: tuple[str, ...],
        opened: Mapping[str, Collection | Collected],
    ) -> Iterator[Collected]:
        """Every cluster in turn."""
        for target in targets:
            if target in files:
                if target == files[0]:
                    yield Collected(
                        name=", ".join(files),
                        captures=collect_files(files, self.now(), self.progress),
                        platform=self.platform,
                    )
            elif target in opened:
                yield from self.of_bundle(opened[target])
            elif target.startswith("@"):
                yield self.of_parts(self.named[target[1:]])
            else:
                yield from map(self.on_platform, self.look(target))

    def on_platform(self, found: Collected) -> Collected:
        """The cluster, on the platform that the user names if one is named."""
        return replace(found, platform=self.platform or found.platform)

    def open(self, target: str) -> Collection | Collected:
        """A bundle whose targets are read later; a damaged one hides none of the others."""
        broken = None if self.alone else partial(self.broken_bundle, target)
        try:
            return read_bundle(Path(target), broken)
        except BundleError as error:
            if broken is None:
                raise
            return broken(error)

    def broken_bundle(self, target: str, error: BundleError, name: str | None = None) -> Collected:
        """Among others it is one target that could not be read."""
        return broken_target(name or target, target, error, self.now(), self.platform)

    def of_bundle(self, opened: Collection | Collected) -> Iterable[Collected]:
        """What a bundle holds."""
        if isinstance(opened, Collected):
            return (opened,)
        return map(self.on_platform, opened.targets)

    def look(self, target: str) -> Iterable[Collected]:
        """A folder, a context, a cloud or a store: one cluster, or as many as a search finds."""
        now, progress, platform = self.now(), self.progress, None
        match scheme_of(target):
            case "aks":
                return collect_aks(parse_aks(target), target, now, progress)
            case "kube":
                captures = collect_kubernetes(context_of(target), target, now, progress)
            case "eks":
                captures, platform = collect_eks(target, now, progress, self.aws), Platform.EKS
            case None:
                captures = collect_files((target,), now, progress)
            case _:
                captures = _store(search_target(target), now, progress)
        return (Collected(name=target, captures=captures, platform=platform),)

    def of_parts(self, entry: NamedTarget) -> Collected:
        """A named target: one cluster out of all its parts."""
        captures: list[Capture] = []
        own = entry.platform
        for part in (entry.cluster, entry.kube):
            for found in self.look(part) if part is not None else ():
                captures += found.captures
                own = own or found.platform
        if entry.files:
            captures += collect_files(entry.files, self.now(), self.progress)
        node = node_of(entry)
        if node is not None:
            captures += collect_node(node, self.now(), self.progress)
        for store in entry.stores:
            captures += _store(store, self.now(), self.progress)
        if entry.archive is not None:
            self.progress("the archive")
            captures.append(entry.archive(self.now()))
        return Collected(
            name=f"@{entry.name}", captures=tuple(captures), platform=self.platform or own
        )

    def with_node(self, clusters: Iterator[Collected], node: Node) -> Iterator[Collected]:
        """The one cluster, and what is seen of it on its node."""
        found, another = next(clusters, None), next(clusters, None)
        if another is not None:
            raise UsageError("--node-root goes with one target, and the bundle holds several")
        captures = collect_node(node, self.now(), self.progress)
        if found is None:
            found = Collected(name=f"node:{node.name}", captures=(), platform=self.platform)
        yield replace(found, captures=(*found.captures, *captures))


def _store(declared: DeclaredStore, now: datetime, progress: Progress) -> tuple[Capture, ...]:
    from kcompliance.collect.search.collector import collect_search

    return collect_search(declared, now, progress)


def _refuse_several(targets: Sequence[str]) -> None:
    """A node is part of one cluster: with several nobody could tell of which."""
    others = {target for target in targets if not _is_file(target)}
    if len(others) + any(map(_is_file, targets)) > 1:
        raise UsageError(
            "--node-root goes with one target, and several are named",
            "scan them one by one, or set node_root of a target in kcompliance.yaml",
        )


def _is_file(target: str) -> bool:
    return target == STDIN or (_is_path(target) and not Path(target).is_dir())


def _is_bundle(target: str) -> bool:
    return _is_path(target) and is_bundle(Path(target))


def _is_path(target: str) -> bool:
    return target != STDIN and not target.startswith("@") and scheme_of(target) is None


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
