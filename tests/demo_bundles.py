"""Builds what `kcompliance demo` shows: `python -m tests.demo_bundles` makes it anew.

Two bundles are the same self-managed cluster with three control-plane nodes, once with faults and
once mended. An AKS and an EKS cluster are folders of what `az … -o json` and `aws …` print. A test
compares what is shipped with what is built here.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kcompliance.collect.bundle import write_bundle
from kcompliance.collect.interface import Collected, Collection
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable
from tests.azure_rm import documents

__all__ = ["DEMO", "build"]

DEMO = Path(__file__).parent.parent / "demo"
EVENTS = 40
PARAMETERS = {"KC-RET-011": {"mb_per_hour": 15, "disk_mb": 20_000}}
"""What nobody can read from a cluster and its owners have measured."""
AS_OF = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
POLICY = "/etc/kubernetes/audit-policy.yaml"
LOG = "/var/log/kubernetes/audit/audit.log"

FAULTY_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  # Meant to spare the log the chatter of controllers; drops what everybody does to workloads.
  - level: None
    resources:
      - group: apps
  # Without a group this is about the core group, which has no deployments.
  - level: RequestResponse
    verbs: [create, update, patch, delete]
    resources:
      - resources: [deployments, pods]
  - level: Metadata
    resources:
      - group: ""
        resources: [secrets, configmaps]
"""

SOUND_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:kube-proxy"]
    verbs: [watch]
    resources:
      - group: ""
        resources: [endpoints, services]
      - group: discovery.k8s.io
        resources: [endpointslices]
  - level: None
    nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]
  - level: Metadata
    resources:
      - group: ""
        resources: [secrets, configmaps, serviceaccounts/token]
      - group: authentication.k8s.io
        resources: [tokenreviews]
  - level: RequestResponse
    verbs: [create, update, patch, delete, deletecollection]
    resources:
      - group: rbac.authorization.k8s.io
      - group: admissionregistration.k8s.io
      - group: certificates.k8s.io
  - level: Metadata
"""


def build(folder: Path) -> None:
    """Write `faulty/` and `sound/` below a folder."""
    write_bundle(_collection("faulty", _faulty()), folder / "faulty")
    write_bundle(_collection("sound", _sound()), folder / "sound")
    _write_outputs(folder / "aks", _aks())
    _write_outputs(folder / "eks", _eks())
    (folder / "audit.log").write_bytes(_audit_log())
    (folder / "faulty-policy.yaml").write_text(FAULTY_POLICY, encoding="utf-8")
    (folder / "sound-policy.yaml").write_text(SOUND_POLICY, encoding="utf-8")


def _write_outputs(folder: Path, outputs: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    for name, output in outputs.items():
        (folder / name).write_text(json.dumps(output, indent=2) + "\n", encoding="utf-8")


def _aks() -> dict[str, Any]:
    """A setting that looks like auditing and ships the autoscaler's log only."""
    autoscaler = documents.setting("cluster-autoscaler", name="logs")
    return {
        "aks-show.json": documents.as_az(documents.cluster()),
        "diagnostic-settings-list.json": [documents.as_az(autoscaler)],
        "diagnostic-settings-categories-list.json": {
            "value": [documents.as_az(each) for each in documents.categories()]
        },
        "workspace-show.json": documents.as_az(documents.workspace()),
    }


def _eks() -> dict[str, Any]:
    """Audit logs are on, and kept for a month."""
    arn = "arn:aws:eks:eu-central-1:111122223333:cluster/prod"
    group = "/aws/eks/prod/cluster"
    cluster = {
        "name": "prod",
        "arn": arn,
        "createdAt": "2024-03-01T08:00:00+00:00",
        "version": "1.33",
        "endpoint": "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
        "logging": {
            "clusterLogging": [
                {"types": ["api", "audit", "authenticator"], "enabled": True},
                {"types": ["controllerManager", "scheduler"], "enabled": False},
            ]
        },
        "status": "ACTIVE",
        "platformVersion": "eks.12",
    }
    log_group = {
        "logGroupName": group,
        "creationTime": 1709280000000,
        "retentionInDays": 30,
        "metricFilterCount": 0,
        "arn": f"arn:aws:logs:eu-central-1:111122223333:log-group:{group}:*",
        "storedBytes": 84213771,
    }
    return {
        "describe-cluster.json": {"cluster": cluster},
        "describe-log-groups.json": {"logGroups": [log_group]},
    }


def _audit_log() -> bytes:
    """The first events that a real kube-apiserver recorded for the tests."""
    events = (Path(__file__).parent / "samples" / "audit-events.ndjson").read_bytes()
    return b"".join(events.splitlines(keepends=True)[:EVENTS])


def _collection(name: str, captures: list[Capture]) -> Collection:
    target = Collected(name=f"kube:{name}", captures=tuple(captures))
    return Collection(as_of=AS_OF, targets=(target,), parameters=PARAMETERS)


def _faulty() -> list[Capture]:
    name = "kube:faulty"
    return [
        *_server(name),
        _pods(
            name,
            _pod("cp-1", policy=POLICY, log=LOG, log_volume=True),
            _pod("cp-2", policy=POLICY, log="/var/log/audit.log", log_volume=False),
            _pod("cp-3", policy="/etc/kubernetes/audit/policy.yaml", log=LOG, log_volume=True),
        ),
        Unreadable(
            origin=_origin(Kind.METRICS, f"{name} /metrics", "kubernetes"),
            reason='403: not allowed: forbidden: User "auditor" cannot get path "/metrics"',
            permission="get on the non-resource URL /metrics",
        ),
        _raw(Kind.AUDIT_POLICY, f"nodes/cp-1{POLICY}", "files", FAULTY_POLICY),
    ]


def _sound() -> list[Capture]:
    name = "kube:sound"
    metrics = (
        "apiserver_audit_event_total 48211\n"
        'apiserver_audit_level_total{level="Metadata"} 31877\n'
        'apiserver_audit_level_total{level="None"} 90412\n'
        'apiserver_audit_level_total{level="RequestResponse"} 514\n'
        "apiserver_audit_requests_rejected_total 0\n"
    )
    nodes = ("cp-1", "cp-2", "cp-3")
    return [
        *_server(name),
        _pods(name, *(_pod(node, policy=POLICY, log=LOG, log_volume=True) for node in nodes)),
        _raw(Kind.METRICS, f"{name} /metrics", "kubernetes", metrics),
        _raw(Kind.AUDIT_POLICY, f"nodes/cp-1{POLICY}", "files", SOUND_POLICY),
    ]


def _server(name: str) -> list[Capture]:
    version = {"major": "1", "minor": "35", "gitVersion": "v1.35.4", "platform": "linux/amd64"}
    endpoint = {"server": "https://api.cluster.example:6443"}
    return [
        _raw(Kind.ENDPOINT, f"{name} endpoint", "kubernetes", json.dumps(endpoint)),
        _raw(Kind.VERSION, f"{name} /version", "kubernetes", json.dumps(version)),
        Absent(
            origin=_origin(Kind.FLAGZ, f"{name} /flagz", "kubernetes"),
            reason="not asked: servers have it from 1.36 on",
        ),
    ]


def _pods(name: str, *pods: dict[str, Any]) -> Raw:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(pods)}
    resource = f"{name} pods in kube-system"
    return _raw(Kind.API_SERVER_PODS, resource, "kubernetes", json.dumps(listed, indent=1))


def _pod(node: str, *, policy: str, log: str, log_volume: bool) -> dict[str, Any]:
    mounts = [{"name": "policy", "mountPath": policy, "readOnly": True}]
    volumes: list[dict[str, Any]] = [
        {"name": "policy", "hostPath": {"path": policy, "type": "File"}}
    ]
    if log_volume:
        where = str(Path(log).parent)
        mounts.append({"name": "audit-log", "mountPath": where})
        volumes.append(
            {"name": "audit-log", "hostPath": {"path": where, "type": "DirectoryOrCreate"}}
        )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"kube-apiserver-{node}",
            "namespace": "kube-system",
            "labels": {"component": "kube-apiserver", "tier": "control-plane"},
        },
        "spec": {
            "nodeName": node,
            "hostNetwork": True,
            "containers": [
                {
                    "name": "kube-apiserver",
                    "image": "registry.k8s.io/kube-apiserver:v1.35.4",
                    "command": [
                        "kube-apiserver",
                        "--secure-port=6443",
                        "--authorization-mode=Node,RBAC",
                        f"--audit-policy-file={policy}",
                        f"--audit-log-path={log}",
                        "--audit-log-maxage=30",
                        "--audit-log-maxbackup=10",
                        "--audit-log-maxsize=100",
                    ],
                    "volumeMounts": mounts,
                }
            ],
            "volumes": volumes,
        },
    }


def _raw(kind: Kind, resource: str, collector: str, text: str) -> Raw:
    return Raw(origin=_origin(kind, resource, collector), content=text.encode())


def _origin(kind: Kind, resource: str, collector: str) -> Origin:
    return Origin(kind=kind, resource=resource, collector=collector, collected_at=AS_OF)


if __name__ == "__main__":
    shutil.rmtree(DEMO, ignore_errors=True)
    build(DEMO)
