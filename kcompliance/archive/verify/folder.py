"""Names in a folder that are no regular files: links, pipes, devices.

A store never follows them. Which kind one is tells only the operating system.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from kcompliance.ledger import FindingCode
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import Store

__all__ = ["Irregular", "irregular_in"]

Irregular: TypeAlias = Callable[[str], FindingCode | None]
"""SYMLINK or NOT_REGULAR for a name as it was listed; None for a regular file."""


def irregular_in(store: Store) -> Irregular:
    """What to ask of this store's names: only a folder has such."""
    if not isinstance(store, FilesystemStore):
        return lambda key: None
    root = Path(store.url)

    def irregular(key: str) -> FindingCode | None:
        try:
            mode = os.lstat(root / key).st_mode
        except (OSError, ValueError):
            return None  # gone since, or a name that is shown otherwise than it is written
        if stat.S_ISLNK(mode):
            return FindingCode.SYMLINK
        return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else FindingCode.NOT_REGULAR

    return irregular
