"""Turns what a user names as TARGET into collectors, and the collectors into one collection."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kcompliance.collect.bundle import is_bundle, read_bundle
from kcompliance.collect.files import STDIN, collect_files
from kcompliance.collect.interface import Collected, Collection, Progress
from kcompliance.collect.kubernetes import collect_kubernetes
from kcompliance.errors import UsageError
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


_SCHEMES = {
    "aks": (Kind.AKS_CLUSTER, Platform.AKS, "azure"),
    "eks": (Kind.EKS_CLUSTER, Platform.EKS, "aws"),
    "elasticsearch+https": (Kind.FILE, None, "elasticsearch"),
    "elasticsearch+http": (Kind.FILE, None, "elasticsearch"),
}


def collect(
    targets: Sequence[str],
    named: Mapping[str, NamedTarget],
    platform: Platform | None,
    now: datetime,
    progress: Progress,
) -> Collection:
    """Read every target once.

    Files named on one command line belong to one cluster; each folder, bundle, context and named
    target is one of its own. Raises UsageError for what is no target, before anything is read.
    """
    _refuse_unknown(targets, named)
    collected: list[Collected] = []
    saved: list[Collection] = []
    files = tuple(t for t in targets if _is_file(t))
    for target in dict.fromkeys(targets):
        if target in files:
            if target == files[0]:
                collected.append(_files_target(files, platform, now, progress))
        elif _scheme(target) is None and not target.startswith("@") and is_bundle(Path(target)):
            bundle = read_bundle(Path(target))
            saved.append(bundle)
            collected += [replace(t, platform=platform or t.platform) for t in bundle.targets]
        else:
            collected.append(_one(target, named, platform, now, progress))
    only_saved = len(saved) == len(set(targets)) and saved
    return Collection(
        as_of=max(bundle.as_of for bundle in saved) if only_saved else now,
        targets=tuple(collected),
        parameters=_parameters(saved),
    )


def _refuse_unknown(targets: Iterable[str], named: Mapping[str, NamedTarget]) -> None:
    for target in targets:
        if target.startswith("@"):
            if target[1:] not in named:
                known = ", ".join(f"@{name}" for name in sorted(named)) or "none"
                raise UsageError(
                    f'no target "{target}" in the configuration', f"there are: {known}"
                )
        elif _scheme(target) is None and target != STDIN and not _exists(target):
            raise UsageError(
                f'no such file or folder: "{target}"',
                "a target is a path, - for standard input, kube[:CONTEXT] or @NAME",
            )


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
    return Collected(name=name, captures=tuple(captures), platform=platform or own)


def _captures(
    target: str, name: str, now: datetime, progress: Progress
) -> tuple[tuple[Capture, ...], Platform | None]:
    scheme = _scheme(target)
    if scheme == "kube":
        context = target.removeprefix("kube").removeprefix(":") or None
        return collect_kubernetes(context, name, now, progress), None
    if scheme is None:
        return collect_files((target,), now, progress), None
    kind, platform, collector = _SCHEMES[scheme]
    origin = Origin(kind=kind, resource=target, collector=collector, collected_at=now)
    reason = "not collected yet: this version reads files and kube targets"
    return (Unreadable(origin=origin, reason=reason),), platform


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
