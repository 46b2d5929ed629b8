"""Under which names events are stored, and which of them a server can search by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import mapping

__all__ = ["ASKED_FIELDS", "COVERED", "SOURCE_FIELDS", "TIME_FIELDS", "FieldMap", "read_fields"]

TIME_FIELDS: Final = (
    "kubernetes.audit.stageTimestamp",
    "stageTimestamp",
    "kubernetes.audit.requestReceivedTimestamp",
    "requestReceivedTimestamp",
    "@timestamp",
)
"""The first that is mapped as a date tells when an event happened. The last one is when an agent
read it, which after an outage is much later."""

SOURCE_FIELDS: Final = (
    "host.name",
    "kubernetes.node.name",
    "host.hostname",
    "aws.cloudwatch.log_stream",
    "agent.name",
    "hostname",
    "host",
    "node",
)
"""The first that can be grouped by tells from which API server an event came."""

_AUDIT: Final = (
    "auditID",
    "level",
    "stage",
    "verb",
    "requestURI",
    "user.username",
    "user.groups",
    "impersonatedUser.username",
    "sourceIPs",
    "userAgent",
    "objectRef.resource",
    "objectRef.namespace",
    "objectRef.name",
    "responseStatus.code",
    "requestReceivedTimestamp",
    "stageTimestamp",
)
_ECS: Final = (
    "@timestamp",
    "event.action",
    "event.category",
    "event.ingested",
    "event.kind",
    "event.outcome",
    "user.name",
    "source.ip",
    "user_agent.original",
    "error.message",
    "tags",
    "orchestrator.cluster.name",
)

COVERED: Final = (*(f"kubernetes.audit.{name}" for name in _AUDIT), *_AUDIT, *_ECS)
"""Of these it is counted how many events have them."""

ASKED_FIELDS: Final = tuple(
    dict.fromkeys(
        name
        for field in (*COVERED, *SOURCE_FIELDS)
        for name in ((field,) if field.endswith("imestamp") else (field, f"{field}.keyword"))
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """How the fields of a store are mapped: by name, each type and whether it can be used."""

    types: Mapping[str, Mapping[str, Mapping[str, object]]]

    def is_date(self, field: str) -> bool:
        """Whether some index maps it as a date, and none as anything that hides events."""
        kinds = self.types.get(field, {})
        dates = {"date", "date_nanos"}
        return bool(kinds) and all(
            kind in dates and each.get("searchable") is True for kind, each in kinds.items()
        )

    def groupable(self, field: str) -> str | None:
        """The name under which events can be grouped by it: its own, or its keyword's."""
        for name in (field, f"{field}.keyword"):
            kinds = self.types.get(name, {})
            if kinds and all(each.get("aggregatable") is True for each in kinds.values()):
                return name
        return None

    def first_groupable(self, fields: Iterable[str]) -> str | None:
        """The first of these by which events can be grouped."""
        return next((name for field in fields if (name := self.groupable(field))), None)

    def time_field(self, wanted: str | None) -> str | None:
        """The field that tells when an event happened."""
        candidates: Sequence[str] = TIME_FIELDS if wanted is None else (wanted,)
        return next((field for field in candidates if self.is_date(field)), None)

    def why_not_exact(self, field: str) -> str | None:
        """Why a filter on this field would not select exactly what it says; None where it does."""
        kinds = self.types.get(field, {})
        if not kinds:
            return "no index maps it"
        text = {"text", "match_only_text", "annotated_text", "search_as_you_type"}
        for kind, each in sorted(kinds.items()):
            if kind in text or each.get("searchable") is not True:
                return f"it is mapped as {kind}: use a keyword field, often {field}.keyword"
        return None


def read_fields(answer: Mapping[str, Any]) -> FieldMap | None:
    """The answer of `_field_caps`; None where it is none."""
    fields = answer.get("fields")
    if not isinstance(fields, dict):
        return None
    types = {
        name: {kind: mapping(each) for kind, each in mapping(kinds).items() if kind != "unmapped"}
        for name, kinds in mapping(fields).items()
    }
    return FieldMap(types={name: kinds for name, kinds in types.items() if kinds})
