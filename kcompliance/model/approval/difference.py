"""What a new approval changes of the one before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kcompliance.model.approval.approved import (
    ApprovedPolicyV1,
    ApprovedServerV1,
    ApprovedTargetV1,
    changed_webhook,
)
from kcompliance.model.approval.clouds import changed_destinations, changed_logs
from kcompliance.model.approval.policy import policy_in
from kcompliance.model.approval.policy_difference import compare_policies
from kcompliance.model.approval.settings import changed_flags
from kcompliance.model.approval.stores import changed_store

__all__ = ["ApprovalChanges", "compare_approvals"]


_FIRST: Final = "approved for the first time"
_NO_LONGER: Final = "approved no longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalChanges:
    """In sentences, by what they are about; none where the same is approved again."""

    policies: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.policies, *self.servers, *self.clouds, *self.stores)


def compare_approvals(before: ApprovedTargetV1, now: ApprovedTargetV1) -> ApprovalChanges:
    """What became of the policies, servers, provider's settings and stores of one target."""
    return ApprovalChanges(
        policies=tuple(_policies(before, now)),
        servers=tuple(_servers(before, now)),
        clouds=tuple(_clouds(before, now)),
        stores=tuple(_stores(before, now)),
    )


def _policies(before: ApprovedTargetV1, now: ApprovedTargetV1) -> Iterator[str]:
    for policy in now.policies:
        same = [each for each in before.policies if each.canonical == policy.canonical]
        if policy.sha256 in {each.sha256 for each in same}:
            continue
        if same:
            yield f"{policy.name}: other bytes, of which a server makes the same"
            continue
        former = _former(before, policy)
        if former is None:
            yield f"{policy.name}: {_FIRST}"
            continue
        was, is_ = policy_in(former.canonical), policy_in(policy.canonical)
        if was is not None and is_ is not None:  # whoever reads a lock sees to it
            for line in compare_policies(was, is_).lines:
                yield f"{policy.name}: {line}"


def _former(before: ApprovedTargetV1, policy: ApprovedPolicyV1) -> ApprovedPolicyV1 | None:
    named = [each for each in before.policies if each.name == policy.name]
    return next(iter((*named, *before.policies)), None)


def _servers(before: ApprovedTargetV1, now: ApprovedTargetV1) -> Iterator[str]:
    old = {name: server for server in before.servers for name in server.names}
    new = {name: server for server in now.servers for name in server.names}
    for name, server in new.items():
        if name not in old:
            yield f"{name}: {_FIRST}"
            continue
        for change in _of_server(old[name], server):
            yield f"{name}: {change}"
    yield from (f"{name}: {_NO_LONGER}" for name in old if name not in new)


def _of_server(before: ApprovedServerV1, now: ApprovedServerV1) -> Iterator[str]:
    yield from changed_flags(before.flags, now.flags)
    if before.webhook is not None and now.webhook is not None:
        yield from (f"webhook {each}" for each in changed_webhook(before.webhook, now.webhook))
    elif now.webhook is not None:
        yield f"webhook {now.webhook.server}, of which nothing was approved"
    elif before.webhook is not None:
        yield f"webhook {before.webhook.server} is no longer part of it"


def _clouds(before: ApprovedTargetV1, now: ApprovedTargetV1) -> Iterator[str]:
    old = {cloud.id: cloud for cloud in before.clouds}
    for cloud in now.clouds:
        if cloud.id not in old:
            yield f"{cloud.id}: {_FIRST}"
            continue
        yield from changed_logs(old[cloud.id], cloud)
        yield from changed_destinations(old[cloud.id], cloud)
    kept = {cloud.id for cloud in now.clouds}
    yield from (f"{id_}: {_NO_LONGER}" for id_ in old if id_ not in kept)


def _stores(before: ApprovedTargetV1, now: ApprovedTargetV1) -> Iterator[str]:
    old = {store.name: store for store in before.stores}
    for store in now.stores:
        if store.name not in old:
            yield f"{store.name}: {_FIRST}"
        else:
            yield from changed_store(old[store.name], store)
    kept = {store.name for store in now.stores}
    yield from (f"{name}: {_NO_LONGER}" for name in old if name not in kept)
