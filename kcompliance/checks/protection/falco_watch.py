"""Whether Falco on a node reports writes to a path."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from kcompliance.checks.protection.watch import State, Watch
from kcompliance.model.apiserver.plain_data import at, mapping, text
from kcompliance.model.auditd.coverage import Target
from kcompliance.model.cluster import Cluster
from kcompliance.model.falco.coverage import FalcoCoverage, reports_writes
from kcompliance.model.falco.rules import FalcoRules, NotFalcoRules, read_falco_rules
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.host_audit import HostAudit, Subject
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.workloads import (
    WATCHER_IMAGES,
    DaemonSet,
    read_daemon_set,
    read_node,
    runs_image,
)

__all__ = [
    "FalcoOnNode",
    "RulesText",
    "evidence_of_texts",
    "falco_on",
    "falco_texts",
    "watched_by_falco",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesText:
    """A rules file of Falco, and where it stands."""

    name: str
    content: bytes
    raw: Raw
    location: str = "whole file"


def falco_texts(cluster: Cluster, host: HostAudit) -> tuple[RulesText, ...]:
    """The rules files of this node and those in ConfigMaps, in the order that Falco reads them."""
    found = [
        RulesText(name=raw.origin.resource, content=raw.content, raw=raw) for raw in host.falco
    ]
    listing = cluster.listed(Kind.CONFIG_MAPS)
    if isinstance(listing, Listing):
        for document, raw in listing.of_kind("ConfigMap"):
            found += _in_config_map(document, raw)
    return tuple(sorted(found, key=lambda each: _order(each.name)))


def _in_config_map(document: Mapping[str, object], raw: Raw) -> Iterator[RulesText]:
    name = text(at(document, "metadata", "name")) or "?"
    for key, value in sorted(mapping(document.get("data")).items()):
        if isinstance(value, str) and key.endswith((".yaml", ".yml")) and _RULE.search(value):
            yield RulesText(
                name=f"{raw.origin.resource} {name}/{key}",
                content=value.encode(),
                raw=raw,
                location=f"ConfigMap {name}: data.{key}",
            )


_RULE = re.compile(r"^\s*- +[\"']?(rule|macro)[\"']?\s*:", re.MULTILINE)


def _order(name: str) -> tuple[int, str]:
    """Falco's own file, then the local changes to it, then what lies beside them."""
    file = PurePosixPath(name).name
    return (0 if file == "falco_rules.yaml" else 1 if "local" in file else 2), name


@dataclass(frozen=True, slots=True, kw_only=True)
class FalcoOnNode:
    """Falco's rules for a node, read once, and whether it runs there."""

    texts: tuple[RulesText, ...]
    rules: FalcoRules | str
    """Text: why they could not be read."""
    runs: "_Runs"


def falco_on(cluster: Cluster, host: HostAudit, subject: Subject) -> FalcoOnNode:
    """What was given of Falco on this node."""
    texts = falco_texts(cluster, host)
    rules: FalcoRules | str
    try:
        rules = read_falco_rules([(each.name, each.content) for each in texts])
    except NotFalcoRules as error:
        rules = str(error)
    return FalcoOnNode(texts=texts, rules=rules, runs=_runs(cluster, host, subject))


def watched_by_falco(
    falco: FalcoOnNode, subject: Subject, target: Target, paths: tuple[str, ...]
) -> Watch:
    """What Falco's rules report; `paths` are files that stand for all of the target's."""
    texts, runs = falco.texts, falco.runs
    if not texts:
        return _without_rules(subject, target, runs)
    if isinstance(falco.rules, str):
        return Watch(
            state=State.QUESTION,
            because=falco.rules,
            question=f"Does Falco on {subject.name} report writes to {target.path}?",
            evidence=_whole(texts),
        )
    coverage = reports_writes(falco.rules, paths)
    evidence = _quotes(texts, coverage) + runs.evidence
    notes = coverage.notes + tuple(falco.rules.problems[:5])
    if coverage.missing:
        because = f"Falco: {'; '.join(coverage.missing)}"
        evidence = evidence or _whole(texts)
        return Watch(state=State.SILENT, because=because, evidence=evidence, notes=notes)
    if coverage.questions:
        return Watch(
            state=State.QUESTION,
            because=f"Falco: {'; '.join(coverage.questions)}",
            question=f"Does Falco on {subject.name} report whoever writes to {target.path}, and "
            "is what its rules leave out meant to be?",
            evidence=evidence,
            notes=notes,
        )
    return _by_rules(subject, target, runs, coverage, evidence, notes)


def _by_rules(
    subject: Subject,
    target: Target,
    runs: "_Runs",
    coverage: FalcoCoverage,
    evidence: tuple[Evidence, ...],
    notes: tuple[str, ...],
) -> Watch:
    names = ", ".join(f'"{rule.name}"' for rule in coverage.rules)
    if runs.state is State.REPORTS:
        notes += (
            "Falco goes by the path as the writing process sees it: a container that mounts the "
            "folder at another place is not reported; an auditd rule is",
            "changes of attributes alone are not asked of Falco",
            "that Falco loads these very files was not seen",
        )
        return Watch(
            state=State.REPORTS,
            because=f"Falco reports writes to {target.path} by {names}, and {runs.because}",
            evidence=evidence,
            notes=notes,
        )
    because = f"rules of Falco would report writes to {target.path} ({names}), and {runs.because}"
    question = f"Does Falco run on {subject.name} with these rules?"
    state = State.SILENT if runs.state is State.SILENT else State.QUESTION
    asked = question if state is State.QUESTION else ""
    return Watch(state=state, because=because, question=asked, evidence=evidence, notes=notes)


def _without_rules(subject: Subject, target: Target, runs: "_Runs") -> Watch:
    if runs.state is State.REPORTS or runs.seen:
        return Watch(
            state=State.QUESTION,
            because=f"{runs.because}, and its rules are not in what was given",
            question=f"Do Falco's rules on {subject.name} report writes to {target.path}? Add its "
            "rules files or their ConfigMaps to the scan.",
            evidence=runs.evidence,
        )
    return Watch(state=State.UNKNOWN)


# --- whether it runs there -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """Whether Falco runs on a node; `seen`: something of it was."""

    state: State
    because: str
    seen: bool = False
    evidence: tuple[Evidence, ...] = ()


def _runs(cluster: Cluster, host: HostAudit, subject: Subject) -> _Runs:
    process = host.process("falco", "falco-bpf", "falco-modern-bpf", "falco-kmod")
    if process and host.facts:
        evidence = evidence_of(host.facts.raw, "processes", f"{process.name}, {process.pid}")
        because = f"Falco runs on {subject.name}"
        return _Runs(state=State.REPORTS, because=because, seen=True, evidence=evidence)
    if host.processes_seen and host.facts:
        evidence = evidence_of(host.facts.raw, "processes", "no falco")
        because = f"Falco does not run on {subject.name}"
        return _Runs(state=State.SILENT, because=because, evidence=evidence)
    listing = cluster.listed(Kind.DAEMON_SETS)
    if isinstance(listing, Listing):
        for document, raw in listing.of_kind("DaemonSet"):
            found = read_daemon_set(document)
            if runs_image(found, WATCHER_IMAGES):
                return _of_daemon_set(cluster, found, raw, subject)
    return _Runs(state=State.UNKNOWN, because="that Falco runs was not seen")


def _of_daemon_set(cluster: Cluster, found: DaemonSet, raw: Raw, subject: Subject) -> _Runs:
    quote = f"desired {found.desired}, ready {found.ready}"
    evidence = evidence_of(raw, f"DaemonSet {found.title}: status", quote)
    ready = found.ready or 0
    if ready < 1 or ready < (found.desired or 0):
        because = f"the DaemonSet {found.title} is not ready everywhere ({quote})"
        return _Runs(state=State.QUESTION, because=because, seen=True, evidence=evidence)
    reaches = _reaches(cluster, found, subject)
    if reaches is not None:
        because = f"the DaemonSet {found.title} may not run on {subject.name}: {reaches}"
        return _Runs(state=State.QUESTION, because=because, seen=True, evidence=evidence)
    because = f"the DaemonSet {found.title} is ready on all its {ready} nodes"
    return _Runs(state=State.REPORTS, because=because, seen=True, evidence=evidence)


def _reaches(cluster: Cluster, found: DaemonSet, subject: Subject) -> str | None:
    """Why its pods may not be on this node; None where they are on all nodes there are."""
    listing = cluster.listed(Kind.NODES)
    if not isinstance(listing, Listing) or not listing.whole:
        return "the nodes of the cluster are not listed"
    nodes = [read_node(document) for document, _ in listing.of_kind("Node")]
    if subject.node not in [node.name for node in nodes]:
        return "which node that is was not told"
    if (found.ready or 0) >= len(nodes):
        return None
    taints = next(node.taints for node in nodes if node.name == subject.node)
    kept = [taint.key for taint in taints if not found.tolerates(taint)]
    if kept:
        return f"it does not tolerate {', '.join(kept)}"
    return f"it has {found.ready} pods for {len(nodes)} nodes"


# --- evidence ------------------------------------------------------------------------------------


def evidence_of_texts(falco: FalcoOnNode) -> tuple[Evidence, ...]:
    """Which texts of rules were given."""
    return _whole(falco.texts)


def _whole(texts: tuple[RulesText, ...]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(raw=each.raw, location=each.location, quote=each.name) for each in texts[:10]
    )


def _quotes(texts: tuple[RulesText, ...], coverage: FalcoCoverage) -> tuple[Evidence, ...]:
    by_name = {each.name: each for each in texts}
    return tuple(
        Evidence(
            raw=by_name[rule.source].raw,
            location=f"{by_name[rule.source].location}, rule {rule.name}",
            quote=" ".join(rule.condition.split())[:200],
        )
        for rule in coverage.rules[:10]
        if rule.source in by_name
    )
