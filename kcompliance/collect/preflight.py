"""What a preflight tells: the permissions that a scan needs, and whether they are there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kcompliance.collect.cloud_reads import ReadPermission
from kcompliance.collect.needs import (
    CONTROL_NEEDS,
    FILES,
    OF_FORWARDERS,
    PERMISSIONS,
    KubernetesPermission,
)

__all__ = ["Asked", "May", "NeededFile", "Preflight", "files_needed", "worst"]


class May(StrEnum):
    """Whether the caller may."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    NOT_NEEDED = "not-needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One permission, the controls that need it, and what was found out about it."""

    permission: KubernetesPermission | ReadPermission
    controls: tuple[str, ...]
    may: May
    reason: str = ""
    """Why it is not known, or not needed; else what was said where it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededFile:
    """Something that no API of the target tells, in words, and the controls that need it."""

    what: str
    controls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """One place. `problem` is why nothing could be asked at all, `hint` what to do about it."""

    target: str
    server: str | None = None
    """Where an API was asked that has one address."""
    asked: tuple[Asked, ...] = ()
    files: tuple[NeededFile, ...] = ()
    not_covered: tuple[str, ...] = ()
    """Controls that need nothing of this target, nor of what belongs to it."""
    problem: str | None = None
    hint: str | None = None

    @property
    def missing(self) -> tuple[Asked, ...]:
        """What the caller may not do, or perhaps not."""
        return tuple(each for each in self.asked if each.may in (May.NO, May.UNKNOWN))


def worst(asked: Iterable[Asked]) -> Asked:
    """Of several reads that one permission allows, one that may not be done, if there is one."""
    return max(asked, key=lambda each: (May.YES, May.UNKNOWN, May.NO).index(each.may))


def files_needed(controls: Sequence[str], *, beside_api: bool) -> tuple[NeededFile, ...]:
    """The files that these controls need; beside an API only those that it does not replace."""
    known = {FILES[kind] for kind in (*PERMISSIONS, *OF_FORWARDERS)} if beside_api else set()
    needed: dict[str, dict[str, None]] = {}
    for control in controls:
        for kind in CONTROL_NEEDS.get(control, ()):
            if FILES[kind] not in known:
                needed.setdefault(FILES[kind], {})[control] = None
    return tuple(NeededFile(what=what, controls=tuple(ids)) for what, ids in needed.items())
