"""DaemonSets that read the kernel's audit of their nodes, in the place of auditd or for it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.auditd.rules import load_rules
from kcompliance.model.auditd.text import lines_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.listing import KubernetesObject, Listing
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.workloads import (
    DaemonSet,
    NodeKind,
    config_maps_used,
    read_daemon_set,
    read_node,
    read_pod,
    runs_image,
)

__all__ = ["AuditDaemonSet", "audit_daemon_sets", "plural"]

_READERS = "auditbeat|go-audit"
_STARTERS = "cos-auditd"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDaemonSet:
    """One DaemonSet; `nodes` None: on all nodes of the cluster."""

    title: str
    because: str
    nodes: frozenset[str] | None
    faults: tuple[str, ...] = ()
    question: str = ""
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    def runs_on(self, node: str | None) -> bool:
        """Whether a pod of it was seen to be ready on this node."""
        return self.nodes is None or node in self.nodes


def audit_daemon_sets(cluster: Cluster) -> tuple[AuditDaemonSet, ...]:
    """Those that are auditbeat, go-audit or cos-auditd by image or by name."""
    listing = cluster.listed(Kind.DAEMON_SETS)
    if not isinstance(listing, Listing):
        return ()
    found = []
    for document, raw in listing.of_kind("DaemonSet"):
        each = read_daemon_set(document)
        if runs_image(each, _READERS) or re.search(f"{_READERS}|{_STARTERS}", each.name):
            found.append(_judged(cluster, each, document, raw))
    return tuple(sorted(found, key=lambda each: each.title))


def _judged(
    cluster: Cluster, found: DaemonSet, document: KubernetesObject, raw: Raw
) -> AuditDaemonSet:
    title = f"the DaemonSet {found.title}"
    quote = f"desired {found.desired}, ready {found.ready}"
    evidence = evidence_of(raw, f"{title}: status", quote)
    starter = re.search(_STARTERS, found.name) is not None
    rules, more = _rules(cluster, found)
    question = ""
    if not rules and not starter:
        question = "no audit rules of it are in what was given"
    notes = ("it starts the node's own auditd and its rules",) if starter else ()
    return AuditDaemonSet(
        title=title,
        because=f"with {plural(rules)}" if rules else "with the rules of the node's own auditd",
        nodes=_where(cluster, found),
        faults=tuple(_faults(document)),
        question=question,
        notes=(*notes, "whether its records leave the node is asked by KC-MON-002"),
        evidence=(*evidence, *more),
    )


def _where(cluster: Cluster, found: DaemonSet) -> frozenset[str] | None:
    """The nodes with a pod of it that is ready; None: as many pods as there are nodes."""
    ready = found.ready or 0
    nodes = cluster.listed(Kind.NODES)
    if isinstance(nodes, Listing) and nodes.whole:
        kinds = [read_node(each).kind for each, _ in nodes.of_kind("Node")]
        if 0 < sum(kind is NodeKind.LINUX for kind in kinds) <= ready:
            return None
    pods = cluster.listed(Kind.FORWARDER_PODS)
    seen = [read_pod(pod) for pod, _ in pods.objects] if isinstance(pods, Listing) else []
    return frozenset(
        pod.node
        for pod in seen
        if pod.ready and (pod.namespace, pod.owner) == (found.namespace, found.name)
    )


def _faults(document: KubernetesObject) -> Iterator[str]:
    """What a container needs that reads the audit of its node: the node's processes, and a right.

    Source: capabilities(7), CAP_AUDIT_CONTROL and CAP_AUDIT_READ.
    """
    pod = at(document, "spec", "template", "spec")
    containers = [
        at(each, "securityContext")
        for kind in ("containers", "initContainers")
        for each in sequence(at(pod, kind))
    ]
    privileged = any(at(each, "privileged") is True for each in containers)
    rights = {
        right.upper().removeprefix("CAP_")
        for each in containers
        for right in texts(at(each, "capabilities", "add"))
    }
    if not privileged and not rights & {"AUDIT_CONTROL", "AUDIT_READ", "ALL"}:
        yield (
            "it may not read the kernel's audit: it has neither AUDIT_CONTROL nor AUDIT_READ and "
            "is not privileged"
        )
    if at(pod, "hostPID") is not True and not privileged:
        yield "it does not share the node's processes (hostPID)"


_RULE = re.compile(r"^ *(-w /|-a (always|never|exit|task)\b)", re.MULTILINE)


def _rules(cluster: Cluster, found: DaemonSet) -> tuple[int, tuple[Evidence, ...]]:
    """How many audit rules stand in the ConfigMaps that its pods mount."""
    listing = cluster.listed(Kind.CONFIG_MAPS)
    if not isinstance(listing, Listing):
        return 0, ()
    used = {use.name for use in config_maps_used(found)}
    count = 0
    evidence: tuple[Evidence, ...] = ()
    for document, raw in listing.of_kind("ConfigMap"):
        name = text(at(document, "metadata", "name")) or ""
        namespace = text(at(document, "metadata", "namespace")) or "default"
        if name not in used or namespace != found.namespace:
            continue
        for key, value in sorted(mapping(document.get("data")).items()):
            lines = [line.strip() for line in value.split("\n")] if isinstance(value, str) else []
            written = "\n".join(line for line in lines if _RULE.match(line))
            rules = len(load_rules(lines_of(name, written), listed=True).rules)
            if rules:
                count += rules
                evidence += evidence_of(raw, f"ConfigMap {name}: data.{key}", plural(rules))
    return count, evidence


def plural(count: int) -> str:
    """So many rules, in words."""
    return "1 rule" if count == 1 else f"{count} rules"
