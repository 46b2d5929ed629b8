"""The Elasticsearch part of KC-PRO-014: alarms on what its own access audit records."""

from collections.abc import Iterator
from typing import Final

from kcompliance.checks.protection.search_server_is_secured import access_audit
from kcompliance.checks.trail_stores import answered, stores_to_judge
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen
from kcompliance.model.search.monitors import MONITORED_ACTIONS, monitored
from kcompliance.model.search.recorded_calls import (
    RecordedCalls,
    calls_of_config,
    calls_of_nodes,
)
from kcompliance.model.search.view import Fields, SearchStore, stores_of
from kcompliance.model.search.watches import Watched, watched

__all__ = ["ASPECT", "alarms_in_elasticsearch"]

ASPECT: Final = "elasticsearch"
_QUESTION: Final = (
    "Which alarm is raised when somebody deletes an audit index, changes or deletes an ILM or SLM "
    "policy or changes an ingest pipeline? Show the enabled rule: GET KIBANA/api/"
    "detection_engine/rules/_find, or the monitor of OpenSearch, and whom it tells."
)
_PLURAL: Final = {"watch": "watches", "monitor": "monitors"}
_NONE: Final = {
    Kind.ELASTICSEARCH_WATCHES: "it has no watches, and Kibana's rules are not asked",
    Kind.ELASTICSEARCH_MONITORS: "it has no monitors",
}


def alarms_in_elasticsearch(cluster: Cluster) -> Iterator[Finding]:
    """One finding for each store, where one belongs to the cluster."""
    if not stores_of(cluster) and cluster.platform is not None:
        gaps = [gap for gap in cluster.gaps if gap.origin.kind is Kind.FILE]
        yield from (Finding.unreadable(gap, aspect=ASPECT) for gap in gaps)
        if not gaps:
            because = "no Elasticsearch belongs to this cluster, as far as is declared"
            yield Finding.not_applicable(cluster.name, because, aspect=ASPECT)
        return
    for store in stores_to_judge(cluster, (ASPECT,)):
        yield store if isinstance(store, Finding) else _of_store(store)


def _of_store(store: SearchStore) -> Finding:
    audit = access_audit(store, ASPECT)
    if audit.status is Status.FAIL and _cannot(store):
        because = "its licence is without an access audit, so that nothing could raise an alarm"
        return Finding.manual(store.name, because, _QUESTION, audit.evidence, aspect=ASPECT)
    if audit.status is Status.FAIL:
        because = f"nothing records that somebody deletes the trail: {audit.because}"
        return Finding.failed(store.name, because, audit.evidence, aspect=ASPECT)
    if audit.status is not Status.PASS:
        return audit
    kind = Kind.ELASTICSEARCH_MONITORS if store.is_opensearch else Kind.ELASTICSEARCH_WATCHES
    found = answered(store, kind, ASPECT)
    if isinstance(found, Finding):
        return found
    if isinstance(found, Absent):
        because = f"its access audit is on; {_NONE[kind]}"
        return Finding.manual(store.name, because, _QUESTION, audit.evidence, aspect=ASPECT)
    judge = _of_monitors if store.is_opensearch else _of_watches
    return judge(store, found, audit.evidence)


def _of_watches(store: SearchStore, found: Seen[Fields], evidence: tuple[Evidence, ...]) -> Finding:
    told = watched(found.value, _index(store))
    if isinstance(told, str):
        return Finding.error(found.raw.origin.resource, told, aspect=ASPECT)
    return _verdict(store, told, evidence + _shown(found.raw, told, "watches"), "watch")


def _of_monitors(
    store: SearchStore, found: Seen[Fields], evidence: tuple[Evidence, ...]
) -> Finding:
    """What the audit leaves out no monitor can see; it is asked for where that decides."""
    told = monitored(found.value, _index(store), None)
    if not isinstance(told, str) and not told.unwatched:
        recorded = _recorded(store)
        if isinstance(recorded, Finding):
            return recorded
        calls = recorded.value
        evidence += evidence_of(recorded.raw, "categories off", ", ".join(sorted(calls.off)))
        unrecorded = [each for each in MONITORED_ACTIONS if not calls.categories(each)]
        if unrecorded:
            because = f"its access audit does not record all of {', '.join(unrecorded)}"
            because += ", so that no monitor of it can tell"
            return Finding.manual(store.name, because, _QUESTION, evidence, aspect=ASPECT)
        told = monitored(found.value, _index(store), calls)
    if isinstance(told, str):
        return Finding.error(found.raw.origin.resource, told, aspect=ASPECT)
    return _verdict(store, told, evidence + _shown(found.raw, told, "monitors"), "monitor")


def _recorded(store: SearchStore) -> Seen[RecordedCalls] | Finding:
    """What OpenSearch's access audit records."""
    config = answered(store, Kind.ELASTICSEARCH_AUDIT_CONFIG, ASPECT)
    if isinstance(config, Seen):
        calls = calls_of_config(config.value)
        if calls is not None:
            return Seen(value=calls, raw=config.raw)
        because = "no configuration of an access audit in it"
        return Finding.error(config.raw.origin.resource, because, aspect=ASPECT)
    if isinstance(config, Finding):
        return config
    nodes = answered(store, Kind.ELASTICSEARCH_NODE_SETTINGS, ASPECT)
    if isinstance(nodes, Absent):
        return Finding.error(store.name, nodes.reason, aspect=ASPECT)
    if isinstance(nodes, Finding):
        return nodes
    return Seen(value=calls_of_nodes(nodes.value), raw=nodes.raw)


def _index(store: SearchStore) -> str:
    return store.patterns[0] if store.patterns else "k8s-audit"


def _shown(raw: Raw, told: Watched, what: str) -> tuple[Evidence, ...]:
    names = sorted({name for names in told.by.values() for name in names})
    return evidence_of(raw, what, ", ".join(names) or "none that surely tells")


def _verdict(
    store: SearchStore, told: Watched, evidence: tuple[Evidence, ...], what: str
) -> Finding:
    if told.unwatched:
        perhaps = sorted({name for names in told.perhaps.values() for name in names})
        because = f"no {what} surely raises an alarm on {', '.join(told.unwatched)}"
        because += f"; perhaps {', '.join(perhaps)}" if perhaps else ""
        return Finding.manual(store.name, because, _QUESTION, evidence, aspect=ASPECT)
    names = ", ".join(sorted({name for names in told.by.values() for name in names}))
    because = f"{_PLURAL[what]} tell somebody of every such change: {names}"
    return Finding.passed(store.name, because, evidence, aspect=ASPECT)


def _cannot(store: SearchStore) -> bool:
    licence = store.fields(Kind.ELASTICSEARCH_LICENSE).get("license")
    kind = licence.get("type") if isinstance(licence, dict) else None
    return kind in ("basic", "standard")
