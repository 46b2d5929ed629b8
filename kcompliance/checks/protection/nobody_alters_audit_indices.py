"""KC-PRO-007: no ordinary identity can alter or delete audit indices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.event_stores.of_search import sampled_of
from kcompliance.checks.interface import check
from kcompliance.checks.trail_stores import answered, stores_to_judge
from kcompliance.model.apiserver.plain_data import at, sequence
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Seen
from kcompliance.model.search.indices import TrailIndex, named_span, trail_indices
from kcompliance.model.search.principals import Principal, principals_of, trail_names
from kcompliance.model.search.view import SearchStore

__all__ = ["Params", "nobody_alters_audit_indices"]

_SECURITY: Final = (
    Kind.ELASTICSEARCH_ROLES,
    Kind.ELASTICSEARCH_USERS,
    Kind.ELASTICSEARCH_ROLE_MAPPINGS,
    Kind.ELASTICSEARCH_API_KEYS,
)
_SHOWN: Final = 8
_BLOCKS: Final = tuple(
    f"index.blocks.{name}" for name in ("write", "read_only", "read_only_allow_delete")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-007; `shippers` are names of users, API keys or role mappings."""

    max_admins: int = 3
    block_after_days: int = 2
    shippers: tuple[str, ...] = ()
    index_patterns: tuple[str, ...] = ()


@check("KC-PRO-007", params=Params)
def nobody_alters_audit_indices(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """No ordinary identity can alter or delete audit indices; closed indices are write-blocked

    Judged by what the server's roles grant to whom, and by the events' own ids.
    """
    for store in stores_to_judge(cluster, tuple(_PARTS)):
        if isinstance(store, Finding):
            yield store
        else:
            for part in _PARTS.values():
                yield from part(store, params)


# --- who may do what -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Everybody with rights, and where that was read."""

    principals: tuple[Principal, ...]
    evidence: tuple[Evidence, ...]


def _people(store: SearchStore, params: Params, aspect: str) -> _People | tuple[Finding, ...]:
    wrong: list[Finding] = []
    evidence: tuple[Evidence, ...] = ()
    moment: datetime | None = None
    for kind in _SECURITY:
        if store.is_opensearch and kind is Kind.ELASTICSEARCH_API_KEYS:
            continue
        found = answered(store, kind, aspect)
        if isinstance(found, Finding):
            wrong.append(found)
        elif isinstance(found, Absent):
            wrong.append(_no_security(store, kind, found, aspect))
        else:
            words = str(len(found.value))
            evidence += evidence_of(found.raw, "whole answer", f"{words} entries")
            moment = found.raw.origin.collected_at
    if wrong or moment is None:
        return tuple({(each.status, each.because): each for each in wrong}.values())
    names = trail_names(store, params.index_patterns)
    return _People(principals=principals_of(store, names, moment), evidence=evidence)


def _no_security(store: SearchStore, kind: Kind, found: Absent, aspect: str) -> Finding:
    """Without security everybody may do everything; of a serverless one nothing is told."""
    server = store.server
    if server is not None and server.serverless:
        return Finding.manual(
            store.name,
            f"this server does not tell about its {kind.value.removeprefix('elasticsearch-')}",
            "Which users, API keys and roles of this project may delete or alter the audit data?",
            aspect=aspect,
        )
    because = f"it has no security that could keep anybody from the audit indices: {found.reason}"
    return Finding.failed(store.name, because, aspect=aspect)


def _shipper(store: SearchStore, params: Params) -> Iterator[Finding]:
    aspect = "shipper"
    found = _people(store, params, aspect)
    if isinstance(found, tuple):
        yield from found
        return
    writers = [each for each in found.principals if each.grants.adding]
    if not params.shippers:
        names = ", ".join(each.name for each in writers[:_SHOWN]) or "nobody who is not built in"
        yield Finding.manual(
            store.name,
            f"with which credential the forwarder writes is not known; able to write: {names}",
            "Which user or API key does the log forwarder use? Name it as KC-PRO-007.shippers.",
            found.evidence,
            aspect=aspect,
        )
        return
    for name in params.shippers:
        mine = [each for each in found.principals if each.word == name]
        if not mine:
            because = f"no user, API key or role mapping {name} is told that is not built in"
            yield Finding.failed(store.name, because, found.evidence, aspect=aspect)
        for each in mine:
            yield _one_shipper(store, each, found.evidence)


def _one_shipper(store: SearchStore, each: Principal, evidence: tuple[Evidence, ...]) -> Finding:
    resource = f"{store.name} {each.name}"
    beyond = each.grants.beyond_adding
    if beyond:
        because = f"the shipper can do more than add events: {', '.join(beyond)}"
        return Finding.failed(resource, because, evidence, aspect="shipper")
    if each.unknown:
        return Finding.manual(
            resource,
            f"what the shipper may do is not all told: {each.unknown}",
            f"What do all roles of the {each.name} grant on the audit indices?",
            evidence,
            aspect="shipper",
        )
    if not each.grants.adding:
        because = "it cannot write audit events: another credential does"
        return Finding.failed(resource, because, evidence, aspect="shipper")
    because = "the shipper can add events, and neither alter nor delete any"
    return Finding.passed(resource, because, evidence, aspect="shipper")


def _admins(store: SearchStore, params: Params) -> Iterator[Finding]:
    aspect = "admins"
    found = _people(store, params, aspect)
    if isinstance(found, tuple):
        yield from found
        return
    able = [each for each in found.principals if each.grants.changing]
    evidence = found.evidence
    everybody = [each for each in able if each.everybody]
    if everybody:
        because = f"everybody who logs in can alter or delete audit indices: {_told(everybody)}"
        yield Finding.failed(store.name, because, evidence, aspect=aspect)
        return
    if len(able) > params.max_admins:
        because = f"{len(able)} identities can alter or delete audit indices, more than "
        because += f"{params.max_admins}: {_told(able)}"
        yield Finding.failed(store.name, because, evidence, aspect=aspect)
        return
    yield _few(store, found, able)


def _few(store: SearchStore, found: _People, able: Sequence[Principal]) -> Finding:
    """Not too many are told of; there may be others of whom no API tells."""
    evidence = found.evidence
    unknown = [f"{each.name}: {each.unknown}" for each in found.principals if each.unknown]
    groups = [each.name for each in able if each.name.startswith("role mapping")]
    if not store.is_opensearch:
        usage = store.answer(Kind.ELASTICSEARCH_USAGE)
        if isinstance(usage, Seen):
            files = at(usage.value, "security", "realms", "file", "size")
            evidence += evidence_of(usage.raw, "security.realms.file.size", str(files))
            if any(count not in (0, None) for count in sequence(files)):
                unknown.append("users in files of the nodes")
        elif not isinstance(usage, NotAsked | Absent):
            return Finding.unreadable(usage, aspect="admins")
        else:
            unknown.append("whether there are users in files of the nodes")
    if unknown or groups:
        open_ = [*unknown, *(f"who is in the {each}" for each in groups)]
        return Finding.manual(
            store.name,
            f"{len(able)} identities are known to be able to alter or delete audit indices, and "
            f"this is not told: {'; '.join(open_[:_SHOWN])}",
            "How many people can alter or delete audit indices in all?",
            evidence,
            aspect="admins",
        )
    because = f"{len(able)} identities can alter or delete audit indices: {_told(able) or 'nobody'}"
    notes = ("the built-in user elastic always can: see KC-PRO-014",)
    return Finding.passed(
        store.name,
        because,
        evidence,
        aspect="admins",
        notes=() if store.is_opensearch else notes,
    )


def _told(found: Sequence[Principal]) -> str:
    words = [f"{each.name} ({', '.join(each.grants.changing[:3])})" for each in found[:_SHOWN]]
    rest = len(found) - _SHOWN
    return "; ".join(words) + (f"; and {rest} more" if rest > 0 else "")


# --- what is written -----------------------------------------------------------------------------


def _blocks(store: SearchStore, params: Params) -> Iterator[Finding]:
    aspect = "write-blocks"
    settings = answered(store, Kind.ELASTICSEARCH_SETTINGS, aspect)
    streams = answered(store, Kind.ELASTICSEARCH_DATA_STREAMS, aspect)
    wrong = [found for found in (settings, streams) if isinstance(found, Finding)]
    yield from wrong
    if wrong:
        return
    if not isinstance(settings, Seen):
        yield Finding.error(store.name, "it does not tell the settings of indices", aspect=aspect)
        return
    indices = trail_indices(store, params.index_patterns)
    if not indices:
        because = "it has no index of audit events"
        yield Finding.error(store.name, because, aspect=aspect)
        return
    now = settings.raw.origin.collected_at
    limit = now - timedelta(days=params.block_after_days)
    done = {each.name: end for each, end in _ends(indices) if end is not None and end < limit}
    open_ = [each for each in indices if each.name in done and not _blocked(each)]
    evidence = evidence_of(
        settings.raw, "index.blocks.*", ", ".join(each.name for each in open_[:_SHOWN]) or "blocked"
    )
    if open_:
        because = f"{len(open_)} of {len(done)} indices that are done can still be written to, the "
        because += f"first is {open_[0].name}"
        yield Finding.failed(store.name, because, evidence, aspect=aspect)
    elif done:
        because = f"all {len(done)} indices that were done {params.block_after_days} days ago are "
        because += "blocked for writes"
        yield Finding.passed(store.name, because, evidence, aspect=aspect)
    else:
        because = f"no index has been done for {params.block_after_days} days"
        yield Finding.not_applicable(store.name, because, evidence, aspect=aspect)


def _ends(indices: Sequence[TrailIndex]) -> Iterator[tuple[TrailIndex, datetime | None]]:
    """When each was last written to as it should be; None for the one that still is."""
    by_name = {each.name: each for each in indices}
    loose = [each for each in indices if each.stream is None]
    loose.sort(key=lambda each: (each.created is not None, each.created, each.name))
    for each in indices:
        if each.stream is not None:
            order = each.stream.indices
            place = order.index(each.name)
            after = by_name.get(order[place + 1]) if place + 1 < len(order) else None
            yield each, after.created if after is not None else None
            continue
        span = named_span(each.name)
        if span is not None and each.created is not None:
            yield each, each.created + span
        else:
            later = loose[loose.index(each) + 1 :]
            yield each, later[0].created if later else None


def _blocked(index: TrailIndex) -> bool:
    mounted = index.settings.get("index.store.type") == "snapshot"
    return mounted or index.closed or any(index.settings.get(name) == "true" for name in _BLOCKS)


def _ids(store: SearchStore, params: Params) -> Iterator[Finding]:
    """`Audit-ID` is a header that a client may set: it must not choose a document's id."""
    found = sampled_of(store, "document-ids")
    if isinstance(found, Finding):
        yield found
        return
    keyed = [event for event in found.events if event.id and event.id == event.of("auditID")]
    if keyed:
        because = f"{len(keyed)} of {len(found.events)} sampled events have their auditID as id: a "
        because += "client that sends the header Audit-ID can overwrite or suppress others"
        evidence = found.quote(keyed[0], f"_id {keyed[0].id}")
        yield Finding.failed(store.name, because, evidence, aspect="document-ids")
    elif not any(event.id and event.of("auditID") for event in found.events):
        because = "no sampled event has an id and an auditID"
        yield Finding.error(store.name, because, found.evidence, aspect="document-ids")
    else:
        because = f"no id of {len(found.events)} sampled events is one that a client could choose"
        yield Finding.passed(store.name, because, found.evidence, aspect="document-ids")


_PARTS: Final[Mapping[str, Callable[[SearchStore, Params], Iterator[Finding]]]] = {
    "shipper": _shipper,
    "admins": _admins,
    "write-blocks": _blocks,
    "document-ids": _ids,
}
"""By aspect."""
