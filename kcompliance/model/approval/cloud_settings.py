"""The settings of a provider's cluster in the form in which they are approved.

Only what ships something counts: a diagnostic setting whose logs are all off, or that goes to
nowhere, is as good as none. Categories and groups stand there as they were chosen; what Azure or
AWS change by themselves (etags, times, the groups' own contents) does not.
"""

from collections.abc import Iterable, Iterator

from kcompliance.model.apiserver.plain_data import text
from kcompliance.model.approval.clouds import ApprovedCloudV1, ApprovedShippingV1
from kcompliance.model.aws.cluster_settings import EksCluster
from kcompliance.model.aws.delivery import SubscriptionFilter
from kcompliance.model.azure.answer import Resource
from kcompliance.model.azure.diagnostics import DestinationKind, DiagnosticSetting, setting_of
from kcompliance.model.azure.estate import Listed
from kcompliance.model.azure.resource_id import key
from kcompliance.model.azure.trail import Trail
from kcompliance.model.reading import Kind

__all__ = ["CONTROL_PLANE", "approved_aks", "approved_eks"]

CONTROL_PLANE = "logging of the control plane"


def approved_aks(trail: Trail) -> ApprovedCloudV1:
    """The diagnostic settings of a cluster whose settings were read."""
    listed = trail.estate.listed(Kind.AZURE_DIAGNOSTIC_SETTINGS, trail.id)
    items = listed.items if isinstance(listed, Listed) else ()
    found = ((setting_of(resource), resource) for resource, _ in items)
    settings = [_of_azure(setting, resource) for setting, resource in found if setting.enabled]
    return ApprovedCloudV1(id=key(trail.id), settings=_sorted(settings))


def approved_eks(cluster: EksCluster, filters: Iterable[SubscriptionFilter]) -> ApprovedCloudV1:
    """What the control plane logs, and what subscription filters pass on."""
    settings = [
        ApprovedShippingV1(
            name=CONTROL_PLANE,
            logs=tuple(sorted(cluster.log_types or ())),
            destinations=(f"log group {cluster.log_group}",),
        )
    ]
    settings += [
        ApprovedShippingV1(
            name=f"subscription filter {each.name}",
            logs=(),
            destinations=(f"{each.destination} of {_passed(each)}",),
        )
        for each in filters
    ]
    return ApprovedCloudV1(id=cluster.arn, settings=_sorted(settings))


def _sorted(settings: list[ApprovedShippingV1]) -> tuple[ApprovedShippingV1, ...]:
    return tuple(sorted(settings, key=lambda each: each.name))


def _of_azure(setting: DiagnosticSetting, resource: Resource) -> ApprovedShippingV1:
    logs = {rule.category or f"group {rule.group}" for rule in setting.enabled}
    return ApprovedShippingV1(
        name=setting.name.lower(),
        logs=tuple(sorted(logs)),
        destinations=tuple(_destinations(setting, resource)),
    )


def _destinations(setting: DiagnosticSetting, resource: Resource) -> Iterator[str]:
    for place in setting.destinations:
        words = f"{place.kind} {key(place.id)}"
        if place.kind is DestinationKind.WORKSPACE:
            words += ", tables of its own" if setting.dedicated else ", table AzureDiagnostics"
        elif place.kind is DestinationKind.EVENT_HUB:
            hub = text(resource.fields.get("eventHubName"))
            words += f", hub {hub.lower()}" if hub else ", a hub for each category"
        yield words


def _passed(found: SubscriptionFilter) -> str:
    chosen = f"events that match {found.pattern.strip()}" if found.pattern.strip() else "all events"
    return f"{chosen} where {found.criteria.strip()}" if found.criteria.strip() else chosen
