"""What a user may choose about a store, besides its URL. Credentials are never among it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.stores.interface import Lock, LockMode

__all__ = ["StoreOptions", "wanted_lock", "whole_second"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Options of all kinds of stores; each takes those that it knows."""

    endpoint_url: str | None = None
    """Another server than that of AWS or Azure. For Azure it ends with the name of the account
    where that is not part of the host's name."""
    region: str | None = None
    lock_mode: LockMode = LockMode.COMPLIANCE
    legal_hold: bool = False
    """Put every object under a legal hold, besides what a caller asks for."""
    kms_key: str | None = None
    """S3: encrypt each object under this key (SSE-KMS); an id, an ARN or an alias."""
    encryption_scope: str | None = None
    """Azure: encrypt each object under this scope."""
    foreign: bool = False
    """Also list and read what has a key that no archive of ours has; S3 and Azure."""
    tries: int = 5
    """How often a request is sent before its server is called unreachable."""
    connect_seconds: int = 10
    read_seconds: int = 60


def wanted_lock(mode: LockMode, retain_until: datetime | None, *, hold: bool) -> Lock:
    """The lock that an object is to have."""
    if retain_until is None:
        return Lock(hold=hold)
    return Lock(mode=mode, until=whole_second(retain_until), hold=hold)


def whole_second(moment: datetime) -> datetime:
    """Not before this moment: servers cut off fractions, and a lock is not to be shorter."""
    if moment.tzinfo is None:
        raise ValueError(f"a date without a time zone: {moment}")
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)
