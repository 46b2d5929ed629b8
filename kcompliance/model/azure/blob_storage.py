"""Storage accounts that get a cluster's logs: when their lifecycle rules delete them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from kcompliance.model.azure.answer import Resource, WrongAnswer, flag, number, part, parts, text
from kcompliance.model.azure.answer import texts as texts_of
from kcompliance.model.retention import FOREVER

__all__ = ["LifecycleRule", "blobs_of", "container_of", "kept_by", "rules_of"]

_AGES = (
    "daysAfterModificationGreaterThan",
    "daysAfterCreationGreaterThan",
    "daysAfterLastAccessTimeGreaterThan",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """An enabled rule that deletes append blobs, which is what diagnostic settings write."""

    name: str
    after: timedelta
    prefixes: tuple[str, ...]
    """Of a container's name and the path in it; none: all."""
    tagged_only: bool
    """It asks for index tags, which no diagnostic setting sets."""


def container_of(category: str) -> str:
    """The container that Azure makes for a category."""
    return f"insights-logs-{category}"


def blobs_of(category: str, cluster_id: str) -> str:
    """How the names of a cluster's blobs begin, with their container."""
    return f"{container_of(category)}/resourceId={cluster_id.upper()}/"


def rules_of(resource: Resource) -> tuple[LifecycleRule, ...]:
    """The rules of a management policy that delete append blobs. Raises WrongAnswer."""
    policy = part(resource.fields, "policy")
    if policy is None:
        raise WrongAnswer("a management policy without rules")
    return tuple(_deleting(parts(policy, "rules")))


def _deleting(rules: Iterable[dict[str, object]] | Iterable[object]) -> Iterator[LifecycleRule]:
    for rule in rules:
        if not isinstance(rule, dict) or flag(rule, "enabled") is False:
            continue
        definition = part(rule, "definition") or {}
        filters = part(definition, "filters") or {}
        types = [kind.lower() for kind in texts_of(filters, "blobTypes")]
        if types and "appendblob" not in types:
            continue
        base = part(part(definition, "actions") or {}, "baseBlob") or {}
        delete = part(base, "delete")
        if delete is None:
            continue
        ages = [age for name in _AGES if (age := number(delete, name)) is not None]
        if not ages:
            raise WrongAnswer("a lifecycle rule that deletes at an age that it does not tell")
        yield LifecycleRule(
            name=text(rule, "name") or "without a name",
            after=timedelta(days=min(ages)),
            prefixes=texts_of(filters, "prefixMatch"),
            tagged_only=bool(parts(filters, "blobIndexMatch")),
        )


def kept_by(rules: Iterable[LifecycleRule], blobs: str) -> tuple[timedelta, LifecycleRule | None]:
    """How long blobs of this beginning are kept, and the rule that decides it.

    A prefix counts if some of the blobs have it: `insights-logs-kube` covers them all, and one
    that ends in a year and month covers some.
    """
    kept, decides = FOREVER, None
    for rule in rules:
        if rule.after < kept and not rule.tagged_only and _touches(rule, blobs):
            kept, decides = rule.after, rule
    return kept, decides


def _touches(rule: LifecycleRule, blobs: str) -> bool:
    ours = blobs.lower()
    theirs = [prefix.lower() for prefix in rule.prefixes]
    return not theirs or any(ours.startswith(each) or each.startswith(ours) for each in theirs)
