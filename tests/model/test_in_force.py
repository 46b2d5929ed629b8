"""Which servers run, and which policy text each of them reads."""

import json
from typing import Any

import pytest

from kcompliance.model.assemble import assemble
from kcompliance.model.in_force import (
    AmbiguousPolicy,
    FoundPolicy,
    NoPolicyText,
    Replica,
    policy_of,
    replicas,
)
from kcompliance.model.reading import Capture, Kind, Raw
from tests.captures import LOG_FLAG, POLICY_FLAG, SOUND_POLICY, pod, raw

OTHER_POLICY = SOUND_POLICY.replace("Metadata", "None")
HOST_PATH = "hostPath: {path: /etc/kubernetes/audit-policy.yaml}"


def _server(resource: str = "node/etc/kubernetes/manifests/s.yaml", **change: str) -> Raw:
    text = pod(POLICY_FLAG, LOG_FLAG, name=change.pop("name", "kube-apiserver-cp-1"))
    return raw(Kind.OBJECTS, resource, text.replace(HOST_PATH, change.get("volume", HOST_PATH)))


def _policy(resource: str, text: str = SOUND_POLICY) -> Raw:
    return raw(Kind.AUDIT_POLICY, resource, text)


def _flagz(**flags: str) -> Raw:
    answer = {"kind": "Flagz", "apiVersion": "config.k8s.io/v1alpha1", "flags": flags}
    return raw(Kind.FLAGZ, "/flagz", json.dumps(answer), "kubernetes")


def _replicas(*captures: Capture) -> tuple[Replica, ...]:
    return replicas(assemble("c", captures))


def _policy_of(*captures: Capture) -> Any:
    cluster = assemble("c", captures)
    return policy_of(cluster, replicas(cluster)[0])


# --- replicas ----------------------------------------------------------------------------------

FLAGS = {
    "audit-policy-file": "/etc/kubernetes/audit-policy.yaml",
    "audit-log-path": "/var/log/kubernetes/audit/audit.log",
}


def test_a_server_that_confirms_a_pods_flags_is_that_pod() -> None:
    (replica,) = _replicas(_server(), _flagz(**FLAGS))

    assert replica.running
    assert replica.server is not None


def test_a_server_with_flags_of_no_pod_is_one_more() -> None:
    of_pod, of_flagz = _replicas(_server(), _flagz(**{**FLAGS, "audit-policy-file": ""}))

    assert not of_pod.running
    assert of_flagz.running
    assert of_flagz.server is None
    assert of_flagz.settings.policy_file is None


def test_one_answer_confirms_one_of_two_pods() -> None:
    found = _replicas(_server("a.yaml"), _server("b.yaml"), _flagz(**FLAGS))

    assert [replica.running for replica in found] == [True, False]


def test_without_servers_and_answers_there_are_none() -> None:
    assert _replicas(_policy("policy.yaml")) == ()


# --- the policy of a replica -------------------------------------------------------------------


def test_a_server_without_the_flag_has_no_policy_text() -> None:
    server = raw(Kind.OBJECTS, "s.yaml", pod(LOG_FLAG))

    assert isinstance(_policy_of(server, _policy("audit-policy.yaml")), NoPolicyText)


def test_the_copy_of_the_nodes_file_is_found_by_its_whole_path() -> None:
    wanted = _policy("node/etc/kubernetes/audit-policy.yaml")

    found = _policy_of(_server(), wanted, _policy("node/old/audit-policy.yaml", OTHER_POLICY))

    assert isinstance(found, FoundPolicy)
    assert (found.policy.raw, found.note) == (wanted, None)


def test_the_path_on_the_node_counts_and_not_the_one_in_the_container() -> None:
    server = _server(volume="hostPath: {path: /opt/audit/rules.yaml}")
    wanted = _policy("node/opt/audit/rules.yaml")

    found = _policy_of(
        server, wanted, _policy("node/etc/kubernetes/audit-policy.yaml", OTHER_POLICY)
    )

    assert isinstance(found, FoundPolicy)
    assert found.policy.raw == wanted


def test_a_mere_file_name_is_enough_for_the_only_policy_and_is_told() -> None:
    found = _policy_of(_server(), _policy("audit-policy.yaml"))

    assert isinstance(found, FoundPolicy)
    assert "by its file name" in str(found.note)


@pytest.mark.parametrize(
    "others",
    [
        [_policy("policy.yaml")],
        [_policy("a/audit-policy.yaml"), _policy("b/policy.yaml")],
        [],
    ],
    ids=["another name", "one of two", "none"],
)
def test_a_policy_that_only_lies_beside_the_server_is_not_its_own(others: list[Raw]) -> None:
    assert isinstance(_policy_of(_server(), *others), NoPolicyText)


@pytest.mark.parametrize(
    "volume",
    [
        "emptyDir: {}",
        "secret: {secretName: audit}",
        "persistentVolumeClaim: {claimName: audit}",
        "projected: {sources: []}",
        "hostPath: {}",
        "unheardOf: {}",
    ],
)
def test_where_another_volume_covers_the_path_the_nodes_file_is_not_the_policy(volume: str) -> None:
    found = _policy_of(_server(volume=volume), _policy("node/etc/kubernetes/audit-policy.yaml"))

    assert isinstance(found, NoPolicyText)


def test_different_texts_of_equal_standing_are_ambiguous() -> None:
    found = _policy_of(
        _server("manifests/s.yaml"),
        _policy("a/etc/kubernetes/audit-policy.yaml"),
        _policy("b/etc/kubernetes/audit-policy.yaml", OTHER_POLICY),
    )

    assert isinstance(found, AmbiguousPolicy)
    assert len(found.policies) == 2


def test_equal_texts_are_not_ambiguous() -> None:
    found = _policy_of(
        _server("manifests/s.yaml"),
        _policy("a/etc/kubernetes/audit-policy.yaml"),
        _policy("b/etc/kubernetes/audit-policy.yaml"),
    )

    assert isinstance(found, FoundPolicy)


def test_of_several_nodes_copies_the_servers_own_is_taken() -> None:
    own = _policy("nodes/b/etc/kubernetes/audit-policy.yaml", OTHER_POLICY)

    found = _policy_of(
        _server("nodes/b/etc/kubernetes/manifests/s.yaml"),
        _policy("nodes/a/etc/kubernetes/audit-policy.yaml"),
        own,
        _policy("nodes/c/etc/kubernetes/audit-policy.yaml"),
    )

    assert isinstance(found, FoundPolicy)
    assert found.policy.raw == own


# --- ConfigMaps --------------------------------------------------------------------------------


def _config_map(name: str, text: str = SOUND_POLICY) -> Raw:
    document = {
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"audit-policy.yaml": text},
    }
    return raw(Kind.OBJECTS, f"{name}.json", json.dumps(document))


def test_a_mounted_configmap_is_found_by_its_name() -> None:
    found = _policy_of(
        _server(volume="configMap: {name: two}"),
        _config_map("one", OTHER_POLICY),
        _config_map("two"),
    )

    assert isinstance(found, FoundPolicy)
    assert found.policy.config_map == "two"


def test_a_configmap_is_not_taken_for_a_secret_of_its_name() -> None:
    server = _server(volume="secret: {secretName: audit}")

    assert isinstance(_policy_of(server, _config_map("audit")), NoPolicyText)


def test_a_file_is_not_taken_for_a_mounted_configmap() -> None:
    server = _server(volume="configMap: {name: audit}")

    found = _policy_of(server, _policy("node/etc/kubernetes/audit-policy.yaml"))

    assert isinstance(found, NoPolicyText)


def test_a_configmap_is_not_taken_for_a_file() -> None:
    assert isinstance(_policy_of(_server(), _config_map("audit")), NoPolicyText)
