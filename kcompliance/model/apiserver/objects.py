"""Finds the API servers in a parsed Kubernetes document or configuration file."""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from kcompliance.model.apiserver.configurations import (
    is_k3s_configuration,
    server_of_k3s,
    server_of_kops,
    server_of_kubeadm,
    server_of_openshift,
)
from kcompliance.model.apiserver.plain_data import at, mapping, text
from kcompliance.model.apiserver.pods import looks_like_an_api_server, servers_of_pod
from kcompliance.model.apiserver.server import ApiServer

__all__ = ["ApiServersFound", "api_servers_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServersFound:
    """The API servers of a document.

    `problems` name what should hold one but could not be read: where there are any, an empty
    `servers` does not mean that there is none.
    """

    servers: tuple[ApiServer, ...] = ()
    problems: tuple[str, ...] = ()


def api_servers_in(document: object) -> ApiServersFound:
    """Read a pod, workload, list, or configuration of kubeadm, k3s, RKE2, kops or OpenShift.

    Other documents hold none, which is no problem. Never raises.
    """
    search = _Search()
    search.document(document, kind=None, depth=_DEEPEST)
    return ApiServersFound(servers=tuple(search.servers), problems=tuple(search.problems))


_DEEPEST = 8
_MOST_DOCUMENTS = 200_000
_LONGEST_TEXT = 1 << 18
"""Ten times what the longest of them needs."""

_KUBEADM_MAP = "ClusterConfiguration"
_CONFIGURATION_FILES = ("config.yaml", "config.json")


class _Search:
    """Bounded, as an alias in YAML can make a small file endlessly wide."""

    def __init__(self) -> None:
        self.servers: list[ApiServer] = []
        self.problems: list[str] = []
        self._left = _MOST_DOCUMENTS

    def document(self, value: object, *, kind: str | None, depth: int) -> None:
        """`kind` is what the list around it says that it holds."""
        self._left -= 1
        if self._left < 0 or depth < 0:
            self._problem("too many documents, or lists in lists: the rest was not read")
        elif isinstance(value, list):
            self._each(value, None, depth)
        elif isinstance(value, Mapping):
            self._object(mapping(value), kind, depth)

    def _object(self, document: Mapping[str, object], kind: str | None, depth: int) -> None:
        kind = text(document.get("kind")) or kind or ""
        name = _name(document)
        items = document.get("items")
        if kind.endswith("List") and isinstance(items, list):
            self._each(items, kind.removesuffix("List") or None, depth)
        elif kind == "Pod":
            status = document.get("status")
            self._pod(name, kind, document.get("metadata"), document.get("spec"), status)
        elif kind in ("KubeadmControlPlane", "KubeadmControlPlaneTemplate"):
            self._cluster_api(name, kind, document)
        elif kind == "ConfigMap":
            self._config_map(name, document.get("data"))
        elif kind == "ClusterConfiguration":
            self.servers.append(server_of_kubeadm(document))
        elif kind == "Cluster" and _is_of_kops(document):
            self.servers.append(server_of_kops(document))
        elif kind == "KubeAPIServerConfig":
            self.servers.append(server_of_openshift(document))
        elif is_k3s_configuration(document):
            self.servers.append(server_of_k3s(document))
        else:
            template = at(document, "spec", "template")
            if at(template, "spec", "containers") is not None:
                self._pod(
                    name, kind or "PodTemplate", at(template, "metadata"), at(template, "spec")
                )

    def _each(self, items: list[object], kind: str | None, depth: int) -> None:
        for item in items[:_MOST_DOCUMENTS]:
            self.document(item, kind=kind, depth=depth - 1)
            if self._left < 0:
                return

    def _pod(
        self, name: str, kind: str, metadata: object, spec: object, status: object = None
    ) -> None:
        servers = servers_of_pod(name, kind, spec, status)
        self.servers.extend(servers)
        if not servers and looks_like_an_api_server(metadata, spec):
            self._problem(f"{name}: none of its containers is seen to start kube-apiserver")

    def _cluster_api(self, name: str, kind: str, document: Mapping[str, object]) -> None:
        spec = at(document, "spec")
        if kind.endswith("Template"):
            spec = at(spec, "template", "spec")
        configuration = at(spec, "kubeadmConfigSpec", "clusterConfiguration")
        version = at(spec, "version")
        if version is not None:
            configuration = {**mapping(configuration), "kubernetesVersion": version}
        self.servers.append(server_of_kubeadm(configuration, name=name, kind=kind))

    def _config_map(self, name: str, data: object) -> None:
        """kubeadm keeps its own in `kube-system/kubeadm-config`, OpenShift in `config.yaml`."""
        for key in (_KUBEADM_MAP, *_CONFIGURATION_FILES):
            content = at(data, key)
            if not isinstance(content, str):
                continue
            if key != _KUBEADM_MAP and "KubeAPIServerConfig" not in content:
                continue
            parsed = _parse(content)
            if isinstance(parsed, str):
                self._problem(f"{name}: {key} {parsed}")
            elif key == _KUBEADM_MAP:
                self.servers.append(server_of_kubeadm(parsed, name=name, kind=key))
            elif parsed.get("kind") == "KubeAPIServerConfig":
                self.servers.append(server_of_openshift(parsed, name=name))

    def _problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def _is_of_kops(cluster: Mapping[str, object]) -> bool:
    """Cluster API has a kind of the same name."""
    version = text(cluster.get("apiVersion")) or ""
    return version.startswith("kops.") or at(cluster, "spec", "kubeAPIServer") is not None


def _name(document: Mapping[str, object]) -> str:
    namespace = text(at(document, "metadata", "namespace"))
    name = text(at(document, "metadata", "name")) or "?"
    return f"{namespace}/{name}" if namespace else name


def _parse(content: str) -> Mapping[str, object] | str:
    """YAML or JSON in a text, all scalars as they are written; a sentence if it is neither."""
    if len(content) > _LONGEST_TEXT:
        return "is too long to be read"
    try:
        # NOTE: BaseLoader makes text of every scalar (no 1.10 as 1.1, no octal numbers, no
        # dates) and nothing else. The one in C does not survive deep nesting.
        parsed = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError):
        return "is not YAML that can be read"
    return mapping(parsed) if isinstance(parsed, dict) else "is not a mapping"
