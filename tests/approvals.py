"""Locks for tests, as `kcompliance approve` would write them."""

from datetime import datetime

from kcompliance.checks.approvable import Approvable, approvable
from kcompliance.model.approval.approved import ApprovedTargetV1, write_lock
from kcompliance.model.assemble import assemble
from kcompliance.model.reading import Capture
from tests.captures import NOW

__all__ = ["approved", "lock_of"]


def approved(*captures: Capture, target: str = "c", at: datetime = NOW) -> ApprovedTargetV1:
    """What runs, approved by jo."""
    found = approvable(assemble(target, captures))
    assert isinstance(found, Approvable), found
    return ApprovedTargetV1(
        approved_at=at,
        approved_by="jo@example.org",
        commit=None,
        reason=None,
        policies=found.policies,
        servers=found.servers,
        clouds=found.clouds,
        stores=found.stores,
    )


def lock_of(*captures: Capture, target: str = "c", at: datetime = NOW) -> str:
    """The text of a lock with this one target."""
    return write_lock({target: approved(*captures, target=target, at=at)})
