"""The names that objects can have: the same everywhere, and harmless on every store.

A key is a relative path of ASCII letters in lower case, digits, `.`, `_`, `=`, `+` and `-`. So no
two keys differ in case only, and an archive may be copied to any file system; nothing needs
quoting; there is no `..`, no NUL, no backslash, no drive and no leading slash. No part of a key
begins or ends with a dot: such names are hidden, or shortened, by some stores. No key is the
folder of another one: no store has to keep both `a` and `a/b`.
"""

import re
import unicodedata
from typing import Final

from kcompliance.stores.interface import UnsafeKey

__all__ = [
    "MAX_KEY",
    "MAX_PART",
    "MAX_PARTS",
    "checked_foreign",
    "checked_key",
    "checked_prefix",
]

MAX_PART: Final = 200
MAX_PARTS: Final = 16
MAX_KEY: Final = 700
"""S3 and Azure allow 1024 bytes, of which the rest is for the prefix of the archive."""

_MAX_FOREIGN: Final = 1024

_PART: Final = r"[a-z0-9_=+-](?:[a-z0-9._=+-]*[a-z0-9_=+-])?"
_KEY: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_PREFIX: Final = re.compile(rf"(?:{_PART}/)*(?:[a-z0-9_=+-][a-z0-9._=+-]*)?")


def checked_key(key: str) -> str:
    """The key; raises `UnsafeKey` if no object can have it."""
    return _checked(key, _KEY, "key")


def checked_prefix(prefix: str) -> str:
    """The beginning of keys, possibly empty or in the middle of a part; or `UnsafeKey`."""
    return _checked(prefix, _PREFIX, "prefix")


def checked_foreign(text: str) -> str:
    """A key or prefix of somebody else's objects, to be read only; or `UnsafeKey`.

    S3 and Azure take nearly any. Refused are those that a library or a server between might take
    for another one: with `.` or `..` as a part, with a backslash, with control characters.
    """
    if (
        len(text.encode("utf-8", "surrogatepass")) > _MAX_FOREIGN
        or "\\" in text
        or not {".", ".."}.isdisjoint(text.split("/"))
        or any(unicodedata.category(each).startswith("C") for each in text)
    ):
        raise UnsafeKey(f"not a key that can be read safely: {_quoted(text)}", "rename the object")
    return text


def _checked(text: str, pattern: re.Pattern[str], what: str) -> str:
    if pattern.fullmatch(text) is None:
        raise UnsafeKey(
            f"not a {what} of an object: {_quoted(text)}",
            "a-z 0-9 . _ = + - in parts divided by /, no part beginning or ending with a dot",
        )
    parts = text.split("/")
    if len(text) > MAX_KEY or len(parts) > MAX_PARTS or max(map(len, parts)) > MAX_PART:
        raise UnsafeKey(
            f"too long for a {what}: {_quoted(text)}",
            f"at most {MAX_KEY} characters in {MAX_PARTS} parts of at most {MAX_PART}",
        )
    return text


def _quoted(text: str) -> str:
    shown = text if len(text) <= MAX_PART else f"{text[:MAX_PART]}…"
    return ascii(shown)
