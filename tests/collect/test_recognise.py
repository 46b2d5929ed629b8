"""What a file is told by its content, and what of it is kept."""

import json
from typing import Any

import pytest

from kcompliance.collect.recognise import recognise
from kcompliance.model.documents import Malformed, Unsure
from kcompliance.model.reading import Kind
from tests.captures import LOG_FLAG, POLICY_FLAG, SOUND_POLICY, pod

FLAGZ = {"kind": "Flagz", "apiVersion": "config.k8s.io/v1alpha1", "flags": {"audit-log-path": "-"}}
AKS = {
    "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/"
    "managedClusters/prod"
}
EKS = {"cluster": {"arn": "arn:aws:eks:eu-central-1:1:cluster/prod"}}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s"},
    "data": {"k": "c2VjcmV0"},
}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _pod(**more: Any) -> dict[str, Any]:
    container = {"name": "kube-apiserver", "command": ["kube-apiserver", POLICY_FLAG], **more}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-apiserver-cp-1"},
        "spec": {"containers": [container]},
    }


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (SOUND_POLICY.encode(), Kind.AUDIT_POLICY),
        (b"rules: [{level: Metadata}]", Kind.AUDIT_POLICY),
        (b"apiVersion: audit.k8s.io/v1beta1\nkind: Policy\n", Kind.AUDIT_POLICY),
        (pod(POLICY_FLAG).encode(), Kind.OBJECTS),
        (b"kube-apiserver-arg: [audit-log-path=-]\n", Kind.OBJECTS),
        (b"root 1 kube-apiserver --audit-log-path=-\n", Kind.COMMAND_LINE),
        (b"kube-apiserver\0--audit-log-path=-\0", Kind.COMMAND_LINE),
        (b'{"gitVersion": "v1.36.1"}', Kind.VERSION),
        (b'{"clientVersion": {}, "serverVersion": {"gitVersion": "v1.36.1"}}', Kind.VERSION),
        (_json(FLAGZ), Kind.FLAGZ),
        (_json(AKS), Kind.AKS_CLUSTER),
        (_json(EKS), Kind.EKS_CLUSTER),
        (
            b"# TYPE apiserver_audit_event_total counter\napiserver_audit_event_total 5\n",
            Kind.METRICS,
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_is_known_by_its_content(data: bytes, kind: Kind) -> None:
    found = recognise(data)

    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a: b\n",
        b"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: kube-apiserver}\n",
        b"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {settings: 'a: b'}\n",
        b"# kube-apiserver\n",
        b"\xff\xfe\x00",
        b"kind: List\nitems: []\n# kube-apiserver\n",
        _json({"kind": "List", "items": [SECRET], "note": "kube-apiserver"}),
    ],
)
def test_what_no_control_asks_about_is_nothing(data: bytes) -> None:
    assert recognise(data) is None


def test_what_mentions_a_server_and_cannot_be_read_is_not_passed_over() -> None:
    with pytest.raises(Malformed):
        recognise(b"kube-apiserver: [")


def test_a_list_is_kept_without_the_secrets_in_it() -> None:
    found = recognise(
        _json({"kind": "List", "apiVersion": "v1", "items": [SECRET, _pod(), SECRET]})
    )

    assert found is not None
    assert b"c2VjcmV0" not in found.content
    assert found.redactions == ("/items/0", "/items/2")
    assert len(json.loads(found.content)["items"]) == 1


def test_documents_of_a_file_are_kept_without_the_secrets_among_them() -> None:
    secret = "apiVersion: v1\nkind: Secret\ndata: {k: c2VjcmV0}\n"

    found = recognise(f"{secret}---\n{pod(POLICY_FLAG)}---\n{secret}".encode())

    assert found is not None
    assert b"c2VjcmV0" not in found.content
    assert found.redactions == ("/0", "/2")
    assert POLICY_FLAG.encode() in found.content


def test_what_stands_behind_a_policy_is_not_kept() -> None:
    policy = SOUND_POLICY.encode()
    secret = b"---\n" + _json(SECRET).replace(b", ", b",\n ")

    found = recognise(policy + b"\n" + secret)

    assert found is not None
    assert (found.kind, found.redactions) == (Kind.AUDIT_POLICY, ("/1",))
    assert b"c2VjcmV0" not in found.content
    assert found.content.strip() == policy.strip()


def test_values_of_variables_are_taken_out_and_pointed_at() -> None:
    variables = [
        {"name": "TOKEN", "value": "hunter2"},
        {"name": "EMPTY", "value": ""},
        {"name": "FROM", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
    ]

    found = recognise(_json(_pod(env=variables)))

    assert found is not None
    assert b"hunter2" not in found.content
    assert found.redactions == ("/spec/containers/0/env/0/value",)


def test_values_in_yaml_are_taken_out_too() -> None:
    text = pod(POLICY_FLAG).replace(
        "      command:", "      env: [{name: TOKEN, value: hunter2}]\n      command:"
    )

    found = recognise(text.encode())

    assert found is not None
    assert b"hunter2" not in found.content
    assert found.redactions == ("/0/spec/containers/0/env/0/value",)


def test_the_copy_that_kubectl_keeps_of_an_object_is_taken_out() -> None:
    made = _pod()
    made["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": '{"env": "hunter2"}'
    }

    found = recognise(_json(made))

    assert found is not None
    assert b"hunter2" not in found.content
    assert found.redactions == (
        "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    )


def test_a_file_without_secrets_is_kept_byte_for_byte() -> None:
    data = f"# by hand\n{pod(POLICY_FLAG, LOG_FLAG)}".encode()

    found = recognise(data)

    assert found is not None
    assert (found.content, found.redactions) == (data, ())


def test_of_metrics_only_the_audit_counters_are_kept() -> None:
    found = recognise(
        b"# TYPE apiserver_audit_event_total counter\napiserver_audit_event_total 5\n"
        b'apiserver_request_total{user="jo"} 7\n'
    )

    assert found is not None
    assert b"request_total" not in found.content
    assert b"apiserver_audit_event_total 5" in found.content


@pytest.mark.parametrize("order", [1, -1])
def test_a_policy_and_a_server_in_one_file_are_not_taken_apart(order: int) -> None:
    parts = [SOUND_POLICY, pod(POLICY_FLAG)][::order]

    with pytest.raises(Unsure, match="one file"):
        recognise("---\n".join(parts).encode())


def test_a_policy_behind_another_document_is_not_taken_for_one_that_a_server_reads() -> None:
    with pytest.raises(Unsure, match="behind another document"):
        recognise(b"kind: Namespace\n---\n" + SOUND_POLICY.encode())


def test_a_log_of_one_json_object_a_line_is_passed_over() -> None:
    line = (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","objectRef":{"name":"kube-apiserver"}}\n'
    )

    assert recognise(line * 3) is None


def test_prose_about_the_server_is_no_command_line() -> None:
    prose = b"kube-apiserver --audit-log-path is the flag that names the log, see the page on it\n"

    assert recognise(prose) is None
