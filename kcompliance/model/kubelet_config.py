"""A kubelet's own configuration: who may ask it directly, where kube-apiserver records nothing.

Source: k8s.io/kubernetes 1.36 `pkg/kubelet/apis/config/v1beta1/defaults.go`: in a file, what is
left out is the safe value. A flag of the kubelet would win over the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.reading import Raw

__all__ = ["KubeletAccess", "is_kubelet_config", "kubelet_access", "kubelet_fields"]


class _Switch(msgspec.Struct):
    enabled: bool | None = None


class _Authentication(msgspec.Struct):
    anonymous: _Switch | None = None


class _Authorization(msgspec.Struct):
    mode: str | None = None


class _Config(msgspec.Struct, rename="camel", omit_defaults=True):
    kind: str
    api_version: str = ""
    authentication: _Authentication | None = None
    authorization: _Authorization | None = None
    read_only_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletAccess:
    """Who may ask a kubelet."""

    anonymous: bool
    always_allow: bool
    read_only_port: int
    """0: none."""

    def faults(self) -> Iterator[str]:
        """What lets somebody in who should not be."""
        if self.anonymous and self.always_allow:
            yield "anybody may run commands in its pods: anonymous, and authorization AlwaysAllow"
        elif self.anonymous:
            yield "authentication.anonymous.enabled is true"
        elif self.always_allow:
            yield "authorization.mode is AlwaysAllow: whoever has a certificate may do everything"
        if self.read_only_port:
            yield f"readOnlyPort {self.read_only_port} tells everybody about its pods"


def is_kubelet_config(document: object) -> bool:
    """Whether this is a KubeletConfiguration."""
    return isinstance(document, dict) and document.get("kind") == "KubeletConfiguration"


def kubelet_fields(document: object) -> bytes:
    """The fields that are asked about, as JSON; the others may hold credentials.

    Raises ValueError where they are of other types than a kubelet takes.
    """
    return msgspec.json.encode(msgspec.convert(document, _Config))


def kubelet_access(raw: Raw) -> KubeletAccess | str:
    """Who may ask the kubelet with this configuration, or why it is not known."""
    try:
        read = msgspec.convert(read_documents(raw.content)[0], _Config)
    except (Malformed, Unsure, msgspec.ValidationError, IndexError) as error:
        return f"could not be read: {error}"
    anonymous = read.authentication.anonymous if read.authentication else None
    return KubeletAccess(
        anonymous=bool(anonymous and anonymous.enabled),
        always_allow=bool(read.authorization and read.authorization.mode == "AlwaysAllow"),
        read_only_port=read.read_only_port or 0,
    )
