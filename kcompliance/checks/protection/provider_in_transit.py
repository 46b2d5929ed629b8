"""How a provider ships audit data: what its owner decides is at the places that it goes to."""

from collections.abc import Iterator
from typing import Final

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.eks import describe
from kcompliance.checks.protection.azure_destinations import (
    audit_destinations,
    look_at,
    no_destination,
)
from kcompliance.model.azure.answer import Resource, WrongAnswer, flag, text
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Seen

__all__ = ["provider_in_transit"]

_GOOD: Final = ("1.2", "1.3", "tls1_2", "tls1_3")


def provider_in_transit(cluster: Cluster) -> Iterator[Finding]:
    """Findings on each place that a provider ships to."""
    if cluster.platform is Platform.EKS:
        yield from _of_eks(cluster)
        return
    for found in trails_to_judge(cluster, ("main",)):
        if isinstance(found, Finding):
            yield found
        else:
            yield from _of_trail(found)


# --- AKS -----------------------------------------------------------------------------------------


def _of_trail(trail: Trail) -> Iterator[Finding]:
    destinations = audit_destinations(trail)
    if not destinations:
        yield no_destination(trail, "any destination", "main")
    for destination in destinations:
        if destination.kind is DestinationKind.WORKSPACE:
            yield _of_workspace(trail, destination)
            continue
        for found in look_at(trail, destination, "main"):
            yield found if isinstance(found, Finding) else _of_store(trail, destination, found)


def _of_workspace(trail: Trail, destination: Destination) -> Finding:
    return Finding.manual(
        destination.id,
        "Azure itself carries the records into the workspace, and no answer of it tells how",
        "Does your contract with Microsoft answer for it that what Azure Monitor carries from "
        f"{trail.id} to {destination.id} is encrypted with TLS 1.2 or newer on the way?",
        of_settings(trail),
    )


def _of_store(trail: Trail, destination: Destination, found: Seen[Resource]) -> Finding:
    """A storage account or event hub: it refuses what is not encrypted, whoever comes."""
    fields, name = found.value.fields, destination.id
    try:
        # `az` calls it enableHttpsTrafficOnly, and Resource Manager supportsHttpsTrafficOnly.
        encrypted = [flag(fields, each) for each in _HTTPS if each in fields]
        oldest = text(fields, "minimumTlsVersion")
    except WrongAnswer as error:
        because = f"could not be read: {error}"
        return Finding.error(name, because, evidence_of(found.raw, "id", name))
    account = destination.kind is DestinationKind.STORAGE
    evidence = of_settings(trail) + evidence_of(found.raw, "minimumTlsVersion", oldest or "not set")
    if account:
        told = str(encrypted[0]).lower() if encrypted else "not told"
        evidence += evidence_of(found.raw, "supportsHttpsTrafficOnly", told)
    if account and not encrypted:
        because = "Azure's answer does not say whether it takes plain http"
        return Finding.error(name, because, evidence)
    faults = []
    if account and not encrypted[0]:
        faults.append("it takes plain http (supportsHttpsTrafficOnly is false)")
    if (oldest or "").lower() not in _GOOD and (account or oldest):
        faults.append(f"it takes TLS below 1.2 (minimumTlsVersion is {oldest or 'not set'})")
    if faults:
        return Finding.failed(name, "; ".join(faults), evidence)
    if not oldest:
        return Finding.manual(
            name,
            "which is the oldest TLS that it takes is not told",
            f"Does {name} refuse TLS below 1.2? Set it:  az eventhubs namespace update "
            "--minimum-tls-version 1.2",
            evidence,
        )
    because = f"the {destination.kind} takes nothing but TLS 1.2 or newer (at least {oldest})"
    notes = ("Azure authenticates to it by the diagnostic setting, which no answer shows",)
    return Finding.passed(name, because, evidence, notes=notes)


_HTTPS: Final = ("supportsHttpsTrafficOnly", "enableHttpsTrafficOnly")

# --- EKS -----------------------------------------------------------------------------------------


def _of_eks(cluster: Cluster) -> Iterator[Finding]:
    found, early = describe(cluster, ("main",))
    yield from early
    if found is None:
        return
    value = found.value
    if value.log_types is None:
        yield Finding.error(value.arn, "the answer says nothing of its logging")
        return
    shown = ", ".join(sorted(value.log_types)) or "none"
    evidence = evidence_of(found.raw, "cluster.logging.clusterLogging", f"enabled: {shown}")
    if "audit" not in value.log_types:
        because = "its log type audit is off, so nothing is in transit: see KC-AUD-004"
        yield Finding.not_applicable(value.arn, because, evidence)
        return
    yield Finding.manual(
        value.arn,
        "AWS itself carries the records to CloudWatch, and no answer of it tells how",
        f"Does your contract with AWS answer for it that what EKS carries to {value.log_group} is "
        "encrypted with TLS 1.2 or newer on the way? And does whatever reads it from there?",
        evidence,
    )
