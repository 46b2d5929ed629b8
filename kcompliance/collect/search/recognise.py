"""Recognises answers of Elasticsearch and OpenSearch that somebody saved as files.

By their shape: an answer names no question. `_ilm/status` and `_slm/status` look alike; the name of
the file has to hold `ilm` or `slm`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kcompliance.collect.search.trimming import TRIMMED
from kcompliance.model.documents import Malformed
from kcompliance.model.reading import Kind

__all__ = ["search_answer"]

_OURS: Final = re.compile(
    rb'"(operation_mode|phases|data_streams|snapshots|snapshot_policies|processors|tagline'
    rb"|sm_policy|policy_id|next_execution_millis|number_of_data_nodes|role_descriptors"
    rb"|creation_date|index\.creation_date|managed|aliases|_shards|aggregations|cluster|type"
    rb'|aggregatable|username|persistent|destructive_requires_name|xpack\.security\.enabled|enabled|enable_transport)"'
)
_NOBODY_ELSES: Final = re.compile(
    rb'You Know, for Search|"phase_execution"|"data_streams"\s*:|"index\.lifecycle\.name"'
    rb'|"next_execution_millis"|"delete_searchable_snapshot"'
)
"""What is in no other file: one that cannot be read is a gap."""

Test = Callable[[Mapping[str, Any]], bool]


def search_answer(data: bytes) -> tuple[Kind, bytes, tuple[str, ...]] | None:
    """Kind, content and redactions; None where it is no such answer.

    Raises Malformed where it is one that was cut off.
    """
    if data.lstrip()[:1] != b"{" or not _OURS.search(data):
        return None
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _NOBODY_ELSES.search(data):
            raise Malformed(f"an answer of a search server that is damaged: {error}") from None
        return None
    if not isinstance(found, dict):
        return None
    kind = next((kind for kind, test in _TESTS if test(found)), None)
    if kind is None:
        return None
    trim = TRIMMED.get(kind)
    if trim is None:
        return kind, data, ()
    redactions = trim(found)
    return kind, json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"), tuple(redactions)


def _dicts(value: object) -> bool:
    return isinstance(value, dict)


def _each(*path: str, of: type = dict) -> Test:
    """Every value of the object, by whatever names, has this in it."""

    def test(found: Mapping[str, Any]) -> bool:
        return bool(found) and all(isinstance(_at(value, *path), of) for value in found.values())

    return test


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _lists(name: str, *needed: str) -> Test:
    """A list under a name, each of whose objects has these fields."""

    def test(found: Mapping[str, Any]) -> bool:
        listed = found.get(name)
        if not isinstance(listed, list):
            return False
        return all(isinstance(each, dict) and set(needed) <= set(each) for each in listed)

    return test


def _server(found: Mapping[str, Any]) -> bool:
    return isinstance(found.get("tagline"), str) and isinstance(
        _at(found, "version", "number"), str
    )


def _resolved(found: Mapping[str, Any]) -> bool:
    return {"indices", "aliases", "data_streams"} >= set(found) >= {"indices", "aliases"}


def _explained(found: Mapping[str, Any]) -> bool:
    indices = found.get("indices")
    return (
        set(found) == {"indices"}
        and isinstance(indices, dict)
        and all("managed" in each for each in indices.values() if isinstance(each, dict))
    )


def _ism_explained(found: Mapping[str, Any]) -> bool:
    names = {"policy_id", "index.plugins.index_state_management.policy_id"}
    return "total_managed_indices" in found or (
        bool(found) and all(isinstance(v, dict) and names & set(v) for v in found.values())
    )


def _settings(found: Mapping[str, Any]) -> bool:
    """Of indices: each has a uuid, whichever form the settings have."""
    return bool(found) and all(
        isinstance(_at(each, "settings"), dict)
        and (
            isinstance(_at(each, "settings", "index"), dict)
            or any(str(name).startswith("index.") for name in each["settings"])
        )
        for each in found.values()
    )


def _lifecycles(found: Mapping[str, Any]) -> bool:
    return _lists("data_streams", "name")(found) and not any(
        "indices" in each for each in found["data_streams"]
    )


def _search(*aggregations: str) -> Test:
    def test(found: Mapping[str, Any]) -> bool:
        told = _at(found, "aggregations")
        return "_shards" in found and isinstance(told, dict) and set(aggregations) <= set(told)

    return test


def _monitors(found: Mapping[str, Any]) -> bool:
    """Records of the index in which the alerting plugin keeps them."""
    hits = _at(found, "hits", "hits")
    return (
        isinstance(hits, list)
        and bool(hits)
        and all(_at(hit, "_index") == ".opendistro-alerting-config" for hit in hits)
    )


def _sample(found: Mapping[str, Any]) -> bool:
    hits = _at(found, "hits", "hits")
    return "_shards" in found and isinstance(hits, list) and bool(hits)


def _nodes(found: Mapping[str, Any]) -> bool:
    nodes = found.get("nodes")
    return "cluster_name" in found and isinstance(nodes, dict) and _each("settings")(nodes)


def _streams(found: Mapping[str, Any]) -> bool:
    return set(found) == {"data_streams"} and _lists("data_streams", "name", "indices")(found)


_TESTS: Final[tuple[tuple[Kind, Test], ...]] = (
    (Kind.ELASTICSEARCH_SERVER, _server),
    (Kind.ELASTICSEARCH_TIMES, _search("oldest", "newest")),
    (Kind.ELASTICSEARCH_HISTOGRAM, _search("bins")),
    (Kind.ELASTICSEARCH_SOURCES, _search("sources")),
    (Kind.ELASTICSEARCH_TERMS, _search("coverage")),
    (Kind.ELASTICSEARCH_MONITORS, _monitors),
    (Kind.ELASTICSEARCH_SAMPLE, _sample),
    (
        Kind.ELASTICSEARCH_HEALTH,
        lambda found: {"cluster_name", "status", "number_of_data_nodes"} <= set(found),
    ),
    (Kind.ELASTICSEARCH_OPERATION_MODE, lambda found: set(found) == {"operation_mode"}),
    (Kind.ELASTICSEARCH_ILM_POLICIES, _each("policy", "phases")),
    (Kind.ELASTICSEARCH_SLM_POLICIES, _each("policy", "schedule", of=str)),
    (Kind.ELASTICSEARCH_ILM_EXPLAIN, _explained),
    (Kind.ELASTICSEARCH_INDICES, _resolved),
    (Kind.ELASTICSEARCH_FIELDS, lambda f: {"indices", "fields"} == set(f) and _dicts(f["fields"])),
    (Kind.ELASTICSEARCH_SNAPSHOTS, _lists("snapshots", "snapshot", "state")),
    (Kind.ELASTICSEARCH_ISM_POLICIES, _lists("policies", "policy")),
    (Kind.ELASTICSEARCH_SM_POLICIES, _lists("policies", "sm_policy")),
    (Kind.ELASTICSEARCH_API_KEYS, _lists("api_keys", "id", "name")),
    (Kind.ELASTICSEARCH_ISM_EXPLAIN, _ism_explained),
    (Kind.ELASTICSEARCH_SETTINGS, _settings),
    (Kind.ELASTICSEARCH_DATA_STREAMS, _streams),
    (Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE, _lifecycles),
    (
        Kind.ELASTICSEARCH_ROLES,
        lambda found: _each("cluster", of=list)(found) and _each("indices", of=list)(found),
    ),
    (
        Kind.ELASTICSEARCH_USERS,
        lambda found: _each("username", of=str)(found) and _each("roles", of=list)(found),
    ),
    (
        Kind.ELASTICSEARCH_ROLE_MAPPINGS,
        lambda found: _each("rules")(found) and _each("enabled", of=bool)(found),
    ),
    (Kind.ELASTICSEARCH_PIPELINES, _each("processors", of=list)),
    (
        Kind.ELASTICSEARCH_REPOSITORIES,
        lambda found: _each("type", of=str)(found) and _each("settings")(found),
    ),
    (Kind.ELASTICSEARCH_NODE_SETTINGS, _nodes),
    (
        Kind.ELASTICSEARCH_CLUSTER_SETTINGS,
        lambda f: {"persistent", "transient"} <= set(f) <= {"persistent", "transient", "defaults"},
    ),
    (
        Kind.ELASTICSEARCH_AUDIT_CONFIG,
        lambda f: isinstance(_at(f, "config", "audit", "enable_transport"), bool),
    ),
    (Kind.ELASTICSEARCH_LICENSE, lambda found: isinstance(_at(found, "license", "type"), str)),
    (
        Kind.ELASTICSEARCH_CALLER,
        lambda f: {"username", "roles", "authentication_realm"} <= set(f),
    ),
    (Kind.ELASTICSEARCH_USAGE, lambda found: isinstance(_at(found, "security", "available"), bool)),
)
