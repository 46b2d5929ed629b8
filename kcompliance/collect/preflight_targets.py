"""What a preflight asks of each target that a user names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kcompliance.collect.files import STDIN
from kcompliance.collect.interface import Progress
from kcompliance.collect.preflight import Preflight, files_needed, not_covered, preflight
from kcompliance.collect.targets import NamedTarget
from kcompliance.errors import UsageError

__all__ = ["preflight_all"]

_ROLES = {"aks": "deploy/azure", "eks": "deploy/aws"}
_NOT_ASKED = "not asked: docs/permissions.md tells what a scan needs there, and {role} has the role"


def preflight_all(
    targets: Sequence[str],
    named: Mapping[str, NamedTarget],
    controls: Sequence[str],
    progress: Progress,
) -> tuple[Preflight, ...]:
    """One answer for each cluster, and one for all files that are named.

    Raises UsageError for what is no target, before anything is asked.
    """
    parts = [(target, _parts(target, named)) for target in dict.fromkeys(targets)]
    return tuple(
        _one(target, part, controls, progress) for target, found in parts for part in found
    )


def _parts(target: str, named: Mapping[str, NamedTarget]) -> tuple[str, ...]:
    """The places that a target stands for: a `@NAME` for several."""
    if target.startswith("@"):
        if target[1:] not in named:
            known = ", ".join(f"@{name}" for name in sorted(named)) or "none"
            raise UsageError(f'no target "{target}" in the configuration', f"there are: {known}")
        return tuple(_of_named(named[target[1:]]))
    if _scheme(target) is None and target != STDIN and not _exists(target):
        raise UsageError(
            f'no such file or folder: "{target}"',
            "a target is a path, - for standard input, kube[:CONTEXT] or @NAME",
        )
    return (target,)


def _of_named(entry: NamedTarget) -> Iterator[str]:
    yield from (part for part in (entry.cluster, entry.kube) if part)
    if not entry.kube:
        yield from entry.files[:1]  # files of one cluster need the same, however many they are


def _one(target: str, part: str, controls: Sequence[str], progress: Progress) -> Preflight:
    name = target if target == part else f"{target} {part}"
    scheme = _scheme(part)
    if scheme == "kube":
        context = part.removeprefix("kube").removeprefix(":") or None
        return preflight(context, name, controls, progress)
    if scheme is not None:
        role = _ROLES.get(scheme, "deploy/elasticsearch")
        return Preflight(target=name, problem=_NOT_ASKED.format(role=role))
    needed = files_needed(controls, beside_api=False)
    return Preflight(target=name, files=needed, not_covered=not_covered(controls))


def _scheme(target: str) -> str | None:
    found = re.match(r"(kube|aks|eks|elasticsearch\+https?)(?::|$)", target)
    return found[1] if found else None


def _exists(target: str) -> bool:
    try:
        return bool(target) and Path(target).exists()
    except OSError:  # too long a name, or a folder on the way that may not be entered
        return False
