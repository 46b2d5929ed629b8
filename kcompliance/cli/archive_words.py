"""What the words of `archive run` mean: streams, durations, periods, patterns, locks."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from kcompliance.errors import UsageError
from kcompliance.ledger import LockMode, Period, StreamName, parse_period, parse_stream_name
from kcompliance.model.duration import parse_elastic_duration
from kcompliance.stores import StoreOptions
from kcompliance.stores.interface import LockMode as StoreLock

__all__ = ["duration", "names", "period", "store_options", "stream_name"]


def names(options: Sequence[str] | None, more: Sequence[str] | None) -> Iterator[str]:
    """Patterns as they were given: one an option, several, or joined by commas."""
    if more and not options:
        raise UsageError(f'unexpected argument "{more[0]}"', "name it with --index or --files")
    for text in (*(options or ()), *(more or ())):
        yield from (name for name in text.split(",") if name)


def stream_name(text: str) -> StreamName:
    """The name of a stream."""
    name = parse_stream_name(text)
    if name is None:
        raise UsageError(
            f'"{text}" is not the name of a stream',
            "two parts of lower-case letters, digits, . _ -: CLUSTER/DATASET, such as prod/audit",
        )
    return name


def duration(option: str, text: str) -> timedelta:
    """A duration of at least a second, such as 15m, 1h, 30d."""
    value = parse_elastic_duration(text)
    if not value or value < timedelta() or value.microseconds:
        raise UsageError(f'{option} "{text}" is not a duration', "such as 15m, 1h or 30d")
    return value


def period(text: str) -> Period:
    """A period in years or days."""
    value = parse_period(text)
    if value is None:
        raise UsageError(f'--retain "{text}" is not a period', "such as 2y or 730d")
    return value


def store_options(
    endpoint: str | None,
    region: str | None,
    lock: LockMode,
    kms_key: str | None,
    encryption_scope: str | None,
    *,
    legal_hold: bool,
) -> StoreOptions:
    """How to write to the archive's store."""
    mode = StoreLock.GOVERNANCE if lock is LockMode.GOVERNANCE else StoreLock.COMPLIANCE
    return StoreOptions(
        endpoint_url=endpoint,
        region=region,
        lock_mode=mode,
        legal_hold=legal_hold,
        kms_key=kms_key,
        encryption_scope=encryption_scope,
    )
