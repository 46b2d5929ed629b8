"""Reading what is to be put: whole, from its beginning, in small pieces, as often as needed."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from kcompliance.errors import UsageError
from kcompliance.model.digest import Sha256
from kcompliance.stores.interface import Damaged, Source

__all__ = ["PIECE", "checked_content", "not_this_content", "opened", "pieces"]

PIECE: Final = 1024 * 1024
"""How much of an object is in memory at a time."""


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The source as a file that stands at its beginning."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, Path):
        try:
            file = source.open("rb")
        except OSError as error:
            raise UsageError(f'cannot read "{source}": {error.strerror}') from error
        with file:
            yield file
    else:
        source.seek(0)
        yield source


def pieces(file: BinaryIO, size: int = PIECE) -> Iterator[bytes]:
    """What is left of the file, in pieces of this size and a last one."""
    while piece := file.read(size):
        yield piece


def checked_content(file: BinaryIO, sha256: Sha256, key: str) -> int:
    """The size of the file, which stands at its beginning again; raises `Damaged`."""
    digest = hashlib.sha256()
    size = 0
    for piece in pieces(file):
        digest.update(piece)
        size += len(piece)
    if digest.hexdigest() != sha256:
        raise not_this_content(key, sha256, digest.hexdigest())
    file.seek(0)
    return size


def not_this_content(key: str, wanted: str, found: str) -> Damaged:
    """The error for a source that has another digest than was said."""
    return Damaged(f"{key} was not stored: its content has sha256 {found}, not {wanted}")
