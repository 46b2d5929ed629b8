"""What stored events say where a policy can only be assumed.

An event shows that such a request is recorded, and how. So events pass what asks for each of some
things to be there, and fail what asks for a thing not to be there. Where a control asks for every
request, or for those of every user, events may show a fault and never that there is none.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kcompliance.model.audit_policy import AuditPolicy
from kcompliance.model.aws.answers import COLLECTOR
from kcompliance.model.aws.log_verbs import log_verbs
from kcompliance.model.aws.stored_events import COUNTED
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Status, evidence_of
from kcompliance.model.observed import Observed, SeenRequest, Wanted
from kcompliance.model.reading import Absent, Raw, Seen, Unreadable

__all__ = [
    "EventJudge",
    "FromEvents",
    "all_seen",
    "notes_of",
    "stored_requests",
    "wrongly_recorded",
]

_MOST_QUOTED: Final = 20
_SHOWN: Final = 3
_ADVICE: Final = "Or do once what the events do not show, and scan again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FromEvents:
    """What events come to: pass, fail, or manual where they leave it open."""

    status: Status
    because: str
    shown: tuple[SeenRequest, ...] = ()
    advice: str = ""
    """What would let events decide; a sentence that goes with the question."""

    def evidence(self, raw: Raw) -> tuple[Evidence, ...]:
        """The rows that show it."""
        rows = self.shown[:_MOST_QUOTED]
        return tuple(item for row in rows for item in evidence_of(raw, row.place, str(row)))

    def decides(self, by_policy: Status) -> bool:
        """Whether it stands, beside what the assumed policy comes to.

        A fault that was seen stands. That some events are there does not mend a policy that is
        assumed to leave out others.
        """
        return self.status is Status.FAIL or self.status is by_policy is Status.PASS


EventJudge = Callable[[Observed, AuditPolicy], FromEvents]
"""The answer of one aspect; the policy is the one that is assumed."""


def stored_requests(cluster: Cluster) -> Seen[Observed] | Unreadable | None:
    """What was counted in the store of the cluster; None where nobody asked or there is none."""
    found = log_verbs(cluster)
    return None if isinstance(found, Absent | NotAsked) else found


def all_seen(observed: Observed, wanted: Iterable[Wanted]) -> FromEvents:
    """A pass where each of these was seen; one event of each is enough."""
    found = [(each, next(filter(each.is_met_by, observed.requests), None)) for each in wanted]
    shown = tuple(dict.fromkeys(seen for _, seen in found if seen is not None))
    missing = [each.words for each, seen in found if seen is None]
    if missing or not found:
        because = f"stored events do not show: {', '.join(missing)}"
        return FromEvents(status=Status.MANUAL, because=because, shown=shown, advice=_ADVICE)
    because = f"stored events show: {', '.join(each.words for each, _ in found)}"
    return FromEvents(status=Status.PASS, because=because, shown=shown)


def wrongly_recorded(
    found: Sequence[SeenRequest], lack: str, *, at_least: int = 1
) -> FromEvents | None:
    """A fail where there are so many; `lack` says what they are: "are above Metadata"."""
    records = sum(each.records for each in found)
    if records < at_least:
        return None
    shown = "; ".join(str(each) for each in found[:_SHOWN])
    because = f"{records} stored events {lack}: {shown}"
    return FromEvents(status=Status.FAIL, because=because, shown=tuple(found))


def notes_of(seen: Seen[Observed]) -> tuple[str, ...]:
    """What a reader has to know of a verdict by events."""
    live = seen.raw.origin.collector == COLLECTOR
    when = f"of {COUNTED.days} days" if live else "of the days that the saved query was about"
    notes = [
        f"decided by stored events {when}, as nobody outside can read the policy",
        "events do not tell of whom nothing is recorded: that is by the assumed policy alone",
    ]
    if seen.value.not_read:
        notes.append(f"{seen.value.not_read} stored events are not read: no verb, level or stage")
    if not seen.value.whole:
        notes.append("of so many different requests only the most frequent were counted")
    return tuple(notes)
