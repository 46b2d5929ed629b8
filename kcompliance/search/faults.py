"""What a search server says when something fails, told in the words of a source.

Of the server's own text only the type of the error and a short reason are repeated, in printable
characters; permissions are named as the server names them.
"""

import re
from typing import Any, Final

import msgspec

from kcompliance.errors import SourceError, SourceRefused

__all__ = ["Answered", "TryAgain", "WrongAnswer", "answered"]

CONTEXT_MISSING: Final = "search_context_missing_exception"
INDEX_MISSING: Final = "index_not_found_exception"
INDEX_CLOSED: Final = "index_closed_exception"
BREAKER: Final = "circuit_breaking_exception"

_BUSY: Final = {429, 502, 503, 504}
_TOO_MUCH: Final = {BREAKER, "es_rejected_execution_exception", "rejected_execution_exception"}
_NEVER_BETTER: Final = {"too_many_buckets_exception"}
_LONGEST_REASON: Final = 300
_LARGEST_FAULT: Final = 1024 * 1024


class Answered(SourceError):
    """The server answered with an error; `kinds` are its types, with those of the causes."""

    def __init__(
        self, message: str, hint: str | None = None, *, status: int, kinds: frozenset[str]
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.kinds = kinds

    @property
    def lost_context(self) -> bool:
        """The point in time is not there any more."""
        return CONTEXT_MISSING in self.kinds

    @property
    def no_such_index(self) -> bool:
        """The index is not there (any more)."""
        return INDEX_MISSING in self.kinds


class TryAgain(SourceError):
    """Nothing came of a request for a reason that may pass; final once patience is over."""

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        after: float | None = None,
        too_much: bool = False,
        first_contact: bool = True,
    ) -> None:
        super().__init__(message, hint)
        self.after = after
        """Seconds to wait, where the server said so."""
        self.too_much = too_much
        """The server has more to do than it can: a smaller request may pass."""
        self.first_contact = first_contact
        """Worth another try even if the server has never answered before."""


class WrongAnswer(SourceError):
    """An answer that is not what any version of the server sends."""


def answered(
    status: int, body: bytes | memoryview, about: str, permission: str | None, after: float | None
) -> SourceError:
    """The error for an answer that is none of success, to a request `about` something."""
    kinds, reason = _read(bytes(body[:_LARGEST_FAULT]))
    said = f"{about}: {status}" + (f" {reason}" if reason else "")
    if status == 401:
        return SourceRefused(
            f"these credentials are not accepted: {said}",
            "give a valid API key, or the name and password of a user",
            permission=None,
        )
    if status == 403 and "cluster_block_exception" not in kinds:
        needed = _named_permission(reason, permission)
        hint = f'grant the privilege "{needed}"' if needed else None
        return SourceRefused(f"not allowed: {said}", hint, permission=needed)
    if not kinds & _NEVER_BETTER and (status in _BUSY or kinds & _TOO_MUCH):
        too_much = status == 429 or bool(kinds & _TOO_MUCH)
        hint = "ask for less at once, or try again later" if too_much else "try again later"
        return TryAgain(f"the server is busy: {said}", hint, after=after, too_much=too_much)
    if 300 <= status < 400:
        return WrongAnswer(
            f"the server sends elsewhere: {said}", "give the URL of the search server itself"
        )
    hint = "open the index, or leave it out of the pattern" if INDEX_CLOSED in kinds else None
    return Answered(f"the server does not do this: {said}", hint, status=status, kinds=kinds)


def _read(body: bytes) -> tuple[frozenset[str], str]:
    """The types of an error and of its causes, and what to say of it; empty for other texts."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset(), ""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, str):
        return frozenset(), _printable(error)
    if not isinstance(error, dict):
        return frozenset(), ""
    causes = list(_causes(error, depth=0))
    kinds = frozenset(kind for kind, _ in causes)
    telling = next(
        ((kind, why) for kind, why in causes if why and why != "all shards failed"), None
    )
    kind, why = telling or causes[0]
    return kinds, _printable(f"{kind}: {why}" if why else kind)


def _causes(error: dict[str, Any], depth: int) -> list[tuple[str, str]]:
    """Type and reason of an error and of what brought it about, the deepest first."""
    found: list[tuple[str, str]] = []
    if depth < 6:
        failed = [each.get("reason") for each in _dicts(error.get("failed_shards"))[:5]]
        for cause in (*_dicts(error.get("root_cause"))[:5], error.get("caused_by"), *failed):
            if isinstance(cause, dict):
                found += _causes(cause, depth + 1)
    kind, reason = error.get("type"), error.get("reason")
    if isinstance(kind, str):
        found.append((kind, reason if isinstance(reason, str) else ""))
    return found or [("error", "")]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _printable(text: str) -> str:
    flat = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "?" for char in flat[: _LONGEST_REASON + 1])
    return shown if len(flat) <= _LONGEST_REASON else f"{shown[:_LONGEST_REASON]}…"


def _named_permission(reason: str, known: str | None) -> str | None:
    """What would do, as the server says: the one that is known to, or the first.

    OpenSearch names the action that was asked for.
    """
    granted = re.search(r"granted by the (?:index|cluster) privileges \[([a-z_,]+)", reason)
    if granted:
        enough = granted[1].split(",")
        return known if known in enough else enough[0]
    missing = re.search(r"no permissions for \[([a-z_:/*]+)", reason)
    return missing[1] if missing else known
