"""Rules and status of the kernel's audit and rules of Falco are known by their content."""

import pytest

from kcompliance.collect.recognise import recognise
from kcompliance.model.reading import Kind

FALCO = (
    b"- rule: A\n  condition: open_write and fd.name startswith /etc/kubernetes\n  priority: INFO\n"
)
CONFIG_MAP = (
    b"kind: ConfigMap\nmetadata: {name: falco-rules}\ndata:\n  mine.yaml: |\n    "
    + FALCO.replace(b"\n", b"\n    ")
)
DAEMON_SET = (
    b"kind: DaemonSet\nmetadata: {name: falco}\nspec: {template: {spec: {containers: "
    b"[{name: falco, image: docker.io/falcosecurity/falco:0.41.0}]}}}\n"
)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"-w /etc/kubernetes/ -p wa -k k8s\n", Kind.AUDITD_RULES),
        (b"## our rules\n\n-D\n-b 8192\n-w /etc/kubernetes/ -p wa\n-e 2\n", Kind.AUDITD_RULES),
        (b"-a always,exit -F arch=b64 -S all -F dir=/etc -F perm=wa\n", Kind.AUDITD_RULES),
        (b"-w /etc/kubernetes/manifests/kube-apiserver.yaml -p wa\n", Kind.AUDITD_RULES),
        (b"No rules\n", Kind.AUDITD_RULES),
        (b"enabled 1\nfailure 1\npid 645\nrate_limit 0\nlost 0\n", Kind.AUDITD_STATUS),
        (b"AUDIT_STATUS: enabled=1 flag=1 pid=5 lost=0\n", Kind.AUDITD_STATUS),
        (FALCO, Kind.FALCO_RULES),
        (b"- list: a\n  items: [kube-apiserver]\n", Kind.FALCO_RULES),
        (b"- macro: a\n  condition: never_true\n---\n" + FALCO, Kind.FALCO_RULES),
        (CONFIG_MAP, Kind.OBJECTS),
        (DAEMON_SET, Kind.OBJECTS),
    ],
    ids=range(12),
)
def test_a_text_of_a_watcher_is_known(data: bytes, kind: Kind) -> None:
    found = recognise(data)

    assert found is not None
    assert (found.kind, found.content) == (kind, data)


@pytest.mark.parametrize(
    "data",
    [
        b"Put these into a file:\n-w /etc/kubernetes -p wa\nand load them.\nThat is all.\n",
        b"- rule: A\n  condition: {{ .Values.condition }}\n",
        b"- rule: no condition\n",
        b"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n",
        b"enabled 1\nand so on\n",
        b"kind: ConfigMap\ndata: {a.yaml: 'x: y'}\n",
        b"\0-w /etc -p wa\n",
    ],
    ids=range(7),
)
def test_what_only_looks_like_it_is_not(data: bytes) -> None:
    assert recognise(data) is None
