"""Storage accounts as stores of audit events: where AKS files them by the hour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.event_stores.aks_store import COLLECTOR, AksStore, not_seen
from kcompliance.checks.event_stores.interface import Delivery, Sampled, Times
from kcompliance.model.azure.audit_blobs import (
    EVENT_TIME,
    AuditBlob,
    audit_category,
    blobs_in,
    blobs_place,
    sample_in,
    timeline_of,
)
from kcompliance.model.azure.blob_storage import blobs_of, container_of, kept_by, rules_of
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Raw, Seen
from kcompliance.model.retention import FOREVER

__all__ = ["BlobEvents", "blob_events_of"]

_MODIFIED: Final = "Last-Modified"
_BY_EVENT: Final = ("fresh", "timestamps")
"""What is judged by when the newest event happened, and not by whether there is one."""
_LATE: Final = (
    "Last-Modified tells when the last record came: no sampled event tells when it happened"
)


def blob_events_of(
    cluster: Cluster, trail: Trail, accounts: Sequence[str], aspects: Sequence[str]
) -> Iterator["BlobEvents | Finding"]:
    """What these accounts hold of a cluster, and findings on what was not seen."""
    for id_ in accounts:
        look = trail.look(Destination(DestinationKind.STORAGE, id_))
        category = audit_category(trail.shipped, id_)
        name = f"{id_}/blobs of {trail.id}"
        if isinstance(look, Seen) and category is not None:
            yield BlobEvents(
                cluster=cluster,
                trail=trail,
                place=id_,
                name=name,
                asked=blobs_place(id_, container_of(category), trail.id),
                around=look.raw,
                category=category,
            )
        else:
            what = f"the storage account {id_}"
            yield from (not_seen(trail, name, what, look, aspect) for aspect in aspects)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobEvents(AksStore):
    """The audit records of one cluster in one storage account."""

    category: str
    """Of the log: `kube-audit`, or `kube-audit-admin` where that is all."""

    @property
    def delivery(self) -> Delivery:
        """Azure files them by the hour."""
        return Delivery.HOURLY

    def sampled(self, aspect: str) -> Sampled | Finding:
        """The last events of the newest blob."""
        found = self.answer(Kind.AZURE_BLOB_SAMPLE, sample_in, aspect)
        if isinstance(found, Finding):
            return found
        sampled = self.sample_of(found.raw, found.value.events, "records", aspect)
        return sampled if isinstance(sampled, Finding) else replace(sampled, arrived_by=True)

    def times(self, aspect: str) -> Times | Finding:
        """The oldest by the hour in which it came, the newest by when it happened."""
        hours = self.answer(Kind.AZURE_BLOB_HOURS, blobs_in, aspect)
        if isinstance(hours, Finding):
            return hours
        newest, raw, happened = hours.value[-1:], hours.raw, None
        if aspect in _BY_EVENT:
            sample = self.answer(Kind.AZURE_BLOB_SAMPLE, sample_in, aspect)
            if isinstance(sample, Finding):
                return sample
            happened, raw = sample.value.newest, sample.raw
        modified = newest[0].modified if newest else None
        return self.times_of(raw, self._times(hours, raw, happened, modified), aspect)

    def _times(
        self,
        hours: Seen[tuple[AuditBlob, ...]],
        raw: Raw,
        happened: datetime | None,
        modified: datetime | None,
    ) -> Times:
        blobs = hours.value
        oldest = blobs[0].hour if blobs else None
        field = EVENT_TIME if happened else _MODIFIED
        days = {blob.hour.replace(hour=0) for blob in blobs}
        told = _told(raw, "records", happened, field) if happened else ()
        return Times(
            field=field,
            records=len(blobs),
            oldest=oldest,
            newest=happened or modified,
            days=tuple(sorted(days)),
            asked=raw.origin.collected_at,
            live=raw.origin.collector == COLLECTOR,
            evidence_of_oldest=_told(hours.raw, "blobs", oldest, "the hour of receipt"),
            evidence_of_newest=told or _told(hours.raw, "blobs", modified, _MODIFIED),
            deletes_after=self._deletes_after(),
            notes=() if happened or not blobs else (_LATE,),
        )

    def timeline(self, aspect: str) -> Seen[Timeline] | Finding:
        """Of a month, by the hour in which records came; how many there were is not told."""
        if aspect == "volume":
            because = "a storage account does not count its records"
            evidence = evidence_of(self.around, "id", self.place)
            return Finding.not_applicable(self.name, because, evidence, aspect=aspect)
        found = self.answer(Kind.AZURE_BLOB_HOURS, timeline_of, aspect)
        return self.timeline_of(found, aspect)

    def _deletes_after(self) -> timedelta:
        """When lifecycle rules delete them, where these are told."""
        place = f"{self.place}/managementPolicies/default"
        found = self.trail.estate.find(Kind.AZURE_MANAGEMENT_POLICY, place, rules_of)
        if not isinstance(found, Seen):
            return FOREVER
        return kept_by(found.value, blobs_of(self.category, self.trail.id))[0]


def _told(raw: Raw, location: str, moment: datetime | None, field: str) -> tuple[Evidence, ...]:
    quote = "none" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ} by {field}"
    return evidence_of(raw, location, quote)
