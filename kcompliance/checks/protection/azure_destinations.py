"""Where a cluster's audit log goes in Azure, and what is said where that cannot be seen."""

from collections.abc import Iterator

from kcompliance.checks.azure_sight import group_unknown, of_settings, settings_partly
from kcompliance.checks.retention.azure_copies import audit_categories
from kcompliance.model.azure.answer import Resource
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.resource_id import key
from kcompliance.model.azure.trail import Elsewhere, Trail
from kcompliance.model.cluster import NotAsked
from kcompliance.model.finding import Finding
from kcompliance.model.reading import Absent, Seen, Unreadable

__all__ = ["audit_destinations", "categories_to", "look_at", "no_destination", "not_looked_at"]


def audit_destinations(trail: Trail, *kinds: DestinationKind) -> tuple[Destination, ...]:
    """Those of these kinds that get an audit category, each once; all kinds where none is named."""
    found: dict[str, Destination] = {}
    for category in audit_categories(trail):
        for setting in trail.shipped.settings_of(category):
            for destination in setting.destinations:
                if not kinds or destination.kind in kinds:
                    found.setdefault(key(destination.id), destination)
    return tuple(found[place] for place in sorted(found))


def categories_to(trail: Trail, destination: Destination) -> tuple[str, ...]:
    """The audit categories that a destination gets."""
    return tuple(
        category
        for category in audit_categories(trail)
        if any(
            key(each.id) == key(destination.id)
            for setting in trail.shipped.settings_of(category)
            for each in setting.destinations
        )
    )


def no_destination(trail: Trail, what: str, aspect: str) -> Finding:
    """Instead of a verdict where the audit log goes to no such place; `what`: for people."""
    unknown = group_unknown(trail, "an audit category", aspect)
    if unknown is not None:
        return unknown
    because = f"no audit category goes to {what}"
    if not trail.settings_whole:
        return settings_partly(trail, because, aspect)
    because = f"{because}, as far as its diagnostic settings tell: see KC-AUD-001"
    return Finding.not_applicable(trail.id, because, of_settings(trail), aspect=aspect)


def look_at(
    trail: Trail, destination: Destination, aspect: str
) -> Iterator[Seen[Resource] | Finding]:
    """The destination as Azure describes it, or why it cannot be judged."""
    look = trail.look(destination)
    if isinstance(look, Seen):
        yield look
    else:
        yield not_looked_at(trail, destination, look, aspect)


def not_looked_at(
    trail: Trail,
    destination: Destination,
    look: Absent | Unreadable | Elsewhere | NotAsked,
    aspect: str,
) -> Finding:
    """The finding on a destination of which Azure did not tell, or that is not there."""
    evidence = of_settings(trail)
    match look:
        case Absent():
            because = f"the {destination.kind} no longer exists: see KC-AUD-001"
            return Finding.not_applicable(destination.id, because, evidence, aspect=aspect)
        case Unreadable():
            return Finding.unreadable(look, aspect=aspect)
        case Elsewhere(because=because):
            question = (
                f"Who protects {destination.id}, which gets this cluster's audit log, and how?"
            )
            return Finding.manual(destination.id, because, question, evidence, aspect=aspect)
        case NotAsked():
            return Finding.manual(
                destination.id,
                f"the {destination.kind} is not in what was given",
                f"What does `az resource show --ids {destination.id} -o json` print? Scan "
                f"aks:{trail.id}, or add that output.",
                evidence,
                aspect=aspect,
            )
