"""Makes text from outside safe to print: a file name must not steer the reader's terminal."""

import re

__all__ = ["printable"]

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of writing."""


def printable(text: str) -> str:
    """The text with such characters written as escapes, `\\x1b` for example."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
