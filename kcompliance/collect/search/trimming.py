"""What is kept of each answer: nothing secret, and of long ones what some control asks about.

Each function changes an answer in place and gives the JSON pointers of what it overwrote.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from kcompliance.collect.event_trimming import trim_event
from kcompliance.collect.pointers import pointer_part
from kcompliance.model.reading import REDACTED, Kind

__all__ = ["SNAPSHOTS_KEPT", "TRIMMED", "trim_pipelines", "trim_snapshots"]

Json = dict[str, Any]

SNAPSHOTS_KEPT: Final = 50
_SECRET: Final = re.compile(
    r"passw|passphrase|secret|token|credential|api[_.]?key|access[_.]?key|private[_.]?key|sas\b"
    r"|authorization|cookie|signing|account[_.]?key|connection[_.]?string|keystore|\bhash\b",
    re.IGNORECASE,
)
_USER_OF_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_QUERY_OF_URL: Final = re.compile(r"(?<=\?)\S+")


def _overwrite_secrets(value: Any) -> list[str]:
    """Values under names that sound like a secret, and credentials in URLs."""
    done: list[str] = []
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        where, item = pending.pop()
        children: Iterable[tuple[Any, Any]] = ()
        if isinstance(item, dict):
            children = list(item.items())
        elif isinstance(item, list):
            children = list(enumerate(item))
        for key, child in children:
            place = f"{where}/{pointer_part(str(key))}"
            named = isinstance(item, dict) and isinstance(key, str) and _SECRET.search(key)
            if isinstance(child, dict | list):
                pending.append((place, child))
            elif named and isinstance(child, str | int | float) and not isinstance(child, bool):
                item[key] = REDACTED
                done.append(place)
            elif isinstance(child, str) and (clean := _without_credentials(child)) != child:
                item[key] = clean
                done.append(place)
    return sorted(done)


def _without_credentials(text: str) -> str:
    if "://" not in text:
        return text
    return _QUERY_OF_URL.sub(REDACTED, _USER_OF_URL.sub(REDACTED, text))


def _keep(found: object, *names: str) -> None:
    """Drop all but these keys."""
    if isinstance(found, dict):
        for name in [name for name in found if name not in names]:
            del found[name]


def _values(found: object) -> list[Any]:
    if isinstance(found, dict):
        return list(found.values())
    return found if isinstance(found, list) else []


# --- one function for each kind ------------------------------------------------------------------

_INDEX_SETTINGS: Final = re.compile(
    r"index\.(lifecycle\.|creation_date$|blocks\.|soft_deletes\.|verified_before_close$|uuid$"
    r"|hidden$|default_pipeline$|final_pipeline$|store\.(type|snapshot)|search\.throttled$"
    r"|number_of_replicas$|provided_name$|plugins\.index_state_management|opendistro\.)"
)


def _settings(answer: Json) -> list[str]:
    """Where the settings are flat, those that some control asks about."""
    for each in _values(answer):
        settings = each.get("settings") if isinstance(each, dict) else None
        if isinstance(settings, dict) and "index" not in settings:
            for name in [name for name in settings if not _INDEX_SETTINGS.match(name)]:
                del settings[name]
        if isinstance(each, dict):
            _keep(each, "settings")
    return _overwrite_secrets(answer)


_NODE_SETTINGS: Final = re.compile(r"(xpack|plugins|opensearch|opendistro_security|action|slm)\b")
_CLUSTER_SETTINGS: Final = re.compile(
    r"action\.destructive_requires_name$|data_streams\.lifecycle|slm\.|indices\.lifecycle"
    r"|plugins\.index_state_management|xpack\.security\.audit|cluster\.blocks|search\.max_buckets$"
)


def _node_settings(answer: Json) -> list[str]:
    for node in _values(answer.get("nodes")):
        _keep(node, "name", "version", "roles", "settings")
        _keep_flat(node.get("settings") if isinstance(node, dict) else None, _NODE_SETTINGS)
    return _overwrite_secrets(answer)


def _cluster_settings(answer: Json) -> list[str]:
    for group in _values(answer):
        _keep_flat(group, _CLUSTER_SETTINGS)
    return _overwrite_secrets(answer)


def _keep_flat(settings: object, wanted: re.Pattern[str]) -> None:
    if isinstance(settings, dict):
        for name in [name for name in settings if not wanted.match(name)]:
            if not isinstance(settings[name], dict):
                del settings[name]


def _usage(answer: Json) -> list[str]:
    _keep(answer, "security", "slm", "ilm")
    _keep(answer.get("security"), "available", "enabled", "audit", "ssl", "anonymous", "realms")
    return _overwrite_secrets(answer)


def _license(answer: Json) -> list[str]:
    _keep(answer.get("license"), "status", "type", "mode", "expiry_date", "expiry_date_in_millis")
    return []


def _roles(answer: Json) -> list[str]:
    """What a role may do; the queries that narrow it stay out, only that there is one is told."""
    done = []
    for name, role in answer.items():
        if not isinstance(role, dict):
            continue
        _only_reserved(role)
        for index, each in enumerate(_values(role.get("indices"))):
            if isinstance(each, dict) and each.get("query"):
                each["query"] = REDACTED
                done.append(f"/{pointer_part(name)}/indices/{index}/query")
    return sorted(done)


def _users(answer: Json) -> list[str]:
    for user in _values(answer):
        _only_reserved(user)
        _keep(
            user,
            *("username", "roles", "enabled", "metadata", "reserved", "static"),
            *("backend_roles", "opendistro_security_roles"),
        )
    return []


def _mappings(answer: Json) -> list[str]:
    for each in _values(answer):
        _only_reserved(each)
    return _overwrite_secrets(answer)


def _only_reserved(found: object) -> None:
    metadata = found.get("metadata") if isinstance(found, dict) else None
    _keep(metadata, "_reserved", "_deprecated")


def _api_keys(answer: Json) -> list[str]:
    for each in _values(answer.get("api_keys")):
        _keep(
            each,
            *("id", "name", "type", "creation", "expiration", "invalidated", "username", "realm"),
            "role_descriptors",
        )
        if isinstance(each, dict) and isinstance(each.get("role_descriptors"), dict):
            _roles(each["role_descriptors"])
    return []


def _caller(answer: Json) -> list[str]:
    _keep(
        answer,
        *("username", "roles", "enabled", "authentication_type", "api_key", "user_name"),
        *("backend_roles", "principal"),
    )
    return []


def _explain(answer: Json) -> list[str]:
    """The stack trace of a failed step is long and names classes only."""
    for each in _values(answer.get("indices")):
        told = each.get("step_info") if isinstance(each, dict) else None
        if isinstance(told, dict):
            _keep(told, "type", "reason", "message")
    return []


_PIPELINES: Final = re.compile(r"@custom\Z|kubernetes|k8s|audit|aws", re.IGNORECASE)


def trim_pipelines(settings: Mapping[str, Any], answer: Json) -> list[str]:
    """Those that the indices of these settings use, those they call, and likely ones."""
    flat = [
        each["settings"]
        for each in _values(settings)
        if isinstance(each, dict) and isinstance(each.get("settings"), dict)
    ]
    wanted = {
        str(found[name])
        for found in flat
        for name in ("index.default_pipeline", "index.final_pipeline")
        if name in found
    }
    wanted |= {name for name in answer if _PIPELINES.search(name)}
    pending = sorted(wanted)
    while pending:
        called = _called(answer.get(pending.pop())) - wanted
        wanted |= called
        pending += sorted(called)
    for name in [name for name in answer if name not in wanted]:
        del answer[name]
    return _overwrite_secrets(answer)


def _called(pipeline: object) -> set[str]:
    """The names of pipelines that one calls, at any depth."""
    found: set[str] = set()
    pending = [pipeline]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            other = item.get("pipeline")
            if isinstance(other, dict) and isinstance(other.get("name"), str):
                found.add(other["name"])
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return found


def trim_snapshots(answer: Json) -> list[str]:
    """The newest, and of those what was saved when, and how it went."""
    found = answer.get("snapshots")
    if not isinstance(found, list):
        return []
    dropped = max(0, len(found) - SNAPSHOTS_KEPT)
    found.sort(key=_start)
    del found[:dropped]
    for each in found:
        _keep(
            each,
            *("snapshot", "uuid", "repository", "state", "reason", "indices", "data_streams"),
            *("start_time", "start_time_in_millis", "end_time", "end_time_in_millis", "shards"),
            *("include_global_state", "metadata"),
        )
        if isinstance(each, dict):
            _keep(each.get("metadata"), "policy", "sm_policy")
    return []


def _start(found: object) -> tuple[int, str]:
    started = found.get("start_time_in_millis") if isinstance(found, dict) else None
    name = str(found.get("snapshot")) if isinstance(found, dict) else ""
    return (started if isinstance(started, int) else 0, name)


def _watches(answer: Json) -> list[str]:
    """What a watch looks for, and of its actions the sort: they hold addresses and credentials."""
    for each in _values(answer.get("watches")):
        _keep(each, "_id", "watch", "status")
        watch = each.get("watch") if isinstance(each, dict) else None
        _keep(watch, "trigger", "input", "condition", "actions", "throttle_period_in_millis")
        _keep(watch.get("input") if isinstance(watch, dict) else None, "search", "chain")
        for action in _values(watch.get("actions") if isinstance(watch, dict) else None):
            for sort in [*action] if isinstance(action, dict) else []:
                action[sort] = {}
        status = each.get("status") if isinstance(each, dict) else None
        _keep(status, "state", "last_checked", "last_met_condition")
    return _overwrite_secrets(answer)


def _monitors(answer: Json) -> list[str]:
    """What a monitor looks for; of its actions only that they send something somewhere."""
    hits = answer.get("hits")
    for hit in _values(hits.get("hits") if isinstance(hits, dict) else None):
        _keep(hit, "_index", "_id", "_source")
        source = hit.get("_source") if isinstance(hit, dict) else None
        inner = source.get("monitor") if isinstance(source, dict) else None
        _monitor(inner if isinstance(inner, dict) else source)
    return _overwrite_secrets(answer)


def _monitor(monitor: object) -> None:
    _keep(
        monitor,
        *("type", "name", "monitor_type", "enabled", "schedule", "inputs", "triggers", "monitor"),
    )
    for each in _values(monitor.get("inputs") if isinstance(monitor, dict) else None):
        if isinstance(each, dict) and "uri" in each:
            each["uri"] = {}
        _keep(each, "search", "doc_level_input", "uri")
    for wrapped in _values(monitor.get("triggers") if isinstance(monitor, dict) else None):
        sorts = [name for name in _names(wrapped) if name.endswith("_trigger")]
        trigger = wrapped[sorts[0]] if sorts else wrapped
        _keep(trigger, "name", "severity", "condition", "actions")
        for action in _values(trigger.get("actions") if isinstance(trigger, dict) else None):
            _keep(action, "name", "destination_id", "throttle_enabled", "throttle")


def _names(found: object) -> list[str]:
    return [name for name in found if isinstance(name, str)] if isinstance(found, dict) else []


def _audit_config(answer: Json) -> list[str]:
    config = answer.get("config")
    _keep(answer, "config")
    _keep(config, "enabled", "audit")
    _keep(
        config.get("audit") if isinstance(config, dict) else None,
        *("enable_rest", "disabled_rest_categories", "enable_transport"),
        *("disabled_transport_categories", "ignore_users", "ignore_requests"),
    )
    return []


# --- events --------------------------------------------------------------------------------------


def _sample(answer: Json) -> list[str]:
    """Events: names of fields stay, values only where they are harmless; bodies never."""
    done: list[str] = []
    hits = answer.get("hits")
    listed = hits.get("hits") if isinstance(hits, dict) else None
    for index, hit in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(hit, dict):
            _keep(hit, "_index", "_id", "_source", "sort")
            source = hit.get("_source")
            if isinstance(source, dict):
                done += trim_event(source, f"/hits/hits/{index}/_source")
    return done


TRIMMED: Final[Mapping[Kind, Callable[[Json], list[str]]]] = {
    Kind.ELASTICSEARCH_SETTINGS: _settings,
    Kind.ELASTICSEARCH_ILM_EXPLAIN: _explain,
    Kind.ELASTICSEARCH_ISM_POLICIES: _overwrite_secrets,
    Kind.ELASTICSEARCH_SM_POLICIES: _overwrite_secrets,
    Kind.ELASTICSEARCH_REPOSITORIES: _overwrite_secrets,
    Kind.ELASTICSEARCH_SNAPSHOTS: trim_snapshots,
    Kind.ELASTICSEARCH_PIPELINES: _overwrite_secrets,
    Kind.ELASTICSEARCH_NODE_SETTINGS: _node_settings,
    Kind.ELASTICSEARCH_CLUSTER_SETTINGS: _cluster_settings,
    Kind.ELASTICSEARCH_USAGE: _usage,
    Kind.ELASTICSEARCH_LICENSE: _license,
    Kind.ELASTICSEARCH_ROLES: _roles,
    Kind.ELASTICSEARCH_USERS: _users,
    Kind.ELASTICSEARCH_ROLE_MAPPINGS: _mappings,
    Kind.ELASTICSEARCH_API_KEYS: _api_keys,
    Kind.ELASTICSEARCH_CALLER: _caller,
    Kind.ELASTICSEARCH_SAMPLE: _sample,
    Kind.ELASTICSEARCH_RANDOM_SAMPLE: _sample,
    Kind.ELASTICSEARCH_WATCHES: _watches,
    Kind.ELASTICSEARCH_MONITORS: _monitors,
    Kind.ELASTICSEARCH_AUDIT_CONFIG: _audit_config,
}
"""Kinds that are not here are kept as the server's own bytes."""
