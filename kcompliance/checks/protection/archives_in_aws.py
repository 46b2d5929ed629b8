"""The AWS part of KC-PRO-009: buckets that delivery streams put the audit log of EKS in."""

from collections.abc import Iterator

from kcompliance.checks.eks import describe, not_given
from kcompliance.model.aws.bucket import ObjectLock, object_lock, versioning
from kcompliance.model.aws.delivery import archive_buckets
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Absent, Raw, Seen, Unreadable

__all__ = ["worm_in_aws"]

_ASPECTS = ("locked", "compliance")


def worm_in_aws(cluster: Cluster, worm_days: int) -> Iterator[Finding]:
    """Findings on each bucket, and none where the log goes to no bucket."""
    found, early = describe(cluster, _ASPECTS)
    yield from early
    if found is None:
        return
    group = found.value.log_group
    buckets = archive_buckets(cluster, group)
    if isinstance(buckets, Unreadable):
        yield from (Finding.unreadable(buckets, aspect=aspect) for aspect in _ASPECTS)
        return
    for name in sorted(buckets.names):
        yield from _of_bucket(cluster, name, worm_days)
    if not buckets.names and buckets.whole is None:
        command = f"aws logs describe-subscription-filters --log-group-name {group}"
        for aspect in _ASPECTS:
            what = f"what sends the events of {group} on"
            yield not_given(found.value.arn, what, command, aspect)


def _of_bucket(cluster: Cluster, name: str, worm_days: int) -> Iterator[Finding]:
    where, lock = f"s3://{name}", object_lock(cluster, name)
    match lock:
        case Unreadable():
            yield from (Finding.unreadable(lock, aspect=aspect) for aspect in _ASPECTS)
        case NotAsked():
            command = f"aws s3api get-object-lock-configuration --bucket {name}"
            for aspect in _ASPECTS:
                yield not_given(where, f"the Object Lock of the bucket {name}", command, aspect)
        case Absent():
            because = "the bucket has no Object Lock: whoever may delete there can delete objects"
            yield Finding.failed(where, because, aspect="locked")
            because = "there is no lock whose mode could be judged: see the aspect locked"
            yield Finding.not_applicable(where, because, aspect="compliance")
        case Seen(value=value, raw=raw):
            yield _locked(cluster, name, value, raw, worm_days)
            yield _compliance(where, value, raw)


def _locked(cluster: Cluster, name: str, lock: ObjectLock, raw: Raw, worm_days: int) -> Finding:
    where = f"s3://{name}"
    days = "none" if lock.days is None else f"{lock.days} days"
    evidence = evidence_of(raw, "ObjectLockConfiguration.Rule.DefaultRetention", days)
    because = ""
    if not lock.enabled:
        because = "Object Lock is not enabled"
    elif lock.mode is None or lock.days is None:
        because = (
            "it has no default retention, and delivery streams set none: objects arrive unlocked"
        )
    elif lock.days < worm_days:
        because = f"objects are locked for {lock.days} days only, and it takes {worm_days}"
    if because:
        return Finding.failed(where, because, evidence, aspect="locked")
    kept = versioning(cluster, name)
    if isinstance(kept, Seen) and not kept.value:
        evidence += evidence_of(kept.raw, "Status", "not Enabled")
        because = "it keeps no versions, without which there is no Object Lock"
        return Finding.failed(where, because, evidence, aspect="locked")
    because = f"every object is locked for {lock.days} days when it arrives"
    return Finding.passed(where, because, evidence, aspect="locked")


def _compliance(where: str, lock: ObjectLock, raw: Raw) -> Finding:
    evidence = evidence_of(
        raw, "ObjectLockConfiguration.Rule.DefaultRetention.Mode", lock.mode or "none"
    )
    if not lock.enabled or lock.mode is None:
        because = "there is no lock whose mode could be judged: see the aspect locked"
        return Finding.not_applicable(where, because, evidence, aspect="compliance")
    if lock.mode == "COMPLIANCE":
        because = "its locks are of the kind that nobody lifts before their date"
        return Finding.passed(where, because, evidence, aspect="compliance")
    because = f"its mode is {lock.mode}: who has the right to bypass it can delete"
    return Finding.failed(where, because, evidence, aspect="compliance")
