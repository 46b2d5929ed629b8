"""Ids of Azure Resource Manager, which compare without regard to case."""

import re
from dataclasses import dataclass

__all__ = ["ResourceId", "key", "parse_resource_id", "same"]

_ID = re.compile(r"/subscriptions/[^/]+(/[^/]+)*", re.IGNORECASE)
_PROVIDERS = "/providers/"


def key(id_: str) -> str:
    """What two spellings of one id have in common."""
    return "/" + id_.strip().strip("/").lower()


def same(one: str, other: str) -> bool:
    """Whether two ids name the same resource."""
    return key(one) == key(other)


@dataclass(frozen=True, slots=True)
class ResourceId:
    """An id, as it was written."""

    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Its segments, without the slashes."""
        return tuple(self.text.strip().strip("/").split("/"))

    @property
    def name(self) -> str:
        """The last segment."""
        return self.parts[-1]

    @property
    def subscription(self) -> str:
        """The subscription's id, empty where it is in none."""
        parts = self.parts
        return parts[1] if len(parts) > 1 and parts[0].lower() == "subscriptions" else ""

    @property
    def group(self) -> str:
        """The resource group's id, empty where it is in none."""
        parts = self.parts
        if len(parts) > 3 and parts[2].lower() == "resourcegroups":
            return "/" + "/".join(parts[:4])
        return ""

    @property
    def type(self) -> str:
        """The type in lower case, as `microsoft.storage/storageaccounts`; empty where it has none.

        Of `…/managedClusters/c/providers/Microsoft.Insights/diagnosticSettings/s` it is that of
        the setting.
        """
        _, found, tail = self.text.lower().rpartition(_PROVIDERS)
        if not found:
            return ""
        segments = tail.strip("/").split("/")
        return "/".join([segments[0], *segments[1::2]])

    @property
    def parent(self) -> str:
        """The id that this one hangs on: `…/workspaces/w` of `…/workspaces/w/tables/t`.

        Of what a provider adds to another resource, such as a setting or a lock, it is that
        resource.
        """
        text = self.text.strip().rstrip("/")
        at = text.lower().rfind(_PROVIDERS)
        if at > 0 and len(text[at:].strip("/").split("/")) <= 4:
            return text[:at]
        return text.rsplit("/", 2)[0]


def parse_resource_id(text: str) -> ResourceId | None:
    """The id, or None where this is none of a subscription."""
    return ResourceId(text) if _ID.fullmatch(text.strip().rstrip("/")) else None
