"""Tells from a file's content what it is, and leaves out what no control asks about."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from kcompliance.collect.aws.recognise import recognise_aws
from kcompliance.collect.azure.recognise import azure_answer
from kcompliance.collect.pointers import pointer_part
from kcompliance.collect.recognise_forwarders import (
    OF_FORWARDERS,
    is_of_forwarders,
    redact_forwarders,
)
from kcompliance.collect.recognise_watchers import (
    OF_WATCHERS,
    kind_of_watcher_text,
    mentions_watchers,
)
from kcompliance.collect.search.recognise import search_answer
from kcompliance.collect.secret_settings import redact_settings
from kcompliance.model.apiserver import api_servers_in, parse_command_line, parse_flagz
from kcompliance.model.azure.answer import kind_of_id
from kcompliance.model.documents import Malformed, Unsure, read_documents, split_documents
from kcompliance.model.embedded_policy import looks_like_policy, policies_in
from kcompliance.model.go_tree import is_json
from kcompliance.model.kubelet_config import is_kubelet_config, kubelet_fields
from kcompliance.model.listing import LISTED, listed_in
from kcompliance.model.reading import REDACTED, Kind

__all__ = ["Recognised", "recognise", "redact_environment"]

_WORTH_PARSING = re.compile(
    rb"kube-apiserver|audit\.k8s\.io|apiServer|kubeAPIServer|gitVersion|Flagz"
    rb"|Microsoft\.ContainerService|:eks:|level[\"']?\s*:\s*[\"']?(None|Metadata|Request)",
    re.IGNORECASE,
)
_OBJECTS_ASKED_ABOUT = re.compile(
    rb"rbac\.authorization\.k8s\.io|KubeletConfiguration|" + OF_WATCHERS + rb"|" + OF_FORWARDERS
)
"""Such a file that cannot be read hides no server; templates of charts are full of them."""
_LONGEST_COMMAND_LINE = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What is kept of a file; `redactions` point at what was taken out."""

    kind: Kind
    content: bytes
    redactions: tuple[str, ...] = ()


def recognise(data: bytes) -> Recognised | None:
    """What these bytes are, or None where no control asks about such a thing.

    Raises `Malformed` or `Unsure` where they mention something of ours but cannot be read.
    """
    watching = kind_of_watcher_text(data)
    if watching is not None:
        return Recognised(kind=watching, content=data)
    answer = recognise_aws(data)
    if answer is not None:
        return Recognised(kind=answer.kind, content=answer.content, redactions=answer.redactions)
    azure = azure_answer(data)
    if azure is not None:
        return Recognised(kind=azure[0], content=azure[1], redactions=azure[2])
    searched = search_answer(data)
    if searched is not None:
        return Recognised(kind=searched[0], content=searched[1], redactions=searched[2])
    if not _WORTH_PARSING.search(data):
        return _of_objects_alone(data) if _OBJECTS_ASKED_ABOUT.search(data) else None
    if _is_log(data):
        return None
    if b"apiserver_audit_" in data and not is_json(data) and b"# TYPE" in data:
        lines = [line for line in data.splitlines(keepends=True) if b"apiserver_audit_" in line]
        return Recognised(kind=Kind.METRICS, content=b"".join(lines))
    if _is_command_line(data):
        return Recognised(kind=Kind.COMMAND_LINE, content=data)
    try:
        documents = read_documents(data)
    except Malformed:
        if looks_like_policy(data.decode("utf-8", "replace")):
            return Recognised(kind=Kind.AUDIT_POLICY, content=data)
        raise
    if not documents:
        return None
    _refuse_mixture(documents)
    kind = _kind_of(documents[0], data)
    if kind is None:
        return _objects(documents, data)
    return Recognised(kind=kind, content=data) if len(documents) == 1 else _first_only(kind, data)


def _first_only(kind: Kind, data: bytes) -> Recognised:
    """Nobody reads what stands behind the first document, and it may be a Secret."""
    chunks = split_documents(data)
    first = next(index for index, chunk in enumerate(chunks) if read_documents(chunk))
    behind = (i for i, chunk in enumerate(chunks) if i > first and read_documents(chunk))
    return Recognised(
        kind=kind,
        content=b"".join(chunks[: first + 1]),
        redactions=tuple(f"/{index}" for index in behind),
    )


def _of_objects_alone(data: bytes) -> Recognised | None:
    """A file that mentions nothing but objects, of which a part is as good as none."""
    try:
        documents = [] if _is_log(data) else read_documents(data)
    except (Malformed, Unsure):
        return None
    if len(documents) == 1 and is_kubelet_config(documents[0]):
        try:
            return Recognised(kind=Kind.KUBELET_CONFIG, content=kubelet_fields(documents[0]))
        except ValueError:
            raise Malformed("its fields are of other types than a kubelet takes") from None
    return _objects(documents, data) if documents else None


def _refuse_mixture(documents: list[Any]) -> None:
    """A server reads the first document of its policy file only, and so would we."""
    policies = [isinstance(document, dict) and _is_policy(document) for document in documents]
    others = (document for document, policy in zip(documents, policies, strict=True) if not policy)
    if any(policies) and any(_relevant(document, "") for document in others):
        raise Unsure("an audit policy and other objects in one file: give each a file of its own")
    if any(policies[1:]) and not policies[0]:
        raise Unsure("an audit policy behind another document: give it a file of its own")


def _is_log(data: bytes) -> bool:
    """One JSON object a line, as audit logs and other logs are written."""
    first, line_feed, rest = data.lstrip().partition(b"\n")
    if not (line_feed and first.startswith(b"{") and rest.lstrip().startswith(b"{")):
        return False
    try:
        return isinstance(msgspec.json.decode(first), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _is_command_line(data: bytes) -> bool:
    if len(data) > _LONGEST_COMMAND_LINE or b"kube-apiserver" not in data or is_json(data):
        return False
    if b"\0" not in data and not re.search(rb"kube-apiserver[ \t]+-", data):
        return False
    found = parse_command_line(data.decode("utf-8", "replace"))
    return found is not None and len(found.flags) > len(found.problems)  # prose has few flags


def _kind_of(document: Any, data: bytes) -> Kind | None:
    """The kind of a file that is one thing as a whole."""
    if not isinstance(document, dict):
        return None
    if _is_policy(document):
        return Kind.AUDIT_POLICY
    version = document.get("serverVersion", document)
    if isinstance(version, dict) and isinstance(version.get("gitVersion"), str):
        return Kind.VERSION
    if document.get("kind") == "Flagz" and parse_flagz(data) is not None:
        return Kind.FLAGZ
    if kind_of_id(document.get("id")) is Kind.AKS_CLUSTER:
        return Kind.AKS_CLUSTER
    cluster = document.get("cluster", document)
    if isinstance(cluster, dict) and ":eks:" in str(cluster.get("arn")):
        return Kind.EKS_CLUSTER
    return None


def _is_policy(document: Mapping[str, Any]) -> bool:
    """Also one that the server would refuse, for a lacking apiVersion or kind."""
    ours = str(document.get("apiVersion", "")).startswith("audit.k8s.io/")
    if ours:
        return document.get("kind") in ("Policy", None)
    rules = document.get("rules")
    return isinstance(rules, list) and any(isinstance(r, dict) and "level" in r for r in rules)


# --- objects: keep what is asked about -----------------------------------------------------------


def _objects(documents: list[Any], data: bytes) -> Recognised | None:
    if is_json(data):
        kept, redactions = _reduced(documents[0], "")
        if kept is None:
            return None
        redactions += [*redact_environment(kept, ""), *redact_settings(kept, "")]
        redactions += redact_forwarders(kept, "")
        content = data if not redactions else json.dumps(kept, ensure_ascii=False).encode()
        return Recognised(kind=Kind.OBJECTS, content=content, redactions=tuple(redactions))
    chunks, redactions = [], []
    for index, chunk in enumerate(split_documents(data)):
        for document in read_documents(chunk) or [None]:
            kept, dropped = _reduced(document, f"/{index}")
            if kept is None:
                redactions += [f"/{index}"] if document is not None else []
                continue
            dropped += redact_environment(kept, f"/{index}")
            dropped += redact_settings(kept, f"/{index}")
            dropped += redact_forwarders(kept, f"/{index}")
            redactions += dropped
            chunks.append(_dumped(kept) if dropped else chunk)
    if not chunks:
        return None
    content = b"".join(chunks) if redactions else data
    return Recognised(kind=Kind.OBJECTS, content=content, redactions=tuple(redactions))


def _dumped(document: Any) -> bytes:
    return b"---\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()


def _reduced(document: Any, pointer: str) -> tuple[Any, list[str]]:
    """The document without list items that nobody asks about, such as Secrets; None for nothing."""
    items = document.get("items") if isinstance(document, dict) else None
    if isinstance(items, list):
        kept = [item for item in items if _relevant(item, str(document.get("kind")))]
        if not kept:
            return None, []
        dropped = [
            f"{pointer}/items/{index}"
            for index, item in enumerate(items)
            if not any(item is other for other in kept)
        ]
        return {**document, "items": kept}, dropped
    return (document, []) if _relevant(document, "") else (None, [])


def _relevant(document: Any, list_kind: str) -> bool:
    if isinstance(document, dict) and "kind" not in document and list_kind.endswith("List"):
        document = {**document, "kind": list_kind.removesuffix("List")}
    found = api_servers_in(document)
    if any(LISTED.get(str(item.get("kind"))) is Kind.RBAC for item in listed_in(document)):
        return True
    if mentions_watchers(document) or any(map(is_of_forwarders, listed_in(document))):
        return True
    return bool(found.servers or found.problems) or any(policies_in(document))


_COPIES = "kubectl.kubernetes.io/last-applied-configuration"


def redact_environment(value: Any, pointer: str) -> list[str]:
    """Overwrite, in place, what may hold secrets in pod specs; say where that was."""
    done: list[str] = []
    pending = [(pointer, value)]
    while pending:
        where, item = pending.pop()
        if isinstance(item, dict):
            if isinstance(item.get(_COPIES), str):
                item[_COPIES] = REDACTED
                done.append(f"{where}/{pointer_part(_COPIES)}")
            for key, child in item.items():
                if key == "env" and isinstance(child, list):
                    done += _redact_values(child, f"{where}/env")
                else:
                    pending.append((f"{where}/{pointer_part(key)}", child))
        elif isinstance(item, list):
            pending += [(f"{where}/{index}", child) for index, child in enumerate(item)]
    return sorted(done)


def _redact_values(variables: list[Any], pointer: str) -> list[str]:
    done = []
    for index, variable in enumerate(variables):
        if isinstance(variable, dict) and variable.get("value") not in (None, "", REDACTED):
            variable["value"] = REDACTED
            done.append(f"{pointer}/{index}/value")
    return done
