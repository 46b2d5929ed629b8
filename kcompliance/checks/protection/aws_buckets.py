"""Whether the buckets behind a log group of EKS can be reached by the public."""

from collections.abc import Iterator

from kcompliance.checks.eks import not_given
from kcompliance.model.aws.bucket import policy_is_public, public_access_blocked
from kcompliance.model.aws.cluster_settings import EksCluster, account_of
from kcompliance.model.aws.delivery import archive_buckets
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw, Seen, Unreadable

__all__ = ["public_access"]


def public_access(cluster: Cluster, found: Seen[EksCluster], aspect: str) -> Iterator[Finding]:
    """One finding for each bucket that delivery streams put the events in."""
    buckets = archive_buckets(cluster, found.value.log_group)
    if isinstance(buckets, Unreadable):
        yield Finding.unreadable(buckets, aspect=aspect)
        return
    for name in sorted(buckets.names):
        yield _of_bucket(cluster, found.value, name, aspect)
    if buckets.names:
        return
    arn = found.value.arn
    if buckets.whole is not None:
        because = "no delivery stream puts its events in a bucket: see KC-RET-010"
        raw = buckets.whole if isinstance(buckets.whole, Raw) else found.raw
        evidence = evidence_of(raw, "subscriptionFilters", "none that leads to S3")
        yield Finding.not_applicable(arn, because, evidence, aspect=aspect)
    else:
        group = found.value.log_group
        command = f"aws logs describe-subscription-filters --log-group-name {group}"
        yield not_given(arn, f"what sends the events of {group} on", command, aspect)


def _of_bucket(cluster: Cluster, found: EksCluster, name: str, aspect: str) -> Finding:
    where = f"s3://{name}"
    blocked = public_access_blocked(cluster, Kind.AWS_BUCKET_PUBLIC_ACCESS, name)
    if isinstance(blocked, Unreadable):
        return Finding.unreadable(blocked, aspect=aspect)
    if isinstance(blocked, NotAsked):
        command = f"aws s3api get-public-access-block --bucket {name}"
        return not_given(where, f"the public access of the bucket {name}", command, aspect)
    evidence: tuple[Evidence, ...] = ()
    if isinstance(blocked, Seen):
        shown = "all four true" if blocked.value else "not all true"
        evidence = evidence_of(blocked.raw, "PublicAccessBlockConfiguration", shown)
        if blocked.value:
            return Finding.passed(where, "public access is blocked", evidence, aspect=aspect)
    return _not_by_itself(cluster, found, name, evidence, aspect)


def _not_by_itself(
    cluster: Cluster, found: EksCluster, name: str, evidence: tuple[Evidence, ...], aspect: str
) -> Finding:
    """The block of the whole account counts for each of its buckets."""
    where, account = f"s3://{name}", account_of(found.arn)
    whole = public_access_blocked(cluster, Kind.AWS_ACCOUNT_PUBLIC_ACCESS, account)
    if isinstance(whole, Seen) and whole.value:
        evidence += evidence_of(whole.raw, "PublicAccessBlockConfiguration", "all four true")
        because = f"public access is blocked for the whole account {account}"
        return Finding.passed(where, because, evidence, aspect=aspect)
    public = policy_is_public(cluster, name)
    if isinstance(public, Seen) and public.value:
        evidence += evidence_of(public.raw, "Policy", "Allow to *")
        because = "the bucket's policy lets anybody in, and nothing blocks it"
        return Finding.failed(where, because, evidence, aspect=aspect)
    if isinstance(whole, Unreadable):
        return Finding.unreadable(whole, aspect=aspect)
    if isinstance(whole, NotAsked):
        command = f"aws s3control get-public-access-block --account-id {account}"
        what = f"whether the account {account} blocks public access"
        return not_given(where, what, command, aspect)
    because = "public access is blocked neither for the bucket nor for its account"
    return Finding.failed(where, because, evidence, aspect=aspect)
