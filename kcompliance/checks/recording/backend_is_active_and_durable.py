"""KC-AUD-006: at least one audit backend is active and durable."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from kcompliance.checks.interface import check
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.apiserver import (
    Durable,
    Ephemeral,
    FromObject,
    HostPath,
    UnknownSource,
)
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.reading import Kind, Seen

__all__ = ["Params", "backend_is_active_and_durable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-006."""

    accept_stdout: bool = False


@check("KC-AUD-006", params=Params)
def backend_is_active_and_durable(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """At least one audit backend is active and durable

    A backend is judged by where its events end up, and the server's own counters, where they were
    read, by whether any were written at all.
    """
    yield from flags_not_seen(cluster, "durable", Kind.METRICS)
    for aspect in ("log-path-set", "json-format"):
        yield from flags_not_seen(cluster, aspect)
    for replica in replicas(cluster):
        yield _durable(cluster, replica, params)
        yield _log_path_set(replica)
        yield _json_format(replica)


def _durable(cluster: Cluster, replica: Replica, params: Params) -> Finding:
    settings = replica.settings
    evidence = _flag_evidence(replica)
    doubt = flag_in_doubt(replica, "audit-log-path", "audit-webhook-config-file") or flag_in_doubt(
        replica, "audit-policy-file"
    )
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect="durable")
    if settings.invalid:
        because = f"kube-apiserver does not start with {'; '.join(settings.invalid)}"
        return Finding.failed(replica.name, because, evidence, aspect="durable")
    judged = []
    if settings.log_path:
        judged.append(_log_backend(replica, settings.log_path, params))
    if settings.webhook_config_file:
        judged.append(_webhook_backend(replica, settings.webhook_config_file))
    best = max(judged, key=lambda verdict: _ORDER.index(verdict.status), default=None)
    if best is None:
        because = "neither --audit-log-path nor --audit-webhook-config-file is set"
        return Finding.failed(replica.name, because, evidence, aspect="durable")
    if best.status is Status.FAIL:
        because = "; ".join(verdict.because for verdict in judged)
        return Finding.failed(replica.name, because, evidence, aspect="durable")
    inactive = _inactive(cluster, replica)
    if inactive is not None:
        because, more = inactive
        return Finding.failed(replica.name, because, evidence + more, aspect="durable")
    if best.status is Status.MANUAL:
        return Finding.manual(replica.name, best.because, best.question, evidence, aspect="durable")
    notes = (_QUIET,) if _is_quiet(cluster) else ()
    return Finding.passed(replica.name, best.because, evidence, aspect="durable", notes=notes)


_ORDER = (Status.FAIL, Status.MANUAL, Status.PASS)


@dataclass(frozen=True, slots=True)
class _Backend:
    """What is to be said of one backend; `question` only where the status is manual."""

    status: Status
    because: str
    question: str = ""


def _log_backend(replica: Replica, path: str, params: Params) -> _Backend:
    if path == "-":
        if params.accept_stdout:
            return _Backend(Status.PASS, "writes to standard output, which is accepted here")
        return _Backend(
            Status.FAIL,
            "--audit-log-path=- writes to standard output, which nothing is known to keep",
        )
    server = replica.server
    if server is None or (server.mounts is None and not server.on_host):
        return _Backend(
            Status.MANUAL,
            f"writes to {path}, and where that lies cannot be seen from here",
            f"Is {path} of {replica.name} a file on the node, or lost when the container stops? "
            "Add the server's pod manifest to the scan.",
        )
    mount = server.mount_for(path)
    if mount is None:
        if server.on_host:
            return _Backend(Status.PASS, f"writes to {path} on the node")
        because = f"{path} is inside the container, on no volume: it is lost with the container"
        return _Backend(Status.FAIL, because)
    if mount.read_only:
        return _Backend(Status.FAIL, f"{path} is on a read-only mount: nothing can be written")
    match mount.source:
        case HostPath():
            where = server.host_path(path)
            return _Backend(Status.PASS, f"writes to {where or path} on the node")
        case Durable(kind=kind):
            return _Backend(Status.PASS, f"writes to {path} on a {kind} volume")
        case Ephemeral(kind=kind):
            because = f"{path} is on an {kind} volume: it is lost with the pod"
            return _Backend(Status.FAIL, because)
        case FromObject(kind=kind):
            because = f"{path} is on a {kind} volume: nothing can be written"
            return _Backend(Status.FAIL, because)
        case UnknownSource(reason=reason):
            return _Backend(
                Status.MANUAL,
                f"writes to {path}, on a volume that is not known: {reason}",
                f"Does the volume at {mount.path} of {replica.name} outlive its pod?",
            )
        case other:
            assert_never(other)


def _webhook_backend(replica: Replica, path: str) -> _Backend:
    server = replica.server
    covered = server is None or server.on_host or server.mounts is None or server.mount_for(path)
    if replica.running or covered:
        return _Backend(Status.PASS, f"sends events to the webhook of {path}")
    because = f"--audit-webhook-config-file is {path}, which no volume mount covers"
    return _Backend(Status.FAIL, because)


def _inactive(cluster: Cluster, replica: Replica) -> tuple[str, tuple[Evidence, ...]] | None:
    """Why a backend that is set up still records nothing."""
    if not replica.settings.policy_file:
        return (
            "a backend is set, but without --audit-policy-file it records nothing",
            evidence_of(replica.raw, "--audit-policy-file", "not set"),
        )
    metrics = cluster.metrics
    if isinstance(metrics, Seen) and not (metrics.value.recording or metrics.value.quiet):
        return (
            "a backend is set, but the server's counters say that no event was written since "
            "its start",
            evidence_of(metrics.raw, "apiserver_audit_event_total", str(metrics.value.events)),
        )
    return None


_QUIET = "no event was written yet: the policy asked for none of the requests so far"


def _is_quiet(cluster: Cluster) -> bool:
    metrics = cluster.metrics
    return isinstance(metrics, Seen) and not metrics.value.recording and metrics.value.quiet


def _log_path_set(replica: Replica) -> Finding:
    evidence = _flag_evidence(replica)
    doubt = flag_in_doubt(replica, "audit-log-path")
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect="log-path-set")
    if replica.settings.log_path:
        because = f"--audit-log-path is {replica.settings.log_path}"
        return Finding.passed(replica.name, because, evidence, aspect="log-path-set")
    because = "--audit-log-path is not set, which CIS and STIG ask for"
    notes = ("events go to a webhook",) if replica.settings.webhook_config_file else ()
    return Finding.failed(replica.name, because, evidence, aspect="log-path-set", notes=notes)


def _json_format(replica: Replica) -> Finding:
    settings = replica.settings
    evidence = evidence_of(replica.raw, "--audit-log-format", settings.log_format)
    doubt = flag_in_doubt(replica, "audit-log-format")
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect="json-format")
    if not settings.log_path:
        because = "it writes no log file"
        return Finding.not_applicable(replica.name, because, evidence, aspect="json-format")
    if settings.log_format == "json":
        because = "the log is written as JSON"
        return Finding.passed(replica.name, because, evidence, aspect="json-format")
    because = (
        f"--audit-log-format={settings.log_format} writes lines that no parser of audit "
        "events reads"
    )
    return Finding.failed(replica.name, because, evidence, aspect="json-format")


def _flag_evidence(replica: Replica) -> tuple[Evidence, ...]:
    settings = replica.settings
    raw = replica.flagz or replica.raw
    evidence = evidence_of(raw, "--audit-log-path", settings.log_path or "not set")
    if settings.webhook_config_file:
        evidence += evidence_of(raw, "--audit-webhook-config-file", settings.webhook_config_file)
    if replica.flagz is not None and replica.flagz != replica.raw:
        evidence += evidence_of(replica.raw, "volumeMounts", "")
    return evidence
