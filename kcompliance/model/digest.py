"""SHA-256 digests as evidence names them: 64 lower-case hex digits."""

import hashlib
import re
from typing import NewType

__all__ = ["Sha256", "parse_sha256", "sha256"]

Sha256 = NewType("Sha256", str)
"""64 lower-case hex digits."""


def sha256(data: bytes) -> Sha256:
    """The digest of these bytes."""
    return Sha256(hashlib.sha256(data).hexdigest())


def parse_sha256(text: str) -> Sha256 | None:
    """The digest that a text is, or None where it is none."""
    return Sha256(text) if re.fullmatch("[0-9a-f]{64}", text) else None
