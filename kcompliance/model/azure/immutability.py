"""Immutability of blob containers: what keeps the blobs of a diagnostic setting from deletion."""

from dataclasses import dataclass

from kcompliance.model.azure.answer import Fields, Resource, WrongAnswer, flag, number, part, text

__all__ = ["ContainerLock", "Policy", "account_policy_of", "container_lock_of"]

_STATES = ("locked", "unlocked", "disabled", "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A retention policy by time; days count from the creation of a blob."""

    days: int
    locked: bool
    """Nobody can shorten or delete it; what is not locked an administrator can."""
    appends: bool
    """Blocks may still be added to append blobs, which is how diagnostic settings write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLock:
    """What protects a container; `policy` None and `held` False: nothing."""

    policy: Policy | None = None
    held: bool
    """A legal hold is on it, which lasts until somebody clears it."""
    hold_appends: bool = False
    """The legal hold lets blocks be added to append blobs."""


def container_lock_of(resource: Resource) -> ContainerLock:
    """Read one container. Raises WrongAnswer."""
    fields = resource.fields
    whole = part(fields, "immutabilityPolicy")
    policy = _policy(part(whole, "properties") or whole) if whole else None
    if policy is None and flag(fields, "hasImmutabilityPolicy") is True:
        raise WrongAnswer("a container that has an immutability policy and does not tell it")
    hold = part(fields, "legalHold") or {}
    history = part(hold, "protectedAppendWritesHistory") or {}
    held = flag(fields, "hasLegalHold") is True or flag(hold, "hasLegalHold") is True
    return ContainerLock(
        policy=policy,
        held=held,
        hold_appends=flag(history, "allowProtectedAppendWritesAll") is True,
    )


def account_policy_of(resource: Resource) -> Policy | None:
    """The policy that an account gives each blob version in all its containers; None without one.

    A container's own goes before it. Raises WrongAnswer.
    """
    whole = part(resource.fields, "immutableStorageWithVersioning") or {}
    if flag(whole, "enabled") is not True:
        return None
    return _policy(part(whole, "immutabilityPolicy"))


def _policy(fields: Fields | None) -> Policy | None:
    """None where it is none any more. Raises WrongAnswer."""
    if not fields:
        return None
    state = (text(fields, "state") or "").lower()
    if state not in _STATES:
        raise WrongAnswer(f"an immutability policy in the state {state or 'of no name'}")
    days = number(fields, "immutabilityPeriodSinceCreationInDays")
    if state in ("disabled", "deleted"):
        return None
    if days is None or not 0 <= days <= 146_000:
        raise WrongAnswer(f"immutabilityPeriodSinceCreationInDays is {days}")
    appends = ("allowProtectedAppendWrites", "allowProtectedAppendWritesAll")
    return Policy(
        days=int(days),
        locked=state == "locked",
        appends=any(flag(fields, name) is True for name in appends),
    )
