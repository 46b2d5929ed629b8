"""KC-PRO-002, aspect store: what governs the indices of a trail is what was approved."""

from collections.abc import Iterator

from kcompliance.checks.protection.approval_baseline import (
    HOW,
    Baseline,
    NoBaseline,
    baseline_of,
    passed,
)
from kcompliance.checks.search_sight import no_store
from kcompliance.checks.store_settings import STORE, StoreSettings, store_settings
from kcompliance.model.approval.stores import changed_store, unchanged_notes
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Kind

__all__ = ["store_approval"]

_MOST_TOLD, _MOST_NOTES = 3, 50


def store_approval(cluster: Cluster) -> Iterator[Finding]:
    """Findings of the aspect store, on every platform."""
    for gap in cluster.gaps:
        if gap.origin.kind is Kind.APPROVED:
            yield Finding.unreadable(gap, aspect=STORE)
    baseline = baseline_of(cluster, (STORE,))
    if isinstance(baseline, tuple):
        yield from baseline
        return
    found = tuple(store_settings(cluster))
    for each in found:
        yield each if isinstance(each, Finding) else _compared(each, baseline)
    if any(isinstance(each, Finding) for each in found):
        return  # what was approved and is not seen may be behind it
    gone: list[Finding] = []
    if isinstance(baseline, Baseline):
        seen = {each.settings.name for each in found if isinstance(each, StoreSettings)}
        wanted = (each.name for each in baseline.target.stores if each.name not in seen)
        gone = [_not_looked_at(cluster, name, baseline) for name in wanted]
    yield from gone
    if not found and not gone:
        yield from _none(cluster)


def _compared(found: StoreSettings, baseline: Baseline | NoBaseline) -> Finding:
    name = found.settings.name
    if isinstance(baseline, NoBaseline):
        return _asked(found, baseline.because)
    approved = next((each for each in baseline.target.stores if each.name == name), None)
    if approved is None:
        return _asked(found, f"{baseline.raw.origin.resource} holds no settings of this store")
    evidence = found.evidence + baseline.evidence("stores")
    lines = tuple(changed_store(approved, found.settings))
    if lines:
        told = "; ".join(lines[:_MOST_TOLD])
        more = f"; and {len(lines) - _MOST_TOLD} more" if len(lines) > _MOST_TOLD else ""
        because = f"its settings are not those that were approved: {told}{more}"
        notes = lines[:_MOST_NOTES] if more else ()
        return Finding.failed(name, because, evidence, aspect=STORE, notes=notes)
    because = f"{_documents(found)} is what was approved"
    return passed(STORE, name, because, evidence, unchanged_notes(approved, found.settings))


def _documents(found: StoreSettings) -> str:
    names = ", ".join(each.name for each in found.settings.documents)
    return f"what governs its indices ({names})" if names else "that nothing governs its indices"


def _asked(found: StoreSettings, because: str) -> Finding:
    return Finding.manual(
        found.settings.name,
        f"what was approved of it is not known: {because}",
        f"Is {_documents(found)} what was reviewed and approved? {HOW}",
        found.evidence,
        aspect=STORE,
    )


def _not_looked_at(cluster: Cluster, name: str, baseline: Baseline) -> Finding:
    return Finding.manual(
        cluster.name,
        f"it was approved with the store {name}, which is not in what was given",
        f"Is {name} still where its trail goes? Name it under stores of the target in "
        "kcompliance.yaml, or approve the target without it.",
        baseline.evidence("stores"),
        aspect=STORE,
    )


def _none(cluster: Cluster) -> Iterator[Finding]:
    """No store is no fault of what was approved; of an unknown cluster it cannot be told."""
    if cluster.platform is None:
        yield from no_store(cluster, (STORE,))
        return
    because = "no Elasticsearch or OpenSearch is declared that holds its trail"
    evidence = tuple(e for raw in cluster.platform_raw for e in evidence_of(raw, "whole file"))
    yield Finding.not_applicable(cluster.name, because, evidence, aspect=STORE)
