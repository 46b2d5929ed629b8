"""KC-PRO-003: what runs is what is on disk, and all replicas agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kcompliance.checks.interface import check
from kcompliance.checks.protection.replicas_agree import replicas_agree
from kcompliance.checks.protection.sites import Site, elsewhere, mounts_known, on_node, sites
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.apiserver import ApiServer, Arguments, find_arguments
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import Replica
from kcompliance.model.node_facts import FileFacts, FileType, ProcessFacts
from kcompliance.model.on_node import NODE
from kcompliance.model.reading import REDACTED, Kind, Raw, Seen

__all__ = ["Params", "running_is_what_is_on_disk"]

FLAGS, POLICY = "flags", "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-003."""

    clock_skew_seconds: int = 2


@check("KC-PRO-003", params=Params)
def running_is_what_is_on_disk(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """What runs is what is on disk, and all replicas agree

    kube-apiserver reads its flags and its policy once, when it starts: what was changed since is
    not what it runs with.
    """
    for aspect in (FLAGS, POLICY):
        yield from flags_not_seen(cluster, aspect, Kind.NODE_FACTS, Kind.AUDIT_POLICY)
    for replica in elsewhere(cluster):
        yield from _not_looked_at(replica)
    for site in sites(cluster):
        yield _flags(site, params)
        for replica in site.replicas:
            yield _policy(site, replica, params)
    yield from replicas_agree(cluster)


def _not_looked_at(replica: Replica) -> Iterator[Finding]:
    node = replica.server.node if replica.server else None
    where = f"the node {node}" if node else f"the node of {replica.name}"
    path = replica.settings.policy_file or "its audit policy"
    because = f"what lies on disk was not seen: {where} was not looked at"
    how = "Scan on the node with --node-root."
    evidence = evidence_of(replica.raw, "command")
    yield Finding.manual(
        replica.name,
        because,
        f"Do the flags of the running server equal those of its manifest on {where}? {how}",
        evidence,
        aspect=FLAGS,
    )
    yield Finding.manual(
        replica.name,
        because,
        f"Was {path} on {where} changed after the server was started? {how}",
        evidence_of(replica.raw, "--audit-policy-file", replica.settings.policy_file or "not set"),
        aspect=POLICY,
    )


# --- flags ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """A server that was seen to run."""

    name: str
    arguments: Arguments
    evidence: tuple[Evidence, ...]


def _flags(site: Site, params: Params) -> Finding:
    """The flags of all that runs on the node, beside those on its disk."""
    resource = site.resource("")
    running = (*_processes(site), *_pods(site))
    if not site.on_disk:
        return Finding.manual(
            resource,
            f"no manifest or configuration on {site.facts.node} was found to start what runs",
            f"Which file starts kube-apiserver on {site.facts.node}, and with the same flags?",
            evidence_of(site.raw, "files"),
            aspect=FLAGS,
        )
    disk = site.on_disk[0]
    evidence = evidence_of(disk.raw, "command")
    for other in site.on_disk[1:]:
        evidence += evidence_of(other.raw, "command")
        names = _differences(disk.value.arguments, other.value.arguments)
        if names:
            because = f"{disk.value.name} and {other.value.name} differ in {_listed(names)}"
            return Finding.failed(resource, because, evidence, aspect=FLAGS)
    if disk.value.on_host and not running:
        return _embedded(site, disk, params)
    return _compared(site, disk, running, evidence)


def _compared(
    site: Site, disk: Seen[ApiServer], running: tuple[_Running, ...], evidence: tuple[Evidence, ...]
) -> Finding:
    resource = site.resource("")
    for one in running:
        evidence += one.evidence
        names = _differences(disk.value.arguments, one.arguments)
        if names:
            because = f"{one.name} runs with other flags than {disk.value.name}: {_listed(names)}"
            return Finding.failed(resource, because, evidence, aspect=FLAGS)
    if not running:
        because = f"nothing that runs on {site.facts.node} was seen"
        question = f"Do the flags of the running server equal those of {disk.value.name}?"
        return Finding.manual(resource, because, question, evidence, aspect=FLAGS)
    if not all(each.complete for each in (disk.value.arguments, *(r.arguments for r in running))):
        because = "not all flags were seen: " + "; ".join(disk.value.arguments.problems)
        return Finding.error(resource, because, evidence, aspect=FLAGS)
    because = f"{' and '.join(one.name for one in running)} runs with the flags on disk"
    return Finding.passed(resource, because, evidence, aspect=FLAGS)


def _processes(site: Site) -> Iterator[_Running]:
    for process in site.facts.processes or ():
        arguments = _server_arguments(process)
        if arguments is not None:
            evidence = evidence_of(
                site.raw, f"pid {process.pid}", " ".join(process.arguments)[:500]
            )
            yield _Running(name=f"pid {process.pid}", arguments=arguments, evidence=evidence)


def _server_arguments(process: ProcessFacts) -> Arguments | None:
    """Those of a kube-apiserver that is a process of its own: k3s hides those it runs inside."""
    return None if _tool(process) else find_arguments(process.arguments, ())


def _pods(site: Site) -> Iterator[_Running]:
    for pod in site.pods:
        yield _Running(
            name=pod.value.name,
            arguments=pod.value.arguments,
            evidence=evidence_of(pod.raw, f"{pod.value.name} command"),
        )


def _differences(one: Arguments, other: Arguments) -> list[str]:
    """Flags whose values are not the same; those of audit first."""
    names = {flag.name for flag in (*one.flags, *other.flags)}
    found = [name for name in names if _differs(one, other, name)]
    return sorted(found, key=lambda name: (not name.startswith("audit"), name))


def _differs(one: Arguments, other: Arguments, name: str) -> bool:
    mine, theirs = one.flag(name), other.flag(name)
    if mine is None or theirs is None:
        return True
    known = mine.known and theirs.known and REDACTED not in f"{mine.value} {theirs.value}"
    return known and mine.value != theirs.value


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    return ", ".join(f"--{name}" for name in names[:_MOST_TOLD]) + more


_MOST_TOLD: Final = 8


def _tool(process: ProcessFacts) -> bool:
    """Whether it is the server of k3s or RKE2."""
    server = process.name in ("k3s", "rke2") and "server" in process.arguments[:2]
    return server or process.name == "k3s-server"


def _embedded(site: Site, disk: Seen[ApiServer], params: Params) -> Finding:
    """k3s hides its flags, and reads its configuration when it starts and at no other time."""
    resource = site.resource("")
    evidence = evidence_of(disk.raw, "whole file")
    process = next((p for p in site.facts.processes or () if _tool(p)), None)
    if process is None or process.started is None:
        because = f"when the server of {disk.value.source} was started was not seen"
        question = f"Was {disk.value.name} changed after the server was started?"
        return Finding.manual(resource, because, question, evidence, aspect=FLAGS)
    prefix = f"{NODE}{site.facts.node}"
    path = disk.raw.origin.resource.removeprefix(prefix)
    files = [*site.facts.way(path), *site.facts.below(f"{path}.d")]
    files += [f for f in site.facts.files if f.path.endswith(_UNITS) and _exists(f)]
    latest = max((f for f in files if _exists(f)), key=_last_change, default=None)
    evidence += evidence_of(site.raw, f"pid {process.pid}", f"started {_at(process.started)}")
    if latest is None:
        because = f"when {path} was changed is not known"
        return Finding.error(resource, because, evidence, aspect=FLAGS)
    change = _last_change(latest)
    evidence += evidence_of(site.raw, latest.path, f"changed {_at(change)}")
    if change > process.started + timedelta(seconds=params.clock_skew_seconds):
        because = (
            f"{latest.path} was changed at {_at(change)}, after {process.name} was started at "
            f"{_at(process.started)}: it runs with what stood there before"
        )
        return Finding.failed(resource, because, evidence, aspect=FLAGS)
    because = f"{process.name} was started after the last change of its configuration"
    return Finding.passed(resource, because, evidence, aspect=FLAGS)


_UNITS: Final = ("/k3s.service", "/rke2-server.service")


# --- policy --------------------------------------------------------------------------------------


def _policy(site: Site, replica: Replica, params: Params) -> Finding:
    path = replica.settings.policy_file
    flag = evidence_of(replica.raw, "--audit-policy-file", path or "not set")
    doubt = flag_in_doubt(replica, "audit-policy-file")
    if doubt:
        return Finding.error(replica.name, doubt, flag, aspect=POLICY)
    if path is None:
        because = "it runs without an audit policy: see KC-AUD-005"
        return Finding.not_applicable(replica.name, because, flag, aspect=POLICY)
    at = on_node(replica, path)
    way = site.facts.way(at) if at is not None else ()
    started = _start(site, replica)
    if not way or way[-1].type is FileType.LINK or started is None:
        lacks = "the policy was changed" if started else "the server was started"
        return Finding.manual(
            replica.name,
            f"when {lacks} was not seen",
            f"Was {at or path} of {replica.name} changed after the server was started?",
            flag,
            aspect=POLICY,
        )
    if way[-1].type is not FileType.FILE or way[-1].modified is None:
        return _no_file(site, replica, at or path, way[-1], flag)
    return _judged(site, replica, way, started, params)


def _no_file(
    site: Site, replica: Replica, path: str, facts: FileFacts, flag: tuple[Evidence, ...]
) -> Finding:
    evidence = flag + evidence_of(site.raw, facts.path, facts.type.value)
    if facts.type is not FileType.MISSING:
        because = f"{path} could not be looked at: {facts.problem or facts.type.value}"
        return Finding.error(replica.name, because, evidence, aspect=POLICY)
    if site.facts.processes is not None and mounts_known(replica):
        because = f"it was started with {path}, which is no more on the node"
        return Finding.failed(replica.name, because, evidence, aspect=POLICY)
    question = f"Was {path} of {replica.name} changed after the server was started?"
    because = f"{path} is not in the tree that was looked at"
    return Finding.manual(replica.name, because, question, evidence, aspect=POLICY)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """When a server was started, and where that stands."""

    at: datetime
    raw: Raw
    location: str
    restarts: int | None = None


def _start(site: Site, replica: Replica) -> _Start | None:
    """The earliest start of what runs with this policy: none of them may have read another."""
    wanted = replica.settings.policy_file
    own = replica.server
    found: list[_Start] = []
    for process in site.facts.processes or ():
        arguments = _server_arguments(process)
        runs = arguments is not None and arguments.value("audit-policy-file") == wanted
        if process.started is not None and (runs or (_tool(process) and own and own.on_host)):
            location = f"pid {process.pid}"
            found.append(_Start(at=process.started, raw=site.raw, location=location))
    restarts = [pod.value.restarts for pod in site.pods if pod.value.restarts is not None]
    for pod in site.pods:
        if pod.value.started_at is not None and not found:
            location = f"{pod.value.name} startedAt"
            found.append(_Start(at=pod.value.started_at, raw=pod.raw, location=location))
    first = min(found, key=lambda start: start.at, default=None)
    if first is None:
        return None
    return _Start(
        at=first.at, raw=first.raw, location=first.location, restarts=max(restarts, default=None)
    )


def _judged(
    site: Site, replica: Replica, way: tuple[FileFacts, ...], start: _Start, params: Params
) -> Finding:
    latest = max(way, key=_last_change)
    change = _last_change(latest)
    evidence = evidence_of(start.raw, start.location, f"started {_at(start.at)}")
    evidence += evidence_of(site.raw, latest.path, _times(latest))
    notes = _restarts(start)
    skew = timedelta(seconds=params.clock_skew_seconds)
    if change > start.at + skew:
        what = "was changed"
        if latest.modified is not None and latest.modified <= start.at + skew:
            what = "(its inode, whatever its mtime says) was changed or put in place"
        because = (
            f"{latest.path} {what} at {_at(change)}, after the server was started at "
            f"{_at(start.at)}: kube-apiserver never reads its policy again"
        )
        return Finding.failed(replica.name, because, evidence, aspect=POLICY, notes=notes)
    if change > start.at - skew:
        notes += (f"within {params.clock_skew_seconds} s of the start: which came first is open",)
    because = f"{latest.path} was last changed at {_at(change)}, and the server started after it"
    return Finding.passed(replica.name, because, evidence, aspect=POLICY, notes=notes)


def _restarts(start: _Start) -> tuple[str, ...]:
    """A policy that was swapped, loaded and put back needs a start for each."""
    if not start.restarts:
        return ()
    return (f"its container was started again {start.restarts} times: do you know why?",)


def _exists(facts: FileFacts) -> bool:
    return facts.type in (FileType.FILE, FileType.LINK, FileType.FOLDER)


_NEVER: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _last_change(facts: FileFacts) -> datetime:
    """The later of mtime, which anybody who may write can set, and ctime, which nobody can."""
    return max(facts.modified or _NEVER, facts.changed or _NEVER)


def _times(facts: FileFacts) -> str:
    modified = _at(facts.modified) if facts.modified else "unknown"
    changed = _at(facts.changed) if facts.changed else "unknown"
    return f"mtime {modified}, ctime {changed}"


def _at(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
