"""What somebody could do to an EKS cluster's audit trail in AWS, as IAM has it."""

from collections.abc import Iterable

from kcompliance.model.aws.cluster_settings import EksCluster, partition_of
from kcompliance.model.aws.iam_documents import Act

__all__ = ["deleting", "reading", "tampering"]


def deleting(cluster: EksCluster) -> tuple[Act, ...]:
    """To delete what the log group holds."""
    return tuple(
        Act(action=f"logs:{name}", resources=_groups(cluster))
        for name in ("DeleteLogGroup", "DeleteLogStream")
    )


def tampering(cluster: EksCluster, buckets: Iterable[str]) -> tuple[Act, ...]:
    """To delete the trail, to shorten it, or to stop it."""
    others = ("PutRetentionPolicy", "DeleteSubscriptionFilter")
    return (
        *deleting(cluster),
        *(Act(action=f"logs:{name}", resources=_groups(cluster)) for name in others),
        Act(action="eks:UpdateClusterConfig", resources=(cluster.arn,)),
        *(
            Act(action=f"s3:{name}", resources=(_objects(cluster, bucket),))
            for bucket in buckets
            for name in ("DeleteObjectVersion", "BypassGovernanceRetention")
        ),
    )


def reading(cluster: EksCluster, buckets: Iterable[str]) -> tuple[Act, ...]:
    """To fetch events, as an agent does that ships them elsewhere."""
    names = ("FilterLogEvents", "GetLogEvents", "StartQuery")
    return (
        *(Act(action=f"logs:{name}", resources=_groups(cluster)) for name in names),
        *(Act(action="s3:GetObject", resources=(_objects(cluster, bucket),)) for bucket in buckets),
    )


def _groups(cluster: EksCluster) -> tuple[str, ...]:
    """The group, and its streams: policies are written with either."""
    return (cluster.log_group_arn, f"{cluster.log_group_arn}:*")


def _objects(cluster: EksCluster, bucket: str) -> str:
    return f"arn:{partition_of(cluster.arn)}:s3:::{bucket}/*"
