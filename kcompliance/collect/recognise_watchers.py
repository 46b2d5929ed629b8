"""Tells by content what the kernel's audit and Falco write and read: rules, status, rules files."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import mapping
from kcompliance.model.auditd.status import looks_like_status
from kcompliance.model.auditd.text import looks_like_rules
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.falco.rules import is_falco_rules
from kcompliance.model.listing import listed_in
from kcompliance.model.reading import Kind
from kcompliance.model.workloads import read_daemon_set, runs_image

__all__ = ["OF_WATCHERS", "kind_of_watcher_text", "mentions_watchers"]

MAX_BYTES: Final = 4 * 1024 * 1024
OF_WATCHERS: Final = rb"- +[\"']?rule[\"']?\s*:|\bimage\b.*(falco|auditbeat|go-audit|cos-auditd)"
"""A regular expression: what objects may hold that say how a node is watched."""

_IMAGES: Final = "falco|auditbeat|go-audit|cos-auditd"
_RULES: Final = re.compile(rb"^ *-[waA] ?\S|^-D *$|\A\s*No rules\s*\Z", re.MULTILINE)
_FALCO: Final = re.compile(rb"^\s*[-\[{,] *\{? *[\"']?(rule|macro|list)[\"']?\s*:", re.MULTILINE)


def kind_of_watcher_text(data: bytes) -> Kind | None:
    """Rules of auditd, the output of `auditctl -s`, a rules file of Falco, or None.

    What cannot be read as YAML is no rules file: templates of charts look like one.
    """
    if len(data) > MAX_BYTES or b"\0" in data:
        return None
    if b"enabled" in data and looks_like_status(data.decode("utf-8", "replace")):
        return Kind.AUDITD_STATUS
    if _RULES.search(data) and looks_like_rules(data.decode("utf-8", "replace")):
        return Kind.AUDITD_RULES
    if not _FALCO.search(data):
        return None
    try:
        documents = read_documents(data)
    except (Malformed, Unsure):
        return None
    return Kind.FALCO_RULES if documents and all(map(is_falco_rules, documents)) else None


def mentions_watchers(document: Any) -> bool:
    """Whether an object is a ConfigMap with Falco's rules or a DaemonSet that watches nodes."""
    return any(_watches(item) for item in listed_in(document))


def _watches(item: Mapping[str, Any]) -> bool:
    if item.get("kind") == "DaemonSet":
        return bool(runs_image(read_daemon_set(item), _IMAGES))
    if item.get("kind") != "ConfigMap":
        return False
    return any(
        re.search(r"^\s*- +[\"']?rule[\"']?\s*:", text, re.MULTILINE) for text in _texts(item)
    )


def _texts(item: Mapping[str, Any]) -> Iterator[str]:
    for key, value in mapping(item.get("data")).items():
        if isinstance(value, str) and key.endswith((".yaml", ".yml")):
            yield value
