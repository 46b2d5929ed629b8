"""Captures to one cluster: what is understood, what stays a gap, what contradicts itself."""

import json
from typing import Any

import pytest

from kcompliance.controls import published_policies
from kcompliance.model.assemble import assemble, read_version
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.control import Platform
from kcompliance.model.embedded_policy import looks_like_policy, policies_in
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.reading import Absent, Capture, Kind, Raw, Seen, Unreadable
from tests.captures import POLICY_FLAG, SOUND_POLICY, absent, pod, raw, unreadable

AKS = raw(Kind.ENDPOINT, "endpoint", '{"server": "https://a.hcp.westeurope.azmk8s.io:443"}')
EKS = raw(Kind.EKS_CLUSTER, "eks.json", '{"cluster": {"arn": "arn:aws:eks:eu-central-1:1:c/p"}}')
SERVER = raw(Kind.OBJECTS, "server.yaml", pod(POLICY_FLAG))
V36 = raw(Kind.VERSION, "/version", '{"gitVersion": "v1.36.1"}')


def _assemble(*captures: Capture, platform: Platform | None = None) -> Cluster:
    return assemble("c", captures, platform, published_policies())


def _flagz(resource: str = "/flagz", **flags: str) -> Raw:
    answer = {"kind": "Flagz", "apiVersion": "config.k8s.io/v1alpha1", "flags": flags}
    return raw(Kind.FLAGZ, resource, json.dumps(answer))


# --- platform ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "platform"),
    [
        ("https://a.hcp.westeurope.azmk8s.io:443", Platform.AKS),
        ("https://A.HCP.WESTEUROPE.AZMK8S.IO", Platform.AKS),
        ("https://b.gr7.eu-central-1.eks.amazonaws.com", Platform.EKS),
        ("https://b.sk1.cn-north-1.eks.amazonaws.com.cn/", Platform.EKS),
        ("https://10.0.0.1:6443", None),
        ("https://azmk8s.io.example.com", None),
        ("https://notazmk8s.io", None),
        ("https://api.example/?x=.azmk8s.io", None),
    ],
)
def test_the_name_of_the_endpoint_tells_the_platform(host: str, platform: Platform | None) -> None:
    found = _assemble(raw(Kind.ENDPOINT, "endpoint", json.dumps({"server": host})))

    assert found.platform is platform


def test_who_shows_a_server_runs_it_himself() -> None:
    assert _assemble(SERVER).platform is Platform.SELF_MANAGED


def test_nothing_read_tells_no_platform() -> None:
    found = _assemble()

    assert found.platform is None
    assert found.published is None


@pytest.mark.parametrize("other", [EKS, SERVER], ids=["another provider", "a server of one's own"])
def test_signs_of_two_platforms_tell_none(other: Raw) -> None:
    found = _assemble(AKS, other)

    assert found.platform is None
    assert found.published is None
    assert "signs of several platforms" in found.platform_because


def test_the_platform_that_the_user_names_wins() -> None:
    found = _assemble(AKS, EKS, SERVER, platform=Platform.SELF_MANAGED)

    assert found.platform is Platform.SELF_MANAGED
    assert found.platform_raw == ()


def test_a_description_that_cannot_be_read_tells_no_platform() -> None:
    found = _assemble(raw(Kind.AKS_CLUSTER, "aks.json", "["), raw(Kind.EKS_CLUSTER, "e.json", "{"))

    assert found.platform is None
    assert len(found.gaps) == 2


# --- version -----------------------------------------------------------------------------------


def test_in_the_middle_of_an_upgrade_the_oldest_version_counts() -> None:
    assert _assemble(V36, SERVER).version == KubernetesVersion(1, 35)
    assert _assemble(SERVER, V36).version == KubernetesVersion(1, 35)
    assert _assemble(V36).version == KubernetesVersion(1, 36)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"gitVersion": 5}', '{"gitVersion": "x"}']
)
def test_an_answer_without_a_version_is_a_gap(text: str) -> None:
    found = _assemble(raw(Kind.VERSION, "/version", text))

    assert read_version(text.encode()) is None
    assert found.version is None
    assert [gap.origin.kind for gap in found.gaps] == [Kind.VERSION]


# --- gaps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.ENDPOINT, "["),
        (Kind.VERSION, "["),
        (Kind.FLAGZ, "flags: x"),
        (Kind.API_SERVER_PODS, "["),
        (Kind.OBJECTS, "{"),
        (Kind.COMMAND_LINE, "ps: no such process"),
        (Kind.AKS_CLUSTER, "[]"),
        (Kind.EKS_CLUSTER, "5"),
        (Kind.FILE, "anything"),
    ],
)
def test_what_cannot_be_understood_is_a_gap_of_its_kind(kind: Kind, text: str) -> None:
    found = _assemble(raw(kind, "it", text))

    assert [(gap.origin.kind, gap.origin.resource) for gap in found.gaps] == [(kind, "it")]


@pytest.mark.parametrize("kind", list(Kind))
def test_what_could_not_be_read_stays_a_gap_whatever_its_kind(kind: Kind) -> None:
    gap = unreadable(kind, "it")

    assert gap in _assemble(SERVER, gap).gaps


@pytest.mark.parametrize("kind", list(Kind))
def test_what_a_server_does_not_have_is_no_gap(kind: Kind) -> None:
    assert _assemble(absent(kind, "it")).gaps == ()


@pytest.mark.parametrize("kind", list(Kind))
def test_a_file_that_was_not_recognised_may_hide_anything(kind: Kind) -> None:
    assert _assemble(unreadable(Kind.FILE, "it")).gaps_in(kind) != ()


def test_a_pod_that_only_looks_like_a_server_is_a_gap() -> None:
    text = pod(POLICY_FLAG).replace("- kube-apiserver\n", "- /bin/other\n")

    found = _assemble(raw(Kind.OBJECTS, "server.yaml", text))

    assert found.api_servers == ()
    assert len(found.gaps) == 1


# --- what the server itself tells ----------------------------------------------------------------


def test_flags_that_were_not_asked_for_are_not_the_same_as_absent_ones() -> None:
    assert isinstance(_assemble(SERVER).flagz, NotAsked)
    assert isinstance(_assemble(absent(Kind.FLAGZ, "/flagz")).flagz, Absent)
    assert isinstance(_assemble(unreadable(Kind.FLAGZ, "/flagz")).flagz, Unreadable)


@pytest.mark.parametrize("kind", [Kind.FLAGZ, Kind.METRICS])
def test_an_answer_is_not_forgotten_over_one_that_did_not_come(kind: Kind) -> None:
    answer = _flagz() if kind is Kind.FLAGZ else raw(kind, "m", "apiserver_audit_event_total 0\n")

    for captures in ((answer, absent(kind, "b")), (unreadable(kind, "b"), answer)):
        found = _assemble(*captures)
        assert isinstance(found.flagz if kind is Kind.FLAGZ else found.metrics, Seen)


def test_the_flags_of_a_second_server_are_not_forgotten() -> None:
    found = _assemble(_flagz("a"), _flagz("b", **{"audit-log-path": "/x"}))

    assert isinstance(found.flagz, Seen)
    assert found.flagz.raw.origin.resource == "a"
    assert [gap.origin.resource for gap in found.gaps] == ["b"]


def test_the_counters_of_a_second_server_are_not_forgotten() -> None:
    one = raw(Kind.METRICS, "a", "apiserver_audit_event_total 0\n")
    other = raw(Kind.METRICS, "b", "apiserver_audit_event_total 9\n")

    found = _assemble(one, other)

    assert isinstance(found.metrics, Seen)
    assert found.metrics.value.events == 0
    assert [gap.origin.resource for gap in found.gaps] == ["b"]


def test_the_same_answer_twice_is_no_gap() -> None:
    metrics = raw(Kind.METRICS, "a", "apiserver_audit_event_total 0\n")

    assert _assemble(_flagz("a"), _flagz("b"), metrics, metrics).gaps == ()


# --- policies inside other objects ---------------------------------------------------------------


def _config_map(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"policy.yaml": SOUND_POLICY, "README": "no policy"},
    }


def test_a_policy_in_a_configmap_is_found_with_its_place() -> None:
    (policy,) = _assemble(raw(Kind.OBJECTS, "cm.json", json.dumps(_config_map("audit")))).policies

    assert (policy.name, policy.config_map) == ("cm.json#/data/policy.yaml", "audit")
    assert policy.text == SOUND_POLICY.encode()


def test_policies_of_several_documents_have_names_of_their_own() -> None:
    text = "\n---\n".join(json.dumps(_config_map(name), indent=1) for name in ("one", "two"))

    found = _assemble(raw(Kind.OBJECTS, "cm.yaml", f"---\n{text}\n"))

    assert [policy.config_map for policy in found.policies] == ["one", "two"]
    assert len({policy.name for policy in found.policies}) == 2


def test_a_file_that_cluster_api_writes_is_a_policy_at_its_path() -> None:
    document = {"spec": {"files": [{"path": "/etc/kubernetes/p.yaml", "content": SOUND_POLICY}]}}

    (found,) = policies_in(document)

    assert (found.path, found.pointer) == ("/etc/kubernetes/p.yaml", "/spec/files/0/content")


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (SOUND_POLICY, True),
        ('{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": []}', True),
        ("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\n", True),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [\n", True),
        ("apiVersion: audit.k8s.io/v1\nkind: Event\n", False),
        ("apiVersion: policy/v1\nkind: Policy\n", False),
        ("see audit.k8s.io/v1, kind: Policy", False),
    ],
)
def test_a_text_looks_like_a_policy_by_what_it_claims(text: str, looks: bool) -> None:
    assert looks_like_policy(text) is looks
