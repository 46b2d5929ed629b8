"""The audit policy as kube-apiserver holds it in memory (`audit.k8s.io/v1`, kind `Policy`)."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import total_ordering

__all__ = ["AuditPolicy", "GroupResources", "Level", "Rule", "Stage"]


@total_ordering
class Level(Enum):
    """How much of a request is recorded; ordered from nothing to everything."""

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        order = list(Level)
        return order.index(self) < order.index(other)


class Stage(StrEnum):
    """A moment in the life of a request at which an event can be written, in order."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResources:
    """Resources of one API group; no resources means all of the group's.

    `group` "" is the core group only; "*" is any group, from Kubernetes 1.36 on.
    """

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; an empty field places no condition. `line` counts from 1: the rule's dash."""

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: frozenset[Stage] = frozenset()
    omit_managed_fields: bool | None = None
    line: int = 1

    @property
    def resources_only(self) -> bool:
        """Whether only requests for API objects can match."""
        return bool(self.namespaces or self.resources)

    @property
    def catch_all(self) -> bool:
        """Whether every request matches."""
        return not (
            self.users
            or self.user_groups
            or self.verbs
            or self.resources
            or self.namespaces
            or self.non_resource_urls
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """Rules in order; the first that matches a request decides."""

    rules: tuple[Rule, ...]
    omit_stages: frozenset[Stage] = frozenset()
    omit_managed_fields: bool = False
