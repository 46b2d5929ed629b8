"""What a collector is: it looks at one target and brings back captures.

Promises of every collector: it only reads; it never raises for what it meets outside (that is an
`Unreadable` capture, with the permission that is missing where one is); it redacts before it
hands over, so that what is hashed, judged and stored is one and the same; it is bounded in size,
number and time; and for everything it asked there is exactly one capture.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kcompliance.model.control import Platform
from kcompliance.model.reading import Capture

__all__ = ["Collected", "Collection", "Progress"]

Progress = Callable[[str], None]
"""Told in a few words what is being looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Everything that was read of one target."""

    name: str
    captures: tuple[Capture, ...]
    platform: Platform | None = None
    """Where the user named it, by `--platform` or by the kind of target."""
    saved: bool = False
    """Whether it came out of a bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The input of a scan: what a bundle holds. `parameters` are by control id, as written."""

    as_of: datetime
    targets: Iterable[Collected]
    """To be gone through once: each is read when its turn comes, and none is kept."""
    parameters: Mapping[str, Mapping[str, Any]]
    only_saved: bool = False
    """Whether all of it comes out of bundles."""
