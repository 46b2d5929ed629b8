"""Whether an archive is as young as it has to be, and no younger than now."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from kcompliance.archive.log import Commit
from kcompliance.ledger import (
    Coverage,
    Fault,
    FindingCode,
    StreamName,
    Trust,
    format_time,
)

__all__ = ["CLOCKS_DIFFER", "future_fault", "stale_fault", "stream_faults"]

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clocks of a writer and of a verifier may be apart."""


def future_fault(commit: Commit, as_of: datetime) -> Fault | None:
    """TIME_FUTURE for a commit that nobody can have made yet."""
    record = commit.record
    if record is None or record.time <= as_of + CLOCKS_DIFFER:
        return None
    detail = f"dated {format_time(record.time)}, and now it is {format_time(as_of)}"
    return Fault(code=FindingCode.TIME_FUTURE, detail=detail, object=commit.log_key)


def stale_fault(trust: Trust, last: datetime | None, as_of: datetime) -> Fault | None:
    """STALE where the last commit is older than the trust file allows."""
    most = trust.require.max_age
    if most is None or (last is not None and as_of - last <= most):
        return None
    when = "has no time" if last is None else f"is of {format_time(last)}"
    detail = f"the last commit {when}; at most {most} old is allowed"
    return Fault(code=FindingCode.STALE, detail=detail)


def stream_faults(
    trust: Trust, streams: Mapping[StreamName, Coverage], as_of: datetime
) -> Iterator[Fault]:
    """STREAM_MISSING and STREAM_STALE, by what the trust file expects."""
    for expected in trust.streams:
        found = streams.get(expected.name)
        if found is None:
            yield Fault(
                code=FindingCode.STREAM_MISSING,
                detail="no record of the archive is about this stream",
                stream=expected.name,
            )
        elif expected.cadence is not None and (
            found.end is None or as_of - found.end > expected.cadence
        ):
            ends = "has no window" if found.end is None else f"ends at {format_time(found.end)}"
            yield Fault(
                code=FindingCode.STREAM_STALE,
                detail=f"it {ends}; it has to grow every {expected.cadence}",
                stream=expected.name,
                start=None if found.end is None else format_time(found.end),
                end=format_time(as_of),
            )
