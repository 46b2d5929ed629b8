"""What governs the indices of a trail in its stores, as far as it was seen (KC-PRO-002).

Shared by whoever approves of it and whoever compares: neither may see more than the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.search_sight import (
    LIFECYCLE_KINDS,
    as_of,
    evidence,
    seen_stores,
    unseen,
    which_indices,
)
from kcompliance.checks.trail_stores import answered
from kcompliance.model.approval.store_settings import approved_store
from kcompliance.model.approval.stores import ApprovedStoreV1
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding
from kcompliance.model.reading import Kind
from kcompliance.model.search.view import SearchStore

__all__ = ["STORE", "StoreSettings", "store_settings"]

STORE: Final = "store"
"""The aspect."""
_KINDS: Final = (
    *LIFECYCLE_KINDS,
    Kind.ELASTICSEARCH_SLM_POLICIES,
    Kind.ELASTICSEARCH_SM_POLICIES,
)
_QUOTED: Final = (
    (Kind.ELASTICSEARCH_ILM_POLICIES, "ILM policy "),
    (Kind.ELASTICSEARCH_ISM_POLICIES, "ISM policy "),
    (Kind.ELASTICSEARCH_DATA_STREAMS, "the lifecycle of "),
    (Kind.ELASTICSEARCH_SLM_POLICIES, "snapshot policy "),
    (Kind.ELASTICSEARCH_SM_POLICIES, "snapshot policy "),
    (Kind.ELASTICSEARCH_PIPELINES, "ingest pipeline "),
)
_EVERY_INDEX: Final = ("*",)
"""A declared store is asked for its own only, and files are given because they are of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The settings of one store as they are."""

    settings: ApprovedStoreV1
    evidence: tuple[Evidence, ...]


def store_settings(cluster: Cluster) -> Iterator[StoreSettings | Finding]:
    """The settings of each store, and findings on what of them was not seen."""
    for store in seen_stores(cluster, (STORE,)):
        yield from (store,) if isinstance(store, Finding) else _of_store(store)


def _of_store(store: SearchStore) -> Iterator[StoreSettings | Finding]:
    gaps = unseen(store, (STORE,), _KINDS)
    if gaps:
        yield from gaps
        return
    pipelines = answered(store, Kind.ELASTICSEARCH_PIPELINES, STORE)
    if isinstance(pipelines, Finding):
        yield pipelines
        return
    indices, none = which_indices(store, _EVERY_INDEX, (STORE,))
    yield from none
    asked = as_of(store)
    if not indices or asked is None:
        return
    now = approved_store(store, indices, asked.origin.collected_at)
    if isinstance(now, str):
        yield Finding.error(store.name, now, aspect=STORE)
    else:
        yield StoreSettings(settings=now, evidence=_evidence(store, now))


def _evidence(store: SearchStore, now: ApprovedStoreV1) -> tuple[Evidence, ...]:
    """What governs, and each document by its digest."""
    quoted = [
        (Kind.ELASTICSEARCH_SETTINGS, name, "; ".join(", ".join(each) for each in governed))
        for name, governed in now.governed.items()
    ]
    quoted += [
        (kind, document.name, f"sha256 {document.sha256}")
        for document in now.documents
        for kind, begin in _QUOTED
        if document.name.startswith(begin)
    ]
    return evidence(store, *quoted)
