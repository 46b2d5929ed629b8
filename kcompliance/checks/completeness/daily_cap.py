"""A workspace that takes no more on a day that was busy: the loss point that Azure adds."""

from collections.abc import Iterator

from kcompliance.checks.azure_sight import of_settings, trails_to_judge
from kcompliance.checks.protection.azure_destinations import (
    audit_destinations,
    look_at,
    no_destination,
)
from kcompliance.model.azure.answer import Resource, WrongAnswer, part
from kcompliance.model.azure.diagnostics import DestinationKind
from kcompliance.model.azure.log_analytics import workspace_of
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Kind, Seen

__all__ = ["daily_cap"]

_STOPPED = ("overquota", "forceoff", "subscriptionsuspended")


def daily_cap(cluster: Cluster, aspect: str) -> Iterator[Finding]:
    """A finding on each workspace that gets the audit log of an AKS cluster."""
    if cluster.platform not in (Platform.AKS, None):
        gaps = cluster.gaps_in(Kind.AKS_CLUSTER, Kind.AZURE_DIAGNOSTIC_SETTINGS)
        yield from (Finding.unreadable(gap, aspect=aspect) for gap in gaps)
        if not gaps:
            evidence = tuple(e for raw in cluster.platform_raw for e in evidence_of(raw, "whole"))
            because = f"it is about workspaces of Azure: {cluster.platform_because}"
            yield Finding.not_applicable(cluster.name, because, evidence, aspect=aspect)
        return
    for found in trails_to_judge(cluster, (aspect,)):
        if isinstance(found, Finding):
            yield found
        else:
            yield from _of_trail(found, aspect)


def _of_trail(trail: Trail, aspect: str) -> Iterator[Finding]:
    workspaces = audit_destinations(trail, DestinationKind.WORKSPACE)
    if not workspaces:
        yield no_destination(trail, "a workspace, which alone has a daily cap", aspect)
    for workspace in workspaces:
        for found in look_at(trail, workspace, aspect):
            yield found if isinstance(found, Finding) else _of_workspace(trail, found, aspect)


def _of_workspace(trail: Trail, found: Seen[Resource], aspect: str) -> Finding:
    name = found.value.id
    try:
        workspace = workspace_of(found.value)
        told = part(found.value.fields, "workspaceCapping") is not None
    except WrongAnswer as error:
        because = f"could not be read: {error}"
        return Finding.error(name, because, evidence_of(found.raw, "id", name), aspect=aspect)
    if not told:
        because = "its answer says nothing of a daily cap (workspaceCapping)"
        return Finding.error(name, because, evidence_of(found.raw, "id", name), aspect=aspect)
    cap, ingestion = workspace.daily_cap_gb, workspace.ingestion or "not told"
    evidence = (
        *of_settings(trail),
        *evidence_of(
            found.raw, "workspaceCapping.dailyQuotaGb", "none" if cap is None else f"{cap:g}"
        ),
        *evidence_of(found.raw, "workspaceCapping.dataIngestionStatus", ingestion),
    )
    if ingestion.lower() in _STOPPED:
        because = f"it takes nothing in at this moment ({ingestion}): what is sent now is lost"
        return Finding.failed(name, because, evidence, aspect=aspect)
    if cap is not None:
        because = (
            f"after {cap:g} GB a day it takes nothing in until the next day: audit records are "
            "lost with all others"
        )
        return Finding.failed(name, because, evidence, aspect=aspect)
    return Finding.passed(name, "it has no daily cap", evidence, aspect=aspect)
