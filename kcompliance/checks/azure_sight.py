"""What the checks of AKS say where they could not see; shared so that it sounds the same."""

from collections.abc import Iterator

from kcompliance.model.azure.answer import WrongAnswer
from kcompliance.model.azure.log_records import VerbCount, verbs_of
from kcompliance.model.azure.resource_id import key
from kcompliance.model.azure.trail import Trail, stopped_subscription, trails_of
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw, Unreadable

__all__ = [
    "group_unknown",
    "of_settings",
    "settings_partly",
    "stored_in_admin",
    "trails_to_judge",
]

_ADMIN_SOURCES = ("aksauditadmin", "azurediagnostics/kube-audit-admin")


def trails_to_judge(
    cluster: Cluster, aspects: tuple[str, ...], *kinds: Kind
) -> Iterator[Trail | Finding]:
    """The trails whose settings were seen, and findings on what was not.

    `kinds`: what else every verdict of these aspects rests on.
    """
    trails = trails_of(cluster)
    wanted = (Kind.AKS_CLUSTER, Kind.AZURE_DIAGNOSTIC_SETTINGS, *kinds)
    wrong = trails[0].estate.unusable if trails else ()
    gaps = (
        *cluster.gaps_in(Kind.AZURE_DIAGNOSTIC_SETTINGS, *kinds),
        *(gap for gap in wrong if gap.origin.kind in wanted),
    )
    for aspect in aspects:
        yield from (Finding.unreadable(gap, aspect=aspect) for gap in dict.fromkeys(gaps))
    for trail in trails:
        yield from _if_seen(trail, aspects, gaps)
    if not trails and not gaps:
        yield from (_settings_not_given(cluster.name, aspect) for aspect in aspects)


def _if_seen(
    trail: Trail, aspects: tuple[str, ...], told: tuple[Unreadable, ...]
) -> Iterator[Trail | Finding]:
    """The trail, or why it cannot be judged; not what was told already."""
    stopped = stopped_subscription(trail.estate, trail.id)
    settings = trail.settings
    for aspect in aspects:
        if stopped is not None:
            yield Finding.error(
                trail.id,
                f"its subscription: {stopped.reason}",
                of_settings(trail),
                permission=stopped.permission,
                aspect=aspect,
            )
        elif isinstance(settings, Unreadable) and settings not in told:
            yield Finding.unreadable(settings, aspect=aspect)
        elif isinstance(settings, NotAsked):
            yield _settings_not_given(trail.id, aspect)
    if stopped is None and isinstance(settings, tuple):
        yield trail


def _settings_not_given(name: str, aspect: str) -> Finding:
    return Finding.manual(
        name,
        "its diagnostic settings are not in what was given",
        f"What does `az monitor diagnostic-settings list --resource {_id_or_word(name)} -o json` "
        "print? Scan aks:RESOURCE_ID, or add that output (an empty list shows nothing).",
        aspect=aspect,
    )


def _id_or_word(name: str) -> str:
    """A cluster that only kubectl's context names has an id that nobody told."""
    return name if name.lower().startswith("/subscriptions/") else "RESOURCE_ID"


def of_settings(trail: Trail) -> tuple[Evidence, ...]:
    """The settings as evidence: each with what it ships, and the list itself."""
    evidence: tuple[Evidence, ...] = ()
    settings = trail.settings if isinstance(trail.settings, tuple) else ()
    for setting in settings:
        words = [rule.category or f"group {rule.group}" for rule in setting.enabled]
        quote = ", ".join(words) or "nothing enabled"
        evidence += evidence_of(trail.raw_of(setting), f"value[{setting.name}].logs", quote)
    if not evidence:
        for raw in trail.settings_raws:
            evidence += evidence_of(raw, "value", "[]")
    groups = {rule.group for setting in settings for rule in setting.enabled if rule.group}
    for raw in trail.categories_raws if groups else ():
        evidence += evidence_of(raw, "value[].categoryGroups", ", ".join(sorted(groups)))
    return evidence


def settings_partly(trail: Trail, because: str, aspect: str = "main") -> Finding:
    """Instead of a fail where some settings were seen, and nobody told whether these are all."""
    return Finding.manual(
        trail.id,
        f"{because}, but not all of its diagnostic settings may have been given",
        f"What does `az monitor diagnostic-settings list --resource {trail.id} -o json` print? "
        "Add the whole list to the scan.",
        of_settings(trail),
        aspect=aspect,
    )


def group_unknown(trail: Trail, wanted: str, aspect: str = "main") -> Finding | None:
    """Instead of a fail where settings go by a group of categories that nobody resolved."""
    groups = ", ".join(sorted(trail.shipped.undecided))
    if not groups:
        return None
    because = f"whether the group {groups} includes {wanted} is not known"
    match trail.categories:
        case Unreadable() as gap:
            return Finding.error(
                trail.id,
                f"{because}: {gap.reason}",
                of_settings(trail),
                permission=gap.permission,
                aspect=aspect,
            )
        case NotAsked():
            return Finding.manual(
                trail.id,
                because,
                "Which categories are in it? Add the output of `az monitor diagnostic-settings "
                f"categories list --resource {trail.id} -o json` to the scan.",
                of_settings(trail),
                aspect=aspect,
            )
        case _:
            return Finding.error(
                trail.id,
                f"{because}: Azure's list of categories names no groups",
                of_settings(trail),
                aspect=aspect,
            )


def stored_in_admin(cluster: Cluster, trail: Trail) -> Iterator[tuple[Raw, tuple[VerbCount, ...]]]:
    """The verbs that queries saw in records of kube-audit-admin of this cluster."""
    for raw in cluster.texts.get(Kind.AZURE_LOG_VERBS, ()):
        if not raw.origin.resource.lower().endswith(f" of {key(trail.id)}"):
            continue
        try:
            verbs = verbs_of(raw)
        except WrongAnswer:
            continue  # more evidence is all that it could have been
        yield raw, tuple(each for each in verbs if each.source.lower() in _ADMIN_SOURCES)
