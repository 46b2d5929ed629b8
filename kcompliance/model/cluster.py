"""One cluster as the captures of a scan show it; the evidence that checks get."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kcompliance.model.apiserver import ApiServer
from kcompliance.model.approval.approved import Approved
from kcompliance.model.control import Platform
from kcompliance.model.finding import Confidence
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.listing import Listing
from kcompliance.model.metrics import AuditMetrics
from kcompliance.model.node_facts import NodeFacts
from kcompliance.model.reading import Absent, Kind, Raw, Reading, Seen, Unreadable
from kcompliance.model.webhook_config import WebhookFile

__all__ = ["Cluster", "NotAsked", "PolicyText", "PublishedPolicy"]


@dataclass(frozen=True, slots=True)
class NotAsked:
    """This input cannot hold it (files have no `/metrics`), so nothing is said by its lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """The text of an audit policy and where it stands."""

    name: str
    """For people: the file, and the place in it where it is embedded."""
    text: bytes
    raw: Raw
    location: str = ""
    path: str | None = None
    """The path on the node, where the source tells it: the file's own, or a `files[].path`."""
    config_map: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPolicy:
    """A provider's policy, which no customer can read from a cluster or change."""

    policy: PolicyText
    confidence: Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Everything known of one cluster."""

    name: str
    platform: Platform | None
    """None: nothing that was read tells."""
    platform_because: str
    platform_raw: tuple[Raw, ...] = ()
    live: bool
    version: KubernetesVersion | None = None
    api_servers: tuple[Seen[ApiServer], ...] = ()
    policies: tuple[PolicyText, ...] = ()
    webhook_files: tuple[WebhookFile, ...] = ()
    published: PublishedPolicy | None = None
    """The policy that the platform's provider runs; None where the owner brings one."""
    flagz: Reading[Mapping[str, str]] | NotAsked = NotAsked()
    metrics: Reading[AuditMetrics] | NotAsked = NotAsked()
    listings: Mapping[Kind, Listing | Unreadable | Absent] = field(default_factory=dict)
    nodes: tuple[Seen[NodeFacts], ...] = ()
    """The nodes that were looked at from within, by `--node-root` or out of a bundle of it."""
    texts: Mapping[Kind, tuple[Raw, ...]] = field(default_factory=dict)
    """Texts that only the checks of one subject understand, such as rules of auditd."""
    approved: Reading[Approved] | NotAsked = NotAsked()
    """What somebody approved of, of this cluster and of others."""
    absents: tuple[Absent, ...] = ()
    """What its source said it has none of."""
    gaps: tuple[Unreadable, ...] = ()
    """All that was asked for and could not be read or understood."""

    def listed(self, kind: Kind) -> Listing | Unreadable | Absent | NotAsked:
        """The objects of a kind; NotAsked where nothing given could hold them."""
        return self.listings.get(kind, NotAsked())

    def gaps_in(self, *kinds: Kind) -> tuple[Unreadable, ...]:
        """The gaps of these kinds, and those behind which anything may be hidden.

        Such are a file of an unknown kind, and a cluster or cloud that was not reached at all.
        """
        anything = (Kind.FILE, Kind.ENDPOINT, Kind.AKS_CLUSTER, Kind.EKS_CLUSTER)
        return tuple(gap for gap in self.gaps if gap.origin.kind in (*kinds, *anything))
