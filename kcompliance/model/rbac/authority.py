"""Whether RBAC alone decides: kube-apiserver asks the authorizers that its flags name.

Source: k8s.io/kubernetes 1.36 `pkg/kubeapiserver/options/authorization.go`: without a flag it
allows everything. kubeadm, k3s, RKE2 and kops set their own, which their configuration need not
show.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from kcompliance.model.apiserver import ApiServer
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.reading import Seen

__all__ = ["Authority", "Says", "who_decides"]

_MODE: Final = "authorization-mode"
_CONFIG: Final = "authorization-config"
_FINE: Final = frozenset({"Node", "RBAC"})
_SHOWS_ITS_FLAGS: Final = frozenset({"Pod", "command line"})


class Says(Enum):
    """What the flags of a server tell."""

    RBAC = "RBAC decides, and for kubelets the Node authorizer"
    EVERYTHING = "everything is allowed"
    SOMETHING_ELSE = "something else decides too"
    NOTHING = "it is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What one server asks; `because` names the server and its flag."""

    server: str
    says: Says
    because: str
    evidence: tuple[Evidence, ...]


def who_decides(cluster: Cluster) -> tuple[Authority, ...]:
    """What each server that was seen asks; nothing where none was seen."""
    return tuple(_of_servers(cluster))


def _of_servers(cluster: Cluster) -> Iterator[Authority]:
    for seen in cluster.api_servers:
        yield _of_arguments(seen)
    if isinstance(cluster.flagz, Seen):
        flags = cluster.flagz.value
        modes, config = flags.get(_MODE, "").strip("[]"), flags.get(_CONFIG, "")
        says, because = _judge(modes, config)
        evidence = evidence_of(cluster.flagz.raw, f"--{_MODE}", modes or "not set")
        name = f"{cluster.name} /flagz"
        yield Authority(server=name, says=says, because=f"{name}: {because}", evidence=evidence)


def _of_arguments(seen: Seen[ApiServer]) -> Authority:
    server = seen.value
    mode, config = server.arguments.flag(_MODE), server.arguments.flag(_CONFIG)
    evidence = evidence_of(seen.raw, f"--{_MODE}", mode.value if mode else "not set")
    if not server.arguments.complete or not all(f.known for f in (mode, config) if f):
        says, because = Says.NOTHING, f"not all of its flags were seen, so --{_MODE} may be another"
    elif not mode and not config and server.source not in _SHOWS_ITS_FLAGS:
        says, because = Says.NOTHING, f"--{_MODE} is not in the {server.source}"
    else:
        says, because = _judge(mode.value if mode else "", config.value if config else "")
    return Authority(
        server=server.name, says=says, because=f"{server.name}: {because}", evidence=evidence
    )


def _judge(modes: str, config: str) -> tuple[Says, str]:
    if config:
        return Says.SOMETHING_ELSE, f"--{_CONFIG}={config} names its authorizers"
    named = [mode.strip() for mode in modes.split(",") if mode.strip()]
    if not named:
        return Says.EVERYTHING, f"--{_MODE} is not set, which allows everything to everybody"
    if "AlwaysAllow" in named:
        return Says.EVERYTHING, f"--{_MODE}={modes} allows everything to everybody"
    others = [mode for mode in named if mode not in _FINE]
    if others:
        return Says.SOMETHING_ELSE, f"--{_MODE}={modes} asks {', '.join(others)} too"
    return Says.RBAC, f"--{_MODE}={modes}"
