"""The Azure that a case tells of: its captures at their paths of Resource Manager again.

What a case does not mention is not there: an empty list, or 404.
"""

import json
import re
from collections.abc import Iterable

from kcompliance.model.reading import Absent, Capture, Kind, Raw, Unreadable
from tests.azure_rm import blob_documents, documents
from tests.azure_rm.server import AzureOnLoopback
from tests.servers.canned_api import Answer, whole

__all__ = ["put_captures"]

_LISTS = re.compile(
    r"/(activitylogalerts|actiongroups|scheduledqueryrules|diagnosticsettings"
    r"|diagnosticsettingscategories|roleassignments|locks)$"
)
_BLOBS = (Kind.AZURE_BLOB_HOURS, Kind.AZURE_BLOB_SAMPLE)
_CODES = {
    401: "InvalidAuthenticationTokenTenant",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    429: "TooManyRequests",
    504: "GatewayTimeout",
}


def put_captures(azure: AzureOnLoopback, captures: Iterable[Capture]) -> None:
    """Serve these captures, and nothing of what was there before."""
    azure.forget()
    azure.otherwise(_unmentioned)
    known = tuple(captures)
    for capture in known:
        if capture.origin.kind in _BLOBS:
            _put_blobs(azure, capture, known)
        elif capture.origin.kind.value.startswith("azure-log-"):
            azure.answer_log(capture.origin.kind, _answer(capture))
        else:
            azure.answer(capture.origin.resource, _answer(capture))


def _put_blobs(azure: AzureOnLoopback, capture: Capture, captures: Iterable[Capture]) -> None:
    """A listing, which is served with the sample beside it, or a refusal of one of the two."""
    place = re.search(r"/([^/]+)/blobServices/default/containers/([^/]+)/", capture.origin.resource)
    assert place is not None
    beside = {
        each.origin.kind: json.loads(each.content)
        for each in captures
        if isinstance(each, Raw) and each.origin.resource == capture.origin.resource
    }
    if isinstance(capture, Raw):
        azure.put_blobs({Kind.AZURE_BLOB_SAMPLE: {"blob": None}, **beside}, place[1])
        return
    assert isinstance(capture, Absent | Unreadable)
    path = f"/{place[1]}/{place[2]}"
    if capture.origin.kind is Kind.AZURE_BLOB_SAMPLE and Kind.AZURE_BLOB_HOURS in beside:
        told = beside[Kind.AZURE_BLOB_HOURS]
        path += f"/{told['prefix']}{told['blobs'][-1]['name']}"
    azure.answer(path, blob_documents.refusal(*_refusal(capture.reason)))


def _unmentioned(path: str) -> Answer | None:
    subscription = re.fullmatch(r"/subscriptions/([^/]+)", path)
    if subscription:
        return whole(documents.subscription(subscription[1]))
    return whole({"value": []}) if _LISTS.search(path) else None


def _answer(capture: Capture) -> Answer:
    match capture:
        case Raw(content=content):
            return whole(json.loads(content))
        case Absent(reason=reason) | Unreadable(reason=reason):
            status, code, message = _refusal(reason)
            soon = {"Retry-After": "1"} if status == 429 else {}
            return whole(documents.error(code, message), status, soon)


def _refusal(reason: str) -> tuple[int, str, str]:
    """Status, Azure's code and message, as the case quotes them."""
    found = re.search(r"\b(\d{3})\b ?(\w+)?(?:: (.*))?", reason)
    assert found is not None, reason
    status = int(found[1])
    return status, found[2] or _CODES[status], found[3] or ""
