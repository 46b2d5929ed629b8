"""The stores to which AKS clusters send their audit records."""

from collections.abc import Iterator

from kcompliance.checks.azure_sight import group_unknown, of_settings, trails_to_judge
from kcompliance.checks.event_stores.interface import EventStore
from kcompliance.checks.event_stores.of_blobs import blob_events_of
from kcompliance.checks.event_stores.of_log_analytics import log_analytics_events_of
from kcompliance.checks.search_sight import WHERE
from kcompliance.model.azure.diagnostics import (
    KUBE_AUDIT,
    KUBE_AUDIT_ADMIN,
    Destination,
    DestinationKind,
    DiagnosticSetting,
)
from kcompliance.model.azure.resource_id import key
from kcompliance.model.azure.trail import Trail, trails_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding
from kcompliance.model.reading import Absent, Kind, Seen

__all__ = ["aks_events"]

_JUDGED = (DestinationKind.WORKSPACE, DestinationKind.STORAGE)


def aks_events(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator[EventStore | Finding]:
    """The workspaces and accounts that AKS clusters send audit records to; findings on the unseen.

    Of a cluster that sends them elsewhere nothing is said, as others may know where: unless it is
    one of several, where the others' stores would speak for it.
    """
    trails = trails_of(cluster)
    kinds = (Kind.AKS_CLUSTER, Kind.AZURE_DIAGNOSTIC_SETTINGS)
    if not trails and not any(gap.origin.kind in kinds for gap in cluster.gaps):
        return
    silent: list[Trail] = []
    for found in trails_to_judge(cluster, aspects):
        if isinstance(found, Finding):
            yield found
            continue
        of_trail = tuple(_of_trail(cluster, found, aspects))
        yield from of_trail
        silent += [] if of_trail else [found]
    for trail in silent if len(silent) < len(trails) else ():
        yield from (_nowhere(trail, aspect) for aspect in aspects)


def _nowhere(trail: Trail, aspect: str) -> Finding:
    return Finding.manual(
        trail.id,
        "its audit log goes to no workspace of Log Analytics and to no storage account",
        f"{WHERE} Scan this cluster by itself, with its store under targets in kcompliance.yaml.",
        of_settings(trail),
        aspect=aspect,
    )


def _of_trail(
    cluster: Cluster, trail: Trail, aspects: tuple[str, ...]
) -> Iterator[EventStore | Finding]:
    sent = _sent_to(trail)
    workspaces, accounts = ([d.id for d in sent if d.kind is kind] for kind in _JUDGED)
    yield from log_analytics_events_of(cluster, trail, workspaces, aspects)
    yield from blob_events_of(cluster, trail, accounts, aspects)
    if not sent and any(_judged(setting) for setting in _undecided(trail)):
        unknown = (group_unknown(trail, KUBE_AUDIT, aspect) for aspect in aspects)
        yield from (finding for finding in unknown if finding is not None)


def _sent_to(trail: Trail) -> tuple[Destination, ...]:
    """The destinations that surely get audit records, each once, in order.

    One that is gone counts for nothing where another one is there: KC-AUD-001 tells of it.
    """
    found: dict[str, Destination] = {}
    for category in (KUBE_AUDIT, KUBE_AUDIT_ADMIN):
        for setting in trail.shipped.settings_of(category):
            for destination in _judged(setting):
                found.setdefault(key(destination.id), destination)
    looks = {name: trail.look(destination) for name, destination in found.items()}
    alive = any(isinstance(look, Seen) for look in looks.values())
    return tuple(
        found[name] for name in sorted(found) if not (alive and isinstance(looks[name], Absent))
    )


def _judged(setting: DiagnosticSetting) -> tuple[Destination, ...]:
    return tuple(each for each in setting.destinations if each.kind in _JUDGED)


def _undecided(trail: Trail) -> tuple[DiagnosticSetting, ...]:
    return tuple(s for settings in trail.shipped.undecided.values() for s in settings)
