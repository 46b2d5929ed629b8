"""Finds audit policies inside other objects: in ConfigMaps and in files that are to be written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["EmbeddedPolicy", "looks_like_policy", "policies_in"]

_POLICY_HEAD = re.compile(r"^[\"']?apiVersion[\"']?\s*:\s*[\"']?audit\.k8s\.io/", re.MULTILINE)


def looks_like_policy(text: str) -> bool:
    """Whether a text claims to be an audit policy, even where it would not load."""
    head = bool(_POLICY_HEAD.search(text)) or '"audit.k8s.io/' in text
    return head and bool(re.search(r"\bkind[\"']?\s*:\s*[\"']?Policy\b", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPolicy:
    """An audit policy inside another object; `pointer` is its JSON pointer there."""

    pointer: str
    text: str
    path: str
    config_map: str | None = None


def policies_in(document: Any) -> Iterator[EmbeddedPolicy]:
    """Policies in ConfigMaps and in the `files` that cluster-api and kops write to nodes."""
    for pointer, holder in _mappings(document):
        data = holder.get("data")
        if holder.get("kind") == "ConfigMap" and isinstance(data, dict):
            metadata = holder.get("metadata")
            name = str(metadata.get("name")) if isinstance(metadata, dict) else ""
            for key, text in data.items():
                if isinstance(text, str) and looks_like_policy(text):
                    where = f"{pointer}/data/{key}"
                    yield EmbeddedPolicy(pointer=where, text=text, path=key, config_map=name)
        content, path = holder.get("content"), holder.get("path")
        if isinstance(content, str) and isinstance(path, str) and looks_like_policy(content):
            yield EmbeddedPolicy(pointer=f"{pointer}/content", text=content, path=path)


def _mappings(value: Any, pointer: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    pending = [(pointer, value)]
    while pending:
        where, item = pending.pop()
        if isinstance(item, dict):
            yield where, item
            pending += [(f"{where}/{key}", child) for key, child in item.items()]
        elif isinstance(item, list):
            pending += [(f"{where}/{index}", child) for index, child in enumerate(item)]
