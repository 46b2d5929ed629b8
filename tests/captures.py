"""Captures for tests, in as few words as their content allows."""

from dataclasses import replace
from datetime import UTC, datetime

from kcompliance.collect.interface import Collected, Collection
from kcompliance.model.reading import Absent, Kind, Origin, Raw, Unreadable

__all__ = [
    "LOG_FLAG",
    "NOW",
    "POLICY_FLAG",
    "ROTATION_FLAGS",
    "SOUND_POLICY",
    "absent",
    "pod",
    "raw",
    "unreadable",
    "whole",
]

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
POLICY_FLAG = "--audit-policy-file=/etc/kubernetes/audit-policy.yaml"
LOG_FLAG = "--audit-log-path=/var/log/kubernetes/audit/audit.log"
ROTATION_FLAGS = (
    "--audit-log-maxage=30",
    "--audit-log-maxbackup=10",
    "--audit-log-maxsize=100",
)
SOUND_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
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


def origin(kind: Kind, resource: str, collector: str = "files") -> Origin:
    return Origin(kind=kind, resource=resource, collector=collector, collected_at=NOW)


def raw(kind: Kind, resource: str, text: str, collector: str = "files") -> Raw:
    return Raw(origin=origin(kind, resource, collector), content=text.encode())


def unreadable(kind: Kind, resource: str, reason: str = "timed out") -> Unreadable:
    return Unreadable(origin=origin(kind, resource), reason=reason)


def absent(kind: Kind, resource: str) -> Absent:
    return Absent(origin=origin(kind, resource), reason="not there")


def whole(collection: Collection) -> tuple[Collection, tuple[Collected, ...]]:
    """A collection that can be gone through again and again, and its targets."""
    targets = tuple(collection.targets)
    return replace(collection, targets=targets), targets


def pod(*flags: str, name: str = "kube-apiserver-cp-1", version: str = "v1.35.4") -> str:
    """A static pod of a server, with the policy and the log mounted from the node."""
    words = "".join(f"        - {flag}\n" for flag in flags)
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: kube-system}}
spec:
  containers:
    - name: kube-apiserver
      image: registry.k8s.io/kube-apiserver:{version}
      command:
        - kube-apiserver
{words}      volumeMounts:
        - {{name: policy, mountPath: /etc/kubernetes/audit-policy.yaml, readOnly: true}}
        - {{name: audit-log, mountPath: /var/log/kubernetes/audit}}
  volumes:
    - {{name: policy, hostPath: {{path: /etc/kubernetes/audit-policy.yaml}}}}
    - {{name: audit-log, hostPath: {{path: /var/log/kubernetes/audit}}}}
"""
