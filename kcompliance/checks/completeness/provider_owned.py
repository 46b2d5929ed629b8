"""What a provider's own policy does, which no customer can mend."""

from collections.abc import Iterable, Iterator

from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Confidence, Finding, Status

__all__ = ["asked_of_the_provider"]


def asked_of_the_provider(
    cluster: Cluster, findings: Iterable[Finding], *, question: str
) -> Iterator[Finding]:
    """The findings, but what the published policy fails is a question; `{name}` the cluster's."""
    for finding in findings:
        published = finding.confidence is Confidence.PUBLISHED_POLICY
        if published and finding.status is Status.FAIL:
            yield Finding.manual(
                finding.resource,
                finding.because,
                question.format(name=cluster.name),
                finding.evidence,
                aspect=finding.aspect,
                confidence=finding.confidence,
                notes=finding.notes,
            )
        else:
            yield finding
