"""Roles, bindings and kubelet configurations among files: kept where they can be read."""

import json

import pytest

from kcompliance.collect.recognise import recognise
from kcompliance.model.documents import Malformed
from kcompliance.model.kubelet_config import KubeletAccess, kubelet_access
from kcompliance.model.reading import Kind
from tests.captures import raw

ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: r}
rules: [{apiGroups: [""], resources: [nodes/proxy], verbs: [get]}]
"""
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}}
staticPodURLHeader: {Authorization: [Bearer hunter2]}
readOnlyPort: 10255
"""


def test_roles_are_kept_and_a_secret_beside_them_is_not() -> None:
    found = recognise(f"{ROLE}---\n{SECRET}".encode())

    assert found is not None
    assert found.kind is Kind.OBJECTS
    assert b"nodes/proxy" in found.content
    assert b"hunter2" not in found.content
    assert found.redactions == ("/1",)


def test_of_what_kubectl_prints_roles_are_kept() -> None:
    role = {"metadata": {"name": "r"}, "rules": []}
    printed = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleList", "items": [role]}

    found = recognise(json.dumps(printed).encode())

    assert found is not None
    assert json.loads(found.content)["items"] == [role]


@pytest.mark.parametrize(
    "text",
    [
        "{{- if .Values.rbac }}\napiVersion: rbac.authorization.k8s.io/v1\n{{- end }}\n",
        f"{ROLE}---\na: [\n",
        "It is an object of rbac.authorization.k8s.io.",
    ],
)
def test_a_template_or_prose_about_roles_is_passed_over(text: str) -> None:
    assert recognise(text.encode()) is None


def test_a_template_with_a_server_in_it_is_still_a_gap() -> None:
    text = f"{ROLE}---\ncommand: [kube-apiserver\n"

    with pytest.raises(Malformed):
        recognise(text.encode())


def test_of_a_kubelets_configuration_only_who_may_ask_it_is_kept() -> None:
    found = recognise(KUBELET.encode())

    assert found is not None
    assert found.kind is Kind.KUBELET_CONFIG
    assert b"hunter2" not in found.content
    kept = raw(Kind.KUBELET_CONFIG, "config.yaml", found.content.decode())
    assert kubelet_access(kept) == KubeletAccess(
        anonymous=True, always_allow=False, read_only_port=10255
    )


def test_a_kubelets_configuration_of_other_types_is_malformed() -> None:
    with pytest.raises(Malformed):
        recognise(KUBELET.replace("10255", "many").encode())
