"""KC-PRO-004: something watches the policy, manifest and log files and reports writes."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.auditd_watch import watched_by_auditd
from kcompliance.checks.protection.falco_watch import (
    FalcoOnNode,
    evidence_of_texts,
    falco_on,
    watched_by_falco,
)
from kcompliance.checks.protection.watch import State, Watch
from kcompliance.checks.protection.watched_paths import Elsewhere, Wanted, wanted_paths
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.host_audit import (
    HostAudit,
    Subject,
    host_audit,
    known_nodes,
    unreadable_texts,
)
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind
from kcompliance.model.workloads import read_daemon_set, runs_image

__all__ = ["Params", "writes_to_audit_files_are_reported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-004."""

    required_paths: tuple[str, ...] = ("auto",)
    watcher: str = "any"


_WATCHERS = ("any", "auditd", "falco", "fim")
_KINDS = (
    Kind.NODE_FACTS,
    Kind.AUDITD_RULES,
    Kind.AUDITD_STATUS,
    Kind.FALCO_RULES,
    Kind.CONFIG_MAPS,
    Kind.DAEMON_SETS,
    Kind.NODES,
)


@check("KC-PRO-004", params=Params)
def writes_to_audit_files_are_reported(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Something watches the policy, manifest and log files and reports writes

    Each path of each server's node is judged by the kernel's audit and by Falco; one is enough.
    """
    yield from flags_not_seen(cluster, "main", *_KINDS)
    for raw, reason in unreadable_texts(cluster):
        yield Finding.error(raw.origin.resource, reason, evidence_of(raw, "whole file"))
    if params.watcher not in _WATCHERS:
        because = f'parameter watcher: "{params.watcher}" is none of {", ".join(_WATCHERS)}'
        yield Finding.error(cluster.name, because)
        return
    running = replicas(cluster)
    names = known_nodes(cluster)
    for replica in running:
        node = replica.server.node if replica.server else None
        subject = Subject(
            name=node or replica.name,
            node=node,
            resource=replica.raw.origin.resource,
            alone=len(running) == 1 and len(names - {node}) <= (0 if node else 1),
        )
        yield from _of_server(cluster, replica, subject, params)


def _of_server(
    cluster: Cluster, replica: Replica, subject: Subject, params: Params
) -> Iterator[Finding]:
    flags = ("audit-policy-file", "audit-log-path", "audit-webhook-config-file")
    doubt = flag_in_doubt(replica, *flags)
    if doubt:
        yield Finding.error(replica.name, doubt, _flags(replica))
        return
    host = host_audit(cluster, subject)
    falco = falco_on(cluster, host, subject)
    if falco.texts and isinstance(falco.rules, str):
        yield Finding.error(f"{subject.name} Falco", falco.rules, evidence_of_texts(falco))
    unknown = []
    for wanted in wanted_paths(replica, host, params.required_paths):
        if isinstance(wanted, Elsewhere):
            yield _elsewhere(replica, subject, wanted)
            continue
        finding = _of_path(cluster, host, falco, subject, wanted, params)
        if finding is None:
            unknown.append(wanted.target.path)
        else:
            yield finding
    if unknown:
        yield _nothing_known(replica, subject, unknown)


def _of_path(
    cluster: Cluster,
    host: HostAudit,
    falco: FalcoOnNode,
    subject: Subject,
    wanted: Wanted,
    params: Params,
) -> Finding | None:
    """The verdict on one path; None where nothing was given that could tell."""
    watches = []
    if params.watcher in ("any", "auditd"):
        watches.append(watched_by_auditd(host, subject, wanted.target))
    if params.watcher in ("any", "falco"):
        watches.append(watched_by_falco(falco, subject, wanted.target, wanted.files))
    if params.watcher in ("any", "fim"):
        watches.append(_other_watcher(cluster, host, subject, wanted))
    return _verdict(subject, wanted, watches)


def _verdict(subject: Subject, wanted: Wanted, watches: list[Watch]) -> Finding | None:
    """The best watcher decides; the first is the one whose silence is a fail."""
    resource = f"{subject.name} {wanted.target.path}"
    notes: tuple[str, ...] = (wanted.note,) if wanted.note else ()
    good = next((watch for watch in watches if watch.state is State.REPORTS), None)
    if good:
        notes += (*good.notes, "where these reports go is asked by KC-MON-002 and KC-MON-004")
        return Finding.passed(resource, good.because, good.evidence, notes=notes)
    asked = [watch for watch in watches if watch.state is State.QUESTION]
    silent = [watch for watch in watches if watch.state is State.SILENT]
    because = "; ".join(watch.because for watch in (*asked, *silent))
    evidence = tuple(item for watch in (*asked, *silent) for item in watch.evidence)
    notes += tuple(note for watch in (*asked, *silent) for note in watch.notes)
    if asked:
        question = " ".join(watch.question for watch in asked)
        return Finding.manual(resource, because, question, evidence, notes=notes)
    if silent and watches[0].state is State.SILENT:
        because = f"nothing reports writes to {wanted.what}: {because}"
        return Finding.failed(resource, because, evidence, notes=notes)
    if silent:
        question = f"Does the kernel's audit on {subject.name} report writes to "
        question += f"{wanted.target.path}? Add the outputs of auditctl -l and auditctl -s."
        return Finding.manual(resource, because, question, evidence, notes=notes)
    return None


_OTHER_IMAGES = "wazuh|ossec|aide|osquery|tripwire|samhain|auditbeat|tetragon|tracee|sysdig"
_OTHER_PROCESSES = (
    *("auditbeat", "elastic-agent", "osqueryd", "wazuh-syscheckd", "ossec-syscheckd"),
    *("tetragon", "tracee", "samhain", "wdavdaemon"),
)


def _other_watcher(cluster: Cluster, host: HostAudit, subject: Subject, wanted: Wanted) -> Watch:
    """Watchers that are seen to run, and whose configuration is not read here."""
    found: list[tuple[str, tuple[Evidence, ...]]] = []
    process = host.process(*_OTHER_PROCESSES)
    if process and host.facts:
        found.append((process.name, evidence_of(host.facts.raw, "processes", process.name)))
    listing = cluster.listed(Kind.DAEMON_SETS)
    for document, raw in listing.of_kind("DaemonSet") if isinstance(listing, Listing) else ():
        daemon_set = read_daemon_set(document)
        if runs_image(daemon_set, _OTHER_IMAGES):
            title = f"the DaemonSet {daemon_set.title}"
            found.append((title, evidence_of(raw, title, daemon_set.containers[0].image)))
    if not found:
        return Watch(state=State.UNKNOWN)
    names = ", ".join(name for name, _ in found)
    return Watch(
        state=State.QUESTION,
        because=f"{names} may watch files, and what it watches is not read here",
        question=f"Does {names} on {subject.name} report writes to {wanted.target.path}?",
        evidence=tuple(item for _, evidence in found for item in evidence),
    )


def _elsewhere(replica: Replica, subject: Subject, found: Elsewhere) -> Finding:
    resource = f"{subject.name} {found.path}"
    if found.from_object:
        because = f"{found.because}: who changes it stands in the cluster's own trail"
        return Finding.not_applicable(resource, because, _flags(replica))
    return Finding.manual(
        resource,
        f"{found.what} cannot be watched from the node: {found.because}",
        f"Where does {found.path} of {replica.name} lie, and what reports writes to it?",
        _flags(replica),
    )


def _nothing_known(replica: Replica, subject: Subject, paths: list[str]) -> Finding:
    listed = ", ".join(paths)
    return Finding.manual(
        subject.name,
        f"nothing that watches files of {subject.name} is in what was given",
        f"What on {subject.name} reports writes to {listed}? Add the outputs of auditctl -l and "
        "auditctl -s, or Falco's rules, to the scan.",
        _flags(replica),
    )


def _flags(replica: Replica) -> tuple[Evidence, ...]:
    settings, raw = replica.settings, replica.flagz or replica.raw
    evidence = evidence_of(raw, "--audit-policy-file", settings.policy_file or "not set")
    return evidence + evidence_of(raw, "--audit-log-path", settings.log_path or "not set")
