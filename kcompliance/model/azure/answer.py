"""One answer of Azure as resources, whichever tool wrote it down.

ARM puts what it says of a resource under `properties`; `az` takes it out of there. ARM wraps a
list as `{"value": […]}`, `az` mostly writes the bare list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kcompliance.model.azure.resource_id import ResourceId
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.go_tree import is_json
from kcompliance.model.reading import Kind

__all__ = [
    "KIND_OF_TYPE",
    "Fields",
    "Resource",
    "WrongAnswer",
    "flag",
    "kind_of_id",
    "number",
    "part",
    "parts",
    "resources_in",
    "text",
    "texts",
]


class WrongAnswer(Exception):
    """An answer, and a wrong one: it is not what was asked for, or not as Azure documents it."""


Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource; its `fields` hold what stands under `properties` too."""

    id: str
    name: str
    fields: Fields


KIND_OF_TYPE: Mapping[str, Kind] = {
    "microsoft.containerservice/managedclusters": Kind.AKS_CLUSTER,
    "microsoft.insights/diagnosticsettings": Kind.AZURE_DIAGNOSTIC_SETTINGS,
    "microsoft.insights/diagnosticsettingscategories": Kind.AZURE_DIAGNOSTIC_CATEGORIES,
    "microsoft.insights/activitylogalerts": Kind.AZURE_ACTIVITY_ALERTS,
    "microsoft.insights/scheduledqueryrules": Kind.AZURE_QUERY_ALERTS,
    "microsoft.insights/actiongroups": Kind.AZURE_ACTION_GROUPS,
    "microsoft.operationalinsights/workspaces": Kind.AZURE_WORKSPACE,
    "microsoft.operationalinsights/workspaces/tables": Kind.AZURE_TABLE,
    "microsoft.operationalinsights/clusters": Kind.AZURE_DEDICATED_CLUSTER,
    "microsoft.storage/storageaccounts": Kind.AZURE_STORAGE_ACCOUNT,
    "microsoft.storage/storageaccounts/managementpolicies": Kind.AZURE_MANAGEMENT_POLICY,
    "microsoft.storage/storageaccounts/blobservices": Kind.AZURE_BLOB_SERVICE,
    "microsoft.storage/storageaccounts/blobservices/containers": Kind.AZURE_BLOB_CONTAINER,
    "microsoft.eventhub/namespaces": Kind.AZURE_EVENT_HUB,
    "microsoft.authorization/roleassignments": Kind.AZURE_ROLE_ASSIGNMENTS,
    "microsoft.authorization/roledefinitions": Kind.AZURE_ROLE_DEFINITION,
    "microsoft.authorization/locks": Kind.AZURE_LOCKS,
}
"""What a resource of a type is captured as."""


def kind_of_id(id_: object) -> Kind | None:
    """The kind of what has this id; None where no control asks about such a thing."""
    if not isinstance(id_, str):
        return None
    found = ResourceId(id_)
    kind = KIND_OF_TYPE.get(found.type)
    if kind is Kind.AZURE_DIAGNOSTIC_SETTINGS and len(ResourceId(found.parent).parts) == 2:
        return Kind.AZURE_SUBSCRIPTION_SETTINGS
    return kind


def resources_in(content: bytes) -> tuple[tuple[Resource, ...], bool]:
    """The resources of an answer, and whether it is a list, and so all of them.

    Raises WrongAnswer.
    """
    document = _document(content)
    if isinstance(document, dict) and isinstance(document.get("value"), list):
        return tuple(_resource(item) for item in document["value"]), True
    if isinstance(document, list):
        return tuple(_resource(item) for item in document), True
    return (_resource(document),), False


def _document(content: bytes) -> object:
    try:
        if is_json(content) or content.lstrip()[:1] == b"[":
            return msgspec.json.decode(content)
        documents = read_documents(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Malformed, Unsure) as error:
        raise WrongAnswer(f"no JSON, or half of one: {error}") from None
    if len(documents) != 1:
        raise WrongAnswer("not one document")
    return documents[0]


def _resource(item: object) -> Resource:
    if not isinstance(item, dict):
        raise WrongAnswer("no resource of Azure")
    id_, name = item.get("id"), item.get("name")
    if not isinstance(id_, str) or not id_:
        error = item.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        raise WrongAnswer(f"an error and no answer: {code}" if code else "a resource without an id")
    within = item.get("properties")
    fields = {**item, **within} if isinstance(within, dict) else item
    last = id_.rstrip("/").rsplit("/", 1)[-1]
    return Resource(id=id_, name=name if isinstance(name, str) else last, fields=fields)


# --- fields, each of which is not there or of its type -------------------------------------------


def text(fields: Fields, name: str) -> str | None:
    """A text that is not empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise WrongAnswer(f"{name} is no text")
    return value


def flag(fields: Fields, name: str) -> bool | None:
    """A boolean."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise WrongAnswer(f"{name} is neither true nor false")
    return value


def number(fields: Fields, name: str) -> float | None:
    """A number; Azure writes days as 90 and as 90.0."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongAnswer(f"{name} is no number")
    return value


def part(fields: Fields, name: str) -> Fields | None:
    """An object within."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise WrongAnswer(f"{name} is no object")
    return value


def parts(fields: Fields, name: str) -> tuple[Fields, ...]:
    """The objects of a list; none where there is no list."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise WrongAnswer(f"{name} is no list of objects")
    return tuple(value)


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """The texts of a list; none where there is no list."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongAnswer(f"{name} is no list of texts")
    return tuple(value)
