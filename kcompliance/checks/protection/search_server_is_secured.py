"""KC-PRO-006: Elasticsearch security and its own access audit are on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.interface import check
from kcompliance.checks.trail_stores import answered, stores_to_judge
from kcompliance.model.apiserver.plain_data import at, mapping, text
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.reading import Absent, Kind, Seen
from kcompliance.model.search.indices import flat
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "access_audit", "search_server_is_secured"]

_UNAUTHORIZED: Final = 401
_WITH_AUDIT: Final = {"gold", "platinum", "enterprise", "trial"}
_AUDIT: Final = "xpack.security.audit.enabled"
_OPENSEARCH_AUDIT: Final = ("plugins.security.audit.type", "opendistro_security.audit.type")
_BY_NAME: Final = "action.destructive_requires_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-006."""

    require_es_audit: bool = True


@check("KC-PRO-006", params=Params)
def search_server_is_secured(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Elasticsearch security and its own access audit are on

    Somebody without credentials is played, and settings are read of every node.
    """
    for store in stores_to_judge(cluster, tuple(_PARTS)):
        if isinstance(store, Finding):
            yield store
        else:
            for part in _PARTS.values():
                yield part(store, params)


def _security(store: SearchStore, params: Params) -> Finding:
    """Whether credentials are asked for, by what the server itself says of somebody without."""
    found = answered(store, Kind.ELASTICSEARCH_ANONYMOUS, "security")
    if isinstance(found, Finding):
        return found
    if isinstance(found, Absent):
        return Finding.error(store.name, found.reason, aspect="security")
    status = found.value.get("status")
    evidence = evidence_of(found.raw, "status", str(status))
    usage = store.answer(Kind.ELASTICSEARCH_USAGE)
    if isinstance(usage, Seen) and at(usage.value, "security", "enabled") is False:
        evidence += evidence_of(usage.raw, "security.enabled", "false")
        because = "its security is off: whoever reaches it may delete the trail"
        return Finding.failed(store.name, because, evidence, aspect="security")
    if status != _UNAUTHORIZED:
        because = f"it answers {status} to somebody without credentials, not 401"
        return Finding.failed(store.name, because, evidence, aspect="security")
    if isinstance(usage, Seen) and at(usage.value, "security", "anonymous", "enabled") is True:
        evidence += evidence_of(usage.raw, "security.anonymous.enabled", "true")
        because = "it has an anonymous user, whom everybody is"
        return Finding.failed(store.name, because, evidence, aspect="security")
    if isinstance(usage, Seen) and at(usage.value, "security", "enabled") is True:
        evidence += evidence_of(usage.raw, "security.enabled", "true")
    because = "it answers 401 to somebody without credentials"
    return Finding.passed(store.name, because, evidence, aspect="security")


def _destructive(store: SearchStore, params: Params) -> Finding:
    aspect = "deletes-by-name"
    found = answered(store, Kind.ELASTICSEARCH_CLUSTER_SETTINGS, aspect)
    if isinstance(found, Finding):
        return found
    if isinstance(found, Absent):
        because = "this server does not tell its settings; a serverless one deletes by name only"
        return Finding.manual(
            store.name,
            because,
            f"Does DELETE /* delete all indices at once, or is {_BY_NAME} true?",
            aspect=aspect,
        )
    value = None
    for group in ("transient", "persistent", "defaults"):
        value = value or flat(found.value.get(group)).get(_BY_NAME)
    evidence = evidence_of(found.raw, _BY_NAME, value or "not set")
    if value == "true":
        because = "indices can be deleted by their full names only"
        return Finding.passed(store.name, because, evidence, aspect=aspect)
    server = store.server
    if value is None and not isinstance(found.value.get("defaults"), dict):
        because = f"whether {_BY_NAME} is set is not told: the defaults are not in the answer"
        question = (
            "What does GET /_cluster/settings?include_defaults=true&flat_settings=true answer?"
        )
        return Finding.manual(store.name, because, question, evidence, aspect=aspect)
    told = value or f"not set in {server.product.value if server else 'this server'}"
    because = f"one request can delete all indices at once: {_BY_NAME} is {told}"
    return Finding.failed(store.name, because, evidence, aspect=aspect)


def access_audit(store: SearchStore, aspect: str) -> Finding:
    """Whether the server records who reads and deletes what is in it."""
    server = store.server
    found = answered(store, Kind.ELASTICSEARCH_NODE_SETTINGS, aspect)
    if isinstance(found, Finding):
        return found
    if isinstance(found, Absent) or (server is not None and server.serverless):
        return Finding.manual(
            store.name,
            "its operator keeps its access audit, which no API tells",
            "Is audit logging of this deployment switched on, and where are its records?",
            aspect=aspect,
        )
    nodes = mapping(found.value.get("nodes"))
    if not nodes:
        because = "no node in it"
        return Finding.error(found.raw.origin.resource, because, aspect=aspect)
    names = _OPENSEARCH_AUDIT if store.is_opensearch else (_AUDIT,)
    off = sorted(text(at(n, "name")) or id_ for id_, n in nodes.items() if not _audits(n, names))
    evidence = evidence_of(found.raw, names[0], "not on " + ", ".join(off) if off else "everywhere")
    if off:
        because = f"its own access audit is off on {', '.join(off)}: {names[0]} is not set"
        return Finding.failed(store.name, because, evidence, aspect=aspect)
    if store.is_opensearch:
        because = "every node records who reads and changes what"
        return Finding.passed(store.name, because, evidence, aspect=aspect)
    licence = answered(store, Kind.ELASTICSEARCH_LICENSE, aspect)
    if isinstance(licence, Finding):
        return licence
    if isinstance(licence, Absent):
        return Finding.error(store.name, licence.reason, evidence, aspect=aspect)
    kind = text(at(licence.value, "license", "type")) or "none"
    active = at(licence.value, "license", "status") == "active"
    evidence += evidence_of(licence.raw, "license.type", kind)
    if kind in _WITH_AUDIT and active:
        because = f"every node records who reads and changes what; the licence is {kind}"
        return Finding.passed(store.name, because, evidence, aspect=aspect)
    because = f"its access audit is set, and does nothing: the licence {kind} is without it"
    return Finding.failed(store.name, because, evidence, aspect=aspect)


def _audits(node: object, names: tuple[str, ...]) -> bool:
    settings = flat(at(node, "settings"))
    values = [settings[name].lower() for name in names if name in settings]
    return bool(values) and values[0] not in ("false", "noop", "")


def _audit(store: SearchStore, params: Params) -> Finding:
    """A basic licence has no audit: then a human has to tell what stands in for it."""
    found = _with_licence(store, access_audit(store, "access-audit"))
    licence = store.fields(Kind.ELASTICSEARCH_LICENSE)
    kind = text(at(licence, "license", "type"))
    poor = kind is not None and kind not in _WITH_AUDIT
    if found.status is not Status.FAIL or not (poor or not params.require_es_audit):
        return found
    why = f"the licence {kind} is without it" if poor else "it is not required here"
    return Finding.manual(
        store.name,
        f"it keeps no record of who reads and deletes what: {why}",
        "What else tells who did what to the audit indices, such as the access log of a proxy?",
        found.evidence,
        aspect="access-audit",
    )


def _with_licence(store: SearchStore, found: Finding) -> Finding:
    """A licence that could not be read leaves open whether a fail is one."""
    licence = store.answer(Kind.ELASTICSEARCH_LICENSE)
    if found.status is Status.FAIL and not isinstance(licence, Seen | NotAsked | Absent):
        return Finding.unreadable(licence, aspect="access-audit")
    return found


_PARTS: Final[Mapping[str, Callable[[SearchStore, Params], Finding]]] = {
    "security": _security,
    "deletes-by-name": _destructive,
    "access-audit": _audit,
}
"""By aspect."""
