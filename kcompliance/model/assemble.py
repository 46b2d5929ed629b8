"""Understands the captures of one target: bytes to one `Cluster`."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kcompliance.model.apiserver import (
    ApiServer,
    api_servers_in,
    parse_command_line,
    parse_flagz,
)
from kcompliance.model.approval.approved import Approved, WrongLock, read_lock
from kcompliance.model.azure.answer import WrongAnswer, resources_in
from kcompliance.model.azure.estate import AZURE_KINDS
from kcompliance.model.azure.resource_id import ResourceId
from kcompliance.model.cluster import Cluster, NotAsked, PolicyText, PublishedPolicy
from kcompliance.model.control import Platform
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.embedded_policy import EmbeddedPolicy, policies_in
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.listing import LISTED, KubernetesObject, Listing, listed_in
from kcompliance.model.metrics import AuditMetrics, read_audit_metrics
from kcompliance.model.node_facts import NodeFacts, read_node_facts
from kcompliance.model.on_node import node_of
from kcompliance.model.reading import Absent, Capture, Kind, Raw, Reading, Seen, Unreadable
from kcompliance.model.webhook_config import WebhookFile, webhook_file

__all__ = ["assemble", "read_version"]


@dataclass(slots=True)
class _Parts:
    """What parsing gathers."""

    live: bool = False
    api_servers: list[Seen[ApiServer]] = field(default_factory=list)
    policies: list[PolicyText] = field(default_factory=list)
    webhook_files: list[WebhookFile] = field(default_factory=list)
    gaps: list[Unreadable] = field(default_factory=list)
    absents: list[Absent] = field(default_factory=list)
    hints: list[tuple[Platform, str, Raw]] = field(default_factory=list)
    versions: list[KubernetesVersion] = field(default_factory=list)
    flagz: Reading[Mapping[str, str]] | NotAsked = field(default_factory=NotAsked)
    metrics: Reading[AuditMetrics] | NotAsked = field(default_factory=NotAsked)
    listings: dict[Kind, Listing | Unreadable | Absent] = field(default_factory=dict)
    texts: dict[Kind, list[Raw]] = field(default_factory=dict)
    approved: Reading[Approved] | NotAsked = field(default_factory=NotAsked)
    nodes: dict[str, Seen[NodeFacts]] = field(default_factory=dict)


def assemble(
    name: str,
    captures: Iterable[Capture],
    platform: Platform | None = None,
    published: Mapping[Platform, PublishedPolicy] | None = None,
) -> Cluster:
    """Understand the captures of one target; a `platform` that the user names wins."""
    parts = _Parts()
    for capture in captures:
        parts.live = parts.live or capture.origin.kind is Kind.ENDPOINT
        if isinstance(capture, Raw):
            _read(capture, parts)
        else:
            _miss(capture, parts)
    decided, because, raws = _platform(parts, platform)
    versions = [*parts.versions, *_image_versions(parts.api_servers)]
    return Cluster(
        name=name,
        platform=decided,
        platform_because=because,
        platform_raw=raws,
        live=parts.live,
        version=min(versions, default=None),
        api_servers=tuple(sorted(parts.api_servers, key=lambda seen: seen.value.name)),
        published=(published or {}).get(decided) if decided else None,
        policies=tuple(sorted(parts.policies, key=lambda policy: policy.name)),
        webhook_files=tuple(sorted(parts.webhook_files, key=lambda file: file.name)),
        flagz=parts.flagz,
        metrics=parts.metrics,
        listings=parts.listings,
        nodes=tuple(parts.nodes[name] for name in sorted(parts.nodes)),
        texts={kind: tuple(raws) for kind, raws in parts.texts.items()},
        approved=parts.approved,
        absents=tuple(parts.absents),
        gaps=tuple(sorted(parts.gaps, key=lambda gap: (gap.origin.resource, gap.reason))),
    )


def _platform(
    parts: _Parts, named: Platform | None
) -> tuple[Platform | None, str, tuple[Raw, ...]]:
    for platform, because, raw in parts.hints:
        if platform is named:  # what was read tells it better than a word
            return platform, because, (raw,)
    if named is not None:
        return named, f"--platform {named.value}", ()
    found = {platform for platform, _, _ in parts.hints}
    if found and parts.api_servers:
        found.add(Platform.SELF_MANAGED)  # no provider shows its API servers
    if len(found) == 1:
        platform, because, raw = parts.hints[0]
        return platform, because, (raw,)
    if parts.api_servers and not found:
        seen = parts.api_servers[0]
        return Platform.SELF_MANAGED, f"runs kube-apiserver itself: {seen.value.name}", (seen.raw,)
    if found:
        names = ", ".join(sorted(platform.value for platform in found))
        return None, f"signs of several platforms ({names}): name one with --platform", ()
    return None, "nothing that was read tells on which platform this cluster runs", ()


def _image_versions(servers: list[Seen[ApiServer]]) -> list[KubernetesVersion]:
    """In the middle of an upgrade one server is older than the one that answered."""
    return [seen.value.version for seen in servers if seen.value.version]


# --- captures to values --------------------------------------------------------------------


def _miss(capture: Unreadable | Absent, parts: _Parts) -> None:
    """What did not come is told, unless another capture of its kind came."""
    if isinstance(capture, Unreadable):
        parts.gaps.append(capture)
    else:
        parts.absents.append(capture)
    kind = capture.origin.kind
    if kind is Kind.FLAGZ and not isinstance(parts.flagz, Seen):
        parts.flagz = capture
    if kind is Kind.METRICS and not isinstance(parts.metrics, Seen):
        parts.metrics = capture
    if kind is Kind.APPROVED and not isinstance(parts.approved, Seen):
        parts.approved = capture
    if kind in _LISTS:
        parts.listings.setdefault(kind, capture)


def _read(raw: Raw, parts: _Parts) -> None:
    reader = _READERS.get(raw.origin.kind)
    if reader is None:
        _gap(raw, "not recognised: nothing that kcompliance knows", parts)
        return
    reader(raw, parts)


def _gap(raw: Raw, reason: str, parts: _Parts) -> None:
    parts.gaps.append(Unreadable(origin=raw.origin, reason=reason))


def _documents(raw: Raw, parts: _Parts) -> list[Any]:
    try:
        return read_documents(raw.content)
    except (Malformed, Unsure) as error:
        _gap(raw, f"could not be read: {error}", parts)
        return []


def _only_mapping(raw: Raw, parts: _Parts) -> Mapping[str, Any]:
    documents = _documents(raw, parts)
    if documents and isinstance(documents[0], dict):
        return documents[0]
    if documents:
        _gap(raw, "could not be read: not a JSON object", parts)
    return {}


def _read_endpoint(raw: Raw, parts: _Parts) -> None:
    server = _only_mapping(raw, parts).get("server")
    host = re.sub(r"^https?://([^/:]+).*$", r"\1", server) if isinstance(server, str) else ""
    for suffixes, platform in (
        ((".azmk8s.io", ".azmk8s.us", ".azmk8s.cn"), Platform.AKS),
        ((".eks.amazonaws.com", ".eks.amazonaws.com.cn"), Platform.EKS),
    ):
        if host.lower().endswith(suffixes):
            parts.hints.append((platform, f"the API server's name is {host}", raw))


def _read_version(raw: Raw, parts: _Parts) -> None:
    version = read_version(raw.content)
    if version is None:
        _gap(raw, "could not be read: no gitVersion in it", parts)
        return
    parts.versions.append(version)
    if b"-eks-" in raw.content:
        parts.hints.append((Platform.EKS, f"its version {version} is one of EKS", raw))


def read_version(data: bytes) -> KubernetesVersion | None:
    """The version in an answer of `/version`, or in `kubectl version -o json`."""
    try:
        answer = read_documents(data)[0]
        text = answer.get("serverVersion", answer)["gitVersion"]
        return KubernetesVersion.parse(text)
    except (Malformed, Unsure, LookupError, AttributeError, TypeError):
        return None


def _read_metrics(raw: Raw, parts: _Parts) -> None:
    if isinstance(parts.metrics, Seen) and parts.metrics.raw.content != raw.content:
        _gap(raw, "not judged: these counters are a second server's; scan it on its own", parts)
        return
    metrics = read_audit_metrics(raw.content)
    if metrics.events is None:
        gap = Unreadable(origin=raw.origin, reason="could not be read: no audit counters in it")
        parts.metrics = gap
        parts.gaps.append(gap)
    else:
        parts.metrics = Seen(value=metrics, raw=raw)


def _read_flagz(raw: Raw, parts: _Parts) -> None:
    flags = parse_flagz(raw.content)
    if flags is None:
        gap = Unreadable(origin=raw.origin, reason="could not be read: not a Flagz answer")
        parts.flagz = gap
        parts.gaps.append(gap)
    elif isinstance(parts.flagz, Seen) and parts.flagz.value != flags:
        _gap(raw, "not judged: these flags are a second server's; scan it on its own", parts)
    else:
        parts.flagz = Seen(value=flags, raw=raw)


def _read_command_line(raw: Raw, parts: _Parts) -> None:
    arguments = parse_command_line(raw.content.decode("utf-8", "replace"))
    if arguments is None:
        _gap(raw, "no kube-apiserver command line in it", parts)
        return
    server = ApiServer(
        name=raw.origin.resource,
        source="command line",
        arguments=arguments,
        node=node_of(raw),
    )
    parts.api_servers.append(Seen(value=server, raw=raw))


def _read_policy(raw: Raw, parts: _Parts) -> None:
    name = raw.origin.resource
    parts.policies.append(PolicyText(name=name, text=raw.content, raw=raw, path=name))


def _read_webhook_config(raw: Raw, parts: _Parts) -> None:
    found = webhook_file(raw)
    if isinstance(found, str):
        _gap(raw, found, parts)
    else:
        parts.webhook_files.append(found)


def _read_aks(raw: Raw, parts: _Parts) -> None:
    """One managed cluster, or a list of them; what they say is for the checks of AKS."""
    try:
        clusters, _ = resources_in(raw.content)
    except WrongAnswer as error:
        _gap(raw, f"could not be read: {error}", parts)
        return
    if not clusters:
        _gap(raw, "could not be read: a list without a cluster", parts)
        return
    for cluster in clusters:
        parts.hints.append((Platform.AKS, f"{cluster.id} is AKS", raw))
    _read_text(raw, parts)


def _read_azure_settings(raw: Raw, parts: _Parts) -> None:
    """Settings of a managed cluster show that there is one."""
    _read_text(raw, parts)
    try:
        settings, _ = resources_in(raw.content)
    except WrongAnswer:
        return  # the checks of AKS tell it
    for setting in settings:
        owner = ResourceId(setting.id).parent
        if ResourceId(owner).type == "microsoft.containerservice/managedclusters":
            parts.hints.append((Platform.AKS, f"{owner} is AKS", raw))


def _read_eks(raw: Raw, parts: _Parts) -> None:
    answer = _only_mapping(raw, parts)
    cluster = answer.get("cluster", answer)
    arn = cluster.get("arn") if isinstance(cluster, dict) else None
    if answer:
        parts.hints.append((Platform.EKS, f"{arn or 'a described cluster'} is EKS", raw))
        _read_text(raw, parts)


def _read_node_facts(raw: Raw, parts: _Parts) -> None:
    facts = read_node_facts(raw.content)
    if isinstance(facts, str):
        _gap(raw, f"could not be read: {facts}", parts)
    elif facts.node in parts.nodes and parts.nodes[facts.node].value != facts:
        _gap(raw, f"not judged: the node {facts.node} was looked at a second time", parts)
    else:
        parts.nodes[facts.node] = Seen(value=facts, raw=raw)


def _read_approved(raw: Raw, parts: _Parts) -> None:
    if isinstance(parts.approved, Seen) and parts.approved.raw.content != raw.content:
        _gap(raw, "not judged: a second one was given, and only one can count", parts)
        return
    try:
        parts.approved = Seen(value=read_lock(raw.content), raw=raw)
    except WrongLock as error:
        gap = Unreadable(origin=raw.origin, reason=f"could not be read: {error}")
        parts.approved = gap
        parts.gaps.append(gap)


def _read_text(raw: Raw, parts: _Parts) -> None:
    parts.texts.setdefault(raw.origin.kind, []).append(raw)


def _read_list(raw: Raw, parts: _Parts) -> None:
    """What the API server listed whole; a second such list is another cluster's."""
    kind = raw.origin.kind
    answer = _only_mapping(raw, parts)
    items = answer.get("items")
    if not isinstance(items, list):
        if answer:
            _gap(raw, "could not be read: no list", parts)
        parts.listings.setdefault(kind, Unreadable(origin=raw.origin, reason="no list in it"))
        return
    before = parts.listings.get(kind)
    if isinstance(before, Listing) and before.whole:
        _gap(raw, "not judged: this list is a second cluster's; scan it on its own", parts)
        return
    objects = tuple((item, raw) for item in items if isinstance(item, dict))
    parts.listings[kind] = Listing(objects=objects, whole=True, raws=(raw,))


def _keep_listed(document: KubernetesObject, raw: Raw, parts: _Parts) -> None:
    """An object out of a file, for the listing that it belongs in."""
    kind = LISTED.get(str(document.get("kind")))
    before = parts.listings.get(kind) if kind else None
    if kind is None or (isinstance(before, Listing) and before.whole):
        return
    objects = before.objects if isinstance(before, Listing) else ()
    raws = before.raws if isinstance(before, Listing) else ()
    raws = raws if raw in raws else (*raws, raw)
    parts.listings[kind] = Listing(objects=(*objects, (document, raw)), whole=False, raws=raws)


def _read_objects(raw: Raw, parts: _Parts) -> None:
    documents = _documents(raw, parts)
    for document in documents:
        for item in listed_in(document):
            _keep_listed(item, raw, parts)
    for index, document in enumerate(documents):
        found = api_servers_in(document)
        for server in found.servers:
            name = server.name
            if raw.origin.kind is Kind.OBJECTS:
                name = f"{raw.origin.resource} {server.name}"
            node = server.node or node_of(raw)
            parts.api_servers.append(Seen(value=replace(server, name=name, node=node), raw=raw))
        for problem in found.problems:
            _gap(raw, problem, parts)
        place = f"/{index}" if len(documents) > 1 else ""
        parts.policies += [_embedded(raw, found, place) for found in policies_in(document)]


def _embedded(raw: Raw, found: EmbeddedPolicy, document: str) -> PolicyText:
    pointer = document + found.pointer
    return PolicyText(
        name=f"{raw.origin.resource}#{pointer}",
        text=found.text.encode(),
        raw=raw,
        location=pointer,
        path=found.path,
        config_map=found.config_map,
    )


# --- which of them a kind belongs to ---------------------------------------------------------

_LISTS = frozenset({*LISTED.values(), Kind.FORWARDER_PODS})
_TEXTS = frozenset(
    {Kind.ARCHIVE, Kind.KUBELET_CONFIG, Kind.AUDITD_RULES, Kind.AUDITD_STATUS, Kind.FALCO_RULES}
)
_AZURE_TEXTS = AZURE_KINDS - {Kind.AKS_CLUSTER, Kind.AZURE_DIAGNOSTIC_SETTINGS}
_CLOUDS = frozenset(kind for kind in Kind if kind.value.startswith(("aws-", "elasticsearch-")))
"""Answers of a cloud or a store, which the modules of that one understand."""

_READERS: Mapping[Kind, Callable[[Raw, _Parts], None]] = {
    Kind.ENDPOINT: _read_endpoint,
    Kind.VERSION: _read_version,
    Kind.METRICS: _read_metrics,
    Kind.FLAGZ: _read_flagz,
    Kind.API_SERVER_PODS: _read_objects,
    Kind.OBJECTS: _read_objects,
    Kind.COMMAND_LINE: _read_command_line,
    Kind.AUDIT_POLICY: _read_policy,
    Kind.WEBHOOK_CONFIG: _read_webhook_config,
    Kind.AKS_CLUSTER: _read_aks,
    Kind.AZURE_DIAGNOSTIC_SETTINGS: _read_azure_settings,
    Kind.EKS_CLUSTER: _read_eks,
    Kind.APPROVED: _read_approved,
    Kind.NODE_FACTS: _read_node_facts,
    **dict.fromkeys(_LISTS, _read_list),
    **dict.fromkeys(_TEXTS | _CLOUDS | _AZURE_TEXTS, _read_text),
}
