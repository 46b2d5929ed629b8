"""The Azure part of KC-PRO-009: containers that diagnostic settings ship an audit log to."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.protection.azure_destinations import (
    audit_destinations,
    categories_to,
    not_looked_at,
)
from kcompliance.model.azure.blob_storage import container_of
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.immutability import (
    ContainerLock,
    Policy,
    account_policy_of,
    container_lock_of,
)
from kcompliance.model.azure.trail import Trail, trails_of
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["containers_that_refuse_appends", "worm_in_azure"]

_ASPECTS = ("locked", "compliance")
_NO_APPENDS = (
    "it is locked against appends too: diagnostic settings can no longer add records to their "
    "blobs, and the audit log is lost"
)


def worm_in_azure(cluster: Cluster, worm_days: int) -> Iterator[Finding]:
    """Findings on each container, and none where the audit log goes to no storage account."""
    for found in trails_to_judge(cluster, _ASPECTS):
        if isinstance(found, Finding):
            yield found
            continue
        for destination in audit_destinations(found, DestinationKind.STORAGE):
            yield from _of_account(found, destination, worm_days)


def containers_that_refuse_appends(cluster: Cluster) -> Iterator[Finding]:
    """Fails of containers whose lock stops delivery, whatever else is the archive."""
    for trail in trails_of(cluster):
        for destination in audit_destinations(trail, DestinationKind.STORAGE):
            for category in categories_to(trail, destination):
                found = _container(trail, destination, category)
                if isinstance(found, _Container) and not found.appends:
                    yield Finding.failed(found.id, _NO_APPENDS, found.evidence, aspect="locked")


def _of_account(trail: Trail, destination: Destination, worm_days: int) -> Iterator[Finding]:
    look = trail.look(destination)
    if not isinstance(look, Seen):
        for aspect in _ASPECTS:
            yield not_looked_at(trail, destination, look, aspect)
        return
    for category in categories_to(trail, destination):
        found = _container(trail, destination, category)
        if isinstance(found, _Container):
            yield _locked(found, worm_days)
            yield _compliance(found)
        else:
            yield from _not_seen(trail, destination, category, found)


# --- what is known of a container ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Container:
    """A container; `policy` is its own, or the one that the account gives each version."""

    id: str
    policy: Policy | None
    lock: ContainerLock
    evidence: tuple[Evidence, ...]

    @property
    def appends(self) -> bool:
        """Whether diagnostic settings can still write."""
        if self.policy is not None and not self.policy.appends:
            return False
        return not self.lock.held or self.lock.hold_appends


def _container(
    trail: Trail, destination: Destination, category: str
) -> _Container | Absent | Unreadable | NotAsked:
    id_ = f"{destination.id}/blobServices/default/containers/{container_of(category)}"
    found = trail.estate.find(Kind.AZURE_BLOB_CONTAINER, id_, container_lock_of)
    if isinstance(found, Unreadable | NotAsked):
        return found
    if isinstance(found, Seen) and found.value.policy is not None:
        evidence = _evidence(found.raw, found.value)
        return _Container(id=id_, policy=found.value.policy, lock=found.value, evidence=evidence)
    account = trail.estate.find(Kind.AZURE_STORAGE_ACCOUNT, destination.id, account_policy_of)
    if isinstance(account, Unreadable):
        return account
    policy = account.value if isinstance(account, Seen) else None
    if isinstance(found, Absent) and policy is None:
        return found
    lock = found.value if isinstance(found, Seen) else ContainerLock(held=False)
    evidence = _evidence(found.raw, lock) if isinstance(found, Seen) else ()
    if isinstance(account, Seen) and policy is not None:
        evidence += _words(account.raw, "immutableStorageWithVersioning", policy)
    return _Container(id=id_, policy=policy, lock=lock, evidence=evidence)


def _evidence(raw: Raw, lock: ContainerLock) -> tuple[Evidence, ...]:
    evidence: tuple[Evidence, ...] = ()
    if lock.policy is not None:
        evidence += _words(raw, "immutabilityPolicy", lock.policy)
    if lock.held:
        appends = "with" if lock.hold_appends else "without"
        evidence += evidence_of(raw, "legalHold", f"on, {appends} protected appends")
    return evidence or evidence_of(raw, "hasImmutabilityPolicy, hasLegalHold", "false")


def _words(raw: Raw, place: str, policy: Policy) -> tuple[Evidence, ...]:
    state = "Locked" if policy.locked else "Unlocked"
    appends = "with" if policy.appends else "without"
    return evidence_of(raw, place, f"{state}, {policy.days} days, {appends} protected appends")


# --- verdicts --------------------------------------------------------------------------------


def _locked(found: _Container, worm_days: int) -> Finding:
    policy, lock = found.policy, found.lock
    because = "neither an immutability policy nor a legal hold protects it"
    if not found.appends:
        because = _NO_APPENDS
    elif policy is not None and policy.locked and policy.days >= worm_days:
        because = f"its policy is locked: no blob goes before it is {policy.days} days old"
        return Finding.passed(found.id, because, found.evidence, aspect="locked")
    elif lock.held:
        because = "a legal hold keeps every blob until somebody clears it"
        return Finding.passed(found.id, because, found.evidence, aspect="locked")
    elif policy is not None and not policy.locked:
        because = "its policy is Unlocked: an administrator can delete it, and then the blobs"
    elif policy is not None:
        because = f"its blobs are locked for {policy.days} days only, and it takes {worm_days}"
    return Finding.failed(found.id, because, found.evidence, aspect="locked")


def _compliance(found: _Container) -> Finding:
    policy = found.policy
    if policy is not None and policy.locked:
        because = "its policy is Locked, which nobody lifts"
        return Finding.passed(found.id, because, found.evidence, aspect="compliance")
    if policy is not None:
        because = "its policy is Unlocked: who has the right to change it can delete"
        return Finding.failed(found.id, because, found.evidence, aspect="compliance")
    if found.lock.held:
        because = "only a legal hold protects it: who has the right to clear it can delete"
        return Finding.failed(found.id, because, found.evidence, aspect="compliance")
    because = "there is no lock that could be judged: see the aspect locked"
    return Finding.not_applicable(found.id, because, found.evidence, aspect="compliance")


def _not_seen(
    trail: Trail,
    destination: Destination,
    category: str,
    found: Absent | Unreadable | NotAsked,
) -> Iterator[Finding]:
    name, evidence = container_of(category), of_settings(trail)
    id_ = f"{destination.id}/blobServices/default/containers/{name}"
    match found:
        case Unreadable():
            yield from (Finding.unreadable(found, aspect=aspect) for aspect in _ASPECTS)
        case Absent():
            because = f"there is no container {name} yet, and so no lock on what arrives in it"
            yield Finding.failed(id_, because, evidence, aspect="locked")
            because = "there is no lock that could be judged: see the aspect locked"
            yield Finding.not_applicable(id_, because, evidence, aspect="compliance")
        case NotAsked():
            for aspect in _ASPECTS:
                yield Finding.manual(
                    id_,
                    f"the container {name} is not in what was given",
                    f"What does `az storage container-rm show --storage-account {destination.id} "
                    f"-n {name} -o json` print? Scan aks:{trail.id}, or add that output.",
                    evidence,
                    aspect=aspect,
                )
