"""KC-CMP-009: no audit events are being dropped or rejected."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.sight import flags_not_seen
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.metrics import AuditMetrics
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["Params", "no_events_are_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-009."""

    tolerance: int = 0


@check("KC-CMP-009", params=Params)
def no_events_are_lost(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """No audit events are being dropped or rejected

    The server's own counters tell since its start; one answer of `/metrics` is of one server.
    """
    if cluster.platform in (Platform.AKS, Platform.EKS):
        yield from _of_provider(cluster, params)
        return
    running = replicas(cluster)
    yield from flags_not_seen(cluster, "main", Kind.METRICS)
    if isinstance(cluster.metrics, Seen):
        yield _judge(cluster.metrics.value, cluster.metrics.raw, params)
        yield from _others(cluster, running)
    elif isinstance(cluster.metrics, NotAsked) and running:
        yield _no_counters(cluster, running)


def _of_provider(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """A provider runs several servers and shows none: one without losses speaks for no other."""
    for gap in cluster.gaps_in(Kind.METRICS):
        yield Finding.unreadable(gap)
    match cluster.metrics:
        case Seen(value=metrics, raw=raw):
            found = _judge(metrics, raw, params)
            if found.status is not Status.PASS:
                yield found
                return
            because = (
                f"one of the provider's API servers tells of no loss ({found.because}), and how "
                "many others there are nobody outside can see"
            )
            yield _asked_of_provider(cluster, because, found.evidence, found.notes)
        case NotAsked() | Absent():
            because = "the counters of the provider's API servers are not in what was given"
            yield _asked_of_provider(cluster, because, (), ())
        case Unreadable():
            pass  # a gap, which was told


def _asked_of_provider(
    cluster: Cluster, because: str, evidence: tuple[Evidence, ...], notes: tuple[str, ...]
) -> Finding:
    if cluster.platform is Platform.AKS:
        how = (
            "Have managed Prometheus keep apiserver_audit_* of the control plane "
            "(--enable-control-plane-metrics, and the keep list of ama-metrics-settings-configmap)"
        )
        notes += ("Microsoft says that resource logs are not lossless on their way",)
    else:
        how = "Have Prometheus scrape /metrics of the API server, of which each answers in turn"
    question = (
        f"Did any API server of {cluster.name} lose events? {how}, and sum "
        "increase(apiserver_audit_error_total[24h]) and "
        "increase(apiserver_audit_requests_rejected_total[24h]) over all instances."
    )
    return Finding.manual(cluster.name, because, question, evidence, notes=notes)


def _judge(metrics: AuditMetrics, raw: Raw, params: Params) -> Finding:
    name, evidence = raw.origin.resource, _evidence(metrics, raw)
    faults = list(_faults(metrics, params))
    if faults:
        return Finding.failed(name, "; ".join(faults), evidence)
    if metrics.rejected is None:
        because = "apiserver_audit_requests_rejected_total is not among the counters"
        return Finding.error(name, because, evidence)
    quiet = "the policy asked for none of the requests so far, so nothing could be lost yet"
    return Finding.passed(
        name,
        f"{metrics.events or 0:,.0f} events since the server's start, "
        f"{_lost(metrics):,.0f} of them lost, no request rejected",
        evidence,
        notes=(_SINCE, *((quiet,) if not metrics.recording else ())),
    )


_SINCE = "the counters begin anew with each start of the server: what was lost before is not seen"
_CAUSES = {
    "buffered": "its queue was full",
    "webhook": "the webhook did not take them",
    "log": "the log could not be written",
    "truncate": "they were too large even without their bodies",
}


def _faults(metrics: AuditMetrics, params: Params) -> Iterator[str]:
    """What the counters say against the trail; a value that is no number is no zero."""
    if not (metrics.recording or metrics.quiet):
        yield "silent: no event was written since the server's start"
    if not 0 <= _lost(metrics) <= params.tolerance:
        where = ", ".join(
            f"{plugin} {count:,.0f} ({_CAUSES.get(plugin, 'an audit plugin failed')})"
            for plugin, count in sorted(metrics.errors.items())
            if count != 0
        )
        yield f"{_lost(metrics):,.0f} events were lost since the server's start: {where}"
    if metrics.rejected is not None and metrics.rejected != 0:
        yield f"{metrics.rejected:,.0f} requests were refused because no event could be written"


def _lost(metrics: AuditMetrics) -> float:
    """Absent until the first error: none then."""
    return sum(metrics.errors.values())


def _evidence(metrics: AuditMetrics, raw: Raw) -> tuple[Evidence, ...]:
    def quoted(value: float | None) -> str:
        return "absent" if value is None else f"{value:.0f}"

    evidence = evidence_of(raw, "apiserver_audit_event_total", quoted(metrics.events))
    for plugin, count in sorted(metrics.errors.items()):
        evidence += evidence_of(
            raw, f'apiserver_audit_error_total{{plugin="{plugin}"}}', quoted(count)
        )
    if not metrics.errors:
        evidence += evidence_of(raw, "apiserver_audit_error_total", "absent: no error yet")
    rejected = quoted(metrics.rejected)
    return evidence + evidence_of(raw, "apiserver_audit_requests_rejected_total", rejected)


def _others(cluster: Cluster, running: tuple[Replica, ...]) -> Iterator[Finding]:
    """A load balancer hands each request to one server, and the answer does not say to which."""
    if len(running) < 2:
        return
    names = ", ".join(replica.name for replica in running)
    yield Finding.manual(
        f"{cluster.name}, the other API servers",
        f"the counters of one of {len(running)} API servers were read, and it does not say which",
        f"Did any of {names} lose events? Read /metrics of each at its own address, or sum "
        "apiserver_audit_error_total over all of them in Prometheus.",
        tuple(e for replica in running for e in evidence_of(replica.raw, "command")),
    )


def _no_counters(cluster: Cluster, running: tuple[Replica, ...]) -> Finding:
    return Finding.manual(
        cluster.name,
        "files do not tell what a server loses, and no /metrics was given",
        "Do the servers lose events? Scan the live cluster, or add the answer of "
        "`kubectl get --raw /metrics` to the scan.",
        tuple(e for replica in running for e in evidence_of(replica.raw, "command")),
    )
