"""The kubeconfig with which a kube-apiserver posts its audit events, read as client-go reads it.

Source: k8s.io/client-go `tools/clientcmd` (context, validation) and `rest/url_utils.go` (a server
without a scheme), as 1.36 answers them.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.reading import Raw

__all__ = ["WebhookConfig", "WebhookFile", "read_webhook_config", "webhook_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """Where the events go and how the two ends know each other."""

    cluster: str
    """Its name in the file."""
    server: str
    authority: str | None
    """The key that names the authority to trust; None: those of the container's image."""
    skips_verification: bool
    user: str
    credential: str | None
    """What kind of credential is presented; None: none."""
    has_client_certificate: bool = False

    @property
    def scheme(self) -> str:
        """`https` or another; without one client-go takes https if it was given anything of TLS."""
        if "://" in self.server:
            return urlsplit(self.server).scheme.lower()
        tls = self.authority or self.skips_verification or self.has_client_certificate
        return "https" if tls else "http"

    @property
    def on_loopback(self) -> bool:
        """Whether the receiver is on the node itself."""
        address = self.server if "://" in self.server else f"//{self.server}"
        try:
            host = urlsplit(address).hostname or ""
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFile:
    """A webhook's kubeconfig as a file; `config` is a sentence where the server refuses it."""

    name: str
    config: WebhookConfig | str
    raw: Raw


def read_webhook_config(data: bytes) -> WebhookConfig | str:
    """The context that is current; a sentence where kube-apiserver would not start with it.

    Raises Malformed or Unsure where it cannot be read.
    """
    documents = read_documents(data)
    if not documents or not isinstance(documents[0], dict):
        raise Malformed("it is not a mapping")
    document = mapping(documents[0])
    current = text(document.get("current-context"))
    if not current:
        return "it has no current-context"
    context = _named(document, "contexts", "context", current)
    if context is None:
        return f'it has no context "{current}"'
    cluster_name = text(context.get("cluster")) or ""
    cluster = _named(document, "clusters", "cluster", cluster_name)
    server = text(at(cluster, "server"))
    if cluster is None or not server:
        return f'it has no cluster "{cluster_name}" with a server'
    skips = cluster.get("insecure-skip-tls-verify", False)
    if not isinstance(skips, bool | None):
        return "its insecure-skip-tls-verify is neither true nor false"
    user_name = text(context.get("user")) or ""
    # A user that is not there does not stop the server: it sends without any credential.
    user = _named(document, "users", "user", user_name) or {}
    if _any(user, "token") and _any(user, "username", "password"):
        return f'its user "{user_name}" has more than one way to authenticate'
    certificate = _any(user, "client-certificate-data", "client-certificate")
    key = _any(user, "client-key-data", "client-key")
    if certificate and not key:
        return f'the certificate of its user "{user_name}" has no key'
    return WebhookConfig(
        cluster=cluster_name,
        server=server,
        authority=_any(cluster, "certificate-authority-data", "certificate-authority"),
        skips_verification=bool(skips),
        user=user_name,
        credential="client certificate" if certificate else _credential(user),
        has_client_certificate=certificate is not None,
    )


def _credential(user: Mapping[str, object]) -> str | None:
    if _any(user, "token", "tokenFile"):
        return "token"
    if _any(user, "username", "password"):
        return "user name and password"
    if mapping(user.get("exec")):
        return "credential of an exec plugin"
    return "credential of an auth provider" if mapping(user.get("auth-provider")) else None


def _any(holder: Mapping[str, object], *keys: str) -> str | None:
    """The first key that has a value that is not empty."""
    return next((key for key in keys if text(holder.get(key))), None)


def _named(
    document: Mapping[str, object], key: str, inner: str, name: str
) -> Mapping[str, object] | None:
    for item in sequence(document.get(key)):
        if text(at(item, "name")) == name:
            return mapping(at(item, inner))
    return None


def webhook_file(raw: Raw) -> WebhookFile | str:
    """The file of a capture; a sentence where it cannot be read."""
    try:
        config = read_webhook_config(raw.content)
    except (Malformed, Unsure) as error:
        return f"could not be read: {error}"
    return WebhookFile(name=raw.origin.resource, config=config, raw=raw)
