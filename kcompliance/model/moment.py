"""Times as numbers."""

from datetime import UTC, datetime, timedelta

__all__ = ["moment"]


def moment(milliseconds: object) -> datetime | None:
    """A time in milliseconds since 1970, as a number or as digits; None for anything else."""
    if isinstance(milliseconds, str) and milliseconds.isdecimal() and len(milliseconds) < 18:
        milliseconds = int(milliseconds)
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        return None
