"""What of KC-PRO-002 can be said of a cluster whose policy and flags are a provider's.

A lock does not hold the settings of a cloud, so that nothing here passes: they are shown, and it
is asked whether somebody approved of them.
"""

from collections.abc import Iterator
from typing import Final

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.eks import describe
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.digest import sha256
from kcompliance.model.finding import Confidence, Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind

__all__ = ["provider_approval"]

_ASPECTS: Final = ("policy", "flags", "webhook", "review")
_SETTINGS: Final = ("flags", "webhook", "review")
_NO_LOCK: Final = "a kcompliance.lock does not hold the settings of a cloud"


def provider_approval(cluster: Cluster) -> Iterator[Finding]:
    """Findings of each aspect of KC-PRO-002; for AKS and EKS only."""
    gaps = cluster.gaps_in(Kind.APPROVED, Kind.VERSION)
    for aspect in _ASPECTS:
        yield from (Finding.unreadable(gap, aspect=aspect) for gap in gaps)
    if gaps:
        return
    yield _policy(cluster)
    if cluster.platform is Platform.AKS:
        for trail in trails_to_judge(cluster, _SETTINGS):
            if isinstance(trail, Finding):
                yield trail
            else:
                yield from _of_trail(trail)
    else:
        yield from _of_eks(cluster)


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


def _of_trail(trail: Trail) -> Iterator[Finding]:
    settings = trail.settings if isinstance(trail.settings, tuple) else ()
    shipped = ", ".join((*trail.shipped.named, *(f"group {g}" for g in trail.shipped.undecided)))
    places = dict.fromkeys(
        f"the {place.kind} {place.id}"
        for setting in settings
        if setting.enabled
        for place in setting.destinations
    )
    yield from _asked(
        trail.id,
        of_settings(trail),
        logs=f"its diagnostic settings ship {shipped or 'nothing'}",
        places=f"they ship it to {', '.join(places) or 'no destination'}",
    )


def _of_eks(cluster: Cluster) -> Iterator[Finding]:
    found, early = describe(cluster, _SETTINGS)
    yield from early
    if found is None:
        return
    types = found.value.log_types
    shown = "of which nothing is told" if types is None else ", ".join(sorted(types)) or "none"
    yield from _asked(
        found.value.arn,
        evidence_of(found.raw, "cluster.logging.clusterLogging", f"enabled: {shown}"),
        logs=f"its enabled log types are {shown}",
        places=f"EKS writes them to the log group {found.value.log_group}",
    )


def _asked(
    name: str, evidence: tuple[Evidence, ...], *, logs: str, places: str
) -> Iterator[Finding]:
    yield Finding.manual(
        name,
        f"its flags are the provider's; {logs}, and {_NO_LOCK}",
        f"Is it what was reviewed and approved that {logs}?",
        evidence,
        aspect="flags",
    )
    yield Finding.manual(
        name,
        f"{places}, and {_NO_LOCK}",
        f"Is it what was reviewed and approved that {places}?",
        evidence,
        aspect="webhook",
    )
    yield Finding.manual(
        name,
        f"when its settings were last approved is not known: {_NO_LOCK}",
        f"When, and by whom, were the logging settings of {name} last reviewed and approved?",
        evidence,
        aspect="review",
    )
