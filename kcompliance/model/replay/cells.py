"""Events that are alike to every policy at hand, counted together before anything is decided."""

from collections.abc import Callable, Sequence
from typing import Final

from kcompliance.model.audit_policy import AuditPolicy, Decision, Level, Stage
from kcompliance.model.replay.losses import Example
from kcompliance.model.replay.managed_fields import managed_fields_in
from kcompliance.model.replay.native import Native
from kcompliance.model.replay.outcome import Outcome
from kcompliance.model.request import NonResource, ObjectAttributes, Request

__all__ = [
    "MOST_CELLS",
    "Cell",
    "Key",
    "Signature",
    "label_of_resource",
    "label_of_user",
    "signature_for",
]

MOST_CELLS: Final = 20_000
"""Held at once; some 30 MB."""
_REQUEST: Final = len('"requestObject":') + len(",")
_RESPONSE: Final = len('"responseObject":') + len(",")

Key = tuple[object, ...]
Signature = Callable[[Native], Key]


class Cell:
    """Sums over events of one signature, and what each policy makes of them."""

    __slots__ = (
        "count",
        "decisions",
        "first",
        "level",
        "managed_request",
        "managed_response",
        "measures_managed",
        "outcomes",
        "request",
        "request_bytes",
        "response_bytes",
        "size",
        "stage",
        "verb",
        "with_request",
        "with_response",
    )

    def __init__(
        self,
        *,
        level: Level,
        stage: Stage,
        request: Request,
        decisions: Sequence[Decision],
        outcomes: Sequence[Outcome],
        first: Example,
    ) -> None:
        self.level, self.stage, self.request = level, stage, request
        self.verb = request.verb
        self.decisions, self.outcomes = decisions, outcomes
        self.measures_managed = any(each.without_managed_fields for each in outcomes)
        self.first = first
        self.count = self.size = 0
        self.request_bytes = self.response_bytes = 0
        self.managed_request = self.managed_response = 0
        # How many events have a body, and an example of one that has.
        self.with_request: tuple[int, Example | None] = (0, None)
        self.with_response: tuple[int, Example | None] = (0, None)

    def add_bodies(self, event: Native, example: Callable[[], Example]) -> None:
        """The bodies of an event that has any, by the bytes that it is shorter by without them."""
        if body := len(event.requestObject):
            self.request_bytes += body + _REQUEST
            number, known = self.with_request
            self.with_request = (number + 1, known or example())
            if self.measures_managed and self.verb != "patch":
                self.managed_request += managed_fields_in(event.requestObject)
        if body := len(event.responseObject):
            self.response_bytes += body + _RESPONSE
            number, known = self.with_response
            self.with_response = (number + 1, known or example())
            if self.measures_managed:
                self.managed_response += managed_fields_in(event.responseObject)

    def bytes_under(self, outcome: Outcome) -> int:
        """Of all its events together."""
        if not outcome.written:
            return 0
        named = len(outcome.level.value) - len(self.level.value)
        size = self.size + self.count * named
        if not outcome.request_body:
            size -= self.request_bytes
        elif outcome.without_managed_fields:
            size -= self.managed_request
        if not outcome.response_body:
            size -= self.response_bytes
        elif outcome.without_managed_fields:
            size -= self.managed_response
        return size


def signature_for(policies: Sequence[AuditPolicy]) -> Signature:
    """What these policies can tell events apart by: a name that no rule has is as good as another.

    Besides that the user, verb, level and stage, by which events are counted.
    """
    rules = [rule for policy in policies for rule in policy.rules]
    namespaces = {name for rule in rules for name in rule.namespaces}
    names = {name for rule in rules for group in rule.resources for name in group.resource_names}

    def signature(event: Native) -> Key:
        reference = event.objectRef
        if reference is None:
            return (
                event.level,
                event.stage,
                event.verb,
                event.user,
                event.requestURI.partition("?")[0],
            )
        subresource = reference.subresource
        path = ""
        if event.verb == "create" and not subresource:
            # What the policy was asked about stands in the path, see `AuditEvent.request`.
            path = event.requestURI.partition("?")[0]
        return (
            event.level,
            event.stage,
            event.verb,
            event.user,
            reference.resource,
            reference.group,
            subresource,
            path,
            reference.namespace if reference.namespace in namespaces else None,
            reference.name if reference.name in names else None,
        )

    return signature


def label_of_user(request: Request) -> str:
    """The name by which a user is counted."""
    return "(failed login)" if request.user is None else request.user.name


def label_of_resource(target: ObjectAttributes | NonResource) -> str:
    """`deployments.apps/scale`, or of a path its first part: `/healthz`, `/openapi/*`."""
    if isinstance(target, NonResource):
        head, slash, rest = target.path.lstrip("/").partition("/")
        return f"/{head}/*" if slash and rest else f"/{head}"
    resource = target.resource or "(no resource)"  # of a path like /api/v1//x
    kind = f"{resource}.{target.group}" if target.group else resource
    return f"{kind}/{target.subresource}" if target.subresource else kind
