"""`approve` as JSON, with types of its own."""

from dataclasses import dataclass

import msgspec

from kcompliance.model.approval.approved import ApprovedServerV1, ApprovedTargetV1
from kcompliance.model.approval.clouds import ApprovedCloudV1
from kcompliance.model.approval.difference import ApprovalChanges
from kcompliance.model.approval.stores import ApprovedStoreV1
from kcompliance.report.json_policy import render_document
from kcompliance.report.json_scan import utc

__all__ = ["APPROVE_SCHEMA", "Approval", "ApprovalReport", "TargetApproval", "render_approve"]

APPROVE_SCHEMA = "kcompliance/approve/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetApproval:
    """One target: what is approved now, and what was before; None: nothing was."""

    name: str
    now: ApprovedTargetV1
    before: ApprovedTargetV1 | None
    changes: ApprovalChanges
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalReport:
    """A whole approval."""

    lock: str
    written: bool
    targets: tuple[TargetApproval, ...]


class SignedV1(msgspec.Struct, kw_only=True):
    """Who approved, when and why."""

    approved_at: str
    approved_by: str
    commit: str | None
    reason: str | None


class PolicyOfV1(msgspec.Struct, kw_only=True):
    """A policy that is approved; `rules` is their number."""

    name: str
    sha256: str
    canonical_sha256: str
    rules: int


class ServerOfV1(msgspec.Struct, kw_only=True):
    """Servers that run alike; `webhook` is where events are posted, null where not or not seen."""

    names: list[str]
    policy: str
    flags: dict[str, str | None]
    webhook: str | None


class ShippingOfV1(msgspec.Struct, kw_only=True):
    """A setting of a provider: which logs it sends, and where to."""

    name: str
    logs: list[str]
    destinations: list[str]


class CloudOfV1(msgspec.Struct, kw_only=True):
    """The settings of a cluster whose API server a provider runs."""

    id: str
    settings: list[ShippingOfV1]


class StoreOfV1(msgspec.Struct, kw_only=True):
    """What governs the indices of a store; `documents` are sha256 by name."""

    name: str
    governed: dict[str, list[list[str]]]
    documents: dict[str, str]


class ChangesV1(msgspec.Struct, kw_only=True):
    """What is approved otherwise than before, in sentences."""

    policies: list[str]
    servers: list[str]
    clouds: list[str]
    stores: list[str]


class TargetApprovalV1(msgspec.Struct, kw_only=True):
    """One target; `before` is null where it is approved for the first time."""

    name: str
    now: SignedV1
    before: SignedV1 | None
    policies: list[PolicyOfV1]
    servers: list[ServerOfV1]
    clouds: list[CloudOfV1]
    stores: list[StoreOfV1]
    changes: ChangesV1
    notes: list[str]


class Approval(msgspec.Struct, kw_only=True):
    """The whole document; `written` is false where it was only tried."""

    schema: str
    lock: str
    written: bool
    targets: list[TargetApprovalV1]


def render_approve(report: ApprovalReport) -> str:
    """One JSON document, ending with a line feed."""
    return render_document(
        Approval(
            schema=APPROVE_SCHEMA,
            lock=report.lock,
            written=report.written,
            targets=[_target(each) for each in report.targets],
        )
    )


def _target(target: TargetApproval) -> TargetApprovalV1:
    return TargetApprovalV1(
        name=target.name,
        now=_signed(target.now),
        before=_signed(target.before) if target.before else None,
        policies=[
            PolicyOfV1(
                name=policy.name,
                sha256=policy.sha256,
                canonical_sha256=policy.canonical_sha256,
                rules=len(policy.canonical.rules),
            )
            for policy in target.now.policies
        ],
        servers=[_server(each) for each in target.now.servers],
        clouds=[_cloud(each) for each in target.now.clouds],
        stores=[_store(each) for each in target.now.stores],
        changes=ChangesV1(
            policies=list(target.changes.policies),
            servers=list(target.changes.servers),
            clouds=list(target.changes.clouds),
            stores=list(target.changes.stores),
        ),
        notes=list(target.notes),
    )


def _signed(target: ApprovedTargetV1) -> SignedV1:
    return SignedV1(
        approved_at=utc(target.approved_at),
        approved_by=target.approved_by,
        commit=target.commit,
        reason=target.reason,
    )


def _server(server: ApprovedServerV1) -> ServerOfV1:
    return ServerOfV1(
        names=list(server.names),
        policy=server.policy,
        flags=dict(server.flags),
        webhook=server.webhook.server if server.webhook else None,
    )


def _cloud(cloud: ApprovedCloudV1) -> CloudOfV1:
    settings = [
        ShippingOfV1(name=each.name, logs=list(each.logs), destinations=list(each.destinations))
        for each in cloud.settings
    ]
    return CloudOfV1(id=cloud.id, settings=settings)


def _store(store: ApprovedStoreV1) -> StoreOfV1:
    return StoreOfV1(
        name=store.name,
        governed={name: [list(each) for each in ways] for name, ways in store.governed.items()},
        documents={each.name: each.sha256 for each in store.documents},
    )
