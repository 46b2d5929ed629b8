"""KC-PRO-005: audit data is encrypted and authenticated in transit."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.provider_in_transit import provider_in_transit
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.reading import Kind
from kcompliance.model.webhook_config import WebhookConfig, WebhookFile
from kcompliance.model.webhook_in_force import (
    AmbiguousWebhook,
    FoundWebhook,
    NoWebhookText,
    webhook_of,
)

__all__ = ["Params", "audit_data_is_safe_in_transit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-005."""

    accept_loopback: bool = True


@check("KC-PRO-005", params=Params)
def audit_data_is_safe_in_transit(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Audit data is encrypted and authenticated in transit

    The hop from a server to its webhook is judged by the kubeconfig; what ships a log file is
    asked for. Of a provider's hop the place is judged that it goes to.
    """
    if cluster.platform in (Platform.AKS, Platform.EKS):
        yield from provider_in_transit(cluster)
        return
    yield from flags_not_seen(cluster, "main", Kind.WEBHOOK_CONFIG)
    for replica in replicas(cluster):
        yield from _of_server(cluster, replica, params)


def _of_server(cluster: Cluster, replica: Replica, params: Params) -> Iterator[Finding]:
    settings = replica.settings
    doubt = flag_in_doubt(replica, "audit-webhook-config-file", "audit-log-path")
    if doubt:
        yield Finding.error(replica.name, doubt, _flags(replica))
        return
    if settings.webhook_config_file:
        yield _webhook(cluster, replica, settings.webhook_config_file, params)
    if settings.log_path:
        yield Finding.manual(
            f"{replica.name} {settings.log_path}",
            f"what ships {settings.log_path} off the node is not in what was given",
            f"Does the forwarder of {settings.log_path} on {replica.name} send it over TLS 1.2 or "
            "newer, verify the receiver's certificate and present a credential of its own?",
            _flags(replica),
        )
    if not (settings.webhook_config_file or settings.log_path):
        because = "it has no backend, so nothing is in transit: see KC-AUD-006"
        yield Finding.not_applicable(replica.name, because, _flags(replica))


def _webhook(cluster: Cluster, replica: Replica, path: str, params: Params) -> Finding:
    evidence = _flags(replica)
    match webhook_of(cluster, replica):
        case FoundWebhook(file=file, note=note):
            notes = (note,) if note else ()
            return _judge(replica, file, notes, params)
        case AmbiguousWebhook(names=names):
            because = f"several different files could be {path}: {', '.join(names)}"
            return Finding.error(replica.name, because, evidence)
        case NoWebhookText():
            return Finding.manual(
                replica.name,
                f"the kubeconfig of its webhook, {path}, is not in what was given",
                f"Does {path} of {replica.name} name an https server, an authority and a "
                "credential? No API tells: copy it from the node and scan it together with the "
                "server's manifest (its credentials are taken out).",
                evidence,
            )


def _judge(replica: Replica, file: WebhookFile, notes: tuple[str, ...], params: Params) -> Finding:
    config = file.config
    if isinstance(config, str):
        evidence = _flags(replica) + evidence_of(file.raw, "whole file")
        because = f"kube-apiserver does not start with {file.name}: {config}"
        return Finding.failed(replica.name, because, evidence, notes=notes)
    evidence = _flags(replica) + _evidence(file, config)
    tolerated = config.scheme != "https" and config.on_loopback and params.accept_loopback
    faults = () if tolerated else tuple(_faults(config))
    notes += tuple(_notes(config))
    if faults:
        because = f"{file.name}: {'; '.join(faults)}"
        return Finding.failed(replica.name, because, evidence, notes=notes)
    if tolerated:
        because = f"sends to {config.server}, which does not leave the node"
    else:
        because = (
            f"sends to {config.server} over TLS 1.2 or newer, verifies the receiver and presents "
            f"a {config.credential}"
        )
    return Finding.passed(replica.name, because, evidence, notes=notes)


def _faults(config: WebhookConfig) -> Iterator[str]:
    if config.scheme != "https":
        yield f"events go to {config.server} unencrypted ({config.scheme})"
        if config.credential in _IN_HEADER:
            yield f"and the {config.credential} is not even sent: client-go sends none over http"
        return
    if config.skips_verification:
        yield f"whoever answers as {config.server} is believed: insecure-skip-tls-verify is true"
    if config.credential is None:
        yield "no client credential: the receiver cannot tell who sends"


_IN_HEADER = ("token",)


def _notes(config: WebhookConfig) -> Iterator[str]:
    if config.scheme == "https" and config.authority is None:
        yield "no certificate-authority: each authority of the container's image is trusted"
    if config.scheme != "https" and config.on_loopback:
        yield "unencrypted, on the node itself: how the receiver sends on is not seen here"
        if config.credential in _IN_HEADER:
            yield f"the {config.credential} is not sent: client-go sends none over http"


def _evidence(file: WebhookFile, config: WebhookConfig) -> tuple[Evidence, ...]:
    cluster = f"clusters[{config.cluster}].cluster"
    evidence = evidence_of(file.raw, f"{cluster}.server", config.server)
    if config.authority:
        evidence += evidence_of(file.raw, f"{cluster}.{config.authority}", "set")
    if config.skips_verification:
        evidence += evidence_of(file.raw, f"{cluster}.insecure-skip-tls-verify", "true")
    user = config.credential or "no credential"
    return evidence + evidence_of(file.raw, f"users[{config.user}].user", user)


def _flags(replica: Replica) -> tuple[Evidence, ...]:
    settings, raw = replica.settings, replica.flagz or replica.raw
    webhook = settings.webhook_config_file or "not set"
    evidence = evidence_of(raw, "--audit-webhook-config-file", webhook)
    return evidence + evidence_of(raw, "--audit-log-path", settings.log_path or "not set")
