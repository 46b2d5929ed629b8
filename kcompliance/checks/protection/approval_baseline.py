"""What was approved of a cluster, as the aspects of KC-PRO-002 ask for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from kcompliance.model.approval.approved import ApprovedServerV1, ApprovedTargetV1
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import LIVE_COLLECTORS, Confidence, Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["HOW", "Baseline", "NoBaseline", "baseline_of", "moment", "passed", "review"]

HOW: Final = (
    "If so, say it with  kcompliance approve TARGET --out kcompliance.lock  (the same target as "
    "here) and commit the file."
)
_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was approved of this cluster."""

    target: ApprovedTargetV1
    raw: Raw

    @property
    def signature(self) -> str:
        """Who approved, when and why."""
        target = self.target
        words = f"approved on {moment(target.approved_at)} by {target.approved_by}"
        words += f", commit {target.commit}" if target.commit else ""
        return words + (f", because: {target.reason}" if target.reason else "")

    def evidence(self, place: str) -> tuple[Evidence, ...]:
        """Who approved, and where it stands."""
        return evidence_of(self.raw, place, self.signature)

    def of_server(self, name: str) -> tuple[ApprovedServerV1, ...]:
        """How a server of this name was approved; a new one may run as any of the others."""
        named = (server for server in self.target.servers if name in server.names)
        return tuple(named) or self.target.servers

    def knows(self, name: str) -> bool:
        """Whether the server was there when it was approved."""
        return any(name in server.names for server in self.target.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBaseline:
    """Why there is nothing to compare with."""

    because: str
    raw: Raw | None = None

    def findings(self, cluster: Cluster, aspects: Sequence[str]) -> Iterator[Finding]:
        """The question of each aspect."""
        for aspect in aspects:
            yield Finding.manual(
                cluster.name,
                f"what was approved of it is not known: {self.because}",
                f"Is what runs here what was reviewed and approved? {HOW}",
                evidence_of(self.raw, "targets") if self.raw else (),
                aspect=aspect,
            )


def baseline_of(
    cluster: Cluster, aspects: Sequence[str]
) -> Baseline | NoBaseline | tuple[Finding, ...]:
    """What was approved; findings where it was in the future. Of an unreadable lock there are none.

    That one is a gap, which whoever judges tells for each aspect.
    """
    match cluster.approved:
        case Seen(value=approved, raw=raw):
            target = approved.targets.get(cluster.name)
            if target is None:
                return NoBaseline(because=f"{raw.origin.resource} does not name it", raw=raw)
            found = Baseline(target=target, raw=raw)
            if target.approved_at > raw.origin.collected_at + _CLOCK_SKEW:
                return tuple(_too_early(cluster, found, aspect) for aspect in aspects)
            return found
        case NotAsked() | Absent():
            return NoBaseline(because="no kcompliance.lock was given")
        case Unreadable():
            return ()


def moment(time: datetime) -> str:
    """A time as people and reports write it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _too_early(cluster: Cluster, baseline: Baseline, aspect: str) -> Finding:
    raw = baseline.raw
    because = f"{raw.origin.resource}: {baseline.signature}, which was not yet when it was read"
    evidence = evidence_of(raw, "approved_at", f"read at {moment(raw.origin.collected_at)}")
    return Finding.error(cluster.name, because, evidence, aspect=aspect)


def review(cluster: Cluster, baseline: Baseline, max_age_days: int) -> Finding:
    """Whether the approval is young enough."""
    age = baseline.raw.origin.collected_at - baseline.target.approved_at
    evidence = baseline.evidence("approved_at")
    because = f"{baseline.signature}, {max(age.days, 0)} days ago"
    if age.total_seconds() > max_age_days * 24 * 3600:
        because += f": more than the {max_age_days} after which it has to be reviewed"
        return Finding.failed(cluster.name, because, evidence, aspect="review")
    return passed("review", cluster.name, because, evidence)


def passed(
    aspect: str,
    resource: str,
    because: str,
    evidence: tuple[Evidence, ...],
    notes: tuple[str, ...] = (),
) -> Finding:
    """Live where all but the lock, which never is, was read from what runs."""
    read = {e.raw.origin.collector for e in evidence if e.raw.origin.kind is not Kind.APPROVED}
    confidence = Confidence.LIVE if read and read <= LIVE_COLLECTORS else Confidence.BUNDLE
    return Finding.passed(
        resource, because, evidence, aspect=aspect, notes=notes, confidence=confidence
    )
