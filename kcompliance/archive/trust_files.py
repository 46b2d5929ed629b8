"""Trust files on disk: read, made with a new archive, and kept up with it.

A trust file belongs to people: they add what they expect and their comments. So a change edits
only the lines that it is about. The result is parsed, and is written only if it says exactly what
was meant; where a person's layout does not allow that (a pin as an inline table, say) the file is
written anew, which keeps every value and loses the comments.
"""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from kcompliance.errors import ExitCode, KcomplianceError, OutputError
from kcompliance.ledger import (
    Pin,
    Refused,
    Trust,
    TrustedKey,
    VerifierKey,
    format_trust,
    parse_trust,
)
from kcompliance.ledger.trust import MAX_TRUST_BYTES

__all__ = [
    "TrustFileError",
    "create_trust",
    "move_pin",
    "new_trust",
    "read_trust",
    "update_keys",
]

_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_HEAD: Final = b"""\
# What a verifier knows of an archive from elsewhere than the archive: keep it away from there.
# The pin is a checkpoint that the archive has to contain for ever.
# What else can stand here: [require], [[stream]], further keys; see docs/security-model.md.

"""


class TrustFileError(KcomplianceError):
    """A trust file is not there, says what nobody understands, or is another archive's."""

    exit_code = ExitCode.USAGE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "trust-file"


def read_trust(path: Path) -> Trust:
    """Read a trust file; raises `TrustFileError`, which names the table and the key."""
    return _parsed(path, _read(path))


def new_trust(origin: str, keys: Iterable[VerifierKey], pin: Pin | None) -> Trust:
    """What is known of an archive that was just made."""
    return Trust(origin=origin, keys=tuple(TrustedKey(key=key) for key in keys), pin=pin)


def create_trust(path: Path, trust: Trust) -> None:
    """Write a trust file that is not there yet, whole or not at all.

    Raises `TrustFileError` where anything has its name: it may be another archive's.
    """
    if os.path.lexists(path):
        raise TrustFileError(
            f'"{path}" is there already', "a new archive gets a trust file of its own"
        )
    _write(path, _HEAD + format_trust(trust), None)


def move_pin(path: Path, trust: Trust, size: int, root: bytes) -> Trust:
    """Move the file's pin forward to a checkpoint that was just verified or written.

    `trust` is what the file said when it was read; it is read again, since a person may have
    edited it meanwhile. A pin that is at a larger size already stays. Raises `TrustFileError`
    where the file has become another archive's or its pin contradicts this one, and `OutputError`.
    """
    data, now = _again(path, trust)
    if now.pin is not None and now.pin.size >= size:
        if now.pin.size == size and now.pin.root != root:
            raise TrustFileError(
                f'"{path}" pins another root at size {size}',
                "somebody else wrote to this archive, or it is a copy: see kcompliance verify",
            )
        return now
    return _replaced(path, data, now, replace(now, pin=Pin(size=size, root=root)))


def update_keys(path: Path, trust: Trust, keys: Iterable[TrustedKey]) -> Trust:
    """Let the file trust exactly these keys, with their ranges: those after a change of keys.

    So a proof that a new key signed can be checked with this file alone, and one that a revoked
    key signed later cannot. The pin and all else stay. Raises as `move_pin`.
    """
    data, now = _again(path, trust)
    return _replaced(path, data, now, replace(now, keys=tuple(keys)))


# --- reading ----------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TRUST_BYTES + 1)
    except FileNotFoundError as error:
        raise TrustFileError(
            f'there is no trust file "{path}"',
            "who runs the archive has it: archive run --write-trust FILE makes it",
        ) from error
    except IsADirectoryError as error:
        raise TrustFileError(f'"{path}" is a folder', "name a trust file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TrustFileError(f'cannot read the trust file "{path}": {reason}') from error


def _parsed(path: Path, data: bytes) -> Trust:
    trust = parse_trust(data)
    if isinstance(trust, Refused):
        raise TrustFileError(
            f'the trust file "{path}" is refused: {trust.reason}',
            "correct it; a demand that nobody understands is one that nobody would check",
        )
    return trust


def _again(path: Path, trust: Trust) -> tuple[bytes, Trust]:
    data = _read(path)
    now = _parsed(path, data)
    if now.origin != trust.origin:
        raise TrustFileError(
            f'"{path}" is the trust file of "{now.origin}", not of "{trust.origin}"',
            "each archive has a trust file of its own",
        )
    return data, now


# --- changing ---------------------------------------------------------------------------------


def _replaced(path: Path, data: bytes, before: Trust, after: Trust) -> Trust:
    if after == before:
        return before
    edited = _edited(data, before, after)
    if parse_trust(edited) != after:
        edited = format_trust(after)
    _write(path, edited, data)
    return after


def _edited(data: bytes, before: Trust, after: Trust) -> bytes:
    """The text with the lines of the pin and of the keys changed; who calls checks what it says."""
    text = data.decode()
    if after.pin is not None and after.pin != before.pin:
        text = _with_pin(text, after.pin)
    known = {each.key: each for each in before.keys}
    for each in after.keys:
        if each.key not in known:
            text = _with_key(text, each)
        elif each != known[each.key]:
            text = _with_end(text, each)
    return text.encode()


_PIN: Final = re.compile(r"^[ \t]*\[[ \t]*pin[ \t]*\].*$", re.MULTILINE)
_NEXT_TABLE: Final = re.compile(r"^[ \t]*\[", re.MULTILINE)
_SIZE: Final = re.compile(r"^([ \t]*size[ \t]*=[ \t]*)[0-9_]+", re.MULTILINE)
_ROOT: Final = re.compile(r"""^([ \t]*root[ \t]*=[ \t]*)(["'])[0-9a-f]{64}\2""", re.MULTILINE)


def _with_pin(text: str, pin: Pin) -> str:
    table = _PIN.search(text)
    if table is None:
        return f'{_ended(text)}\n[pin]\nsize = {pin.size}\nroot = "{pin.root.hex()}"\n'
    following = _NEXT_TABLE.search(text, table.end())
    end = following.start() if following is not None else len(text)
    lines = text[table.end() : end]
    lines = _SIZE.sub(rf"\g<1>{pin.size}", lines)
    lines = _ROOT.sub(rf"\g<1>\g<2>{pin.root.hex()}\g<2>", lines)
    return text[: table.end()] + lines + text[end:]


def _with_key(text: str, added: TrustedKey) -> str:
    lines = [f'vkey = "{added.key}"', f"from_size = {added.from_size}"]
    if added.to_size is not None:
        lines.append(f"to_size = {added.to_size}")
    return _ended(text) + "\n[[key]]\n" + "\n".join(lines) + "\n"


def _with_end(text: str, ended: TrustedKey) -> str:
    """A `to_size` below the line of the key, or in the place of the one that is there."""
    line = re.search(rf"""^[ \t]*vkey[ \t]*=.*{re.escape(str(ended.key))}.*$""", text, re.MULTILINE)
    if line is None or ended.to_size is None:
        return text
    following = _NEXT_TABLE.search(text, line.end())
    end = following.start() if following is not None else len(text)
    lines, count = re.subn(
        r"^([ \t]*to_size[ \t]*=[ \t]*)[0-9_]+",
        rf"\g<1>{ended.to_size}",
        text[line.end() : end],
        flags=re.MULTILINE,
    )
    added = "" if count else f"\nto_size = {ended.to_size}"
    return text[: line.end()] + added + lines + text[end:]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _name(partial: Path, target: Path) -> None:
    """Give a new file its name, not over another's where the file system can tell."""
    try:
        os.link(partial, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        partial.rename(target)


def _write(path: Path, data: bytes, before: bytes | None) -> None:
    """Put the file in its place, whole or not at all; `before` is None for a new one."""
    try:
        target = path.resolve()  # a link to the file stays a link
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            if before is None:
                partial.chmod(0o644)
                _name(partial, target)
            else:
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
                partial.replace(target)
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f'cannot write the trust file "{path}": {error.strerror}',
            "what was done to the archive stands; make the file writable and run it again",
        ) from error
