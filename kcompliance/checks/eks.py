"""What the checks of EKS share: the cluster to judge, and what they say where an answer lacks."""

from collections.abc import Iterable

from kcompliance.model.aws.cluster_settings import EksCluster, eks_cluster
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Seen, Unreadable

__all__ = ["describe", "gaps", "not_given"]


def describe(
    cluster: Cluster, aspects: Iterable[str]
) -> tuple[Seen[EksCluster] | None, tuple[Finding, ...]]:
    """The cluster as AWS describes it, or None; and what has to be said before it is judged."""
    aspects = tuple(aspects)
    early = tuple(
        Finding.unreadable(gap, aspect=aspect)
        for aspect in aspects
        for gap in gaps(cluster, Kind.EKS_CLUSTER, Kind.FILE)
    )
    if cluster.platform not in (Platform.EKS, None):
        return None, early or tuple(_other_platform(cluster, aspect) for aspect in aspects)
    found = eks_cluster(cluster)
    if isinstance(found, Unreadable):
        return None, (*early, *(Finding.unreadable(found, aspect=a) for a in aspects))
    if isinstance(found, NotAsked):
        return None, early or tuple(_undescribed(cluster, aspect) for aspect in aspects)
    evidence = evidence_of(found.raw, "cluster", found.value.arn)
    if found.value.connected:
        because = "it runs elsewhere and is only shown in EKS: its trail is not in AWS"
        return None, (*early, *(_not_ours(found, because, evidence, a) for a in aspects))
    if found.value.on_outpost:
        return None, (*early, *(_on_outpost(found, evidence, aspect) for aspect in aspects))
    return found, early


def gaps(cluster: Cluster, *kinds: Kind) -> tuple[Unreadable, ...]:
    """The gaps of exactly these kinds."""
    return tuple(gap for gap in cluster.gaps if gap.origin.kind in kinds)


def not_given(resource: str, what: str, command: str, aspect: str) -> Finding:
    """In files that were given there is no answer to one question; live there always is."""
    return Finding.manual(
        resource,
        f"{what} is not in what was given",
        f"What does AWS say of {what}? Scan the cluster live (eks:REGION/NAME), or add the "
        f"output of  {command}  to the scan.",
        aspect=aspect,
    )


def _other_platform(cluster: Cluster, aspect: str) -> Finding:
    evidence = tuple(e for raw in cluster.platform_raw for e in evidence_of(raw, "whole file"))
    because = f"it is about AWS: {cluster.platform_because}"
    return Finding.not_applicable(cluster.name, because, evidence, aspect=aspect)


def _undescribed(cluster: Cluster, aspect: str) -> Finding:
    if cluster.platform is None:
        because = "nothing that was read tells whether this is an EKS cluster"
    else:
        because = f"it is EKS ({cluster.platform_because}), and AWS was not asked about it"
    return Finding.manual(
        cluster.name,
        because,
        "Which EKS cluster is it? Set cluster: eks:REGION/NAME of the target in kcompliance.yaml, "
        "or add the output of  aws eks describe-cluster --name NAME  to the scan.",
        aspect=aspect,
    )


def _not_ours(
    found: Seen[EksCluster], because: str, evidence: tuple[Evidence, ...], aspect: str
) -> Finding:
    return Finding.not_applicable(found.value.arn, because, evidence, aspect=aspect)


def _on_outpost(found: Seen[EksCluster], evidence: tuple[Evidence, ...], aspect: str) -> Finding:
    return Finding.manual(
        found.value.arn,
        "it is a local cluster on an Outpost, whose logs are kept otherwise",
        "Where do the audit logs of this local cluster go, and how long and how well are they "
        "kept there?",
        evidence,
        aspect=aspect,
    )
