"""CloudWatch Logs as a store of audit events: the log group of an EKS cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from kcompliance.checks.eks import not_given
from kcompliance.checks.event_stores.interface import Delivery, EventStore, Sampled, Sources, Times
from kcompliance.model.aws.answers import COLLECTOR, Fields, answers
from kcompliance.model.aws.cluster_settings import EksCluster, eks_cluster
from kcompliance.model.aws.log_group import LogGroup, log_group
from kcompliance.model.aws.stored_events import (
    WEEK,
    Stored,
    newest,
    read_events,
    read_histogram,
    read_weeks,
)
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.event_store.timeline import Timeline
from kcompliance.model.finding import Finding, evidence_of
from kcompliance.model.reading import Kind, Seen, Unreadable
from kcompliance.model.retention import FOREVER

__all__ = ["CloudWatchEvents", "cloudwatch_events"]

T = TypeVar("T")

_EVENTS: Final = "aws logs filter-log-events --log-group-name {group} --no-start-from-head"
_LATE: Final = "timestamp is told by CloudWatch Logs: no sampled event tells when it happened"


def cloudwatch_events(cluster: Cluster, aspects: tuple[str, ...]) -> Iterator[EventStore | Finding]:
    """The log group of the cluster, if it has one; findings where that could not be seen."""
    found = eks_cluster(cluster)
    wrong = [gap for gap in cluster.gaps if gap.origin.kind is Kind.EKS_CLUSTER]
    wrong += [found] if isinstance(found, Unreadable) else []
    for gap in wrong:
        yield from (Finding.unreadable(gap, aspect=aspect) for aspect in aspects)
    if not isinstance(found, Seen) or found.value.connected or found.value.on_outpost:
        return  # there is none, or its trail is elsewhere
    match log_group(cluster, found.value.log_group):
        case Seen() as group:
            yield CloudWatchEvents(cluster, found.value, group.value)
        case NotAsked() if cluster.texts.get(Kind.AWS_LOG_EVENTS):
            yield CloudWatchEvents(cluster, found.value, None)
        case Unreadable() as gap:
            yield from (Finding.unreadable(gap, aspect=aspect) for aspect in aspects)
        case _:
            return  # KC-AUD-004 says so where there should be one


@dataclass(frozen=True, slots=True)
class CloudWatchEvents:
    """The audit events in one log group."""

    cluster: Cluster
    described: EksCluster
    group: LogGroup | None
    """None: it was not asked for."""

    @property
    def name(self) -> str:
        """The log group; of all of a cluster's logs."""
        return self.described.log_group

    @property
    def delivery(self) -> Delivery:
        """EKS delivers to it."""
        return Delivery.CLOUD

    def sampled(self, aspect: str) -> Sampled | Finding:
        """The newest events."""
        found = self._newest(aspect)
        if isinstance(found, Finding):
            return found
        events = tuple(each.event for each in found.value)
        evidence = evidence_of(found.raw, "events", f"{len(events)} events")
        if not events:
            because = "there is no event in it to look at: see KC-CMP-011"
            return Finding.error(self.name, because, evidence, aspect=aspect)
        return Sampled(
            events=events,
            evidence=evidence,
            raws={event.place: found.raw for event in events},
            asked=found.raw.origin.collected_at,
        )

    def times(self, aspect: str) -> Times | Finding:
        """The newest by when it happened; the oldest by CloudWatch Logs' own times."""
        stored = self._newest(aspect)
        if isinstance(stored, Finding):
            return stored
        weeks = self._weeks(aspect)
        if isinstance(weeks, Finding):
            return weeks
        told = sorted((*weeks.value, *(each.time for each in stored.value)))
        days = {time.replace(hour=0, minute=0, second=0, microsecond=0) for time in told}
        field, last = newest(stored.value)
        oldest = told[0] if told else None
        return Times(
            field=field,
            records=len(told),
            oldest=oldest,
            newest=last or max(told, default=None),
            days=tuple(sorted(days)),
            asked=stored.raw.origin.collected_at,
            live=stored.raw.origin.collector == COLLECTOR,
            evidence_of_oldest=evidence_of(
                weeks.raw, "events", f"oldest: {oldest or 'none'} by timestamp"
            ),
            evidence_of_newest=evidence_of(
                stored.raw, "events", f"newest: {last or 'none'} by {field}"
            ),
            deletes_after=self._deletes_after(),
            notes=(_LATE,) if field == "timestamp" else (),
            apart=WEEK,
        )

    def timeline(self, aspect: str) -> Seen[Timeline] | Finding:
        """Of a week: a query costs by what it scans."""
        for gap in self.cluster.gaps:
            if gap.origin.kind is Kind.AWS_LOG_QUERY:
                return Finding.unreadable(gap, aspect=aspect)
        found = self._asked(Kind.AWS_LOG_HISTOGRAM, read_histogram, aspect)
        what = f"how many events {self.name} got in each five minutes"
        return found or not_given(self.name, what, "aws logs get-query-results", aspect)

    def sources(self, aspect: str) -> Sources | Finding:
        """Streams are API servers, which EKS replaces as it wills."""
        found = self._newest(aspect)
        return found if isinstance(found, Finding) else Seen(value=None, raw=found.raw)

    # --- what was asked --------------------------------------------------------------------------

    def _newest(self, aspect: str) -> Seen[tuple[Stored, ...]] | Finding:
        found = self._asked(Kind.AWS_LOG_EVENTS, read_events, aspect)
        command = _EVENTS.format(group=self.name)
        return found or not_given(self.name, f"an event of {self.name}", command, aspect)

    def _weeks(self, aspect: str) -> Seen[tuple[datetime, ...]] | Finding:
        return self._asked(Kind.AWS_LOG_WEEKS, read_weeks, aspect) or Finding.manual(
            self.name,
            "since when there are events in it is not in what was given",
            "Since when are there events in it? Scan the cluster live (eks:REGION/NAME): it takes "
            "a question for each week.",
            aspect=aspect,
        )

    def _asked(
        self, kind: Kind, read: Callable[[Fields], T], aspect: str
    ) -> Seen[T] | Finding | None:
        """The one answer of a kind; None where there is none."""
        seen, gaps = answers(self.cluster, kind, read)
        if gaps:
            return Finding.unreadable(gaps[0], aspect=aspect)
        if any(each.raw.content != seen[0].raw.content for each in seen):
            because = f"a second answer says something else than {seen[0].raw.origin.resource}"
            return Finding.error(self.name, because, aspect=aspect)
        return seen[0] if seen else None

    def _deletes_after(self) -> timedelta:
        return FOREVER if self.group is None else self.group.kept
