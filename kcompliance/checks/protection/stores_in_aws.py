"""The AWS part of KC-PRO-011: the log group of EKS, and the buckets that its events are put in."""

from collections.abc import Iterator

from kcompliance.checks.eks import describe, not_given
from kcompliance.checks.protection.aws_buckets import public_access
from kcompliance.model.aws.at_rest import bucket_encryption, public_log_policies
from kcompliance.model.aws.cluster_settings import EksCluster
from kcompliance.model.aws.delivery import archive_buckets
from kcompliance.model.aws.log_group import LogGroup, log_group
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable

__all__ = ["stores_in_aws"]

_ASPECTS = ("encrypted", "not-public")


def stores_in_aws(cluster: Cluster, *, require_cmk: bool) -> Iterator[Finding]:
    """One finding for each store and aspect."""
    found, early = describe(cluster, _ASPECTS)
    yield from early
    if found is None:
        return
    yield from _group(cluster, found, require_cmk=require_cmk)
    yield from _bucket_keys(cluster, found, require_cmk=require_cmk)
    doors = tuple(public_access(cluster, found, "not-public"))
    yield from (each for each in doors if each.status is not Status.NOT_APPLICABLE)


# --- the log group ---------------------------------------------------------------------------


def _group(cluster: Cluster, found: Seen[EksCluster], *, require_cmk: bool) -> Iterator[Finding]:
    name = found.value.log_group
    group = log_group(cluster, name)
    for aspect in _ASPECTS:
        match group:
            case Unreadable():
                yield Finding.unreadable(group, aspect=aspect)
            case NotAsked():
                command = f"aws logs describe-log-groups --log-group-name-prefix {name}"
                yield not_given(found.value.arn, f"the log group {name}", command, aspect)
            case Absent():
                because = f"there is no log group {name}: see KC-AUD-004"
                evidence = evidence_of(found.raw, "cluster", found.value.arn)
                yield Finding.not_applicable(found.value.arn, because, evidence, aspect=aspect)
            case Seen() if aspect == "encrypted":
                yield _group_key(group, require_cmk=require_cmk)
            case Seen():
                yield _group_doors(cluster, group)


def _group_key(group: Seen[LogGroup], *, require_cmk: bool) -> Finding:
    name, key = group.value.name, group.value.kms_key
    evidence = evidence_of(group.raw, f"logGroups[{name}].kmsKeyId", key or "not set")
    if key:
        because = f"its events are encrypted with {key}"
        return Finding.passed(name, because, evidence, aspect="encrypted")
    if require_cmk:
        because = "its events are encrypted with a key of AWS, and require_cmk asks for your own"
        return Finding.failed(name, because, evidence, aspect="encrypted")
    because = "CloudWatch Logs encrypts every log group, and nobody can switch that off"
    return Finding.passed(name, because, evidence, aspect="encrypted")


def _group_doors(cluster: Cluster, group: Seen[LogGroup]) -> Finding:
    """Policies of resources let other accounts in, or everybody."""
    name = group.value.name
    policies = public_log_policies(cluster, group.value.arn or name)
    if isinstance(policies, Unreadable):
        return Finding.unreadable(policies, aspect="not-public")
    if isinstance(policies, NotAsked):
        command = "aws logs describe-resource-policies"
        return not_given(name, "the resource policies of CloudWatch Logs", command, "not-public")
    evidence = evidence_of(group.raw, f"logGroups[{name}]", name)
    evidence += evidence_of(policies.raw, "resourcePolicies", ", ".join(policies.value) or "none")
    if policies.value:
        because = f"the resource policy {policies.value[0]} lets anybody in"
        return Finding.failed(name, because, evidence, aspect="not-public")
    because = "no event can be read without a right of its account"
    return Finding.passed(name, because, evidence, aspect="not-public")


# --- buckets ---------------------------------------------------------------------------------


def _bucket_keys(
    cluster: Cluster, found: Seen[EksCluster], *, require_cmk: bool
) -> Iterator[Finding]:
    buckets = archive_buckets(cluster, found.value.log_group)
    if isinstance(buckets, Unreadable):
        yield Finding.unreadable(buckets, aspect="encrypted")
        return
    for name in sorted(buckets.names):
        yield _bucket_key(cluster, name, require_cmk=require_cmk)
    if not buckets.names and buckets.whole is None:
        group = found.value.log_group
        command = f"aws logs describe-subscription-filters --log-group-name {group}"
        what = f"what sends the events of {group} on"
        yield not_given(found.value.arn, what, command, "encrypted")


def _bucket_key(cluster: Cluster, name: str, *, require_cmk: bool) -> Finding:
    where = f"s3://{name}"
    encryption = bucket_encryption(cluster, name)
    match encryption:
        case Unreadable():
            return Finding.unreadable(encryption, aspect="encrypted")
        case NotAsked():
            command = f"aws s3api get-bucket-encryption --bucket {name}"
            return not_given(where, f"the encryption of the bucket {name}", command, "encrypted")
        case Absent():
            because = f"the bucket has no encryption of its own: {encryption.reason}"
            return Finding.failed(where, because, aspect="encrypted")
        case Seen(value=told, raw=raw):
            place = "ServerSideEncryptionConfiguration.Rules"
            evidence = evidence_of(raw, place, f"{told.algorithm} {told.key or ''}".strip())
            if require_cmk and told.key is None:
                because = (
                    f"objects are encrypted ({told.algorithm}) with a key of AWS, and require_cmk "
                    "asks for your own"
                )
                return Finding.failed(where, because, evidence, aspect="encrypted")
            because = f"objects are encrypted: {told.algorithm}"
            return Finding.passed(where, because, evidence, aspect="encrypted")
