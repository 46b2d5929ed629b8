"""KC-PRO-012: Kubernetes RBAC: nobody unexpected can bypass, read or disable the audit chain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.provider_authority import provider_authorities, question_of
from kcompliance.model.apiserver.plain_data import at
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.kubelet_config import kubelet_access
from kcompliance.model.listing import Listing
from kcompliance.model.on_node import node_of
from kcompliance.model.rbac.authority import Authority, Says, who_decides
from kcompliance.model.rbac.dangers import BYPASS, DISABLE, READ, Dangers, Power, find_dangers
from kcompliance.model.rbac.grants import Rbac, Subject, SubjectKind, read_rbac
from kcompliance.model.reading import Kind, Raw

__all__ = ["Params", "rbac_lets_nobody_unexpected_touch_the_audit_chain"]

_ASPECTS = (BYPASS, DISABLE, READ)
_KINDS = (
    Kind.RBAC,
    Kind.API_SERVER_PODS,
    Kind.OBJECTS,
    Kind.COMMAND_LINE,
    Kind.FLAGZ,
)
_SHOWN, _QUOTED, _NAMED = 3, 5, 20
_DOES = {
    BYPASS: "get past kube-apiserver or give itself rights",
    DISABLE: "stop what collects, ships and watches",
    READ: "read what is logged or the credentials of its stores",
}
_LIST = "kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-012."""

    logging_namespaces: tuple[str, ...] = ()
    allow_subjects: tuple[str, ...] = ()


@check("KC-PRO-012", params=Params)
def rbac_lets_nobody_unexpected_touch_the_audit_chain(
    cluster: Cluster, params: Params
) -> Iterator[Finding]:
    """Kubernetes RBAC: nobody unexpected can bypass, read or disable the audit chain

    Each subject of a binding is judged by what its roles grant, by what it may do as the service
    accounts that it can be, and by whether it was declared. Only a whole list earns a pass.
    """
    wrong = _wrong(params)
    listing = cluster.listed(Kind.RBAC)
    provided, unread = provider_authorities(cluster)
    authorities = (*who_decides(cluster), *provided)
    gaps = {aspect: cluster.gaps_in(*_KINDS) for aspect in _ASPECTS}
    gaps[BYPASS] = cluster.gaps_in(*_KINDS, Kind.KUBELET_CONFIG)
    gaps = {aspect: tuple(dict.fromkeys((*found, *unread))) for aspect, found in gaps.items()}
    for aspect in _ASPECTS:
        for gap in gaps[aspect]:
            yield Finding.unreadable(gap, aspect=aspect)
        for each in authorities:
            if each.says is Says.EVERYTHING:
                yield Finding.failed(each.server, each.because, each.evidence, aspect=aspect)
        if wrong:
            yield Finding.error(cluster.name, wrong, aspect=aspect)
    if isinstance(listing, Listing) and not wrong:
        judging = _Judging.of(cluster, listing, authorities, provided, params)
        for aspect in _ASPECTS:
            yield from judging.aspect(aspect, may_pass=not gaps[aspect])
        yield from judging.elsewhere()
    elif isinstance(listing, NotAsked) and not wrong:
        yield from (_nothing_given(cluster, a) for a in _ASPECTS if not gaps[a])
    yield from _kubelets(cluster)


def _nothing_given(cluster: Cluster, aspect: str) -> Finding:
    if cluster.live:
        because = "roles and bindings were not asked for"
        return Finding.error(cluster.name, because, aspect=aspect)
    return Finding.manual(
        cluster.name,
        "no roles and bindings are in what was given",
        f"Who may {_DOES[aspect]}? Add what this prints to the scan, or scan kube:CONTEXT: {_LIST}",
        aspect=aspect,
    )


# --- who is allowed ------------------------------------------------------------------------------


def _wrong(params: Params) -> str | None:
    """Why nothing can be judged by these parameters."""
    for entry in params.allow_subjects:
        if not _is_subject(entry):
            return f'allow_subjects: "{entry}" is none of User:, Group:, ServiceAccount:NAMESPACE/'
    if not any(params.logging_namespaces):
        return "logging_namespaces names none, so nothing could be found to be in danger"
    return None


def _is_subject(entry: str) -> bool:
    kind, colon, name = entry.partition(":")
    kinds = {each.value for each in SubjectKind}
    needs_home = kind == SubjectKind.SERVICE_ACCOUNT.value
    home, slash, account = name.partition("/")
    return (
        kind in kinds
        and bool(colon and name)
        and (not needs_home or bool(home and slash and account))
    )


def _entries_for(subject: Subject) -> tuple[str, ...]:
    """The entries of allow_subjects that would allow it."""
    if subject.namespace:
        home = f"{subject.kind}:{subject.namespace}/"
        return (home + subject.name, f"{home}*")
    return (f"{subject.kind}:{subject.name}",)


# --- one cluster ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judging:
    """What was read of one cluster, and who is allowed in it."""

    cluster: Cluster
    listing: Listing
    rbac: Rbac
    dangers: Dangers
    authorities: tuple[Authority, ...]
    provided: tuple[Authority, ...]
    """Those of them that a provider told."""
    allowed: frozenset[str]

    @classmethod
    def of(
        cls,
        cluster: Cluster,
        listing: Listing,
        authorities: tuple[Authority, ...],
        provided: tuple[Authority, ...],
        params: Params,
    ) -> "_Judging":
        rbac = read_rbac(listing)
        return cls(
            cluster=cluster,
            listing=listing,
            rbac=rbac,
            dangers=find_dangers(rbac, params.logging_namespaces),
            authorities=authorities,
            provided=provided,
            allowed=frozenset(params.allow_subjects),
        )

    def is_allowed(self, subject: Subject) -> bool:
        """Whether it was declared; a group is no more than its own name."""
        return not self.allowed.isdisjoint(_entries_for(subject))

    def aspect(self, aspect: str, *, may_pass: bool) -> Iterator[Finding]:
        """A fail for each unexpected subject; else one finding on the whole."""
        powers = self.dangers.powers[aspect]
        unexpected = [subject for subject in powers if not self.is_allowed(subject)]
        notes = tuple(self._notes(aspect))
        for index, subject in enumerate(unexpected):
            yield Finding.failed(
                str(subject),
                _may(powers[subject]),
                _evidence(powers[subject]),
                aspect=aspect,
                notes=notes if index == 0 else (),
            )
        yield from self._not_understood(aspect)
        if unexpected:
            yield from self._beside_rbac(aspect)
        everything = any(each.says is Says.EVERYTHING for each in self.authorities)
        if unexpected or everything or self.rbac.problems:
            return
        yield from self._nobody_unexpected(aspect, notes, may_pass=may_pass)

    def _beside_rbac(self, aspect: str) -> Iterator[Finding]:
        """What a provider lets decide too is asked whatever RBAC says."""
        for each in self.provided:
            if each.says in (Says.SOMETHING_ELSE, Says.NOTHING):
                question = question_of(self.cluster, _DOES[aspect])
                yield Finding.manual(
                    f"{each.server} beside RBAC",
                    each.because,
                    question,
                    each.evidence,
                    aspect=aspect,
                )

    def _not_understood(self, aspect: str) -> Iterator[Finding]:
        if self.rbac.problems:
            because = f"could not be understood: {'; '.join(self.rbac.problems[:_SHOWN])}"
            yield Finding.error(self.cluster.name, because, aspect=aspect)

    def _nobody_unexpected(
        self, aspect: str, notes: tuple[str, ...], *, may_pass: bool
    ) -> Iterator[Finding]:
        name, evidence = self.cluster.name, self._whole_evidence(aspect)
        counted = f"{len(self.rbac.bindings)} bindings of {len(self.rbac.roles)} roles"
        if not self.listing.whole:
            yield Finding.manual(
                name,
                f"in the {counted} that were given, nobody unexpected may {_DOES[aspect]}",
                f"Are these all roles and bindings of the cluster, as this prints them: {_LIST} "
                "(scan kube:CONTEXT to be sure)?",
                evidence,
                aspect=aspect,
                notes=notes,
            )
            return
        unsure = [each for each in self.authorities if each.says is not Says.RBAC]
        if may_pass and (unsure or not self.authorities):
            told = "; ".join(each.because for each in unsure) or "no flags of kube-apiserver seen"
            yield Finding.manual(
                name,
                f"by RBAC nobody unexpected may {_DOES[aspect]}, but {told}",
                question_of(self.cluster, _DOES[aspect]),
                evidence,
                aspect=aspect,
                notes=notes,
            )
        elif may_pass:
            yield Finding.passed(
                name,
                f"of the subjects of {counted}, nobody unexpected may {_DOES[aspect]}",
                evidence,
                aspect=aspect,
                notes=notes,
            )

    def _whole_evidence(self, aspect: str) -> tuple[Evidence, ...]:
        raws = dict.fromkeys(raw for _, raw in self.listing.objects)
        evidence = tuple(e for raw in raws for e in evidence_of(raw, "items", "read whole"))
        allowed = self.dangers.powers[aspect].values()
        quoted = tuple(e for powers in allowed for e in _evidence(powers[:1]))
        return evidence + quoted + tuple(e for each in self.authorities for e in each.evidence)

    def _notes(self, aspect: str) -> Iterator[str]:
        powers = self.dangers.powers[aspect]
        allowed = [subject for subject in powers if self.is_allowed(subject)]
        if allowed:
            yield f"may {_DOES[aspect]}, and is in allow_subjects: {_in_short(allowed)}"
        if any(subject.name == "system:masters" for subject in allowed):
            yield "who holds a certificate of system:masters, RBAC does not tell"
        missing = [str(each) for each in self.rbac.bindings if each.role is None and each.subjects]
        if missing:
            yield f"grants nothing until somebody makes its role: {_listed(missing)}"
        if aspect == BYPASS:
            writers = [str(s) for s in self.dangers.webhooks if not self.is_allowed(s)]
            if writers:
                yield f"may see and change what is admitted by webhooks: {_listed(writers)}"

    def elsewhere(self) -> Iterator[Finding]:
        """Who may run pods in other namespaces gets on their nodes, where nothing restricts it."""
        where: dict[str, list[str]] = {}
        evidence: tuple[Evidence, ...] = ()
        dangerous = self.dangers.powers[BYPASS]
        for subject, powers in self.dangers.elsewhere.items():
            if self.is_allowed(subject) or subject in dangerous:
                continue
            evidence += _evidence(powers[:1])
            for namespace in sorted({power.binding.namespace for power in powers}):
                where.setdefault(namespace, []).append(str(subject))
        if not where:
            return
        names = [f"{namespace} ({', '.join(where[namespace])})" for namespace in sorted(where)]
        yield Finding.manual(
            f"{self.cluster.name} other namespaces",
            f"may run pods in a namespace of its own: {_listed(names)}",
            "Does each of these namespaces enforce Pod Security baseline or restricted, or an "
            "admission policy like it, so that no pod there mounts hostPath or is privileged: "
            f"{_listed(sorted(where))}?",
            evidence[: 2 * _NAMED],
            aspect=BYPASS,
        )


def _in_short(subjects: Sequence[Subject]) -> str:
    """All of them, with each namespace named once."""
    homes: dict[str, list[str]] = {}
    for subject in subjects:
        home = f"{subject.kind} {subject.namespace}/" if subject.namespace else f"{subject.kind} "
        homes.setdefault(home, []).append(subject.name)
    return "; ".join(f"{home}{', '.join(names)}" for home, names in homes.items())


def _may(powers: Sequence[Power]) -> str:
    told = [f"{power.words} ({power.binding})" for power in powers[:_SHOWN]]
    more = f"; and {len(powers) - _SHOWN} more" if len(powers) > _SHOWN else ""
    return f"may {'; '.join(told)}{more}"


def _evidence(powers: Sequence[Power]) -> tuple[Evidence, ...]:
    return tuple(
        evidence
        for power in powers[:_QUOTED]
        for evidence in (
            *evidence_of(power.binding.raw, str(power.binding)),
            *(
                evidence_of(power.binding.role.raw, str(power.binding.role), str(power.rule))
                if power.binding.role
                else ()
            ),
        )
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


# --- kubelets ------------------------------------------------------------------------------------


def _kubelets(cluster: Cluster) -> Iterator[Finding]:
    raws = cluster.texts.get(Kind.KUBELET_CONFIG, ())
    for raw in raws:
        yield _kubelet(raw)
    lacking = _nodes_lacking(cluster, raws)
    if lacking == [] or (raws and not cluster.live):
        return
    of_nodes = f" of {_listed(lacking)}" if lacking and raws else ""
    yield Finding.manual(
        f"{cluster.name} kubelets",
        f"how the kubelets{of_nodes} are configured is not asked: over the API it needs "
        "nodes/proxy, with which one can run commands in every pod",
        "Is on each node authentication.anonymous.enabled false, authorization.mode Webhook and "
        "readOnlyPort 0? Add /var/lib/kubelet/config.yaml of each node to the scan.",
        aspect=BYPASS,
    )


def _nodes_lacking(cluster: Cluster, raws: Sequence[Raw]) -> list[str] | None:
    """The nodes of whose kubelet nothing was given; None where not all nodes are known."""
    nodes = cluster.listed(Kind.NODES)
    if not (isinstance(nodes, Listing) and nodes.whole):
        return None
    given = {node_of(raw) for raw in raws}
    names = [str(at(found, "metadata", "name")) for found, _ in nodes.objects]
    return sorted(name for name in names if name not in given)


def _kubelet(raw: Raw) -> Finding:
    name = f"kubelet {raw.origin.resource}"
    access = kubelet_access(raw)
    if isinstance(access, str):
        return Finding.error(name, access, aspect=BYPASS)
    evidence = (
        *evidence_of(raw, "authentication.anonymous.enabled", str(access.anonymous).lower()),
        *evidence_of(
            raw, "authorization.mode", "AlwaysAllow" if access.always_allow else "Webhook"
        ),
        *evidence_of(raw, "readOnlyPort", str(access.read_only_port)),
    )
    faults = tuple(access.faults())
    if faults:
        return Finding.failed(name, "; ".join(faults), evidence, aspect=BYPASS)
    return Finding.passed(
        name,
        "it takes no anonymous requests, asks kube-apiserver who may what, and has no second port",
        evidence,
        aspect=BYPASS,
        notes=("a flag of the kubelet would win over its file, and was not seen",),
    )
