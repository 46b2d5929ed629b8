"""The lists of objects that controls ask about, each as one v1 List without secrets."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kcompliance.collect.config_secrets import redact_arguments
from kcompliance.collect.kubernetes import trimming
from kcompliance.collect.kubernetes.connection import Answer, Failed, NotThere, Outcome
from kcompliance.collect.kubernetes.listing import list_objects
from kcompliance.collect.recognise import redact_environment

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["as_list", "cron_jobs", "daemon_sets", "nodes", "rbac", "services"]

Item = dict[str, Any]
Trim = Callable[[Mapping[str, Any]], Item | None]

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_EVERYWHERE = "in all namespaces"
_RBAC_KINDS = {
    "Role": ("roles", _EVERYWHERE),
    "ClusterRole": ("clusterroles", ""),
    "RoleBinding": ("rolebindings", _EVERYWHERE),
    "ClusterRoleBinding": ("clusterrolebindings", ""),
}


def nodes(api: "ApiClient") -> Outcome:
    """Every node."""
    return _listed(api, "/api/v1/nodes", "list on nodes", trimming.node)


def daemon_sets(api: "ApiClient") -> Outcome:
    """Every DaemonSet."""
    permission = f"list on daemonsets.apps {_EVERYWHERE}"
    return _listed(api, "/apis/apps/v1/daemonsets", permission, trimming.daemon_set)


def services(api: "ApiClient") -> Outcome:
    """Every Service."""
    permission = f"list on services {_EVERYWHERE}"
    return _listed(api, "/api/v1/services", permission, trimming.service)


def cron_jobs(api: "ApiClient") -> Outcome:
    """Every CronJob."""
    permission = f"list on cronjobs.batch {_EVERYWHERE}"
    return _listed(api, "/apis/batch/v1/cronjobs", permission, trimming.cron_job)


def rbac(api: "ApiClient") -> Outcome:
    """Every Role, ClusterRole, RoleBinding and ClusterRoleBinding; without one of them, none."""
    found: list[Item] = []
    for kind, (plural, where) in _RBAC_KINDS.items():
        permission = f"list on {plural}.rbac.authorization.k8s.io {where}".rstrip()
        some = list_objects(api, f"{_RBAC}/{plural}", permission, partial(trimming.rbac, kind))
        if not isinstance(some, list):
            return some
        found += some
    return as_list(found)


def as_list(found: Sequence[Item]) -> Answer:
    """These objects as one v1 List, with what may be a secret overwritten."""
    kept = {"apiVersion": "v1", "kind": "List", "items": list(found)}
    redactions = sorted([*redact_environment(kept, ""), *redact_arguments(kept, "")])
    return Answer(json.dumps(kept, ensure_ascii=False).encode(), tuple(redactions))


def _listed(api: "ApiClient", path: str, permission: str, trim: Trim) -> Answer | NotThere | Failed:
    found = list_objects(api, path, permission, trim)
    return as_list(found) if isinstance(found, list) else found
