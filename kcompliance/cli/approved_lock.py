"""Finds kcompliance.lock for the commands that read or write it."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kcompliance.cli.terminal import note
from kcompliance.errors import ExitCode, KcomplianceError, UsageError

if TYPE_CHECKING:
    from kcompliance.collect.interface import Collection
    from kcompliance.model.approval.approved import Approved

__all__ = ["LockError", "lock_at", "refuse_missing", "to_be_compared"]


class LockError(KcomplianceError):
    """A kcompliance.lock cannot be read or says what nobody understands."""

    exit_code = ExitCode.USAGE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "lock"


def refuse_missing(chosen: Path | None) -> None:
    """Before anything is read: UsageError where the lock that is to be used is not there."""
    if chosen is not None and not chosen.exists():
        raise UsageError(
            f'there is no file "{chosen}", with which to compare',
            "kcompliance approve TARGET --out FILE writes it",
        )


def to_be_compared(
    collection: "Collection", chosen: Path | None, config: Path | None, now: datetime
) -> "Collection":
    """The collection with the lock that is `chosen`, else with one that lies in the usual places.

    Bundles keep what they were saved with, unless one is chosen.
    """
    from kcompliance.collect.approved import approved_beside, collect_approved, with_approved

    lock = chosen or approved_beside(config)
    if lock is None:
        return collection
    if chosen is not None or not collection.only_saved:
        note(f"comparing with {lock}")
    with_lock = partial(
        with_approved, capture=collect_approved(lock, now), also_saved=chosen is not None
    )
    return replace(collection, targets=map(with_lock, collection.targets))


def lock_at(path: Path, now: datetime) -> "Approved | None":
    """What a lock says; None where there is none yet. Raises LockError."""
    from kcompliance.collect.approved import collect_approved
    from kcompliance.model.approval.approved import WrongLock, read_lock
    from kcompliance.model.reading import Raw

    if not path.exists() and not path.is_symlink():
        return None
    capture = collect_approved(path, now)
    hint = "restore it from where it is kept, or name another file with --out"
    if not isinstance(capture, Raw):
        raise LockError(f'"{path}" {getattr(capture, "reason", "could not be read")}', hint)
    try:
        return read_lock(capture.content)
    except WrongLock as error:
        raise LockError(
            f'"{path}" is no kcompliance.lock that can be understood: {error}', hint
        ) from None
