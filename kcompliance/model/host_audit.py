"""What was given of the audit and the watchers of one node, and of which node a text is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from kcompliance.model.auditd.rules import AuditdRules, load_rules
from kcompliance.model.auditd.status import AuditdStatus, read_status
from kcompliance.model.auditd.text import SourceLine, is_listing, join_as_augenrules, lines_of
from kcompliance.model.cluster import Cluster
from kcompliance.model.listing import Listing
from kcompliance.model.node_facts import NodeFacts, ProcessFacts
from kcompliance.model.on_node import node_of
from kcompliance.model.reading import Kind, Raw, Seen
from kcompliance.model.workloads import read_node

__all__ = [
    "HostAudit",
    "RuleSet",
    "Subject",
    "host_audit",
    "known_nodes",
    "place_of",
    "unreadable_texts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules that are loaded together, and the texts that they stand in."""

    found: AuditdRules
    raws: tuple[Raw, ...]

    def raw_of(self, source: str) -> Raw:
        """The text of this name."""
        return next((raw for raw in self.raws if raw.origin.resource == source), self.raws[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A node to be judged: by its name, or by where its own files were given."""

    name: str
    """For people."""
    node: str | None = None
    resource: str = ""
    alone: bool = False
    """Whether it is the only one that can be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAudit:
    """What was given of one node; of a node that nobody looked at, nothing."""

    listed: tuple[RuleSet, ...] = ()
    """What `auditctl -l` showed."""
    files: tuple[RuleSet, ...] = ()
    """What is to be loaded when the node starts."""
    statuses: tuple[Seen[AuditdStatus], ...] = ()
    falco: tuple[Raw, ...] = ()
    facts: Seen[NodeFacts] | None = None

    def process(self, *names: str) -> ProcessFacts | None:
        """A running process of one of these names."""
        processes = (self.facts.value.processes or ()) if self.facts else ()
        return next((found for found in processes if found.name in names), None)

    @property
    def processes_seen(self) -> bool:
        """Whether it was seen what runs."""
        return self.facts is not None and self.facts.value.processes is not None


def known_nodes(cluster: Cluster) -> frozenset[str]:
    """The names of all nodes that anything tells of."""
    names = {seen.value.node for seen in cluster.nodes}
    names |= {seen.value.node for seen in cluster.api_servers if seen.value.node}
    names |= {node for raws in cluster.texts.values() for raw in raws if (node := node_of(raw))}
    listing = cluster.listed(Kind.NODES)
    if isinstance(listing, Listing):
        names |= {read_node(found).name for found, _ in listing.of_kind("Node")}
    return frozenset(names)


_TOP_FOLDERS: Final = frozenset({"etc", "var", "run", "proc", "usr"})


def place_of(resource: str) -> tuple[str, ...]:
    """The folder that holds the copy of a node's tree which a file is in; else its own folder."""
    parts = PurePosixPath(resource).parts
    for index, part in enumerate(parts):
        if part in _TOP_FOLDERS:
            return parts[:index]
    return parts[:-1]


def _is_of(raw: Raw, subject: Subject, names: frozenset[str]) -> bool:
    """Whether a text is of this node."""
    resource = raw.origin.resource
    place = place_of(resource)
    named = node_of(raw) or next((part for part in place if part in names), None)
    if named is not None:
        return named == subject.node or (subject.node is None and subject.alone)
    if subject.alone:
        return True
    return bool(place) and bool(subject.resource) and place == place_of(subject.resource)


def _of_no_node(raw: Raw, names: frozenset[str]) -> bool:
    """Whether a text is neither of a node that is known nor in a copy of some node's tree."""
    parts = PurePosixPath(raw.origin.resource).parts
    return node_of(raw) is None and not (names | _TOP_FOLDERS) & set(parts)


def unreadable_texts(cluster: Cluster) -> Iterator[tuple[Raw, str]]:
    """Texts that are not what they were taken for, and why not."""
    for raw in cluster.texts.get(Kind.AUDITD_STATUS, ()):
        if read_status(_text(raw)) is None:
            yield raw, "could not be read: it is no output of auditctl -s"
    for raw in cluster.texts.get(Kind.AUDITD_RULES, ()):
        found = load_rules(_lines(raw), listed=True)
        if found.unread and not found.rules:
            reason = f"line {found.unread[0].line.number}: {found.unread[0].reason}"
            yield raw, f"could not be read: it holds no rules of auditd: {reason}"


def host_audit(cluster: Cluster, subject: Subject) -> HostAudit:
    """What was given of this node."""
    names = known_nodes(cluster)

    def texts(kind: Kind) -> list[Raw]:
        found = cluster.texts.get(kind, ())
        return sorted(
            (raw for raw in found if _is_of(raw, subject, names)),
            key=lambda raw: raw.origin.resource,
        )

    # A broken file of rules ends the loading of those behind it, and so stays among them.
    broken = [
        raw for raw, _ in unreadable_texts(cluster) if not raw.origin.resource.endswith(".rules")
    ]
    rules = [raw for raw in texts(Kind.AUDITD_RULES) if raw not in broken]
    falco = texts(Kind.FALCO_RULES)
    falco += [
        raw
        for raw in cluster.texts.get(Kind.FALCO_RULES, ())
        if raw not in falco and _of_no_node(raw, names)
    ]
    listed = [raw for raw in rules if is_listing(raw.origin.resource, _text(raw))]
    statuses = ((read_status(_text(raw)), raw) for raw in texts(Kind.AUDITD_STATUS))
    facts = [seen for seen in cluster.nodes if seen.value.node == subject.node]
    if subject.node is None and subject.alone and len(cluster.nodes) == 1:
        facts = list(cluster.nodes)
    return HostAudit(
        listed=tuple(
            RuleSet(found=load_rules(_lines(raw), listed=True), raws=(raw,)) for raw in listed
        ),
        files=_files([raw for raw in rules if raw not in listed]),
        statuses=tuple(Seen(value=value, raw=raw) for value, raw in statuses if value),
        falco=tuple(falco),
        facts=facts[0] if facts else None,
    )


def _text(raw: Raw) -> str:
    return raw.content.decode("utf-8", "replace")


def _lines(raw: Raw) -> tuple[SourceLine, ...]:
    return lines_of(raw.origin.resource, _text(raw))


def _files(raws: Iterable[Raw]) -> tuple[RuleSet, ...]:
    """Files of one folder are joined; audit.rules is what came of that, and stands alone."""
    groups: dict[PurePosixPath, list[Raw]] = {}
    for raw in raws:
        path = PurePosixPath(raw.origin.resource)
        whole = path.name == "audit.rules" or path.suffix != ".rules"
        groups.setdefault(
            path if whole and path.parent.name != "rules.d" else path.parent, []
        ).append(raw)
    found = []
    for place, group in groups.items():
        joined = place.name == "rules.d" or len(group) > 1
        lines = join_as_augenrules([_lines(raw) for raw in group]) if joined else _lines(group[0])
        found.append(RuleSet(found=load_rules(lines), raws=tuple(group)))
    return tuple(found)
