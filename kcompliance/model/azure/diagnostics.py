"""Diagnostic settings: which log categories of a cluster go where."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kcompliance.model.azure.answer import (
    Fields,
    Resource,
    WrongAnswer,
    flag,
    number,
    part,
    parts,
    text,
    texts,
)

__all__ = [
    "AUDIT_CATEGORIES",
    "KUBE_AUDIT",
    "KUBE_AUDIT_ADMIN",
    "Category",
    "Destination",
    "DestinationKind",
    "DiagnosticSetting",
    "LogRule",
    "Shipped",
    "category_of",
    "setting_of",
    "shipped",
]

KUBE_AUDIT = "kube-audit"
KUBE_AUDIT_ADMIN = "kube-audit-admin"
GUARD = "guard"
AUDIT_CATEGORIES = (KUBE_AUDIT, KUBE_AUDIT_ADMIN, GUARD)
"""What AKS records of requests and of logins with Entra ID."""

_ALL_LOGS = "alllogs"


class DestinationKind(StrEnum):
    """Where a diagnostic setting can send logs to."""

    WORKSPACE = "workspace"
    STORAGE = "storage account"
    EVENT_HUB = "event hub"
    PARTNER = "partner solution"


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination; `id` is that of the workspace, the account or the namespace."""

    kind: DestinationKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRule:
    """One line of a setting: one category or one group of them; names in lower case."""

    category: str | None
    group: str | None
    enabled: bool
    dead_retention_days: int
    """Days of the setting's own retention policy, which Azure does not keep to any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticSetting:
    """One diagnostic setting."""

    id: str
    name: str
    destinations: tuple[Destination, ...]
    logs: tuple[LogRule, ...]
    dedicated: bool
    """Rows go to tables of their own, such as AKSAudit, and not to AzureDiagnostics."""

    @property
    def enabled(self) -> tuple[LogRule, ...]:
        """The lines that ship something, if there is anywhere to ship it to."""
        return tuple(rule for rule in self.logs if rule.enabled) if self.destinations else ()


@dataclass(frozen=True, slots=True)
class Category:
    """A log category that a cluster has; names in lower case."""

    name: str
    groups: frozenset[str]


def setting_of(resource: Resource) -> DiagnosticSetting:
    """Read one setting. Raises WrongAnswer."""
    fields = resource.fields
    if "logs" not in fields and "metrics" not in fields:
        raise WrongAnswer("a diagnostic setting without logs and metrics")
    return DiagnosticSetting(
        id=resource.id,
        name=resource.name,
        destinations=tuple(_destinations(fields)),
        logs=tuple(_rule(rule) for rule in parts(fields, "logs")),
        dedicated=(text(fields, "logAnalyticsDestinationType") or "").lower() == "dedicated",
    )


def _destinations(fields: Fields) -> Iterable[Destination]:
    for name, kind in (
        ("workspaceId", DestinationKind.WORKSPACE),
        ("storageAccountId", DestinationKind.STORAGE),
        ("eventHubAuthorizationRuleId", DestinationKind.EVENT_HUB),
        ("marketplacePartnerId", DestinationKind.PARTNER),
    ):
        id_ = text(fields, name)
        if id_ is not None:
            yield Destination(kind, _namespace(id_) if name.startswith("eventHub") else id_)


def _namespace(rule: str) -> str:
    """The namespace of an authorization rule, of itself or of one of its hubs."""
    found = re.match(r".*/namespaces/[^/]+(?=/|$)", rule, re.IGNORECASE)
    return found[0] if found else rule


def _rule(fields: Fields) -> LogRule:
    retention = part(fields, "retentionPolicy") or {}
    days = number(retention, "days") or 0
    category, group = text(fields, "category"), text(fields, "categoryGroup")
    if category is None and group is None:
        raise WrongAnswer("a line of a diagnostic setting without a category")
    return LogRule(
        category=category.lower() if category else None,
        group=group.lower() if group else None,
        enabled=flag(fields, "enabled") is True,
        dead_retention_days=int(days) if flag(retention, "enabled") is True else 0,
    )


def category_of(resource: Resource) -> Category | None:
    """Read one category; None for one of metrics. Raises WrongAnswer."""
    kind = text(resource.fields, "categoryType")
    if kind is None:
        raise WrongAnswer("a category without its type")
    if kind.lower() != "logs":
        return None
    groups = frozenset(group.lower() for group in texts(resource.fields, "categoryGroups"))
    return Category(resource.name.lower(), groups)


# --- what goes out -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """The union of what all settings send somewhere."""

    by_category: Mapping[str, tuple[DiagnosticSetting, ...]] = field(default_factory=dict)
    everything: tuple[DiagnosticSetting, ...] = ()
    """Settings that ship all logs, of a cluster whose categories are not known."""
    undecided: Mapping[str, tuple[DiagnosticSetting, ...]] = field(default_factory=dict)
    """Settings by a group of which nobody told what is in it."""

    def settings_of(self, category: str) -> tuple[DiagnosticSetting, ...]:
        """The settings that surely ship a category."""
        return (*self.by_category.get(category, ()), *self.everything)

    def has(self, category: str) -> bool:
        """Whether a category is surely shipped."""
        return bool(self.settings_of(category))

    @property
    def named(self) -> tuple[str, ...]:
        """What is shipped, for people."""
        return (*sorted(self.by_category), *(("all logs",) if self.everything else ()))


def shipped(
    settings: Iterable[DiagnosticSetting], categories: tuple[Category, ...] | None
) -> Shipped:
    """What leaves the cluster; `categories` None where they are not known.

    A group means what the cluster's own categories say. Only of allLogs it is clear without them.
    """
    by_category: dict[str, list[DiagnosticSetting]] = {}
    everything: list[DiagnosticSetting] = []
    undecided: dict[str, list[DiagnosticSetting]] = {}
    for setting in settings:
        for rule in setting.enabled:
            names = _names(rule, categories)
            for name in names or ():
                members = by_category.setdefault(name, [])
                if setting not in members:
                    members.append(setting)
            if names is None and rule.group == _ALL_LOGS:
                everything.append(setting)
            elif names is None and rule.group:
                undecided.setdefault(rule.group, []).append(setting)
    return Shipped(
        by_category={name: tuple(found) for name, found in by_category.items()},
        everything=tuple(everything),
        undecided={group: tuple(found) for group, found in undecided.items()},
    )


def _names(rule: LogRule, categories: tuple[Category, ...] | None) -> tuple[str, ...] | None:
    """The categories of a line; None where that depends on what is not known."""
    if rule.category is not None:
        return (rule.category,)
    if categories is None or rule.group is None:
        return None
    if not any(category.groups for category in categories):
        return None  # an old answer, which does not tell the groups
    return tuple(category.name for category in categories if rule.group in category.groups)
