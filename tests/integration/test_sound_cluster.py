"""A cluster set up well passes; one that is broken in one way fails the control that names it.

The API server is real, and so is everything read from it. What only a node, an archive or a human
can tell stays a question.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import kcompliance
from tests.integration.test_kubernetes_collector import add_mirror_pod
from tests.integration.test_kubernetes_lists import (
    NODE,
    WORKER,
    add_forwarder,
    add_node,
    create,
)
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SOUND_POLICY = (ROOT / "demo" / "sound-policy.yaml").read_text()
WITH_SECRETS = SOUND_POLICY.replace(
    "rules:\n",
    'rules:\n  - level: RequestResponse\n    resources: [{group: "", resources: [secrets]}]\n',
    1,
)
BLIND_FOR_ADMINS = SOUND_POLICY.replace(
    "rules:\n",
    'rules:\n  - level: None\n    userGroups: ["system:masters"]\n    verbs: [get]\n'
    '    resources: [{group: "", resources: [pods]}]\n',
    1,
)
ROTATION = ("--audit-log-maxage=30", "--audit-log-maxbackup=10", "--audit-log-maxsize=100")
ASKED = {"mb_per_hour": 1, "disk_mb": 100_000}

OF_NODES_AND_HUMANS = {"KC-PRO-001", "KC-PRO-003", "KC-PRO-004", "KC-MON-004", "KC-PRO-005"}
"""What nothing here can tell: files of nodes, and how a forwarder sends."""
OF_STORES = {"KC-RET-001", "KC-RET-002", "KC-RET-003", "KC-RET-004", "KC-RET-005", "KC-RET-006"}
OF_STORES |= {"KC-PRO-006", "KC-PRO-007", "KC-PRO-009", "KC-PRO-011", "KC-PRO-014"}
OF_STORES |= {"KC-CMP-008", "KC-CMP-011", "KC-CMP-012", "KC-CMP-013"}
"""No store and no archive is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a cluster is set up; the defaults are sound."""

    policy: str = SOUND_POLICY
    flags: tuple[str, ...] = ROTATION
    store: str = "logs.example.com"
    forwarder_on: tuple[str, ...] = (NODE, WORKER)
    after_approval: Callable[[KubeApiServer], object] = field(default=lambda server: None)
    approved_policy: str | None = None


def grant_node_proxy(server: KubeApiServer) -> None:
    """What lets somebody run commands on nodes without an audit event."""
    of_rbac = "/apis/rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]}
    create(server, f"{of_rbac}/clusterroles", {"metadata": {"name": "peek"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "peek"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}
    binding = {"metadata": {"name": "peek"}, "roleRef": role, "subjects": [subject]}
    create(server, f"{of_rbac}/clusterrolebindings", binding)


BROKEN = {
    "the log rotates away within an hour": (
        Setting(flags=(*ROTATION[:2], "--audit-log-maxsize=1", "--audit-log-maxbackup=1")),
        "KC-RET-011",
    ),
    "the policy is another than was approved": (
        Setting(approved_policy=SOUND_POLICY.replace("watch", "list", 1)),
        "KC-PRO-002",
    ),
    "somebody may use the proxy of nodes": (
        Setting(after_approval=grant_node_proxy),
        "KC-PRO-012",
    ),
    "a node has no forwarder": (Setting(forwarder_on=(NODE,)), "KC-MON-001"),
    "the log never leaves the cluster": (Setting(store="es.logging.svc"), "KC-MON-002"),
    "bodies of secrets are logged": (Setting(policy=WITH_SECRETS), "KC-CMP-006"),
    "an administrator is left out": (Setting(policy=BLIND_FOR_ADMINS), "KC-CMP-007"),
}


@pytest.fixture
def verdicts(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> Callable[[Setting], dict[str, set[str]]]:
    """The statuses of each control for a cluster that is set up so."""

    def judged(setting: Setting) -> dict[str, set[str]]:
        server = kube_apiserver(
            audit_policy=setting.policy,
            extra_args=("--disable-admission-plugins=ServiceAccount", *setting.flags),
        )
        add_mirror_pod(server)
        add_node(server, NODE, control_plane=True)
        add_node(server, WORKER)
        add_forwarder(server, host=setting.store, nodes=setting.forwarder_on)
        _configure(tmp_path, server, setting)
        setting.after_approval(server)
        return _scanned(tmp_path, server)

    return judged


def _configure(folder: Path, server: KubeApiServer, setting: Setting) -> None:
    policy = folder / "audit-policy.yaml"
    target = {"kube": "kube:test", "files": [str(policy)]}
    parameters = {f"KC-RET-011.{name}": value for name, value in ASKED.items()}
    (folder / "kcompliance.yaml").write_text(
        json.dumps({"targets": {"prod": target}, "param": parameters})
    )
    environment = {"KUBECONFIG": str(server.kubeconfig)}
    policy.write_text(setting.approved_policy or setting.policy)
    done = kcompliance(
        "approve", "@prod", "--out", "kcompliance.lock", "--by", "jo", cwd=folder, env=environment
    )
    assert done.code == 0, done
    policy.write_text(setting.policy)


def _scanned(folder: Path, server: KubeApiServer) -> dict[str, set[str]]:
    environment = {"KUBECONFIG": str(server.kubeconfig)}
    done = kcompliance("scan", "@prod", "--format", "json", cwd=folder, env=environment)
    found: dict[str, set[str]] = {}
    findings: list[dict[str, Any]] = done.json["findings"]
    for each in findings:
        found.setdefault(each["control"], set()).add(each["status"])
    return found


def test_a_sound_cluster_passes_all_that_can_be_seen_without_a_node(
    verdicts: Callable[[Setting], dict[str, set[str]]],
) -> None:
    found = verdicts(Setting())

    open_ = {control for control, statuses in found.items() if "manual" in statuses}
    assert {status for statuses in found.values() for status in statuses} <= {
        "pass",
        "manual",
        "not_applicable",
    }
    assert open_ <= OF_NODES_AND_HUMANS | OF_STORES | {"KC-PRO-012"}
    good = ({"pass"}, {"pass", "not_applicable"})
    passed = {control for control, statuses in found.items() if statuses in good}
    assert passed >= {"KC-AUD-005", "KC-AUD-006", "KC-AUD-007", "KC-AUD-008", "KC-RET-011"}
    assert passed >= {f"KC-CMP-00{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)}
    assert passed >= {"KC-PRO-002", "KC-MON-001", "KC-MON-002"}


@pytest.mark.parametrize(("setting", "named"), BROKEN.values(), ids=list(BROKEN))
def test_a_cluster_broken_in_one_way_fails_the_control_that_names_it(
    verdicts: Callable[[Setting], dict[str, set[str]]], setting: Setting, named: str
) -> None:
    found = verdicts(setting)

    assert [control for control, statuses in found.items() if "fail" in statuses] == [named]
    assert not [control for control, statuses in found.items() if "error" in statuses]
