"""What becomes of a recorded event under a policy.

Sources: k8s.io/apiserver `pkg/audit/request.go` and `pkg/endpoints/handlers/`: an event at a lower
level is the same event without its bodies. All else that is in it does not depend on the level.
"""

from dataclasses import dataclass
from typing import Final

from kcompliance.model.audit_policy import Decision, Level, Stage
from kcompliance.model.request import ObjectAttributes, Request

__all__ = ["Outcome", "as_recorded", "outcome_of"]

_WITH_REQUEST_BODY: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_STREAMS: Final = frozenset({"exec", "attach", "portforward", "proxy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a policy makes of events of one kind: same request, same level and stage recorded."""

    level: Level
    """At which it is written; None where it is not."""
    nothing_of_request: bool = False
    """Whether the policy writes no event at all of this request."""
    without_managed_fields: bool = False
    more_bodies: bool = False
    """Whether it would be written with bodies that the log does not hold."""

    @property
    def written(self) -> bool:
        """Whether there is an event."""
        return self.level is not Level.NONE

    @property
    def request_body(self) -> bool:
        """Whether a request's body stays in it."""
        return self.level >= Level.REQUEST

    @property
    def response_body(self) -> bool:
        """Whether a response's body stays in it."""
        return self.level is Level.REQUEST_RESPONSE


def as_recorded(level: Level) -> Outcome:
    """What is in the log."""
    return Outcome(level=level)


def outcome_of(decision: Decision, request: Request, level: Level, stage: Stage) -> Outcome:
    """Of an event that was recorded at this level and stage."""
    if decision.level is Level.NONE or stage in decision.omit_stages:
        return Outcome(level=Level.NONE, nothing_of_request=not decision.stages)
    return Outcome(
        level=decision.level,
        without_managed_fields=decision.omit_managed_fields,
        more_bodies=_more_bodies(decision.level, request, level, stage),
    )


def _more_bodies(new: Level, request: Request, recorded: Level, stage: Stage) -> bool:
    """When a request is received its body was not read yet, and there is no response."""
    if stage is Stage.REQUEST_RECEIVED or new <= recorded:
        return False
    if new is Level.REQUEST_RESPONSE:
        return True
    target = request.target
    return (
        new is Level.REQUEST
        and request.user is not None
        and isinstance(target, ObjectAttributes)
        and target.subresource not in _STREAMS
        and request.verb in _WITH_REQUEST_BODY
    )
