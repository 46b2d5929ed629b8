"""What an auditor needs to know about where events came from: how the indices were made.

Whatever may not be looked at, or is not there on this kind of server, is said and never fails a
run. What looks like a credential is taken out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import quote

import rfc8785

from kcompliance.archive.elasticsearch.indices import METADATA, Index, chunks, path_of
from kcompliance.archive.elasticsearch.server import Server
from kcompliance.archive.interface import SourceError, SourceRefused
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered

__all__ = ["collect_metadata"]

JsonObject = dict[str, Any]

_SECRET: Final = re.compile(
    "passw|secret|token|credential|api_?key|access_?key|private_?key|authorization", re.IGNORECASE
)
_REDACTED: Final = "redacted"


def collect_metadata(connection: Connection, server: Server, indices: Sequence[Index]) -> bytes:
    """Settings, mappings, aliases, data streams, templates, pipelines, policies: canonical JSON."""
    asked = _Asked(connection)
    found: JsonObject = {}
    for group in chunks(indices):
        names = [index.name for index in group]
        answer = asked.get(f"/{path_of(names)}?flat_settings=true", METADATA)
        if set(answer) == {"unreadable"}:
            answer = dict.fromkeys(names, answer)
        found |= answer
    streams = _data_streams(asked, found, indices)
    templates = _templates(asked, [*streams, *(index.name for index in indices)])
    settings = _all_settings([*found.values(), *templates["index_templates"]])
    document: JsonObject = {
        "server": {
            "kind": str(server.kind),
            "version": server.version,
            "cluster_uuid": server.cluster_uuid,
        },
        "indices": found,
        "data_streams": streams,
        **templates,
        "ingest_pipelines": _named(asked, "/_ingest/pipeline", _pipelines(settings)),
        "lifecycle_policies": _named(asked, "/_ilm/policy", _policies(settings, streams)),
    }
    return rfc8785.dumps(_clean(document))


class _Asked:
    """Asks for what may be refused or unknown."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, target: str, permission: str) -> JsonObject:
        """The answer, `{"unreadable": reason}`, or nothing where there is none of that name."""
        about = target.partition("?")[0]
        try:
            return self._connection.json(
                JsonObject, "GET", target, about=about, permission=permission
            )
        except SourceRefused as error:
            return {"unreadable": f"needs {error.permission or 'other credentials'}"}
        except Answered as error:
            if error.status == 404:
                return {}
            # 400 and 405: this server has no such feature.
            return {"unreadable": f"the server answers {error.status}"}
        except SourceError as error:
            return {"unreadable": error.message}


def _data_streams(asked: _Asked, found: Mapping[str, Any], indices: Sequence[Index]) -> JsonObject:
    """By name, the data streams that these indices belong to."""
    named = {holder.get("data_stream") for holder in found.values() if isinstance(holder, dict)}
    named |= {index.generation[0] for index in indices if index.generation}
    streams: JsonObject = {}
    for name in sorted(each for each in named if isinstance(each, str)):
        answer = asked.get(f"/_data_stream/{quote(name, safe='')}", METADATA)
        known = answer.get("data_streams")
        streams[name] = known[0] if isinstance(known, list) and known else answer
    return streams


def _templates(asked: _Asked, names: Sequence[str]) -> JsonObject:
    """The templates whose patterns match any of these names, and what they are composed of."""
    permission = "manage_index_templates"
    answer = asked.get("/_index_template", permission)
    composed = [
        each
        for each in _dicts(answer.get("index_templates"))
        if _applies(_dict(each.get("index_template")), names)
    ]
    parts = sorted(
        {
            part
            for each in composed
            for part in _dict(each.get("index_template")).get("composed_of", ())
            if isinstance(part, str)
        }
    )
    components: list[Any] = []
    for part in parts:
        one = asked.get(f"/_component_template/{quote(part, safe='')}", permission)
        components += _dicts(one.get("component_templates")) or [{"name": part, **one}]
    old = asked.get("/_template", permission)
    legacy = {name: each for name, each in old.items() if _applies(_dict(each), names)}
    return {
        "index_templates": composed or _only_unreadable(answer),
        "component_templates": components,
        "legacy_templates": legacy or (old if "unreadable" in old else {}),
    }


def _applies(template: JsonObject, names: Iterable[str]) -> bool:
    patterns = template.get("index_patterns")
    listed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatchcase(name, str(pattern)) for name in names for pattern in listed)


def _only_unreadable(answer: JsonObject) -> list[JsonObject]:
    return [answer] if "unreadable" in answer else []


def _all_settings(holders: Sequence[Any]) -> list[JsonObject]:
    """Flat settings of indices, and those of templates, flattened."""
    found = []
    for holder in map(_dict, holders):
        inside = _dict(_dict(holder.get("index_template")).get("template"))
        found.append(_flat(_dict(holder.get("settings") or inside.get("settings"))))
    return found


def _flat(settings: JsonObject, prefix: str = "") -> JsonObject:
    flat: JsonObject = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _pipelines(settings: Sequence[JsonObject]) -> set[str]:
    keys = ("index.default_pipeline", "index.final_pipeline")
    named = {str(each[key]) for each in settings for key in keys if each.get(key)}
    return named - {"_none"}


def _policies(settings: Sequence[JsonObject], streams: JsonObject) -> set[str]:
    named = {
        str(each["index.lifecycle.name"]) for each in settings if "index.lifecycle.name" in each
    }
    return named | {str(each["ilm_policy"]) for each in streams.values() if "ilm_policy" in each}


def _named(asked: _Asked, path: str, names: Iterable[str]) -> JsonObject:
    permission = "read_pipeline" if "pipeline" in path else "read_ilm"
    found: JsonObject = {}
    for name in sorted(names):
        answer = asked.get(f"{path}/{quote(name, safe='')}", permission)
        found[name] = answer.get(name, answer)
    return found


def _clean(value: Any) -> Any:
    """What canonical JSON can hold, without credentials."""
    if isinstance(value, dict):
        return {
            str(name): _REDACTED if _is_secret(str(name), inner) else _clean(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1:
        return str(value)
    return value


def _is_secret(name: str, value: object) -> bool:
    # A field of a mapping may well have such a name; it is an object, and no secret.
    return _SECRET.search(name) is not None and isinstance(value, str | int | float | list)


def _dict(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
