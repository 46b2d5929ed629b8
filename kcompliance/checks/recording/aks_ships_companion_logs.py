"""KC-AUD-003: what else the control plane logs is shipped too, to tables of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.azure_sight import (
    group_unknown,
    of_settings,
    settings_partly,
    trails_to_judge,
)
from kcompliance.checks.interface import check
from kcompliance.model.azure.diagnostics import GUARD, DestinationKind
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable

__all__ = ["Params", "aks_ships_companion_logs"]

_AUTOSCALER = "cluster-autoscaler"
_ASPECTS = ("guard", "components", "tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-003."""

    recommended: tuple[str, ...] = (
        GUARD,
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        _AUTOSCALER,
    )


@check("KC-AUD-003", params=Params)
def aks_ships_companion_logs(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """AKS: companion control-plane categories and resource-specific tables

    guard records logins with Entra ID, and is asked for only where there are any.
    """
    recommended = tuple(name.lower() for name in params.recommended)
    for found in trails_to_judge(cluster, _ASPECTS):
        if isinstance(found, Finding):
            yield found
            continue
        yield _guard(found, recommended)
        yield _components(found, tuple(name for name in recommended if name != GUARD))
        yield _tables(found)


def _guard(trail: Trail, recommended: tuple[str, ...]) -> Finding:
    evidence = of_settings(trail)
    if GUARD not in recommended:
        because = "guard is not among what the parameter recommended asks for"
        return Finding.not_applicable(trail.id, because, evidence, aspect="guard")
    if trail.shipped.has(GUARD):
        return Finding.passed(trail.id, "guard is shipped", evidence, aspect="guard")
    match trail.cluster:
        case Seen(value=cluster, raw=raw) if not cluster.entra:
            because = "nobody logs in to it with Entra ID, so guard has nothing to record"
            seen = evidence + evidence_of(raw, "aadProfile", "not managed")
            return Finding.not_applicable(trail.id, because, seen, aspect="guard")
        case Seen(raw=raw):
            evidence += evidence_of(raw, "aadProfile.managed", "true")
        case Unreadable() as gap:
            return Finding.unreadable(gap, aspect="guard")
        case Absent() | NotAsked():
            return _cluster_not_given(trail, "guard is not shipped", evidence, "guard")
    unknown = group_unknown(trail, GUARD, "guard")
    if unknown is not None:
        return unknown
    if _not_offered(trail, (GUARD,)):
        return _rollout(trail, (GUARD,), "guard")
    because = "users log in with Entra ID, and guard, which records that, is not shipped"
    if not trail.settings_whole:
        return settings_partly(trail, because, "guard")
    return Finding.failed(trail.id, because, evidence, aspect="guard")


def _cluster_not_given(
    trail: Trail, because: str, evidence: tuple[Evidence, ...], aspect: str
) -> Finding:
    return Finding.manual(
        trail.id,
        f"{because}, and the cluster itself is not in what was given",
        f"Add the output of `az aks show --ids {trail.id} -o json`: does it use Entra ID "
        "(aadProfile) and the cluster autoscaler (enableAutoScaling)?",
        evidence,
        aspect=aspect,
    )


def _components(trail: Trail, recommended: tuple[str, ...]) -> Finding:
    evidence = of_settings(trail)
    missing = tuple(name for name in recommended if not trail.shipped.has(name))
    notes: tuple[str, ...] = ()
    if _AUTOSCALER in missing:
        match trail.cluster:
            case Seen(value=cluster, raw=raw) if not cluster.autoscaler:
                missing = tuple(name for name in missing if name != _AUTOSCALER)
                notes = ("no pool uses the cluster autoscaler, so its category is not asked for",)
                evidence += evidence_of(raw, "agentPoolProfiles[].enableAutoScaling", "not true")
            case Seen(raw=raw):
                evidence += evidence_of(raw, "agentPoolProfiles[].enableAutoScaling", "true")
            case Unreadable() as gap:
                return Finding.unreadable(gap, aspect="components")
            case Absent() | NotAsked():
                if missing == (_AUTOSCALER,):
                    because = "cluster-autoscaler is not shipped"
                    return _cluster_not_given(trail, because, evidence, "components")
    if not missing:
        because = "the components of its control plane are shipped"
        return Finding.passed(trail.id, because, evidence, aspect="components", notes=notes)
    return _missing(trail, missing, evidence, notes)


def _missing(
    trail: Trail, missing: tuple[str, ...], evidence: tuple[Evidence, ...], notes: tuple[str, ...]
) -> Finding:
    unknown = group_unknown(trail, " and ".join(missing), "components")
    if unknown is not None:
        return unknown
    not_offered = _not_offered(trail, missing)
    offered = tuple(name for name in missing if name not in not_offered)
    if not offered:
        return _rollout(trail, not_offered, "components")
    if not_offered:
        notes += (f"Azure does not offer {', '.join(not_offered)} for this cluster",)
    because = f"not shipped: {', '.join(offered)}"
    if not trail.settings_whole:
        return settings_partly(trail, because, "components")
    return Finding.failed(trail.id, because, evidence, aspect="components", notes=notes)


def _not_offered(trail: Trail, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the cluster's own list of categories does not have."""
    if not isinstance(trail.categories, tuple):
        return ()
    offered = {category.name for category in trail.categories}
    return tuple(name for name in names if name not in offered)


def _rollout(trail: Trail, names: tuple[str, ...], aspect: str) -> Finding:
    told = ", ".join(names)
    evidence = of_settings(trail)
    for raw in trail.categories_raws:
        evidence += evidence_of(raw, "value[].name", f"without {told}")
    return Finding.manual(
        trail.id,
        f"Azure does not offer {told} for this cluster",
        f"When does {told} come to this cluster's region, and what records it until then?",
        evidence,
        aspect=aspect,
    )


def _tables(trail: Trail) -> Finding:
    settings = trail.settings if isinstance(trail.settings, tuple) else ()
    to_workspaces = [
        setting
        for setting in settings
        if setting.enabled
        and any(each.kind is DestinationKind.WORKSPACE for each in setting.destinations)
    ]
    legacy = ", ".join(setting.name for setting in to_workspaces if not setting.dedicated)
    evidence: tuple[Evidence, ...] = ()
    for setting in to_workspaces:
        quote = "Dedicated" if setting.dedicated else "not Dedicated"
        place = f"value[{setting.name}].logAnalyticsDestinationType"
        evidence += evidence_of(trail.raw_of(setting), place, quote)
    if legacy:
        because = (
            f"{legacy} writes to AzureDiagnostics, which all kinds of resources share: not to "
            "AKSAudit and its like, which have plans and retention of their own"
        )
        return Finding.failed(trail.id, because, evidence, aspect="tables")
    if to_workspaces and trail.settings_whole:
        because = "workspaces get its logs in tables of their own"
        note = "older rows, if any, are still in AzureDiagnostics: ask both"
        return Finding.passed(trail.id, because, evidence, aspect="tables", notes=(note,))
    if not trail.settings_whole:
        return settings_partly(trail, "no setting that was given writes to shared tables", "tables")
    because = "no setting ships logs to a workspace of Log Analytics"
    return Finding.not_applicable(trail.id, because, of_settings(trail), aspect="tables")
