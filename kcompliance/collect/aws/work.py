"""A scan of one cluster on its way: what is asked, and one capture for each question."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from kcompliance.collect.aws.asking import Asker, Failed, Got, Nothing, Outcome
from kcompliance.collect.aws.questions import Question, question
from kcompliance.collect.aws.target import EksTarget
from kcompliance.collect.interface import Progress
from kcompliance.model.aws.answers import COLLECTOR, Fields, WrongAnswer
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

__all__ = ["Work", "read_outcome"]

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Work:
    """A scan of one cluster on its way."""

    target: EksTarget
    now: datetime
    progress: Progress
    asker: Asker
    captures: list[Capture] = field(default_factory=list)

    def ask(self, kind: Kind, subject: str, region: str | None = None, **request: Any) -> Outcome:
        """Ask, and keep what came."""
        wanted = question(kind)
        self.tell(wanted, subject)
        outcome = self.asker.ask(wanted, region=region, **request)
        self.keep(wanted, subject, outcome)
        return outcome

    def tell(self, wanted: Question, subject: str) -> None:
        """Say what is being asked."""
        self.progress(f"{self.target.text} {wanted.operation} {subject}")

    def keep(self, wanted: Question, subject: str, outcome: Outcome) -> None:
        """One capture for one question."""
        origin = Origin(
            kind=wanted.kind,
            resource=f"{self.target.text} {wanted.service}:{wanted.operation} {subject}",
            collector=COLLECTOR,
            collected_at=self.now,
        )
        match outcome:
            case Got(content=content, redactions=redactions):
                self.captures.append(Raw(origin=origin, content=content, redactions=redactions))
            case Nothing(reason=reason):
                self.captures.append(Absent(origin=origin, reason=reason))
            case Failed(reason=reason, permission=permission):
                self.captures.append(
                    Unreadable(origin=origin, reason=reason, permission=permission)
                )


def read_outcome(outcome: Outcome, read: Callable[[Fields], T]) -> T | None:
    """What the next questions depend on; None where the answer does not tell.

    A check says so from the capture itself.
    """
    if not isinstance(outcome, Got):
        return None
    try:
        return read(outcome.answer)
    except WrongAnswer:
        return None
