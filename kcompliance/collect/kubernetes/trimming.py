"""What is kept of each kind of object: the fields that controls ask about, and no others."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "config_map",
    "cron_job",
    "daemon_set",
    "forwarder_pod",
    "node",
    "rbac",
    "service",
]

Kept = dict[str, Any]


def node(found: Mapping[str, Any]) -> Kept:
    """Labels, taints, networks, addresses, conditions and the operating system."""
    status = _part(found, "status", "addresses", "nodeInfo")
    _put(status, "conditions", _each(_at(found, "status", "conditions"), "type", "status"))
    _put(
        status,
        "nodeInfo",
        _picked(status.get("nodeInfo"), "operatingSystem", "osImage", "kubeletVersion"),
    )
    spec = _part(found, "spec", "unschedulable", "taints", "podCIDR", "podCIDRs", "providerID")
    return _object("v1", "Node", found, spec=spec, status=status)


def daemon_set(found: Mapping[str, Any]) -> Kept:
    """Which pods it makes, and how many of them there are."""
    spec = _part(found, "spec", "selector", "template")
    _put(spec, "template", _template(spec.get("template")))
    return _object("apps/v1", "DaemonSet", found, spec=spec, status=_at(found, "status"))


def service(found: Mapping[str, Any]) -> Kept:
    """Its names and addresses, and whom its load balancer lets in."""
    spec = _part(
        found,
        "spec",
        "type",
        "clusterIP",
        "clusterIPs",
        "externalName",
        "externalIPs",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "ports",
        "selector",
    )
    kept = _object("v1", "Service", found, spec=spec, status=_part(found, "status", "loadBalancer"))
    notes = _at(found, "metadata", "annotations")
    if isinstance(notes, Mapping):
        balancer = {name: value for name, value in notes.items() if "load-balancer" in name}
        _put(kept["metadata"], "annotations", balancer or None)
    return kept


def cron_job(found: Mapping[str, Any]) -> Kept:
    """When it runs, when it last did, and what."""
    spec = _part(found, "spec", "schedule", "timeZone", "suspend", "concurrencyPolicy")
    pod = _at(found, "spec", "jobTemplate", "spec", "template", "spec")
    kept_pod = _part({"spec": pod}, "spec", "volumes", "serviceAccountName")
    for name in ("initContainers", "containers"):
        wanted = ("name", "image", "command", "args", "env", "envFrom", "volumeMounts")
        _put(kept_pod, name, _each(_at(pod, name), *wanted))
    spec["jobTemplate"] = {"spec": {"template": {"spec": kept_pod}}}
    return _object("batch/v1", "CronJob", found, spec=spec, status=_at(found, "status"))


def config_map(found: Mapping[str, Any]) -> Kept:
    """Its texts; secrets are still in them."""
    return _object("v1", "ConfigMap", found) | _part({"it": found}, "it", "data", "binaryData")


def forwarder_pod(found: Mapping[str, Any]) -> Kept | None:
    """Whose it is, on which node, and how it fares; None for a pod of no DaemonSet."""
    owners = _each(
        _at(found, "metadata", "ownerReferences"), "apiVersion", "kind", "name", "uid", "controller"
    )
    if not any(owner.get("kind") == "DaemonSet" for owner in owners or []):
        return None
    spec = _part(found, "spec", "nodeName")
    _put(spec, "containers", _each(_at(found, "spec", "containers"), "name", "image"))
    status = _part(found, "status", "phase", "startTime")
    conditions = _at(found, "status", "conditions")
    _put(status, "conditions", _each(conditions, "type", "status", "lastTransitionTime"))
    containers = _at(found, "status", "containerStatuses")
    if isinstance(containers, list):
        status["containerStatuses"] = [_container_status(item) for item in containers]
    kept = _object("v1", "Pod", found, spec=spec, status=status)
    kept["metadata"]["ownerReferences"] = owners
    return kept


def _container_status(found: object) -> Kept:
    """What its states say in free text may be a piece of its log."""
    kept = _picked(found, "name", "ready", "restartCount") or {}
    for name in ("state", "lastState"):
        states = _at(found, name)
        if isinstance(states, dict):
            wanted = ("startedAt", "finishedAt", "reason", "exitCode")
            kept[name] = {state: _picked(told, *wanted) for state, told in states.items()}
    return kept


def rbac(kind: str, found: Mapping[str, Any]) -> Kept:
    """A role with its rules or what it is aggregated of, or a binding."""
    kept = _object("rbac.authorization.k8s.io/v1", kind, found)
    for name in ("aggregationRule", "rules", "roleRef", "subjects"):
        _put(kept, name, found.get(name))
    return kept


# --- parts -------------------------------------------------------------------------------------

_METADATA = ("name", "namespace", "uid", "generation", "labels", "creationTimestamp")


def _object(version: str, kind: str, found: Mapping[str, Any], **parts: object) -> Kept:
    """An object whose kind is written out, as the items of a typed list do not."""
    metadata = _part(found, "metadata", *_METADATA, "deletionTimestamp")
    kept: Kept = {"apiVersion": version, "kind": kind, "metadata": metadata}
    for name, part in parts.items():
        if part:
            kept[name] = part
    return kept


def _template(template: object) -> object:
    """The pod's own annotations hold sums and copies, and nothing that is asked about."""
    if not isinstance(template, dict):
        return None
    return {
        "metadata": _part(template, "metadata", "labels"),
        "spec": template.get("spec"),
    }


def _at(found: object, *path: str) -> Any:
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _part(found: object, name: str, *wanted: str) -> Kept:
    return _picked(_at(found, name), *wanted) or {}


def _picked(found: object, *wanted: str) -> Kept | None:
    if not isinstance(found, Mapping):
        return None
    return {name: found[name] for name in wanted if found.get(name) is not None}


def _each(found: object, *wanted: str) -> list[Kept] | None:
    if not isinstance(found, list):
        return None
    return [kept for item in found if (kept := _picked(item, *wanted)) is not None]


def _put(kept: Kept, name: str, value: object) -> None:
    """Set it, or leave it out where there is nothing of it."""
    if value is None:
        kept.pop(name, None)
    else:
        kept[name] = value
