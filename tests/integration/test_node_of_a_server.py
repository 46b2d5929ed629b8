"""A kube-apiserver that runs, seen through the /proc of its node."""

import time
from pathlib import Path

import pytest

from kcompliance.collect.node.collector import Node, collect_node
from kcompliance.controls import load_controls
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding
from kcompliance.scan import judge_control
from tests.captures import NOW, SOUND_POLICY
from tests.servers.fixtures import StartKubeApiServer

pytestmark = pytest.mark.integration

SKEW = 2


def _policy_finding(pid: int) -> Finding:
    """What KC-PRO-003 says of the policy of this very process."""
    captures = collect_node(Node(root=Path("/"), name="cp-1"), NOW, lambda what: None)
    cluster = assemble("c", captures)
    control = load_controls()["KC-PRO-003"]
    findings = [item.finding for item in judge_control(control, cluster, {})]
    wanted = f"node:cp-1/proc/{pid}/cmdline"
    (found,) = [f for f in findings if f.resource == wanted and f.aspect == "policy"]
    return found


def test_a_policy_that_is_changed_under_a_running_server_is_a_fail(
    kube_apiserver: StartKubeApiServer,
) -> None:
    server = kube_apiserver(audit_policy=SOUND_POLICY)
    before = _policy_finding(server.pid)

    policy = server.folder / "audit-policy.yaml"
    time.sleep(SKEW + 1)  # the start and the change have to be told apart
    policy.write_text(SOUND_POLICY + "# changed\n")
    changed = _policy_finding(server.pid)
    server.restart()
    after = _policy_finding(server.pid)

    assert (before.status, after.status) == ("pass", "pass"), (before.because, after.because)
    assert changed.status == "fail"
    assert "after the server was started" in changed.because
