"""What of files tells about log forwarders: nodes, DaemonSets, Services, CronJobs, ConfigMaps."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kcompliance.collect.config_secrets import redact_arguments, redact_config_maps
from kcompliance.model.apiserver import api_servers_in
from kcompliance.model.apiserver.plain_data import at, mapping
from kcompliance.model.embedded_policy import policies_in
from kcompliance.model.listing import LISTED, KubernetesObject
from kcompliance.model.reading import Kind

__all__ = ["OF_FORWARDERS", "is_of_forwarders", "redact_forwarders"]

OF_FORWARDERS: Final = (
    rb"[\"']?kind[\"']?\s*:\s*[\"']?(?:Node|DaemonSet|Service|CronJob|ConfigMap)(?:List)?\b"
)
"""In bytes worth parsing; objects of a bare `kind: List` have kinds of their own."""
_VERSIONS = frozenset({None, "v1", "apps/v1", "batch/v1", "batch/v1beta1"})
"""Other APIs have kinds of the same names; the items of a typed list need not say any."""
_KINDS = frozenset({Kind.NODES, Kind.DAEMON_SETS, Kind.SERVICES, Kind.CRON_JOBS})
_LIKE_A_CONFIGURATION = re.compile(
    r"^\s*(?:<(?:source|match|filter)\b|\[(?:INPUT|OUTPUT|FILTER|sources\.|sinks\.)"
    r"|(?:pipeline|filebeat[.\w]*|scrape_configs|receivers|exporters|sinks|sources|outputs)\s*:"
    r"|loki\.write\b)",
    re.IGNORECASE | re.MULTILINE,
)


def is_of_forwarders(found: KubernetesObject) -> bool:
    """Whether a control about forwarders asks for this object of a file.

    Of ConfigMaps those count that look like a forwarder's configuration.
    """
    if found.get("apiVersion") not in _VERSIONS or not at(found, "metadata", "name"):
        return False
    if found.get("kind") == "ConfigMap":
        texts = mapping(found.get("data")).values()
        return any(isinstance(t, str) and _LIKE_A_CONFIGURATION.search(t) for t in texts)
    return LISTED.get(str(found.get("kind"))) in _KINDS


def redact_forwarders(document: Any, pointer: str) -> list[str]:
    """Overwrite, in place, secrets in what is kept for its forwarders; say where they were.

    What shows an API server or a policy is left as it is: others read it to the letter.
    """
    items = document.get("items") if isinstance(document, dict) else None
    if isinstance(items, list):
        kind = str(document.get("kind")).removesuffix("List")
        done: list[str] = []
        for index, item in enumerate(items):
            named = isinstance(item, dict) and "kind" not in item
            done += _redact(item, kind if named else None, f"{pointer}/items/{index}")
        return sorted(done)
    return _redact(document, None, pointer)


def _redact(found: Any, kind: str | None, pointer: str) -> list[str]:
    if not isinstance(found, dict):
        return []
    kind = kind or str(found.get("kind"))
    named: Mapping[str, Any] = {**found, "kind": kind}
    if not is_of_forwarders(named) or _is_of_servers(named):
        return []
    if kind == "ConfigMap":
        return redact_config_maps(found, pointer, kind=kind)
    return redact_arguments(found, pointer)


def _is_of_servers(found: KubernetesObject) -> bool:
    servers = api_servers_in(found)
    return bool(servers.servers or servers.problems) or any(policies_in(found))
