"""What the access audit of OpenSearch's security plugin records of a call, by its configuration.

As delivered it records no calls that were allowed (GRANTED_PRIVILEGES), other than those on indices
(INDEX_EVENT). The configuration that can be changed while it runs counts; a server that has none
goes by the settings of its nodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, text, texts
from kcompliance.model.search.view import Fields

__all__ = ["RecordedCalls", "calls_of_config", "calls_of_nodes"]

_OFF_AS_DELIVERED: Final = ("AUTHENTICATED", "GRANTED_PRIVILEGES")
_IGNORED_AS_DELIVERED: Final = frozenset({"kibanaserver"})
_SETTINGS: Final = ("plugins.security.audit.config.", "opendistro_security.audit.config.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCalls:
    """What is recorded of calls between nodes, which each request leads to."""

    on: bool
    off: frozenset[str]
    """Categories that are not recorded."""
    ignored: tuple[str, ...]
    """Patterns of actions that are not recorded."""
    ignored_users: frozenset[str]
    """Of whom nothing is recorded; besides the user of OpenSearch Dashboards itself."""

    def categories(self, action: str) -> tuple[str, ...]:
        """Under which categories a call is recorded, whoever makes it; none: it may not be."""
        if not self.on or self.ignored_users or any(_covers(p, action) for p in self.ignored):
            return ()
        of_index = ("INDEX_EVENT",) if action.startswith("indices:admin/") else ()
        return tuple(each for each in ("GRANTED_PRIVILEGES", *of_index) if each not in self.off)


def _covers(pattern: str, action: str) -> bool:
    """A regular expression, between slashes, is taken to cover everything."""
    return pattern.startswith("/") or fnmatchcase(action, pattern)


def calls_of_config(answer: Fields) -> RecordedCalls | None:
    """By the answer of `_plugins/_security/api/audit`; None where it is not one."""
    config = at(answer, "config")
    audit = mapping(at(config, "audit"))
    if not audit:
        return None
    off = audit.get("disabled_transport_categories", list(_OFF_AS_DELIVERED))
    return RecordedCalls(
        on=at(config, "enabled") is not False and audit.get("enable_transport") is not False,
        off=frozenset(texts(off)),
        ignored=tuple(texts(audit.get("ignore_requests"))),
        ignored_users=frozenset(texts(audit.get("ignore_users"))) - _IGNORED_AS_DELIVERED,
    )


def calls_of_nodes(answer: Fields) -> RecordedCalls:
    """By the settings of all nodes: what one of them leaves out is not recorded."""
    nodes = [mapping(at(node, "settings")) for node in mapping(answer.get("nodes")).values()]
    every = [
        (
            text(_setting(node, "enable_transport")) != "false",
            _listed(node, "disabled_transport_categories", _OFF_AS_DELIVERED),
            _listed(node, "ignore_requests", ()),
            _listed(node, "ignore_users", ()),
        )
        for node in nodes
    ]
    return RecordedCalls(
        on=bool(every) and all(on for on, *_ in every),
        off=frozenset(each for _, off, _, _ in every for each in off),
        ignored=tuple(each for _, _, ignored, _ in every for each in ignored),
        ignored_users=frozenset(u for *_, users in every for u in users) - _IGNORED_AS_DELIVERED,
    )


def _setting(node: Mapping[str, object], name: str) -> object:
    return next((node[f"{each}{name}"] for each in _SETTINGS if f"{each}{name}" in node), None)


def _listed(node: Mapping[str, object], name: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    value = _setting(node, name)
    if isinstance(value, str):
        value = [each.strip() for each in value.split(",")]
    return otherwise if value is None else tuple(each for each in texts(value) if each != "NONE")
