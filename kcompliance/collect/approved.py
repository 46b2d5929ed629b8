"""Reads kcompliance.lock, and puts it beside what was collected of each target."""

import stat
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from kcompliance.collect.interface import Collected
from kcompliance.model.approval.approved import APPROVED_FILE, MAX_LOCK_BYTES
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Unreadable

__all__ = ["approved_beside", "collect_approved", "with_approved"]


def approved_beside(config: Path | None) -> Path | None:
    """The lock beside the configuration, else in this folder; None where neither is there."""
    folders = [config.parent] if config is not None else []
    for folder in (*folders, Path()):
        if (folder / APPROVED_FILE).exists():
            return folder / APPROVED_FILE
    return None


def collect_approved(path: Path, now: datetime) -> Capture:
    """The file as it is; what it says is for whoever understands the captures."""
    origin = Origin(kind=Kind.APPROVED, resource=str(path), collector="approved", collected_at=now)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Unreadable(origin=origin, reason="could not be read: not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_LOCK_BYTES + 1)
    except OSError as error:
        return Unreadable(origin=origin, reason=f"could not be read: {error.strerror}")
    if len(content) > MAX_LOCK_BYTES:
        reason = f"could not be read: larger than {MAX_LOCK_BYTES // 1024 // 1024} MiB"
        return Unreadable(origin=origin, reason=reason)
    return Raw(origin=origin, content=content)


def with_approved(found: Collected, capture: Capture, *, also_saved: bool) -> Collected:
    """The target with this lock.

    `also_saved`: in the place of what a bundle kept, too. Else that stays as it was saved, so
    that a lock which happens to lie there does not change the findings of a re-scan.
    """
    if found.saved and not also_saved:
        return found
    others = (each for each in found.captures if each.origin.kind is not Kind.APPROVED)
    return replace(found, captures=(*others, capture))
