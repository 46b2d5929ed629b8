"""How often a CronJob runs, as far as its schedule tells without a calendar."""

from datetime import timedelta
from typing import Final

__all__ = ["period_of"]

_NAMED: Final = {
    "@yearly": timedelta(days=366),
    "@annually": timedelta(days=366),
    "@monthly": timedelta(days=31),
    "@weekly": timedelta(days=7),
    "@daily": timedelta(days=1),
    "@midnight": timedelta(days=1),
    "@hourly": timedelta(hours=1),
}


def period_of(schedule: str) -> timedelta | None:
    """The longest time between two runs, rounded up to an hour, day, week, month or year.

    None where it is no schedule of five fields.
    """
    words = schedule.split()
    words = words[1:] if words and words[0].startswith(("TZ=", "CRON_TZ=")) else words
    if len(words) == 1:
        return _NAMED.get(words[0].lower())
    if len(words) != 5:
        return None
    _, hour, day, month, weekday = words
    if month != "*":
        return timedelta(days=366)
    if day not in ("*", "?"):
        return timedelta(days=31)
    if weekday not in ("*", "?"):
        return timedelta(days=7)
    return timedelta(hours=1) if hour == "*" else timedelta(days=1)
