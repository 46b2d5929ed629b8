"""Which requests a store of events holds: how often each, at which level, at which stage.

Rows of a store's own count. They do not tell whose requests they were, or about which object. So
they show that something is recorded, or that it is recorded in a way that it should not be; that
it always is, for everybody, no number of events shows.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from kcompliance.model.audit_policy import Level, Stage
from kcompliance.model.request import ObjectAttributes

__all__ = ["Observed", "SeenRequest", "Wanted", "is_custom", "kind_of"]

_LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """Requests that are alike, and how many events of them there are."""

    verb: str
    target: ObjectAttributes
    """Without name and namespace; a resource "" is a path that is no object's."""
    level: Level
    stage: Stage
    records: int
    place: str
    """Where in the answer, such as `results[12]`."""

    def __str__(self) -> str:
        where = kind_of(self.target) if self.target.resource else "a path"
        how = f"{self.level.value}, {self.stage.value}"
        return f"{self.verb[:_LONGEST]} {where} at {how}: {self.records}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Some request of those that one phrase is about; one of them is enough."""

    words: str
    """Such as `get of pods/exec`."""
    verbs: Collection[str]
    targets: tuple[ObjectAttributes, ...]
    level: Level = Level.METADATA
    """Above Metadata it is about the body, which only an event of ResponseComplete surely has."""
    stage: Stage | None = None
    """None: at whichever stage."""

    def is_met_by(self, seen: SeenRequest) -> bool:
        """Whether it is such a request, recorded as it should be."""
        bodies = self.level > Level.METADATA
        return (
            seen.records > 0
            and seen.verb in self.verbs
            and seen.level >= self.level
            and self.stage in (seen.stage, None)
            and (seen.stage is Stage.RESPONSE_COMPLETE or not bodies)
            and any(_alike(seen.target, target) for target in self.targets)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that was counted."""

    requests: tuple[SeenRequest, ...]
    not_read: int = 0
    """Events of which the store does not know verb, level and stage."""
    whole: bool = True
    """Whether all rows came; else the most frequent ones."""

    def of(
        self, verbs: Collection[str], targets: Iterable[ObjectAttributes]
    ) -> Iterator[SeenRequest]:
        """What was seen of these requests, at whichever level and stage."""
        targets = tuple(targets)
        for seen in self.requests:
            asked = any(_alike(seen.target, target) for target in targets)
            if asked and seen.verb in verbs and seen.records > 0:
                yield seen


def kind_of(target: ObjectAttributes) -> str:
    """Its resource and group, such as `roles.rbac.authorization.k8s.io`, without its name."""
    return str(replace(target, name="", namespace=""))[:_LONGEST]


def is_custom(target: ObjectAttributes) -> bool:
    """Whether it is an object of a kind that a CustomResourceDefinition or a server brings."""
    known = "." not in target.group or target.group.endswith(".k8s.io")
    return not known and not target.subresource


def _alike(one: ObjectAttributes, other: ObjectAttributes) -> bool:
    return (one.group, one.resource, one.subresource) == (
        other.group,
        other.resource,
        other.subresource,
    )
