"""KC-PRO-002 where a provider runs the API server: its policy and flags are not its owner's.

What is his to change is approved and compared: what is logged (aspect flags) and where it is sent
(aspect webhook), by the diagnostic settings of AKS, or by the logging of an EKS control plane and
the subscription filters of its log group.
"""

from collections.abc import Callable, Iterator
from typing import Final

from kcompliance.checks.cloud_settings import LOGS, PLACES, REVIEW, CloudSettings, cloud_settings
from kcompliance.checks.protection.approval_baseline import (
    HOW,
    Baseline,
    NoBaseline,
    baseline_of,
    passed,
    review,
)
from kcompliance.model.approval.clouds import (
    ApprovedCloudV1,
    changed_destinations,
    changed_logs,
)
from kcompliance.model.cluster import Cluster
from kcompliance.model.digest import sha256
from kcompliance.model.finding import Confidence, Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind

__all__ = ["provider_approval"]

_ASPECTS: Final = ("policy", LOGS, PLACES, REVIEW)


def provider_approval(cluster: Cluster, max_age_days: int) -> Iterator[Finding]:
    """Findings of the aspects policy, flags, webhook and review; for AKS and EKS only."""
    gaps = cluster.gaps_in(Kind.APPROVED, Kind.VERSION)
    for aspect in _ASPECTS:
        yield from (Finding.unreadable(gap, aspect=aspect) for gap in gaps)
    if gaps:
        return
    yield _policy(cluster)
    baseline = baseline_of(cluster, (LOGS, PLACES, REVIEW))
    if isinstance(baseline, tuple):
        yield from baseline
        return
    seen = []
    for found in cloud_settings(cluster):
        if isinstance(found, Finding):
            yield found
            continue
        seen.append(found)
        yield from _settings(found, baseline)
    if seen and isinstance(baseline, Baseline):
        yield review(cluster, baseline, max_age_days)
    elif seen and isinstance(baseline, NoBaseline):
        yield _not_reviewed(cluster, baseline, seen[0])


def _policy(cluster: Cluster) -> Finding:
    published = cluster.published
    if published is None:
        because = "no policy of its provider is known"
        return Finding.error(cluster.name, because, aspect="policy")
    policy = published.policy
    evidence = evidence_of(policy.raw, "whole file", f"sha256 {sha256(policy.text)}")
    if published.confidence is not Confidence.ASSUMED_POLICY:
        because = f"{policy.name} is not the customer's to change, and so not his to approve"
        return Finding.not_applicable(
            cluster.name, because, evidence, aspect="policy", confidence=published.confidence
        )
    return Finding.manual(
        cluster.name,
        f"nobody outside can read the policy that it runs; {policy.name} is what is known of it",
        f"Do you accept that {cluster.name} records by a policy that its provider does not show?",
        evidence,
        aspect="policy",
        confidence=published.confidence,
    )


# --- what is logged, and where it is sent --------------------------------------------------------

_Changes = Callable[[ApprovedCloudV1, ApprovedCloudV1], Iterator[str]]


def _settings(found: CloudSettings, baseline: Baseline | NoBaseline) -> Iterator[Finding]:
    yield _compared(LOGS, found, found.logs, f"it logs {found.logged}", baseline, changed_logs)
    if found.places is not None:
        words = f"its logs are sent to {found.sent}"
        yield _compared(PLACES, found, found.places, words, baseline, changed_destinations)


def _compared(
    aspect: str,
    found: CloudSettings,
    evidence: tuple[Evidence, ...],
    words: str,
    baseline: Baseline | NoBaseline,
    changes: _Changes,
) -> Finding:
    if isinstance(baseline, NoBaseline):
        return _asked(aspect, found, evidence, words, baseline.because)
    approved = next((each for each in baseline.target.clouds if each.id == found.settings.id), None)
    if approved is None:
        because = f"{baseline.raw.origin.resource} holds no settings of {found.name}"
        return _asked(aspect, found, evidence, words, because)
    evidence += baseline.evidence("clouds")
    lines = tuple(changes(approved, found.settings))
    if lines:
        because = f"{words}, which is not what was approved: {'; '.join(lines)}"
        return Finding.failed(found.name, because, evidence, aspect=aspect)
    return passed(aspect, found.name, f"{words}, as it was approved", evidence)


def _asked(
    aspect: str, found: CloudSettings, evidence: tuple[Evidence, ...], words: str, because: str
) -> Finding:
    return Finding.manual(
        found.name,
        f"{words}; what was approved of it is not known: {because}",
        f"Is it what was reviewed and approved that {words}? {HOW}",
        evidence,
        aspect=aspect,
    )


def _not_reviewed(cluster: Cluster, baseline: NoBaseline, found: CloudSettings) -> Finding:
    return Finding.manual(
        cluster.name,
        f"when its settings were last approved is not known: {baseline.because}",
        f"When, and by whom, were the logging settings of {cluster.name} last reviewed and "
        "approved?  kcompliance approve  writes it down.",
        found.logs,
        aspect=REVIEW,
    )
