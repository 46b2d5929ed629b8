"""What a policy would no longer record, in groups with examples."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = ["Example", "Loss", "LossKind", "Losses"]


class LossKind(StrEnum):
    """What is lost of an event."""

    REQUEST = "request"
    """No event at all is written of such a request."""
    STAGE = "stage"
    """This event is not written; others of the same request are."""
    REQUEST_BODY = "request-body"
    RESPONSE_BODY = "response-body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One event of the log, to look at: `line` counts from 1."""

    file: str
    line: int
    audit_id: str
    time: str
    user: str | None
    """None for a login that failed."""
    request: str


@dataclass(slots=True, kw_only=True)
class Loss:
    """Events that lose the same by the same rule; `rule` from 0, None where none matches."""

    kind: LossKind
    rule: int | None
    line: int | None
    stage: str | None
    """Of a lost stage, which."""
    verb: str
    resource: str
    events: int = 0
    bytes: int = 0
    examples: list[Example] = field(default_factory=list)


_Key = tuple[LossKind, int | None, int | None, str | None, str, str]

MOST_GROUPS: Final = 2000
OTHERS: Final = "(others)"
_EXAMPLES: Final = 3


class Losses:
    """Groups of losses, of which so many are told apart as fit into memory."""

    def __init__(self) -> None:
        self._groups: dict[_Key, Loss] = {}

    def add(self, key: _Key, events: int, size: int, example: Example) -> None:
        """Add events; of examples the first ones are kept, each of another user."""
        loss = self._groups.get(key)
        if loss is None:
            if len(self._groups) >= MOST_GROUPS:
                key = (*key[:4], OTHERS, OTHERS)
            kind, rule, line, stage, verb, resource = key
            loss = self._groups.setdefault(
                key,
                Loss(kind=kind, rule=rule, line=line, stage=stage, verb=verb, resource=resource),
            )
        loss.events += events
        loss.bytes += size
        if len(loss.examples) < _EXAMPLES and example.user not in {e.user for e in loss.examples}:
            loss.examples.append(example)

    def sorted(self) -> tuple[Loss, ...]:
        """Whole requests first, then bodies, then stages; of each the most events first."""
        order = [LossKind.REQUEST, LossKind.RESPONSE_BODY, LossKind.REQUEST_BODY, LossKind.STAGE]
        return tuple(
            sorted(
                self._groups.values(),
                key=lambda loss: (
                    order.index(loss.kind),
                    -loss.events,
                    loss.resource,
                    loss.verb,
                    loss.stage or "",
                    -1 if loss.rule is None else loss.rule,
                ),
            )
        )
