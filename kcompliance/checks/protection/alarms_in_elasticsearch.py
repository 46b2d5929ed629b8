"""The Elasticsearch part of KC-PRO-014: alarms on what its own access audit records."""

from collections.abc import Iterator
from typing import Final

from kcompliance.checks.protection.search_server_is_secured import access_audit
from kcompliance.checks.trail_stores import answered, stores_to_judge
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Kind
from kcompliance.model.search.view import SearchStore, stores_of
from kcompliance.model.search.watches import watched

__all__ = ["ASPECT", "alarms_in_elasticsearch"]

ASPECT: Final = "elasticsearch"
_QUESTION: Final = (
    "Which alarm is raised when somebody deletes an audit index, changes or deletes an ILM or SLM "
    "policy or changes an ingest pipeline? Show the enabled rule: GET KIBANA/api/"
    "detection_engine/rules/_find, or the monitor of OpenSearch, and whom it tells."
)


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
    if store.is_opensearch:
        because = "its access audit is on; what its alerting watches for is not asked"
        return Finding.manual(store.name, because, _QUESTION, audit.evidence, aspect=ASPECT)
    found = answered(store, Kind.ELASTICSEARCH_WATCHES, ASPECT)
    if isinstance(found, Finding):
        return found
    if isinstance(found, Absent):
        because = "its access audit is on; it has no watches, and Kibana's rules are not asked"
        return Finding.manual(store.name, because, _QUESTION, audit.evidence, aspect=ASPECT)
    told = watched(found.value, store.patterns[0] if store.patterns else "k8s-audit")
    if isinstance(told, str):
        return Finding.error(found.raw.origin.resource, told, aspect=ASPECT)
    names = sorted({name for names in told.by.values() for name in names})
    evidence = audit.evidence
    evidence += evidence_of(found.raw, "watches", ", ".join(names) or "none that surely tells")
    if told.unwatched:
        perhaps = sorted({name for names in told.perhaps.values() for name in names})
        because = f"no watch surely raises an alarm on {', '.join(told.unwatched)}"
        because += f"; perhaps {', '.join(perhaps)}" if perhaps else ""
        return Finding.manual(store.name, because, _QUESTION, evidence, aspect=ASPECT)
    because = f"watches tell somebody of every such change: {', '.join(names)}"
    return Finding.passed(store.name, because, evidence, aspect=ASPECT)


def _cannot(store: SearchStore) -> bool:
    licence = store.fields(Kind.ELASTICSEARCH_LICENSE).get("license")
    kind = licence.get("type") if isinstance(licence, dict) else None
    return kind in ("basic", "standard")
