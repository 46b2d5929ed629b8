"""KC-AUD-001: an enabled diagnostic setting ships an audit category to where it arrives."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from kcompliance.checks.azure_sight import (
    group_unknown,
    of_settings,
    settings_partly,
    trails_to_judge,
)
from kcompliance.checks.interface import check
from kcompliance.model.azure.diagnostics import KUBE_AUDIT, KUBE_AUDIT_ADMIN, Destination
from kcompliance.model.azure.trail import Elsewhere, Look, Trail
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Absent, Seen, Unreadable

__all__ = ["Params", "aks_ships_audit_logs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-001."""

    required_any: tuple[str, ...] = (KUBE_AUDIT, KUBE_AUDIT_ADMIN)
    require_live_destination: bool = True


@check("KC-AUD-001", params=Params)
def aks_ships_audit_logs(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """AKS: an enabled diagnostic setting ships a Kubernetes audit category to where it arrives

    All settings count together. One that is there with every category off ships nothing.
    """
    for found in trails_to_judge(cluster, ("main",)):
        yield found if isinstance(found, Finding) else _of_trail(found, params)


def _of_trail(trail: Trail, params: Params) -> Finding:
    wanted = tuple(name.lower() for name in params.required_any)
    shipping = {name: trail.shipped.settings_of(name) for name in wanted}
    shipped = tuple(name for name in wanted if shipping[name])
    if not shipped:
        return _not_shipped(trail, wanted)
    destinations = tuple(
        dict.fromkeys(
            destination
            for name in shipped
            for setting in shipping[name]
            for destination in setting.destinations
        )
    )
    return _arriving(trail, shipped, destinations, params)


def _not_shipped(trail: Trail, wanted: tuple[str, ...]) -> Finding:
    names = " or ".join(wanted)
    unknown = group_unknown(trail, names)
    if unknown is not None:
        return unknown
    settings = trail.settings if isinstance(trail.settings, tuple) else ()
    shipped = ", ".join(trail.shipped.named)
    if not settings:
        because = "it has no diagnostic setting: what its control plane logs goes nowhere"
    elif not any(setting.destinations for setting in settings):
        because = "its diagnostic settings have no destination"
    elif not shipped:
        because = "its diagnostic settings ship no log at all: every category is off"
    else:
        because = (
            f"its diagnostic settings ship {shipped}, and neither {names.replace(' or ', ' nor ')}"
        )
    if not trail.settings_whole:
        return settings_partly(trail, because)
    notes: tuple[str, ...] = ()
    evidence = of_settings(trail)
    if isinstance(trail.cluster, Seen) and trail.cluster.value.container_insights:
        notes = (
            "Container insights is on: it collects metrics and output of containers, no audit",
        )
        evidence += evidence_of(trail.cluster.raw, "addonProfiles.omsagent.enabled", "true")
    return Finding.failed(trail.id, because, evidence, notes=notes)


@dataclass(slots=True)
class _Looks:
    """The destinations by what is known of them, in words."""

    alive: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unread: list[tuple[str, Unreadable]] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)


def _arriving(
    trail: Trail,
    shipped: tuple[str, ...],
    destinations: tuple[Destination, ...],
    params: Params,
) -> Finding:
    names = " and ".join(shipped)
    evidence = of_settings(trail)
    looks = _Looks()
    for destination in destinations:
        look = trail.look(destination)
        _sort(destination, look, looks)
        if isinstance(look, Seen):
            evidence += evidence_of(look.raw, "id", destination.id)
    notes = tuple(_notes(looks))
    if looks.alive:
        because = f"{names} goes to {', '.join(looks.alive)}"
        return Finding.passed(trail.id, because, evidence, notes=notes)
    if not (looks.unread or looks.elsewhere or looks.not_asked):
        because = f"{names} goes to nothing: {', '.join(looks.gone)} no longer exists"
        return Finding.failed(trail.id, because, evidence)
    if not params.require_live_destination:
        places = ", ".join(f"the {each.kind} {each.id}" for each in destinations)
        because = f"{names} goes to {places}; whether that is there is not asked for"
        return Finding.passed(trail.id, because, evidence, notes=notes)
    if looks.unread:
        where, gap = looks.unread[0]
        because = f"{names} goes to {where}, which could not be looked at: {gap.reason}"
        return Finding.error(trail.id, because, evidence, permission=gap.permission, notes=notes)
    not_seen = "; ".join((*looks.elsewhere, *looks.not_asked))
    because = f"{names} goes to where this scan cannot look: {not_seen}"
    question = f"Is it there, and does {names} of {trail.id} arrive in it: {not_seen}?"
    return Finding.manual(trail.id, because, question, evidence, notes=notes)


def _sort(destination: Destination, look: Look, looks: _Looks) -> None:
    name = f"the {destination.kind} {destination.id}"
    match look:
        case Seen():
            looks.alive.append(name)
        case Absent():
            looks.gone.append(name)
        case Unreadable():
            looks.unread.append((name, look))
        case Elsewhere(because=because):
            looks.elsewhere.append(because)
        case NotAsked():
            looks.not_asked.append(f"{name} is not in what was given")


def _notes(looks: _Looks) -> Iterator[str]:
    for name in looks.gone:
        yield f"{name} no longer exists"
    if looks.alive:
        for name, gap in looks.unread:
            yield f"{name} could not be looked at: {gap.reason}"
        yield from looks.elsewhere
        yield "a setting shows what is sent: whether records arrive is asked by KC-CMP-011"
