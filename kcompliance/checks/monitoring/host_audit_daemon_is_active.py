"""KC-MON-004: a host audit daemon is active on every node."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import NoParams, check
from kcompliance.checks.monitoring.audit_daemon_sets import (
    AuditDaemonSet,
    audit_daemon_sets,
    plural,
)
from kcompliance.model.apiserver.plain_data import at, text
from kcompliance.model.auditd.status import AuditdStatus
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.host_audit import (
    HostAudit,
    Subject,
    host_audit,
    known_nodes,
    place_of,
    unreadable_texts,
)
from kcompliance.model.listing import KubernetesObject, Listing
from kcompliance.model.on_node import node_of
from kcompliance.model.reading import Kind, Raw, Seen
from kcompliance.model.workloads import NodeKind, read_node

__all__ = ["host_audit_daemon_is_active"]

_KINDS = (
    Kind.NODE_FACTS,
    Kind.AUDITD_RULES,
    Kind.AUDITD_STATUS,
    Kind.DAEMON_SETS,
    Kind.NODES,
)
_READERS = ("auditbeat", "elastic-agent", "go-audit", "laurel")


@check("KC-MON-004", params=NoParams)
def host_audit_daemon_is_active(cluster: Cluster, _: NoParams) -> Iterator[Finding]:
    """A host audit daemon is active on every node

    By the kernel's own status, by the processes that run, or by a DaemonSet that reads its audit.
    """
    for gap in cluster.gaps_in(*_KINDS):
        yield Finding.unreadable(gap)
    for raw, reason in unreadable_texts(cluster):
        yield Finding.error(raw.origin.resource, reason, evidence_of(raw, "whole file"))
    sets = audit_daemon_sets(cluster)
    nodes = _nodes(cluster)
    subjects = list(_subjects(cluster, nodes))
    for subject in subjects:
        yield _of_node(cluster, subject, nodes.get(subject.node or ""), sets)
    yield from _not_placed(cluster, subjects)
    if not _all_listed(cluster):
        yield Finding.manual(
            cluster.name,
            "the nodes of the cluster are not listed in what was given",
            "Which nodes does the cluster have, and is auditd active on each? Scan the cluster "
            "itself together with each node's auditctl -s and auditctl -l.",
        )


def _all_listed(cluster: Cluster) -> bool:
    listing = cluster.listed(Kind.NODES)
    return isinstance(listing, Listing) and listing.whole


# --- which nodes ---------------------------------------------------------------------------------

_Nodes = dict[str, tuple[KubernetesObject, Raw]]


def _nodes(cluster: Cluster) -> _Nodes:
    listing = cluster.listed(Kind.NODES)
    if not isinstance(listing, Listing):
        return {}
    return {read_node(found).name: (found, raw) for found, raw in listing.of_kind("Node")}


def _texts(cluster: Cluster) -> list[Raw]:
    kinds = (Kind.AUDITD_RULES, Kind.AUDITD_STATUS)
    return [raw for kind in kinds for raw in cluster.texts.get(kind, ())]


def _subjects(cluster: Cluster, nodes: _Nodes) -> Iterator[Subject]:
    """All nodes that anything tells of; without a name, those whose files were given."""
    names = known_nodes(cluster)
    for name in sorted(names):
        yield Subject(name=name, node=name, alone=len(names) == 1)
    if names:
        return
    places = {place_of(raw.origin.resource): raw for raw in _texts(cluster)}
    for place, raw in sorted(places.items(), key=lambda each: each[0]):
        name = place[-1] if place and place[-1] != "/" else raw.origin.resource
        yield Subject(
            name=f"the node of {name}",
            resource=raw.origin.resource,
            alone=len(places) == 1,
        )


def _not_placed(cluster: Cluster, subjects: list[Subject]) -> Iterator[Finding]:
    """Texts of which nothing tells on which of several nodes they were taken."""
    names = {subject.node for subject in subjects if subject.node}
    if len(names) < 2:
        return
    for raw in _texts(cluster):
        if node_of(raw) is None and not names & set(place_of(raw.origin.resource)):
            yield Finding.manual(
                raw.origin.resource,
                "nothing tells of which node this is",
                f"Of which node is {raw.origin.resource}? Put it in a folder of the node's name.",
                evidence_of(raw, "whole file"),
            )


# --- one node ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Daemon:
    """What was seen of the daemon, in words.

    `idle`: nobody reads the records, unless something other than auditd does. `lacking`: what was
    not told.
    """

    faults: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def _of_node(
    cluster: Cluster,
    subject: Subject,
    node: tuple[KubernetesObject, Raw] | None,
    sets: tuple[AuditDaemonSet, ...],
) -> Finding:
    none = _without_auditd(subject, node)
    if none is not None:
        return none
    host = host_audit(cluster, subject)
    reader = host.process(*_READERS)
    daemon = _daemon(host)
    found = next((each for each in sets if each.runs_on(subject.node)), None)
    if daemon.faults or (daemon.idle and found is None and reader is None):
        because = "; ".join((*daemon.faults, *daemon.idle))
        return Finding.failed(subject.name, because, daemon.evidence, notes=daemon.notes)
    if daemon.seen and not daemon.lacking and not daemon.idle:
        notes = (*daemon.notes, "whether its records leave the node is asked by KC-MON-002")
        because = f"the audit daemon is active: {', '.join(daemon.seen)}"
        return Finding.passed(subject.name, because, daemon.evidence, notes=notes)
    if found is not None:
        return _by_daemon_set(subject, found, daemon)
    return _asked(subject, host, daemon, sets)


def _without_auditd(subject: Subject, node: tuple[KubernetesObject, Raw] | None) -> Finding | None:
    """Not applicable where a node cannot have one: Windows, Fargate, Bottlerocket."""
    if node is None:
        return None
    found, raw = node
    kind = read_node(found).kind
    image = text(at(found, "status", "nodeInfo", "osImage")) or ""
    if kind is NodeKind.LINUX and not image.startswith("Bottlerocket"):
        return None
    what = image if kind is NodeKind.LINUX else kind.value
    evidence = evidence_of(raw, f"Node {subject.name}: status.nodeInfo", image or what)
    return Finding.not_applicable(subject.name, f"no auditd exists there: {what}", evidence)


def _daemon(host: HostAudit) -> _Daemon:
    """auditd itself, by its status, its process and its rules."""
    lacking, seen, idle = [], [], []
    notes: list[str] = []
    faults = [*_losing(host.statuses)]
    evidence: list[Evidence] = []
    for status in host.statuses:
        if status.value.enabled == 0:
            faults.append("the kernel's audit is off (enabled 0)")
        if status.value.pid == 0:
            idle.append("no daemon reads the records (pid 0)")
        notes += _status_notes(status.value)
        seen.append(f"enabled {status.value.enabled}, process {status.value.pid}")
        evidence += _of_status(status)
    auditd = host.process("auditd")
    if auditd and host.facts:
        evidence += evidence_of(host.facts.raw, "processes", f"auditd, process {auditd.pid}")
        if not host.statuses:
            seen.append(f"process {auditd.pid}")
            notes.append("enabled was not read: auditctl -s would tell")
    elif host.processes_seen and host.facts and not host.statuses:
        idle.append("auditd does not run")
        evidence += evidence_of(host.facts.raw, "processes", "no auditd")
    elif not host.statuses:
        lacking.append("whether auditd runs: auditctl -s")
    rules = _rules(host)
    return _Daemon(
        faults=(*dict.fromkeys(faults), *rules.faults),
        idle=tuple(dict.fromkeys(idle)),
        lacking=(*lacking, *rules.lacking),
        seen=(*seen, *rules.seen),
        notes=tuple(dict.fromkeys(notes)),
        evidence=(*evidence, *rules.evidence),
    )


def _status_notes(status: AuditdStatus) -> Iterator[str]:
    if status.lost:
        yield (
            f"{status.lost} records were lost since the node started; whether it goes on, a "
            "second auditctl -s tells"
        )
    if status.failure == 0:
        yield "failure 0: what is lost is not even told in the kernel's log"
    if status.rate_limit:
        yield f"rate_limit {status.rate_limit}: records beyond it in a second are dropped"


def _losing(statuses: tuple[Seen[AuditdStatus], ...]) -> Iterator[str]:
    lost = {status.value.lost for status in statuses if status.value.lost is not None}
    if len(lost) > 1:
        yield f"records are being lost: {min(lost)} in one reading, {max(lost)} in another"


def _of_status(status: Seen[AuditdStatus]) -> Iterator[Evidence]:
    for name in ("enabled", "pid", "lost"):
        value = getattr(status.value, name)
        if value is not None:
            yield from evidence_of(status.raw, name, str(value))


def _rules(host: HostAudit) -> _Daemon:
    """How many rules there are: those that are loaded, or else those in files."""
    sets = host.listed or host.files
    if not sets:
        return _Daemon(lacking=("which rules are loaded: auditctl -l",))
    evidence: list[Evidence] = []
    for each in sets:
        count = len(each.found.rules)
        evidence += evidence_of(each.raws[0], "whole file", plural(count))
    loaded = min(len(each.found.rules) for each in sets)
    where = "loaded" if host.listed else "to be loaded at the start"
    if loaded:
        return _Daemon(seen=(f"{plural(loaded)} {where}",), evidence=tuple(evidence))
    return _Daemon(faults=(f"no rule is {where}",), evidence=tuple(evidence))


def _by_daemon_set(subject: Subject, found: AuditDaemonSet, daemon: _Daemon) -> Finding:
    """Instead of auditd, a DaemonSet reads the kernel's audit."""
    evidence = found.evidence + daemon.evidence
    notes = (*daemon.notes, *found.notes, *daemon.idle)
    if found.faults:
        because = f"{found.title}: {'; '.join(found.faults)}"
        return Finding.failed(subject.name, because, evidence, notes=notes)
    if found.question:
        because = f"{found.title} runs on it: {found.question}"
        asked = f"Which audit rules does {found.title} load on {subject.name}?"
        return Finding.manual(subject.name, because, asked, evidence, notes=notes)
    because = f"{found.title} reads the kernel's audit on it, {found.because}"
    return Finding.passed(subject.name, because, evidence, notes=notes)


def _asked(
    subject: Subject, host: HostAudit, daemon: _Daemon, sets: tuple[AuditDaemonSet, ...]
) -> Finding:
    evidence = daemon.evidence
    said = [*daemon.seen, *daemon.idle]
    reader = host.process(*_READERS)
    if reader:
        said.append(f"{reader.name} runs, which may read the kernel's audit")
    said += [f"{each.title} may not run on it" for each in sets]
    evidence += tuple(item for each in sets for item in each.evidence)
    lacking = "; ".join(daemon.lacking) or "whether it reads the kernel's audit"
    because = f"not told: {lacking}"
    if said:
        because = f"{'; '.join(said)}; {because}"
    question = (
        f"Is a daemon active on {subject.name} that reads the kernel's audit, with at least one "
        "rule? Add the outputs of auditctl -s and auditctl -l to the scan."
    )
    return Finding.manual(subject.name, because, question, evidence, notes=daemon.notes)
