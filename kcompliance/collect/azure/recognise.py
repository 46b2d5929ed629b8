"""Tells whether a file is what `az … -o json` printed or what Resource Manager answered."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from kcompliance.collect.azure.redaction import without_secrets
from kcompliance.model.azure.answer import kind_of_id
from kcompliance.model.documents import Malformed
from kcompliance.model.reading import Kind

__all__ = ["azure_answer"]

_OURS: Final = re.compile(
    rb'"id"\s*:\s*"/subscriptions/[^"]*/providers/Microsoft\.(?:ContainerService/managedClusters/[^/"]+"'
    rb"|Insights/(?:diagnosticSettings|activityLogAlerts|actionGroups|scheduledQueryRules)"
    rb"|OperationalInsights/(?:workspaces|clusters)/|Storage/storageAccounts/|EventHub/namespaces/"
    rb"|Authorization/(?:roleAssignments|roleDefinitions|locks)/)",
    re.IGNORECASE,
)


def azure_answer(data: bytes) -> tuple[Kind, bytes, tuple[str, ...]] | None:
    """The kind, the content without secrets and where those were; None for anything else.

    Raises Malformed for half an answer.
    """
    if data.lstrip()[:1] not in (b"{", b"[") or not _OURS.search(data):
        return None
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not JSON, although it begins like an answer of Azure: {error}") from None
    kinds = {kind_of_id(item.get("id")) for item in _items(document)}
    if len(kinds) != 1 or (kind := kinds.pop()) is None:
        return None
    redactions = without_secrets(document)
    content = json.dumps(document, ensure_ascii=False).encode() if redactions else data
    return kind, content, tuple(redactions)


def _items(document: Any) -> Iterable[dict[str, Any]]:
    if isinstance(document, dict) and isinstance(document.get("value"), list):
        document = document["value"]
    items = document if isinstance(document, list) else [document]
    return [item if isinstance(item, dict) else {} for item in items]
