"""What the owner of a provider's cluster decides of its trail, as far as it was seen (KC-PRO-002).

Shared by whoever approves of it and whoever compares: neither may see more than the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.azure_sight import of_settings, settings_partly, trails_to_judge
from kcompliance.checks.eks import describe, not_given
from kcompliance.model.approval.cloud_settings import approved_aks, approved_eks
from kcompliance.model.approval.clouds import ApprovedCloudV1
from kcompliance.model.aws.delivery import Whole, subscription_filters
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Raw, Unreadable

__all__ = ["LOGS", "PLACES", "REVIEW", "CloudSettings", "cloud_settings"]

LOGS, PLACES, REVIEW = "flags", "webhook", "review"
"""The aspects: what is logged, where it is sent, and when somebody looked at both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """The settings of one cluster as they are; `places` None: not all of them are known."""

    name: str
    settings: ApprovedCloudV1
    logs: tuple[Evidence, ...]
    places: tuple[Evidence, ...] | None

    @property
    def logged(self) -> str:
        """What is logged, for people."""
        names = {log for setting in self.settings.settings for log in setting.logs}
        return ", ".join(sorted(names)) or "nothing"

    @property
    def sent(self) -> str:
        """Where it is sent, for people."""
        names = {to for setting in self.settings.settings for to in setting.destinations}
        return ", ".join(sorted(names)) or "nowhere"


def cloud_settings(cluster: Cluster) -> Iterator[CloudSettings | Finding]:
    """The settings of each AKS or EKS cluster, and findings on what of them was not seen."""
    if cluster.platform is Platform.AKS:
        yield from _of_aks(cluster)
    elif cluster.platform is Platform.EKS:
        yield from _of_eks(cluster)


def _of_aks(cluster: Cluster) -> Iterator[CloudSettings | Finding]:
    for trail in trails_to_judge(cluster, (LOGS, PLACES, REVIEW)):
        if isinstance(trail, Finding):
            yield trail
            continue
        seen = of_settings(trail)
        found = CloudSettings(name=trail.id, settings=approved_aks(trail), logs=seen, places=seen)
        if trail.settings_whole:
            yield found
        else:
            because = f"its diagnostic settings ship {found.logged} to {found.sent}"
            yield from (settings_partly(trail, because, each) for each in (LOGS, PLACES, REVIEW))


def _of_eks(cluster: Cluster) -> Iterator[CloudSettings | Finding]:
    found, early = describe(cluster, (LOGS, PLACES, REVIEW))
    yield from early
    if found is None:
        return
    value = found.value
    if value.log_types is None:
        because = "the answer says nothing of its logging"
        yield from (Finding.error(value.arn, because, aspect=a) for a in (LOGS, PLACES, REVIEW))
        return
    shown = ", ".join(sorted(value.log_types)) or "none"
    logs = evidence_of(found.raw, "cluster.logging.clusterLogging", f"enabled: {shown}")
    filters = subscription_filters(cluster, value.log_group)
    places = None
    if isinstance(filters, Unreadable):
        yield Finding.unreadable(filters, aspect=PLACES)
    elif filters.whole is None and not filters.filters:
        command = f"aws logs describe-subscription-filters --log-group-name {value.log_group}"
        what = f"what the log group {value.log_group} passes on"
        yield not_given(value.arn, what, command, PLACES)
    else:
        places = (*logs, *_passed_on(filters))
    seen = [each.value for each in filters.filters] if isinstance(filters, Whole) else []
    yield CloudSettings(
        name=value.arn, settings=approved_eks(value, seen), logs=logs, places=places
    )


def _passed_on(filters: Whole) -> Iterator[Evidence]:
    for each in filters.filters:
        place = f"subscriptionFilters[{each.value.name}].destinationArn"
        yield from evidence_of(each.raw, place, each.value.destination)
    if isinstance(filters.whole, Raw) and not filters.filters:
        yield from evidence_of(filters.whole, "subscriptionFilters", "none")
