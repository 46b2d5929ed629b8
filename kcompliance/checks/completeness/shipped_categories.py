"""What of AKS's events leaves the cluster: the half of the answer that no policy holds."""

from collections.abc import Iterable, Iterator

from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Finding, Status

__all__ = ["also_shipped"]


def also_shipped(cluster: Cluster, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, but on AKS no pass.

    AKS ships reads, and with them what kubectl opens as a WebSocket, in the category kube-audit
    only; kube-audit-admin leaves out get and list. Which of them is on stands in the diagnostic
    settings, which are not collected yet.
    """
    for finding in findings:
        if cluster.platform is Platform.AKS and finding.status is Status.PASS:
            yield Finding.error(
                finding.resource,
                "not collected yet: whether kube-audit is among the log categories that AKS "
                "ships, without which reads are lost",
                finding.evidence,
                aspect=finding.aspect,
                notes=(finding.because, *finding.notes),
            )
        else:
            yield finding
