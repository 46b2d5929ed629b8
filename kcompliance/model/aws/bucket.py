"""An S3 bucket as its own settings tell it: how long objects stay, and who may reach them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kcompliance.model.aws.answers import (
    Answer,
    Fields,
    WrongAnswer,
    ask,
    embedded,
    flag,
    mapping,
    mappings,
    moment,
    needed,
    number,
    text,
)
from kcompliance.model.cluster import Cluster
from kcompliance.model.reading import Kind
from kcompliance.model.retention import FOREVER

__all__ = [
    "Expiry",
    "Lifetime",
    "NewestObject",
    "ObjectLock",
    "expiries",
    "lifecycle",
    "lifetime",
    "newest_object",
    "object_lock",
    "policy_is_public",
    "public_access_blocked",
    "versioning",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """One enabled rule of a lifecycle that takes objects away."""

    rule: str
    prefix: str
    days: int | None
    """After so many days an object is deleted, or hidden where the bucket keeps versions."""
    date: datetime | None
    """On this day all objects are."""
    noncurrent_days: int | None
    """So many days after it was hidden or overwritten, a version is deleted."""
    only_tagged: bool
    """Only objects with a certain tag, which no delivery stream sets."""

    def touches(self, prefix: str) -> bool:
        """Whether any key below this prefix may be concerned."""
        return self.prefix.startswith(prefix) or prefix.startswith(self.prefix)


def lifecycle(cluster: Cluster, bucket: str) -> Answer[tuple[Expiry, ...]]:
    """What takes objects away; Absent where the bucket has no lifecycle, and so nothing does."""
    return ask(cluster, Kind.AWS_BUCKET_LIFECYCLE, bucket, expiries)


def expiries(answer: Fields) -> tuple[Expiry, ...]:
    """The answer of GetBucketLifecycleConfiguration. Raises WrongAnswer."""
    if "Rules" not in answer:
        raise WrongAnswer("it has no Rules")
    return tuple(
        _expiry(rule) for rule in mappings(answer, "Rules") if text(rule, "Status") == "Enabled"
    )


def _expiry(rule: Fields) -> Expiry:
    expiration, filter_ = mapping(rule, "Expiration"), mapping(rule, "Filter")
    both = mapping(filter_, "And")
    prefix = text(filter_, "Prefix") or text(both, "Prefix") or text(rule, "Prefix")
    return Expiry(
        rule=text(rule, "ID") or "without a name",
        prefix=prefix or "",
        days=number(expiration, "Days"),
        date=moment(expiration, "Date"),
        noncurrent_days=number(mapping(rule, "NoncurrentVersionExpiration"), "NoncurrentDays"),
        only_tagged=bool(filter_.get("Tag") or both.get("Tags")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long an object that nobody touches stays: to be seen, and to be restored at all."""

    seen: timedelta
    restorable: timedelta
    """Longer than `seen` only in a bucket that keeps versions."""
    rules: tuple[str, ...]
    """Names of the rules that decide."""


def lifetime(rules: tuple[Expiry, ...], prefix: str, as_of: datetime) -> Lifetime:
    """What these rules leave of objects below the prefix, if the bucket keeps versions.

    The shortest one counts, and rules for tagged objects count for none.
    """
    ours = [rule for rule in rules if rule.touches(prefix) and not rule.only_tagged]
    ends = [(timedelta(days=rule.days), rule.rule) for rule in ours if rule.days is not None]
    ends += [(max(rule.date - as_of, timedelta()), rule.rule) for rule in ours if rule.date]
    hidden = [
        (timedelta(days=rule.noncurrent_days), rule.rule)
        for rule in ours
        if rule.noncurrent_days is not None
    ]
    seen, first = min(ends, default=(FOREVER, ""))
    after, second = min(hidden, default=(FOREVER, ""))
    restorable = FOREVER if FOREVER in (seen, after) else seen + after
    return Lifetime(
        seen=seen,
        restorable=restorable,
        rules=tuple(dict.fromkeys(name for name in (first, second) if name)),
    )


def versioning(cluster: Cluster, bucket: str) -> Answer[bool]:
    """Whether a deleted object stays as a version; also where that was suspended later."""
    return ask(cluster, Kind.AWS_BUCKET_VERSIONING, bucket, _has_versions)


def _has_versions(answer: Fields) -> bool:
    status = text(answer, "Status")
    if status not in (None, "Enabled", "Suspended"):
        raise WrongAnswer(f"the versioning has the unknown status {status}")
    return status == "Enabled"


# --- objects ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestObject:
    """`modified` None: there is no object below the prefix."""

    key: str
    modified: datetime | None


def newest_object(cluster: Cluster, bucket: str, prefix: str) -> Answer[NewestObject]:
    """The newest object below a prefix."""

    def read(answer: Fields) -> NewestObject:
        return max(_objects(answer, prefix), key=_age, default=NewestObject(key="", modified=None))

    return ask(cluster, Kind.AWS_BUCKET_OBJECTS, bucket, read)


def _objects(answer: Fields, prefix: str) -> Iterator[NewestObject]:
    for found in mappings(answer, "Contents"):
        key = needed(text(found, "Key"), "Key")
        if key.startswith(prefix):
            modified = needed(moment(found, "LastModified"), "LastModified")
            yield NewestObject(key=key, modified=modified)


def _age(found: NewestObject) -> float:
    return found.modified.timestamp() if found.modified else 0.0


# --- protection ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLock:
    """`mode` and `days` are those of the default retention; None without one."""

    enabled: bool
    mode: str | None
    days: int | None


def object_lock(cluster: Cluster, bucket: str) -> Answer[ObjectLock]:
    """The bucket's Object Lock; Absent where the bucket was created without it."""
    return ask(cluster, Kind.AWS_BUCKET_OBJECT_LOCK, bucket, _lock)


def _lock(answer: Fields) -> ObjectLock:
    found = mapping(answer, "ObjectLockConfiguration")
    default = mapping(mapping(found, "Rule"), "DefaultRetention")
    years, days = number(default, "Years"), number(default, "Days")
    return ObjectLock(
        enabled=text(found, "ObjectLockEnabled") == "Enabled",
        mode=text(default, "Mode"),
        days=years * 365 if years else days,
    )


_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def public_access_blocked(cluster: Cluster, kind: Kind, subject: str) -> Answer[bool]:
    """Whether all four kinds of public access are blocked, of a bucket or of an account."""
    return ask(cluster, kind, subject, _all_blocked)


def _all_blocked(answer: Fields) -> bool:
    found = answer.get("PublicAccessBlockConfiguration")
    if not isinstance(found, dict):
        raise WrongAnswer("it has no PublicAccessBlockConfiguration")
    return all(flag(found, name) is True for name in _BLOCKS)


def policy_is_public(cluster: Cluster, bucket: str) -> Answer[bool]:
    """Whether the bucket's policy allows anything to anybody; Absent where it has none."""
    return ask(cluster, Kind.AWS_BUCKET_POLICY, bucket, _public)


def _public(answer: Fields) -> bool:
    policy: Fields = embedded(answer, "Policy") or {}
    statements = policy.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    return any(_open_to_all(found) for found in listed if isinstance(found, dict))


def _open_to_all(statement: Fields) -> bool:
    if statement.get("Effect") != "Allow" or statement.get("Condition"):
        return False
    principal: Any = statement.get("Principal")
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    return principal == "*" or (isinstance(principal, list) and "*" in principal)
