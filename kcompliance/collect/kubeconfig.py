"""Takes the credentials out of a kubeconfig: what is kept tells which kind there was."""

import re
from typing import Any

import yaml

from kcompliance.collect.pointers import pointer_part
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.reading import REDACTED

__all__ = ["without_credentials"]

_KEPT = frozenset({"apiVersion", "kind", "current-context", "contexts", "clusters", "users"})
_PUBLIC = frozenset({"client-certificate", "client-certificate-data", "client-key", "tokenFile"})
"""Of a user: file names, and the certificate, which is no secret."""
_IN_URL = re.compile(r"(?<=://)[^/@]*(?=@)")


def without_credentials(data: bytes) -> tuple[bytes, tuple[str, ...]] | None:
    """The kubeconfig as YAML without its secrets, and JSON pointers to them.

    None where it is no kubeconfig. Comments are gone: nobody knows what stands in them.
    """
    try:
        documents = read_documents(data)
    except (Malformed, Unsure):
        return None
    document = documents[0] if documents else None
    if not isinstance(document, dict) or not _is_kubeconfig(document):
        return None
    done: list[str] = []
    kept = {key: value for key, value in document.items() if key in _KEPT}
    done += [f"/{key}" for key in document if key not in _KEPT]
    kept["users"] = [
        _user(item, f"/users/{index}", done) for index, item in enumerate(_list(document, "users"))
    ]
    kept["clusters"] = [
        _cluster(item, f"/clusters/{index}", done)
        for index, item in enumerate(_list(document, "clusters"))
    ]
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    return text.encode(), tuple(sorted(done))


def _is_kubeconfig(document: dict[str, Any]) -> bool:
    version = document.get("apiVersion", "v1")
    ours = document.get("kind", "Config") == "Config" and version == "v1"
    return ours and isinstance(document.get("clusters"), list)


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else []


def _user(item: Any, pointer: str, done: list[str]) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get("user"), dict):
        done.append(pointer)
        return {"name": item.get("name") if isinstance(item, dict) else None, "user": REDACTED}
    user = {}
    for key, value in item["user"].items():
        if key in _PUBLIC or not value:
            user[key] = value
            continue
        done.append(f"{pointer}/user/{pointer_part(key)}")
        user[key] = {"name": REDACTED} if isinstance(value, dict) else REDACTED
    return {"name": item.get("name"), "user": user}


def _cluster(item: Any, pointer: str, done: list[str]) -> Any:
    cluster = item.get("cluster") if isinstance(item, dict) else None
    if not isinstance(cluster, dict):
        return item
    shown = dict(cluster)
    for key in ("server", "proxy-url"):
        value = shown.get(key)
        if isinstance(value, str) and _IN_URL.search(value):
            shown[key] = _IN_URL.sub(REDACTED, value)
            done.append(f"{pointer}/cluster/{key}")
    return {**item, "cluster": shown}
