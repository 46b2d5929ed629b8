"""What all parts of kcompliance.lock have in common."""

import msgspec

__all__ = ["Part"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a document of ours; an unknown key is refused."""
