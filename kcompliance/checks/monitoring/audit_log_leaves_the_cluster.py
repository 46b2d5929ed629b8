"""KC-MON-002: the audit log is read and shipped off the cluster, to another failure domain."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.monitoring.provider_ships import provider_ships
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.destinations import Network, Place, network_of
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.on_node import path_on_node
from kcompliance.model.reading import Kind
from kcompliance.model.shipping import Reader, Way, logging_of, readers_of, webhook_ways
from kcompliance.model.workloads import FORWARDER_IMAGES

__all__ = ["Params", "audit_log_leaves_the_cluster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-MON-002."""

    min_destinations: int = 1
    recommended_destinations: int = 2
    image_regex: str = FORWARDER_IMAGES


_READ, _OFF, _UNFILTERED = "read", "off-cluster", "unfiltered"
_ASPECTS = (_READ, _OFF, _UNFILTERED)
_KINDS = (
    Kind.WEBHOOK_CONFIG,
    Kind.NODES,
    Kind.DAEMON_SETS,
    Kind.FORWARDER_PODS,
    Kind.CONFIG_MAPS,
    Kind.SERVICES,
)
_SHOWN = 5
_ADD = (
    "Add the DaemonSets, ConfigMaps, Services and nodes (kubectl get ds,cm,svc,nodes -A -o yaml) "
    "to the scan, or answer for it."
)


@check("KC-MON-002", params=Params)
def audit_log_leaves_the_cluster(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The audit log is read and shipped off the cluster, to another failure domain

    Each server's log file is looked for in the configuration of each forwarder that mounts it, and
    followed from there to the outputs; a webhook is a way of its own.
    """
    if cluster.platform in (Platform.AKS, Platform.EKS):
        yield from provider_ships(
            cluster,
            min_destinations=params.min_destinations,
            recommended=params.recommended_destinations,
        )
        return
    wrong = _wrong_pattern(params.image_regex)
    for aspect in _ASPECTS:
        yield from flags_not_seen(cluster, aspect, *_KINDS)
        for replica in replicas(cluster):
            if wrong:
                yield Finding.error(replica.name, wrong, _flags(replica), aspect=aspect)
            else:
                yield _of_server(cluster, replica, aspect, params)


def _wrong_pattern(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return f'image_regex "{pattern}" is no regular expression: {error}'
    return None


def _of_server(cluster: Cluster, replica: Replica, aspect: str, params: Params) -> Finding:
    settings = replica.settings
    doubt = flag_in_doubt(replica, "audit-webhook-config-file", "audit-log-path")
    if doubt:
        return Finding.error(replica.name, doubt, _flags(replica), aspect=aspect)
    if not (settings.webhook_config_file or settings.log_path):
        because = "it has no backend, so nothing is shipped: see KC-AUD-006"
        return Finding.not_applicable(replica.name, because, _flags(replica), aspect=aspect)
    found = _found(cluster, replica, params)
    match aspect:
        case "read":
            return found.read()
        case "off-cluster":
            return found.off_cluster(params)
        case _:
            return found.unfiltered(params)


# --- what was found of one server ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    replica: Replica
    readers: tuple[Reader, ...]
    ways: tuple[Way, ...]
    faults: tuple[str, ...]
    """Why the log is not read, of each forwarder and of the log itself."""
    unknown: tuple[str, ...]
    """What may read it, or send it on, and is not known."""
    network: Network

    # --- is it read at all

    def read(self) -> Finding:
        settings = self.replica.settings
        reading = [reader for reader in self.readers if reader.reads]
        notes = tuple(note for reader in reading for note in reader.notes)
        ways = []
        if settings.webhook_config_file:
            ways.append("it posts its events itself, to a webhook")
        ways += [f"{settings.log_path} is read by {r.title}, {r.reads}" for r in reading]
        if ways:
            return self._finding("pass", _READ, "; ".join(ways[:_SHOWN]), notes)
        if self.unknown:
            return self._manual(_READ, self._not_known(), f"Does anything read it? {_ADD}")
        return self._finding("fail", _READ, f"nothing reads it: {_some(self.faults)}", notes)

    def _not_known(self) -> str:
        return f"whether anything reads it is not known: {_some(self.unknown)}"

    # --- does it leave the cluster

    def off_cluster(self, params: Params) -> Finding:
        outside = self._outside()
        targets = {way.target for way in outside}
        least = max(params.min_destinations, 1)
        if len(targets) >= least:
            because = f"it goes {_some([f'by {way.title}' for way in outside])}"
            notes = tuple(self._notes(outside, len(targets), params))
            return self._finding("pass", _OFF, because, notes)
        doubts = [*self.unknown, *self._in_doubt()]
        if doubts:
            names = _some([way.title for way in self.ways]) or self._path()
            return self._manual(
                _OFF,
                f"where it ends is not known: {_some(doubts)}",
                f"Does {names} end in another failure domain than this cluster, and where? {_ADD}",
            )
        inside = [f"{way.title}: {way.where.because}" for way in self.ways if way not in outside]
        if outside:
            because = f"{len(targets)} of {least} destinations are outside: "
            because += _some([way.title for way in outside])
        elif inside:
            because = f"it stays in the cluster: {_some(inside)}"
        elif any(reader.reads for reader in self.readers):
            because = "it is read, and goes to no output"
        else:
            because = f"nothing ships it: {_some(self.faults)}"
        return self._finding("fail", _OFF, because)

    def _outside(self) -> list[Way]:
        return [w for w in self.ways if w.where.place is Place.OUTSIDE and not w.unsure]

    def _in_doubt(self) -> Iterator[str]:
        """Ways that may lead out in the end."""
        for way in self.ways:
            if way.where.place is Place.UNKNOWN:
                yield way.where.because
            elif way.where.place is Place.OUTSIDE and way.unsure:
                yield f"{way.title}: {', '.join(way.unsure)}"
            elif way.where.place is Place.INSIDE and way.relay:
                yield f"{way.title}: {way.where.because}, and what sends on from there is not read"

    def _notes(self, outside: list[Way], number: int, params: Params) -> Iterator[str]:
        if number < params.recommended_destinations:
            yield (
                f"{number} of {params.recommended_destinations} destinations that are recommended: "
                "one outage or one attacker there is enough"
            )
        if any(not way.where.because.startswith(tuple("0123456789")) for way in outside):
            yield "told by its name: that no ingress of this cluster stands behind it is not seen"
        for way in self.ways:
            if way.where.place is Place.INSIDE:
                yield f"also {way.title}, which is inside: {way.where.because}"
        for reader in self.readers:
            yield from reader.notes

    # --- is all of it shipped

    def unfiltered(self, params: Params) -> Finding:
        ways = self._outside() or list(self.ways)
        clean = {way.target for way in ways if not (way.drops or way.may_drop)}
        if not ways:
            if self.unknown:
                because = f"what ships it is not known: {_some(self.unknown)}"
                question = f"Does what ships it leave records of the audit log out? {_ADD}"
                return self._manual(_UNFILTERED, because, question)
            because = "nothing ships it: see the aspects read and off-cluster"
            return self._finding("not_applicable", _UNFILTERED, because)
        if len(clean) >= max(params.min_destinations, 1):
            titles = [way.title for way in ways if way.target in clean]
            because = f"no filter on the way leaves records out: {_some(titles)}"
            return self._finding("pass", _UNFILTERED, because)
        dropping = [f"{way.title}: {', '.join(way.drops)}" for way in ways if way.drops]
        if dropping:
            because = f"a filter on the way leaves records out: {_some(dropping)}"
            return self._finding("fail", _UNFILTERED, because)
        unread = [name for way in ways for name in way.may_drop]
        if not unread:
            because = "not enough destinations get all of it: see the aspect off-cluster"
            return self._finding("fail", _UNFILTERED, because)
        return self._manual(
            _UNFILTERED,
            f"what these do with a record is not read: {_some(list(dict.fromkeys(unread)))}",
            "Do they leave out any record of the audit log?",
        )

    # --- findings

    def _path(self) -> str:
        return self.replica.settings.log_path or "the webhook"

    def _evidence(self) -> tuple[Evidence, ...]:
        evidence = _flags(self.replica)
        for reader in self.readers:
            evidence += reader.evidence
        for way in self.ways:
            evidence += way.evidence
        for raw in self.network.raws:
            evidence += evidence_of(raw, "items", "names and addresses inside of the cluster")
        return tuple(dict.fromkeys(evidence))[:20]

    def _finding(
        self, verdict: str, aspect: str, because: str, notes: tuple[str, ...] = ()
    ) -> Finding:
        make = {
            "pass": Finding.passed,
            "fail": Finding.failed,
            "not_applicable": Finding.not_applicable,
        }[verdict]
        return make(self.replica.name, because, self._evidence(), aspect=aspect, notes=notes)

    def _manual(self, aspect: str, because: str, question: str) -> Finding:
        return Finding.manual(self.replica.name, because, question, self._evidence(), aspect=aspect)


def _found(cluster: Cluster, replica: Replica, params: Params) -> _Found:
    ways: list[Way] = []
    unknown: list[str] = []
    faults: list[str] = []
    network = network_of(cluster)
    for way in webhook_ways(cluster, replica, network):
        if isinstance(way, Way):
            ways.append(way)
        else:
            unknown.append(way)
    readers = _readers(cluster, replica, params, faults, unknown)
    for reader in readers:
        if reader.reads:
            ways += reader.ways
        elif reader.unknown:
            unknown.append(f"{reader.title}: {reader.unknown}")
        else:
            faults.append(f"{reader.title} {reader.because}")
    return _Found(
        replica=replica,
        readers=tuple(readers),
        ways=tuple(ways),
        faults=tuple(faults),
        unknown=tuple(unknown),
        network=network,
    )


def _readers(
    cluster: Cluster, replica: Replica, params: Params, faults: list[str], unknown: list[str]
) -> list[Reader]:
    """What each forwarder does with the log file; with a log that is no file, nobody can tell."""
    path = replica.settings.log_path
    if not path:
        return []
    if path == "-":
        unknown.append("it writes to standard output, into the log of its container")
        return []
    on_node = path_on_node(replica.server, path)
    if on_node is None:
        faults.append(f"{path} lies on no folder of the node, where a forwarder could read it")
        return []
    logging = logging_of(cluster, params.image_regex)
    if logging is None:
        unknown.append("what runs in the cluster is not in what was given")
        return []
    readers = list(readers_of(logging, replica, on_node, params.image_regex))
    if not logging.whole and not any(reader.reads for reader in readers):
        unknown.append("only a part of what runs in the cluster was given")
    elif not readers:
        faults.append("no DaemonSet is a log forwarder")
    return readers


def _some(items: Sequence[str]) -> str:
    items = list(dict.fromkeys(items))
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more


def _flags(replica: Replica) -> tuple[Evidence, ...]:
    settings, raw = replica.settings, replica.flagz or replica.raw
    webhook = settings.webhook_config_file or "not set"
    evidence = evidence_of(raw, "--audit-log-path", settings.log_path or "not set")
    return evidence + evidence_of(raw, "--audit-webhook-config-file", webhook)
