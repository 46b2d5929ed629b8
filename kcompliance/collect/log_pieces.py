"""The bytes of a log, decompressed where it is gzip, in pieces as they come."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO, Final

from kcompliance.errors import KcomplianceError, NothingToScan, UsageError

__all__ = ["LogBreaksOff", "log_pieces"]

_PIECE: Final = 1024 * 1024
_GZIP: Final = b"\x1f\x8b"


class LogBreaksOff(KcomplianceError):
    """What could be read of the log was handed on, and more of it cannot be."""

    @property
    def code(self) -> str:
        """As in JSON documents."""
        return "log-breaks-off"


def log_pieces(name: str) -> Iterator[bytes]:
    """Read a file, or standard input for `-`; what is gzip is known by how it begins.

    Raises `UsageError` where there is no such file, `NothingToScan` where it cannot be opened, and
    `LogBreaksOff` where it breaks off or is damaged further on.
    """
    with ExitStack() as stack:
        file = _opened(name, stack)
        try:
            packed = file.peek(2)[:2] == _GZIP
            stream: io.BufferedIOBase = file
            if packed:
                stream = stack.enter_context(gzip.GzipFile(fileobj=file))
            while piece := stream.read(_PIECE):
                yield piece
        except EOFError:
            raise LogBreaksOff("the gzip stream ends in the middle") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise LogBreaksOff(f"it does not decompress: {error}") from None
        except OSError as error:
            raise LogBreaksOff(f"it cannot be read further: {error.strerror or error}") from error


def _opened(name: str, stack: ExitStack) -> io.BufferedReader:
    if name == "-":
        return _standard_input()
    try:
        if Path(name).is_dir():
            raise UsageError(f'"{name}" is a folder', "name the log files in it")
        return stack.enter_context(closing(Path(name).open("rb")))
    except FileNotFoundError:
        raise UsageError(f'no such file: "{name}"') from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise NothingToScan(f'cannot read "{name}": {reason}') from error


def _standard_input() -> io.BufferedReader:
    stream: BinaryIO = sys.stdin.buffer
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]
