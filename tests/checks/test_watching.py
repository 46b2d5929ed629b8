"""KC-PRO-004 and KC-MON-004 beyond their cases: what they advise, and whose texts they take."""

import re
from textwrap import dedent

import pytest

from kcompliance.controls import load_controls
from kcompliance.model.assemble import assemble
from kcompliance.model.auditd.coverage import Target, covers
from kcompliance.model.auditd.rules import load_rules
from kcompliance.model.auditd.text import lines_of, looks_like_rules
from kcompliance.model.falco.coverage import reports_writes
from kcompliance.model.falco.rules import read_falco_rules
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Capture, Kind
from kcompliance.scan import judge_control
from tests.captures import LOG_FLAG, POLICY_FLAG, pod, raw

LOG_FILE = "/var/log/kubernetes/audit/audit.log"
PATHS = (
    "/etc/kubernetes/audit-policy.yaml",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/audit-webhook.yaml",
    LOG_FILE,
)
ADVICE = load_controls()["KC-PRO-004"].remediation
WATCHES = "-w /etc/kubernetes -p wa\n-w /var/log/kubernetes/audit -p wa\n"
STATUS = "enabled 1\nfailure 1\npid 645\nlost 0\n"


# --- what is advised -----------------------------------------------------------------------------


def _advised_rules() -> str:
    return "\n".join(re.findall(r"^ +(-w .*|-a .*)$", ADVICE, re.MULTILINE))


@pytest.mark.parametrize(
    "target",
    [*(Target(path=path) for path in PATHS), Target(path="/var/log/kubernetes/audit", folder=True)],
    ids=lambda target: target.path,
)
def test_the_advised_rules_of_auditd_cover_the_paths_of_kubeadm(target: Target) -> None:
    rules = load_rules(lines_of("advice", _advised_rules()))

    assert looks_like_rules(_advised_rules())
    assert rules.unread == ()
    assert covers(rules, target).missing == ()


@pytest.mark.parametrize("path", [*PATHS, "/var/log/kubernetes/audit/audit-2026.log"])
def test_the_advised_rule_of_falco_covers_the_paths_of_kubeadm(path: str) -> None:
    text = dedent(ADVICE[ADVICE.index("  - rule:") :])

    found = reports_writes(read_falco_rules([("advice", text.encode())]), (path,))

    assert (found.missing, found.questions) == ((), ())


# --- whose rules they are ------------------------------------------------------------------------


def _found(control: str, *captures: Capture) -> list[Finding]:
    cluster = assemble("c", captures)
    return [judged.finding for judged in judge_control(load_controls()[control], cluster, {})]


def _statuses(findings: list[Finding], start: str) -> set[Status]:
    return {found.status for found in findings if found.resource.startswith(start)}


def _manifest(node: str) -> Capture:
    resource = f"nodes/{node}/etc/kubernetes/manifests/kube-apiserver.yaml"
    return raw(Kind.OBJECTS, resource, pod(POLICY_FLAG, LOG_FLAG, name=f"kube-apiserver-{node}"))


def test_in_copies_of_several_nodes_each_has_its_own_rules() -> None:
    findings = _found(
        "KC-PRO-004",
        _manifest("cp-1"),
        _manifest("cp-2"),
        raw(Kind.AUDITD_RULES, "nodes/cp-1/etc/audit/audit.rules", WATCHES),
        raw(Kind.AUDITD_STATUS, "nodes/cp-1/auditctl-s.txt", STATUS),
    )

    assert _statuses(findings, "nodes/cp-1/") == {Status.PASS}
    assert _statuses(findings, "nodes/cp-2/") == {Status.MANUAL}


def test_a_text_that_names_no_node_is_no_answer_for_several() -> None:
    texts = (
        raw(Kind.AUDITD_RULES, "auditctl-l.txt", WATCHES),
        raw(Kind.AUDITD_STATUS, "auditctl-s.txt", STATUS),
    )

    one = _found("KC-PRO-004", _manifest("cp-1"), *texts)
    two = _found("KC-PRO-004", _manifest("cp-1"), _manifest("cp-2"), *texts)

    assert {found.status for found in one} == {Status.PASS}
    assert {found.status for found in two} == {Status.MANUAL}


def test_both_the_joined_file_and_its_parts_have_to_cover() -> None:
    parts = raw(Kind.AUDITD_RULES, "node:cp-1/etc/audit/rules.d/a.rules", WATCHES)
    joined = raw(Kind.AUDITD_RULES, "node:cp-1/etc/audit/audit.rules", "-D\n-b 8192\n")
    status = raw(Kind.AUDITD_STATUS, "node:cp-1/auditctl-s", STATUS)
    server = raw(
        Kind.COMMAND_LINE, "node:cp-1/proc/1/cmdline", f"kube-apiserver {POLICY_FLAG} {LOG_FLAG}"
    )

    both = _found("KC-PRO-004", server, parts, joined, status)

    assert {found.status for found in both} == {Status.MANUAL}
    assert "augenrules" in str(both[0].question)
    assert {f.status for f in _found("KC-PRO-004", server, parts, status)} == {Status.PASS}


FALCO = """\
- rule: Audit files changed
  condition: (open_write or modify) and (fs.path.name startswith / or fs.path.target exists)
  output: o
  priority: WARNING
"""
NODES = """\
kind: List
items:
- {kind: Node, metadata: {name: cp-1}, spec: {taints: [{key: control, effect: NoSchedule}]}}
- {kind: Node, metadata: {name: w-1}}
"""


def _daemon_set(desired: int, ready: int, tolerations: str = "") -> Capture:
    text = f"""\
kind: List
items:
- kind: DaemonSet
  metadata: {{name: falco, namespace: falco}}
  spec: {{template: {{spec: {{tolerations: [{tolerations}], containers: [{{image: falco}}]}}}}}}
  status: {{desiredNumberScheduled: {desired}, numberReady: {ready}}}
"""
    return raw(Kind.DAEMON_SETS, "kube:c", text)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ([], Status.MANUAL),
        ([_daemon_set(2, 2)], Status.PASS),
        ([_daemon_set(3, 2)], Status.MANUAL),
        ([_daemon_set(0, 0)], Status.MANUAL),
        ([_daemon_set(1, 1)], Status.MANUAL),
        ([_daemon_set(1, 1, "{operator: Exists}")], Status.MANUAL),
    ],
    ids=["unseen", "everywhere", "not ready", "nowhere", "not tolerated", "on one of two"],
)
def test_falco_counts_where_it_is_seen_to_run(given: list[Capture], status: Status) -> None:
    server = raw(Kind.COMMAND_LINE, "node:cp-1/proc/1/cmdline", f"kube-apiserver {POLICY_FLAG}")
    rules = raw(Kind.FALCO_RULES, "node:cp-1/etc/falco/rules.d/a.yaml", FALCO)
    nodes = raw(Kind.NODES, "kube:c", NODES)

    found = _found("KC-PRO-004", server, rules, nodes, *given)

    assert {finding.status for finding in found} == {status}


def test_a_policy_out_of_a_config_map_is_not_a_file_of_the_node() -> None:
    text = pod(POLICY_FLAG, LOG_FLAG).replace(
        "{name: policy, hostPath: {path: /etc/kubernetes/audit-policy.yaml}}",
        "{name: policy, configMap: {name: audit-policy}}",
    )

    findings = _found("KC-PRO-004", raw(Kind.OBJECTS, "server.yaml", text))

    assert Status.NOT_APPLICABLE in {found.status for found in findings}


def test_texts_of_two_nodes_without_names_are_judged_by_their_folders() -> None:
    findings = _found(
        "KC-MON-004",
        raw(Kind.AUDITD_RULES, "a/auditctl-l.txt", WATCHES),
        raw(Kind.AUDITD_STATUS, "a/auditctl-s.txt", STATUS),
        raw(Kind.AUDITD_RULES, "b/auditctl-l.txt", "No rules\n"),
        raw(Kind.AUDITD_STATUS, "b/auditctl-s.txt", STATUS),
    )

    assert _statuses(findings, "the node of a") == {Status.PASS}
    assert _statuses(findings, "the node of b") == {Status.FAIL}


@pytest.mark.parametrize(
    ("control", "status"),
    [("KC-PRO-004", Status.NOT_APPLICABLE), ("KC-MON-004", Status.MANUAL)],
)
def test_of_a_providers_cluster_the_api_server_is_not_asked_and_the_nodes_are(
    control: str, status: Status
) -> None:
    aks = '{"id": "/x/providers/Microsoft.ContainerService/managedClusters/prod"}'

    statuses = {found.status for found in _found(control, raw(Kind.AKS_CLUSTER, "aks.json", aks))}

    assert statuses == {status}


def test_a_watcher_that_does_not_exist_is_an_error() -> None:
    cluster = assemble("c", [_manifest("cp-1")])

    (judged,) = judge_control(load_controls()["KC-PRO-004"], cluster, {"watcher": "auditt"})

    assert judged.finding.status is Status.ERROR
    assert '"auditt" is none of' in judged.finding.because
