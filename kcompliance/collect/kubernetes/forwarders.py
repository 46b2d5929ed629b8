"""The pods of log forwarders, and the ConfigMaps of those and of what watches files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from kcompliance.collect.config_secrets import redact_config_maps
from kcompliance.collect.kubernetes import trimming
from kcompliance.collect.kubernetes.connection import Answer, Failed, NotThere, Outcome, get
from kcompliance.collect.kubernetes.listing import list_objects
from kcompliance.collect.kubernetes.lists import as_list
from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.workloads import (
    FORWARDER_IMAGES,
    WATCHER_IMAGES,
    DaemonSet,
    config_maps_used,
    read_daemon_set,
    runs_image,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["Lacking", "config_maps", "forwarder_pods", "logging_daemon_sets"]

MAX_CONFIG_MAPS = 500


@dataclass(frozen=True, slots=True)
class Lacking:
    """A ConfigMap that did not come, and why."""

    name: str
    outcome: NotThere | Failed


def logging_daemon_sets(listed: Answer) -> tuple[list[DaemonSet], list[DaemonSet]]:
    """Of a list of DaemonSets: those that look like log forwarders, and also those that watch."""
    found = [
        read_daemon_set(mapping(item))
        for item in sequence(at(msgspec.json.decode(listed.content), "items"))
    ]
    forwarders = [each for each in found if runs_image(each, FORWARDER_IMAGES)]
    watchers = [each for each in found if runs_image(each, WATCHER_IMAGES)]
    return forwarders, [*forwarders, *(each for each in watchers if each not in forwarders)]


def forwarder_pods(api: "ApiClient", forwarders: list[DaemonSet]) -> Outcome:
    """The pods of these DaemonSets, found by their selectors; without some of them, none."""
    pods: dict[str, dict[str, Any]] = {}
    for each in forwarders:
        path = f"/api/v1/namespaces/{quote(each.namespace, safe='')}/pods"
        permission = f"list on pods in the namespace {each.namespace}"
        query = {"labelSelector": _selector(each)}
        found = list_objects(api, path, permission, trimming.forwarder_pod, query=query)
        if not isinstance(found, list):
            return found
        for pod in found:
            pods[f"{at(pod, 'metadata', 'namespace')}/{at(pod, 'metadata', 'name')}"] = pod
    return as_list([pods[name] for name in sorted(pods)])


def _selector(found: DaemonSet) -> str:
    """In the words of a query; the API server has made sure that it selects its own pods."""
    wanted = at(found.found, "spec", "selector")
    words = [f"{key}={text(value)}" for key, value in mapping(at(wanted, "matchLabels")).items()]
    return ",".join([*words, *_expressions(sequence(at(wanted, "matchExpressions")))])


def _expressions(found: list[object]) -> Iterator[str]:
    for each in found:
        key, operator = text(at(each, "key")) or "", text(at(each, "operator"))
        values = ",".join(text(value) or "" for value in sequence(at(each, "values")))
        match operator:
            case "In":
                yield f"{key} in ({values})"
            case "NotIn":
                yield f"{key} notin ({values})"
            case "Exists":
                yield key
            case "DoesNotExist":
                yield f"!{key}"
            case _:
                pass  # the API server knows no others


def config_maps(api: "ApiClient", users: list[DaemonSet]) -> Iterator[Answer | Lacking]:
    """First a List of the ConfigMaps that these take in, then each that is lacking."""
    found: list[dict[str, Any]] = []
    lacking: list[Lacking] = []
    wanted = sorted(
        {(each.namespace, use.name) for each in users for use in config_maps_used(each)}
    )
    for namespace, name in wanted[:MAX_CONFIG_MAPS]:
        outcome = _config_map(api, namespace, name)
        if isinstance(outcome, dict):
            found.append(outcome)
            continue
        lacking.append(Lacking(f"{namespace}/{name}", outcome))
        if isinstance(outcome, Failed) and outcome.unreachable:
            break
    if len(wanted) > MAX_CONFIG_MAPS:
        reason = f"not read beyond {MAX_CONFIG_MAPS} ConfigMaps"
        lacking.append(Lacking("more", Failed(reason)))
    kept = {"apiVersion": "v1", "kind": "List", "items": found}
    redactions = redact_config_maps(kept, "")
    yield Answer(json.dumps(kept, ensure_ascii=False).encode(), tuple(redactions))
    yield from lacking


def _config_map(api: "ApiClient", namespace: str, name: str) -> dict[str, Any] | NotThere | Failed:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps/{quote(name, safe='')}"
    answer = get(api, path, f"get on configmaps in the namespace {namespace}")
    if not isinstance(answer, Answer):
        return answer
    try:
        found = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Failed(f"the ConfigMap {name} was cut off or is not JSON")
    if not isinstance(found, dict):
        return Failed(f"the ConfigMap {name} is no object")
    return trimming.config_map(found)
