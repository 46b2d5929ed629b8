"""KC-MON-001: a log forwarder runs and is Ready on every node."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.checks.interface import check
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.forwarder_config.globs import wildcard_matches
from kcompliance.model.in_force import replicas
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind, Raw, Unreadable
from kcompliance.model.workloads import (
    FORWARDER_IMAGES,
    DaemonSet,
    Node,
    NodeKind,
    Pod,
    read_daemon_set,
    read_node,
    read_pod,
    reads_logs_of_node,
    runs_image,
)

__all__ = ["Params", "forwarder_is_ready_on_every_node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-MON-001."""

    image_regex: str = FORWARDER_IMAGES
    exclude_nodes: tuple[str, ...] = ()
    restarts_max: int = 5
    agentless: bool = False


_COVERAGE, _RESTARTS = "coverage", "restarts"
_ASPECTS = (_COVERAGE, _RESTARTS)
_KINDS = (Kind.NODES, Kind.DAEMON_SETS, Kind.FORWARDER_PODS, Kind.OBJECTS)
_SHOWN = 5
_DAY = timedelta(days=1)


@check("KC-MON-001", params=Params)
def forwarder_is_ready_on_every_node(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """A log forwarder runs and is Ready on every node

    The nodes themselves are counted, not what the DaemonSet wants: taints and selectors make it
    want less without a word.
    """
    for aspect in _ASPECTS:
        for gap in cluster.gaps_in(*_KINDS):
            yield Finding.unreadable(gap, aspect=aspect)
    seen = _Seen.of(cluster, params)
    for aspect in _ASPECTS:
        if isinstance(seen, _Seen):
            yield from seen.coverage() if aspect == _COVERAGE else [seen.restarts()]
        elif seen is not None:
            yield seen.on(cluster.name, aspect)


@dataclass(frozen=True, slots=True)
class _Says:
    """The same verdict on both aspects."""

    error: str = ""
    manual: str = ""

    def on(self, name: str, aspect: str) -> Finding:
        if self.error:
            return Finding.error(name, self.error, aspect=aspect)
        return Finding.manual(
            name,
            self.manual,
            "Does a log forwarder run on every node, those of the control plane too, and is it "
            "Ready there? Scan the cluster itself: its pods tell.",
            aspect=aspect,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The nodes, the forwarders and their pods, of a cluster that listed them all."""

    cluster: Cluster
    params: Params
    nodes: tuple[Node, ...]
    forwarders: tuple[DaemonSet, ...]
    others: tuple[str, ...]
    """DaemonSets with such an image that mount no logs."""
    pods: tuple[Pod, ...]
    raws: tuple[Raw, ...]
    """The list of nodes, that of DaemonSets, and that of pods."""

    @classmethod
    def of(cls, cluster: Cluster, params: Params) -> "_Seen | _Says | None":
        """None: a reading failed, and that was said."""
        try:
            re.compile(params.image_regex)
        except re.error as error:
            because = f'image_regex "{params.image_regex}" is no regular expression: {error}'
            return _Says(error=because)
        kinds = (Kind.NODES, Kind.DAEMON_SETS, Kind.FORWARDER_PODS)
        listings = [cluster.listed(kind) for kind in kinds]
        if any(isinstance(each, Unreadable) for each in listings):
            return None
        nodes, sets, pods = listings
        if not (isinstance(nodes, Listing) and nodes.whole):
            return _Says(manual=_partly(nodes, sets))
        if not (isinstance(sets, Listing) and sets.whole):
            return _Says(manual=_partly(nodes, sets))
        if not (isinstance(pods, Listing) and pods.whole):
            return _Says(manual="the pods of its forwarders are not in what was given")
        found = [read_daemon_set(each) for each, _ in sets.of_kind("DaemonSet")]
        matching = [each for each in found if runs_image(each, params.image_regex)]
        return cls(
            cluster=cluster,
            params=params,
            nodes=tuple(_by_name(read_node(each) for each, _ in nodes.of_kind("Node"))),
            forwarders=tuple(each for each in matching if reads_logs_of_node(each)),
            others=tuple(each.title for each in matching if not reads_logs_of_node(each)),
            pods=tuple(read_pod(each) for each, _ in pods.of_kind("Pod")),
            raws=tuple(raw for each in (nodes, sets, pods) for raw in each.raws),
        )

    # --- coverage ------------------------------------------------------------------------------

    def coverage(self) -> Iterator[Finding]:
        """One verdict on all nodes that count, and a question for each kind that does not."""
        if self.params.agentless:
            because = "declared agentless: nothing is to run on the nodes"
            yield self._finding("not_applicable", because)
            return
        if not self.nodes:
            yield self._manual(
                self.cluster.name, "the cluster has no nodes", "On what do its pods run?"
            )
            return
        yield self._of_counted()
        yield from self._set_apart()

    def _of_counted(self) -> Finding:
        counted = [node for node in self.nodes if self._counts(node)]
        lacking = [node for node in counted if node.name not in self._covered()]
        unknown = self._of_unknown_pods()
        notes = tuple(self._notes())
        if not lacking:
            if not counted:
                return self._manual(
                    self.cluster.name,
                    "no node is left that counts",
                    "Is exclude_nodes as it should be? It names every node.",
                )
            control = sum(node.control_plane for node in counted)
            names = ", ".join(each.title for each in self.forwarders)
            because = (
                f"{names} is Ready on each of {len(counted)} nodes, {control} of them of the "
                "control plane"
            )
            return self._finding("pass", because, notes)
        if unknown:
            return self._manual(
                self.cluster.name,
                f"the pods of {', '.join(unknown)}, which image_regex names, are not collected",
                f"Are they Ready on {_some([node.name for node in lacking])}?",
            )
        if not self.forwarders:
            because = "no DaemonSet is a log forwarder"
            if self.others:
                because += f": {_some(self.others)} mount no log folder of the node"
            notes = (*notes, "one that the node itself runs, without a pod, is not seen")
            return self._finding("fail", because, notes)
        why = [f"{node.name} ({self._why(node)})" for node in lacking]
        because = (
            f"{len(lacking)} of {len(counted)} nodes have no log forwarder that is Ready: "
            f"{_some(why)}"
        )
        return self._finding("fail", because, notes)

    def _counts(self, node: Node) -> bool:
        """A node of the control plane counts also where no new pods are let in."""
        if node.kind is not NodeKind.LINUX or self._excluded(node):
            return False
        if node.name in self._covered():
            return True
        return node.ready and (node.control_plane or not node.cordoned)

    def _excluded(self, node: Node) -> bool:
        return any(wildcard_matches(pattern, node.name) for pattern in self.params.exclude_nodes)

    def _covered(self) -> frozenset[str]:
        names = {(each.namespace, each.name) for each in self.forwarders}
        return frozenset(
            pod.node for pod in self.pods if pod.ready and (pod.namespace, pod.owner) in names
        )

    def _of_unknown_pods(self) -> list[str]:
        """The collector knows the usual images only."""
        return [each.title for each in self.forwarders if not runs_image(each, FORWARDER_IMAGES)]

    def _why(self, node: Node) -> str:
        reasons = []
        for each in self.forwarders:
            owned = [p for p in self.pods if (p.namespace, p.owner) == (each.namespace, each.name)]
            pod = next((pod for pod in owned if pod.node == node.name), None)
            if pod is not None:
                waits = f": {pod.waiting}" if pod.waiting else ""
                reasons.append(f"pod {pod.name} is not Ready{waits}")
                continue
            taints = [taint for taint in node.taints if not each.tolerates(taint)]
            if taints:
                reasons.append(f"{each.title} does not tolerate {taints[0].key}:{taints[0].effect}")
            else:
                reasons.append(f"{each.title} has no pod there")
        return "; ".join(reasons)

    def _set_apart(self) -> Iterator[Finding]:
        """Nodes of which no pod of a DaemonSet could tell."""
        left = [
            node
            for node in self.nodes
            if not self._excluded(node) and node.name not in self._covered()
        ]
        for kind, what in _NO_PODS.items():
            names = [node.name for node in left if node.kind is kind]
            if names:
                yield self._manual(
                    f"{self.cluster.name} {kind} nodes",
                    f"{_some(names)}: {what}",
                    "What collects the logs of these nodes?",
                )
        silent = [node.name for node in left if node.kind is NodeKind.LINUX and not node.ready]
        if silent:
            yield self._manual(
                f"{self.cluster.name} silent nodes",
                f"{_some(silent)}: NotReady, so that nobody tells how its pods fare",
                "Do these nodes still run, and does a forwarder read their logs?",
            )
        missing = self._control_plane_not_listed()
        if missing:
            yield self._manual(
                f"{self.cluster.name} control plane",
                missing,
                "Where does kube-apiserver run, and does a log forwarder run there?",
            )

    def _control_plane_not_listed(self) -> str | None:
        if self.cluster.platform in (Platform.AKS, Platform.EKS):
            return None
        names = {node.name for node in self.nodes}
        hosts = {
            replica.server.node for replica in replicas(self.cluster) if replica.server is not None
        }
        known = {host for host in hosts if host}
        if strange := sorted(known - names):
            return f"kube-apiserver runs on {_some(strange)}, which is no node of the list"
        if known or any(node.control_plane for node in self.nodes):
            return None
        return "no node is labelled as one of the control plane"

    def _notes(self) -> Iterator[str]:
        apart = [node.name for node in self.nodes if self._excluded(node)]
        if apart:
            yield f"left out by exclude_nodes: {_some(apart)}"
        cordoned = [
            node.name
            for node in self.nodes
            if node.cordoned and node.ready and not self._counts(node) and not self._excluded(node)
        ]
        if cordoned:
            yield f"cordoned and without a forwarder: {_some(cordoned)}"
        for each in self.forwarders:
            if each.desired is not None and each.desired != each.ready:
                yield f"{each.title} wants {each.desired} pods, and {each.ready or 0} are Ready"
        if self.cluster.platform in (Platform.AKS, Platform.EKS):
            yield "the audit log itself is not on these nodes: this is about logs of containers"

    # --- restarts ------------------------------------------------------------------------------

    def restarts(self) -> Finding:
        """Whether a forwarder falls over again and again, although Ready at this moment."""
        names = {(each.namespace, each.name) for each in self.forwarders}
        pods = sorted(
            (pod for pod in self.pods if (pod.namespace, pod.owner) in names),
            key=lambda pod: (pod.namespace, pod.name),
        )
        if not pods:
            return self._finding(
                "not_applicable", "there is no pod of a log forwarder", aspect=_RESTARTS
            )
        now = self.raws[-1].origin.collected_at
        judged = [(pod, _restarts_much(pod, now, self.params.restarts_max)) for pod in pods]
        much = [f"{pod.name} on {pod.node} ({pod.restarts})" for pod, bad in judged if bad]
        unsure = [
            f"{pod.name} on {pod.node} ({pod.restarts})" for pod, bad in judged if bad is None
        ]
        most = self.params.restarts_max
        if much:
            because = f"{most} restarts a day or more, or in a crash loop: {_some(much)}"
            return self._finding("fail", because, aspect=_RESTARTS)
        if unsure:
            return self._manual(
                self.cluster.name,
                f"{_some(unsure)} restarted within the last day, and how often of all is not told",
                "How many of these restarts were within the last 24 hours?",
                aspect=_RESTARTS,
            )
        because = f"none of {len(pods)} pods restarted {most} times within a day"
        return self._finding("pass", because, aspect=_RESTARTS)

    # --- findings ------------------------------------------------------------------------------

    def _evidence(self) -> tuple[Evidence, ...]:
        nodes, sets = self.raws[0], self.raws[1]
        evidence = evidence_of(nodes, "items", f"{len(self.nodes)} nodes")
        for each in self.forwarders[:_SHOWN]:
            quote = f"desired {each.desired}, ready {each.ready}"
            evidence += evidence_of(sets, f"DaemonSet {each.title}", quote)
        if not self.forwarders:
            evidence += evidence_of(sets, "items", "no log forwarder")
        ready = sum(pod.ready for pod in self.pods)
        return evidence + evidence_of(self.raws[2], "items", f"{ready} of {len(self.pods)} Ready")

    def _finding(
        self, verdict: str, because: str, notes: tuple[str, ...] = (), *, aspect: str = _COVERAGE
    ) -> Finding:
        make = {
            "pass": Finding.passed,
            "fail": Finding.failed,
            "not_applicable": Finding.not_applicable,
        }[verdict]
        return make(self.cluster.name, because, self._evidence(), aspect=aspect, notes=notes)

    def _manual(
        self, resource: str, because: str, question: str, *, aspect: str = _COVERAGE
    ) -> Finding:
        return Finding.manual(resource, because, question, self._evidence(), aspect=aspect)


_NO_PODS = {
    NodeKind.WINDOWS: "a forwarder for Linux does not run there",
    NodeKind.VIRTUAL: "no DaemonSet has pods there",
}


def _partly(nodes: object, sets: object) -> str:
    """Objects out of files are a part of what there is."""
    if isinstance(nodes, NotAsked) and isinstance(sets, NotAsked):
        return "neither nodes nor DaemonSets are in what was given"
    given = [
        f"{len(each.objects)} {what}"
        for each, what in ((nodes, "nodes"), (sets, "DaemonSets"))
        if isinstance(each, Listing)
    ]
    return f"only {' and '.join(given)} out of files are known, and not which pods are Ready"


def _restarts_much(pod: Pod, now: datetime, most: int) -> bool | None:
    """None: there were enough, and not all of them within a day, maybe."""
    if pod.waiting == "CrashLoopBackOff":
        return True
    if pod.restarts < max(most, 1):
        return False
    if pod.running_since is not None and now - pod.running_since > _DAY:
        return False
    if pod.started is None:
        return None
    days = max((now - pod.started) / _DAY, 1.0)
    return True if pod.restarts / days >= most else None


def _by_name(nodes: Iterator[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: node.name)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
