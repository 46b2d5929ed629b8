"""What can be wrong with a file, beyond what every source knows."""

import errno
from typing import Final

from kcompliance.archive.files.places import shown
from kcompliance.archive.interface import SourceError, SourceGone, SourceRefused
from kcompliance.errors import ExitCode
from kcompliance.stores.interface import NotThere, Refused, StoreError

__all__ = ["FileChanged", "FileDamaged", "of_store", "of_system"]


class FileChanged(SourceError):
    """A file is not the continuation of what was archived of it, or of its copy."""

    _name = "source-file-changed"
    exit_code = ExitCode.INCOMPLETE


class FileDamaged(SourceError):
    """A file cannot be read as lines: it does not decompress, or a line has no end."""

    _name = "source-file-damaged"
    exit_code = ExitCode.INCOMPLETE


_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}
_GONE: Final = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
_NO_FILE: Final = {errno.ELOOP, errno.ENXIO, errno.EISDIR}


def of_system(error: OSError, path: str) -> SourceError:
    """What the operating system says of a file or folder, in the words of a source."""
    what, reason = f'"{shown(path)}"', error.strerror or type(error).__name__
    if error.errno in _FORBIDDEN:
        hint = "run as a user who may read it: audit logs are root's own by default"
        return SourceRefused(f"may not read {what}: {reason}", hint, permission="read")
    if error.errno in _GONE:
        return SourceGone(f"{what} is not there any more")
    if error.errno in _NO_FILE:
        return SourceError(f"{what} is not a regular file any more")
    return SourceError(f"cannot read {what}: {reason}")


def of_store(error: StoreError) -> SourceError:
    """What a store says, in the words of a source."""
    if isinstance(error, Refused):
        return SourceRefused(error.message, error.hint, permission=error.permission)
    if isinstance(error, NotThere):
        return SourceGone(error.message, error.hint)
    return SourceError(error.message, error.hint)
